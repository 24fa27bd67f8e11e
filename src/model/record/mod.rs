//! Records what models were asked and what they answered, and answers from that again.
//!
//! A recording is a folder: `recording.json` says which day and which seed its prompts were
//! made with, `prompts.jsonl` holds system texts, tools, and output shapes once each, and
//! `VARIANT.ROLE.jsonl` one call a line, sorted, so that a difference between two recordings
//! reads well. [`Recording::model`] puts a recorder before a model: it looks a request up
//! by its [`Key`](key::Key), or asks further and writes down what came of it.
//!
//! Replaying alone asks nobody: a request that is not there ends the run.

mod entry;
mod index;
mod key;
mod miss;
mod recorder;
mod sink;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use entry::{FORMAT, Info};
pub use sink::Unused;

use super::Model;
use super::halt::Halt;
use super::settings::Settings;
use crate::redact::Redactor;
use crate::run::{Cost, ModelRole};
use index::Index;
use recorder::Recorder;
use sink::Sink;

const INFO: &str = "recording.json";
const PROMPTS: &str = "prompts.jsonl";

/// Larger than any `recording.json` of ours, in bytes.
const LARGEST_INFO: u64 = 64 << 10;

/// What a run does with recordings. At least one of the two folders is given.
#[derive(Clone, Debug)]
pub struct Options {
    /// Answers are taken from here.
    pub replay: Option<PathBuf>,
    /// Calls are written down here.
    pub record: Option<PathBuf>,
    /// Whether an experiment is gone on with, whose calls may be in `record` already.
    pub resume: bool,
    /// What prompts are made with.
    pub date: Date,
    pub seed: u64,
    /// Now.
    pub created: Timestamp,
    pub redactor: Arc<Redactor>,
}

/// Recordings that a run reads, writes, or both.
#[derive(Debug)]
pub struct Recording {
    replay: Option<PathBuf>,
    sink: Option<Sink>,
    redactor: Arc<Redactor>,
    /// Knows what secrets look like, and none by its value.
    shapes: Redactor,
    traffic: Mutex<BTreeMap<String, Traffic>>,
}

/// What became of the calls of a variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Answered from the recording; failures and cut calls among them.
    pub replayed: u64,
    /// What those cost when they were recorded, as far as it was known.
    #[serde(rename = "replayed_cost_usd")]
    pub replayed_cost: Cost,
    /// Asked, and written down.
    pub recorded: u64,
    /// Not in the recording, where nothing could be asked.
    pub missed: u64,
}

impl Traffic {
    /// Puts together what became of calls one after the other.
    pub fn add(&mut self, later: &Traffic) {
        self.replayed += later.replayed;
        self.replayed_cost = self.replayed_cost.plus(later.replayed_cost);
        self.recorded += later.recorded;
        self.missed += later.missed;
    }
}

/// Why a recording cannot be used. The user's to mend, apart from a disk that fails.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(
        "no recording in {0}: `mailproof run --record {0}` makes one", folder.display()
    )]
    Missing { folder: PathBuf },
    #[error(
        "{0} holds a recording: `--replay {0} --record {0}` asks only what is not in it and adds that; for a new one, remove the folder or name another", folder.display()
    )]
    Exists { folder: PathBuf },
    #[error(
        "the recording in {0} was not finished: go on with its run (`--resume --record {0}`), or take it as it is and add to it (`--replay {0} --record {0}`)", folder.display()
    )]
    Unfinished { folder: PathBuf },
    #[error("another process records into {}: wait for it, or name another folder", folder.display())]
    Locked { folder: PathBuf },
    #[error("{} holds other files of that kind and no recording: name an empty folder, or a new one", folder.display())]
    Foreign { folder: PathBuf },
    #[error(
        "{} has the format `{found}`, and this version reads `{FORMAT}`: use the version that wrote it", path.display()
    )]
    Format { path: PathBuf, found: String },
    #[error("{}: {reason}", path.display())]
    Info { path: PathBuf, reason: String },
    #[error("{}:{line}: {reason}; the file was changed after it was written", path.display())]
    Corrupt {
        path: PathBuf,
        /// From 1.
        line: u32,
        reason: String,
    },
    #[error(
        "the recording in {} was made with {recorded}, and this run has {asked}: prompts would differ, so record anew", folder.display()
    )]
    Other {
        folder: PathBuf,
        recorded: String,
        asked: String,
    },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl RecordError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
        let path = path.to_owned();
        move |source| RecordError::Io {
            action,
            path,
            source,
        }
    }

    /// In one line.
    fn with_causes(&self) -> String {
        match self.source() {
            None => self.to_string(),
            Some(source) => format!("{self}: {source}"),
        }
    }
}

impl Info {
    /// What the recording in `folder` was made with.
    ///
    /// # Errors
    /// [`RecordError::Missing`], [`RecordError::Format`], [`RecordError::Info`], or the file
    /// cannot be read.
    pub fn read(folder: &Path) -> Result<Info, RecordError> {
        let path = folder.join(INFO);
        let size = match fs::metadata(&path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RecordError::Missing {
                    folder: folder.to_owned(),
                });
            }
            Err(error) => return Err(RecordError::io("read", &path)(error)),
        };
        let invalid = |reason: String| RecordError::Info {
            path: path.clone(),
            reason,
        };
        if size > LARGEST_INFO {
            return Err(invalid("larger than 64 KiB".to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(RecordError::io("read", &path))?;
        /// As much as every version of the format has.
        #[derive(serde::Deserialize)]
        struct Any {
            format: String,
        }
        let any: Any = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if any.format != FORMAT {
            return Err(RecordError::Format {
                path,
                found: any.format.chars().take(80).collect(),
            });
        }
        serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))
    }

    /// # Errors
    /// [`RecordError::Other`] where prompts would not be those that were recorded.
    fn agrees(&self, folder: &Path, options: &Options) -> Result<(), RecordError> {
        let other = |recorded, asked| RecordError::Other {
            folder: folder.to_owned(),
            recorded,
            asked,
        };
        if self.date != options.date {
            let asked = format!("the date {}", options.date);
            return Err(other(format!("the date {}", self.date), asked));
        }
        if self.seed != options.seed {
            let asked = format!("the seed {}", options.seed);
            return Err(other(format!("the seed {}", self.seed), asked));
        }
        Ok(())
    }
}

impl Recording {
    /// Makes ready what is read and what is written.
    ///
    /// # Errors
    /// See [`RecordError`]; nothing was asked yet.
    pub fn open(options: Options) -> Result<Arc<Recording>, RecordError> {
        let same = match (&options.replay, &options.record) {
            (Some(replay), Some(record)) => is_same(replay, record),
            _ => false,
        };
        if let Some(folder) = &options.replay {
            Info::read(folder)?.agrees(folder, &options)?;
            if !same && sink::is_unfinished(folder) {
                return Err(RecordError::Unfinished {
                    folder: folder.clone(),
                });
            }
        }
        let sink = match &options.record {
            None => None,
            Some(folder) => Some(begin(folder, same || options.resume, &options)?),
        };
        Ok(Arc::new(Recording {
            replay: options.replay,
            sink,
            redactor: options.redactor,
            shapes: Redactor::new([]),
            traffic: Mutex::default(),
        }))
    }

    /// A model called `name` in one role of one variant, whose calls are those of `inner`,
    /// or recorded ones; `inner` is `None` where nothing is to be asked. `variant` is part of
    /// a file's name.
    ///
    /// # Errors
    /// What is recorded of it cannot be read.
    pub fn model(
        self: &Arc<Self>,
        inner: Option<Arc<dyn Model>>,
        variant: &str,
        role: ModelRole,
        name: &str,
        settings: &Settings,
        halt: Halt,
    ) -> Result<Arc<dyn Model>, RecordError> {
        let file = file_name(variant, role);
        let index = match &self.replay {
            None => None,
            Some(folder) => Index::open(&folder.join(&file), false)?,
        };
        let part = match &self.sink {
            None => None,
            Some(sink) => Some(sink.part(&file)?),
        };
        Ok(Arc::new(Recorder {
            recording: Arc::clone(self),
            inner,
            variant: variant.to_owned(),
            role,
            name: name.to_owned(),
            settings: settings.clone(),
            halt,
            index,
            part,
        }))
    }

    /// What became of the calls so far, by variant.
    pub fn traffic(&self) -> BTreeMap<String, Traffic> {
        let traffic = self.traffic.lock();
        traffic.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sorts what was recorded into its files. To be called when no call is in flight; a
    /// recording that is dropped without it is gone on with by the next run that resumes.
    ///
    /// # Errors
    /// Files cannot be written; what was recorded is in their parts still.
    pub fn finish(&self, unused: Unused) -> Result<(), RecordError> {
        match &self.sink {
            None => Ok(()),
            Some(sink) => sink.finish(unused),
        }
    }

    fn sink(&self) -> Option<&Sink> {
        self.sink.as_ref()
    }

    fn count(&self, variant: &str, count: impl FnOnce(&mut Traffic)) {
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        count(traffic.entry(variant.to_owned()).or_default());
    }
}

/// Whether two paths, however they are written, name one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        // One of them is still to be made.
        _ => one == other,
    }
}

/// Makes a folder ready to be recorded into; `more` where it may hold a recording already.
fn begin(folder: &Path, more: bool, options: &Options) -> Result<Sink, RecordError> {
    fs::create_dir_all(folder).map_err(RecordError::io("create", folder))?;
    let redactor = Arc::clone(&options.redactor);
    let found = match Info::read(folder) {
        Ok(info) => Some(info),
        Err(RecordError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    // One that was begun and got no call is as good as none.
    let has_calls = !sink::names(folder)?.is_empty();
    match found {
        Some(info) if more => {
            info.agrees(folder, options)?;
            return Sink::open(folder, redactor);
        }
        Some(_) if has_calls && sink::is_unfinished(folder) => {
            return Err(RecordError::Unfinished {
                folder: folder.to_owned(),
            });
        }
        Some(_) if has_calls => {
            return Err(RecordError::Exists {
                folder: folder.to_owned(),
            });
        }
        None if has_calls => {
            return Err(RecordError::Foreign {
                folder: folder.to_owned(),
            });
        }
        _ => {}
    }
    let sink = Sink::open(folder, redactor)?;
    let info = Info {
        format: FORMAT.to_owned(),
        date: options.date,
        seed: options.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: options.created,
    };
    let json = serde_json::to_string_pretty(&info).expect("plain fields");
    sink::replace(&folder.join(INFO), |file| {
        use io::Write;
        writeln!(file, "{json}").map_err(RecordError::io("write", folder))
    })?;
    Ok(sink)
}

fn file_name(variant: &str, role: ModelRole) -> String {
    format!("{variant}.{}.jsonl", role_name(role))
}

/// As in the names of files.
fn role_name(role: ModelRole) -> &'static str {
    match role {
        ModelRole::Agent => "agent",
        ModelRole::Router => "router",
        ModelRole::Memory => "memory",
        ModelRole::Judge => "judge",
        ModelRole::Simulator => "simulator",
    }
}

#[cfg(test)]
mod tests;
