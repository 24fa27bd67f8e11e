//! What two experiments come to, side by side.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Measure;
use crate::experiment::CaseKind;

/// A reference and a candidate. Differences are candidate − reference throughout.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    pub reference: Side,
    pub candidate: Side,
    pub rule: Rule,
    /// Over all pairs: [`Verdict::Worse`] where any measure that gates got worse, and
    /// [`Verdict::Equivalent`] or [`Verdict::Better`] only where all are known not to have.
    pub verdict: Verdict,
    /// The looks that decided; absent where all attempts were looked at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks: Option<LooksTaken>,
    /// What else differs, and may be why: one sentence each, settings before examples.
    pub differences: Vec<String>,
    /// In the candidate's order.
    pub pairs: Vec<Pair>,
    /// Variants that only one side has.
    pub only_reference: Vec<String>,
    pub only_candidate: Vec<String>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Side {
    pub experiment: String,
    /// The file it was read from, where it is a reference file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[schemars(with = "String")]
    pub created: Timestamp,
    pub dataset_hash: String,
    pub repeat: u32,
    /// Whose scores; absent where they are the run's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
    pub complete: bool,
}

/// How far looks at a candidate came that grew from look to look. Each is at as many attempts of
/// both sides; the figures are those of the last.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LooksTaken {
    pub taken: u32,
    /// The most that were planned.
    pub of: u32,
    /// Whether no further look is taken.
    pub decided: bool,
    /// How much of [`Rule::alpha`] could be spent on false alarms by then.
    pub spent: f64,
    /// The level at which each bound holds by itself, so that all looks together hold.
    pub level: f64,
    /// Attempts of the candidate that all looks would have taken, and that were not made.
    pub saved: u64,
}

/// What counts as worse.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rule {
    /// The largest drop that nobody minds, from 0 to 1.
    pub margin: f64,
    /// The share of false alarms that is put up with, over all measures that gate.
    pub alpha: f64,
    /// The measures that gate; others are shown.
    pub gates: Vec<Measure>,
    /// What the random numbers of resampling are drawn from.
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The drop is no chance, and as large as the margin: exit code 101.
    Worse,
    /// The gain is no chance.
    Better,
    /// A drop as large as the margin can be ruled out.
    Equivalent,
    /// Neither: there are too few examples to say.
    CannotTell,
}

/// Two variants, compared.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Pair {
    /// The reference's variant.
    pub reference: String,
    /// The candidate's.
    pub candidate: String,
    pub verdict: Verdict,
    /// What keeps it from being called fine, whatever its keys say: too little was scored. One
    /// sentence each.
    pub open: Vec<String>,
    /// Examples, scenarios, and episodes that both have.
    pub shared: u64,
    /// Ids that only one side has; the first [`IDS_SHOWN`], with the whole number beside.
    pub only_reference: Vec<String>,
    pub only_candidate: Vec<String>,
    pub only_reference_count: u64,
    pub only_candidate_count: u64,
    /// Those that gate first, then in the order of the reports.
    pub keys: Vec<KeyChange>,
    /// The pass rate by tag; [`worst_first`] has them in the order to read them in.
    pub tags: BTreeMap<String, GroupChange>,
    pub splits: BTreeMap<String, GroupChange>,
    /// Examples that most attempts passed on one side, and on the other not: worse before
    /// better, then by how much, then by id; all of them, whatever the verdict.
    pub flips: Vec<Flip>,
    /// Examples with both outcomes among attempts of one side.
    pub flaky: Vec<Flaky>,
    /// How much attempts at one example differ, and why: `pass_rate`, then judged keys that
    /// were voted on.
    pub noise: Vec<NoiseChange>,
    pub resources: Vec<ResourceChange>,
}

/// The most ids that are named.
pub const IDS_SHOWN: usize = 50;
/// The most tags, and the most splits, that are told apart: those that lost most.
pub const GROUPS_SHOWN: usize = 40;

/// Groups that lost, the least probable by chance first: a tag of one example that flipped
/// says less than one of twenty of which half did.
pub fn worst_first(groups: &BTreeMap<String, GroupChange>) -> Vec<(&str, &GroupChange)> {
    let lost = groups
        .iter()
        .filter(|(_, group)| group.difference.effect < 0.0);
    let mut lost: Vec<(&str, &GroupChange)> = lost.map(|(name, it)| (name.as_str(), it)).collect();
    let p = |group: &GroupChange| group.difference.p_worse.unwrap_or(1.0);
    // Stable, so that those that lost alike stay in the order of their names.
    lost.sort_by(|(_, one), (_, other)| {
        let chance = p(one).total_cmp(&p(other));
        chance.then(one.difference.effect.total_cmp(&other.difference.effect))
    });
    lost
}

/// One measure of two variants.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyChange {
    pub measure: Measure,
    /// Whether the verdict has a say in the exit code.
    pub gates: bool,
    pub verdict: Verdict,
    /// The mean over shared examples, from 0 to 1.
    pub reference: f64,
    pub candidate: f64,
    #[serde(flatten)]
    pub difference: Difference,
    /// Examples that both sides scored.
    pub pairs: u64,
}

/// A paired difference with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// Candidate − reference, from −1 to 1.
    pub effect: f64,
    /// Each bound holds by itself with 1 − α; `null` where nothing can be said.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// How probable so large a drop is where nothing changed; one-sided.
    pub p_worse: Option<f64>,
    /// The same among all measures that gate (Holm); equal to `p_worse` for others.
    pub p_adjusted: Option<f64>,
    /// The smallest drop that would be found four times in five.
    pub mde: Option<f64>,
    /// How it was computed, in words.
    pub method: String,
    /// Clusters, or examples where there are none: what was resampled.
    pub units: u64,
}

/// The pass rate of some of the examples.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GroupChange {
    pub pairs: u64,
    pub reference: f64,
    pub candidate: f64,
    pub worse: u64,
    pub better: u64,
    /// [`Verdict`] of these examples alone, without a say: many groups are looked at.
    pub verdict: Verdict,
    pub difference: Difference,
}

/// An example that one side passed and the other failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Flip {
    pub example: String,
    pub kind: CaseKind,
    pub split: Option<String>,
    pub tags: Vec<String>,
    /// Attempts passed, of those scored.
    pub reference_passed: u32,
    pub reference_scored: u32,
    pub candidate_passed: u32,
    pub candidate_scored: u32,
    /// The keys that changed, candidate − reference.
    pub changes: BTreeMap<Measure, f64>,
}

impl Flip {
    /// The change of the share that passed, from −1 to 1.
    pub fn effect(&self) -> f64 {
        let share = |passed, scored| f64::from(passed) / f64::from(scored);
        share(self.candidate_passed, self.candidate_scored)
            - share(self.reference_passed, self.reference_scored)
    }
}

/// An example whose attempts did not all come to the same.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Flaky {
    pub example: String,
    pub kind: CaseKind,
    pub reference_passed: u32,
    pub reference_scored: u32,
    pub candidate_passed: u32,
    pub candidate_scored: u32,
}

/// What attempts at one example differ by, under one measure.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NoiseChange {
    pub measure: Measure,
    /// `null` where no example was attempted twice; likewise `candidate`.
    pub reference: Option<Noise>,
    pub candidate: Option<Noise>,
}

/// Variances of one attempt's score, averaged over examples. More attempts help against the
/// agent's, more votes against the judge's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Noise {
    /// Examples with at least two scored attempts.
    pub examples: u64,
    /// What the agent does otherwise from attempt to attempt.
    pub agent: f64,
    /// That votes on one attempt differ; `null` where nobody votes.
    pub judge: Option<f64>,
}

/// What an attempt takes, on average over the examples that both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    LatencyMs,
    CostUsd,
    Tokens,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResourceChange {
    pub resource: Resource,
    pub reference: f64,
    pub candidate: f64,
    /// Of candidate − reference, by example; `null` where there are too few.
    pub low: Option<f64>,
    pub high: Option<f64>,
}
