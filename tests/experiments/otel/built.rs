//! Where the build has it.

#[allow(dead_code, reason = "the unit tests use the rest")]
#[path = "../../../src/otel/collector.rs"]
mod collector;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use self::collector::{Collector, attributes, is_root, taken};
use super::super::Place;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

fn push(place: &Place, collector: &str, arguments: &[&str]) -> Output {
    let mut command = place.command(&[&["push", "otel"], arguments].concat());
    command
        .env(ENDPOINT, collector)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many steps of a kind the journal has, those of episodes' second round too.
fn steps(attempts: &[Value], kind: &str) -> usize {
    let runs = attempts.iter().flat_map(|attempt| {
        let of = |name: &str| attempt[name].as_array().cloned().unwrap_or_default();
        [of("runs"), of("ablation")].concat()
    });
    let steps = runs.flat_map(|run| run["steps"].as_array().cloned().unwrap_or_default());
    steps.filter(|step| step.get(kind).is_some()).count()
}

#[test]
fn every_agent_s_attempts_come_with_all_they_did_and_all_their_scores() {
    let place = Place::new();
    let mut run = vec!["run", "--limit", "3", "-e", "it"];
    let agents = ["baseline", "workflow", "hitl", "hitl-memory"];
    for agent in agents {
        run.extend(["-a", agent]);
    }
    place.run(&run, 0);
    let attempts = place.attempts("it");
    let collector = Collector::start(|_, _| taken());
    let output = push(&place, &collector.url(), &["it"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let spans = collector.spans();
    let expected = format!("sent {} spans of {} attempts", spans.len(), attempts.len());
    assert!(said(&output).contains(&expected), "{}", said(&output));

    let roots: Vec<&Value> = spans.iter().filter(|span| is_root(span)).collect();
    assert_eq!(roots.len(), attempts.len());
    let counted = |name: &str| {
        let named = spans.iter().filter(|span| {
            let said = attributes(&span["attributes"]);
            said.get("gen_ai.operation.name")
                .is_some_and(|it| it == name)
        });
        named.count()
    };
    assert_eq!(counted("chat"), steps(&attempts, "model"));
    assert_eq!(counted("execute_tool"), steps(&attempts, "tool"));
    let memories = counted("create_memory") + counted("update_memory");
    assert_eq!(memories, steps(&attempts, "memory"));
    assert!(memories > 0);

    // By what they are of, the attempts and their scores are those of the journal.
    let mut in_journal: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for attempt in &attempts {
        let (case, feedback) = (&attempt["case"], &attempt["feedback"]);
        let agent = agents[case["variant"].as_u64().unwrap() as usize];
        let thread = format!(
            "it/{agent}@rules/{}/{}",
            case["example"].as_str().unwrap(),
            case["repeat"]
        );
        let feedback = feedback.as_array().unwrap().iter();
        let scores = feedback.map(|it| format!("{} {:?}", it["key"], it["score"].as_f64()));
        in_journal.insert(thread, scores.collect());
    }
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for root in &roots {
        let said = attributes(&root["attributes"]);
        let thread = said["gen_ai.conversation.id"].as_str().unwrap().to_owned();
        let events = root["events"].as_array().unwrap().iter();
        let scores = events.map(|event| {
            let said = attributes(&event["attributes"]);
            let value = said["gen_ai.evaluation.score.value"].as_f64();
            format!("{} {value:?}", said["gen_ai.evaluation.name"])
        });
        told.insert(thread, scores.collect());
    }
    assert_eq!(told, in_journal);

    // Without being asked for, no text of an email left the machine.
    let body = Value::from(spans.clone()).to_string();
    let first = attempts[0]["runs"][0]["messages"][0]["content"]
        .as_str()
        .unwrap();
    let line = first.lines().find(|line| line.len() > 40).unwrap();
    assert!(!body.contains(line), "{line}");

    // Again, and with texts: the same spans, by their ids.
    let output = push(&place, &collector.url(), &["it", "--content"]);
    assert_eq!(output.status.code(), Some(0));
    let ids = |span: &Value| format!("{}/{}", span["traceId"], span["spanId"]);
    let known: BTreeSet<String> = spans.iter().map(ids).collect();
    let requests = collector.requests();
    let again = Value::from_iter(requests.into_iter().map(|request| request.body)).to_string();
    assert!(again.contains(line));
    for span in &known {
        let (_, id) = span.split_once('/').unwrap();
        let times = again.matches(&format!("\"spanId\":{id}")).count();
        assert_eq!(times, 2, "{id}");
    }
}

#[test]
fn a_collector_that_is_not_there_or_lets_nobody_in_is_told_and_nothing_changes() {
    let place = Place::new();
    place.run(
        &[
            "run", "triage", "-a", "workflow", "--limit", "2", "-e", "it",
        ],
        0,
    );
    let journal = || fs::read(place.path("reports/it/journal.jsonl")).unwrap();
    let before = journal();
    let denies = Collector::start(|_, _| (401, "text/plain", b"Invalid key".to_vec()));
    let refuses = Collector::start(|_, _| (415, "text/plain", b"only protobuf".to_vec()));
    let elsewhere = "http://collector.example:4318";
    for (collector, flag, code, says) in [
        ("http://127.0.0.1:1", None, 5, "is it running"),
        (&denies.url(), None, 2, "Invalid key"),
        (&refuses.url(), None, 5, "http/protobuf"),
        (elsewhere, Some("--offline"), 2, "--offline"),
        ("nonsense", None, 2, ENDPOINT),
    ] {
        let arguments: Vec<&str> = ["it"].into_iter().chain(flag).collect();
        let output = push(&place, collector, &arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
        let asked = code == 5 || says == "Invalid key";
        assert_eq!(said.contains("6 spans left to push"), asked, "{said}");
    }
    assert_eq!(journal(), before);
    let output = push(&place, elsewhere, &["nobody-made-it"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn a_run_sends_its_spans_and_fails_by_that_only_where_it_is_required() {
    let place = Place::new();
    let run = |experiment: &str, collector: &str, more: &[&str]| {
        let run = [
            "run", "triage", "-a", "workflow", "--limit", "2", "--push", "otel", "-e",
        ];
        let mut command = place.command(&[&run, &[experiment][..], more].concat());
        let output = command.env(ENDPOINT, collector).output().unwrap();
        (output.status.code(), said(&output))
    };
    let collector = Collector::start(|_, _| taken());
    let (code, said) = run("one", &collector.url(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("sent 6 spans of 2 attempts"), "{said}");
    assert_eq!(collector.spans().len(), 6);
    let nobody = "http://127.0.0.1:1";
    let (code, said) = run("two", nobody, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("not pushed"), "{said}");
    let (code, said) = run("three", nobody, &["--push-required"]);
    assert_eq!(code, Some(5), "{said}");
    let denies = Collector::start(|_, _| (401, "text/plain", b"Invalid key".to_vec()));
    let (code, said) = run("four", &denies.url(), &["--push-required"]);
    assert_eq!(code, Some(5), "{said}");
}

#[cfg(unix)]
#[test]
fn a_collector_that_never_answers_does_not_keep_a_push_from_stopping() {
    let place = Place::new();
    let run = ["run", "triage", "-a", "workflow", "--limit", "2", "-e"];
    place.run(&[&run[..], &["it"]].concat(), 0);
    let push = ["push", "otel", "it"].to_vec();
    let after_run = [&run[..], &["again", "--push", "otel", "--push-required"]].concat();
    for (arguments, signal) in [(&push, "-INT"), (&push, "-TERM"), (&after_run, "-INT")] {
        // Takes the request, and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", silent.local_addr().unwrap());
        let mut command = place.command(arguments);
        command.env(ENDPOINT, address).stderr(Stdio::piped());
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let (mut asked, _) = silent.accept().unwrap();
        asked.read_exact(&mut [0; 4]).unwrap();
        let sent = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains("stopped"), "{}", said(&output));
    }
}
