//! How much attempts at one example differ, and whether the agent or the judge is why.

use super::comparison::Noise;
use super::results::{Cell, CellNoise, Measure};
use crate::judge::{Ruling, Verdict};
use crate::statistics::FixedSum;

/// One attempt as its votes have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct VotedOnce {
    /// The share of statements met, by the mean of the votes on each: from 0 to 1.
    score: f64,
    /// The variance of `score` that comes of asking so many votes and no more.
    variance: f64,
}

/// What the votes on one attempt say; `None` where no statement got two votes.
///
/// A statement of weight `w` that a share `p` of `v` votes found met adds `w·p` to the score,
/// and `w²·p(1-p)/(v-1)` to its variance, which is the unbiased estimate for the mean of `v`
/// votes that are independent of each other; both are divided by the sum of weights, squared
/// for the variance. What one vote or code alone decided varies by nothing that can be seen.
pub(super) fn voted(rulings: &[Ruling]) -> Option<VotedOnce> {
    let (mut weights, mut score, mut variance) = (0.0, 0.0, 0.0);
    let mut is_voted = false;
    for ruling in rulings {
        let usable = ruling.votes.iter().filter_map(|vote| vote.verdict);
        let (mut votes, mut met) = (0.0, 0.0);
        for verdict in usable {
            votes += 1.0;
            met += f64::from(u8::from(verdict == Verdict::Pass));
        }
        let share = match ruling.verdict {
            None => continue,
            Some(verdict) if votes == 0.0 => f64::from(u8::from(verdict == Verdict::Pass)),
            Some(_) => met / votes,
        };
        weights += ruling.weight;
        score += ruling.weight * share;
        if votes > 1.0 {
            is_voted = true;
            variance += ruling.weight.powi(2) * share * (1.0 - share) / (votes - 1.0);
        }
    }
    (is_voted && weights > 0.0).then(|| VotedOnce {
        score: (score / weights).clamp(0.0, 1.0),
        variance: (variance / weights.powi(2)).clamp(0.0, 1.0),
    })
}

/// Attempts at one example that were voted on, whose sums do not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Voted {
    scores: FixedSum,
    squares: FixedSum,
    variances: FixedSum,
}

impl Voted {
    pub fn push(&mut self, one: VotedOnce) {
        self.scores.add(one.score);
        self.squares.add(one.score * one.score);
        self.variances.add(one.variance);
    }

    /// The variance between attempts, less what the votes alone would make of it (one-way
    /// random effects; R. A. Fisher, "Statistical Methods for Research Workers" (1925),
    /// chapter VII). `None` below two attempts.
    pub fn noise(self) -> Option<CellNoise> {
        let count = self.scores.count() as f64;
        let (mean, square) = (self.scores.mean()?, self.squares.mean()?);
        let judge = self.variances.mean()?;
        (count > 1.0).then(|| {
            let between = (square - mean * mean) * count / (count - 1.0);
            CellNoise {
                agent: (between - judge).max(0.0),
                judge,
            }
        })
    }
}

/// The mean over `cells` of how much attempts differ under a measure; `None` where none was
/// attempted twice.
///
/// Whether an attempt passed is decided without judges, so its variance is the agent's alone.
pub(super) fn noise<'a>(measure: Measure, cells: impl Iterator<Item = &'a Cell>) -> Option<Noise> {
    let (mut examples, mut agent, mut judge) = (0u64, 0.0, 0.0);
    for cell in cells {
        let found = match measure {
            Measure::PassRate if cell.scored > 1 => {
                let (passed, of) = (f64::from(cell.passed), f64::from(cell.scored));
                Some(CellNoise {
                    agent: passed / of * (of - passed) / (of - 1.0),
                    judge: 0.0,
                })
            }
            Measure::PassRate => None,
            Measure::Key(key) => cell.noise.get(&key).copied(),
        };
        if let Some(found) = found {
            examples += 1;
            agent += found.agent;
            judge += found.judge;
        }
    }
    let mean = |sum: f64| sum / examples as f64;
    (examples > 0).then(|| Noise {
        examples,
        agent: mean(agent),
        judge: measure.is_judged().then(|| mean(judge)),
    })
}
