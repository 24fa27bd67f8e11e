//! Runs and examples for tests, in a few words.

use jiff::civil::date;
use serde_json::{Map, Value};

use crate::dataset::{ArgumentMatcher, CallPattern, Example, Expect, MatchMode};
use crate::email::{Email, Triage};
use crate::message::{Message, ToolCall, ToolStatus};
use crate::run::{
    Allowed, Interrupt, ModelRole, Outcome, ReplyRef, Response, Run, Sent, Step, TokenUsage, Usage,
};

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

pub fn contains(part: &str) -> ArgumentMatcher {
    ArgumentMatcher {
        contains: Some(part.into()),
        ..ArgumentMatcher::default()
    }
}

/// What a question shows: the email of [`example`], and the call.
pub fn described(arguments: &Value) -> String {
    format!("**Subject**: Invoice\n\nIs it paid?\n\n{arguments:#}")
}

/// A run as an agent that asks would leave it, told event by event.
#[derive(Clone, Debug)]
pub struct Story {
    run: Run,
    calls: Vec<(String, ToolCall)>,
}

impl Story {
    /// An email that wants an answer.
    pub fn respond() -> Self {
        Story {
            run: run(vec![Message::user("email", "…")]),
            calls: Vec::new(),
        }
    }

    /// An email that nothing was done about.
    pub fn quiet() -> Self {
        Story {
            run: run(Vec::new()),
            calls: Vec::new(),
        }
    }

    /// An email that the person hears of, and what they say.
    pub fn notice(response: Response) -> Self {
        let mut story = Story {
            run: Run {
                triage: Some(Triage::Notify),
                ..run(Vec::new())
            },
            calls: Vec::new(),
        };
        story.pause(
            Interrupt {
                id: "0".into(),
                action: "notify".into(),
                args: Map::new(),
                allowed: Allowed {
                    accept: true,
                    ignore: true,
                    respond: true,
                    edit: false,
                },
                description: Some(described(&Value::Null)),
            },
            response,
        );
        story
    }

    /// The model's message, of calls by id.
    pub fn says(mut self, calls: &[(&str, &str, Value)]) -> Self {
        let id = format!("m{}", self.run.messages.len());
        let call = |(id, name, arguments): &(&str, &str, Value)| ToolCall {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            arguments: arguments.clone(),
        };
        let calls: Vec<ToolCall> = calls.iter().map(call).collect();
        self.calls
            .extend(calls.iter().map(|call| (id.clone(), call.clone())));
        self.run.messages.push(Message::assistant(&id, "", calls));
        self.run.steps.push(Step::Model {
            node: "respond".into(),
            role: ModelRole::Agent,
            prompt: "0".into(),
            sent: Sent::Log(0),
            reply: ReplyRef::Message(id),
            usage: TokenUsage::default(),
            stop: None,
            latency_ms: 0.0,
        });
        self
    }

    /// The person is asked about a call, as it is, and answers.
    pub fn asks(mut self, id: &str, response: Response) -> Self {
        let (message, call) = self.call(id);
        let args = call.arguments.as_object().expect("an object").clone();
        let is_question = call.is("question");
        self.pause(
            Interrupt {
                id: self.run.steps.len().to_string(),
                action: call.name.clone(),
                allowed: Allowed {
                    accept: !is_question,
                    edit: !is_question,
                    ignore: true,
                    respond: true,
                },
                description: Some(described(&call.arguments)),
                args,
            },
            response.clone(),
        );
        if let Response::Edit(args) = response {
            let mut edited = self.run.messages.iter().find(|known| known.id == message);
            let mut edited = edited.take().expect("the call's message").clone();
            for known in &mut edited.tool_calls {
                if known.id == id {
                    known.arguments = args.clone().into();
                }
            }
            self.run.messages.push(edited);
            let known = self.calls.iter_mut().find(|(_, call)| call.id == id);
            known.expect("a call of the story").1.arguments = args.into();
        }
        self
    }

    /// A call is answered; with this status and text.
    pub fn answers(mut self, id: &str, status: ToolStatus, text: &str) -> Self {
        let (_, call) = self.call(id);
        let id = format!("t{}", self.run.messages.len());
        self.run
            .messages
            .push(Message::tool(id, &call, status, text));
        self.run.steps.push(Step::Tool {
            node: "act".into(),
            call_id: call.id,
            name: call.name,
            arguments: call.arguments,
            status,
            latency_ms: 0.0,
        });
        self
    }

    pub fn runs(self, id: &str) -> Self {
        self.answers(id, ToolStatus::Executed, "ok")
    }

    /// A user message.
    pub fn tells(mut self, text: &str) -> Self {
        let id = format!("u{}", self.run.messages.len());
        self.run.messages.push(Message::user(id, text));
        self
    }

    /// The model ends the run.
    pub fn ends_done(self) -> Run {
        self.says(&[("end", "done", serde_json::json!({"done": true}))])
            .runs("end")
            .run
    }

    pub fn ends(self) -> Run {
        self.run
    }

    fn call(&self, id: &str) -> (String, ToolCall) {
        let call = self.calls.iter().find(|(_, call)| call.id == id);
        call.expect("a call of the story").clone()
    }

    fn pause(&mut self, interrupt: Interrupt, response: Response) {
        self.run.pauses.push(self.run.steps.len());
        self.run.steps.push(Step::Interrupt {
            node: "ask".into(),
            interrupt,
            response,
            answered_by: "scripted".into(),
        });
    }
}
