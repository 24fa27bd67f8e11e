//! An attempt's spans as the service's runs.
//!
//! The root stands for the attempt: it has the inputs of the example that it was an attempt at,
//! and what was done under the keys of the example's outputs, so that the two stand side by side.
//! Ids and order follow from the journal and from where the runs go ([`Place`]), so the same
//! attempt makes the same runs, wherever and how often it is sent.

mod chat;
mod text;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use text::cut;
use text::tidy;

use super::ids;
use super::wire::{Extra, Object, Run, RunHead, RunType};
use crate::agent::tools::Tool;
use crate::experiment::{Attempt, CaseKind, Header};
use crate::run::{Response, Run as Handled, Usage};
use crate::score::tool_calls::made;
use crate::trace::{Span, Trace, Work, object};

/// Where the attempts of one variant go.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The experiment's id.
    pub session: Uuid,
    /// The experiment's name.
    pub name: &'a str,
    /// What is added to every time, in milliseconds: the service takes nothing that is old.
    pub shift_ms: i64,
    pub hide_inputs: bool,
    pub hide_outputs: bool,
}

/// The run that stands for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    pub id: Uuid,
    /// As it is sent: shifted.
    pub started: Timestamp,
}

impl Root {
    /// That of an attempt of `header`'s plan, which needs no trajectory.
    pub fn of<R>(header: &Header, attempt: &Attempt<R>, place: &Place<'_>) -> Root {
        let started = place.time(Trace::began(header, attempt));
        Root {
            id: place.id(attempt, started, ""),
            started,
        }
    }
}

/// A time that is moved by milliseconds; the ends of the calendar stay where they are.
pub fn moved(time: Timestamp, by_ms: i64) -> Timestamp {
    let by = SignedDuration::from_millis(by_ms);
    time.checked_add(by).unwrap_or(match by_ms < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    })
}

impl Place<'_> {
    /// A time as it is sent.
    fn time(&self, time: Timestamp) -> Timestamp {
        moved(time, self.shift_ms)
    }

    fn id<R>(&self, attempt: &Attempt<R>, started: Timestamp, path: &str) -> Uuid {
        let repeat = attempt.case.repeat.to_string();
        ids::at(
            started,
            self.session,
            &[&attempt.case.example, &repeat, path],
        )
    }
}

/// The runs of an attempt of `header`'s plan, the root first, and each after the one that it is
/// within. `trace` is the attempt's; `example` the example that it was an attempt at, and
/// `inputs` what that is sent with.
///
/// Texts that would make the attempt large are cut in their middle, and say so; U+0000, which the
/// service cannot hold, is in none.
pub fn runs(
    header: &Header,
    attempt: &Attempt<Handled>,
    trace: &Trace,
    place: &Place<'_>,
    example: Uuid,
    inputs: &Object,
) -> Vec<Run> {
    let root = Root::of(header, attempt, place);
    let mut runs: Vec<Run> = Vec::with_capacity(trace.spans.len());
    let mut emails = Emails {
        attempt,
        inputs,
        shown: 0,
        shown_again: 0,
    };
    for span in &trace.spans {
        let parent = span.parent.map(|parent| &runs[parent].head);
        let started = place.time(span.started);
        let id = place.id(attempt, started, &span.path);
        let order = parent.map(|parent| parent.dotted_order.as_str());
        let head = RunHead {
            id,
            trace_id: root.id,
            parent_run_id: parent.map(|parent| parent.id),
            dotted_order: ids::dotted_order(order, started, id),
            name: span.name.clone(),
            run_type: match span.work {
                Work::Model(_) => RunType::Llm,
                Work::Tool { .. } => RunType::Tool,
                Work::Attempt
                | Work::Email { .. }
                | Work::Node
                | Work::Interrupt { .. }
                | Work::Memory { .. } => RunType::Chain,
            },
            start_time: started,
            end_time: place.time(span.ended),
            session_id: place.session,
            session_name: place.name.to_owned(),
            reference_example_id: parent.is_none().then_some(example),
            tags: match parent {
                None => attempt.tags.clone(),
                Some(_) => Vec::new(),
            },
        };
        let told = match &span.work {
            Work::Attempt => Told {
                inputs: inputs.clone(),
                outputs: outputs(attempt),
                metadata: metadata(header, attempt),
            },
            Work::Email { ablation } => emails.next(*ablation),
            _ => told(span),
        };
        runs.push(Run {
            head,
            inputs: match place.hide_inputs {
                true => Object::new(),
                false => told.inputs,
            },
            outputs: match place.hide_outputs {
                true => Object::new(),
                false => told.outputs,
            },
            error: match place.hide_outputs {
                true => span.error_class().map(str::to_owned),
                false => span.error.clone(),
            },
            extra: Extra {
                metadata: told.metadata,
            },
        });
    }
    tidy(&mut runs);
    runs
}

/// What a run says of a span.
#[derive(Default)]
struct Told {
    inputs: Object,
    outputs: Object,
    metadata: Object,
}

fn told(span: &Span) -> Told {
    match &span.work {
        Work::Attempt | Work::Email { .. } | Work::Node => Told::default(),
        Work::Model(call) => chat::told(call),
        Work::Tool {
            call_id,
            arguments,
            status,
            result,
        } => Told {
            inputs: object(arguments),
            outputs: some([("output", result.as_deref().map(Value::from))]),
            metadata: some([
                ("tool_call_id", Some(json!(call_id))),
                ("status", Some(json!(status))),
            ]),
        },
        Work::Interrupt {
            interrupt,
            response,
            answered_by,
        } => {
            let said = match response {
                Response::Edit(arguments) => Some(("args", json!(arguments))),
                Response::Respond(text) => Some(("text", json!(text))),
                Response::Accept | Response::Ignore => None,
            };
            let mut outputs = some([("response", Some(json!(response.kind())))]);
            outputs.extend(said.map(|(key, value)| (key.to_owned(), value)));
            outputs.insert("answered_by".to_owned(), json!(answered_by));
            Told {
                inputs: some([
                    ("action", Some(json!(interrupt.action))),
                    ("args", Some(json!(interrupt.args))),
                    ("allowed", Some(json!(interrupt.allowed.kinds()))),
                    (
                        "description",
                        interrupt.description.as_deref().map(Value::from),
                    ),
                ]),
                outputs,
                metadata: some([("interrupt_id", Some(json!(interrupt.id)))]),
            }
        }
        Work::Memory {
            namespace,
            key,
            before,
            after,
            reason,
        } => Told {
            inputs: some([
                ("namespace", Some(json!(namespace))),
                ("key", Some(json!(key))),
                ("before", before.as_deref().map(Value::from)),
            ]),
            outputs: some([
                ("after", Some(json!(after))),
                ("reason", Some(json!(reason))),
            ]),
            metadata: Object::new(),
        },
    }
}

/// What was done in an attempt, under the keys of what an example expects.
fn outputs(attempt: &Attempt<Handled>) -> Object {
    match attempt.kind {
        CaseKind::Example | CaseKind::Scenario => {
            attempt.runs.first().map(answer).unwrap_or_default()
        }
        CaseKind::Episode => {
            let steps: Vec<Object> = attempt.runs.iter().map(answer).collect();
            some([("steps", Some(json!(steps)))])
        }
    }
}

/// What became of an email: the decision, the calls that were made, with the arguments they ran
/// with, and the text of the last mail written.
fn answer(run: &Handled) -> Object {
    let made: Vec<made::Call> = made::calls(run);
    let made: Vec<&made::Call> = made.iter().filter(|call| call.was_made()).collect();
    let mut mails = made
        .iter()
        .filter(|call| Tool::WriteEmail.is_called(&call.name));
    let reply = mails
        .next_back()
        .and_then(|mail| mail.arguments.get("content"));
    let calls = made
        .iter()
        .map(|call| json!({ "name": call.name, "args": call.arguments }));
    some([
        ("triage", run.triage.map(|triage| json!(triage))),
        ("tool_calls", Some(calls.collect())),
        ("reply", reply.cloned()),
    ])
}

/// What the root says of its attempt, for people to filter by.
fn metadata(header: &Header, attempt: &Attempt<Handled>) -> Object {
    let case = &attempt.case;
    let variant = &header.variants[case.variant as usize];
    let thread = format!("{}/{}/{}", variant.name, case.example, case.repeat);
    let mut usage = Usage::default();
    // Of the attempt itself: what its judges used changes with every scoring.
    for run in attempt.runs.iter().chain(&attempt.ablation) {
        usage.add(&run.usage);
    }
    some([
        ("mailproof_version", Some(json!(header.tool_version))),
        ("experiment", Some(json!(header.experiment))),
        ("variant", Some(json!(variant.name))),
        ("agent", Some(json!(variant.agent))),
        ("model", Some(json!(variant.model))),
        ("case", Some(json!(case.example))),
        ("kind", Some(json!(attempt.kind))),
        ("repeat", Some(json!(case.repeat))),
        ("thread_id", Some(json!(thread))),
        ("split", attempt.split.as_deref().map(Value::from)),
        ("cluster", attempt.cluster.as_deref().map(Value::from)),
        ("outcome", Some(json!(attempt.outcome))),
        (
            "emails",
            (attempt.kind == CaseKind::Episode).then(|| json!(attempt.runs.len())),
        ),
        ("latency_ms", Some(json!(attempt.latency_ms))),
        ("usage", Some(json!(usage))),
        (
            "notes",
            (!attempt.notes.is_empty()).then(|| json!(attempt.notes)),
        ),
    ])
}

/// The emails of an episode, in order.
struct Emails<'a> {
    attempt: &'a Attempt<Handled>,
    inputs: &'a Object,
    /// How many were told, with the shared memory and without.
    shown: usize,
    shown_again: usize,
}

impl Emails<'_> {
    fn next(&mut self, ablation: bool) -> Told {
        let (runs, number) = match ablation {
            false => (&self.attempt.runs, &mut self.shown),
            true => (&self.attempt.ablation, &mut self.shown_again),
        };
        let (run, email) = (runs.get(*number), self.inputs.get("emails"));
        let email = email.and_then(|emails| emails.get(*number));
        *number += 1;
        Told {
            inputs: some([("email", email.cloned())]),
            outputs: run.map(answer).unwrap_or_default(),
            metadata: some([
                ("email", Some(json!(*number))),
                ("ablation", Some(json!(ablation))),
                ("outcome", run.map(|run| json!(run.outcome))),
            ]),
        }
    }
}

/// An object of what there is.
fn some<const N: usize>(entries: [(&str, Option<Value>); N]) -> Object {
    let entries = entries.into_iter();
    let there = entries.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    there.collect()
}

#[cfg(test)]
mod tests;
