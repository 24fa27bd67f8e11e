//! From the journal's record of an attempt to its spans.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{ModelCall, Span, Trace, Work};
use crate::experiment::{Attempt, CaseKind, Header, Variant};
use crate::message::{Message, PromptContent, ToolStatus, visible};
use crate::model::settings::Settings;
use crate::run::{ModelRole, Outcome, ReplyRef, Run, Sent, Step};

/// No attempt is told to have taken longer, whatever a journal says: a year, in microseconds.
const LONGEST: i64 = 366 * 86_400_000_000;

impl Trace {
    /// The spans of an attempt of `header`'s plan; no other's fits. `prompts` are the texts of those that it
    /// names ([`Trace::prompts`]) by hash; where one is missing, nothing is told of it.
    ///
    /// Times are whole microseconds, and depend on nothing but the journal. An attempt of
    /// which the journal does not say when it began is told to have begun with its
    /// experiment.
    pub fn of(
        header: &Header,
        attempt: &Attempt<Run>,
        prompts: &BTreeMap<String, PromptContent>,
    ) -> Trace {
        let variant = &header.variants[attempt.case.variant as usize];
        let mut teller = Teller {
            header,
            variant,
            prompts,
            began: Trace::began(header, attempt),
            elapsed: 0,
            spans: Vec::new(),
            within: Vec::new(),
            children: vec![0],
        };
        teller.enter(variant.agent.clone(), Work::Attempt);
        teller.spans[0].error = error(attempt.outcome, attempt.error.as_deref());
        match attempt.kind {
            CaseKind::Example | CaseKind::Scenario => {
                for run in &attempt.runs {
                    teller.run(run);
                }
            }
            CaseKind::Episode => {
                teller.emails(&attempt.runs, false);
                teller.emails(&attempt.ablation, true);
            }
        }
        teller.elapsed = teller.elapsed.max(micros(attempt.latency_ms));
        teller.leave();
        Trace {
            case: attempt.case.clone(),
            spans: teller.spans,
        }
    }

    /// When an attempt of `header`'s plan is told to have begun, which needs no trajectory.
    pub fn began<R>(header: &Header, attempt: &Attempt<R>) -> Timestamp {
        let began = attempt.started.unwrap_or(header.created);
        // Earlier times are in no calendar that spans are looked up in.
        floor(began.max(Timestamp::UNIX_EPOCH))
    }

    /// Hashes of the prompts that an attempt names.
    pub fn prompts(attempt: &Attempt<Run>) -> BTreeSet<&str> {
        let runs = attempt.runs.iter().chain(&attempt.ablation);
        let steps = runs.flat_map(|run| &run.steps);
        let prompts = steps.filter_map(|step| match step {
            Step::Model { prompt, .. } => Some(prompt.as_str()),
            Step::Tool { .. } | Step::Interrupt { .. } | Step::Memory { .. } => None,
        });
        prompts.collect()
    }
}

/// Puts spans one after the other and into each other.
struct Teller<'a> {
    header: &'a Header,
    variant: &'a Variant,
    prompts: &'a BTreeMap<String, PromptContent>,
    began: Timestamp,
    /// Microseconds since then.
    elapsed: i64,
    spans: Vec<Span>,
    /// The spans that are not over, each within the one before.
    within: Vec<usize>,
    /// How many there are within each of them, and beside the attempt.
    children: Vec<usize>,
}

impl Teller<'_> {
    fn enter(&mut self, name: String, work: Work) {
        let parent = self.within.last().copied();
        let number = self.children.last_mut().expect("one more than `within`");
        let path = match parent.map(|parent| self.spans[parent].path.as_str()) {
            None => String::new(),
            Some("") => number.to_string(),
            Some(path) => format!("{path}.{number}"),
        };
        *number += 1;
        let now = self.now();
        self.within.push(self.spans.len());
        self.children.push(0);
        self.spans.push(Span {
            parent,
            path,
            name,
            started: now,
            ended: now,
            error: None,
            work,
        });
    }

    fn leave(&mut self) {
        let span = self.within.pop().expect("entered before");
        self.children.pop();
        self.spans[span].ended = self.now();
    }

    fn now(&self) -> Timestamp {
        let since = SignedDuration::from_micros(self.elapsed);
        let now = self.began.checked_add(since).unwrap_or(Timestamp::MAX);
        floor(now)
    }

    /// What took no time, as the answers of people, which nobody's time is, takes a
    /// microsecond: readers put spans in the order of their times.
    fn pass(&mut self, milliseconds: f64) {
        self.elapsed = (self.elapsed + micros(milliseconds).max(1)).min(LONGEST);
    }

    fn emails(&mut self, runs: &[Run], ablation: bool) {
        for (number, run) in (1..).zip(runs) {
            let name = match ablation {
                false => format!("email {number}"),
                true => format!("email {number}, memory of its own"),
            };
            self.enter(name, Work::Email { ablation });
            let span = self.spans.len() - 1;
            self.spans[span].error = error(run.outcome, run.error.as_deref());
            self.run(run);
            self.leave();
        }
    }

    fn run(&mut self, run: &Run) {
        let began = self.elapsed;
        for visit in run.steps.chunk_by(|one, next| node(one) == node(next)) {
            self.enter(node(&visit[0]).to_owned(), Work::Node);
            for step in visit {
                self.step(run, step);
            }
            self.leave();
        }
        // What the attempt took beyond its steps: a call that was not answered, say.
        let ended = (began + micros(run.latency_ms)).min(LONGEST);
        self.elapsed = self.elapsed.max(ended);
    }

    fn step(&mut self, run: &Run, step: &Step) {
        match step {
            Step::Model {
                role,
                prompt,
                sent,
                reply,
                usage,
                stop,
                latency_ms,
                ..
            } => {
                let mut call = self.asked(*role, prompt);
                let after = match sent {
                    Sent::Log(length) => {
                        let length = run.messages.len().min(*length);
                        let sent = visible(&run.messages[..length]);
                        call.messages = sent.into_iter().cloned().collect();
                        length
                    }
                    Sent::Messages(messages) => {
                        call.messages = messages.clone();
                        0
                    }
                };
                match reply {
                    ReplyRef::Text(text) => call.text = text.clone(),
                    // As it was given: what a person made of it stands later in the log.
                    ReplyRef::Message(id) => {
                        let mut log = run.messages[after..].iter();
                        if let Some(said) = log.find(|message| message.id == *id) {
                            call.text = said.content.clone();
                            call.tool_calls = said.tool_calls.clone();
                        }
                    }
                }
                (call.usage, call.stop) = (*usage, *stop);
                self.enter(call.model.clone(), Work::Model(Box::new(call)));
                self.pass(*latency_ms);
            }
            Step::Tool {
                call_id,
                name,
                arguments,
                status,
                latency_ms,
                ..
            } => {
                let answers = |message: &&Message| message.tool_call_id.as_ref() == Some(call_id);
                let answer = run.messages.iter().rev().find(answers);
                let result = answer.map(|message| message.content.clone());
                let failed = *status == ToolStatus::Failed;
                let told = || result.clone().unwrap_or_else(|| "failed".to_owned());
                let error = failed.then(told);
                let work = Work::Tool {
                    call_id: call_id.clone(),
                    arguments: arguments.clone(),
                    status: *status,
                    result,
                };
                self.enter(name.clone(), work);
                self.spans.last_mut().expect("just entered").error = error;
                self.pass(*latency_ms);
            }
            Step::Interrupt {
                interrupt,
                response,
                answered_by,
                ..
            } => {
                let work = Work::Interrupt {
                    interrupt: interrupt.clone(),
                    response: response.clone(),
                    answered_by: answered_by.clone(),
                };
                self.enter(format!("interrupt: {}", interrupt.action), work);
                self.pass(0.0);
            }
            Step::Memory {
                namespace,
                key,
                before,
                after,
                reason,
                ..
            } => {
                let work = Work::Memory {
                    namespace: namespace.clone(),
                    key: key.clone(),
                    before: before.clone(),
                    after: after.clone(),
                    reason: reason.clone(),
                };
                self.enter(format!("memory: {namespace}"), work);
                self.pass(0.0);
            }
        }
        self.leave();
    }

    /// A call before it is known what it was sent and answered.
    fn asked(&self, role: ModelRole, prompt: &str) -> ModelCall {
        let mut roles = self.variant.roles();
        let chosen = roles.find_map(|(plays, name)| (plays == role).then_some(name));
        let chosen = chosen.unwrap_or(&self.variant.model);
        let asked = self.header.models.get(chosen);
        let settings = asked.and_then(|asked| asked.settings.get(&role));
        let prompt = self.prompts.get(prompt);
        ModelCall {
            role,
            model: asked.map_or(chosen, |asked| &asked.model).to_owned(),
            settings: settings.cloned().unwrap_or_else(Settings::default),
            system: prompt.map_or_else(String::new, |prompt| prompt.system.clone()),
            tools: prompt.map_or_else(Vec::new, |prompt| prompt.tools.clone()),
            messages: Vec::new(),
            text: String::new(),
            tool_calls: Vec::new(),
            stop: None,
            usage: Default::default(),
        }
    }
}

fn node(step: &Step) -> &str {
    match step {
        Step::Model { node, .. }
        | Step::Tool { node, .. }
        | Step::Interrupt { node, .. }
        | Step::Memory { node, .. } => node,
    }
}

/// What ended an attempt or a run, where that was not its own end.
fn error(outcome: Outcome, text: Option<&str>) -> Option<String> {
    let outcome = match outcome {
        Outcome::Finished => return None,
        other => other.name(),
    };
    Some(match text {
        Some(text) => format!("{outcome}: {text}"),
        None => outcome.to_owned(),
    })
}

/// What a journal says of a time, in whole microseconds, as one that can have passed.
fn micros(milliseconds: f64) -> i64 {
    // Saturates, and is 0 for what is no number.
    ((milliseconds * 1000.0).round() as i64).clamp(0, LONGEST)
}

fn floor(time: Timestamp) -> Timestamp {
    let micros = time.as_microsecond();
    Timestamp::from_microsecond(micros).expect("earlier than a time that there is")
}
