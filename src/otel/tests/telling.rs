//! What spans say of an attempt.

use serde_json::{Value, json};

use super::super::collector::attributes;
use super::super::ids;
use super::super::telling::Telling;
use super::{attempt, header, nothing_secret, parsed};
use crate::experiment::{Attempt, CaseKey, Header};
use crate::redact::{MARKER, Redactor};
use crate::run::Run;
use crate::trace::{Trace, Work};

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
