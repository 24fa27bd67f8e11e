//! What happened in a run, one thing after the other.
//!
//! What a model is told again with every call is told here once, and the email of the run
//! stands apart from all of it.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::diff::{Line, lines};
use crate::message::{Message, Role, ToolCall, ToolStatus};
use crate::report::figures;
use crate::run::{ReplyRef, Response, Run, Sent, Step, Stop};

/// One run: an attempt has one, an episode one for each email.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    outcome: &'static str,
    error: Option<&'a str>,
    triage: Option<&'static str>,
    reasoning: Option<&'a str>,
    email: Option<&'a str>,
    events: Vec<Event<'a>>,
}

/// One thing that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
enum Event<'a> {
    Model {
        node: &'a str,
        role: &'static str,
        took: String,
        /// Sent and received.
        tokens: Option<[u64; 2]>,
        ended: Option<&'static str>,
        /// What the model is told for the first time.
        heard: Vec<Said<'a>>,
        said: Vec<Said<'a>>,
    },
    Tool {
        node: &'a str,
        name: &'a str,
        status: &'static str,
        took: String,
        /// Where they are not those that the model proposed.
        arguments: Option<Arguments<'a>>,
        results: Vec<&'a str>,
    },
    Ask {
        node: &'a str,
        action: &'a str,
        arguments: Arguments<'a>,
        by: &'a str,
        answer: &'static str,
        /// Of an edit, the arguments that it changed.
        edited: Arguments<'a>,
        text: Option<&'a str>,
    },
    Memory {
        node: &'a str,
        namespace: &'a str,
        reason: &'a str,
        lines: Vec<Line>,
    },
    /// What entered the conversation after the last model call.
    Rest { heard: Vec<Said<'a>> },
}

type Arguments<'a> = Vec<(&'a str, String)>;

#[derive(Debug, Serialize)]
struct Said<'a> {
    who: &'a str,
    status: Option<&'static str>,
    text: &'a str,
    /// Whether the email stands after the text.
    email: bool,
    /// Whether a person changed a message that was there before.
    edited: bool,
    calls: Vec<Call<'a>>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    name: &'a str,
    arguments: Arguments<'a>,
}

/// Where the email begins in what an agent is told of it, as [`crate::email::Email::to_prompt`]
/// writes it.
fn email(text: &str) -> Option<usize> {
    const SUBJECT: &str = "**Subject**: ";
    match text.starts_with(SUBJECT) {
        true => Some(0),
        false => text.find(&format!("\n{SUBJECT}")).map(|start| start + 1),
    }
}

/// The email that a run is about, where the agent was told it in that form.
pub fn email_of(run: &Run) -> Option<&str> {
    let sent = run.steps.iter().filter_map(|step| match step {
        Step::Model {
            sent: Sent::Messages(messages),
            ..
        } => Some(messages),
        _ => None,
    });
    let mut told = sent.flatten().chain(&run.messages);
    told.find_map(|message| match message.role {
        Role::User => Some(&message.content[email(&message.content)?..]),
        Role::Assistant | Role::Tool => None,
    })
}

struct Teller<'a> {
    run: &'a Run,
    email: Option<&'a str>,
    /// Entries of the log that were told, by position.
    told: HashSet<usize>,
}

impl<'a> Told<'a> {
    pub fn new(run: &'a Run) -> Told<'a> {
        let mut teller = Teller {
            run,
            email: email_of(run),
            told: HashSet::new(),
        };
        let mut events: Vec<Event<'a>> = run.steps.iter().map(|step| teller.event(step)).collect();
        let heard = teller.news(run.messages.len());
        if !heard.is_empty() {
            events.push(Event::Rest { heard });
        }
        Told {
            outcome: run.outcome.name(),
            error: run.error.as_deref(),
            triage: run.triage.map(|triage| triage.name()),
            reasoning: run.reasoning.as_deref(),
            email: teller.email,
            events,
        }
    }
}

impl<'a> Teller<'a> {
    fn event(&mut self, step: &'a Step) -> Event<'a> {
        match step {
            Step::Model {
                node,
                role,
                sent,
                reply,
                usage,
                stop,
                latency_ms,
                ..
            } => {
                let (heard, from) = match sent {
                    Sent::Log(length) => (self.news(*length), *length),
                    Sent::Messages(messages) => {
                        let heard = messages.iter().map(|message| self.said(message, None));
                        (heard.collect(), 0)
                    }
                };
                let tokens = [usage.input_tokens, usage.output_tokens];
                Event::Model {
                    node,
                    role: figures::role(*role),
                    took: figures::duration(*latency_ms),
                    // The offline model counts none.
                    tokens: (tokens != [0, 0]).then_some(tokens),
                    ended: stop.map(|stop| match stop {
                        Stop::Length => "cut off at the most tokens allowed",
                        Stop::Refusal => "refused",
                        Stop::Filtered => "filtered by the provider",
                    }),
                    heard,
                    said: self.reply(reply, from),
                }
            }
            Step::Tool {
                node,
                call_id,
                name,
                arguments,
                status,
                latency_ms,
            } => {
                let run = self.run;
                let mut proposed = run.messages.iter().flat_map(|message| &message.tool_calls);
                let as_proposed =
                    proposed.any(|call| call.id == *call_id && call.arguments == *arguments);
                let mut results = Vec::new();
                for (position, message) in run.messages.iter().enumerate() {
                    let answers = message.tool_call_id.as_deref() == Some(call_id);
                    if answers && self.told.insert(position) {
                        results.push(message.content.as_str());
                    }
                }
                Event::Tool {
                    node,
                    name,
                    status: status_word(*status),
                    took: figures::duration(*latency_ms),
                    arguments: (!as_proposed).then(|| named(arguments)),
                    results,
                }
            }
            Step::Interrupt {
                node,
                interrupt,
                response,
                answered_by,
            } => {
                let (edited, text) = match response {
                    Response::Edit(arguments) => {
                        let changed = arguments
                            .iter()
                            .filter(|(name, value)| interrupt.args.get(*name) != Some(*value));
                        let changed = changed.map(|(name, value)| (name.as_str(), plain(value)));
                        (changed.collect(), None)
                    }
                    Response::Respond(text) => (Vec::new(), Some(text.as_str())),
                    Response::Accept | Response::Ignore => (Vec::new(), None),
                };
                let arguments = interrupt.args.iter();
                Event::Ask {
                    node,
                    action: &interrupt.action,
                    arguments: arguments
                        .map(|(name, value)| (name.as_str(), plain(value)))
                        .collect(),
                    by: answered_by,
                    answer: response.kind(),
                    edited,
                    text,
                }
            }
            Step::Memory {
                node,
                namespace,
                before,
                after,
                reason,
                ..
            } => Event::Memory {
                node,
                namespace,
                reason,
                lines: lines(before.as_deref().unwrap_or_default(), after),
            },
        }
    }

    /// What the first `length` entries of the log hold that was not told.
    fn news(&mut self, length: usize) -> Vec<Said<'a>> {
        let run = self.run;
        let mut news = Vec::new();
        for (position, message) in run.messages.iter().enumerate().take(length) {
            if self.told.insert(position) {
                let earlier = run.messages[..position].iter();
                let earlier = earlier.rev().find(|earlier| earlier.id == message.id);
                news.push(self.said(message, earlier));
            }
        }
        news
    }

    /// The reply, which entered the log as its entry `from` or later, if it entered it at all.
    fn reply(&mut self, reply: &'a ReplyRef, from: usize) -> Vec<Said<'a>> {
        let run = self.run;
        match reply {
            ReplyRef::Text(text) => vec![Said {
                who: "assistant",
                status: None,
                text,
                email: false,
                edited: false,
                calls: Vec::new(),
            }],
            ReplyRef::Message(id) => {
                let mut entries = run.messages.iter().enumerate().skip(from);
                let entry = entries.find(|(_, message)| message.id == *id);
                let said = entry.map(|(position, message)| {
                    self.told.insert(position);
                    self.said(message, None)
                });
                said.into_iter().collect()
            }
        }
    }

    /// Of a message that a person changed, `earlier` is what it was.
    fn said(&self, message: &'a Message, earlier: Option<&Message>) -> Said<'a> {
        let text = message.content.as_str();
        // The email is shown once, at the top.
        let email = self.email.filter(|_| message.role == Role::User);
        let before = email.and_then(|email| text.strip_suffix(email));
        let known =
            |call: &&ToolCall| earlier.is_none_or(|earlier| !earlier.tool_calls.contains(call));
        let calls = message.tool_calls.iter().filter(known);
        Said {
            who: match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::Tool => message.name.as_deref().unwrap_or("tool"),
            },
            status: (message.role == Role::Tool).then(|| status_word(message.status)),
            text: match earlier {
                Some(earlier) if earlier.content == message.content => "",
                _ => before.unwrap_or(text).trim_end(),
            },
            email: before.is_some(),
            edited: earlier.is_some(),
            calls: calls
                .map(|call| Call {
                    name: &call.name,
                    arguments: named(&call.arguments),
                })
                .collect(),
        }
    }
}

/// Arguments by name; what is no object has no name.
fn named(arguments: &Value) -> Arguments<'_> {
    match arguments {
        Value::Object(arguments) => arguments
            .iter()
            .map(|(name, value)| (name.as_str(), plain(value)))
            .collect(),
        other => vec![("", plain(other))],
    }
}

/// Text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn status_word(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Executed => "ran",
        ToolStatus::Failed => "failed",
        ToolStatus::Denied => "was turned down",
        ToolStatus::Answered => "was answered by a person",
    }
}

/// The subject of an email in the form of [`crate::email::Email::to_prompt`].
pub fn subject(email: &str) -> &str {
    let first = email.lines().next().unwrap_or_default();
    first.strip_prefix("**Subject**:").unwrap_or(first).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_begins_at_its_subject() {
        for (told, start) in [
            ("**Subject**: Hi\n\nBody", Some(0)),
            ("Deal with it.\n\n**Subject**: Hi\n", Some(15)),
            ("It says **Subject**: in passing", None),
            ("", None),
        ] {
            assert_eq!(email(told), start, "{told:?}");
        }
        assert_eq!(subject("**Subject**: Hi there\n**From**: a"), "Hi there");
        assert_eq!(subject(""), "");
    }

    #[test]
    fn arguments_are_text() {
        let arguments =
            serde_json::json!({ "to": "a@b.example", "days": [1, 2], "$text": { "x": "y" } });
        let shown = named(&arguments);
        let expected = [
            ("to", "a@b.example"),
            ("days", "[1,2]"),
            ("$text", "{\"x\":\"y\"}"),
        ];
        assert_eq!(
            shown,
            expected.map(|(name, value)| (name, value.to_owned()))
        );
        assert_eq!(named(&Value::Null), [("", "null".to_owned())]);
    }
}
