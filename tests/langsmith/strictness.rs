//! The service refuses what the true one would, so that a client that passes is right.

use serde_json::{Value, json};
use uuid::Uuid;

use jiff::Timestamp;
use mailproof::langsmith::ids;

use super::request::{Answer, Request};
use super::service::{Service, Settings};

const KEY: &str = "lsv2_pt_strict";
const SESSION: Uuid = Uuid::from_u128(5);

fn ask(service: &mut Service, method: &str, target: &str, body: Value) -> Answer {
    let headers = [("x-api-key", KEY), ("content-type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    service.answer(Request::new(
        method,
        target,
        headers.to_vec(),
        body.to_string().into(),
    ))
}

/// Sends parts, each named, with JSON.
fn send(service: &mut Service, method: &str, target: &str, parts: &[(String, Value)]) -> Answer {
    let parts = parts
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_string()));
    let parts = parts.map(|(name, text)| {
        let length = text.len();
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}\r\n"
        )
    });
    raw(
        service,
        method,
        target,
        &format!("{}--b--\r\n", parts.collect::<String>()),
    )
}

fn raw(service: &mut Service, method: &str, target: &str, body: &str) -> Answer {
    let headers = [
        ("x-api-key", KEY),
        ("content-type", "multipart/form-data; boundary=b"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    service.answer(Request::new(method, target, headers.to_vec(), body.into()))
}

/// A service with a dataset, one example, and an experiment on it.
fn service() -> (Service, Uuid) {
    let mut service = Service::new(Settings::new(KEY));
    let dataset = ask(
        &mut service,
        "POST",
        "/datasets",
        json!({ "name": "mails" }),
    );
    assert_eq!(dataset.status, 200, "{dataset:?}");
    let dataset: Uuid = serde_json::from_value(dataset.body["id"].clone()).unwrap();
    let example = Uuid::from_u128(7);
    let path = format!("/v1/platform/datasets/{dataset}/examples");
    let parts = [
        (
            format!("{example}"),
            json!({ "metadata": {}, "split": ["dev"] }),
        ),
        (format!("{example}.inputs"), json!({ "body": "Hello" })),
    ];
    assert_eq!(send(&mut service, "POST", &path, &parts).status, 201);
    let session = json!({
        "id": SESSION, "name": "e-1", "reference_dataset_id": dataset,
        "start_time": Timestamp::now(),
    });
    assert_eq!(ask(&mut service, "POST", "/sessions", session).status, 200);
    (service, dataset)
}

fn run(started: Timestamp) -> Value {
    let id = ids::at(started, SESSION, &["a"]);
    json!({
        "id": id, "trace_id": id, "dotted_order": ids::dotted_order(None, started, id),
        "name": "attempt", "run_type": "chain", "start_time": started, "end_time": started,
        "session_id": SESSION, "reference_example_id": Uuid::from_u128(7),
    })
}

fn post(service: &mut Service, runs: &[Value]) -> Answer {
    let parts = runs
        .iter()
        .map(|run| (format!("post.{}", run["id"].as_str().unwrap()), run));
    let parts: Vec<(String, Value)> = parts.map(|(name, run)| (name, run.clone())).collect();
    send(service, "POST", "/runs/multipart", &parts)
}

#[test]
fn a_run_is_taken_once_and_only_whole() {
    let (mut service, _) = service();
    let now = Timestamp::now().round(jiff::Unit::Microsecond).unwrap();
    let root = run(now);
    let with = |field: &str, value: Value| {
        let mut run = run(now);
        run[field] = value;
        run
    };
    let later = now + jiff::SignedDuration::from_millis(1);
    let days_ago = now - jiff::SignedDuration::from_hours(48);
    let other = ids::at(now, SESSION, &["b"]);
    let deep = format!("{0}.{0}", root["dotted_order"].as_str().unwrap());
    for (case, bad) in [
        ("type", with("run_type", json!("agent"))),
        ("field", with("colour", json!("red"))),
        ("no name", with("name", json!(""))),
        ("inputs are a part of their own", with("inputs", json!({}))),
        ("another's trace", with("trace_id", json!(other))),
        ("two parts of a root", with("dotted_order", json!(deep))),
        ("one part of a child", with("parent_run_id", json!(other))),
        (
            "a time that is not the order's",
            with("start_time", json!(later)),
        ),
        (
            "an end before the beginning",
            with("end_time", json!(days_ago)),
        ),
        ("no such session", with("session_id", json!(other))),
        ("another session's name", with("session_name", json!("e-2"))),
        (
            "no such example",
            with("reference_example_id", json!(other)),
        ),
        ("no example", with("reference_example_id", Value::Null)),
        ("long ago", run(days_ago)),
        ("U+0000", with("name", json!("a\0b"))),
    ] {
        let good = {
            let mut good = run(now);
            good["id"] = json!(other);
            good["trace_id"] = json!(other);
            good["dotted_order"] = json!(ids::dotted_order(None, now, other));
            good
        };
        let runs = if bad["id"] == good["id"] {
            vec![bad]
        } else {
            vec![good, bad]
        };
        let answer = post(&mut service, &runs);
        assert!([400, 422].contains(&answer.status), "{case}: {answer:?}");
        assert_eq!(service.state()["runs"], json!({}), "{case}");
    }
    assert_eq!(post(&mut service, std::slice::from_ref(&root)).status, 202);
    assert_eq!(post(&mut service, std::slice::from_ref(&root)).status, 409);
    assert_eq!(service.state()["runs"].as_object().unwrap().len(), 1);
}

#[test]
fn parts_say_how_long_they_are() {
    let (mut service, _) = service();
    let run = run(Timestamp::now().round(jiff::Unit::Microsecond).unwrap());
    let (id, text) = (run["id"].as_str().unwrap(), run.to_string());
    let head = format!("--b\r\nContent-Disposition: form-data; name=\"post.{id}\"\r\n");
    let json = "Content-Type: application/json";
    let length = text.len();
    for (case, body, status) in [
        (
            "no length",
            format!("{head}{json}\r\n\r\n{text}\r\n--b--\r\n"),
            422,
        ),
        (
            "short",
            format!("{head}{json}; length=3\r\n\r\n{text}\r\n--b--\r\n"),
            422,
        ),
        (
            "no type",
            format!("{head}Content-Length: {length}\r\n\r\n{text}\r\n--b--\r\n"),
            422,
        ),
        (
            "no end",
            format!("{head}{json}; length={length}\r\n\r\n{text}\r\n"),
            422,
        ),
        (
            "whole",
            format!("{head}{json}; length={length}\r\n\r\n{text}\r\n--b--\r\n"),
            202,
        ),
    ] {
        let answer = raw(&mut service, "POST", "/runs/multipart", &body);
        assert_eq!(answer.status, status, "{case}: {answer:?}");
    }
}

#[test]
fn feedback_is_of_a_run_that_is_there() {
    let (mut service, _) = service();
    let root = run(Timestamp::now().round(jiff::Unit::Microsecond).unwrap());
    let score = |field: &str, value: Value| {
        let mut score = json!({
            "id": Uuid::from_u128(9), "key": "triage.accuracy", "score": 0.3333,
            "run_id": root["id"], "trace_id": root["id"], "session_id": SESSION,
            "start_time": root["start_time"], "feedback_source": { "type": "api" },
        });
        score[field] = value;
        score
    };
    let good = score("comment", json!("close"));
    let name = format!("feedback.{}", Uuid::from_u128(9));
    let part = |service: &mut Service, score: Value| {
        send(service, "POST", "/runs/multipart", &[(name.clone(), score)]).status
    };
    assert_eq!(part(&mut service, good.clone()), 404, "no run yet");
    assert_eq!(
        ask(&mut service, "POST", "/feedback", good.clone()).status,
        404
    );
    assert_eq!(post(&mut service, std::slice::from_ref(&root)).status, 202);
    for (case, bad) in [
        ("five decimals", score("score", json!(0.33333))),
        ("a long key", score("key", json!("k".repeat(181)))),
        ("no session", score("session_id", Value::Null)),
        ("no trace", score("trace_id", Value::Null)),
        ("another trace", score("trace_id", json!(SESSION))),
        (
            "another time",
            score("start_time", json!("2020-01-01T00:00:00Z")),
        ),
        (
            "a source",
            score("feedback_source", json!({ "type": "rumour" })),
        ),
        ("a field", score("colour", json!("red"))),
    ] {
        assert_eq!(part(&mut service, bad), 422, "{case}");
    }
    assert_eq!(part(&mut service, good), 202);
    let found = ask(
        &mut service,
        "GET",
        &format!("/feedback?session={SESSION}"),
        json!(""),
    );
    assert_eq!(found.body.as_array().unwrap().len(), 1);
    let target = format!("/sessions/{SESSION}?include_stats=true");
    let session = ask(&mut service, "GET", &target, json!("")).body;
    assert_eq!(session["run_count"], 1);
    assert_eq!(
        session["feedback_stats"]["triage.accuracy"],
        json!({ "n": 1, "avg": 0.3333 })
    );
}

#[test]
fn examples_have_versions() {
    let (mut service, dataset) = service();
    let path = format!("/v1/platform/datasets/{dataset}/examples");
    let list = format!("/examples?dataset={dataset}");
    let first = ask(&mut service, "GET", &list, json!("")).body;
    let version = first[0]["modified_at"].as_str().unwrap().to_owned();
    assert_eq!(first[0]["metadata"]["dataset_split"], json!(["dev"]));

    let example = Uuid::from_u128(7);
    let changed = [
        (format!("{example}"), json!({})),
        (format!("{example}.inputs"), json!({ "body": "Goodbye" })),
    ];
    assert_eq!(send(&mut service, "POST", &path, &changed).status, 409);
    assert_eq!(send(&mut service, "PATCH", &path, &changed).status, 201);
    let delete = format!("/examples?example_ids={example}");
    let body = |service: &mut Service, target: &str| ask(service, "GET", target, json!("")).body;
    assert_eq!(body(&mut service, &list)[0]["inputs"]["body"], "Goodbye");
    assert_eq!(
        body(&mut service, &list)[0]["metadata"]["dataset_split"],
        json!(["dev"])
    );
    assert_eq!(ask(&mut service, "DELETE", &delete, json!("")).status, 200);
    assert_eq!(body(&mut service, &list), json!([]));
    assert_eq!(send(&mut service, "PATCH", &path, &changed).status, 404);
    let then = format!("{list}&as_of={version}");
    assert_eq!(body(&mut service, &then)[0]["inputs"]["body"], "Hello");
}

#[test]
fn names_keys_and_workspaces_are_looked_at() {
    let (mut service, dataset) = service();
    assert_eq!(
        ask(
            &mut service,
            "POST",
            "/datasets",
            json!({ "name": "mails" })
        )
        .status,
        409
    );
    let session = |id: u128, name: &str| {
        json!({
            "id": Uuid::from_u128(id), "name": name, "reference_dataset_id": dataset,
            "start_time": Timestamp::now(),
        })
    };
    for (case, body, status) in [
        ("another's name", session(6, "e-1"), 409),
        ("an id again", session(5, "e-2"), 409),
        ("both new", session(6, "e-2"), 200),
    ] {
        assert_eq!(
            ask(&mut service, "POST", "/sessions", body).status,
            status,
            "{case}"
        );
    }
    assert_eq!(
        ask(&mut service, "GET", "/datasets?nmae=mails", json!("")).status,
        422
    );

    service.settings.workspace = Some(Uuid::from_u128(1));
    let answer = ask(&mut service, "GET", "/datasets", json!(""));
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (403, &json!("org_scoped_key_requires_workspace"))
    );
    service.settings.key = "lsv2_pt_other".to_owned();
    assert_eq!(ask(&mut service, "GET", "/datasets", json!("")).status, 401);
    assert_eq!(ask(&mut service, "GET", "/info", json!("")).status, 200);
}
