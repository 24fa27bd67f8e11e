//! Live models against a server on loopback that accepts what the chat completions protocol
//! allows and nothing else.

mod server;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use mailproof::message::{Message, Prompt, ToolCall, ToolSpec, ToolStatus};
use mailproof::model::{Model, OutputSchema, Reply, Request, ToolChoice, catalog};
use mailproof::run::{ModelRole, TokenUsage};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::server::{Answer, Asked, Server};

const KEY: &str = "canary/Key+0123456789==";

fn open(url: &str, key: Option<&str>) -> Arc<dyn Model> {
    let model = catalog::open("openai:m", |variable| match variable {
        "OPENAI_BASE_URL" => Some(url.to_owned()),
        "OPENAI_API_KEY" => key.map(str::to_owned),
        _ => None,
    });
    model.unwrap_or_else(|error| panic!("{error}"))
}

fn request(tools: &[&str], messages: Vec<Message>) -> Request {
    let tool = |name: &&str| ToolSpec {
        name: (*name).to_owned(),
        description: "A tool.".to_owned(),
        parameters: json!({ "type": "object", "properties": {} }),
    };
    Request {
        role: ModelRole::Agent,
        prompt: Prompt::new("Be brief.".to_owned(), tools.iter().map(tool).collect()),
        messages,
        tool_choice: ToolChoice::Required,
        output: None,
        origin: Default::default(),
    }
}

fn hello() -> Request {
    request(&[], vec![Message::user("1", "Hello")])
}

fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    let (id, name) = (id.to_owned(), name.to_owned());
    ToolCall {
        id,
        name,
        arguments,
    }
}

async fn error(model: &dyn Model) -> String {
    let error = model.ask(&hello()).await.unwrap_err();
    assert_eq!(error.model, "openai:m");
    assert!(
        !error.reason.contains('\n') && error.reason.chars().count() <= 400,
        "{error}"
    );
    error.reason
}

#[tokio::test]
async fn text_comes_back_with_its_usage() {
    let server =
        Server::start(|_| Answer::message(json!({ "role": "assistant", "content": "Hi" })));
    let reply = open(&server.url, None).ask(&hello()).await.unwrap();
    let usage = TokenUsage {
        input_tokens: 11,
        output_tokens: 7,
        ..Default::default()
    };
    let expected = Reply {
        content: "Hi".to_owned(),
        usage,
        latency: reply.latency,
        ..Reply::default()
    };
    assert_eq!(reply, expected);
    assert!(reply.latency.is_some());
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].authorization, None);
    let messages = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": "Hello" },
    ]);
    assert_eq!(asked[0].body["messages"], messages);
}

#[tokio::test]
async fn a_key_travels_as_a_bearer() {
    let server = Server::start(|_| Answer::message(json!({ "content": "Hi" })));
    open(&server.url, Some(KEY)).ask(&hello()).await.unwrap();
    assert_eq!(
        server.asked()[0].authorization,
        Some(format!("Bearer {KEY}"))
    );
}

#[tokio::test]
async fn calls_come_back_and_their_results_are_sent() {
    let server = Server::start(|_| {
        let (good, bad) = (r#"{"day":"monday"}"#, r#"{"day":"#);
        Answer::calls(&[("look_up", good.to_owned()), ("done", bad.to_owned())])
    });
    let model = open(&server.url, None);
    let tools = ["look_up", "done"];
    let mut messages = vec![Message::user("1", "Hello")];
    let reply = model.ask(&request(&tools, messages.clone())).await.unwrap();
    let calls = [
        call("call_0", "look_up", json!({ "day": "monday" })),
        call("call_1", "done", json!(r#"{"day":"#)),
    ];
    assert_eq!(reply.tool_calls, calls);

    messages.push(Message::assistant("2", reply.content, reply.tool_calls));
    messages.push(Message::tool("3", &calls[0], ToolStatus::Executed, "Free."));
    messages.push(Message::tool(
        "4",
        &calls[1],
        ToolStatus::Failed,
        "No JSON.",
    ));
    messages.push(Message::assistant("5", "", Vec::new()));
    messages.push(Message::user("6", "Go on."));
    model.ask(&request(&tools, messages)).await.unwrap();
    let sent = &server.asked()[1].body["messages"];
    assert_eq!(
        sent[3],
        json!({ "role": "tool", "tool_call_id": "call_0", "content": "Free." })
    );
    assert_eq!(sent.as_array().unwrap().len(), 6, "{sent}");
}

#[tokio::test]
async fn an_object_of_a_schema_can_be_asked_for() {
    let server = Server::start(|asked| {
        let schema = &asked.body["response_format"]["json_schema"]["schema"];
        let key = schema["required"][0].as_str().unwrap();
        Answer::message(json!({ "content": json!({ key: "x" }).to_string() }))
    });
    let mut request = hello();
    request.output = Some(Arc::new(OutputSchema {
        name: "answer".to_owned(),
        schema: json!({
            "type": "object",
            "properties": { "colour": { "type": "string" } },
            "required": ["colour"],
            "additionalProperties": false,
        }),
    }));
    let reply = open(&server.url, None).ask(&request).await.unwrap();
    assert_eq!(reply.content, r#"{"colour":"x"}"#);
}

#[tokio::test]
async fn a_request_that_breaks_the_protocol_is_told_apart_from_an_answer() {
    let server = Server::start(|_| Answer::message(json!({ "content": "Hi" })));
    let unanswered = Message::assistant("2", "", vec![call("c", "done", json!({}))]);
    let request = request(&["done"], vec![unanswered, Message::user("3", "Hello")]);
    let error = open(&server.url, None).ask(&request).await.unwrap_err();
    assert!(
        error
            .reason
            .starts_with("HTTP 400: a call without its result"),
        "{error}"
    );
}

#[tokio::test]
async fn an_error_says_what_the_provider_said_and_never_the_key() {
    for (status, words) in [
        (400, "HTTP 400: the prompt is too long"),
        (
            401,
            "access denied (HTTP 401): the prompt is too long; is `OPENAI_API_KEY` the right key?",
        ),
        (
            403,
            "access denied (HTTP 403): the prompt is too long; is `OPENAI_API_KEY` the right key?",
        ),
        (404, "HTTP 404: the prompt is too long"),
        (429, "HTTP 429: the prompt is too long"),
        (500, "HTTP 500: the prompt is too long"),
    ] {
        let server = Server::start(move |_| {
            let error = json!({ "error": { "message": "the prompt\nis too long", "type": "x" } });
            Answer::new(status, error.to_string())
        });
        assert_eq!(error(&*open(&server.url, Some(KEY))).await, words);
        assert_eq!(server.asked().len(), 1, "one question, one call");
    }
    for status in [200, 401, 500] {
        // The key stands where a message that is cut would be cut.
        for padding in [0, 170, 185, 195, 4000] {
            let server = Server::start(move |asked| {
                let words = format!(
                    "{}{}{}",
                    "x".repeat(padding),
                    asked.authorization.clone().unwrap(),
                    "y".repeat(4000)
                );
                Answer::new(status, json!({ "error": { "message": words } }).to_string())
            });
            let reason = error(&*open(&server.url, Some(KEY))).await;
            assert!(!reason.contains("canary"), "{reason}");
        }
    }
    let server = Server::start(|_| Answer::new(401, ""));
    let reason = error(&*open(&server.url, None)).await;
    assert_eq!(
        reason,
        "access denied (HTTP 401): without a message; `OPENAI_API_KEY` is not set"
    );
}

#[tokio::test]
async fn a_broken_or_endless_answer_is_a_failure() {
    let whole = || Answer::message(json!({ "content": "Hi" }));
    let server = Server::start(move |_| Answer {
        cut: Some(20),
        ..whole()
    });
    let reason = error(&*open(&server.url, None)).await;
    assert!(reason.starts_with("the answer broke off: "), "{reason}");

    let server = Server::start(|_| {
        let content = "x".repeat(9 << 20);
        Answer::message(json!({ "content": content }))
    });
    assert_eq!(
        error(&*open(&server.url, None)).await,
        "the answer is longer than 8 MiB"
    );

    let server = Server::start(|_| Answer::new(200, "event: ping"));
    let reason = error(&*open(&server.url, None)).await;
    assert!(
        reason.starts_with("the answer is no chat completion: "),
        "{reason}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(|_| Answer::message(json!({ "content": "Hi" })));
    let to = format!("Location: {}/chat/completions\r\n", other.url);
    let server = Server::start(move |_| Answer {
        headers: to.clone(),
        ..Answer::new(307, "")
    });
    let reason = error(&*open(&server.url, Some(KEY))).await;
    assert!(reason.contains("(HTTP 307)"), "{reason}");
    assert_eq!(other.asked().len(), 0);
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_its_variable() {
    let url = nobody();
    let reason = error(&*open(&format!("{url}?key=hunter2"), Some(KEY))).await;
    assert!(
        reason.starts_with(&format!("cannot connect to {url} (")),
        "{reason}"
    );
    assert!(
        reason.contains("`OPENAI_BASE_URL`") && reason.contains("refused"),
        "{reason}"
    );
    assert!(
        !reason.contains("hunter2") && !reason.contains("canary"),
        "{reason}"
    );
}

/// Plays the model of a workflow: every email wants an answer, which takes two calls in one
/// message, one of them malformed, and `done`. `spoken` stands wherever it can.
fn assistant(spoken: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        let said = spoken(asked);
        if asked.body.get("response_format").is_some() {
            let decision = json!({ "reasoning": said, "classification": "respond" });
            return Answer::message(
                json!({ "role": "assistant", "content": decision.to_string() }),
            );
        }
        let messages = asked.body["messages"].as_array().unwrap();
        if messages.iter().any(|message| message["role"] == "tool") {
            return Answer::calls(&[("done", String::new())]);
        }
        let email = json!({ "to": "a@example.com", "subject": "Re", "content": said });
        let broken = format!("{{\"to\": \"{said}");
        Answer::calls(&[("write_email", email.to_string()), ("write_email", broken)])
    })
}

fn mailproof(place: &TempDir, url: &str, key: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailproof"));
    command
        .current_dir(place.path())
        .args(arguments)
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("OPENAI_BASE_URL", url)
        .envs(key.map(|key| ("OPENAI_API_KEY", key)));
    command.output().unwrap()
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

const RUN: [&str; 9] = [
    "run", "response", "-a", "workflow", "-m", "openai:m", "--limit", "3", "-e",
];

#[test]
fn an_experiment_runs_on_a_live_model() {
    let server = assistant(|_| "Gladly.".to_owned());
    let place = tempfile::tempdir().unwrap();
    let arguments = [&RUN[..], &["live"]].concat();
    let output = mailproof(&place, &server.url, None, &arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");

    // The router, the agent's calls, and `done`: three calls an email.
    let asked = server.asked();
    assert_eq!(asked.len(), 9);
    let journal = fs::read_to_string(place.path().join("reports/live/journal.jsonl")).unwrap();
    let attempts: Vec<Value> = journal
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line)
                .ok()?
                .get("attempt")
                .cloned()
        })
        .collect();
    assert_eq!(attempts.len(), 3);
    for attempt in &attempts {
        let run = &attempt["runs"][0];
        assert_eq!(run["outcome"], "finished", "{attempt:#}");
        assert_eq!(run["triage"], "respond");
        let agent = json!({
            "calls": 2, "input_tokens": 22, "output_tokens": 14, "cached_input_tokens": 0,
            "cost_usd": null,
        });
        assert_eq!(run["usage"]["agent"], agent);
    }
    let results: Vec<&str> = asked
        .iter()
        .flat_map(|asked| asked.body["messages"].as_array().unwrap())
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(results.len(), 6, "{results:?}");
    assert!(
        results
            .iter()
            .any(|result| result.contains("a@example.com")),
        "{results:?}"
    );
}

#[test]
fn a_key_is_in_no_file_and_no_output_whatever_a_provider_sends_back() {
    let place = tempfile::tempdir().unwrap();
    let bearer = |asked: &Asked| asked.authorization.clone().unwrap_or_default();
    let echo = assistant(bearer);
    let refuse = Server::start(move |asked| {
        let words = format!(
            "Incorrect API key provided: {}",
            &bearer(asked)["Bearer ".len()..]
        );
        Answer::new(401, json!({ "error": { "message": words } }).to_string())
    });
    let mut outputs = Vec::new();
    for (server, name) in [(&echo, "echo"), (&refuse, "refuse")] {
        let arguments = [&RUN[..], &[name, "-v"]].concat();
        outputs.push(mailproof(&place, &server.url, Some(KEY), &arguments));
        outputs.push(mailproof(&place, &server.url, Some(KEY), &["report", name]));
        outputs.push(mailproof(
            &place,
            &server.url,
            Some(KEY),
            &["report", name, "--json"],
        ));
        let bearer = Some(format!("Bearer {KEY}"));
        assert!(
            server
                .asked()
                .iter()
                .all(|asked| asked.authorization == bearer)
        );
        assert!(server.asked().len() >= 3);
    }
    let models = ["doctor", "-m", "openai:m"];
    outputs.push(mailproof(&place, &echo.url, Some(KEY), &models));

    let mut texts = Vec::new();
    files(place.path(), &mut texts);
    for output in outputs {
        for text in [output.stdout, output.stderr] {
            texts.push((
                "output".to_owned(),
                String::from_utf8_lossy(&text).into_owned(),
            ));
        }
    }
    for (place, text) in &texts {
        assert!(!text.contains("canary"), "{place}: {text}");
    }
    for name in ["echo", "refuse"] {
        let journal = format!("reports/{name}/journal.jsonl");
        let (_, text) = texts
            .iter()
            .find(|(path, _)| path.ends_with(&journal))
            .unwrap();
        assert!(text.contains("[redacted]"), "{text}");
    }
}

#[test]
fn doctor_tells_provider_endpoint_model_and_key() {
    let server = Server::start(|_| Answer::new(500, ""));
    let place = tempfile::tempdir().unwrap();
    let nobody = nobody();
    for (url, key, code, told) in [
        (
            &server.url,
            None,
            0,
            "no key (OPENAI_API_KEY is not set); reachable",
        ),
        (
            &server.url,
            Some(KEY),
            0,
            "key in OPENAI_API_KEY; reachable",
        ),
        (
            &nobody,
            None,
            2,
            "no key (OPENAI_API_KEY is not set); cannot be reached: Connection refused",
        ),
    ] {
        let output = mailproof(&place, url, key, &["doctor", "-m", "openai:m"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        let mark = if code == 0 { "pass" } else { "FAIL" };
        let line =
            format!("{mark}  model openai:m: provider openai, endpoint {url}, model m, {told}");
        assert!(text.contains(&line), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(server.asked().len(), 0, "nothing that could cost is asked");
}
