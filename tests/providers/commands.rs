//! Whole commands with a live model.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::failures::documented;
use super::family::{KEY, Said};
use super::openai::{FAMILY, say};
use super::server::{Answer, Asked, Server, nobody};

/// Plays the model of a workflow: every email wants an answer, which takes two calls in one
/// message, one of them malformed, and `done`. `spoken` stands wherever it can.
fn assistant(spoken: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Server {
    FAMILY.serve(move |asked| {
        let said = spoken(asked);
        let messages = asked.body["messages"].as_array().unwrap();
        let said = if asked.body.get("response_format").is_some() {
            let decision = json!({ "reasoning": said, "classification": "respond" });
            Said {
                output: Some(("triage", decision)),
                ..Said::default()
            }
        } else if messages.iter().any(|message| message["role"] == "tool") {
            Said {
                calls: vec![("done", json!(""))],
                ..Said::default()
            }
        } else {
            let email = json!({ "to": "a@example.com", "subject": "Re", "content": said });
            let broken = json!(format!("{{\"to\": \"{said}"));
            Said {
                calls: vec![("write_email", email), ("write_email", broken)],
                ..Said::default()
            }
        };
        Answer::json(200, &say(&said))
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
        .env("OPENAI_BASE_URL", format!("{url}/v1"))
        .envs(key.map(|key| ("OPENAI_API_KEY", key)));
    command.output().unwrap()
}

const RUN: [&str; 11] = [
    "run", "response", "-a", "workflow", "-m", "openai:m", "--limit", "3", "--judge", "none", "-e",
];

#[test]
fn an_experiment_runs_on_a_live_model() {
    let server = assistant(|_| "Gladly.".to_owned());
    let place = tempfile::tempdir().unwrap();
    let arguments = [&RUN[..], &["live"]].concat();
    let output = mailproof(&place, &server.origin, None, &arguments);
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
            "calls": 2, "input_tokens": 22, "output_tokens": 14, "cached_input_tokens": 6,
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
fn doctor_tells_provider_endpoint_model_and_key() {
    let server = Server::start(|_| Answer::new(500, ""));
    let place = tempfile::tempdir().unwrap();
    let nobody = nobody();
    for (url, key, code, told) in [
        (
            &server.origin,
            None,
            0,
            "no key (OPENAI_API_KEY is not set); reachable",
        ),
        (
            &server.origin,
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
            format!("{mark}  model openai:m: provider openai, endpoint {url}/v1, model m, {told}");
        assert!(text.contains(&line), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(server.asked().len(), 0, "nothing that could cost is asked");
}

/// What the table in `docs/providers.md` says about the run, seen from outside.
#[test]
fn a_failed_call_ends_the_attempt_or_the_run_as_it_is_documented() {
    for status in [400, 401, 402, 404, 503] {
        let rows = documented();
        let row = rows
            .iter()
            .find(|row| row.status() == Some(status))
            .unwrap();
        let ended = row.outcome.strip_prefix("the run ends (exit ");
        let server = Server::start(move |_| Answer::new(status, ""));
        let place = tempfile::tempdir().unwrap();
        let arguments = [&RUN[..], &["failing", "--max-retries", "0", "-j", "1"]].concat();
        let output = mailproof(&place, &server.origin, None, &arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        let journal = place.path().join("reports/failing/journal.jsonl");
        let journal = fs::read_to_string(journal).unwrap();
        let failed = journal.matches(r#""outcome":"provider""#).count();
        match ended {
            Some(code) => {
                let code = code.trim_end_matches(')').parse().unwrap();
                assert_eq!(output.status.code(), Some(code), "{status}: {told}");
                assert_eq!(failed, 0, "{status}: {journal}");
                assert_eq!(server.asked().len(), 1, "{status}");
            }
            None => {
                assert!(row.outcome.contains("ends as `provider`"));
                assert!(failed >= 1, "{status}: {journal}");
            }
        }
    }
}
