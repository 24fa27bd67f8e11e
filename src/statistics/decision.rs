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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Paired, difference};
    use Decision::{Better, CannotTell, Equivalent, Worse};

    #[test]
    fn a_decision_follows_from_bounds_and_margin() {
        for (case, effect, low, high, lowest, decision) in [
            ("a clear drop", -0.1, -0.15, -0.03, -0.14, Worse),
            (
                "a drop of just the margin",
                -0.05,
                -0.09,
                -0.01,
                -0.08,
                Worse,
            ),
            (
                "0.85 - 0.9 is a hair above -0.05",
                0.85 - 0.9,
                -0.1,
                -0.01,
                -0.09,
                Worse,
            ),
            (
                "a sure drop that is too small",
                -0.03,
                -0.06,
                -0.01,
                -0.06,
                CannotTell,
            ),
            (
                "a sure drop within the margin",
                -0.03,
                -0.05,
                -0.01,
                -0.05,
                Equivalent,
            ),
            (
                "a large drop that may be none",
                -0.2,
                -0.5,
                0.0,
                -0.4,
                CannotTell,
            ),
            ("nothing", 0.0, -0.02, 0.02, -0.02, Equivalent),
            ("nothing known", 0.0, -1.0, 1.0, -1.0, CannotTell),
            ("a clear gain", 0.1, 0.01, 0.2, 0.02, Better),
            ("a likely gain", 0.04, -0.01, 0.1, 0.0, Equivalent),
            (
                "a gain that may be a drop",
                0.04,
                -0.1,
                0.2,
                -0.06,
                CannotTell,
            ),
        ] {
            assert_eq!(decide(effect, low, high, lowest, 0.05), decision, "{case}");
        }
    }

    #[test]
    fn together_the_worst_news_counts() {
        for (decisions, together) in [
            (&[][..], CannotTell),
            (&[Equivalent, Better, Worse, CannotTell], Worse),
            (&[Equivalent, CannotTell, Better], CannotTell),
            (&[Equivalent, Equivalent], Equivalent),
            (&[Equivalent, Better], Better),
        ] {
            assert_eq!(decide_together(decisions), together, "{decisions:?}");
        }
    }

    fn dropped(worse: usize, better: usize, examples: usize) -> Difference {
        let side = |from: usize, failed: usize| -> Vec<f64> {
            let passed = |i| f64::from(u8::from(!(from..from + failed).contains(&i)));
            (0..examples).map(passed).collect()
        };
        let paired = Paired {
            reference: &side(worse, better),
            candidate: &side(0, worse),
            clusters: None,
            single: true,
        };
        difference(paired, 0).unwrap()
    }

    #[test]
    fn one_key_among_many_needs_more_to_be_called_worse_and_no_more_to_be_fine() {
        // p = 1/64: enough alone or among three, too little among four.
        let drop = || dropped(6, 0, 80);
        let flat = || dropped(0, 0, 80);
        for (others, decision) in [(0, Worse), (2, Worse), (3, CannotTell)] {
            let mut keys = vec![drop()];
            keys.extend((0..others).map(|_| flat()));
            let decisions = decide_all(&keys, 0.05, 0.05);
            assert_eq!(decisions[0], decision, "beside {others}");
            assert!(decisions[1..].iter().all(|&other| other == Equivalent));
        }
        // Once the first is told, three are left, and 1/64 is enough.
        let keys = [drop(), dropped(20, 0, 80), flat(), flat()];
        let decisions = decide_all(&keys, 0.05, 0.05);
        assert_eq!(decisions, [Worse, Worse, Equivalent, Equivalent]);
        assert_eq!(decide_all(&[dropped(0, 9, 80)], 0.05, 0.05), [Better]);
    }

    /// How often something is called worse, of 400 comparisons of an agent with itself.
    fn false_alarms(examples: u32, attempts: u32, cluster: u32, keys: usize) -> f64 {
        let mut random = fastrand::Rng::with_seed(20);
        let clusters: Vec<u32> = (0..examples).map(|i| i / cluster).collect();
        let mut alarms = 0;
        for comparison in 0..400 {
            let differences: Vec<Difference> = (0..keys)
                .map(|_| {
                    // A quarter of the clusters wavers, and its examples together.
                    let mut side = || -> Vec<f64> {
                        let passed: Vec<u32> = (0..examples / cluster)
                            .map(|c| {
                                let wavers = c % 4 == 0;
                                (0..attempts).filter(|_| !wavers || random.bool()).count() as u32
                            })
                            .collect();
                        let mean = |&c: &u32| f64::from(passed[c as usize]) / f64::from(attempts);
                        clusters.iter().map(mean).collect()
                    };
                    let paired = Paired {
                        reference: &side(),
                        candidate: &side(),
                        clusters: (cluster > 1).then_some(&clusters),
                        single: attempts == 1,
                    };
                    difference(paired, comparison).unwrap()
                })
                .collect();
            // Without a margin, which would hide most false alarms.
            let decisions = decide_all(&differences, 0.0, 0.05);
            alarms += u32::from(decisions.contains(&Worse));
        }
        f64::from(alarms) / 400.0
    }

    #[test]
    fn an_agent_compared_with_itself_is_seldom_called_worse() {
        // What 400 comparisons at 5 % exceed once in a thousand: binom(400, 0.05).isf(1e-3) = 34.
        // And the test has to be awake: most settings are near to 5 %.
        for (case, examples, attempts, cluster, keys, least) in [
            ("single attempts", 120, 1, 1, 1, 0.01),
            ("three attempts", 120, 3, 1, 1, 0.02),
            ("clusters of four", 240, 1, 4, 1, 0.01),
            ("four keys", 120, 1, 1, 4, 0.01),
        ] {
            let alarms = false_alarms(examples, attempts, cluster, keys);
            assert!((least..=0.085).contains(&alarms), "{case}: {alarms}");
        }
    }
}
