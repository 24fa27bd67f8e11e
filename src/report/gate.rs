//! Whether the results are good enough.

use super::{Check, Gate, GateVerdict, VariantReport, figures, metrics};

/// Share of a variant's planned attempts that must be scored before its figures decide.
pub(super) const REQUIRED_COVERAGE: f64 = 0.95;

/// Checks each variant: enough of it was scored, and, where a least pass rate was asked
/// for, enough of its scored attempts passed.
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
            name: "coverage".to_owned(),
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
            });
        }
    }
    let any = |verdict| checks.iter().any(|check| check.verdict == verdict);
    let (verdict, exit_code) = if any(GateVerdict::Fail) {
        (GateVerdict::Fail, 100)
    } else if any(GateVerdict::Indecisive) {
        (GateVerdict::Indecisive, 3)
    } else if min_pass_rate.is_some() {
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
