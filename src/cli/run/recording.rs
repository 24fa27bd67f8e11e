//! Recordings of a command: which are read, which are written, and what they decide.

use std::sync::Arc;

use jiff::Zoned;
use jiff::civil::Date;

use super::super::args::{Recordings, RunArgs};
use super::super::exit::Failure;
use super::super::models::Models;
use super::super::talk::warn;
use crate::experiment::{EndReason, Header, RecordingUse};
use crate::model::Model;
use crate::model::catalog::Catalog;
use crate::model::record::{Info, Options, RecordError, Recording, Unused};
use crate::redact::Redactor;
use crate::run::ModelRole;

/// What the prompts that are recorded were made with.
#[derive(Clone, Copy, Debug)]
pub struct Prompts {
    pub date: Date,
    pub seed: u64,
}

impl Prompts {
    /// Of a command whose prompts depend on neither: what the recording says that it answers
    /// from, so that it answers on any day, or else `otherwise`.
    pub fn of(replayed: Option<&Info>, otherwise: Prompts) -> Prompts {
        replayed.map_or(otherwise, |info| Prompts {
            date: info.date,
            seed: info.seed,
        })
    }
}

/// # Errors
/// Pruning was asked for where nothing can be pruned.
pub fn can_prune(recordings: &Recordings, prune: bool) -> Result<(), Failure> {
    if prune && (recordings.replay.is_none() || recordings.record.is_none()) {
        return Err(Failure::usage(
            "`--prune` drops what a run did not use of a recording that it adds to: give `--replay DIR --record DIR` with it",
        ));
    }
    Ok(())
}

/// What the recording to replay was made with.
pub fn replayed(recordings: &Recordings) -> Result<Option<Info>, Failure> {
    let folder = recordings.replay.as_deref();
    folder
        .map(Info::read)
        .transpose()
        .map_err(Failure::from_error)
}

/// The seed that a replay needs.
pub fn seed(info: &Info, args: &RunArgs, resumed: Option<&Header>) -> Result<u64, Failure> {
    let asked = args.choices.seed.or(resumed.map(|header| header.seed));
    match asked {
        Some(seed) if seed != info.seed => Err(Failure::usage(format!(
            "the recording was made with the seed {}, and this run has {seed}, which changes what models are asked: leave the seed out (`--seed`, `MAILPROOF_SEED`, `seed:`), or record anew",
            info.seed
        ))),
        _ => Ok(info.seed),
    }
}

/// The day that prompts name: of what is gone on with, of what is replayed, the one that was
/// asked for, or today.
pub fn date(
    args: &RunArgs,
    resumed: Option<&Header>,
    replayed: Option<&Info>,
    today: Date,
) -> Result<Date, Failure> {
    let resumed = resumed.map(|header| (header.date, "experiment was started"));
    let replayed = replayed.map(|info| (info.date, "recording was made"));
    match (resumed.or(replayed), args.date) {
        (Some((date, what)), Some(asked)) if date != asked => Err(Failure::usage(format!(
            "the {what} with prompts that name {date}, and `--date` is {asked}: leave it out"
        ))),
        (Some((date, _)), _) => Ok(date),
        (None, asked) => Ok(asked.unwrap_or(today)),
    }
}

/// Opens what a command reads and writes of recordings; `None` where that is nothing.
/// `resume` where it goes on with an experiment, whose calls may be there already.
pub fn open(
    recordings: &Recordings,
    resume: bool,
    prompts: Prompts,
    now: &Zoned,
    redactor: &Arc<Redactor>,
) -> Result<Option<Arc<Recording>>, Failure> {
    let Recordings { replay, record } = recordings.clone();
    if replay.is_none() && record.is_none() {
        return Ok(None);
    }
    let recording = Recording::open(Options {
        replay,
        record,
        resume,
        date: prompts.date,
        seed: prompts.seed,
        created: now.timestamp(),
        redactor: Arc::clone(redactor),
    });
    recording.map(Some).map_err(Failure::from_error)
}

/// A model that was opened, or what is recorded of it for `variant`, a part of a file's name.
///
/// # Errors
/// What is recorded of it cannot be read.
///
/// # Panics
/// Where it was not opened, and nothing is recorded.
pub fn model(
    recording: Option<&Arc<Recording>>,
    models: &Models,
    catalog: &Catalog,
    variant: &str,
    name: &str,
    role: ModelRole,
) -> Result<Arc<dyn Model>, RecordError> {
    let model = models.get(name, role);
    match recording {
        None => Ok(model.expect("every model of the choices was opened")),
        Some(recording) => {
            let settings = catalog.settings(name, role);
            recording.model(model, variant, role, name, &settings, models.halt.clone())
        }
    }
}

/// What became of the calls so far.
pub fn used(recording: &Recording, replayed: Option<&Info>) -> RecordingUse {
    RecordingUse {
        replayed_from: replayed.map(|info| info.created),
        variants: recording.traffic(),
    }
}

/// Puts what was recorded in order, when no call is in flight any more.
pub fn finish(recording: &Recording, prune: bool, because: EndReason) -> Result<(), Failure> {
    let unused = match (prune, because) {
        (true, EndReason::Complete) => Unused::Dropped,
        (true, _) => {
            warn("nothing was pruned: a run that is not complete does not tell what is unused");
            Unused::Kept
        }
        (false, _) => Unused::Kept,
    };
    recording.finish(unused).map_err(Failure::from_error)
}
