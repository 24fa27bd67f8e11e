//! The journal: everything an experiment did, one line at a time.
//!
//! `reports/<experiment>/journal.jsonl` starts with a [`Header`]; each attempt is one line,
//! written before it is counted and synced at most 100 ms later. A prompt that attempts
//! share stands once, before the first attempt that names it. In looks, a line says that the
//! plan has grown; a reader has the plan as it is in the end from the beginning. A last line without its end
//! is what a crash left; it is dropped on reading and cut off before more is written.
//! Anything else that cannot be read is an error that names the line.

mod ledger;
mod list;
mod read;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::name::{ExperimentName, NameError};
use super::record::{Ended, FORMAT, FORMAT_IN_LOOKS, Grown, Header, Session};
use crate::judge::canary::Canaries;

pub use ledger::Ledger;
pub use list::{Listed, Progress, list, newest, newest_unfinished};
pub use read::{Entry, Picker, Reader, read_attempt};
pub(super) use read::{Lines, Record};
pub use write::Journal;
pub(super) use write::json_line;

/// The journal's file within the experiment's folder.
pub const FILE: &str = "journal.jsonl";

/// The longest line that is read, in bytes: far above what an attempt needs, and a bound on
/// what a broken file can make us hold.
pub const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// Where an experiment keeps its journal.
pub fn path(reports: &Path, name: &ExperimentName) -> PathBuf {
    name.folder(reports).join(FILE)
}

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("experiment `{name}` exists in {}: go on with it (`--resume -e {name}`) or choose another name", folder.display())]
    Exists { name: String, folder: PathBuf },
    #[error("no experiment in {}: `mailproof list` shows those that exist", path.display())]
    Missing { path: PathBuf },
    #[error("{} is being written by another process: wait for it, or stop it", path.display())]
    Locked { path: PathBuf },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: Arc<io::Error>,
    },
    #[error("{} has no header: it was stopped before its first attempt, and its name can be used again", path.display())]
    NoHeader { path: PathBuf },
    #[error(
        "{} has the format `{found}`, and this version reads `{FORMAT}` and `{FORMAT_IN_LOOKS}`: use the version that wrote it",
        path.display()
    )]
    Format { path: PathBuf, found: String },
    #[error("{}:{line}: {reason}; the file was changed after it was written", path.display())]
    Corrupt {
        path: PathBuf,
        /// From 1.
        line: u64,
        reason: String,
    },
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
        let path = path.to_owned();
        move |source| JournalError::Io {
            action,
            path,
            source: Arc::new(source),
        }
    }
}

/// One line of the file; `P` is the text of a prompt, `A` an attempt.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<P, A> {
    Header(Box<Header>),
    Session(Session),
    Prompt(StoredPrompt<P>),
    Attempt(A),
    /// How the judges did on what is plain.
    Canaries(Canaries),
    /// The plan has grown; only in looks.
    Grown(Grown),
    Ended(Ended),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredPrompt<P> {
    hash: String,
    content: P,
}

#[cfg(test)]
mod tests;
