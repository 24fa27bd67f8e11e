//! What judges found, and how far that can be believed.
//!
//! A judge is no ruler: how often it is right is a measurement of its own, and every figure
//! here stands beside it ([`StandingReport`]). Estimates are over examples; attempts are
//! averaged within their example first, and votes are no attempts: how far they agree is
//! [`Agreement`], and is in no interval.

mod criteria;
#[cfg(test)]
pub(super) mod fixture;
mod rulings;
mod standing;
#[cfg(test)]
mod tests;
pub(super) mod words;

use schemars::JsonSchema;
use serde::Serialize;

use super::metrics::{Estimate, Group, rounded, share};
use crate::experiment::{CaseKind, Header, JudgePlan, Variant};
use crate::judge::calibration::Standing;
use crate::judge::canary::Canaries;
use crate::judge::{JudgeKey, Verdict};
use crate::score::Key;

pub(super) use criteria::CriteriaFold;
pub use criteria::{CriteriaReport, CriterionReport};
pub(super) use rulings::{JudgeFold, Ruled};
pub use rulings::{RulingReport, Side, SplitVote, UnscoredCause, WorstJudged};
pub use standing::{CanaryReport, Held, MissedCanary, StandingReport};

/// The most judged attempts, and the most split votes, that a variant's report explains for
/// each judge.
pub const JUDGED_SHOWN: usize = 20;
/// The most causes of unscored statements that it names.
pub const CAUSES_SHOWN: usize = 5;

/// What one judge found about one variant's attempts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JudgeReport {
    pub judge: JudgeKey,
    /// Of its definition.
    pub version: u32,
    /// The models that judged, by the names they were chosen by.
    pub models: Vec<String>,
    /// Votes of each of them on a statement.
    pub votes: u32,
    pub standing: StandingReport,
    /// The least value of its main key that the gate lets pass, where there is one.
    pub threshold: Option<f64>,
    /// Whether the gate may rely on it although nobody measured it.
    pub trusted: bool,
    pub statements: Statements,
    /// Share of the statements put to it that it ruled on.
    pub coverage: Option<f64>,
    /// Why it did not rule on the others, the commonest first.
    pub unscored: Vec<UnscoredCause>,
    /// Share of the statements put to it, and ruled on, that were met: the mean over
    /// examples of each example's share.
    pub raw: Estimate,
    pub corrected: CorrectedRate,
    pub agreement: Agreement,
    /// The first in plan order, at most [`JUDGED_SHOWN`].
    pub split_votes: Vec<SplitVote>,
    /// What became of the canaries; `null` where none were shown to it.
    pub canaries: Option<CanaryReport>,
    /// Cases of which an attempt met fewer statements than it might have.
    pub not_all_met: u64,
    /// Of these the worst first, at most [`JUDGED_SHOWN`], each with its worst attempt.
    pub worst: Vec<WorstJudged>,
}

/// Statements, counted once for each attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Statements {
    pub met: u64,
    pub not_met: u64,
    /// What was shown did not decide them; they count as not met.
    pub cannot_tell: u64,
    /// Put to the judge, which gave no answer that can be used; they enter no figure.
    pub unscored: u64,
    /// Decided without asking anybody, because there was nothing to look at. They are in
    /// the scores and in none of the other figures about the judge.
    pub by_code: u64,
}

impl Statements {
    fn record(&mut self, verdict: Option<Verdict>) {
        *match verdict {
            Some(Verdict::Pass) => &mut self.met,
            Some(Verdict::Fail) => &mut self.not_met,
            Some(Verdict::CannotTell) => &mut self.cannot_tell,
            None => &mut self.unscored,
        } += 1;
    }

    /// Those that the judge ruled on.
    pub fn ruled(&self) -> u64 {
        self.met + self.not_met + self.cannot_tell
    }

    /// Those that were put to it.
    pub fn asked(&self) -> u64 {
        self.ruled() + self.unscored
    }
}

/// The raw rate, corrected by how often the judge is right. `docs/statistics.md` has the
/// method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct CorrectedRate {
    /// From 0 to 1; `null` where it is refused.
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Why there is none.
    pub refused: Option<String>,
}

/// How far votes on one statement agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Agreement {
    /// Statements with two votes or more that can be used.
    pub statements: u64,
    /// Those on which votes differ.
    pub split: u64,
    /// Krippendorff's alpha over these statements: 1 where votes always agree, 0 where they
    /// agree as by chance. `null` where it is undefined: without such a statement, and
    /// where all votes are the same.
    pub alpha: Option<f64>,
}

/// The keys that a judge answers, the one that its gate looks at first.
pub(super) fn keys(judge: JudgeKey) -> &'static [Key] {
    match judge {
        JudgeKey::ResponseCriteria => &[Key::ResponseCriteria, Key::ResponseAllMet],
        JudgeKey::FeedbackHonoured => &[Key::HitlFeedback],
        JudgeKey::MemoryUpdate => &[Key::MemoryUpdate],
        JudgeKey::TriageReasonable => &[Key::TriageReasonable],
        JudgeKey::Pairwise => &[],
    }
}

/// The kind of case whose attempts a judge looks at.
fn kind(judge: JudgeKey) -> CaseKind {
    match judge {
        JudgeKey::ResponseCriteria | JudgeKey::TriageReasonable | JudgeKey::Pairwise => {
            CaseKind::Example
        }
        JudgeKey::FeedbackHonoured => CaseKind::Scenario,
        JudgeKey::MemoryUpdate => CaseKind::Episode,
    }
}

/// The judges that look at a variant's attempts.
pub(super) fn judges_of<'a>(
    header: &'a Header,
    variant: &'a Variant,
) -> impl Iterator<Item = &'a JudgePlan> {
    let judges = header.judges.iter();
    judges.filter(|plan| variant.takes_part(kind(plan.judge)))
}

/// The models that judge a variant, and what is known of them.
pub(super) fn panel<'a>(
    plan: &'a JudgePlan,
    variant: &Variant,
) -> (Vec<String>, Option<&'a Standing>) {
    let own = [variant.model.clone()];
    let chosen: &[String] = match &variant.judge_models[..] {
        [] => &own,
        models => models,
    };
    let panels = &plan.panels;
    let panel = panels.iter().find(|panel| panel.models == chosen);
    // A judge may bring its models along; then it has one panel, whoever is judged.
    let panel = panel.or(match &panels[..] {
        [only] => Some(only),
        _ => None,
    });
    match panel {
        Some(panel) => (panel.models.clone(), Some(&panel.standing)),
        None => (chosen.to_vec(), None),
    }
}

impl JudgeReport {
    /// `all` are the variant's cases.
    pub(super) fn new(
        plan: &JudgePlan,
        variant: &Variant,
        fold: &JudgeFold,
        all: &Group<'_>,
        canaries: &[Canaries],
    ) -> JudgeReport {
        let judge = plan.judge;
        let (models, standing) = panel(plan, variant);
        let statements = fold.statements();
        let of_it = |canaries: &&Canaries| canaries.judge == judge && canaries.models == models;
        // Where they were shown more than once, the last time counts.
        let canaries = canaries.iter().rfind(of_it).map(CanaryReport::new);
        let ruled = |ruled: &Ruled| ruled.share();
        JudgeReport {
            judge,
            version: plan.version,
            votes: plan.votes,
            standing: StandingReport::new(standing),
            threshold: plan.threshold,
            trusted: plan.trusted,
            statements,
            coverage: share(statements.ruled(), statements.asked()),
            unscored: fold.unscored(),
            raw: all.mean(|cell| cell.ruled(judge).and_then(ruled)),
            corrected: corrected(standing, judge, all),
            agreement: fold.agreement(),
            split_votes: fold.split_votes(),
            canaries,
            not_all_met: all
                .cells()
                .filter(|cell| cell.ruled(judge).is_some_and(Ruled::lacks))
                .count() as u64,
            worst: fold.worst(),
            models,
        }
    }
}

/// The mean over examples is kept: each weighs 1 among the decisions of its cluster.
fn corrected(standing: Option<&Standing>, judge: JudgeKey, all: &Group<'_>) -> CorrectedRate {
    let refused = |why: String| CorrectedRate {
        refused: Some(why),
        ..CorrectedRate::default()
    };
    let clusters = all.clusters(|cell| cell.ruled(judge)?.share());
    match standing {
        _ if clusters.is_empty() => refused("the judge ruled on nothing".to_owned()),
        Some(Standing::Calibrated(calibration)) => {
            match calibration.corrected(&clusters, all.seed()) {
                Ok(corrected) => CorrectedRate {
                    value: Some(rounded(corrected.value)),
                    low: corrected.low.map(rounded),
                    high: corrected.high.map(rounded),
                    refused: None,
                },
                Err(why) => refused(why.to_string()),
            }
        }
        Some(Standing::Stale { .. }) => {
            refused("the calibration is of the judge as it was".to_owned())
        }
        Some(Standing::Uncalibrated) | None => {
            refused("nobody has measured how often the judge is right".to_owned())
        }
    }
}
