//! What a node gets to work with, and how it stops.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::run::RunOptions;
use super::state::{Command, State};
use super::task::{Desk, Scope};

/// What a node returns.
pub type NodeResult<S> = Result<Command<<S as State>::Update>, NodeError>;

pub(super) type NodeFn<S, C> =
    Arc<dyn for<'a> Fn(&'a S, &'a NodeContext<C>) -> BoxFuture<'a, NodeResult<S>> + Send + Sync>;

/// One execution of one node: who it is, what it may use, and the answers it was given.
///
/// A node that was interrupted runs again **from its first line** when the answer is
/// there. Whatever it did before the interrupt happens again, so effects belong after it.
/// Answers are handed out by position: a node must reach its interrupts in the same order
/// each time it runs on the same state and answers.
pub struct NodeContext<C> {
    pub(super) context: Arc<C>,
    pub(super) node: Arc<str>,
    pub(super) thread: Option<Arc<str>>,
    pub(super) step: u64,
    pub(super) answers: BTreeMap<usize, Value>,
    pub(super) asked: Mutex<Asked>,
    /// Where its tasks are counted, and where they are recorded if the run has a thread.
    pub(super) root: Arc<Scope>,
    pub(super) desk: Option<Desk>,
    pub(super) options: RunOptions,
}

/// The interrupts that one execution reached.
#[derive(Default)]
pub(super) struct Asked {
    next: usize,
    /// Position and payload of those without an answer.
    pub(super) pending: Vec<(usize, Value)>,
    /// An answer the node would not take: position, payload, and why.
    pub(super) refused: Option<(usize, Value, String)>,
}

impl<C> NodeContext<C> {
    /// What the caller of the graph shares with its nodes.
    pub fn context(&self) -> &Arc<C> {
        &self.context
    }

    /// The node's full name: `outer/inner` in a sub-graph.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The thread it runs on; `None` in a run without a checkpointer.
    pub fn thread(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// Super-steps that were finished on this thread before this one.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Whether nothing stopped it that its own result may not tell of.
    pub(super) fn is_settled(&self) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.pending.is_empty() && asked.refused.is_none() && !self.root.is_halted()
    }

    /// Makes it ready for running the node once more.
    pub(super) fn begin_again(&mut self) {
        self.asked = Mutex::default();
        self.root = Arc::default();
    }

    /// Asks a person: the first time it stops the node, and when the answer is there the
    /// node runs again and gets it here. `payload` reaches the caller unchanged.
    ///
    /// # Errors
    /// While there is no answer; hand it on with `?`. A node that swallows it is
    /// interrupted all the same, and what it returned is dropped. Inside a
    /// [`task`](Self::task), always.
    pub fn interrupt(&self, payload: Value) -> Result<Value, NodeError> {
        self.interrupt_with(payload, Ok)
    }

    /// [`interrupt`](Self::interrupt) that reads the answer with `parse`. When `parse`
    /// fails with a reason the answer is dropped, the thread stays paused on the same
    /// interrupt, and the caller that resumed it is told why.
    ///
    /// # Errors
    /// While there is no answer that `parse` takes; hand it on with `?`.
    pub fn interrupt_with<T>(
        &self,
        payload: Value,
        parse: impl FnOnce(Value) -> Result<T, String>,
    ) -> Result<T, NodeError> {
        self.check_may_ask()?;
        // Nothing under this lock can panic half-way, so a poisoned one is still whole.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let position = asked.next;
        asked.next += 1;
        let Some(answer) = self.answers.get(&position) else {
            asked.pending.push((position, payload));
            return Err(NodeError(Stop::Interrupted));
        };
        drop(asked);
        parse(answer.clone()).map_err(|reason| {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.refused.get_or_insert((position, payload, reason));
            NodeError(Stop::Interrupted)
        })
    }
}

/// Why a node stopped early: an interrupt, or any error, which `?` turns into this.
pub struct NodeError(pub(super) Stop);

pub(super) enum Stop {
    Interrupted,
    /// The run cannot go on, whatever the node does; it knows why.
    Halted,
    Failed(Box<dyn Error + Send + Sync>),
}

impl NodeError {
    /// A failure told in words.
    pub fn message(message: impl Into<String>) -> Self {
        NodeError(Stop::Failed(message.into().into()))
    }

    /// Whether this is a pause and not a failure.
    pub fn is_interrupt(&self) -> bool {
        matches!(self.0, Stop::Interrupted)
    }
}

// `NodeError` is no `Error` itself, which leaves room for this conversion.
impl<E: Error + Send + Sync + 'static> From<E> for NodeError {
    fn from(error: E) -> Self {
        NodeError(Stop::Failed(Box::new(error)))
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stop::Interrupted => f.write_str("interrupted"),
            Stop::Halted => f.write_str("the run cannot go on"),
            Stop::Failed(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stop::Interrupted => f.write_str("Interrupted"),
            Stop::Halted => f.write_str("Halted"),
            Stop::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}
