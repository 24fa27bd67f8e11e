//! Pauses that wait for a person, and the answers that end them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A question a node stopped at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interrupt {
    /// Names this pause for ever: 32 hexadecimal digits that follow from thread, step,
    /// node, and position, so a node that runs again asks under the same id.
    pub id: String,
    /// The node that asks, with the sub-graphs it is in: `outer/inner`.
    pub node: String,
    /// The how-manieth interrupt of this execution of the node, from 0.
    pub position: usize,
    /// What the node asks, unchanged.
    pub payload: Value,
}

impl Interrupt {
    pub(super) fn new(
        thread: &str,
        step: u64,
        node: &str,
        position: usize,
        payload: Value,
    ) -> Self {
        let mut hash = Sha256::new();
        // Lengths keep `a` + `bc` apart from `ab` + `c`.
        for part in [thread, node] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(step.to_be_bytes());
        hash.update((position as u64).to_be_bytes());
        let id = hash.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Interrupt {
            id,
            node: node.to_owned(),
            position,
            payload,
        }
    }
}

/// How a thread that stands still goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Resume {
    /// Past a breakpoint, after a failure, or after a crash. Where an interrupt is
    /// pending it answers nothing, and the thread stays paused.
    Continue,
    /// Answers the one pending interrupt.
    Answer(Value),
    /// Answers pending interrupts by id; those left out stay pending.
    Answers(BTreeMap<String, Value>),
}
