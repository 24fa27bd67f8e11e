//! What `mailproof doctor` finds out about servers.

use serde_json::{Value, json};

use super::configured::{Place, assistant, config};
use super::server::{Answer, Server, nobody};

#[test]
fn doctor_asks_a_live_model_for_all_that_agents_need() {
    let server = assistant(|_| "ready".to_owned());
    let place = Place::new(&config(
        &server,
        "model: precise\nmemory_model: loose\nrpm: 60\n",
    ));
    let told = place.run(&["doctor"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(server.asked().len(), 0, "nothing that could cost is asked");
    let url = format!("{}/v1", server.origin);
    for line in [
        format!(
            "pass  model precise: provider openai, endpoint {url}, model m, no key (OPENAI_API_KEY is not set); reachable; at most 16 in flight, 60 requests a minute; price unknown\n"
        ),
        format!(
            "pass  model loose: provider openai, endpoint {url}, model m, no key (OPENAI_API_KEY is not set); reachable; at most 16 in flight, 60 requests a minute; price unknown; asked as memory\n"
        ),
    ] {
        assert!(told.stdout.contains(&line), "{told:?}");
    }

    let told = place.run(&["doctor", "--live", "--json"]);
    assert_eq!(told.code, 0, "{told:?}");
    let checks: Value = serde_json::from_str(&told.stdout).unwrap();
    let live: Vec<_> = checks
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["check"].as_str().unwrap().starts_with("live "))
        .collect();
    let names: Vec<_> = live
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    let kinds = ["plain reply", "tool call", "JSON schema", "clock"];
    let expected: Vec<_> = ["precise", "loose"]
        .iter()
        .flat_map(|name| kinds.map(|kind| format!("live {name} {kind}")))
        .collect();
    assert_eq!(names, expected);
    for check in live {
        assert_eq!(check["passed"], true, "{check}");
        let found = check["found"].as_str().unwrap();
        let clock = check["check"].as_str().unwrap().ends_with("clock");
        assert_eq!(
            found.ends_with(" ms, 11 + 7 tokens, cost unknown"),
            !clock,
            "{found}"
        );
    }
}

#[test]
fn doctor_says_what_a_model_cannot_do_and_what_to_do_about_it() {
    // Words, whatever is asked for.
    let server = Server::start(|_| {
        let message = json!({ "role": "assistant", "content": "ready" });
        let body = json!({ "choices": [{ "message": message, "finish_reason": "stop" }] });
        Answer::new(200, body.to_string())
    });
    let place = Place::new(&config(&server, "model: precise\n"));
    let told = place.run(&["doctor", "--live"]);
    assert_eq!(told.code, 2, "{told:?}");
    for (mark, line) in [
        ("pass", "live precise plain reply: "),
        ("FAIL", "live precise tool call: not what was asked for; "),
        ("FAIL", "live precise JSON schema: not what was asked for; "),
    ] {
        assert!(told.stdout.contains(&format!("{mark}  {line}")), "{told:?}");
    }
    assert!(
        told.stdout
            .contains("\n      agents call tools, and fail on a model"),
        "{told:?}"
    );

    let server = Server::start(|_| Answer::new(401, r#"{"error":{"message":"who are you"}}"#));
    let place = Place::new(&config(&server, "model: precise\n"));
    let told = place.run(&["doctor", "--live"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(
        told.stdout.contains("FAIL  live precise plain reply: "),
        "{told:?}"
    );
    assert!(told.stdout.contains("who are you"), "{told:?}");
    assert!(
        !told.stdout.contains("tool call"),
        "the rest would fail alike: {told:?}"
    );
}

#[test]
fn doctor_looks_at_threads_and_at_langsmith_where_they_are_configured() {
    let key = "canary-0123456789";
    let server = Server::start(move |asked| match asked.header("x-api-key") {
        _ if asked.line.starts_with("GET /info ") => Answer::new(200, r#"{"version":"0.18.0"}"#),
        Some(sent) if sent == key => Answer::new(200, "[]"),
        Some("canary-of-an-organisation") => {
            Answer::new(403, r#"{"error":"org_scoped_key_requires_workspace"}"#)
        }
        sent => Answer::json(
            401,
            &serde_json::json!({ "detail": format!("Invalid token {}", sent.unwrap_or_default()) }),
        ),
    });
    let dead = nobody();
    let url = server.origin.clone();
    for (config, variables, code, line) in [
        ("", &[][..], 0, None),
        ("", &[("LANGSMITH_API_KEY", key), ("LANGSMITH_ENDPOINT", &url)], 0,
            Some(format!("pass  LangSmith: {url} (version 0.18.0) takes the key\n"))),
        ("", &[("LANGSMITH_API_KEY", "canary-9876543210"), ("LANGSMITH_ENDPOINT", &url)], 2,
            Some(format!("FAIL  LangSmith: {url}; LangSmith denies access (HTTP 401: Invalid token [redacted]); is `LANGSMITH_API_KEY` a key that is still valid"))),
        ("", &[("LANGSMITH_API_KEY", "canary-of-an-organisation"), ("LANGSMITH_ENDPOINT", &url)], 2,
            Some("(HTTP 403: org_scoped_key_requires_workspace); the key is an organisation's: say which workspace with `LANGSMITH_WORKSPACE_ID`".to_owned())),
        ("", &[("LANGCHAIN_ENDPOINT", &url)], 2,
            Some(format!("FAIL  LangSmith: {url}; no key for LangSmith: set `LANGSMITH_API_KEY`"))),
        ("", &[("LANGCHAIN_API_KEY", key), ("LANGSMITH_ENDPOINT", &dead)], 2,
            Some(format!("FAIL  LangSmith: {dead}; LangSmith cannot be reached: cannot connect to {dead} "))),
        ("", &[("LANGSMITH_ENDPOINT", key)], 2,
            Some("FAIL  LangSmith: `LANGSMITH_ENDPOINT` starts with neither".to_owned())),
        ("offline: true", &[("LANGSMITH_API_KEY", key)], 0,
            Some("pass  LangSmith: https://api.smith.langchain.com; not tried: `--offline`".to_owned())),
        ("checkpointer: sqlite:new.db", &[], 0,
            Some("pass  checkpointer: `new.db` is made when it is needed".to_owned())),
        ("checkpointer: sqlite:no/such/folder/new.db", &[], 2,
            Some("FAIL  checkpointer: `no/such/folder/new.db` cannot be made: there is no such folder\n      make the folder".to_owned())),
        ("checkpointer: sqlite:mailproof.yaml", &[], 2,
            Some("FAIL  checkpointer: ".to_owned())),
        ("checkpointer: nowhere", &[], 2, Some("FAIL  checkpointer: the configuration's `checkpointer`".to_owned())),
    ] {
        let mut place = Place::new(config);
        for (name, value) in variables {
            place = place.with(name, value);
        }
        let told = place.run(&["doctor"]);
        assert_eq!(told.code, code, "{config} {variables:?}: {told:?}");
        match line {
            Some(line) => assert!(told.stdout.contains(&line), "{line}: {told:?}"),
            None => assert!(!told.stdout.contains("LangSmith") && !told.stdout.contains("checkpointer")),
        }
        assert!(!told.stdout.contains("canary"), "{told:?}");
    }

    let place = Place::new("checkpointer: sqlite:t.db");
    std::fs::write(
        place.folder.path().join("m.eml"),
        "From: a@b.example\nSubject: Hi\n\nHello?\n",
    )
    .unwrap();
    let started = place.run(&["run", "--email", "m.eml", "-a", "hitl", "--thread", "t"]);
    assert_eq!(started.code, 0, "{started:?}");
    let told = place.run(&["doctor"]);
    assert!(
        told.stdout.contains("pass  checkpointer: opens, 1 threads"),
        "{told:?}"
    );
}
