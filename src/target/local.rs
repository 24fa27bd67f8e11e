//! Our own agents as targets: a graph run in this process.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{Paused, Progress, Start, Target, Until};
use crate::agent::state::{AgentState, Failure};
use crate::agent::steps::{Resumption, milliseconds};
use crate::agent::{Agent, Attempt, Limits};
use crate::email::Email;
use crate::graph::{
    self, CompiledGraph, MemoryCheckpointer, MemoryStore, Pause, Resume, RunError, RunOptions,
};
use crate::run::{Interrupt, Outcome, Response, Run};

/// Runs an agent. Attempts share nothing but the agent, which does not change, so any
/// number of them may be in flight.
pub struct Local {
    agent: Arc<Agent>,
    graph: Arc<CompiledGraph<AgentState, Attempt>>,
    /// Whether attempts run on a thread, which costs a checkpoint at every step.
    pauses: bool,
}

impl Local {
    pub fn new(agent: Agent) -> Self {
        Local {
            graph: Arc::new(agent.kind().graph()),
            pauses: agent.kind().interrupts(),
            agent: Arc::new(agent),
        }
    }
}

impl Target for Local {
    fn start<'a>(&'a self, start: Start, email: &'a Email) -> BoxFuture<'a, Progress> {
        Box::pin(async move {
            let attempt = Arc::new(Attempt {
                agent: Arc::clone(&self.agent),
                store: start.store.unwrap_or_else(|| Arc::new(MemoryStore::new())),
                limits: Limits {
                    until_triage: start.until == Until::Triage,
                    max_model_calls: start.max_steps,
                    timeout: start.timeout,
                },
                spent: Duration::ZERO,
                since: Instant::now(),
            });
            let state = self.agent.begin(email);
            let options = options(&attempt);
            if !self.pauses {
                let result = self.graph.run(state, Arc::clone(&attempt), &options).await;
                return Progress::Finished(record(result, || self.agent.begin(email), &attempt));
            }
            let thread = LocalThread {
                graph: Arc::clone(&self.graph),
                // Fresh, so that no attempt can meet another's state under its name.
                checkpointer: Arc::new(MemoryCheckpointer::new()),
                id: start.thread,
            };
            let begin = state.clone();
            let result = thread
                .open()
                .start(state, Arc::clone(&attempt), &options)
                .await;
            thread.progress(result, begin, attempt)
        })
    }
}

/// Every model call is followed by at most one other step, and few come before the first.
/// The model calls are what limits an attempt; this only turns an endless loop of ours
/// into an error.
fn options(attempt: &Attempt) -> RunOptions {
    RunOptions::new(u64::from(attempt.limits.max_model_calls) * 2 + 8)
}

/// Where an attempt that may pause lives.
struct LocalThread {
    graph: Arc<CompiledGraph<AgentState, Attempt>>,
    checkpointer: Arc<MemoryCheckpointer>,
    id: String,
}

impl LocalThread {
    fn open(&self) -> graph::Thread<'_, AgentState, Attempt> {
        self.graph.thread(&*self.checkpointer, &self.id)
    }

    /// `before` is the state the call began with.
    fn progress(
        self,
        result: Result<graph::Progress<AgentState>, graph::Failure<AgentState>>,
        before: AgentState,
        attempt: Arc<Attempt>,
    ) -> Progress {
        let pause = match result {
            Ok(graph::Progress::Paused(pause)) => pause,
            Ok(graph::Progress::Finished(state)) => {
                return Progress::Finished(record(Ok(state), || before, &attempt));
            }
            Err(failure) => {
                return Progress::Finished(record(Err(failure), || before, &attempt));
            }
        };
        match question(&pause) {
            Ok(interrupt) => Progress::Paused(Box::new(LocalPause {
                spent: attempt.time_spent(),
                thread: self,
                attempt,
                state: pause.state,
                interrupt,
            })),
            Err(failure) => Progress::Finished(failed(pause.state, failure, &attempt)),
        }
    }
}

/// What the person is asked first. Others that are pending come up in their turn.
fn question(pause: &Pause<AgentState>) -> Result<Interrupt, Failure> {
    let harness = |error| Failure::new(Outcome::Harness, error);
    let pending = pause.interrupts.first().ok_or_else(|| {
        let next = pause.next.join("`, `");
        harness(format!(
            "the run stands at a breakpoint before `{next}` and asks nothing"
        ))
    })?;
    let interrupt: Interrupt =
        serde_json::from_value(pending.payload.clone()).map_err(|error| {
            harness(format!(
                "`{}` asked what is no interrupt: {error}",
                pending.node
            ))
        })?;
    Ok(Interrupt {
        id: pending.id.clone(),
        ..interrupt
    })
}

struct LocalPause {
    thread: LocalThread,
    attempt: Arc<Attempt>,
    /// Time that the attempt took, before the person was asked.
    spent: Duration,
    state: AgentState,
    interrupt: Interrupt,
}

impl Paused for LocalPause {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn steps(&self) -> usize {
        self.state.steps.len()
    }

    fn resume(
        self: Box<Self>,
        response: Response,
        answered_by: &str,
    ) -> BoxFuture<'static, Progress> {
        let answer = Resumption {
            interrupt: self.interrupt.id.clone(),
            response,
            answered_by: answered_by.to_owned(),
        };
        Box::pin(async move {
            let attempt = Arc::new(self.attempt.again(self.spent));
            let answer = serde_json::to_value(answer).expect("an answer has string keys only");
            let answers = Resume::Answers([(self.interrupt.id, answer)].into());
            let options = options(&attempt);
            let result = self
                .thread
                .open()
                .resume(answers, Arc::clone(&attempt), &options)
                .await;
            self.thread.progress(result, self.state, attempt)
        })
    }

    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run> {
        Box::pin(async move {
            let attempt = self.attempt.again(self.spent);
            failed(self.state, Failure::new(outcome, error), &attempt)
        })
    }
}

/// The record of an attempt whose graph came to its end, or failed. `before` is the state
/// to tell of, where the failure tells of none.
fn record(
    result: Result<AgentState, graph::Failure<AgentState>>,
    before: impl FnOnce() -> AgentState,
    attempt: &Attempt,
) -> Run {
    let failure = match result {
        Ok(state) => return state.into_run(milliseconds(attempt.time_spent())),
        Err(failure) => failure,
    };
    let outcome = match failure.error {
        // The person's doing: the agent had said what it takes.
        RunError::AnswerRefused { .. } => Outcome::Simulator,
        // What a model or an agent does wrong is in the state; errors are defects of ours.
        _ => Outcome::Harness,
    };
    let error = Failure::new(outcome, with_causes(&failure.error));
    let state = failure.state.map_or_else(before, |state| *state);
    failed(state, error, attempt)
}

fn failed(mut state: AgentState, failure: Failure, attempt: &Attempt) -> Run {
    state.failure = Some(failure);
    state.into_run(milliseconds(attempt.time_spent()))
}

/// The error and what caused it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
