//! What a comparison could have found.

use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

use super::difference::quantile_above;

/// The chance with which a drop of the printed size is found.
const POWER: f64 = 0.8;

/// Up to so many units the chance is summed up exactly; beyond, the normal distribution is as
/// good.
const EXACT: usize = 1_000;

/// What a plan for as many units knows of how they vary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Planned {
    units: usize,
    /// The variance of the difference of one unit without any drop: where single yes-or-no
    /// answers are compared, the share that flips either way.
    churn: f64,
}

impl Planned {
    /// From the variance of the effect that was observed.
    ///
    /// A share that flips of at least `1/(n+2)` is planned with, the rule of succession after
    /// none of `n` did: that nothing flipped yet does not say that nothing will.
    pub(super) fn of(units: usize, variance: f64) -> Self {
        let count = units as f64;
        Self {
            units,
            churn: (variance * count).clamp(1.0 / (count + 2.0), 1.0),
        }
    }
}

/// The smallest drop that is found with a chance of 80 %.
///
/// The plan is for a share of the units that fails from now on, on top of the churn that is
/// there either way. A drop of `d` is found if the exact McNemar test rejects at `alpha` and
/// the drop in the sample is at least `margin`; above 1,000 units the normal approximation
/// of that chance is used, `d = max(z·√(c+d) + y·√(c+d-d²), margin·√n + y·√(c+d-d²)) / √n`.
/// To a ten-thousandth; `None` where even the largest possible drop would be missed.
/// Source: R. J. Connett, J. A. Smith, R. B. McHugh, "Sample size and power for pair-matched
/// case-control studies", Statistics in Medicine 6 (1987), 53–59.
pub(super) fn detectable_drop(planned: Planned, alpha: f64, margin: f64) -> Option<f64> {
    let z = quantile_above(alpha);
    let largest = 1.0 - planned.churn;
    let critical = critical_values(planned.units.min(EXACT), alpha);
    let found = |drop: f64| {
        if planned.units > EXACT {
            let n = planned.units as f64;
            let flips = planned.churn + drop;
            let spread = quantile_above(1.0 - POWER) * (flips - drop * drop).max(0.0).sqrt();
            drop * n.sqrt() >= (z * flips.sqrt()).max(margin * n.sqrt()) + spread
        } else {
            chance(planned, drop, margin, &critical) >= POWER
        }
    };
    if !found(largest) {
        return None;
    }
    let (mut missed, mut enough) = (0.0, largest);
    while enough - missed > 1e-4 {
        let middle = f64::midpoint(missed, enough);
        if found(middle) {
            enough = middle;
        } else {
            missed = middle;
        }
    }
    Some(enough)
}

/// How many of `0, 1, …, flips` must be for the worse, for the exact test to reject.
fn critical_values(flips: usize, alpha: f64) -> Vec<u64> {
    let mut critical = 0u64;
    (0..=flips as u64)
        .map(|flips| {
            // One flip more needs none or one more of them.
            let coin = Binomial::new(0.5, flips).expect("a half is a probability");
            while critical == 0 || coin.sf(critical - 1) > alpha {
                critical += 1;
            }
            critical
        })
        .collect()
}

/// The chance that a drop is found, over how many units flip, and how many of them for the
/// worse.
fn chance(planned: Planned, drop: f64, margin: f64, critical: &[u64]) -> f64 {
    let n = planned.units as f64;
    // The two shares may add up to a hair more than 1.
    let flips = (planned.churn + drop).min(1.0);
    let worse = ((planned.churn / 2.0 + drop) / flips).min(1.0);
    let flipping = Binomial::new(flips, planned.units as u64).expect("a share of the units");
    // What lies eight standard deviations away does not add to the sum.
    let most = 8.0 * (n * flips * (1.0 - flips)).sqrt() + 8.0;
    let from = (n * flips - most).max(0.0) as u64;
    let to = ((n * flips + most) as u64).min(planned.units as u64);
    (from..=to)
        .map(|flips| {
            let for_margin = ((flips as f64 + margin * n) / 2.0 - 1e-9).ceil() as u64;
            let needed = critical[flips as usize].max(for_margin);
            let worsening = Binomial::new(worse, flips).expect("a share of the flips");
            // Of no flips, one is always needed.
            flipping.pmf(flips) * worsening.sf(needed - 1)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn planned(units: usize, churn: f64) -> Planned {
        Planned { units, churn }
    }

    #[test]
    fn the_drop_is_that_of_the_whole_trinomial_sum() {
        // scipy 1.17: `optimize.brentq` for the drop at which the probabilities of all `(b, c)`
        // with `binom.sf(c-1, b+c, .5) <= alpha` and `(c-b)/n >= margin` add up to 0.8, c being
        // drawn with the share `churn/2 + drop` and b with `churn/2`.
        for (units, churn, alpha, margin, drop) in [
            (10, 1.0 / 12.0, 0.05, 0.05, 0.6671157),
            (50, 0.1, 0.05, 0.05, 0.1978286),
            (50, 0.1, 0.0125, 0.05, 0.2593639),
            (120, 0.02, 0.05, 0.05, 0.0730582),
            (120, 0.3, 0.05, 0.0, 0.1588593),
        ] {
            let found = detectable_drop(planned(units, churn), alpha, margin).unwrap();
            assert!((found - drop).abs() < 2e-4, "{units} {churn}: {found}");
        }
    }

    #[test]
    fn for_many_units_the_drop_is_that_of_the_normal_approximation() {
        // scipy 1.17: `optimize.brentq` for `d*sqrt(n) == max(z*sqrt(churn+d),
        // margin*sqrt(n)) + norm.ppf(.8)*sqrt(churn+d-d*d)`.
        for (units, alpha, margin, drop) in [
            (2000, 0.05, 0.0, 0.0191846),
            (2000, 0.05, 0.05, 0.0573875),
            (5000, 0.05, 0.0, 0.0117527),
            (5000, 0.01, 0.05, 0.0546350),
        ] {
            let found = detectable_drop(planned(units, 0.1), alpha, margin).unwrap();
            assert!((found - drop).abs() < 2e-4, "{units} {margin}: {found}");
        }
    }

    #[test]
    fn both_ways_of_summing_up_meet_where_one_follows_the_other() {
        for (churn, margin) in [(0.1, 0.0), (0.1, 0.05), (0.4, 0.0), (0.005, 0.05)] {
            let exact = detectable_drop(planned(EXACT, churn), 0.05, margin).unwrap();
            let normal = detectable_drop(planned(EXACT + 1, churn), 0.05, margin).unwrap();
            assert!((exact - normal).abs() < 0.003, "{exact} {normal}");
        }
    }

    #[test]
    fn a_handful_of_units_finds_nothing() {
        for (units, some) in [(0, false), (1, false), (4, false), (8, true), (10, true)] {
            let found = detectable_drop(Planned::of(units, 0.0), 0.05, 0.05);
            assert_eq!(found.is_some(), some, "{units}: {found:?}");
        }
    }

    #[test]
    fn what_never_flipped_is_planned_to_flip_once() {
        assert_eq!(Planned::of(8, 0.0), planned(8, 0.1));
        assert_eq!(Planned::of(8, 0.05), planned(8, 0.4));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn more_churn_a_stricter_level_and_a_larger_margin_hide_larger_drops(
            units in 20usize..300, churn in 0.01f64..0.3, more in 0.0f64..0.2
        ) {
            let drop = |churn, alpha, margin| {
                detectable_drop(planned(units, churn), alpha, margin).unwrap_or(1.0)
            };
            let found = drop(churn, 0.05, 0.05);
            // The search is to a ten-thousandth.
            prop_assert!(drop(churn + more, 0.05, 0.05) >= found - 1e-3);
            prop_assert!(drop(churn, 0.01, 0.05) >= found - 2e-4);
            prop_assert!(drop(churn, 0.05, 0.05 + more) >= found - 2e-4);
            prop_assert!(found >= 0.05);
        }
    }
}
