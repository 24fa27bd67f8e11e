//! Models as a configuration chooses them: settings by role, limits, addresses, and keys.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Answer, Asked, Delivery, Server};

/// A working directory, and what its commands are told.
pub struct Place {
    pub folder: TempDir,
    /// Where keys and configurations lie that may hold a canary.
    outside: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    pub fn new(config: &str) -> Place {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
            outside: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        };
        place.configure(config);
        place
    }

    pub fn configure(&self, config: &str) {
        self.write("mailproof.yaml", config);
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.folder.path().join(path), text).unwrap();
    }

    /// A file that is no result.
    pub fn outside(&self, name: &str, text: &str) -> String {
        let path = self.outside.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub fn with(mut self, variable: &'static str, value: &str) -> Place {
        self.variables.push((variable, value.to_owned()));
        self
    }

    pub fn run(&self, arguments: &[&str]) -> Told {
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

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }
}

#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
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

/// Plays the model of a workflow, whatever it is asked for: an email is answered with a
/// draft, another whose arguments are malformed, and `done`. `spoken` stands wherever it can.
pub fn assistant(spoken: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        let said = spoken(asked);
        let messages = asked.body["messages"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let message = if asked.body.get("response_format").is_some() {
            let format = &asked.body["response_format"]["json_schema"];
            let answer = match format["schema"]["properties"].get("word") {
                Some(_) => json!({ "word": said }),
                None => json!({ "reasoning": said, "classification": "respond" }),
            };
            json!({ "role": "assistant", "content": answer.to_string() })
        } else if asked.body.get("tools").is_none() {
            json!({ "role": "assistant", "content": said })
        } else if asked.body["tools"][0]["function"]["name"] == "note" {
            calls(&[("note", json!({ "word": said }).to_string())])
        } else if messages.iter().any(|message| message["role"] == "tool") {
            calls(&[("done", "{}".to_owned())])
        } else {
            let email = json!({ "to": "a@example.com", "subject": "Re", "content": said });
            let broken = format!("{{\"to\": \"{said}");
            calls(&[("write_email", email.to_string()), ("write_email", broken)])
        };
        completion(&message)
    })
}

fn completion(message: &Value) -> Answer {
    let body = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 },
    });
    Answer::json(200, &body)
}

/// Calls of these tools, the arguments as a model writes them.
fn calls(calls: &[(&str, String)]) -> Value {
    let calls = calls.iter().enumerate();
    let calls = calls.map(|(index, (name, arguments))| {
        json!({
            "id": format!("call_{index}"), "type": "function",
            "function": { "name": name, "arguments": arguments },
        })
    });
    let calls: Vec<Value> = calls.collect();
    json!({ "role": "assistant", "content": null, "tool_calls": calls })
}

fn is_router(asked: &Asked) -> bool {
    asked.body.get("response_format").is_some()
}

pub fn config(server: &Server, more: &str) -> String {
    let url = format!("{}/v1", server.origin);
    format!(
        "models:
  precise: {{ model: \"openai:m\", base_url: \"{url}\", max_tokens: 100, seed: 7, extra_body: {{ top_p: 0.5 }} }}
  loose: {{ model: \"openai:m\", base_url: \"{url}\", temperature: 0.9 }}
{more}"
    )
}

const RUN: [&str; 9] = [
    "run", "response", "-a", "workflow", "--limit", "1", "--judge", "none", "-e",
];

pub fn run<'a>(more: &[&'a str]) -> Vec<&'a str> {
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
        (false, "[100,0,7,0.5]"),
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

const SCENARIO: &str = r#"
- id: invoice
  email: { from: "ana@b.example", to: "sam@c.example", subject: "Invoice", body: "When will you pay?" }
  tags: [billing]
  split: dev
  labelled_by: author
  expect: { triage: respond, tool_calls: [write_email] }
- id: invoice/hurried
  scenario: { example: invoice }
  human: { simulated: "Robin, in a hurry." }
"#;

#[test]
fn another_model_than_the_agent_s_can_play_the_person() {
    let agent = assistant(|_| "Gladly.".to_owned());
    let person = Server::start(|_| {
        let answer = json!({ "reasoning": "r", "kind": "accept", "text": "", "args": {} });
        completion(&json!({ "role": "assistant", "content": answer.to_string() }))
    });
    let place = Place::new(&format!(
        "models:
  a: {{ model: \"openai:m\", base_url: \"{}/v1\" }}
  p: {{ model: \"openai:m\", base_url: \"{}/v1\" }}
simulator_model: p
",
        agent.origin, person.origin
    ));
    let dataset = place.outside("mine.yaml", SCENARIO);
    let told = place.run(&[
        "run", "hitl", "-d", &dataset, "-a", "hitl", "-m", "a", "-e", "it",
    ]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(person.asked().len(), 1, "{told:?}");
    let report = place.json("reports/it/report.json");
    assert_eq!(report["variants"][0]["simulator_model"], "p");
    let models = &report["plan"]["models"];
    let alone = json!({ "simulator": { "temperature": 0.0 } });
    assert_eq!(models["p"]["settings"], alone);
    assert!(
        models["a"]["settings"].get("simulator").is_none(),
        "{models:#}"
    );

    // The flag that chose it is not wanted again.
    let resumed = place.run(&["run", "--resume", "-e", "it"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
}

#[test]
fn a_run_keeps_to_the_retries_and_the_time_it_is_given() {
    let broken = Server::start(|_| Answer::new(500, "out of order"));
    let place = Place::new(&config(&broken, "max_retries: 5\n"));
    let told = place.run(&run(&["once", "-m", "precise", "--max-retries", "0"]));
    assert_eq!((told.code, broken.asked().len()), (3, 1), "{told:?}");

    let silent = Server::start(|_| Answer {
        delivery: Delivery::Drip,
        ..Answer::new(200, "{}")
    });
    let place = Place::new(&config(&silent, "run_timeout: 1h\n"));
    let told = place.run(&run(&["short", "-m", "precise", "--run-timeout", "200ms"]));
    assert_eq!(told.code, 5, "{told:?}");
    assert!(told.stderr.contains("--resume -e short"), "{told:?}");
}
