//! Our own agents as targets: a graph run in this process.
//!
//! A thread may outlive the process: [`Local::on`] keeps it in a checkpointer, and
//! [`Local::take_up`] goes on with it anywhere. [`setup`] tells how the agent must be made
//! for that.

mod thread;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use self::thread::LocalThread;
use super::{Progress, Start, Target, Until};
use crate::agent::memory::{self, MemoryError};
use crate::agent::state::{AgentState, Failure, Setup};
use crate::agent::steps::milliseconds;
use crate::agent::{Agent, AgentKind, Attempt, Limits};
use crate::email::Email;
use crate::graph::{
    self, CheckpointError, Checkpointer, CompiledGraph, MemoryCheckpointer, MemoryStore, Resume,
    RunError, RunOptions, Status, Store,
};
use crate::run::{Memory, Outcome, Run, Step};

/// Questions that a run may ask before it counts as an endless loop of ours: far more than
/// a person would answer.
const MAX_QUESTIONS: u64 = 1000;

/// Runs an agent. Attempts share nothing but the agent, which does not change, so any
/// number of them may be in flight.
pub struct Local {
    agent: Arc<Agent>,
    graph: Arc<CompiledGraph<AgentState, Attempt>>,
    /// Whether attempts run on a thread, which costs a checkpoint at every step.
    pauses: bool,
    lasting: Option<Lasting>,
}

/// Where threads and what is remembered outlive the process.
struct Lasting {
    checkpointer: Arc<dyn Checkpointer>,
    store: Arc<dyn Store>,
}

/// Why a thread cannot be taken up. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TakeUpError {
    #[error("nobody started thread `{0}` here; check its name and the checkpointer")]
    UnknownThread(String),
    #[error("thread `{0}` is finished and asks nothing")]
    Finished(String),
    #[error("thread `{thread}` is one of `{found}`, and this is `{wanted}`")]
    OtherAgent {
        thread: String,
        found: AgentKind,
        wanted: AgentKind,
    },
    #[error("thread `{thread}` holds no state of an email agent, or one of another version")]
    Unreadable {
        thread: String,
        source: serde_json::Error,
    },
    #[error("thread `{thread}` cannot be taken up: {error}")]
    Refused { thread: String, error: String },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What an agent must be made with to go on with a thread.
///
/// # Errors
/// [`TakeUpError::UnknownThread`], [`TakeUpError::Unreadable`], [`TakeUpError::Checkpoint`].
pub async fn setup(checkpointer: &dyn Checkpointer, thread: &str) -> Result<Setup, TakeUpError> {
    Ok(head(checkpointer, thread).await?.1.setup)
}

async fn head(
    checkpointer: &dyn Checkpointer,
    thread: &str,
) -> Result<(Status, AgentState), TakeUpError> {
    let head = checkpointer.latest(thread).await?;
    let head = head.ok_or_else(|| TakeUpError::UnknownThread(thread.to_owned()))?;
    let state = serde_json::from_str(head.state.get());
    let state = state.map_err(|source| TakeUpError::Unreadable {
        thread: thread.to_owned(),
        source,
    })?;
    Ok((head.status, state))
}

impl Local {
    /// For attempts that end with this process: each has a checkpointer of its own.
    pub fn new(agent: Agent) -> Self {
        Local {
            graph: Arc::new(agent.kind().graph()),
            pauses: agent.kind().interrupts(),
            agent: Arc::new(agent),
            lasting: None,
        }
    }

    /// An agent on another wiring than its own: what tests hold against it.
    #[cfg(test)]
    pub fn wired(agent: Agent, graph: CompiledGraph<AgentState, Attempt>) -> Self {
        Local {
            graph: Arc::new(graph),
            ..Local::new(agent)
        }
    }

    /// For threads that outlive this process. `store` is what an agent with a memory reads
    /// and writes where a [`Start`] brings none.
    pub fn on(agent: Agent, checkpointer: Arc<dyn Checkpointer>, store: Arc<dyn Store>) -> Self {
        Local {
            pauses: true,
            lasting: Some(Lasting {
                checkpointer,
                store,
            }),
            ..Local::new(agent)
        }
    }

    /// Goes on with a thread where it stands. One that waits for a person is paused, and
    /// nothing runs; one whose process died, or that failed, runs on.
    ///
    /// Limits count from the beginning of the thread. An answer that the agent does not take
    /// ends this run as [`Outcome::Simulator`] and leaves the thread waiting as it was.
    ///
    /// # Errors
    /// See [`TakeUpError`].
    pub async fn take_up(&self, thread: &str, start: Start) -> Result<Progress, TakeUpError> {
        let unknown = || TakeUpError::UnknownThread(thread.to_owned());
        let lasting = self.lasting.as_ref().ok_or_else(unknown)?;
        let (status, state) = head(&*lasting.checkpointer, thread).await?;
        if status == Status::Finished {
            return Err(TakeUpError::Finished(thread.to_owned()));
        }
        let (found, wanted) = (state.setup.agent, self.agent.kind());
        if found != wanted {
            let thread = thread.to_owned();
            return Err(TakeUpError::OtherAgent {
                thread,
                found,
                wanted,
            });
        }
        let attempt = self.attempt(&start, time_spent(&state));
        let thread = self.thread(thread.to_owned(), start.restart);
        let result = thread.resume(Resume::Continue, &attempt).await;
        match result {
            Err(failure) if is_refusal(&failure.error) => Err(TakeUpError::Refused {
                thread: thread.id,
                error: with_causes(&failure.error),
            }),
            result => Ok(thread.progress(result, state, attempt).await),
        }
    }

    fn attempt(&self, start: &Start, spent: Duration) -> Arc<Attempt> {
        let lasting = || self.lasting.as_ref().map(|lasting| &lasting.store);
        let store = start.store.as_ref().or_else(lasting).map(Arc::clone);
        Arc::new(Attempt {
            agent: Arc::clone(&self.agent),
            store: store.unwrap_or_else(|| Arc::new(MemoryStore::new())),
            limits: Limits {
                until_triage: start.until == Until::Triage,
                max_model_calls: start.max_steps,
                timeout: start.timeout,
            },
            spent,
            since: start.origin.clock().mark(),
            origin: start.origin.clone(),
        })
    }

    fn thread(&self, id: String, restart: bool) -> LocalThread {
        let checkpointer = match &self.lasting {
            Some(lasting) => Arc::clone(&lasting.checkpointer),
            // Fresh, so that no attempt can meet another's state under its name.
            None => Arc::new(MemoryCheckpointer::new()),
        };
        LocalThread {
            graph: Arc::clone(&self.graph),
            checkpointer,
            id,
            lasting: self.lasting.is_some(),
            restart,
        }
    }
}

impl Target for Local {
    fn start<'a>(&'a self, start: Start, email: &'a Email) -> BoxFuture<'a, Progress> {
        Box::pin(async move {
            let attempt = self.attempt(&start, Duration::ZERO);
            let mut state = self.agent.begin(email, attempt.limits);
            if self.agent.kind().remembers() {
                state.memory = match recall(&attempt).await {
                    Ok(memory) => Some(memory),
                    Err(error) => {
                        let failure = Failure::new(Outcome::Harness, with_causes(&error));
                        return Progress::Finished(failed(state, failure, &attempt));
                    }
                };
            }
            let begin = state.clone();
            if !self.pauses {
                let options = options(&attempt);
                let result = self.graph.run(state, Arc::clone(&attempt), &options).await;
                return Progress::Finished(record(result, begin, &attempt));
            }
            let thread = self.thread(start.thread, start.restart);
            let result = thread.start(state, &attempt).await;
            thread.progress(result, begin, attempt).await
        })
    }
}

/// What is remembered before a run: at the least, what every memory begins with.
async fn recall(attempt: &Attempt) -> Result<Memory, MemoryError> {
    memory::seed(&*attempt.store, attempt.agent.preferences()).await?;
    memory::snapshot(&*attempt.store).await
}

/// Every model call is followed by at most three other steps, each question by three, and
/// few come before the first. The model calls are what limits an attempt; this only turns
/// an endless loop of ours into an error.
fn options(attempt: &Attempt) -> RunOptions {
    let calls = u64::from(attempt.limits.max_model_calls);
    RunOptions::new((calls + MAX_QUESTIONS) * 4 + 8)
}

/// What the steps so far took, where nobody kept the time.
fn time_spent(state: &AgentState) -> Duration {
    let latencies = state.steps.iter().map(|step| match step {
        Step::Model { latency_ms, .. } | Step::Tool { latency_ms, .. } => *latency_ms,
        Step::Interrupt { .. } | Step::Memory { .. } => 0.0,
    });
    let seconds = latencies.sum::<f64>() / 1000.0;
    // A stored number may be anything.
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Whether the graph would not go on, and did nothing.
fn is_refusal(error: &RunError) -> bool {
    matches!(
        error,
        RunError::NothingToResume { .. }
            | RunError::UnknownThread { .. }
            | RunError::UnknownNode { .. }
            | RunError::State { .. }
            | RunError::Checkpoint(_)
    )
}

/// The record of an attempt whose graph came to its end, or failed. `before` is the state
/// to tell of, where the failure tells of none.
fn record(
    result: Result<AgentState, graph::Failure<AgentState>>,
    before: AgentState,
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
    let state = failure.state.map_or(before, |state| *state);
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
