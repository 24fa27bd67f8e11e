//! What was pushed comes back as it was, with what others added; and what people said of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::bench::{Bench, KEY, contains, files, server};
use super::server::Server;

/// Does something that is not ours to do.
fn post(server: &Server, path: &str, body: &Value) -> Value {
    ask(server, "POST", path, body)
}

fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let address = server.origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {KEY}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    // As much as is sent: the service may keep the connection.
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .unwrap();
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes).unwrap();
        answer.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.is_empty() || head.starts_with("HTTP/1.1 200"),
            "{text}"
        );
        if let Ok(value) = serde_json::from_str(body) {
            return value;
        }
        assert!(read > 0, "{text}");
    }
}

/// The only thing of a kind.
fn only(state: &Value, kind: &str) -> Value {
    let things = state[kind].as_object().unwrap();
    assert_eq!(things.len(), 1, "{kind}");
    things.values().next().unwrap().clone()
}

fn hash(bench: &Bench, file: &str) -> Value {
    let told = bench
        .mailproof(None, &["validate", "--json", file])
        .exits(0);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    told["hash"].clone()
}

fn pull(bench: &Bench, server: &Server, arguments: &[&str]) -> super::bench::Done {
    bench.mailproof(Some(server), &[&["pull", "langsmith"], arguments].concat())
}

#[test]
fn a_dataset_that_was_pushed_is_pulled_as_it_was() {
    let bench = Bench::with(&["-a", "workflow", "triage"]);
    let server = server();
    bench.push(&server).exits(0);
    let writes = server.writes();
    for file in ["back.yaml", "back.jsonl"] {
        let told = pull(&bench, &server, &["mails", "-o", file]).exits(0);
        assert!(told.stdout.contains("5 of 5 examples"), "{}", told.stdout);
        assert_eq!(hash(&bench, file), hash(&bench, "mails.yaml"), "{file}");
    }
    assert_eq!(server.writes(), writes);

    let before = std::fs::read(bench.path().join("back.yaml")).unwrap();
    let told = pull(
        &bench,
        &server,
        &["mails", "-o", "back.yaml", "--split", "dev"],
    )
    .exits(2);
    assert!(told.stderr.contains("--force"), "{}", told.stderr);
    assert_eq!(
        std::fs::read(bench.path().join("back.yaml")).unwrap(),
        before
    );
    let forced = ["mails", "-o", "back.yaml", "--split", "dev", "--force"];
    pull(&bench, &server, &forced).exits(0);
    let back = std::fs::read_to_string(bench.path().join("back.yaml")).unwrap();
    assert!(
        back.contains("newsletter") && !back.contains("invoice"),
        "{back}"
    );

    for (arguments, code, says) in [
        (&["nobodys", "-o", "x.yaml"][..], 2, "no dataset `nobodys`"),
        (&["mails", "-o", "x.json"], 2, "must end in `.yaml`"),
        (
            &["mails", "-o", "x.yaml", "--split", "odd"],
            4,
            "split `odd`",
        ),
        (
            &["mails", "-o", "x.yaml", "--as-of", "2001-01-01T00:00:00Z"],
            4,
            "has no examples",
        ),
        (&["-o", "x.yaml"], 2, "DATASET"),
    ] {
        let told = pull(&bench, &server, arguments).exits(code);
        assert!(told.stderr.contains(says), "{says}: {}", told.stderr);
        assert!(!bench.path().join("x.yaml").exists());
    }
    for (name, bytes) in files(bench.path()) {
        assert!(!contains(&bytes, KEY), "{name}");
    }
}

#[test]
fn what_others_added_is_mapped_and_what_it_was_before_can_be_had_again() {
    let bench = Bench::with(&["-a", "workflow", "triage"]);
    let server = server();
    bench.push(&server).exits(0);
    let state = server.state();
    let dataset = only(&state, "datasets")["id"].clone();
    let examples = state["examples"].as_object().unwrap().values();
    let newest = examples.filter_map(|it| it["modified_at"].as_str());
    let then = newest.max().map(str::to_owned);
    let email =
        json!({"author": "a@x.example", "to": "b@y.example", "subject": "S", "email_thread": "B"});
    let example = |number: u32, label: &str| {
        json!({
            "dataset_id": dataset, "id": format!("00000000-0000-4000-8000-00000000000{number}"),
            "inputs": {"email_input": email}, "outputs": {"classification": label, "mood": "good"},
        })
    };
    let added = json!([example(1, "ignore"), example(2, "perhaps")]);
    post(&server, "/examples/bulk", &added);
    let told = pull(&bench, &server, &["mails", "-o", "back.yaml", "--json"]).exits(2);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(report["examples"], 7);
    assert_eq!((&report["mapped"], &report["ours"]), (&json!(6), &json!(5)));
    assert_eq!(report["left_out_keys"], json!({"outputs.mood": 1}));
    let unmapped = &report["unmapped"][0];
    assert_eq!(unmapped["id"], "00000000-0000-4000-8000-000000000002");
    assert!(unmapped["reasons"][0].as_str().unwrap().contains("perhaps"));
    let told = bench.mailproof(None, &["validate", "back.yaml"]).exits(0);
    assert!(told.stdout.contains('4'), "{}", told.stdout);
    if let Some(then) = then {
        let arguments = ["mails", "-o", "then.yaml", "--as-of", &then];
        pull(&bench, &server, &arguments).exits(0);
        assert_eq!(hash(&bench, "then.yaml"), hash(&bench, "mails.yaml"));
    }
}

#[test]
fn what_people_said_of_a_run_is_a_label_for_its_statement() {
    let bench = Bench::with(&["-a", "workflow"]);
    let server = server();
    bench.push(&server).exits(0);
    let nothing = ["--feedback", "e", "-o", "labels.jsonl"];
    let told = pull(&bench, &server, &nothing).exits(4);
    assert!(told.stdout.contains("nobody labelled"), "{}", told.stdout);
    assert!(!bench.path().join("labels.jsonl").exists());

    let state = server.state();
    let runs = state["runs"].as_object().unwrap().values();
    let root = runs.clone().find(|run| {
        let example = &run["extra"]["metadata"]["case"];
        run["parent_run_id"].is_null() && example == "invoice-question"
    });
    let root = root.unwrap();
    let child = runs.clone().find(|run| run["parent_run_id"] == root["id"]);
    let say = |number: u32, key: &str, run: &Value, score: Value| {
        let feedback = json!({
            "id": format!("00000000-0000-4000-8000-00000000010{number}"), "key": key,
            "run_id": run["id"], "session_id": run["session_id"], "score": score,
            "comment": "it names 1042", "feedback_source": {"type": "app", "metadata": {}},
        });
        post(&server, "/feedback", &feedback);
    };
    say(1, "response.criteria.1", root, json!(1));
    say(2, "response.criteria.2", root, json!(0));
    say(3, "response.criteria.9", root, json!(0));
    say(4, "user_score", root, json!(1));
    say(5, "response.criteria.1", child.unwrap(), json!(1));
    say(6, "response.criteria.1", root, json!(0.5));
    let told = pull(&bench, &server, &[&nothing[..], &["--json"]].concat()).exits(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(report["labels"], 2, "{report:#}");
    let mut reasons: Vec<(&str, &str)> = report["unmapped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["key"].as_str().unwrap(), it["reason"].as_str().unwrap()))
        .collect();
    reasons.sort_unstable();
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(key, reason)| format!("{key}: {}", &reason[..20]))
        .collect();
    assert_eq!(
        reasons,
        [
            "response.criteria.1: it says neither yes ",
            "response.criteria.1: no attempt in the jo",
            "response.criteria.9: no judge is asked ab",
            "user_score: the key names no sta",
        ]
    );
    let text = std::fs::read_to_string(bench.path().join("labels.jsonl")).unwrap();
    let mut items: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    items.sort_by_key(|item| item["criterion"].to_string());
    let told: Vec<_> = items
        .iter()
        .map(|item| {
            [
                &item["criterion"],
                &item["label"],
                &item["reason"],
                &item["labelled_by"],
            ]
        })
        .collect();
    let (reason, who) = (json!("it names 1042"), json!("somebody in LangSmith"));
    assert_eq!(
        told,
        [
            [&json!("Greets the sender"), &json!("fail"), &reason, &who],
            [
                &json!("Names the invoice number"),
                &json!("pass"),
                &reason,
                &who
            ],
        ]
    );
    assert_eq!(items[0]["email"]["subject"], "Invoice 1042");
    // Under another name nothing was pushed.
    let other = ["--feedback", "e", "--as", "other", "-o", "none.jsonl"];
    let told = pull(&bench, &server, &other).exits(2);
    assert!(told.stderr.contains("`e` is not there"), "{}", told.stderr);

    // With a push they go back as theirs.
    let again = [
        "push",
        "langsmith",
        "e",
        "--as",
        "again",
        "--labels",
        "labels.jsonl",
    ];
    bench.mailproof(Some(&server), &again).exits(0);
    let state = server.state();
    let feedback = state["feedback"].as_object().unwrap().values();
    let mut theirs: Vec<_> = feedback
        .filter(|it| it["feedback_source"]["metadata"]["labelled_by"] == who)
        .map(|it| [&it["key"], &it["score"], &it["feedback_source"]["type"]])
        .collect();
    theirs.sort_by_key(|it| it[0].to_string());
    let (first, second) = (json!("response.criteria.1"), json!("response.criteria.2"));
    let (yes, no, app) = (json!(1.0), json!(0.0), json!("app"));
    assert_eq!(theirs, [[&first, &yes, &app], [&second, &no, &app]]);
}

const AGAINST: [&str; 2] = ["--against", "e/workflow@rules"];

/// Two variants that were pushed, and of whose mails a judge preferred some.
fn preferring() -> (Bench, Server) {
    let bench = Bench::with(&["-a", "workflow", "-a", "baseline", "response"]);
    let server = server();
    bench.push(&server).exits(0);
    let rescore = [&["rescore", "e", "--judge-model", "rules"], &AGAINST[..]].concat();
    bench.mailproof(None, &rescore).exits(0);
    (bench, server)
}

#[test]
fn scores_that_were_pushed_with_a_person_s_key_are_not_their_word() {
    let (bench, server) = preferring();
    let push = [&["push", "langsmith", "e"], &AGAINST[..]].concat();
    bench.mailproof(Some(&server), &push).exits(0);
    server.configure(|settings| settings.user = Some("Sam Lee"));
    let feedback = ["--feedback", "e", "-o", "labels.jsonl", "--json"];
    let told = pull(&bench, &server, &feedback).exits(4);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        (&report["labels"], &report["unmapped"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(report["unmapped_total"], 0);
}

#[test]
fn an_experiment_that_forgot_how_it_was_made_is_not_read() {
    let (bench, server) = preferring();
    let sessions = server.state()["sessions"].clone();
    for (id, session) in sessions.as_object().unwrap() {
        let mut extra = session["extra"].clone();
        let metadata = extra["metadata"].as_object_mut().unwrap();
        metadata.remove("mailproof_time_shift_ms");
        let path = format!("/sessions/{id}");
        ask(&server, "PATCH", &path, &json!({ "extra": extra }));
    }
    let writes = server.writes();
    let push = [&["push", "langsmith", "e"], &AGAINST[..]].concat();
    for command in [
        &["pull", "langsmith", "--feedback", "e", "-o", "labels.jsonl"][..],
        &push[..],
    ] {
        let told = bench.mailproof(Some(&server), command).exits(2);
        let says = "has no `mailproof_time_shift_ms` in its metadata";
        assert!(told.stderr.contains(says), "{}", told.stderr);
    }
    assert_eq!(server.writes(), writes);
}

#[test]
fn what_a_judge_prefers_is_pushed_once() {
    let bench = Bench::with(&["-a", "workflow", "-a", "baseline", "response"]);
    let compared = bench.mailproof(
        None,
        &[&["rescore", "e", "--judge-model", "rules"], &AGAINST[..]].concat(),
    );
    compared.exits(0);
    let server = server();
    let push = [&["push", "langsmith", "e", "--json"], &AGAINST[..]].concat();
    let told = bench.mailproof(Some(&server), &push).exits(2);
    assert!(told.stderr.contains("push `e` first"), "{}", told.stderr);
    bench.push(&server).exits(0);
    let before = server.state();
    let told = bench.mailproof(Some(&server), &push).exits(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    let one = &report["comparisons"][0];
    assert_eq!(one["variants"], json!(["baseline@rules", "workflow@rules"]));
    let state = server.state();
    let comparative = only(&state, "comparative");
    assert!(one["link"].as_str().unwrap().ends_with(&format!(
        "&comparativeExperiment={}",
        comparative["id"].as_str().unwrap()
    )));
    let of = |state: &Value| {
        let feedback = state["feedback"].as_object().unwrap().values();
        let of = feedback.filter(|it| it["comparative_experiment_id"] == comparative["id"]);
        of.cloned().collect::<Vec<Value>>()
    };
    let sent = of(&state);
    assert_eq!(sent.len() as u64, 2 * one["sent"].as_u64().unwrap());
    assert!(!sent.is_empty(), "{report:#}");
    let total: f64 = sent.iter().map(|it| it["score"].as_f64().unwrap()).sum();
    assert_eq!(total, sent.len() as f64 / 2.0, "each pair shares one point");
    assert_eq!(before["runs"], state["runs"]);

    let writes = server.writes();
    let told = bench.mailproof(Some(&server), &push).exits(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(report["comparisons"][0]["already_there"], one["sent"]);
    assert_eq!(
        (server.writes(), of(&server.state()).len()),
        (writes, sent.len())
    );
}
