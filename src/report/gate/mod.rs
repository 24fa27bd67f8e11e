//! Whether the results are good enough.

mod cases;
#[cfg(test)]
mod fixture;
mod forbidden;
mod lines;
mod regression;
mod threshold;
pub(super) mod verdict;

use std::collections::BTreeMap;

use super::escape::{bounded, line, shell};
use super::fold::{Cell, ExampleFacts};
use super::judges::{JudgeReport, StandingReport, keys, words};
use super::{Check, Gate, GateVerdict, Report, VariantReport, figures, metrics};
use crate::compare::{Comparison, REQUIRED_COVERAGE};
use crate::experiment::gate::{Indecisive, Rule};
use crate::experiment::{Header, Variant};
use crate::judge::canary;

pub(super) use forbidden::Watch;
pub use lines::render as gates;
pub(super) use regression::REGRESSION;

/// The name of the check that enough was scored.
pub(super) const COVERAGE: &str = "coverage";

/// The name of the check that enough attempts passed.
const MIN_PASS_RATE: &str = "min_pass_rate";

/// A variant, with all that its gates look at.
pub(super) struct Subject<'a> {
    pub variant: &'a Variant,
    pub report: &'a VariantReport,
    /// Attempts that it was to make.
    pub planned: u64,
    /// Its cases that anything is known of, in the plan's order, with what it made of them.
    pub cases: Vec<(&'a ExampleFacts, Option<&'a Cell>)>,
    /// Its other cases: no variant has tried them.
    pub unknown: u64,
    /// All cases that any variant tried.
    pub anybody: &'a BTreeMap<u32, ExampleFacts>,
    pub watch: &'a Watch,
    pub header: &'a Header,
}

impl Subject<'_> {
    fn cell(&self, facts: &ExampleFacts) -> Option<&Cell> {
        let mut cases = self.cases.iter();
        cases.find(|(known, _)| known.id == facts.id)?.1
    }
}

/// What a gate found.
struct Finding {
    verdict: GateVerdict,
    reason: String,
    fix: Option<String>,
}

impl Finding {
    fn new(verdict: GateVerdict, reason: String) -> Finding {
        Finding {
            verdict,
            reason,
            fix: None,
        }
    }

    fn open(reason: String) -> Finding {
        Finding::new(GateVerdict::Indecisive, reason)
    }

    /// Takes back what was found where what it rests on is in doubt.
    fn doubt(&mut self, doubts: Vec<(String, Option<String>)>) {
        let (why, fixes): (Vec<String>, Vec<Option<String>>) = doubts.into_iter().unzip();
        if why.is_empty() {
            return;
        }
        self.verdict = GateVerdict::Indecisive;
        self.reason
            .push_str(&format!("; undecided, because {}", why.join(", and ")));
        self.fix = fixes.into_iter().flatten().next();
    }

    fn check(self, name: String, subject: &Subject<'_>) -> Check {
        Check {
            name,
            variant: subject.variant.name.clone(),
            verdict: self.verdict,
            counts_as: None,
            reason: self.reason,
            fix: self.fix,
        }
    }
}

/// Checks each variant: enough of it was scored; where a least pass rate was asked for,
/// enough of its scored attempts passed; where a judge has a threshold, what it judges
/// reached it, as far as anything is known of the judge; and whatever else is asked.
///
/// A failed check outweighs an indecisive one, as exit code 100 outweighs 3. That too little
/// was scored is said whatever indecisive gates count as.
pub(super) fn decide(subjects: &[Subject<'_>], header: &Header) -> Gate {
    let mut checks = Vec::new();
    let gates = &header.gates;
    for subject in subjects {
        checks.push(enough(subject).check(COVERAGE.to_owned(), subject));
        let counted = |check: Check| check.counted(gates.indecisive);
        if let Some(least) = header.min_pass_rate {
            let check = passed(subject, least).check(MIN_PASS_RATE.to_owned(), subject);
            checks.push(counted(check));
        }
        let judges = subject.report.judges.iter();
        let judged = judges.filter_map(|judge| judged(subject.report, judge));
        checks.extend(judged.map(counted));
        for (index, condition) in gates.conditions.iter().enumerate() {
            let variant = condition.variant.as_ref();
            if variant.is_some_and(|variant| *variant != subject.variant.name) {
                continue;
            }
            let finding = match &condition.rule {
                Rule::Threshold { threshold, bound } => {
                    Some(threshold::check(subject, threshold, *bound))
                }
                Rule::Cases {
                    policy,
                    least,
                    group,
                } => Some(cases::policy(subject, *policy, *least, group.as_ref())),
                Rule::Critical { ids, tags } => cases::critical(subject, ids, tags),
                Rule::Forbidden { .. } => Some(forbidden::check(subject, index)),
            };
            let indecisive = condition.indecisive.unwrap_or(gates.indecisive);
            checks.extend(finding.map(|finding| {
                let check = finding.check(condition.to_string(), subject);
                check.counted(indecisive)
            }));
        }
    }
    Gate::of(checks)
}

/// Whether enough was scored for a variant's figures to decide.
fn enough(subject: &Subject<'_>) -> Finding {
    let (counts, planned) = (&subject.report.counts, subject.planned);
    // A quotient of counts is the double nearest to the share, as is the number a person
    // wrote; a product would not always be.
    let enough = counts.scored as f64 / planned as f64 >= REQUIRED_COVERAGE;
    let verdict = match enough {
        true => GateVerdict::Pass,
        false => GateVerdict::Indecisive,
    };
    let reason = format!(
        "{} of {planned} attempts scored ({} ended in errors, {} were not made); \
         at least {}% must be",
        counts.scored,
        counts.errors,
        planned.saturating_sub(counts.attempts),
        REQUIRED_COVERAGE * 100.0,
    );
    Finding::new(verdict, reason)
}

/// Whether enough of the scored attempts passed.
fn passed(subject: &Subject<'_>, least: f64) -> Finding {
    let counts = &subject.report.counts;
    let Some(share) = metrics::share(counts.passed, counts.scored) else {
        let reason = format!("no attempt was scored; a share of {least} must pass");
        return Finding::open(reason);
    };
    let verdict = match counts.passed as f64 / counts.scored as f64 >= least {
        true => GateVerdict::Pass,
        false => GateVerdict::Fail,
    };
    let reason = format!(
        "{} of {} scored attempts passed ({}); a share of {least} must",
        counts.passed,
        counts.scored,
        figures::percentage(share),
    );
    Finding::new(verdict, reason)
}

impl Gate {
    /// What checks come to together: a regression outweighs a check that failed otherwise,
    /// which outweighs one that is indecisive.
    fn of(checks: Vec<Check>) -> Gate {
        let gated = |check: &Check| check.name != COVERAGE;
        let any = |verdict| checks.iter().any(|check| check.counts() == verdict);
        let (verdict, exit_code) = if checks.iter().any(regressed) {
            (GateVerdict::Fail, 101)
        } else if any(GateVerdict::Fail) {
            (GateVerdict::Fail, 100)
        } else if any(GateVerdict::Indecisive) {
            (GateVerdict::Indecisive, 3)
        } else if checks.iter().any(gated) {
            (GateVerdict::Pass, 0)
        } else {
            (GateVerdict::None, 0)
        };
        Gate {
            verdict,
            checks,
            exit_code,
        }
    }

    /// Whether something got worse than in the reference.
    pub fn regressed(&self) -> bool {
        self.checks.iter().any(regressed)
    }

    /// Of a comparison alone: one check for each pair of variants.
    pub fn of_comparison(comparison: &Comparison, indecisive: Indecisive) -> Gate {
        Gate::of(regression::checks(comparison, indecisive))
    }
}

fn regressed(check: &Check) -> bool {
    check.name == REGRESSION && check.verdict == GateVerdict::Fail
}

impl Check {
    /// What the verdict does to the command.
    pub(super) fn counts(&self) -> GateVerdict {
        self.counts_as.unwrap_or(self.verdict)
    }

    /// With what becomes of it where it is indecisive.
    fn counted(self, indecisive: Indecisive) -> Check {
        let counts_as = match (self.verdict, indecisive) {
            (GateVerdict::Indecisive, Indecisive::Pass) => Some(GateVerdict::Pass),
            (GateVerdict::Indecisive, Indecisive::Fail) => Some(GateVerdict::Fail),
            _ => None,
        };
        Check { counts_as, ..self }
    }
}

impl Report {
    /// Adds what the variants are in comparison with a reference, and what that means for
    /// the gate: one check `regression` for each pair of variants.
    pub fn compared(&mut self, comparison: Comparison, indecisive: Indecisive) {
        let mut checks = std::mem::take(&mut self.gate.checks);
        checks.retain(|check| check.name != REGRESSION);
        checks.extend(regression::checks(&comparison, indecisive));
        self.gate = Gate::of(checks);
        self.comparison = Some(comparison);
    }
}

/// The command that shows an attempt; `repeat` counts from 0.
fn show(subject: &Subject<'_>, example: &str, repeat: u32) -> String {
    let path = format!("{}/{}", subject.header.experiment, subject.variant.name);
    let attempt = match repeat {
        0 => String::new(),
        repeat => format!(" --attempt {}", repeat + 1),
    };
    format!(
        "mailproof show {} {}{attempt}",
        shell(&path),
        shell(example)
    )
}

/// A share with four decimals at most.
fn decimals(share: f64) -> String {
    ((share * 1e4).round() / 1e4).to_string()
}

/// The most characters of a name in a reason.
const NAME_SHOWN: usize = 80;

/// Text of others, as a reason has it: between backticks, which renderings find again, and
/// with nothing in it that could end them.
fn named(text: &str) -> String {
    let text = line(&bounded(text, NAME_SHOWN)).replace('`', "'");
    format!("`{text}`")
}

/// Whether what a judge looks at reaches its threshold. `None` where it has none.
///
/// What a judge says decides nothing where nobody knows how often it is right, where it
/// shows that it does not work, and where it did not answer: then the check is indecisive,
/// whatever the figure.
fn judged(variant: &VariantReport, judge: &JudgeReport) -> Option<Check> {
    let least = judge.threshold?;
    let key = keys(judge.judge).first()?.name();
    let value = variant.metrics.get(key).and_then(|estimate| estimate.value);
    let found = match value {
        Some(value) => format!(
            "{} of what it asks was met ({}), and a share of {least} must be",
            figures::percentage(value),
            words::called(judge),
        ),
        None => format!("nothing was judged, and a share of {least} must be met"),
    };
    let verdict = match value {
        Some(value) if value >= least => GateVerdict::Pass,
        Some(_) => GateVerdict::Fail,
        None => GateVerdict::Indecisive,
    };
    let mut finding = Finding::new(verdict, found);
    let doubts = doubts(judge);
    if doubts.is_empty() {
        match judge.standing {
            StandingReport::Calibrated { .. } => {}
            StandingReport::Stale { .. } | StandingReport::Uncalibrated => {
                let trust = "; the configuration trusts the judge all the same";
                finding.reason.push_str(trust);
            }
        }
    }
    finding.doubt(doubts);
    Some(Check {
        name: format!("judge:{key}"),
        variant: variant.name.clone(),
        verdict: finding.verdict,
        counts_as: None,
        reason: finding.reason,
        fix: finding.fix,
    })
}

/// Has the judges judge the trajectories of an experiment again.
const RESCORE: &str = "mailproof rescore EXPERIMENT";

/// Why a judge cannot be relied on, each with the command that helps, where one does.
fn doubts(judge: &JudgeReport) -> Vec<(String, Option<String>)> {
    let mut doubts = Vec::new();
    let calibrate = || Some(words::calibrate(judge));
    let measure = "calibrate it, or set `trust_uncalibrated_judges: true`";
    match judge.standing {
        _ if judge.trusted => {}
        StandingReport::Calibrated { .. } => {}
        StandingReport::Stale { date, .. } => doubts.push((
            format!("what was measured on {date} is not this judge any more ({measure})"),
            calibrate(),
        )),
        StandingReport::Uncalibrated => doubts.push((
            format!("nobody has measured how often the judge is right ({measure})"),
            calibrate(),
        )),
    }
    match &judge.canaries {
        // Some judges have none to be shown.
        None if canary::count(judge.judge) == 0 => {}
        None => doubts.push((
            "no canaries were shown to the judge (judge the experiment again)".to_owned(),
            Some(RESCORE.to_owned()),
        )),
        Some(canaries) => {
            if let Some(why) = &canaries.failed {
                doubts.push((format!("{why} (choose another judge model)"), None));
            }
        }
    }
    let statements = &judge.statements;
    // As for attempts, a quotient is compared, not a product.
    let ruled = statements.ruled() as f64 / statements.asked() as f64;
    if statements.asked() > 0 && ruled < REQUIRED_COVERAGE {
        doubts.push((
            format!(
                "the judge ruled on {} of {} statements, and must on at least {}% (judge the \
                 experiment again)",
                statements.ruled(),
                statements.asked(),
                REQUIRED_COVERAGE * 100.0
            ),
            Some(RESCORE.to_owned()),
        ));
    }
    doubts
}

#[cfg(test)]
mod tests;
