use std::fmt::Write as _;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::fixture::{ITEMS, asks, attempt, header, told};
use super::*;
use crate::agent::AgentKind;
use crate::experiment::{AskedModel, Attempt, CaseKind, Header};
use crate::message::PromptContent;
use crate::model::settings::Temperature;
use crate::run::{Outcome, ReplyRef, Run, Sent, Step};

/// The spans of an attempt as an outline: when each began and how long it took, in
/// milliseconds, and what it was.
fn outline(trace: &Trace) -> String {
    let began = trace.spans[0].started;
    let ms = |from: Timestamp, to: Timestamp| to.duration_since(from).as_micros() as f64 / 1e3;
    let mut text = String::new();
    for span in &trace.spans {
        let depth = span.path.split('.').filter(|part| !part.is_empty()).count();
        let (at, took) = (ms(began, span.started), ms(span.started, span.ended));
        let work = match &span.work {
            Work::Attempt | Work::Email { .. } | Work::Node => String::new(),
            Work::Model(call) => format!(
                " ({:?}: {} messages, {} tools, {} calls)",
                call.role,
                call.messages.len(),
                call.tools.len(),
                call.tool_calls.len()
            ),
            Work::Tool { status, .. } => format!(" ({status:?})"),
            Work::Interrupt { response, .. } => format!(" ({})", response.kind()),
            Work::Memory { key, .. } => format!(" ({key})"),
        };
        let indent = "  ".repeat(depth);
        writeln!(text, "{at:7.3} {took:7.3} {indent}{}{work}", span.name).unwrap();
    }
    text
}

#[tokio::test]
async fn an_attempt_is_told_node_by_node() {
    let told = told().await;
    let outlined = |agent, item| outline(&told.trace(told.attempt(agent, item)));
    insta::assert_snapshot!("baseline", outlined(AgentKind::Baseline, ITEMS[0]));
    insta::assert_snapshot!("workflow", outlined(AgentKind::Workflow, ITEMS[0]));
    insta::assert_snapshot!("hitl", outlined(AgentKind::Hitl, ITEMS[1]));
    insta::assert_snapshot!("hitl_memory", outlined(AgentKind::HitlMemory, ITEMS[2]));
}

#[tokio::test]
async fn every_step_of_the_journal_is_told_once_and_every_call_with_its_prompt() {
    let told = told().await;
    assert_eq!(told.attempts.len(), 4 + 2 + 1);
    for attempt in &told.attempts {
        let trace = told.trace(attempt);
        let runs = attempt.runs.iter().chain(&attempt.ablation);
        let steps: usize = runs.map(|run| run.steps.len()).sum();
        let leaves = trace
            .spans
            .iter()
            .filter(|span| !matches!(span.work, Work::Attempt | Work::Email { .. } | Work::Node));
        assert_eq!(leaves.count(), steps);
        let calls = trace.spans.iter().filter_map(|span| match &span.work {
            Work::Model(call) => Some(call),
            _ => None,
        });
        for call in calls {
            assert!(!call.system.is_empty() && !call.messages.is_empty());
            assert!(!call.text.is_empty() || !call.tool_calls.is_empty());
        }
        for (index, span) in trace.spans.iter().enumerate() {
            assert_eq!(span.parent.is_none(), index == 0);
            assert_eq!(span.path.is_empty(), index == 0);
        }
    }
    assert_eq!(told.trace(&told.attempts[0]), told.trace(&told.attempts[0]));
}

fn spans(header: &Header, attempt: &Attempt<Run>) -> Vec<Span> {
    Trace::of(header, attempt, &Default::default()).spans
}

#[test]
fn a_model_is_told_by_its_role_and_asked_by_its_settings() {
    let mut header = header();
    let settings = Settings {
        temperature: Some(Temperature::Of(0.7)),
        ..Settings::default()
    };
    let asked = |model: &str| AskedModel {
        model: model.to_owned(),
        settings: [(ModelRole::Router, settings.clone())].into(),
    };
    let workflow = header.variants.iter().position(|it| it.agent == "workflow");
    let workflow = workflow.unwrap();
    header.variants[workflow].model = "openai:gpt-4o".to_owned();
    header.variants[workflow].router_model = Some("small".to_owned());
    header
        .models
        .insert("small".to_owned(), asked("openai:gpt-4o-mini"));
    let mut attempt = attempt(vec![asks("triage", 1.0)]);
    attempt.case.variant = workflow as u32;
    let spans = spans(&header, &attempt);
    let Work::Model(call) = &spans[2].work else {
        panic!("{:?}", spans[2]);
    };
    assert_eq!(spans[2].name, "openai:gpt-4o-mini");
    assert_eq!(
        (&call.model[..], &call.settings),
        ("openai:gpt-4o-mini", &settings)
    );
    // Neither the log nor the prompts have what the step names.
    assert_eq!((call.messages.len(), &call.system[..]), (0, ""));
}

#[test]
fn an_attempt_that_did_not_finish_says_why() {
    let header = header();
    for (outcome, error, said) in [
        (Outcome::Finished, None, None),
        (Outcome::StepLimit, None, Some("step_limit")),
        (Outcome::Provider, Some("503"), Some("provider: 503")),
    ] {
        let mut attempt = attempt(vec![asks("triage", 1.0)]);
        (attempt.outcome, attempt.error) = (outcome, error.map(str::to_owned));
        assert_eq!(spans(&header, &attempt)[0].error.as_deref(), said);
    }
    // The time until it ended comes after the steps.
    let mut attempt = attempt(vec![asks("triage", 1.0)]);
    attempt.latency_ms = 40.0;
    let spans = spans(&header, &attempt);
    let took = |span: &Span| span.ended.duration_since(span.started);
    assert_eq!(took(&spans[0]), SignedDuration::from_millis(40));
    assert_eq!(took(&spans[1]), SignedDuration::from_millis(1));
}

#[tokio::test]
async fn an_attempt_of_an_old_journal_begins_with_its_experiment() {
    let told = told().await;
    let mut attempt = told.attempts[0].clone();
    assert_eq!(
        told.trace(&attempt).spans[0].started.to_string(),
        "2026-03-02T10:15:01.25Z"
    );
    attempt.started = None;
    assert_eq!(told.trace(&attempt).spans[0].started, told.header.created);
}

fn latency() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.0..100.0,
        Just(0.0),
        Just(0.000_4),
        Just(-5.0),
        Just(1e300),
        any::<f64>(),
    ]
}

proptest! {
    #[test]
    fn spans_lie_within_theirs_in_order_whatever_the_journal_says(
        steps in prop::collection::vec((latency(), 0..3_u8), 0..30),
        run_ms in latency(),
        attempt_ms in latency(),
        started in prop_oneof![Just(None), (i64::MIN..i64::MAX).prop_map(Some)],
        episode: bool,
    ) {
        static HEADER: std::sync::LazyLock<Header> = std::sync::LazyLock::new(header);
        let steps: Vec<Step> = steps
            .into_iter()
            .map(|(ms, node)| asks(&format!("n{node}"), ms))
            .collect();
        let mut attempt = attempt(steps);
        attempt.runs[0].latency_ms = run_ms;
        attempt.latency_ms = attempt_ms;
        attempt.started = started.and_then(|at| Timestamp::from_nanosecond(at.into()).ok());
        if episode {
            attempt.kind = CaseKind::Episode;
            attempt.ablation = vec![attempt.runs[0].clone(); 2];
        }
        let spans = spans(&HEADER, &attempt);
        for (index, span) in spans.iter().enumerate() {
            prop_assert!(span.started <= span.ended);
            prop_assert_eq!(span.started.subsec_nanosecond() % 1000, 0);
            prop_assert!(span.started >= Timestamp::UNIX_EPOCH);
            let Some(parent) = span.parent else { continue };
            prop_assert!(parent < index);
            prop_assert!(spans[parent].started <= span.started);
            prop_assert!(span.ended <= spans[parent].ended);
            let before = spans[..index].iter().rfind(|other| other.parent == span.parent);
            if let Some(before) = before {
                prop_assert!(before.ended <= span.started);
            }
            // Which model was asked first shows in the times, unless a year is over.
            let leaf = matches!(span.work, Work::Model(_));
            let year = SignedDuration::from_hours(366 * 24);
            prop_assert!(
                !leaf || span.started < span.ended
                    || span.ended.duration_since(spans[0].started) == year
            );
        }
        let paths: std::collections::BTreeSet<&str> =
            spans.iter().map(|span| span.path.as_str()).collect();
        prop_assert_eq!(paths.len(), spans.len());
    }
}

#[test]
fn a_prompt_is_asked_for_once_by_its_hash() {
    let mut attempt = attempt(vec![asks("triage", 1.0), asks("triage", 1.0)]);
    attempt.ablation = attempt.runs.clone();
    let prompts: Vec<&str> = Trace::prompts(&attempt).into_iter().collect();
    assert_eq!(prompts, ["none"]);
    let content = PromptContent {
        system: "Decide.".to_owned(),
        tools: Vec::new(),
    };
    let spans = Trace::of(&header(), &attempt, &[("none".to_owned(), content)].into()).spans;
    let Work::Model(call) = &spans[2].work else {
        panic!("{:?}", spans[2]);
    };
    assert_eq!(call.system, "Decide.");
}

#[test]
fn a_reply_is_told_as_the_model_gave_it() {
    let call = |name: &str| ToolCall {
        id: "c1".to_owned(),
        name: name.to_owned(),
        arguments: json!({}),
    };
    let mut attempt = attempt(vec![asks("respond", 1.0), asks("respond", 1.0)]);
    let run = &mut attempt.runs[0];
    run.messages = vec![
        Message::user("m0", "Answer this."),
        Message::user("m1", "Call a tool."),
        Message::assistant("m2", "", vec![call("proposed")]),
        Message::assistant("m2", "", vec![call("edited")]),
    ];
    for (step, (log, id)) in run.steps.iter_mut().zip([(1, "m2"), (4, "m9")]) {
        let Step::Model { sent, reply, .. } = step else {
            panic!("a model");
        };
        (*sent, *reply) = (Sent::Log(log), ReplyRef::Message(id.to_owned()));
    }
    let spans = spans(&header(), &attempt);
    let told: Vec<(usize, Vec<&str>)> = spans
        .iter()
        .filter_map(|span| match &span.work {
            Work::Model(call) => {
                let names = call.tool_calls.iter().map(|call| &call.name[..]);
                Some((call.messages.len(), names.collect()))
            }
            _ => None,
        })
        .collect();
    // What was edited is sent once; a reply that is not in the log says nothing.
    assert_eq!(told, [(1, vec!["proposed"]), (3, vec![])]);
}

#[test]
fn only_a_tool_that_failed_is_an_error() {
    for (status, error) in [
        (ToolStatus::Executed, None),
        (ToolStatus::Answered, None),
        (ToolStatus::Denied, None),
        (ToolStatus::Failed, Some("failed")),
    ] {
        let attempt = attempt(vec![Step::Tool {
            node: "act".to_owned(),
            call_id: "c1".to_owned(),
            name: "done".to_owned(),
            arguments: json!({}),
            status,
            latency_ms: 0.0,
        }]);
        let spans = spans(&header(), &attempt);
        assert_eq!(spans[2].error.as_deref(), error, "{status:?}");
    }
}

#[test]
fn arguments_that_are_no_object_become_one() {
    assert_eq!(object(&json!({ "a": 1 })).len(), 1);
    assert_eq!(object(&json!("a"))["arguments"], "a");
}
