//! Whether the results are good enough.

#[cfg(test)]
mod fixture;
mod regression;

use super::escape::{bounded, line};
use super::judges::{JudgeReport, StandingReport, keys, words};
use super::{Check, Gate, GateVerdict, Report, VariantReport, figures, metrics};
use crate::compare::Comparison;
use crate::experiment::gate::Indecisive;
use crate::judge::canary;

pub(super) use regression::REGRESSION;

/// Share of a variant's planned attempts that must be scored before its figures decide.
pub(super) const REQUIRED_COVERAGE: f64 = 0.95;

/// The name of the check that enough was scored.
pub(super) const COVERAGE: &str = "coverage";

/// Checks each variant: enough of it was scored; where a least pass rate was asked for,
/// enough of its scored attempts passed; and where a judge has a threshold, what it judges
/// reached it, as far as anything is known of the judge.
///
/// A failed check outweighs an indecisive one, as exit code 100 outweighs 3. `planned` is
/// the number of attempts that each variant was to make.
pub(super) fn decide(
    variants: &[VariantReport],
    planned: &[u64],
    min_pass_rate: Option<f64>,
) -> Gate {
    let mut checks = Vec::new();
    for (variant, &planned) in variants.iter().zip(planned) {
        let counts = &variant.counts;
        // A quotient of counts is the double nearest to the share, as is the number a person
        // wrote; a product would not always be.
        let enough = counts.scored as f64 / planned as f64 >= REQUIRED_COVERAGE;
        checks.push(Check {
            name: COVERAGE.to_owned(),
            variant: variant.name.clone(),
            verdict: if enough {
                GateVerdict::Pass
            } else {
                GateVerdict::Indecisive
            },
            reason: format!(
                "{} of {planned} attempts scored ({} ended in errors, {} were not made); \
                 at least {}% must be",
                counts.scored,
                counts.errors,
                planned.saturating_sub(counts.attempts),
                REQUIRED_COVERAGE * 100.0,
            ),
            counts_as: None,
            fix: None,
        });
        if let Some(least) = min_pass_rate {
            let verdict = if counts.scored == 0 {
                GateVerdict::Indecisive
            } else if counts.passed as f64 / counts.scored as f64 >= least {
                GateVerdict::Pass
            } else {
                GateVerdict::Fail
            };
            checks.push(Check {
                name: "min_pass_rate".to_owned(),
                variant: variant.name.clone(),
                verdict,
                reason: match metrics::share(counts.passed, counts.scored) {
                    Some(share) => format!(
                        "{} of {} scored attempts passed ({}); a share of {least} must",
                        counts.passed,
                        counts.scored,
                        figures::percentage(share),
                    ),
                    None => format!("no attempt was scored; a share of {least} must pass"),
                },
                counts_as: None,
                fix: None,
            });
        }
        let judges = variant.judges.iter();
        checks.extend(judges.filter_map(|judge| judged(variant, judge)));
    }
    Gate::of(checks)
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
    let doubts = doubts(judge);
    let found = match value {
        Some(value) => format!(
            "{} of what it asks was met ({}), and a share of {least} must be",
            figures::percentage(value),
            words::called(judge),
        ),
        None => format!("nothing was judged, and a share of {least} must be met"),
    };
    let verdict = match value {
        Some(value) if doubts.is_empty() && value >= least => GateVerdict::Pass,
        Some(_) if doubts.is_empty() => GateVerdict::Fail,
        Some(_) | None => GateVerdict::Indecisive,
    };
    let (why, fixes): (Vec<String>, Vec<Option<String>>) = doubts.into_iter().unzip();
    let mut reason = found;
    if why.is_empty() {
        match judge.standing {
            StandingReport::Calibrated { .. } => {}
            StandingReport::Stale { .. } | StandingReport::Uncalibrated => {
                reason.push_str("; the configuration trusts the judge all the same");
            }
        }
    } else {
        reason.push_str(&format!("; undecided, because {}", why.join(", and ")));
    }
    Some(Check {
        name: format!("judge:{key}"),
        variant: variant.name.clone(),
        verdict,
        counts_as: None,
        reason,
        fix: fixes.into_iter().flatten().next(),
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
mod tests {
    use super::*;
    use crate::experiment::Attempt;
    use crate::report::figures;
    use crate::report::fixture::{attempt, decides, ends, header, report};
    use crate::run::Outcome;

    #[test]
    fn the_gate_fails_before_it_is_indecisive() {
        let passing = |number: usize| -> Vec<Attempt<()>> {
            (0..20)
                .map(|position| {
                    let attempt = attempt(0, position, 0);
                    if (position as usize) < number {
                        attempt
                    } else {
                        decides(attempt, None)
                    }
                })
                .collect()
        };
        let spoiled = |number: usize, mut attempts: Vec<Attempt<()>>| {
            for attempt in attempts.iter_mut().take(number) {
                *attempt = ends(attempt.clone(), Outcome::Provider, "503");
            }
            attempts
        };
        use GateVerdict::{Fail, Indecisive, Pass};
        const NO_GATE: GateVerdict = GateVerdict::None;
        for (case, least, attempts, verdict, exit_code) in [
            ("no gate", None, passing(3), NO_GATE, 0),
            ("exactly enough", Some(0.7), passing(14), Pass, 0),
            ("one too few", Some(0.7), passing(13), Fail, 100),
            ("95% scored", None, spoiled(1, passing(20)), NO_GATE, 0),
            ("90 % scored", None, spoiled(2, passing(20)), Indecisive, 3),
            (
                "enough passed, too little scored",
                Some(0.7),
                spoiled(2, passing(20)),
                Indecisive,
                3,
            ),
            (
                "too few passed, too little scored",
                Some(0.7),
                spoiled(2, passing(9)),
                Fail,
                100,
            ),
            (
                "nothing scored",
                Some(0.7),
                spoiled(20, passing(20)),
                Indecisive,
                3,
            ),
            (
                "not all made",
                Some(0.7),
                passing(20)[..18].to_vec(),
                Indecisive,
                3,
            ),
        ] {
            let mut header = header(20, 1);
            header.variants.truncate(1);
            header.min_pass_rate = least;
            let gate = report(header, &attempts).gate;
            assert_eq!(
                (gate.verdict, gate.exit_code),
                (verdict, exit_code),
                "{case}: {gate:?}"
            );
        }
    }

    #[test]
    fn one_variant_that_was_spoiled_makes_the_run_indecisive() {
        let attempts: Vec<_> = (0..2)
            .flat_map(|variant| (0..20).map(move |position| attempt(variant, position, 0)))
            .map(
                |attempt| match (attempt.case.variant, attempt.case.position) {
                    (1, 0..=1) => ends(attempt, Outcome::Provider, "503"),
                    _ => attempt,
                },
            )
            .collect();
        let report = report(header(20, 1), &attempts);
        assert_eq!(report.coverage.share, Some(0.95));
        assert_eq!(report.gate.verdict, GateVerdict::Indecisive);
        let notable: Vec<_> = figures::notable_checks(&report)
            .map(|check| &check.reason)
            .collect();
        assert_eq!(
            notable,
            ["18 of 20 attempts scored (2 ended in errors, 0 were not made); at least 95% must be"]
        );
    }
}
