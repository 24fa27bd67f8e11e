//! Asks a server on loopback that answers as it is told.

mod answers;
mod listing;
mod routes;
mod server;
mod writes;

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use self::server::{Reply, Server, says};
use super::retry::Backoff;
use super::{Client, Error, Settings};
use crate::langsmith::wire::{
    DataType, ExampleWrite, Extra, Feedback, FeedbackSource, NewDataset, NewSession, Object, Run,
    RunHead, RunType, Session, SourceKind,
};
use crate::redact::Redactor;

const KEY: &str = "canary-0123456789-key";

fn settings(url: &str, more: &[(&str, &str)]) -> Settings {
    Settings::read(|name| {
        let own = [("LANGSMITH_ENDPOINT", url), ("LANGSMITH_API_KEY", KEY)];
        let mut all = more.iter().chain(&own);
        all.find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

/// As it is outside of tests, but for how long it waits.
fn client_with(url: &str, more: &[(&str, &str)]) -> Client {
    let backoff = Backoff {
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };
    let redactor = Redactor::new([KEY.to_owned()]);
    Client::with_backoff(settings(url, more), redactor, backoff).unwrap()
}

fn client(server: &Server) -> Client {
    client_with(&server.origin, &[])
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// All that a server can do.
fn info() -> Reply {
    says(
        200,
        json!({
            "version": "0.18.0",
            "batch_ingest_config": { "use_multipart_endpoint": true, "size_limit": 50 },
            "instance_flags": {
                "zstd_compression_enabled": true, "dataset_examples_multipart_enabled": true,
                "sdb_query_enabled": true,
            },
        }),
    )
}

fn run(number: u128) -> Run {
    let time = "2026-11-22T09:00:00.000001Z".parse().unwrap();
    Run {
        head: RunHead {
            id: id(number),
            trace_id: id(number),
            parent_run_id: None,
            dotted_order: format!("20261122T090000000001Z{}", id(number)),
            name: "workflow".to_owned(),
            run_type: RunType::Chain,
            start_time: time,
            end_time: time,
            session_id: id(9),
            session_name: "s".to_owned(),
            reference_example_id: Some(id(8)),
            tags: Vec::new(),
        },
        inputs: object(json!({ "email": "a\0b\r\nc" })),
        outputs: object(json!({ "note": format!("the key is {KEY}") })),
        error: Some("it \"failed\"".to_owned()),
        extra: Extra::default(),
    }
}

fn feedback(number: u128) -> Feedback {
    Feedback {
        id: id(number),
        key: "triage.accuracy".to_owned(),
        score: Some(1.0),
        comment: None,
        error: false,
        run_id: id(1),
        trace_id: id(1),
        session_id: id(9),
        start_time: "2026-11-22T09:00:00Z".parse().unwrap(),
        feedback_source: FeedbackSource {
            kind: SourceKind::Api,
            metadata: None,
        },
    }
}

fn example(number: u128, body: &str) -> ExampleWrite {
    ExampleWrite {
        id: id(number),
        inputs: object(json!({ "email": body })),
        outputs: object(json!({ "triage": "respond" })),
        metadata: object(json!({ "case": "c" })),
        split: vec!["test".to_owned()],
    }
}

fn example_read(number: u128, body: &str) -> Value {
    json!({
        "id": id(number), "inputs": { "email": body }, "outputs": { "triage": "respond" },
        "metadata": { "dataset_split": ["test"], "case": "c" },
    })
}

fn dataset_read(name: &str) -> Value {
    json!({ "id": id(7), "name": name, "tenant_id": id(6), "more": null })
}

fn new_dataset() -> NewDataset {
    NewDataset {
        name: "mail".to_owned(),
        description: "of mail".to_owned(),
        data_type: DataType::Kv,
        extra: Extra::default(),
    }
}

fn new_session() -> NewSession {
    NewSession {
        id: id(9),
        name: "s".to_owned(),
        reference_dataset_id: id(7),
        description: String::new(),
        start_time: "2026-11-22T09:00:00Z".parse().unwrap(),
        extra: Extra::default(),
        num_examples: 5,
        num_repetitions: 1,
        evaluator_keys: Vec::new(),
    }
}

fn session() -> Session {
    serde_json::from_value(session_read()).unwrap()
}

fn session_read() -> Value {
    json!({ "id": id(9), "name": "s", "start_time": "2026-11-22T09:00:00Z" })
}

/// Names and bodies of a form's parts, read by a reader of its own.
fn parts(form: &str) -> Vec<(String, Value)> {
    let boundary = form.split_once("\r\n").unwrap().0.to_owned();
    let end = format!("\r\n{boundary}--\r\n");
    let mut rest = &form[boundary.len()..];
    let mut parts = Vec::new();
    while rest != &end[2 + boundary.len()..] {
        let (head, after) = rest.split_once("\r\n\r\n").unwrap();
        let mut name = None;
        let mut length = None;
        for line in head.lines() {
            if let Some((_, quoted)) = line.split_once("name=\"") {
                name = quoted.strip_suffix('"').map(str::to_owned);
            }
            if let Some(count) = line.strip_prefix("Content-Length: ") {
                length = count.parse::<usize>().ok();
            }
        }
        assert!(
            head.contains("\r\nContent-Type: application/json"),
            "{head}"
        );
        let (body, after) = after.split_at(length.unwrap());
        parts.push((name.unwrap(), serde_json::from_str(body).unwrap()));
        rest = after.strip_prefix("\r\n").unwrap();
        rest = rest.strip_prefix(&boundary).unwrap();
    }
    parts
}

fn reason(error: &Error) -> String {
    error.to_string()
}
