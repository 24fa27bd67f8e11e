//! One attempt as the page shows it: what it came to, and step by step how.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::experiment::{Attempt, Verdict};
use crate::judge::{Judged, Ruling};
use crate::message::{Message, Role, ToolCall, ToolStatus};
use crate::report::{figures, judges, people};
use crate::run::{ReplyRef, Response, Run, Sent, Step, Stop};
use crate::score::{Feedback, MemoryChange};

/// Lines around a change that are shown with it.
const CONTEXT: usize = 1;
/// Lines of a memory that are compared: how long that takes grows with their square.
const LINES_COMPARED: usize = 2_000;

/// What an attempt came to.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    pub variant: u32,
    /// From 1.
    pub attempt: u32,
    pub verdict: &'static str,
    pub found: Option<&'static str>,
    pub outcome: &'static str,
    pub error: Option<&'a str>,
    pub took: String,
    /// Of the agent, judges left out.
    pub calls: u64,
    pub cost: Option<String>,
    pub scores: Vec<Scored<'a>>,
    pub notes: &'a [String],
}

#[derive(Debug, Serialize)]
pub struct Scored<'a> {
    key: &'static str,
    score: f64,
    diagnostic: bool,
    comment: Option<&'a str>,
    /// Conditions that did not hold.
    broken: Vec<Broken<'a>>,
    held: usize,
}

#[derive(Debug, Serialize)]
struct Broken<'a> {
    /// In words.
    condition: &'static str,
    comment: Option<&'a str>,
}

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unscored => "unscored",
    }
}

impl<'a> Summary<'a> {
    pub fn new<R>(attempt: &'a Attempt<R>) -> Summary<'a> {
        let cost = attempt.usage.cost().filter(|cost| cost.trillionths() > 0);
        Summary {
            variant: attempt.case.variant,
            attempt: attempt.case.repeat + 1,
            verdict: verdict(attempt.verdict()),
            found: attempt.found.map(|found| found.name()),
            outcome: attempt.outcome.name(),
            error: attempt.error.as_deref(),
            took: figures::duration(attempt.latency_ms),
            calls: figures::own_calls(&attempt.usage),
            cost: cost.map(|cost| format!("{} USD", crate::report::usd(cost))),
            scores: attempt.feedback.iter().map(Scored::new).collect(),
            notes: &attempt.notes,
        }
    }
}

impl<'a> Scored<'a> {
    fn new(feedback: &'a Feedback) -> Scored<'a> {
        let checks = &feedback.checks;
        let broken = checks.iter().filter(|check| !check.passed);
        Scored {
            key: feedback.key.name(),
            score: feedback.score.get(),
            diagnostic: feedback.key.is_diagnostic(),
            comment: feedback.comment.as_deref(),
            held: checks.iter().filter(|check| check.passed).count(),
            broken: broken
                .map(|check| Broken {
                    condition: people::check_words(check.name),
                    comment: check.comment.as_deref(),
                })
                .collect(),
        }
    }
}

/// All that happened in an attempt.
#[derive(Debug, Serialize)]
pub struct Whole<'a> {
    pub judged: Vec<JudgedWhole<'a>>,
    pub memory: Vec<Changed<'a>>,
    pub learning: Vec<Learnt>,
    pub runs: Vec<Told<'a>>,
}

#[derive(Debug, Serialize)]
pub struct JudgedWhole<'a> {
    judge: &'static str,
    rulings: Vec<Ruled<'a>>,
}

#[derive(Debug, Serialize)]
struct Ruled<'a> {
    statement: &'a str,
    verdict: &'static str,
    /// Critical, its weight, decided by code.
    facts: Vec<String>,
    reason: &'a str,
    quotes: &'a [String],
    /// Those of a panel; one alone says what the ruling says.
    votes: Vec<Voted<'a>>,
}

#[derive(Debug, Serialize)]
struct Voted<'a> {
    model: &'a str,
    verdict: &'static str,
    /// Where it is not the ruling's.
    reason: Option<&'a str>,
}

/// An entry of a memory, line by line.
#[derive(Debug, Serialize)]
pub struct Changed<'a> {
    namespace: &'a str,
    key: &'a str,
    lines: Vec<Line>,
}

/// A sign (`+`, `-`, a space, or `…` for lines left out) and a line.
type Line = (char, String);

/// Shares of what an email of an episode asks that held.
#[derive(Debug, Serialize)]
pub struct Learnt {
    with: Option<f64>,
    without: Option<f64>,
}

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

impl<'a> Whole<'a> {
    pub fn new(attempt: &'a Attempt<Run>) -> Whole<'a> {
        let learning = attempt.learning.iter().flat_map(|learning| &learning.steps);
        Whole {
            judged: attempt.judged.iter().map(JudgedWhole::new).collect(),
            memory: attempt.memory.iter().map(Changed::new).collect(),
            learning: learning
                .map(|step| Learnt {
                    with: step.with.map(|score| score.get()),
                    without: step.without.map(|score| score.get()),
                })
                .collect(),
            runs: attempt.runs.iter().map(Told::new).collect(),
        }
    }
}

impl<'a> JudgedWhole<'a> {
    fn new(judged: &'a Judged) -> JudgedWhole<'a> {
        JudgedWhole {
            judge: judged.judge.name(),
            rulings: judged.rulings.iter().map(Ruled::new).collect(),
        }
    }
}

impl<'a> Ruled<'a> {
    fn new(ruling: &'a Ruling) -> Ruled<'a> {
        let mut facts = Vec::new();
        if ruling.critical {
            facts.push("critical".to_owned());
        }
        if ruling.weight != 1.0 {
            facts.push(format!("weight {}", ruling.weight));
        }
        if ruling.is_by_code() {
            facts.push("decided by code".to_owned());
        }
        let votes = match &ruling.votes[..] {
            [_] => &[],
            votes => votes,
        };
        Ruled {
            statement: &ruling.statement,
            verdict: judges::words::verdict_word(ruling.verdict),
            facts,
            reason: &ruling.reason,
            quotes: &ruling.quotes,
            votes: votes
                .iter()
                .map(|vote| Voted {
                    model: &vote.model,
                    verdict: judges::words::verdict_word(vote.verdict),
                    reason: (vote.reason != ruling.reason).then_some(vote.reason.as_str()),
                })
                .collect(),
        }
    }
}

impl<'a> Changed<'a> {
    fn new(change: &'a MemoryChange) -> Changed<'a> {
        let text = |side: &'a Option<String>| side.as_deref().unwrap_or_default();
        Changed {
            namespace: &change.namespace,
            key: &change.key,
            lines: changes(text(&change.before), text(&change.after)),
        }
    }
}

/// The lines that differ, with one around each.
fn changes(before: &str, after: &str) -> Vec<Line> {
    let (before, after) = (start(before), start(after));
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    let mut told = 0;
    for group in diff.grouped_ops(CONTEXT) {
        let Some(first) = group.first() else {
            continue;
        };
        if first.old_range().start > told {
            lines.push(('…', String::new()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push((
                sign,
                change.value().trim_end_matches(['\r', '\n']).to_owned(),
            ));
        }
        told = group.last().map_or(told, |last| last.old_range().end);
    }
    if !lines.is_empty() && told < before.lines().count() {
        lines.push(('…', String::new()));
    }
    lines
}

fn start(text: &str) -> &str {
    let end = text.match_indices('\n').nth(LINES_COMPARED - 1);
    &text[..end.map_or(text.len(), |(end, _)| end + 1)]
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
fn email_of(run: &Run) -> Option<&str> {
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
    fn new(run: &'a Run) -> Told<'a> {
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
                lines: changes(before.as_deref().unwrap_or_default(), after),
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

/// The email of an attempt's first run.
pub fn first_email(attempt: &Attempt<Run>) -> Option<&str> {
    attempt.runs.first().and_then(email_of)
}

/// The subject of an email in the form of [`crate::email::Email::to_prompt`].
pub fn subject(email: &str) -> &str {
    let first = email.lines().next().unwrap_or_default();
    first.strip_prefix("**Subject**:").unwrap_or(first).trim()
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
