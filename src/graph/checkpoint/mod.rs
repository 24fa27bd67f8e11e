//! Where threads live between steps.
//!
//! A thread is an append-only chain of [`Checkpoint`]s. Each holds the whole state at one
//! moment, so the last one is enough to go on, in this process or another. A
//! [`Checkpointer`] stores them and knows nothing of the state's type; what every one
//! must do is written down as tests in `contract.rs`.
//!
//! The stored form is the JSON of [`Checkpoint`] ([`Checkpoint::to_json`]), whose `format`
//! says how to read the rest.

#[cfg(test)]
pub(crate) mod contract;
mod memory;
#[cfg(feature = "mongodb")]
mod mongodb;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

pub use memory::MemoryCheckpointer;
#[cfg(feature = "mongodb")]
pub use mongodb::MongoCheckpointer;
pub use open::open;
#[cfg(feature = "postgres")]
pub use postgres::PostgresCheckpointer;
pub use sqlite::SqliteCheckpointer;

pub use super::database::{OpenError, Place};

use super::database::{Fault, Layout};
use super::interrupt::Interrupt;
use super::task::TaskRecord;

/// The version of the stored form that this code writes and reads.
pub const FORMAT: u32 = 1;

/// Where databases keep it.
static LAYOUT: Layout = Layout {
    name: "checkpoints",
    format: FORMAT,
    sqlite: "CREATE TABLE mailproof_checkpoints (
        thread TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        status TEXT NOT NULL,
        created_at TEXT NOT NULL,
        checkpoint TEXT NOT NULL,
        PRIMARY KEY (thread, sequence)
    ) STRICT",
    #[cfg(feature = "postgres")]
    postgres: r#"CREATE TABLE IF NOT EXISTS mailproof_checkpoints (
        thread text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL,
        status text NOT NULL,
        created_at text NOT NULL,
        checkpoint text NOT NULL,
        PRIMARY KEY (thread, sequence)
    )"#,
};

/// A thread at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    pub format: u32,
    pub thread: String,
    /// Place in the thread's chain, from 0. The parent is the one before.
    pub sequence: u64,
    /// Super-steps finished on this thread.
    pub step: u64,
    /// The value of `step` when the present input came in: step limits count from here.
    pub since: u64,
    pub cause: Cause,
    pub status: Status,
    /// What went wrong, where `status` is `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub state: Arc<RawValue>,
    /// The nodes of the step that comes next, or that is under way; empty at the end.
    pub next: Vec<String>,
    /// Questions without an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// Answers given to nodes of the step under way: by node, by position.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, BTreeMap<usize, Value>>,
    /// Commands of nodes of the step under way that are done, while others are not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub writes: BTreeMap<String, Arc<RawValue>>,
    /// Tasks of nodes of the step under way that are not done: by node, by full name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, BTreeMap<String, TaskRecord>>,
    /// How often each node was run since the present input came in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, u64>,
    pub created_at: Timestamp,
}

/// Why a checkpoint was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The thread began.
    Started,
    /// A super-step was finished.
    Stepped,
    /// Nodes of a step stopped to ask.
    Interrupted,
    /// A task is about to run.
    TaskStarted { node: String, task: String },
    /// A task was done.
    TaskDone { node: String, task: String },
    /// A task failed, and was not tried again by itself.
    TaskFailed {
        node: String,
        task: String,
        error: String,
    },
    /// Somebody found out whether a task of unknown outcome was done.
    TaskSettled {
        node: String,
        task: String,
        done: bool,
    },
    /// Somebody resumed the thread, with these answers by interrupt id.
    Resumed { answers: BTreeMap<String, Value> },
    /// The node would not take an answer; the question is pending again.
    Refused { interrupt: String, reason: String },
    /// The state was changed from outside.
    Updated,
    /// A node failed, or the step limit was reached.
    Failed,
}

/// Where a thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A step is under way; or was, when its process died.
    Running,
    /// Waits at an interrupt or a breakpoint.
    Interrupted,
    Finished,
    /// Stopped by an error; resuming tries again.
    Failed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Interrupted => "interrupted",
            Status::Finished => "finished",
            Status::Failed => "failed",
        }
    }
}

/// A thread in a list: the head of its chain, without the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadSummary {
    pub thread: String,
    pub sequence: u64,
    pub status: Status,
    pub next: Vec<String>,
    pub interrupts: Vec<Interrupt>,
    /// When the head was written.
    pub created_at: Timestamp,
}

/// Why a thread could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Somebody else wrote to the thread since it was read. Nothing was stored.
    #[error(
        "thread `{thread}` was changed by another writer: checkpoint {sequence} does not follow its last one; read the thread again"
    )]
    Conflict { thread: String, sequence: u64 },
    #[error("a checkpoint has format {found}, and this version reads format {FORMAT}")]
    UnknownFormat { found: u64 },
    #[error("a checkpoint cannot be read")]
    Malformed(#[source] serde_json::Error),
    #[error("the checkpointer {checkpointer} failed")]
    Unavailable {
        /// Where threads are kept, without credentials.
        checkpointer: String,
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CheckpointError {
    fn unavailable(place: &str, source: Fault) -> Self {
        CheckpointError::Unavailable {
            checkpointer: place.to_owned(),
            source,
        }
    }
}

/// Stores threads. Shared by every run that uses it.
pub trait Checkpointer: Send + Sync {
    /// Appends to a thread's chain: stored for good when this returns, or not at all.
    ///
    /// # Errors
    /// [`CheckpointError::Conflict`] unless the sequence follows the thread's last one
    /// (0 where there is none). Of two writers that read the same head, one succeeds.
    fn put(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>>;

    /// The head of a thread's chain; `None` for a thread nobody started.
    fn latest<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, CheckpointError>>;

    /// The whole chain, oldest first; empty for a thread nobody started.
    fn history<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Checkpoint>, CheckpointError>>;

    /// The threads, by name; only those of one status where one is given.
    fn list(
        &self,
        status: Option<Status>,
    ) -> BoxFuture<'_, Result<Vec<ThreadSummary>, CheckpointError>>;
}

impl Checkpoint {
    /// The stored form.
    ///
    /// # Panics
    /// Never: every part is JSON already.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a checkpoint is made of JSON")
    }

    /// # Errors
    /// [`CheckpointError::UnknownFormat`] before anything else is looked at, or
    /// [`CheckpointError::Malformed`].
    pub fn from_json(json: &str) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let head: Head = serde_json::from_str(json).map_err(CheckpointError::Malformed)?;
        if head.format != u64::from(FORMAT) {
            return Err(CheckpointError::UnknownFormat { found: head.format });
        }
        serde_json::from_str(json).map_err(CheckpointError::Malformed)
    }

    pub fn summary(&self) -> ThreadSummary {
        ThreadSummary {
            thread: self.thread.clone(),
            sequence: self.sequence,
            status: self.status,
            next: self.next.clone(),
            interrupts: self.interrupts.clone(),
            created_at: self.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, CheckpointError};

    const STORED: &str = r#"{
        "format": 1, "thread": "t-1", "sequence": 3, "step": 1, "since": 0,
        "cause": { "resumed": { "answers": { "5d0c": "yes" } } },
        "status": "running", "state": { "messages": [] }, "next": ["ask", "review/act"],
        "interrupts": [{ "id": "77aa", "node": "review/act", "position": 0, "payload": null }],
        "answers": { "ask": { "0": "yes" } },
        "writes": { "log": { "update": null, "goto": "edges" } },
        "tasks": { "ask": { "charge": { "started": { "key": "order-17" } },
            "order/create#2": { "done": { "id": 17 } } } },
        "runs": { "ask": 1 }, "created_at": "2026-03-02T10:20:30Z"
    }"#;

    #[test]
    fn the_stored_form_is_this() {
        let checkpoint = Checkpoint::from_json(STORED).unwrap();
        let again: serde_json::Value = serde_json::from_str(&checkpoint.to_json()).unwrap();
        let stored: serde_json::Value = serde_json::from_str(STORED).unwrap();
        assert_eq!(again, stored);
    }

    #[test]
    fn the_documented_example_can_be_read() {
        let documentation = include_str!("../../../docs/checkpoints.md");
        let example = documentation
            .split("```")
            .find_map(|part| part.strip_prefix("json"));
        let checkpoint = Checkpoint::from_json(example.expect("an example")).unwrap();
        let read: serde_json::Value = serde_json::from_str(&checkpoint.to_json()).unwrap();
        assert_eq!(read["tasks"]["tools"]["look up"]["done"]["found"], 0);
        assert_eq!(
            read["interrupts"][0]["payload"]["query"],
            "Can I return opened shoes?"
        );
    }

    #[test]
    fn another_format_is_refused_by_naming_both() {
        let newer = r#"{ "format": 2, "shape": "unknown" }"#;
        let error = Checkpoint::from_json(newer).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a checkpoint has format 2, and this version reads format 1"
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_an_error() {
        for json in [
            "",
            "{}",
            "[]",
            r#"{ "format": "1" }"#,
            r#"{ "format": 1 }"#,
            "{",
        ] {
            let error = Checkpoint::from_json(json).unwrap_err();
            assert!(matches!(error, CheckpointError::Malformed(_)), "{json}");
        }
    }
}
