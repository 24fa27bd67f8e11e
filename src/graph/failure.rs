//! Why a run could not go on.

use std::error::Error;
use std::fmt;

use super::build::END;
use super::checkpoint::CheckpointError;

/// A run that could not go on, and the state it had reached.
pub struct Failure<S> {
    pub error: RunError,
    /// The last committed state; `None` where there is none, as with an unknown thread.
    /// Without a checkpointer, the state after the last updates that were applied.
    pub state: Option<Box<S>>,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("node `{node}` failed")]
    Node {
        node: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error(
        "step limit of {limit} super-steps reached{}: `{node}` keeps repeating ({runs} runs); give the loop a way out, or raise the limit",
        on_thread(thread)
    )]
    StepLimit {
        /// `None` in a run without a checkpointer.
        thread: Option<String>,
        limit: u64,
        node: String,
        runs: u64,
    },
    /// Trying again by itself might do what was done before.
    #[error(
        "outcome unknown: task `{task}` of node `{node}` on thread `{thread}` had started when its run ended, and may or may not have taken effect; find out, settle it as done or not done, and resume (a task with an idempotency key runs again by itself)"
    )]
    OutcomeUnknown {
        thread: String,
        node: String,
        task: String,
    },
    #[error(
        "nothing to settle: thread `{thread}` has no task `{task}` of node `{node}` that started and was not done; look at the tasks of its state"
    )]
    UnknownTask {
        thread: String,
        node: String,
        task: String,
    },
    #[error("{from} names `{node}`, which is not declared; known: {}", known.join(", "))]
    UnknownNode {
        from: String,
        node: String,
        known: Vec<String>,
    },
    #[error("{from} names no node; name `{}` to end", END)]
    NoTarget { from: String },
    #[error("{what} cannot pause without a checkpointer; run the graph on a thread")]
    CheckpointerRequired { what: String },
    #[error(
        "no state to resume: nobody started thread `{thread}` here; check its name and the checkpointer, or start it"
    )]
    UnknownThread { thread: String },
    #[error("thread `{thread}` was started before; resume it or choose another name")]
    ThreadExists { thread: String },
    #[error("nothing to resume: thread `{thread}` {why}")]
    NothingToResume { thread: String, why: &'static str },
    #[error(
        "thread `{thread}` has {} pending interrupts; answer by id: {}", pending.len(), pending.join(", ")
    )]
    AnswerIdsRequired {
        thread: String,
        pending: Vec<String>,
    },
    #[error(
        "thread `{thread}` has no pending interrupt `{id}`; pending: {}", pending.join(", ")
    )]
    UnknownInterrupt {
        thread: String,
        id: String,
        pending: Vec<String>,
    },
    /// The thread stays paused on the interrupt.
    #[error("node `{node}` does not take the answer to interrupt `{id}`: {reason}")]
    AnswerRefused {
        node: String,
        id: String,
        reason: String,
    },
    #[error("the state cannot be {what}")]
    State {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The thread in the checkpointer does not tell of `error`.
    #[error("{error}; and that could not be recorded")]
    Unrecorded {
        error: Box<RunError>,
        source: Box<RunError>,
    },
}

fn on_thread(thread: &Option<String>) -> String {
    match thread {
        Some(thread) => format!(" on thread `{thread}`"),
        None => String::new(),
    }
}

impl RunError {
    pub(super) fn node(node: &str, source: Box<dyn Error + Send + Sync>) -> Self {
        RunError::Node {
            node: node.to_owned(),
            source,
        }
    }

    pub(super) fn unrecorded(self, source: RunError) -> Self {
        RunError::Unrecorded {
            error: Box::new(self),
            source: Box::new(source),
        }
    }

    /// The error and what caused it, in one line.
    pub(super) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl<S> Failure<S> {
    pub(super) fn new(error: impl Into<RunError>) -> Self {
        Failure {
            error: error.into(),
            state: None,
        }
    }

    pub(super) fn with_state(error: impl Into<RunError>, state: S) -> Self {
        Failure {
            error: error.into(),
            state: Some(Box::new(state)),
        }
    }
}

impl<S> fmt::Debug for Failure<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S> fmt::Display for Failure<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S> Error for Failure<S> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
