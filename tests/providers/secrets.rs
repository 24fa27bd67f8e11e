//! A key is in no file and no output.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::configured::{Place, assistant, run};
use super::server::{Answer, Asked, Server};

/// What no key, wherever it stands, may leave behind.
const CANARY: &str = "canary";

fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
}

/// The key that it was told, as it is: what stands before it would give it away.
fn echo(asked: &Asked) -> String {
    let bearer = asked.header("authorization").unwrap_or_default();
    bearer.trim_start_matches("Bearer ").to_owned()
}

/// Answers in this status, with what it was told in its words.
fn server(status: u16) -> Server {
    match status {
        200 => assistant(echo),
        status => Server::start(move |asked| {
            let words = format!("wrong key: {}", echo(asked));
            Answer::json(status, &json!({ "error": { "message": words } }))
        }),
    }
}

#[test]
fn a_key_is_nowhere_whatever_becomes_of_the_run() {
    let (variable, file, named) = (
        "canary/Variable+0123456789==",
        "sk-canary\"File\\0123456789",
        "canary_Named_0123456789",
    );
    for (key, status) in [
        (variable, 200),
        (variable, 401),
        (file, 200),
        (file, 500),
        (named, 200),
        (named, 403),
    ] {
        let server = server(status);
        let case = format!("{key} {status}");
        let url = format!("{}/v1?key=canary-query", server.origin);
        let api_key = if key == named {
            ", api_key: env:TEAM"
        } else {
            ""
        };
        let mut place = Place::new("");
        let config = format!(
            "models:\n  m: {{ model: \"openai:m\", base_url: \"{url}\"{api_key} }}\nmax_retries: 0\n"
        );
        let config = place.outside("c.yaml", &config);
        let variables = match key == file {
            true => format!("OPENAI_API_KEY='{key}'\n"),
            false => String::new(),
        };
        let variables = place.outside("keys.env", &variables);
        if key == variable {
            place = place.with("OPENAI_API_KEY", key);
        } else if key == named {
            place = place.with("TEAM", key);
        }
        let email = "From: a@b.example\nSubject: Hi\n\nHello?\n";
        fs::write(place.folder.path().join("m.eml"), email).unwrap();
        let reach = ["-c", &config, "--env-file", &variables];
        let with = |arguments: &[&str]| place.run(&[arguments, &reach].concat());
        let example = [
            "show",
            "it/workflow@m",
            "--prompts",
            "--full",
            "invoice-question",
        ];
        let alone = ["run", "--email", "m.eml", "-m", "m", "-a"];
        let told = [
            with(&run(&["it", "-m", "m", "-v", "--record", "kept"])),
            with(&run(&["again", "-m", "m", "--replay", "kept"])),
            with(&run(&["json", "-m", "m", "--json"])),
            with(&["run", "--resume", "-e", "it", "-m", "m"]),
            with(&["run", "--dry-run", "-m", "m", "--json"]),
            place.run(&["report", "it"]),
            with(&["rescore", "it", "--judge-model", "m"]),
            place.run(&["report", "it", "--layer", "1"]),
            place.run(&example),
            with(&[&alone[..], &["workflow"]].concat()),
            with(&[&alone[..], &["hitl", "--thread", "t"]].concat()),
            with(&["threads", "t", "--json"]),
            with(&["respond", "--thread", "t", "accept"]),
            with(&["doctor", "-m", "m", "--live"]),
            with(&["doctor", "-m", "m", "--json"]),
        ];
        let asked = server.asked();
        let mut posts = asked.iter().filter(|asked| asked.line.starts_with("POST"));
        assert!(posts.clone().count() >= 5, "{case}: {told:#?}");
        assert!(posts.all(|asked| echo(asked) == key));
        assert!(asked[0].line.contains("key=canary-query"), "it is sent");
        let told = told.into_iter().flat_map(|told| [told.stdout, told.stderr]);
        let mut texts: Vec<_> = told.map(|text| ("output".to_owned(), text)).collect();
        files(place.folder.path(), &mut texts);
        // A thread goes on with what its model said, as it said it.
        texts.retain(|(file, _)| !file.contains("mailproof-threads.db"));
        for (file, text) in &texts {
            assert!(!text.contains(CANARY), "{case} {file}: {text}");
        }
        // It did come back, and was hidden.
        let mut hidden = texts.iter().filter(|(_, text)| text.contains("[redacted]"));
        assert!(
            hidden.any(|(file, _)| file.ends_with("journal.jsonl")),
            "{case}: {texts:#?}"
        );
    }
}

#[test]
fn a_key_where_none_belongs_is_refused_and_not_repeated() {
    let key = "canary-0123456789";
    for (config, at) in [
        (
            format!("models:\n  openai:m: {{ api_key: {key} }}\n"),
            "mailproof.yaml:2:24: a key is not written here",
        ),
        (
            format!("models:\n  openai:m: {{ base_url: \"https://me:{key}@llm.test/v1\" }}\n"),
            "mailproof.yaml:2:25: the address holds a user name",
        ),
    ] {
        let place = Place::new(&config);
        for verb in [
            &["run", "-m", "openai:m"][..],
            &["doctor"],
            &["run", "--dry-run", "--json"],
        ] {
            let told = place.run(verb);
            assert_eq!(told.code, 2, "{told:?}");
            assert!(
                format!("{}{}", told.stdout, told.stderr).contains(at),
                "{told:?}"
            );
            assert!(!format!("{told:?}").contains(CANARY), "{told:?}");
        }
    }
    let place = Place::new("").with("OPENAI_BASE_URL", &format!("https://me:{key}@llm.test/v1"));
    let told = place.run(&["run", "-m", "openai:m"]);
    assert!(
        told.stderr.contains("`OPENAI_BASE_URL` holds a user name"),
        "{told:?}"
    );
    assert!(!format!("{told:?}").contains(CANARY), "{told:?}");
}
