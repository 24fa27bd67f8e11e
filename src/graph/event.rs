//! What happens in a run, as it happens.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::interrupt::Interrupt;

/// Receives events, in the order they happen. Called between and during nodes, so it must
/// not block; a channel's sender is the usual one.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// One thing that happened. `step` counts the super-steps finished before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A node begins; again after an interrupt, when it was answered.
    Started { step: u64, node: String },
    /// A node is done. Its update is applied when all nodes of the step are.
    Updated {
        step: u64,
        node: String,
        update: Option<Value>,
    },
    /// A node stopped to ask. The last events of a run that pauses for a person.
    Interrupted { step: u64, interrupt: Interrupt },
    /// The run stands at a breakpoint, before these nodes.
    Paused { step: u64, next: Vec<String> },
    /// A node, or a task in one, failed and is tried again after a wait.
    Retried {
        step: u64,
        node: String,
        /// `None` for the node itself.
        task: Option<String>,
        /// The one that failed, from 1.
        attempt: u32,
        wait: Duration,
        error: String,
    },
    /// A node failed.
    Failed {
        step: u64,
        node: String,
        error: String,
    },
    /// The run came to its end after this many super-steps.
    Finished { step: u64 },
}
