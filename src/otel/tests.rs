use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::collector::{self, Collector, attributes, taken};
use super::export::{ExportError, Exporter, Taken};
use super::ids;
use super::push::{Pushed, ReadError, Stopped, push};
use super::settings::Settings;
use super::telling::Telling;
use crate::experiment::layer::Scored;
use crate::experiment::{Attempt, CaseKey, Header};
use crate::redact::{MARKER, Redactor};
use crate::run::Run;
use crate::trace::{Trace, Work};

/// Three spans an attempt.
const SPANS: u64 = 3;

fn header() -> Value {
    json!({
        "format": "mailproof.journal/1",
        "experiment": "before",
        "tool_version": "1.2.3",
        "created": "2026-03-03T09:00:00Z",
        "date": "2026-03-03",
        "seed": 0,
        "suites": ["triage"],
        "variants": [
            { "name": "baseline@fast", "agent": "baseline", "model": "fast" },
            { "name": "workflow@rules", "agent": "workflow", "model": "rules" },
        ],
        "models": { "fast": { "model": "openai:gpt-x", "settings": {
            "agent": { "temperature": 0.5, "max_tokens": 900, "seed": 7 },
        } } },
        "repeat": 1,
        "dataset": { "name": "emails", "hash": "00", "examples": 1000 },
        "selection": {},
        "examples": 1000,
        "examples_hash": "00",
        "limits": { "timeout_ms": 1000, "max_steps": 25 },
        "triage_costs": {},
    })
}

/// An attempt at the email `position`: asked for a reply, the model called a tool.
fn attempt(variant: u32, position: u32) -> Value {
    json!({
        "case": { "variant": variant, "position": position, "repeat": 0, "example": format!("e{position}") },
        "split": "test",
        "cluster": null,
        "tags": ["billing"],
        "expected": "notify",
        "found": "respond",
        "outcome": "finished",
        "feedback": [
            { "key": "triage.accuracy", "score": 0.0, "comment": "notify was expected, respond found" },
            { "key": "tool_calls.recall", "score": 0.5 },
            { "key": "response.criteria", "score": 1.0, "comment": "the judge quotes it" },
        ],
        "usage": { "agent": { "calls": 1, "input_tokens": 90, "output_tokens": 10, "cost_usd": 0.25 } },
        "latency_ms": 12.5,
        "started": "2026-03-03T09:00:01.5Z",
        "runs": [{
            "outcome": "finished",
            "triage": "respond",
            "messages": [
                { "id": "1", "role": "user", "content": "the email" },
                { "id": "2", "role": "assistant", "content": "", "tool_calls": [
                    { "id": "call-1", "name": "write_email", "arguments": { "to": "the proposal" } },
                ] },
            ],
            "steps": [{ "model": {
                "node": "respond", "role": "agent", "prompt": "00ff",
                "sent": { "log": 1 }, "reply": { "message": "2" },
                "usage": { "input_tokens": 90, "output_tokens": 10, "cached_input_tokens": 40, "cost_usd": 0.25 },
                "latency_ms": 12.0,
            } }],
            "usage": {},
            "latency_ms": 12.5,
        }],
    })
}

fn parsed(attempt: &Value) -> Attempt<Run> {
    serde_json::from_value(attempt.clone()).unwrap()
}

/// Spans as a collector has them, by their attributes' keys.
fn told(content: bool, redactor: &Redactor, trace: &Trace, attempt: &Attempt<Run>) -> Vec<Value> {
    let header: Header = serde_json::from_value(header()).unwrap();
    let telling = Telling {
        header: &header,
        content,
        resource: &[],
        redactor,
    };
    let spans = telling.spans(trace, attempt).into_iter();
    let spans = spans.map(|span| {
        let mut span = serde_json::to_value(span).unwrap();
        span["attributes"] = attributes(&span["attributes"]).into();
        for event in span["events"].as_array_mut().unwrap() {
            event["attributes"] = attributes(&event["attributes"]).into();
        }
        span
    });
    spans.collect()
}

fn nothing_secret() -> Redactor {
    Redactor::new([])
}

/// One of each kind of span, made up.
fn every_kind() -> Trace {
    let time = "2026-03-03T09:00:01Z".parse().unwrap();
    let header: Header = serde_json::from_value(header()).unwrap();
    let prompts = [(
        "00ff".to_owned(),
        serde_json::from_value(json!({
            "system": "the system text",
            "tools": [{ "name": "write_email", "description": "the tool", "parameters": { "type": "object" } }],
        }))
        .unwrap(),
    )];
    let mut trace = Trace::of(&header, &parsed(&attempt(0, 0)), &prompts.into());
    let interrupt = |response| {
        serde_json::from_value(json!({
            "id": "i", "action": "write_email", "args": { "to": "the arguments" },
            "allowed": { "accept": true, "edit": true, "ignore": true, "respond": true },
        }))
        .map(|interrupt| Work::Interrupt {
            interrupt,
            response: serde_json::from_value(response).unwrap(),
            answered_by: "scripted".to_owned(),
        })
        .unwrap()
    };
    let tool = |status, result: Option<&str>| Work::Tool {
        call_id: "call-1".to_owned(),
        arguments: json!({ "to": "the arguments" }),
        status,
        result: result.map(str::to_owned),
    };
    let memory = |before: Option<&str>| Work::Memory {
        namespace: "preferences".to_owned(),
        key: "k".to_owned(),
        before: before.map(str::to_owned),
        after: "the memory".to_owned(),
        reason: "the reason".to_owned(),
    };
    use crate::message::ToolStatus::{Executed, Failed};
    let works = [
        ("email 1", Work::Email { ablation: false }, None),
        ("email 1", Work::Email { ablation: true }, None),
        ("write_email", tool(Executed, Some("the result")), None),
        ("write_email", tool(Failed, None), Some("the error")),
        (
            "ask",
            interrupt(json!({ "edit": { "to": "the edit" } })),
            None,
        ),
        ("ask", interrupt(json!({ "respond": "the answer" })), None),
        ("ask", interrupt(json!("accept")), None),
        ("memory", memory(None), None),
        ("memory", memory(Some("before")), None),
    ];
    for (number, (name, work, error)) in (1..).zip(works) {
        trace.spans.push(crate::trace::Span {
            parent: Some(0),
            path: number.to_string(),
            name: name.to_owned(),
            started: time,
            ended: time,
            error: error.map(str::to_owned),
            work,
        });
    }
    trace
}

#[test]
fn an_attempt_is_an_agent_that_was_invoked_and_its_scores_are_events() {
    let header: Header = serde_json::from_value(header()).unwrap();
    let attempt = parsed(&attempt(0, 0));
    let trace = Trace::of(&header, &attempt, &Default::default());
    let spans = told(false, &nothing_secret(), &trace, &attempt);
    insta::assert_json_snapshot!(spans, @r#"
    [
      {
        "traceId": "8e0c9322132bc3cc6da9179b261db555",
        "spanId": "669ad3eca01d3579",
        "traceState": "",
        "parentSpanId": "",
        "flags": 257,
        "name": "invoke_agent baseline",
        "kind": 1,
        "startTimeUnixNano": "1772528401500000000",
        "endTimeUnixNano": "1772528401512500000",
        "attributes": {
          "gen_ai.operation.name": "invoke_agent",
          "gen_ai.agent.name": "baseline",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "gpt-x",
          "gen_ai.conversation.id": "before/baseline@fast/e0/0",
          "mailproof.experiment": "before",
          "mailproof.variant": "baseline@fast",
          "mailproof.example": "e0",
          "mailproof.kind": "example",
          "mailproof.repeat": 0,
          "mailproof.outcome": "finished",
          "mailproof.verdict": "failed",
          "mailproof.split": "test",
          "mailproof.tags": [
            "billing"
          ],
          "mailproof.triage.expected": "notify",
          "mailproof.triage.found": "respond",
          "mailproof.cost_usd": 0.25
        },
        "droppedAttributesCount": 0,
        "events": [
          {
            "timeUnixNano": "1772528401512500000",
            "name": "gen_ai.evaluation.result",
            "attributes": {
              "gen_ai.evaluation.name": "triage.accuracy",
              "gen_ai.evaluation.score.value": 0.0,
              "gen_ai.evaluation.score.label": "fail"
            },
            "droppedAttributesCount": 0
          },
          {
            "timeUnixNano": "1772528401512500000",
            "name": "gen_ai.evaluation.result",
            "attributes": {
              "gen_ai.evaluation.name": "tool_calls.recall",
              "gen_ai.evaluation.score.value": 0.5
            },
            "droppedAttributesCount": 0
          },
          {
            "timeUnixNano": "1772528401512500000",
            "name": "gen_ai.evaluation.result",
            "attributes": {
              "gen_ai.evaluation.name": "response.criteria",
              "gen_ai.evaluation.score.value": 1.0
            },
            "droppedAttributesCount": 0
          }
        ],
        "droppedEventsCount": 0,
        "links": [],
        "droppedLinksCount": 0,
        "status": {
          "message": "",
          "code": 0
        }
      },
      {
        "traceId": "8e0c9322132bc3cc6da9179b261db555",
        "spanId": "39da3a2ab9eb61ff",
        "traceState": "",
        "parentSpanId": "669ad3eca01d3579",
        "flags": 257,
        "name": "respond",
        "kind": 1,
        "startTimeUnixNano": "1772528401500000000",
        "endTimeUnixNano": "1772528401512000000",
        "attributes": {
          "mailproof.node": "respond"
        },
        "droppedAttributesCount": 0,
        "events": [],
        "droppedEventsCount": 0,
        "links": [],
        "droppedLinksCount": 0,
        "status": {
          "message": "",
          "code": 0
        }
      },
      {
        "traceId": "8e0c9322132bc3cc6da9179b261db555",
        "spanId": "2d34a151990b4aee",
        "traceState": "",
        "parentSpanId": "39da3a2ab9eb61ff",
        "flags": 257,
        "name": "chat gpt-x",
        "kind": 3,
        "startTimeUnixNano": "1772528401500000000",
        "endTimeUnixNano": "1772528401512000000",
        "attributes": {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "gpt-x",
          "gen_ai.conversation.id": "before/baseline@fast/e0/0",
          "gen_ai.request.temperature": 0.5,
          "gen_ai.request.max_tokens": 900,
          "gen_ai.request.seed": 7,
          "gen_ai.usage.input_tokens": 90,
          "gen_ai.usage.output_tokens": 10,
          "gen_ai.usage.cache_read.input_tokens": 40,
          "mailproof.cost_usd": 0.25,
          "gen_ai.response.finish_reasons": [
            "tool_call"
          ],
          "mailproof.role": "agent"
        },
        "droppedAttributesCount": 0,
        "events": [],
        "droppedEventsCount": 0,
        "links": [],
        "droppedLinksCount": 0,
        "status": {
          "message": "",
          "code": 0
        }
      }
    ]
    "#);
}

#[test]
fn every_kind_of_work_has_the_operation_that_the_conventions_give_it() {
    let attempt = parsed(&attempt(0, 0));
    let spans = told(false, &nothing_secret(), &every_kind(), &attempt);
    let lines: Vec<String> = spans
        .iter()
        .map(|span| {
            let said = &span["attributes"];
            let operation = said["gen_ai.operation.name"].as_str().unwrap_or("-");
            let thread = said["gen_ai.conversation.id"].as_str().unwrap_or("-");
            let error = said["error.type"].as_str().unwrap_or("-");
            let name = span["name"].as_str().unwrap();
            let kind = &span["kind"];
            format!("{name} | {operation} | {kind} | {thread} | {error}")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    invoke_agent baseline | invoke_agent | 1 | before/baseline@fast/e0/0 | -
    respond | - | 1 | - | -
    chat gpt-x | chat | 3 | before/baseline@fast/e0/0 | -
    invoke_agent baseline | invoke_agent | 1 | before/baseline@fast/e0/0/step-1 | -
    invoke_agent baseline | invoke_agent | 1 | before/baseline@fast/e0/0/alone-1 | -
    execute_tool write_email | execute_tool | 1 | - | -
    execute_tool write_email | execute_tool | 1 | - | failed
    ask | - | 1 | - | -
    ask | - | 1 | - | -
    ask | - | 1 | - | -
    create_memory | create_memory | 1 | - | -
    update_memory | update_memory | 1 | - | -
    ");
}

#[test]
fn texts_are_told_only_where_that_is_asked_for() {
    const TEXTS: [&str; 16] = [
        "the email",
        "the system text",
        "the tool",
        "the proposal",
        "the arguments",
        "the result",
        "the edit",
        "the answer",
        "the memory",
        "the reason",
        "the error",
        "the provider repeats it",
        "the agent's reasoning",
        "the address",
        "the judge quotes it",
        "tool_call_response",
    ];
    let mut value = attempt(0, 0);
    value["runs"][0]["messages"].as_array_mut().unwrap().insert(
        1,
        json!({ "id": "0", "role": "tool", "content": "c", "tool_call_id": "x", "name": "n" }),
    );
    value["runs"][0]["steps"][0]["model"]["sent"] = json!({ "log": 2 });
    value["outcome"] = "provider".into();
    value["error"] = "400: the provider repeats it".into();
    value["feedback"][0]["comment"] = "expected notify, no decision: the agent's reasoning".into();
    value["feedback"][1]["comment"] = "`write_email`: `to` is `the address`".into();
    let attempt = parsed(&value);
    let mut trace = every_kind();
    let header: Header = serde_json::from_value(self::header()).unwrap();
    let again = Trace::of(&header, &attempt, &Default::default());
    if let (Work::Model(call), Work::Model(sent)) = (&mut trace.spans[2].work, &again.spans[2].work)
    {
        call.messages.clone_from(&sent.messages);
    }
    trace.spans[0] = again.spans[0].clone();
    let with = Value::from(told(true, &nothing_secret(), &trace, &attempt)).to_string();
    let spans = told(false, &nothing_secret(), &trace, &attempt);
    let without = Value::from(spans.clone()).to_string();
    for text in TEXTS {
        assert!(with.contains(text), "{text}");
        assert!(!without.contains(text), "{text}");
    }
    // That something went wrong, and in which way, is no text of anybody's.
    let failed = spans.iter().filter(|span| span["status"]["code"] == 2);
    let messages: Vec<&Value> = failed.map(|span| &span["status"]["message"]).collect();
    assert_eq!(messages, ["provider", "failed"]);
}

#[test]
fn no_secret_and_no_nul_is_told_wherever_it_stands() {
    const SECRET: &str = "hunter2-hunter2";
    /// Puts a secret and a NUL behind every text that nothing else depends on.
    fn spoil(value: &mut Value) {
        const KEPT: [&str; 13] = [
            "key",
            "role",
            "outcome",
            "expected",
            "found",
            "triage",
            "started",
            "status",
            "id",
            "tool_call_id",
            "prompt",
            "message",
            "example",
        ];
        match value {
            Value::String(text) => text.push_str(" \0hunter2-hunter2"),
            Value::Array(values) => values.iter_mut().for_each(spoil),
            Value::Object(map) => {
                let fields = map.iter_mut();
                let fields = fields.filter(|(key, _)| !KEPT.contains(&key.as_str()));
                fields.for_each(|(_, value)| spoil(value));
            }
            _ => {}
        }
    }
    let mut value = attempt(0, 0);
    spoil(&mut value);
    value["outcome"] = "provider".into();
    value["error"] = format!("no key {SECRET}").into();
    let attempt = parsed(&value);
    let redactor = Redactor::new([SECRET.to_owned()]);
    let header: Header = serde_json::from_value(header()).unwrap();
    let mut trace = Trace::of(&header, &attempt, &Default::default());
    for span in &mut trace.spans {
        span.name.push_str(" hunter2-hunter2");
    }
    let told = Value::from(told(true, &redactor, &trace, &attempt)).to_string();
    assert!(told.contains(MARKER) && told.contains("the email"));
    assert!(!told.contains(SECRET), "{told}");
    assert!(!told.contains("\\u0000"), "{told}");
}

#[test]
fn the_same_results_have_the_same_ids_and_others_have_others() {
    let header: Header = serde_json::from_value(header()).unwrap();
    let case = parsed(&attempt(0, 0)).case;
    let id = ids::trace(&header, &case);
    assert_eq!(id, ids::trace(&header.clone(), &case.clone()));
    let mut others = vec![id];
    let changes: [fn(&mut Header, &mut CaseKey); 5] = [
        |header, _| header.experiment.push('x'),
        |header, _| header.created += jiff::SignedDuration::from_nanos(1),
        |_, case| case.variant = 1,
        |_, case| case.repeat = 1,
        |_, case| case.example.push('x'),
    ];
    for change in changes {
        let (mut header, mut case) = (header.clone(), case.clone());
        change(&mut header, &mut case);
        others.push(ids::trace(&header, &case));
    }
    others.sort();
    others.dedup();
    assert_eq!(others.len(), 6);
    let paths = ["", "0", "1", "0.1"].map(|path| ids::span(id, path));
    for (index, one) in paths.iter().enumerate() {
        assert!(!paths[..index].contains(one));
        assert_ne!(*one, ids::span(others[0].map(|byte| !byte), ""));
    }
}

/// A folder with an experiment of so many attempts, of both variants in turn.
fn experiment(attempts: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let prompt =
        json!({ "prompt": { "hash": "00ff", "content": { "system": "the system text" } } });
    let mut lines = vec![json!({ "header": header() }), prompt];
    let attempts =
        (0..attempts).map(|number| json!({ "attempt": attempt(number % 2, number / 2) }));
    lines.extend(attempts);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("journal.jsonl"), text).unwrap();
    folder
}

fn exporter(collector: &Collector, variables: &[(&str, &str)]) -> Exporter {
    let settings = Settings::read(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(collector.url()),
        _ => {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    });
    Exporter::new(settings.unwrap()).unwrap()
}

async fn pushed(folder: &Path, exporter: &Exporter) -> (Result<Pushed, Stopped>, u64) {
    let mut scored = Scored::open(folder, None).unwrap();
    let header = scored.header().clone();
    let redactor = nothing_secret();
    let resource = [("service.name".to_owned(), "mine".to_owned())];
    let telling = Telling {
        header: &header,
        content: true,
        resource: &resource,
        redactor: &redactor,
    };
    let mut told_of = 0;
    let result = push(&mut scored, &telling, exporter, || told_of += 1).await;
    (result, told_of)
}

#[tokio::test]
async fn an_experiment_comes_whole_in_bounded_batches_in_either_form() {
    let folder = experiment(400);
    let mut came = Vec::new();
    for protocol in ["http/protobuf", "http/json"] {
        let collector = Collector::start(|_, _| taken());
        let exporter = exporter(&collector, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        let (result, told_of) = pushed(folder.path(), &exporter).await;
        let expected = Pushed {
            attempts: 400,
            spans: 400 * SPANS,
            ..Pushed::default()
        };
        assert_eq!(result.unwrap(), expected);
        assert_eq!((told_of, collector.requests().len()), (400, 3));
        came.push(collector.spans());
    }
    let json = came.pop().unwrap();
    assert_eq!(came.pop().unwrap(), json);
    assert_eq!(json.len() as u64, 400 * SPANS);
    let roots: Vec<&Value> = json
        .iter()
        .filter(|span| collector::is_root(span))
        .collect();
    assert_eq!(roots.len(), 400);
    let of = |variant: &str| {
        let roots = roots.iter();
        roots
            .filter(|span| span["resource"]["mailproof.variant"] == variant)
            .count()
    };
    assert_eq!((of("baseline@fast"), of("workflow@rules")), (200, 200));
    assert_eq!(json[0]["resource"]["service.name"], "mine");
    assert_eq!(json[0]["resource"]["service.version"], "1.2.3");
    // The prompt stands in the journal once.
    let system = |span: &Value| {
        let said = attributes(&span["attributes"]);
        said.get("gen_ai.system_instructions").cloned()
    };
    let expected = Value::from(r#"[{"type":"text","content":"the system text"}]"#);
    let asked = json.iter().filter_map(system);
    assert_eq!(asked.filter(|system| *system == expected).count(), 400);
}

#[tokio::test]
async fn what_the_collector_rejects_is_counted_and_said() {
    let folder = experiment(2);
    let collector = Collector::start(|_, spans| {
        let partial = ExportTracePartialSuccess {
            rejected_spans: spans.len() as i64 - 1,
            error_message: "too old".to_owned(),
        };
        let answer = ExportTraceServiceResponse {
            partial_success: Some(partial),
        };
        (200, "application/x-protobuf", answer.encode_to_vec())
    });
    let (result, _) = pushed(folder.path(), &exporter(&collector, &[])).await;
    let expected = Pushed {
        attempts: 2,
        spans: 1,
        rejected: 2 * SPANS - 1,
        said: vec!["too old".to_owned()],
    };
    assert_eq!(result.unwrap(), expected);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_until_it_fits() {
    let folder = experiment(4);
    let collector = Collector::start(|_, spans| match spans {
        [one] if one["name"] == "respond" => (413, "text/plain", Vec::new()),
        spans if spans.len() > 4 => (413, "text/plain", Vec::new()),
        spans if spans.len() > 1 && spans.iter().any(|span| span["name"] == "respond") => {
            (413, "text/plain", Vec::new())
        }
        _ => taken(),
    });
    let (result, _) = pushed(folder.path(), &exporter(&collector, &[])).await;
    let result = result.unwrap();
    assert_eq!((result.spans, result.rejected), (4 * (SPANS - 1), 4));
    assert_eq!(result.said.len(), 1);
    assert!(
        result.said[0].contains("too large (413)"),
        "{}",
        result.said[0]
    );
}

#[tokio::test]
async fn where_the_collector_takes_no_more_the_rest_is_counted() {
    let folder = experiment(400);
    let collector = Collector::start(|number, _| match number {
        0 => taken(),
        _ => (400, "application/json", br#"{"message":"no"}"#.to_vec()),
    });
    let (result, told_of) = pushed(folder.path(), &exporter(&collector, &[])).await;
    let Stopped {
        unread: None,
        unsent: Some(error),
        pushed,
        left,
    } = result.unwrap_err()
    else {
        panic!("the journal can be read");
    };
    assert_eq!(
        error.to_string(),
        format!("{} answered 400: no", collector.url())
    );
    assert_eq!((pushed.spans, left), (512, 400 * SPANS - 512));
    assert_eq!((told_of, collector.requests().len()), (400, 2));
}

#[tokio::test]
async fn where_the_journal_can_be_read_no_further_what_was_read_is_sent() {
    let folder = experiment(3);
    let journal = folder.path().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let (whole, last) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&journal, format!("{whole}\nnonsense\n{last}\n")).unwrap();
    for taking in [true, false] {
        let collector = Collector::start(move |_, _| match taking {
            true => taken(),
            false => (400, "text/plain", b"no".to_vec()),
        });
        let (result, told_of) = pushed(folder.path(), &exporter(&collector, &[])).await;
        let stopped = result.unwrap_err();
        let sent = if taking { 2 * SPANS } else { 0 };
        let expected = Pushed {
            attempts: 2,
            spans: sent,
            ..Pushed::default()
        };
        assert_eq!((stopped.pushed, told_of), (expected, 2));
        assert_eq!(stopped.left, 2 * SPANS - sent);
        assert!(matches!(stopped.unread, Some(ReadError::Layer(_))));
        assert_eq!(stopped.unsent.is_none(), taking);
    }
}

#[tokio::test]
async fn headers_are_sent_and_kept_secret() {
    let collector = Collector::start(|_, _| {
        let said = "you sent Basic cGstbGYtMTpzay1sZi0x, or cGstbGYtMTpzay1sZi0x";
        (401, "text/plain", said.as_bytes().to_vec())
    });
    let variables = [(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Basic%20cGstbGYtMTpzay1sZi0x,x-langfuse-ingestion-version=4",
    )];
    let exporter = exporter(&collector, &variables);
    let error = exporter.send(&Default::default()).await.unwrap_err();
    let ExportError::Denied { status: 401, .. } = &error else {
        panic!("{error}");
    };
    for text in [error.to_string(), format!("{exporter:?}{error:?}")] {
        assert!(!text.contains("cGst"), "{text}");
    }
    let headers = &collector.requests()[0].headers;
    assert_eq!(headers["authorization"], "Basic cGstbGYtMTpzay1sZi0x");
    assert_eq!(headers["x-langfuse-ingestion-version"], "4");
    assert!(headers["user-agent"].starts_with("mailproof/"));
}

#[tokio::test]
async fn an_answer_that_says_nothing_readable_is_still_an_answer() {
    let collector = Collector::start(|_, _| (200, "application/json", vec![b'['; 100_000]));
    let taken = exporter(&collector, &[]).send(&Default::default()).await;
    assert_eq!(taken, Ok(Taken::default()));
}

/// Answers one connection after the other with a body that breaks off, each with the next of
/// `statuses`, and says how many there were.
fn breaking_off(statuses: &'static [u16]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let lines = (&mut reader).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let length = head.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                (name.eq_ignore_ascii_case("content-length")).then(|| value.parse().unwrap())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let head = "Retry-After: 0\r\nContent-Length: 100\r\nConnection: close";
            write!(stream, "HTTP/1.1 {status} Said\r\n{head}\r\n\r\nbroken").unwrap();
        }
    });
    (address, asked)
}

#[tokio::test]
async fn the_status_counts_where_the_rest_of_an_answer_breaks_off() {
    for (statuses, taken) in [
        (&[200, 200][..], true),
        (&[503, 202, 202], true),
        (&[400, 200], false),
    ] {
        let (address, asked) = breaking_off(statuses);
        let settings = Settings::read(|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.clone()),
            _ => None,
        });
        let exporter = Exporter::new(settings.unwrap()).unwrap();
        let sent = exporter.send(&Default::default()).await;
        assert_eq!(sent.is_ok(), taken, "{statuses:?}: {sent:?}");
        assert_eq!(asked.load(Ordering::SeqCst), statuses.len() - 1);
    }
}
