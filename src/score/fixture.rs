//! Runs and examples for tests, in a few words.

use jiff::civil::date;
use serde_json::Value;

use crate::dataset::{ArgumentMatcher, CallPattern, Example, Expect, MatchMode};
use crate::email::{Email, Triage};
use crate::message::{Message, ToolCall, ToolStatus};
use crate::run::{Outcome, Run, Usage};

pub fn run(messages: Vec<Message>) -> Run {
    Run {
        outcome: Outcome::Finished,
        error: None,
        triage: Some(Triage::Respond),
        reasoning: None,
        messages,
        steps: Vec::new(),
        usage: Usage::default(),
        latency_ms: 0.0,
        pauses: Vec::new(),
        memory: None,
        prompts: Vec::new(),
    }
}

/// A call and what became of it.
#[derive(Clone, Debug)]
pub struct Made {
    pub name: String,
    pub arguments: Value,
    pub status: Option<ToolStatus>,
}

impl Made {
    pub fn new(name: &str, arguments: Value) -> Self {
        Made {
            name: name.into(),
            arguments,
            status: Some(ToolStatus::Executed),
        }
    }

    pub fn status(self, status: Option<ToolStatus>) -> Self {
        Made { status, ..self }
    }
}

/// A run whose model made one call a message; calls without a status have no answer.
pub fn called(calls: &[Made]) -> Run {
    let mut messages = vec![Message::user("email", "…")];
    for (i, made) in calls.iter().enumerate() {
        let call = ToolCall {
            id: format!("call-{i}"),
            name: made.name.clone(),
            arguments: made.arguments.clone(),
        };
        messages.push(Message::assistant(
            format!("ai-{i}"),
            "",
            vec![call.clone()],
        ));
        if let Some(status) = made.status {
            messages.push(Message::tool(format!("tool-{i}"), &call, status, "ok"));
        }
    }
    run(messages)
}

pub fn example(triage: Triage) -> Example {
    Example {
        id: "invoice".into(),
        email: Email {
            from: "Ana Ruiz <ana@northwind.example>".into(),
            to: "Sam Lee <sam@acme.example>".into(),
            subject: "Invoice".into(),
            body: "Is it paid?".into(),
            date: Some(date(2026, 3, 2)),
        },
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
        expect: Expect {
            triage,
            ..expect(MatchMode::AtLeast, Vec::new())
        },
    }
}

pub fn expect(mode: MatchMode, tool_calls: Vec<CallPattern>) -> Expect {
    Expect {
        triage: Triage::Respond,
        tool_calls: Some(tool_calls),
        mode,
        forbidden: Vec::new(),
        criteria: Vec::new(),
    }
}

pub fn pattern(name: &str, arguments: &[(&str, ArgumentMatcher)]) -> CallPattern {
    CallPattern {
        name: name.into(),
        arguments: arguments
            .iter()
            .map(|(name, matcher)| ((*name).to_owned(), matcher.clone()))
            .collect(),
    }
}

pub fn equals(value: Value) -> ArgumentMatcher {
    ArgumentMatcher {
        equals: Some(value),
        ..ArgumentMatcher::default()
    }
}
