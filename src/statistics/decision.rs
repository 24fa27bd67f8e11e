//! From bounds to words: what may be said of a difference.

use super::{Difference, holm_levels};

/// What a difference lets us say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It got worse, and by enough to matter.
    Worse,
    /// It got better.
    Better,
    /// It did not get worse by more than the margin.
    Equivalent,
    /// Neither: too little is known.
    CannotTell,
}

/// Decides by the bounds of `candidate - reference`, which is `effect` in the sample.
///
/// `low` is the lower bound of the effect that speaks for better, `high` its upper bound that
/// speaks for worse, each at the level left to it where several keys gate ([`holm_levels`]);
/// `lowest` is the lower bound at the plain level. `margin` is the smallest drop that matters,
/// from 0 to 1.
///
/// Worse: the drop is above 0 as far as its bound tells, and at least the margin in the
/// sample. Better: the gain is above 0 as far as its bound tells. Equivalent: the drop is at
/// most the margin as far as its bound tells.
pub fn decide(effect: f64, low: f64, high: f64, lowest: f64, margin: f64) -> Decision {
    if high < 0.0 && is_drop(effect, margin) {
        Decision::Worse
    } else if low > 0.0 {
        Decision::Better
    } else if -lowest <= margin {
        Decision::Equivalent
    } else {
        Decision::CannotTell
    }
}

/// Whether the sample dropped by at least the margin.
pub(super) fn is_drop(effect: f64, margin: f64) -> bool {
    // What is 5 points on paper can be a hair less as a difference of two means.
    const ROUNDING: f64 = 1e-12;
    -effect >= margin - ROUNDING
}

/// Decides each of several keys that gate together, at the one-sided level `alpha`.
///
/// The chance of calling any key worse although none is, is at most `alpha`, by Holm's steps;
/// the same holds, apart, for calling any better. Equivalence takes no adjustment: all keys
/// are fine only if each is, and every one has to show it at `alpha` by itself (the
/// intersection–union test: R. L. Berger, Technometrics 24 (1982), 295–300).
pub fn decide_all(differences: &[Difference], margin: f64, alpha: f64) -> Vec<Decision> {
    let levels = |p: fn(&Difference) -> f64| {
        let p: Vec<f64> = differences.iter().map(p).collect();
        holm_levels(&p, alpha)
    };
    let (worse, better) = (levels(|d| d.p_worse), levels(|d| d.p_better));
    let decide = |(i, difference): (usize, &Difference)| {
        decide(
            difference.effect,
            difference.interval(better[i]).low,
            difference.interval(worse[i]).high,
            difference.interval(alpha).low,
            margin,
        )
    };
    differences.iter().enumerate().map(decide).collect()
}

/// What is said of all keys together: worse if any is, fine only if all are.
///
/// `CannotTell` without a key.
pub fn decide_together(decisions: &[Decision]) -> Decision {
    let has = |decision| decisions.contains(&decision);
    if has(Decision::Worse) {
        Decision::Worse
    } else if decisions.is_empty() || has(Decision::CannotTell) {
        Decision::CannotTell
    } else if has(Decision::Better) {
        Decision::Better
    } else {
        Decision::Equivalent
    }
}
