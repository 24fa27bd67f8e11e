//! The steps that every agent is wired from.
//!
//! A step follows the edges of its wiring, unless the run is to end with it. What goes
//! wrong with the agent or its model is part of the state ([`Failure`]), so that the
//! trajectory up to there is kept; an `Err` is a defect of ours.

mod act;
mod ask;
mod describe;
mod notice;
mod person;
mod prompt;
mod remember;
mod respond;
pub(in crate::agent) mod structured;
mod triage;

pub use act::act;
pub use ask::ask;
pub use notice::notice;
pub use remember::remember;
pub use respond::respond;
pub use triage::triage;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::Value;
use tokio::time::timeout;

use super::Attempt;
use super::state::{AgentState, Failure, Lesson, Update};
use crate::email::Triage;
use crate::graph::{Command, END, NodeContext};
use crate::message::{Message, ToolCall, ToolStatus, visible};
use crate::model::{ErrorKind, Model, Reply, Request};
use crate::run::{Outcome, ReplyRef, Sent, Step};

/// How often an attempt whose time is up looks whether it still waits for a provider.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where a wiring with a person leads after triage.
pub fn by_decision(state: &AgentState) -> Vec<&'static str> {
    match state.triage {
        Some(Triage::Respond) => vec!["respond"],
        Some(Triage::Notify) => vec!["notice"],
        Some(Triage::Ignore) | None => vec![END],
    }
}

/// Where a wiring leads after something was dealt with: to the calls that are left, to the
/// model, or to the end.
pub fn what_is_left(state: &AgentState) -> Vec<&'static str> {
    if state.over {
        vec![END]
    } else if state.open_calls().next().is_some() {
        vec!["ask"]
    } else {
        vec!["respond"]
    }
}

/// One execution of a step: what it sees, and what it adds.
pub struct Turn<'a> {
    pub state: &'a AgentState,
    pub node: &'a NodeContext<Attempt>,
    pub update: Update,
}

/// How a model call was answered, before it is known where the reply goes.
pub struct Answered {
    pub reply: Reply,
    latency: Duration,
}

impl<'a> Turn<'a> {
    pub fn new(state: &'a AgentState, node: &'a NodeContext<Attempt>) -> Self {
        Turn {
            state,
            node,
            update: Update::default(),
        }
    }

    pub fn attempt(&self) -> &'a Attempt {
        self.node.context()
    }

    /// The day that days in the email are counted from: when it was written, or today.
    pub fn today(&self) -> Date {
        let today = self.attempt().agent.settings.date;
        self.state.email.date.unwrap_or(today)
    }

    /// Entries of the log, those of this turn included.
    pub fn log(&self) -> impl Iterator<Item = &Message> {
        self.state.messages.iter().chain(&self.update.messages)
    }

    /// What the log stands for.
    pub fn conversation(&self) -> Vec<Message> {
        visible(self.log()).into_iter().cloned().collect()
    }

    pub fn log_len(&self) -> usize {
        self.state.messages.len() + self.update.messages.len()
    }

    /// The id of the next new message. Entries are only ever added, so it was not used.
    pub fn next_id(&self) -> String {
        format!("m{}", self.log_len())
    }

    pub fn say(&mut self, message: Message) {
        self.update.messages.push(message);
    }

    /// Asks a model, within the attempt's limits.
    ///
    /// # Errors
    /// How the attempt ends where there is no reply: out of calls, out of time, or the
    /// provider failed.
    pub async fn ask(
        &self,
        model: &Arc<dyn Model>,
        request: &Request,
    ) -> Result<Answered, Failure> {
        let attempt = self.attempt();
        let steps = self.state.steps.iter().chain(&self.update.steps);
        let calls = steps
            .filter(|step| matches!(step, Step::Model { .. }))
            .count();
        let node = self.node.node();
        if calls >= attempt.limits.max_model_calls as usize {
            let error = format!("all {calls} model calls are used, and `{node}` wants another");
            return Err(Failure::new(Outcome::StepLimit, error));
        }
        let late = || {
            let limit = attempt.limits.timeout;
            let error = format!("the time limit of {limit:?} passed in `{node}`");
            Failure::new(Outcome::Timeout, error)
        };
        let clock = attempt.origin.clock();
        let asked = clock.mark();
        let mut asking = model.ask(request);
        let reply = loop {
            let left = attempt.time_left();
            // Time in which the provider is waited for is not the attempt's to use up.
            if left.is_zero() && !clock.is_waiting() {
                clock.cut_short(asking);
                return Err(late());
            }
            if let Ok(answer) = timeout(left.max(LOOK_AGAIN), &mut asking).await {
                break answer;
            }
        };
        let reply = reply.map_err(|error| match error.kind {
            ErrorKind::CutShort => late(),
            ErrorKind::Budget => Failure::new(Outcome::Budget, error.to_string()),
            ErrorKind::Halted => Failure::new(Outcome::Cancelled, error.to_string()),
            _ => Failure::new(Outcome::Provider, error.to_string()),
        })?;
        let latency = reply.latency.unwrap_or_else(|| clock.since(&asked));
        Ok(Answered { reply, latency })
    }

    /// Keeps a model call in the record.
    pub fn record_model(
        &mut self,
        request: &Request,
        sent: Sent,
        answered: &Answered,
        reply: ReplyRef,
    ) {
        self.update.steps.push(Step::Model {
            node: self.node.node().to_owned(),
            role: request.role,
            prompt: request.prompt.hash().to_owned(),
            sent,
            reply,
            usage: answered.reply.usage,
            stop: answered.reply.stop,
            latency_ms: milliseconds(answered.latency),
        });
        self.update.prompts.push(Arc::clone(&request.prompt));
    }

    /// Keeps what an answer taught until it is remembered, where the agent remembers.
    pub fn teach(&mut self, lesson: Option<Lesson>) {
        if self.attempt().agent.kind.remembers() {
            self.update.lessons.extend(lesson);
        }
    }

    /// Gives `call` its one answer. `arguments` are what it ran with, or would have.
    pub fn answer(&mut self, call: &ToolCall, arguments: Value, answer: Answer) {
        let message = Message::tool(self.next_id(), call, answer.status, answer.content);
        self.say(message);
        self.update.steps.push(Step::Tool {
            node: self.node.node().to_owned(),
            call_id: call.id.clone(),
            name: call.name.clone(),
            arguments,
            status: answer.status,
            latency_ms: milliseconds(answer.latency),
        });
    }

    /// Follows the wiring.
    pub fn go_on(self) -> Command<Update> {
        Command::new().update(self.update)
    }

    /// Ends the run.
    pub fn end(self) -> Command<Update> {
        Command::new().update(self.update).end()
    }

    /// Ends the run before it was finished.
    pub fn fail(mut self, failure: Failure) -> Command<Update> {
        self.update.failure = Some(failure);
        self.end()
    }
}

/// What a tool call is answered with.
pub struct Answer {
    pub status: ToolStatus,
    pub content: String,
    pub latency: Duration,
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
