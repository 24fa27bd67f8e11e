//! Which of two experiments' mails a judge prefers, and how far that can be believed.
//!
//! A fold like that of the report: [`Preferences`] reads pairs in the order of the plan and
//! ends in a [`PairwiseReport`]. Rates are averaged within an example first. It is a
//! diagnosis: nobody has measured how often such a judge is right, and nothing gates on it.

mod words;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::escape::bounded;
use super::judges::{Agreement, CanaryReport};
use super::metrics::{Estimate, rounded};
use crate::experiment::pairwise::{Header, LeftOut, Pair};
use crate::judge::Verdict;
use crate::judge::canary::Canaries;
use crate::judge::pairwise::Preference;
use crate::run::Usage;
use crate::statistics::{Level, Z_95, krippendorff_alpha, mean_interval};

pub use words::{markdown, terminal};

/// The most examples that are listed as won, and as lost.
const SHOWN: usize = 20;
/// The most characters of a reason.
const REASON: usize = 600;

/// Format of the report as JSON.
pub const FORMAT: &str = "mailproof.preferences/1";

/// Two experiments, mail by mail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairwiseReport {
    /// [`FORMAT`].
    pub format: &'static str,
    pub created: Timestamp,
    /// A and B.
    pub experiments: [String; 2],
    pub dataset_hash: String,
    pub judge: PairwiseJudge,
    /// In the order of A's variants.
    pub variants: Vec<VariantPair>,
    pub usage: Usage,
}

/// Who was asked. Nobody has measured how often it is right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairwiseJudge {
    pub version: u32,
    pub models: Vec<String>,
    /// Of each model.
    pub votes: u32,
    pub canaries: CanaryReport,
}

/// Two variants. Shares are of A, the first, unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantPair {
    pub variants: [String; 2],
    /// Two attempts at one example each.
    pub pairs: u64,
    /// Pairs in which A was preferred, in which B was, in which neither was, and which the
    /// judge gave no answer on.
    pub counts: Counts,
    /// Pairs that were decided without asking, because one side sent no mail.
    pub by_code: u64,
    pub left_out: LeftOut,
    /// Shares of the pairs with an answer: the mean over examples of each example's share.
    pub a: Estimate,
    pub b: Estimate,
    pub tied: Estimate,
    /// `a` less `b`, from −1 to 1.
    pub net: Estimate,
    /// Of the examples in which one side was preferred more often, the share in which it
    /// was A.
    pub decided: Estimate,
    pub order: Order,
    pub length: Length,
    /// How far votes on one order agree.
    pub agreement: Agreement,
    /// Examples in which B was preferred more often, the clearest first.
    pub lost: Vec<Decided>,
    pub lost_count: u64,
    /// Likewise A.
    pub won: Vec<Decided>,
    pub won_count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub a: u64,
    pub b: u64,
    pub tied: u64,
    pub unscored: u64,
}

/// What the place of an answer has to do with what is said of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Order {
    /// Pairs that the judge gave a verdict on in both orders.
    pub judged: u64,
    /// Share of these in which both orders say the same.
    pub consistent: Option<f64>,
    /// Verdicts that prefer one of the two, both orders counted.
    pub preferences: u64,
    /// Share of these for the one that stood first: 0.5 where the place makes no difference.
    pub first: Option<f64>,
}

/// What the length of a mail has to do with it, in pairs that the judge was asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Length {
    /// Pairs with one preferred, and mails of different lengths.
    pub decided: u64,
    /// Share of these in which the longer mail was.
    pub longer: Option<f64>,
    /// Correlation of being preferred (1, 0, −1) with how many characters the mail is longer;
    /// `null` where either does not vary.
    pub correlation: Option<f64>,
}

/// An example in which one side was preferred.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decided {
    pub example: String,
    /// Pairs with an answer, and those in which A and B were preferred.
    pub pairs: u32,
    pub a: u32,
    pub b: u32,
    /// Of the first pair that was decided so: of A before B, and of B before A. The second is
    /// empty where code decided.
    pub reasons: [String; 2],
}

/// Pairs on their way to a report.
#[derive(Debug)]
pub struct Preferences {
    header: Header,
    variants: Vec<Fold>,
    usage: Usage,
}

/// The pairs of two variants.
#[derive(Debug, Default)]
struct Fold {
    counts: Counts,
    by_code: u64,
    /// In the order of the plan.
    examples: Vec<Example>,
    known: HashMap<String, usize>,
    clusters: HashMap<String, u32>,
    judged: u64,
    consistent: u64,
    firsts: [u64; 2],
    longer: [u64; 2],
    correlation: Correlation,
    /// How many orders had so many votes for each verdict.
    votes: BTreeMap<[u64; 3], u64>,
}

#[derive(Debug)]
struct Example {
    id: String,
    cluster: u32,
    a: u32,
    b: u32,
    scored: u32,
    /// Of the first pair that A won, and that B won.
    reasons: [Option<[String; 2]>; 2],
}

impl Example {
    fn net(&self) -> f64 {
        (f64::from(self.a) - f64::from(self.b)) / f64::from(self.scored)
    }
}

/// Sums for Pearson's coefficient. Pairs arrive in the order of the plan, so the sums are the
/// same whatever the concurrency.
#[derive(Debug, Default)]
struct Correlation {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Correlation {
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// `None` where one of the two does not vary.
    fn value(&self) -> Option<f64> {
        let of_x = self.n * self.xx - self.x * self.x;
        let of_y = self.n * self.yy - self.y * self.y;
        let both = self.n * self.xy - self.x * self.y;
        // Sums of whole numbers, far below what a double holds exactly.
        (of_x > 0.0 && of_y > 0.0).then(|| (both / (of_x.sqrt() * of_y.sqrt())).clamp(-1.0, 1.0))
    }
}

impl Preferences {
    pub fn new(header: Header) -> Preferences {
        let variants = header.variants.iter().map(|_| Fold::default());
        Preferences {
            variants: variants.collect(),
            header,
            usage: Usage::default(),
        }
    }

    /// Takes in the next pair.
    ///
    /// # Panics
    /// Where it is of variants that the header does not have.
    pub fn push(&mut self, pair: &Pair) {
        self.usage.add(&pair.usage);
        self.variants[pair.variants as usize].push(pair);
    }

    /// `left_out` has one entry for each two variants.
    pub fn finish(self, canaries: &Canaries, left_out: &[LeftOut]) -> PairwiseReport {
        let Header {
            created,
            experiments,
            dataset_hash,
            variants,
            judge,
            ..
        } = self.header;
        let folds = self.variants.into_iter().zip(left_out);
        PairwiseReport {
            format: FORMAT,
            created,
            experiments,
            dataset_hash,
            judge: PairwiseJudge {
                version: judge.version,
                votes: judge.votes,
                models: canaries.models.clone(),
                canaries: CanaryReport::new(canaries),
            },
            variants: variants
                .into_iter()
                .zip(folds)
                .map(|(variants, (fold, left_out))| fold.finish(variants, *left_out))
                .collect(),
            usage: self.usage,
        }
    }
}

impl Fold {
    fn push(&mut self, pair: &Pair) {
        let counts = &mut self.counts;
        *match pair.preference {
            Preference::A => &mut counts.a,
            Preference::B => &mut counts.b,
            Preference::Tie => &mut counts.tied,
            Preference::Unscored => &mut counts.unscored,
        } += 1;
        match pair.by_code {
            true => self.by_code += 1,
            false => self.judged(pair),
        }
        let side = match pair.preference {
            Preference::Unscored => return,
            Preference::A => Some(0),
            Preference::B => Some(1),
            Preference::Tie => None,
        };
        let example = self.example(pair);
        example.scored += 1;
        example.a += u32::from(side == Some(0));
        example.b += u32::from(side == Some(1));
        if let Some(side) = side {
            example.reasons[side].get_or_insert_with(|| {
                let reasons = pair.reasons.each_ref();
                reasons.map(|reason| bounded(reason, REASON).into_owned())
            });
        }
    }

    fn judged(&mut self, pair: &Pair) {
        if let [Some(in_order), Some(swapped)] = pair.verdicts {
            self.judged += 1;
            let same = match in_order {
                Verdict::Pass => swapped == Verdict::Fail,
                Verdict::Fail => swapped == Verdict::Pass,
                Verdict::CannotTell => swapped == Verdict::CannotTell,
            };
            self.consistent += u64::from(same);
        }
        for verdict in pair.verdicts.into_iter().flatten() {
            match verdict {
                Verdict::Pass => self.firsts[0] += 1,
                Verdict::Fail => self.firsts[1] += 1,
                Verdict::CannotTell => {}
            }
        }
        for votes in &pair.votes {
            let mut counts = [0; 3];
            for verdict in votes.iter().filter_map(|vote| vote.verdict) {
                counts[verdict as usize] += 1;
            }
            if counts.iter().sum::<u64>() > 1 {
                *self.votes.entry(counts).or_default() += 1;
            }
        }
        let preferred = match pair.preference {
            Preference::A => 1.0,
            Preference::B => -1.0,
            Preference::Tie => 0.0,
            Preference::Unscored => return,
        };
        let [a, b] = pair.lengths.map(|length| length as f64);
        self.correlation.add(preferred, a - b);
        if preferred != 0.0 && a != b {
            self.longer[usize::from((a > b) != (preferred > 0.0))] += 1;
        }
    }

    fn example(&mut self, pair: &Pair) -> &mut Example {
        let index = match self.known.get(&pair.example) {
            Some(index) => *index,
            None => {
                // An example of no cluster is one by itself; ids and names do not meet.
                let cluster = match &pair.cluster {
                    Some(cluster) => format!("cluster {cluster}"),
                    None => format!("example {}", pair.example),
                };
                let next = self.clusters.len() as u32;
                self.examples.push(Example {
                    id: pair.example.clone(),
                    cluster: *self.clusters.entry(cluster).or_insert(next),
                    a: 0,
                    b: 0,
                    scored: 0,
                    reasons: [None, None],
                });
                let index = self.examples.len() - 1;
                self.known.insert(pair.example.clone(), index);
                index
            }
        };
        &mut self.examples[index]
    }

    fn finish(self, variants: [String; 2], left_out: LeftOut) -> VariantPair {
        let examples = &self.examples;
        let share = |of: fn(&Example) -> u32| {
            mean(examples, |one| {
                Some(f64::from(of(one)) / f64::from(one.scored))
            })
        };
        // Intervals are those of means from 0 to 1.
        let net = mean(examples, |one| Some((one.net() + 1.0) / 2.0));
        let stretched = |half: f64| rounded(half * 2.0 - 1.0);
        let decided = mean(examples, |one| match one.net() {
            0.0 => None,
            net => Some(if net > 0.0 { 1.0 } else { 0.0 }),
        });
        let counts = self.counts;
        let share_of = |[part, other]: [u64; 2]| {
            let all = part + other;
            (all > 0).then(|| rounded(part as f64 / all as f64))
        };
        let split = self.votes.iter();
        let split =
            split.filter(|(counts, _)| counts.iter().filter(|votes| **votes > 0).count() > 1);
        VariantPair {
            variants,
            pairs: counts.a + counts.b + counts.tied + counts.unscored,
            counts,
            by_code: self.by_code,
            left_out,
            a: share(|one| one.a),
            b: share(|one| one.b),
            tied: share(|one| one.scored - one.a - one.b),
            net: Estimate {
                value: net.value.map(stretched),
                low: net.low.map(stretched),
                high: net.high.map(stretched),
                n: net.n,
            },
            decided,
            order: Order {
                judged: self.judged,
                consistent: share_of([self.consistent, self.judged - self.consistent]),
                preferences: self.firsts.iter().sum(),
                first: share_of(self.firsts),
            },
            length: Length {
                decided: self.longer.iter().sum(),
                longer: share_of(self.longer),
                correlation: self.correlation.value().map(rounded),
            },
            agreement: Agreement {
                statements: self.votes.values().sum(),
                split: split.map(|(_, orders)| orders).sum(),
                alpha: krippendorff_alpha(
                    self.votes.iter().map(|(counts, orders)| (*counts, *orders)),
                    Level::Nominal,
                )
                .map(rounded),
            },
            lost: listed(examples, 1),
            lost_count: examples.iter().filter(|one| one.net() < 0.0).count() as u64,
            won: listed(examples, 0),
            won_count: examples.iter().filter(|one| one.net() > 0.0).count() as u64,
        }
    }
}

/// The mean over examples.
fn mean(examples: &[Example], value: impl Fn(&Example) -> Option<f64>) -> Estimate {
    let values = examples
        .iter()
        .filter_map(|one| Some((value(one)?, one.cluster)));
    let (values, clusters): (Vec<f64>, Vec<u32>) = values.unzip();
    let interval = mean_interval(&values, &clusters, Z_95);
    Estimate {
        value: (!values.is_empty())
            .then(|| rounded(values.iter().sum::<f64>() / values.len() as f64)),
        n: values.len() as u64,
        low: interval.map(|interval| rounded(interval.low)),
        high: interval.map(|interval| rounded(interval.high)),
    }
}

/// Those that one side won, the clearest first and then in the order of the plan.
fn listed(examples: &[Example], side: usize) -> Vec<Decided> {
    let sign = if side == 0 { 1.0 } else { -1.0 };
    let mut won: Vec<&Example> = examples
        .iter()
        .filter(|one| one.net() * sign > 0.0)
        .collect();
    won.sort_by(|one, other| (other.net() * sign).total_cmp(&(one.net() * sign)));
    let won = won.into_iter().take(SHOWN);
    won.map(|one| Decided {
        example: one.id.clone(),
        pairs: one.scored,
        a: one.a,
        b: one.b,
        reasons: one.reasons[side].clone().unwrap_or_default(),
    })
    .collect()
}

#[cfg(test)]
mod tests;
