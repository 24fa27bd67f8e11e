//! Whether the results are good enough.

use super::{Check, Gate, GateVerdict, VariantReport};

/// Share of a variant's planned attempts that must be scored before its figures decide.
pub(super) const REQUIRED_COVERAGE: f64 = 0.95;

/// Checks each variant: enough of it was scored, and, where a least pass rate was asked
/// for, enough of its scored attempts passed.
///
/// A failed check outweighs an indecisive one, as exit code 100 outweighs 3. `planned` is
/// the number of attempts that each variant was to make.
pub(super) fn decide(variants: &[VariantReport], planned: u64, min_pass_rate: Option<f64>) -> Gate {
    let mut checks = Vec::new();
    for variant in variants {
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
                 at least {} % must be",
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
                reason: format!(
                    "{} of {} scored attempts passed; a share of at least {least} is wanted",
                    counts.passed, counts.scored,
                ),
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
