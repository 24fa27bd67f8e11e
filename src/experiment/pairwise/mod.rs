//! Two experiments over the same emails, mail by mail: which of two does a judge prefer?
//!
//! Both journals are read once to see where attempts stand; then the mails are compared in
//! the order of the plan, with a bounded number of trajectories in memory. What comes of it
//! is kept in `pairwise/OTHER.jsonl` beside the journal: a [`Header`], a [`Pair`] for every
//! two attempts, an [`End`]. The file is there once it is whole, and not before.

mod places;
mod read;
mod write;

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::journal::{JournalError, read_attempt};
use super::record::JudgePlan;
use crate::dataset::{Dataset, Example};
use crate::judge::bench::Judge;
use crate::judge::canary::Canaries;
use crate::judge::pairwise::{Compared, Preference, canary, compare, statement};
use crate::judge::subject::{Replied, replied};
use crate::judge::{Verdict, Vote};
use crate::model::Origin;
use crate::model::halt::{Halt, Halted};
use crate::redact::Redactor;
use crate::run::{Cost, Run, Usage};

pub use places::Places;
pub use read::{PairwiseError, Reader};
pub use write::Writer;

/// Format of the file; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.pairwise/1";

/// The folder of these files, within the experiment's.
pub const FOLDER: &str = "pairwise";

/// What is compared, and who judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    pub tool_version: String,
    pub created: Timestamp,
    /// A and B.
    pub experiments: [String; 2],
    /// SHA-256 over the first lines of their journals, hexadecimal.
    pub journals: [String; 2],
    pub dataset_hash: String,
    /// Variants of A and of B that are compared.
    pub variants: Vec<[String; 2]>,
    pub judge: JudgePlan,
    /// What the judge is asked.
    pub statement: String,
}

/// Two attempts at one example, by what they sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Index into [`Header::variants`].
    pub variants: u32,
    pub example: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub repeat: u32,
    pub preference: Preference,
    /// One side sent no mail, so nobody was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_code: bool,
    /// What was said of A before B, and of B before A.
    pub reasons: [String; 2],
    /// Whether the one that stood first was better.
    pub verdicts: [Option<Verdict>; 2],
    pub votes: [Vec<Vote>; 2],
    /// Characters of the mails; 0 where there is none.
    pub lengths: [u64; 2],
    pub usage: Usage,
}

/// Attempts at emails that want a reply, and that are in no pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Only one experiment has them.
    pub unpaired: u64,
    /// Pairs of which one ended in an infrastructure error.
    pub errors: u64,
    /// Pairs of which neither sent a mail.
    pub unsent: u64,
}

/// The last line: that nothing is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub pairs: u64,
    /// For each two variants.
    pub left_out: Vec<LeftOut>,
    /// What judging cost in US dollars; absent where the price of any call is not known.
    #[serde(default, rename = "spent_usd", skip_serializing_if = "Option::is_none")]
    pub spent: Option<Cost>,
}

/// One line of the file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Header(&'a Header),
    Canaries(&'a Canaries),
    Pair(&'a Pair),
    End(&'a End),
}

/// Where what comes of comparing `with` is kept, within the folder of an experiment; `with`
/// names one experiment, or a variant of one.
pub fn path(folder: &Path, with: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{with}.jsonl"))
}

/// Everything that comparing needs.
pub struct Comparing {
    pub sides: [Places; 2],
    /// Indexes of the variants of A and of B that are compared.
    pub variants: Vec<[u32; 2]>,
    /// The one that both journals' attempts were made on.
    pub dataset: Arc<Dataset>,
    /// As the journals' was: ids stand in there without their secrets.
    pub redactor: Arc<Redactor>,
    pub judge: Arc<Judge>,
    /// Of the panel, by the names they were chosen by.
    pub models: Vec<String>,
    /// Pairs in memory at most.
    pub concurrency: NonZeroUsize,
    /// Once cancelled, nothing more is asked.
    pub cancel: CancellationToken,
    /// Likewise once it has a reason.
    pub halt: Halt,
}

/// How far it came.
#[derive(Debug)]
pub enum Ended {
    Complete {
        canaries: Canaries,
        /// For each two variants.
        left_out: Vec<LeftOut>,
    },
    Cancelled,
    Halted(Halted),
}

/// Two attempts to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Planned {
    variants: u32,
    position: u32,
    repeat: u32,
    offsets: [u64; 2],
}

impl Comparing {
    /// How many pairs there are at most; those without a mail are found when they are read.
    pub fn pairs(&self) -> u64 {
        self.planned().0.len() as u64
    }

    /// The pairs in the order of A's plan, and how many attempts are in none.
    fn planned(&self) -> (Vec<Planned>, Vec<LeftOut>) {
        let [a, b] = &self.sides;
        let (mut planned, mut left_out) = (Vec::new(), Vec::new());
        for (number, [of_a, of_b]) in self.variants.iter().enumerate() {
            let mut without = LeftOut::default();
            for (place, offset) in a.attempts(*of_a) {
                match b.offset(*of_b, a.example(place.position), place.repeat) {
                    Some(other) => planned.push(Planned {
                        variants: number as u32,
                        position: place.position,
                        repeat: place.repeat,
                        offsets: [offset, other],
                    }),
                    None => without.unpaired += 1,
                }
            }
            let others = b.attempts(*of_b).filter(|(place, _)| {
                let example = b.example(place.position);
                a.offset(*of_a, example, place.repeat).is_none()
            });
            without.unpaired += others.count() as u64;
            left_out.push(without);
        }
        (planned, left_out)
    }
}

/// What became of two attempts.
enum Done {
    Compared(Box<(Pair, bool, bool)>),
    Errors,
    Unsent,
}

/// Something to keep.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// Before the first pair, once.
    Canaries(&'a Canaries),
    Pair(&'a Pair),
}

/// Has the judge look at every two attempts, and hands each pair to `keep` in the order of
/// the plan, whatever the concurrency.
///
/// # Errors
/// A journal that cannot be read or has attempts that are none at the dataset's examples, and
/// what `keep` reports.
pub async fn run(
    comparing: Comparing,
    mut keep: impl FnMut(Found<'_>) -> Result<(), JournalError>,
) -> Result<Ended, JournalError> {
    let (planned, mut left_out) = comparing.planned();
    let Comparing {
        sides,
        variants: _,
        dataset,
        redactor,
        judge,
        models,
        concurrency,
        cancel,
        halt,
    } = comparing;
    let shown = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(Ended::Cancelled),
        halted = halt.stopped() => return Ok(Ended::Halted(halted.clone())),
        shown = canary::run(&judge, models) => shown,
    };
    if let Some(halted) = halt.reason() {
        return Ok(Ended::Halted(halted.clone()));
    }
    keep(Found::Canaries(&shown.canaries))?;
    let sides = Arc::new(sides);
    let examples: HashMap<String, usize> = dataset
        .examples
        .iter()
        .enumerate()
        .map(|(index, example)| (redactor.text(&example.id).into_owned(), index))
        .collect();
    let mut waiting = planned.into_iter();
    let mut under_way = VecDeque::with_capacity(concurrency.get());
    loop {
        while under_way.len() < concurrency.get() {
            let Some(planned) = waiting.next() else { break };
            let id = sides[0].example(planned.position);
            let index = *examples.get(id).ok_or_else(|| sides[0].unknown(id))?;
            let (sides, dataset) = (Arc::clone(&sides), Arc::clone(&dataset));
            let judge = Arc::clone(&judge);
            under_way.push_back((
                planned.variants as usize,
                AbortOnDropHandle::new(tokio::spawn(async move {
                    one(&judge, &sides, &dataset.examples[index], planned).await
                })),
            ));
        }
        let Some((variants, first)) = under_way.pop_front() else {
            return Ok(Ended::Complete {
                canaries: shown.canaries,
                left_out,
            });
        };
        let joined = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(Ended::Cancelled),
            halted = halt.stopped() => return Ok(Ended::Halted(halted.clone())),
            joined = first => joined,
        };
        match joined.expect("a task panicked outside of a judge")? {
            Done::Errors => left_out[variants].errors += 1,
            Done::Unsent => left_out[variants].unsent += 1,
            Done::Compared(done) => {
                let (pair, is_halted, outage) = *done;
                // What the end of the run cut off says nothing.
                if let (true, Some(halted)) = (is_halted || outage, halt.reason()) {
                    return Ok(Ended::Halted(halted.clone()));
                }
                keep(Found::Pair(&pair))?;
            }
        }
    }
}

async fn one(
    judge: &Judge,
    sides: &[Places; 2],
    example: &Example,
    planned: Planned,
) -> Result<Done, JournalError> {
    let attempt = |side: usize| read_attempt::<Run>(sides[side].path(), planned.offsets[side]);
    let (a, b) = (attempt(0)?, attempt(1)?);
    if a.outcome.is_error() || b.outcome.is_error() {
        return Ok(Done::Errors);
    }
    let mail = |runs: &[Run]| {
        let run = runs.first()?;
        replied(&judge.definition, example, run)
    };
    let (a_sent, b_sent) = (mail(&a.runs), mail(&b.runs));
    let length = |sent: &Option<Replied>| sent.as_ref().map_or(0, |replied| replied.length);
    let lengths = [length(&a_sent), length(&b_sent)];
    let by_code = |preference, sent: &str, other: &str| Compared {
        preference,
        reasons: [
            format!("{other} sent no mail, and {sent} did"),
            String::new(),
        ],
        verdicts: [None; 2],
        votes: Default::default(),
        usage: Usage::default(),
        halted: false,
        outage: false,
    };
    let (compared, is_by_code) = match (a_sent, b_sent) {
        (None, None) => return Ok(Done::Unsent),
        (Some(_), None) => (by_code(Preference::A, "A", "B"), true),
        (None, Some(_)) => (by_code(Preference::B, "B", "A"), true),
        // Equal ones too: how often a judge sees a difference there is part of what it is.
        (Some(a), Some(b)) => {
            let origin = Origin::new(&example.id, planned.repeat);
            let statement = statement(judge.definition.scale);
            let compared = compare(judge, statement, &a.shown, &b.shown, &origin).await;
            (compared, false)
        }
    };
    let pair = Pair {
        variants: planned.variants,
        example: a.case.example,
        cluster: a.cluster,
        repeat: planned.repeat,
        preference: compared.preference,
        by_code: is_by_code,
        reasons: compared.reasons,
        verdicts: compared.verdicts,
        votes: compared.votes,
        lengths,
        usage: compared.usage,
    };
    let done = (pair, compared.halted, compared.outage);
    Ok(Done::Compared(Box::new(done)))
}

#[cfg(test)]
mod tests;
