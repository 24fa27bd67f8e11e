//! From the rulings of attempts, in any order and without keeping them, to what is told of
//! them: counts, and bounded lists of the first and of the worst.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Agreement, CAUSES_SHOWN, JUDGED_SHOWN, Statements};
use crate::experiment::{Attempt, CaseKind};
use crate::judge::{Ruling, Verdict, Vote};
use crate::report::escape::bounded;
use crate::report::learning::First;
use crate::report::metrics::rounded;
use crate::statistics::{Level, krippendorff_alpha};

/// The most characters of one statement, one reason, one quote, and one cause.
pub(super) const STATEMENT_SHOWN: usize = 300;
const REASON_SHOWN: usize = 400;
const QUOTE_SHOWN: usize = 200;
const CAUSE_SHOWN: usize = 160;
/// The most quotes of one ruling, and rulings of one attempt.
const QUOTES_SHOWN: usize = 3;
const RULINGS_SHOWN: usize = 12;
/// The most different causes that are counted apart.
const CAUSES_KEPT: usize = 500;

/// One attempt, by what its judge ruled, the statements that are not met first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WorstJudged {
    /// The id of the example, the scenario, or the episode.
    pub example: String,
    pub kind: CaseKind,
    pub split: Option<String>,
    pub repeat: u32,
    pub met: u64,
    /// Statements with a verdict.
    pub ruled: u64,
    /// At most 12.
    pub rulings: Vec<RulingReport>,
}

/// What came of one statement.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RulingReport {
    pub statement: String,
    /// Where it is not met, nothing else counts.
    pub critical: bool,
    /// `null` where the judge gave none that can be used.
    pub verdict: Option<Verdict>,
    /// Whether it was decided without asking anybody.
    pub by_code: bool,
    pub reason: String,
    /// Passages of what was shown, each found there.
    pub quotes: Vec<String>,
}

/// A statement on which votes differ.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SplitVote {
    pub example: String,
    pub repeat: u32,
    pub statement: String,
    pub verdict: Option<Verdict>,
    /// One for each verdict that was voted for, the commonest first.
    pub sides: Vec<Side>,
}

/// The votes for one verdict.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Side {
    pub verdict: Verdict,
    pub votes: u64,
    /// Whose reason it is: the first that voted so.
    pub model: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnscoredCause {
    /// What was quoted in it is left out.
    pub cause: String,
    pub statements: u64,
}

/// What a judge ruled about one variant's attempts at one case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ruled {
    met: u32,
    /// Put to the judge, and ruled on.
    ruled: u32,
}

impl Ruled {
    pub fn record(&mut self, rulings: &[Ruling]) {
        for ruling in rulings.iter().filter(|ruling| !ruling.is_by_code()) {
            self.met += u32::from(ruling.verdict == Some(Verdict::Pass));
            self.ruled += u32::from(ruling.verdict.is_some());
        }
    }

    /// `None` where it ruled on nothing.
    pub fn share(&self) -> Option<f64> {
        (self.ruled > 0).then(|| f64::from(self.met) / f64::from(self.ruled))
    }

    pub fn lacks(&self) -> bool {
        self.met < self.ruled
    }
}

/// What a judge ruled about all attempts of one variant.
#[derive(Debug)]
pub struct JudgeFold {
    statements: Statements,
    causes: BTreeMap<String, u64>,
    votes: Votes,
    splits: First<Vec<SplitVote>>,
    worst: Worst,
}

impl JudgeFold {
    pub fn new() -> JudgeFold {
        JudgeFold {
            statements: Statements::default(),
            causes: BTreeMap::new(),
            votes: Votes::default(),
            splits: First::new(JUDGED_SHOWN),
            worst: Worst::default(),
        }
    }

    pub fn record<R>(&mut self, attempt: &Attempt<R>, rulings: &[Ruling]) {
        for ruling in rulings {
            if ruling.is_by_code() {
                self.statements.by_code += 1;
                continue;
            }
            self.statements.record(ruling.verdict);
            self.votes.record(&ruling.votes);
            if ruling.verdict.is_none() {
                self.unscored_because(&ruling.reason);
            }
        }
        if rulings.iter().any(Ruling::is_split) {
            self.splits
                .record(attempt, || split_votes(attempt, rulings));
        }
        self.worst.record(attempt, rulings);
    }

    fn unscored_because(&mut self, reason: &str) {
        *self.causes.entry(cause(reason)).or_default() += 1;
        // The first by the alphabet stay, so that the order of attempts changes nothing: what
        // is dropped once would be dropped again.
        if self.causes.len() > CAUSES_KEPT {
            self.causes.pop_last();
        }
    }

    pub fn statements(&self) -> Statements {
        self.statements
    }

    pub fn unscored(&self) -> Vec<UnscoredCause> {
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|(_, statements)| Reverse(**statements));
        let shown = causes.into_iter().take(CAUSES_SHOWN);
        shown
            .map(|(cause, &statements)| UnscoredCause {
                cause: cause.clone(),
                statements,
            })
            .collect()
    }

    pub fn agreement(&self) -> Agreement {
        self.votes.agreement()
    }

    pub fn split_votes(&self) -> Vec<SplitVote> {
        let splits = self.splits.report().into_iter().flatten();
        splits.take(JUDGED_SHOWN).collect()
    }

    pub fn worst(&self) -> Vec<WorstJudged> {
        self.worst.report()
    }
}

fn shown(text: &str, most: usize) -> String {
    bounded(text, most).into_owned()
}

/// A reason without what it quotes, so that equal causes are counted together.
fn cause(reason: &str) -> String {
    let mut parts = reason.split('"');
    let mut text = parts.next().unwrap_or_default().to_owned();
    while parts.next().is_some() {
        text.push_str("\"…\"");
        text.push_str(parts.next().unwrap_or_default());
    }
    shown(&text, CAUSE_SHOWN)
}

fn split_votes<R>(attempt: &Attempt<R>, rulings: &[Ruling]) -> Vec<SplitVote> {
    let split = rulings.iter().filter(|ruling| ruling.is_split());
    split
        .take(JUDGED_SHOWN)
        .map(|ruling| SplitVote {
            example: attempt.case.example.clone(),
            repeat: attempt.case.repeat,
            statement: shown(&ruling.statement, STATEMENT_SHOWN),
            verdict: ruling.verdict,
            sides: sides(&ruling.votes),
        })
        .collect()
}

fn sides(votes: &[Vote]) -> Vec<Side> {
    let side = |verdict: Verdict| {
        let mut votes = votes.iter().filter(|vote| vote.verdict == Some(verdict));
        let first = votes.next()?;
        Some(Side {
            verdict,
            votes: 1 + votes.count() as u64,
            model: shown(&first.model, STATEMENT_SHOWN),
            reason: shown(&first.reason, REASON_SHOWN),
        })
    };
    let mut sides: Vec<Side> = Verdict::ALL.into_iter().filter_map(side).collect();
    sides.sort_by_key(|side| Reverse(side.votes));
    sides
}

/// How statements were voted on: by the number of votes for each verdict, how many
/// statements had such votes. There are few such numbers, however many statements.
#[derive(Debug, Default)]
struct Votes(BTreeMap<[u64; Verdict::ALL.len()], u64>);

impl Votes {
    fn record(&mut self, votes: &[Vote]) {
        let mut counts = [0; Verdict::ALL.len()];
        for verdict in votes.iter().filter_map(|vote| vote.verdict) {
            counts[verdict as usize] += 1;
        }
        if counts.iter().sum::<u64>() >= 2 {
            *self.0.entry(counts).or_default() += 1;
        }
    }

    fn agreement(&self) -> Agreement {
        let split = |counts: &[u64]| counts.iter().filter(|&&count| count > 0).count() > 1;
        Agreement {
            statements: self.0.values().sum(),
            split: self
                .0
                .iter()
                .filter(|(counts, _)| split(&counts[..]))
                .map(|(_, statements)| statements)
                .sum(),
            alpha: krippendorff_alpha(
                self.0.iter().map(|(counts, n)| (*counts, *n)),
                Level::Nominal,
            )
            .map(rounded),
        }
    }
}

/// The worst attempt of each of the worst cases.
///
/// A case's rank can only fall as more of its attempts arrive, so a case that was pushed out
/// by worse ones belongs there only with an attempt that is worse, and then it comes back.
#[derive(Debug, Default)]
struct Worst(BTreeMap<u32, (Rank, WorstJudged)>);

/// Millionths of the statements that were met, then which attempt.
type Rank = (u64, u32);

impl Worst {
    fn record<R>(&mut self, attempt: &Attempt<R>, rulings: &[Ruling]) {
        let ruled = rulings.iter().filter(|ruling| ruling.verdict.is_some());
        let ruled = ruled.count() as u64;
        let is_met = |ruling: &&Ruling| ruling.verdict == Some(Verdict::Pass);
        let met = rulings.iter().filter(is_met).count() as u64;
        let lacks = |ruling: &Ruling| {
            let not_met = ruling.verdict.is_some_and(|it| it != Verdict::Pass);
            not_met && !ruling.is_by_code()
        };
        // What code decides has its reason elsewhere: the agent failed, or wrote nothing.
        if !rulings.iter().any(lacks) {
            return;
        }
        let case = &attempt.case;
        let rank = (met * 1_000_000 / ruled, case.repeat);
        let is_worse = match self.0.get(&case.position) {
            Some((known, _)) => rank < *known,
            None => {
                self.0.len() < JUDGED_SHOWN
                    || self
                        .last()
                        .is_some_and(|last| (rank.0, case.position) < last)
            }
        };
        if !is_worse {
            return;
        }
        let judged = WorstJudged {
            example: case.example.clone(),
            kind: attempt.kind,
            split: attempt.split.clone(),
            repeat: case.repeat,
            met,
            ruled,
            rulings: reported(rulings),
        };
        self.0.insert(case.position, (rank, judged));
        if self.0.len() > JUDGED_SHOWN {
            let (_, position) = self.last().expect("it is not empty");
            self.0.remove(&position);
        }
    }

    /// The share and the position of the best of them.
    fn last(&self) -> Option<(u64, u32)> {
        let ranks = self.0.iter();
        ranks
            .map(|(&position, ((share, _), _))| (*share, position))
            .max()
    }

    fn report(&self) -> Vec<WorstJudged> {
        let mut worst: Vec<_> = self.0.values().collect();
        // Stable, so that what is equally bad stays in the plan's order.
        worst.sort_by_key(|((share, _), _)| *share);
        worst
            .into_iter()
            .map(|(_, judged)| judged.clone())
            .collect()
    }
}

/// What is not met first, each in the order of the statements.
fn reported(rulings: &[Ruling]) -> Vec<RulingReport> {
    let mut rulings: Vec<&Ruling> = rulings.iter().collect();
    rulings.sort_by_key(|ruling| match ruling.verdict {
        Some(Verdict::Fail) => 0,
        Some(Verdict::CannotTell) => 1,
        None => 2,
        Some(Verdict::Pass) => 3,
    });
    let rulings = rulings.into_iter().take(RULINGS_SHOWN);
    rulings
        .map(|ruling| RulingReport {
            statement: shown(&ruling.statement, STATEMENT_SHOWN),
            critical: ruling.critical,
            verdict: ruling.verdict,
            by_code: ruling.is_by_code(),
            reason: shown(&ruling.reason, REASON_SHOWN),
            quotes: ruling
                .quotes
                .iter()
                .take(QUOTES_SHOWN)
                .map(|quote| shown(quote, QUOTE_SHOWN))
                .collect(),
        })
        .collect()
}
