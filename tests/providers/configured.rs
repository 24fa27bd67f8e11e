//! Models as a configuration chooses them: settings by role, limits, addresses, and keys.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Answer, Asked, Server};

/// What no key, wherever it stands, may leave behind.
const CANARY: &str = "canary";

/// A working directory, and what its commands are told.
struct Place {
    folder: TempDir,
    /// Where keys and configurations lie that may hold a canary.
    outside: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    fn new(config: &str) -> Place {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
            outside: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        };
        place.configure(config);
        place
    }

    fn configure(&self, config: &str) {
        fs::write(self.folder.path().join("mailproof.yaml"), config).unwrap();
    }

    /// A file that is no result.
    fn outside(&self, name: &str, text: &str) -> String {
        let path = self.outside.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn with(mut self, variable: &'static str, value: &str) -> Place {
        self.variables.push((variable, value.to_owned()));
        self
    }

    fn run(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailproof"));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("USER", "sam")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        Told::new(&command.output().unwrap())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }
}

#[derive(Debug)]
struct Told {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Told {
    fn new(output: &Output) -> Told {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Told {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// Plays the model of a workflow, whatever it is asked for: an email is answered with one
/// draft and `done`. `spoken` stands wherever it can.
fn assistant(spoken: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        let said = spoken(asked);
        let messages = asked.body["messages"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let message = if asked.body.get("response_format").is_some() {
            let answer = json!({ "reasoning": said, "classification": "respond", "word": said });
            json!({ "role": "assistant", "content": answer.to_string() })
        } else if asked.body.get("tools").is_none() {
            json!({ "role": "assistant", "content": said })
        } else if asked.body["tools"][0]["function"]["name"] == "note" {
            calls(&[("note", json!({ "word": said }))])
        } else if messages.iter().any(|message| message["role"] == "tool") {
            calls(&[("done", json!({}))])
        } else {
            let email = json!({ "to": "a@example.com", "subject": "Re", "content": said });
            calls(&[("write_email", email)])
        };
        let body = json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 },
        });
        Answer::new(200, body.to_string())
    })
}

fn calls(calls: &[(&str, Value)]) -> Value {
    let calls: Vec<_> = calls
        .iter()
        .enumerate()
        .map(|(index, (name, arguments))| {
            json!({
                "id": format!("call_{index}"), "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() },
            })
        })
        .collect();
    json!({ "role": "assistant", "content": null, "tool_calls": calls })
}

fn is_router(asked: &Asked) -> bool {
    asked.body.get("response_format").is_some()
}

fn config(server: &Server, more: &str) -> String {
    let url = format!("{}/v1", server.origin);
    format!(
        "models:
  precise: {{ model: \"openai:m\", base_url: \"{url}\", max_tokens: 100, seed: 7, extra_body: {{ top_p: 0.5 }} }}
  loose: {{ model: \"openai:m\", base_url: \"{url}\", temperature: 0.9 }}
{more}"
    )
}

const RUN: [&str; 7] = ["run", "response", "-a", "workflow", "--limit", "1", "-e"];

fn run<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&RUN[..], more].concat()
}

#[test]
fn each_role_is_asked_with_its_own_settings_and_the_report_tells_them() {
    let server = assistant(|_| "Gladly.".to_owned());
    let place = Place::new(&config(
        &server,
        "roles:\n  router: { max_tokens: 5, temperature: 0.5 }\n",
    ));
    let told = place.run(&run(&["both", "-m", "precise", "-m", "loose"]));
    assert_eq!(told.code, 0, "{told:?}");

    let settings = |asked: &Asked| {
        let of = |key: &str| asked.body.get(key).cloned().unwrap_or_default();
        ["max_tokens", "temperature", "seed", "top_p"].map(of)
    };
    let mut seen: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| (is_router(asked), json!(settings(asked)).to_string()))
        .collect();
    seen.sort();
    seen.dedup();
    let expected = [
        (false, "[100,0.0,7,0.5]"),
        (false, "[null,0.9,null,null]"),
        (true, "[5,0.5,7,0.5]"),
        (true, "[5,0.5,null,null]"),
    ];
    assert_eq!(
        seen,
        expected.map(|(router, settings)| (router, settings.to_owned()))
    );

    let report = place.json("reports/both/report.json");
    let names: Vec<_> = report["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["workflow@precise", "workflow@loose"]);
    let precise = json!({
        "model": "openai:m",
        "settings": {
            "agent": { "temperature": 0.0, "max_tokens": 100, "seed": 7, "extra_body": { "top_p": 0.5 } },
            "router": { "temperature": 0.5, "max_tokens": 5, "seed": 7, "extra_body": { "top_p": 0.5 } },
        },
    });
    assert_eq!(report["plan"]["models"]["precise"], precise);
    let port = server.origin.rsplit(':').next().unwrap();
    assert!(!report["plan"].to_string().contains(port), "{report:#}");
}

#[test]
fn an_experiment_is_resumed_with_its_settings_and_with_no_others() {
    let server = assistant(|_| "Gladly.".to_owned());
    let place = Place::new(&config(&server, "roles:\n  router: { max_tokens: 5 }\n"));
    assert_eq!(place.run(&run(&["it", "-m", "precise"])).code, 0);

    place.configure(&config(&server, "roles:\n  router: { max_tokens: 6 }\n"));
    let refused = place.run(&["run", "--resume", "-e", "it"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let difference = "models.precise.settings.router.max_tokens: 5 → 6";
    assert!(refused.stderr.contains(difference), "{refused:?}");

    // Where a model is found is no part of the plan.
    let other = assistant(|_| "Gladly.".to_owned());
    place.configure(&config(&other, "roles:\n  router: { max_tokens: 5 }\n"));
    let resumed = place.run(&["run", "--resume", "-e", "it"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
}

#[test]
fn a_variable_wins_over_an_env_file_and_a_configuration_over_both() {
    let servers =
        ["file", "variable", "configuration"].map(|_| assistant(|_| "Gladly.".to_owned()));
    let url = |index: usize| format!("{}/v1", servers[index].origin);
    let place = Place::new("env_file: keys.env\n");
    fs::write(
        place.folder.path().join("keys.env"),
        format!(
            "# keys\nexport OPENAI_BASE_URL=\"{}\"\nOPENAI_API_KEY='of the file' # no key\n",
            url(0)
        ),
    )
    .unwrap();
    let wrong = place.run(&run(&["wrong", "-m", "openai:m"]));
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("`OPENAI_API_KEY` holds no key"),
        "{wrong:?}"
    );

    let place = place.with("OPENAI_API_KEY", "of-the-process");
    assert_eq!(place.run(&run(&["one", "-m", "openai:m"])).code, 0);
    let bearer = |server: &Server| server.asked()[0].header("authorization").map(str::to_owned);
    assert_eq!(
        bearer(&servers[0]).as_deref(),
        Some("Bearer of-the-process")
    );

    let place = place.with("OPENAI_BASE_URL", &url(1));
    assert_eq!(place.run(&run(&["two", "-m", "openai:m"])).code, 0);
    let asked = || servers.each_ref().map(|server| server.asked().len());
    assert_eq!(asked(), [3, 3, 0]);

    let file = place.outside("team.env", "TEAM=of-the-team\n");
    place.configure(&format!(
        "models:\n  openai:m: {{ base_url: \"{}\", api_key: env:TEAM }}\n",
        url(2)
    ));
    assert_eq!(
        place
            .run(&run(&["three", "-m", "openai:m", "--env-file", &file]))
            .code,
        0
    );
    assert_eq!(asked(), [3, 3, 3]);
    assert_eq!(bearer(&servers[2]).as_deref(), Some("Bearer of-the-team"));
}

#[test]
fn offline_no_other_machine_is_asked() {
    let server = assistant(|_| "Gladly.".to_owned());
    let elsewhere = "models:\n  openai:m: { base_url: \"http://192.0.2.1/v1\" }\n";
    for (config, code) in [(elsewhere.to_owned(), 2), (config(&server, ""), 0)] {
        let place = Place::new(&format!("{config}offline: true\n"));
        let name = if code == 0 { "precise" } else { "openai:m" };
        let told = place.run(&run(&["it", "-m", name]));
        assert_eq!(told.code, code, "{told:?}");
        let refused =
            "model `openai:m` is at http://192.0.2.1/v1, and `--offline` allows this machine alone";
        assert_eq!(told.stderr.contains(refused), code == 2, "{told:?}");
        assert_eq!(place.folder.path().join("reports").exists(), code == 0);
    }
}

#[test]
fn another_model_than_the_agent_s_can_play_the_person() {
    let (agent, person) = (
        assistant(|_| "Gladly.".to_owned()),
        assistant(|_| "ready".to_owned()),
    );
    let place = Place::new(&format!(
        "models:\n  a: {{ model: \"openai:m\", base_url: \"{}/v1\" }}\n  p: {{ model: \"openai:m\", base_url: \"{}/v1\" }}\nsimulator_model: p\n",
        agent.origin, person.origin
    ));
    let told = place.run(&[
        "run",
        "hitl",
        "-a",
        "hitl",
        "-m",
        "a",
        "--max-steps",
        "6",
        "-e",
        "it",
    ]);
    assert!(told.code == 0 || told.code == 3, "{told:?}");
    let report = place.json("reports/it/report.json");
    assert_eq!(report["variants"][0]["simulator_model"], "p");
    let models = &report["plan"]["models"];
    assert_eq!(
        models["p"]["settings"],
        json!({ "simulator": { "temperature": 0.0 } })
    );
    assert!(
        models["a"]["settings"].get("simulator").is_none(),
        "{models:#}"
    );
    assert!(!person.asked().is_empty());
}

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

/// Says what it was told: the key as well.
fn echo(asked: &Asked) -> String {
    asked
        .header("authorization")
        .unwrap_or("nothing")
        .to_owned()
}

#[test]
fn a_key_is_nowhere_whatever_becomes_of_the_run() {
    let [kind, refusing, broken] = [200, 401, 500].map(|status| match status {
        200 => assistant(echo),
        status => Server::start(move |asked| {
            let words = format!("wrong key: {}", echo(asked));
            Answer::new(status, json!({ "error": { "message": words } }).to_string())
        }),
    });
    for (way, key) in [
        ("variable", "canary/Variable+0123456789=="),
        ("file", "sk-canary\"File\\0123456789"),
        ("named", "canary_Named_0123456789"),
    ] {
        for (server, name) in [
            (&kind, "kind"),
            (&refusing, "refusing"),
            (&broken, "broken"),
        ] {
            let url = format!("{}/v1?key=canary-query", server.origin);
            let named = if way == "named" {
                ", api_key: env:TEAM"
            } else {
                ""
            };
            let place = Place::new("");
            let config = place.outside(
                "c.yaml",
                &format!("models:\n  m: {{ model: \"openai:m\", base_url: \"{url}\"{named} }}\nmax_retries: 0\n"),
            );
            let file = match way {
                "file" => format!("OPENAI_API_KEY='{key}'\n"),
                _ => String::new(),
            };
            let file = place.outside("keys.env", &file);
            let place = match way {
                "variable" => place.with("OPENAI_API_KEY", key),
                "named" => place.with("TEAM", key),
                _ => place,
            };
            fs::write(
                place.folder.path().join("m.eml"),
                "From: a@b.example\nSubject: Hi\n\nHello?\n",
            )
            .unwrap();
            let reach = ["-c", &config, "--env-file", &file];
            let with = |arguments: &[&str]| place.run(&[arguments, &reach].concat());
            let told = [
                with(&run(&["it", "-m", "m", "-v", "--record", "kept"])),
                with(&run(&["again", "-m", "m", "--replay", "kept"])),
                with(&run(&["json", "-m", "m", "--json"])),
                with(&["run", "--resume", "-e", "it", "-m", "m"]),
                place.run(&["report", "it"]),
                place.run(&[
                    "show",
                    "it/workflow@m",
                    "--prompts",
                    "--full",
                    "boarding-pass",
                ]),
                with(&["run", "--email", "m.eml", "-a", "workflow", "-m", "m"]),
                with(&[
                    "run", "--email", "m.eml", "-a", "hitl", "-m", "m", "--thread", "t",
                ]),
                with(&["threads", "t", "--json"]),
                with(&["respond", "--thread", "t", "accept"]),
                with(&["doctor", "-m", "m", "--live"]),
                with(&["doctor", "-m", "m", "--json"]),
            ];
            let asked = server.asked();
            let bearer = format!("Bearer {key}");
            assert!(
                asked
                    .iter()
                    .filter(|it| it.line.starts_with("POST"))
                    .all(|it| echo(it) == bearer)
            );
            assert!(asked.len() >= 3, "{way} {name}: {told:#?}");
            assert!(
                asked[0].line.contains("key=canary-query"),
                "it is sent: {}",
                asked[0].line
            );
            let mut texts: Vec<(String, String)> = told
                .iter()
                .flat_map(|told| [told.stdout.clone(), told.stderr.clone()])
                .map(|text| ("output".to_owned(), text))
                .collect();
            files(place.folder.path(), &mut texts);
            for (file, text) in &texts {
                assert!(!text.contains(CANARY), "{way} {name} {file}: {text}");
            }
            // The key did come back, and was hidden.
            assert!(
                texts.iter().any(|(_, text)| text.contains("[redacted]")),
                "{way} {name}: {told:#?}"
            );
            assert_eq!(place.folder.path().join("kept").exists(), true, "{told:#?}");
        }
        let server = &kind;
        assert!(server.asked().len() > 3);
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
