//! Recordings of a run: which are read, which are written, and what they decide.

use std::sync::Arc;

use jiff::Zoned;
use jiff::civil::Date;

use super::super::args::RunArgs;
use super::super::exit::Failure;
use super::super::talk::warn;
use crate::experiment::{EndReason, Header, Plan, RecordingUse};
use crate::model::record::{Info, Options, Recording, Unused};
use crate::redact::Redactor;

/// Whether every answer is to come from a recording.
pub fn asks_nobody(args: &RunArgs) -> bool {
    args.choices.replay.is_some() && args.choices.record.is_none()
}

/// What the recording to replay was made with.
pub fn replayed(args: &RunArgs) -> Result<Option<Info>, Failure> {
    if args.prune && (args.choices.replay.is_none() || args.choices.record.is_none()) {
        return Err(Failure::usage(
            "`--prune` drops what a run did not use of a recording that it adds to: give `--replay DIR --record DIR` with it",
        ));
    }
    let folder = args.choices.replay.as_deref();
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

/// The day that prompts name: of what is gone on with, of what is replayed, or today.
pub fn date(resumed: Option<&Header>, replayed: Option<&Info>, today: Date) -> Date {
    let resumed = resumed.map(|header| header.date);
    resumed.or(replayed.map(|info| info.date)).unwrap_or(today)
}

/// Opens what the run reads and writes of recordings; `None` where that is nothing.
pub fn open(
    args: &RunArgs,
    date: Date,
    plan: &Plan,
    now: &Zoned,
    redactor: &Arc<Redactor>,
) -> Result<Option<Arc<Recording>>, Failure> {
    let (replay, record) = (args.choices.replay.clone(), args.choices.record.clone());
    if replay.is_none() && record.is_none() {
        return Ok(None);
    }
    let recording = Recording::open(Options {
        replay,
        record,
        resume: args.resume,
        date,
        seed: plan.seed,
        created: now.timestamp(),
        redactor: Arc::clone(redactor),
    });
    recording.map(Some).map_err(Failure::from_error)
}

/// What became of the calls so far.
pub fn used(recording: &Recording, replayed: Option<&Info>) -> RecordingUse {
    RecordingUse {
        replayed_from: replayed.map(|info| info.created),
        variants: recording.traffic(),
    }
}

/// Puts what was recorded in order, when no call is in flight any more.
pub fn finish(recording: &Recording, args: &RunArgs, because: EndReason) -> Result<(), Failure> {
    let unused = match (args.prune, because) {
        (true, EndReason::Complete) => Unused::Dropped,
        (true, _) => {
            warn("nothing was pruned: a run that is not complete does not tell what is unused");
            Unused::Kept
        }
        (false, _) => Unused::Kept,
    };
    recording.finish(unused).map_err(Failure::from_error)
}
