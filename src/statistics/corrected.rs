//! The rate that is behind what a judge that errs has found.

use super::Interval;
use super::bootstrap::resampled;
use super::quantile::quantile_of_sorted;

/// A part of something that was counted, both at least 0. Fractions are means of repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    pub part: f64,
    pub of: f64,
}

impl Share {
    /// From 0 to 1; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.of > 0.0).then(|| self.part / self.of)
    }
}

/// What is known of a judge: of what should pass, the share it passed, and of what should
/// fail, the share it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    /// Sensitivity, TPR.
    pub passes: Share,
    /// Specificity, TNR.
    pub fails: Share,
}

/// An estimate, and its variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub variance: f64,
}

/// The rate of what should pass, from the `raw` rate of what a judge of this accuracy passed.
///
/// With `p` the raw rate and `J = TPR + TNR - 1`, the estimate is `θ = (p + TNR - 1) / J`,
/// cut to [0, 1]. Its variance, by the delta method and before cutting, is
/// `[p(1-p)/n + (1-θ)²·TNR(1-TNR)/m₀ + θ²·TPR(1-TPR)/m₁] / J²`, as if all that was counted
/// were independent. `None` where nothing was counted, and where `J` is not above 0: such a
/// judge is no better than a coin.
/// Sources: W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a
/// screening test", Am. J. Epidemiology 107 (1978), 71–76; for judges, C. Lee et al., "How
/// to correctly report LLM-as-a-judge evaluations", arXiv 2511.21140 (2025).
pub fn rogan_gladen(raw: Share, accuracy: Accuracy) -> Option<Estimate> {
    let Accuracy { passes, fails } = accuracy;
    let (p, tpr, tnr) = (raw.value()?, passes.value()?, fails.value()?);
    let informed = tpr + tnr - 1.0;
    if informed <= 0.0 {
        return None;
    }
    let theta = (p + tnr - 1.0) / informed;
    let spread = |share: f64, of: f64| share * (1.0 - share) / of;
    let variance = spread(p, raw.of)
        + (1.0 - theta).powi(2) * spread(tnr, fails.of)
        + theta.powi(2) * spread(tpr, passes.of);
    Some(Estimate {
        value: theta.clamp(0.0, 1.0),
        variance: variance / informed.powi(2),
    })
}

/// Percentile interval of [`rogan_gladen`], by the seeded bootstrap.
///
/// Clusters of what was judged, and independently clusters of what the judge was measured
/// on, are drawn with replacement, as many as there are of each; shares are taken over all
/// that was drawn. A resample that says nothing, because none of its items should pass, or
/// none should fail, or because the judge it shows is no better than a coin, could have
/// come of any rate: it counts as 0 for the lower end and as 1 for the upper one.
/// `confidence` is a share, 0.95 for 95 %.
///
/// `None` below two clusters of either, and where every resample gives the same rate.
/// Source: as of [`bootstrap_interval`](super::bootstrap_interval); the two samples were
/// drawn by nobody together, hence the two draws.
pub fn corrected_interval(
    judged: &[Share],
    measured: &[Accuracy],
    seed: u64,
    confidence: f64,
) -> Option<Interval> {
    if judged.len() < 2 || measured.len() < 2 {
        return None;
    }
    let units = [judged.len(), measured.len()];
    let rates = resampled(units, seed, |[of_judged, of_measured]| {
        let raw = total(of_judged.iter().map(|&i| judged[i]));
        let measured = of_measured.iter().map(|&i| measured[i]);
        let accuracy = Accuracy {
            passes: total(measured.clone().map(|accuracy| accuracy.passes)),
            fails: total(measured.map(|accuracy| accuracy.fails)),
        };
        rogan_gladen(raw, accuracy).map(|estimate| estimate.value)
    });
    let tail = (1.0 - confidence) / 2.0;
    let sorted = |unknown: f64| {
        let mut rates: Vec<f64> = rates.iter().map(|rate| rate.unwrap_or(unknown)).collect();
        rates.sort_unstable_by(f64::total_cmp);
        rates
    };
    let (lows, highs) = (sorted(0.0), sorted(1.0));
    if lows.first() == highs.last() {
        return None;
    }
    Some(Interval {
        low: quantile_of_sorted(&lows, tail)?,
        high: quantile_of_sorted(&highs, 1.0 - tail)?,
    })
}

fn total(shares: impl Iterator<Item = Share>) -> Share {
    shares.fold(Share::default(), |sum, share| Share {
        part: sum.part + share.part,
        of: sum.of + share.of,
    })
}

/// Interval of Youden's J, `TPR + TNR - 1`: from -1 to 1, and 0 for a judge that is no
/// better than a coin.
///
/// Each rate is given with its own interval; what their far ends are away from them is added
/// as independent errors are. With Wilson's intervals this is Newcombe's interval for the
/// difference of two independent shares, here of passes among what should pass and among
/// what should fail.
/// Sources: R. G. Newcombe, "Interval estimation for the difference between independent
/// proportions", Statistics in Medicine 17 (1998), 873–890, method 10; G. Y. Zou and
/// A. Donner, "Construction of confidence limits about effect measures", Statistics in
/// Medicine 27 (2008), 1693–1702.
pub fn youden_interval(tpr: (f64, Interval), tnr: (f64, Interval)) -> Interval {
    let value = tpr.0 + tnr.0 - 1.0;
    Interval {
        low: value - (tpr.0 - tpr.1.low).hypot(tnr.0 - tnr.1.low),
        high: value + (tpr.1.high - tpr.0).hypot(tnr.1.high - tnr.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Z_95, wilson_interval};
    use proptest::prelude::*;

    fn share(part: u32, of: u32) -> Share {
        Share {
            part: part.into(),
            of: of.into(),
        }
    }

    fn accuracy(passes: (u32, u32), fails: (u32, u32)) -> Accuracy {
        Accuracy {
            passes: share(passes.0, passes.1),
            fails: share(fails.0, fails.1),
        }
    }

    #[test]
    fn the_estimate_and_its_variance_are_those_of_the_estimating_equations() {
        // delicatessen 4.3: `MEstimator(lambda theta: ee_rogan_gladen(theta, y, y_star, r),
        // init=[.5, .5, .8, .8]).estimate(solver="lm", deriv_method="exact")`, `theta[0]`
        // and `variance[0, 0]`, over one row for each item; its sandwich variance is that of
        // the delta method. The first table is the worked example of S. R. Cole et al.,
        // "Illustration of 2 fusion designs and estimators", Am. J. Epidemiology 192 (2023),
        // 467–474; the second that of the program of Lee et al.: (0.4 + 0.7 - 1) / (0.9 + 0.7
        // - 1). The last two lie outside of [0, 1], and are cut.
        for (raw, accuracy, value, variance) in [
            (
                share(680, 950),
                accuracy((203, 241), (71, 89)),
                0.8023139646771527,
                0.001561475877895852,
            ),
            (
                share(400, 1000),
                accuracy((180, 200), (140, 200)),
                0.16666666666666677,
                0.002726851851851732,
            ),
            (
                share(30, 50),
                accuracy((72, 80), (85, 100)),
                0.6,
                0.009615999999999998,
            ),
            (
                share(45, 50),
                accuracy((40, 60), (50, 60)),
                1.0,
                0.04108477366255147,
            ),
            (
                share(2, 40),
                accuracy((90, 100), (80, 100)),
                0.0,
                0.007322469804248283,
            ),
        ] {
            let found = rogan_gladen(raw, accuracy).expect("an estimate");
            assert!((found.value - value).abs() < 1e-12, "{found:?}");
            assert!((found.variance - variance).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn a_judge_without_information_corrects_nothing() {
        let good = accuracy((90, 100), (80, 100));
        for (case, raw, accuracy) in [
            ("nothing judged", share(0, 0), good),
            (
                "nothing should pass",
                share(3, 4),
                accuracy((0, 0), (9, 10)),
            ),
            (
                "nothing should fail",
                share(3, 4),
                accuracy((9, 10), (0, 0)),
            ),
            ("a coin", share(3, 4), accuracy((5, 10), (5, 10))),
            ("worse than a coin", share(3, 4), accuracy((1, 10), (5, 10))),
        ] {
            assert_eq!(rogan_gladen(raw, accuracy), None, "{case}");
        }
    }

    #[test]
    fn the_interval_of_j_is_that_of_the_difference_of_shares() {
        // `confint_proportions_2indep(tp, positives, fp, negatives, method="newcomb",
        // compare="diff")` of statsmodels 0.15.0.
        for ((tp, positives), (tn, negatives), low, high) in [
            ((72, 80), (85, 100), 0.6312358709671912, 0.8247650581234296),
            ((28, 30), (24, 30), 0.5065495880687026, 0.8488171816259648),
            ((80, 80), (100, 100), 0.9411118016600558, 1.0),
            (
                (20, 40),
                (20, 40),
                -0.20931029740230978,
                0.20931029740230978,
            ),
            ((203, 241), (71, 89), 0.5321384933045384, 0.7212624865973499),
        ] {
            let rate = |part: u64, of: u64| {
                let interval = wilson_interval(part, of, Z_95).unwrap();
                (part as f64 / of as f64, interval)
            };
            let found = youden_interval(rate(tp, positives), rate(tn, negatives));
            assert!((found.low - low).abs() < 1e-9, "{found:?}");
            assert!((found.high - high).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn the_interval_is_near_that_of_another_bootstrap() {
        // 200,000 resamples with numpy 2.4.6, `default_rng(1)`: both tables drawn by rows
        // with `rng.integers`, rates from the sums, quantiles of the cut estimates.
        let mild: (Vec<Share>, Vec<Accuracy>) = (
            (0..30).map(|i| share(i % 4, 3)).collect(),
            (0..40)
                .map(|i| {
                    let wrong = u32::from(i % 5 == 0);
                    accuracy((u32::from(i % 8 != 0), 1), (2 - wrong, 2))
                })
                .collect(),
        );
        // Emails that are right or wrong as a whole: as many items, less information.
        let clustered = (
            (0..30)
                .map(|i| share(if i % 3 == 0 { 0 } else { 3 }, 3))
                .collect(),
            (0..42)
                .map(|i| {
                    let right = if i % 7 == 0 { 0 } else { 2 };
                    accuracy((right, 2), (right, 2))
                })
                .collect(),
        );
        for ((judged, measured), low, high) in
            [(mild, 0.30392157, 0.68421053), (clustered, 0.5, 1.0)]
        {
            let found = corrected_interval(&judged, &measured, 7, 0.95).expect("an interval");
            assert!((found.low - low).abs() < 0.02, "{found:?}");
            assert!((found.high - high).abs() < 0.02, "{found:?}");
        }
    }

    #[test]
    fn what_does_not_vary_has_no_interval_and_what_says_nothing_widens_it() {
        let judged = vec![share(1, 2); 40];
        let sure = vec![accuracy((1, 1), (1, 1)); 40];
        assert_eq!(corrected_interval(&judged, &sure, 0, 0.95), None);
        assert_eq!(corrected_interval(&judged[..1], &sure, 0, 0.95), None);
        assert_eq!(corrected_interval(&judged, &sure[..1], 0, 0.95), None);
        // One cluster has all that should fail; a third of the resamples is without it.
        let mut lopsided = vec![accuracy((1, 1), (0, 0)); 40];
        lopsided[0] = accuracy((0, 0), (40, 40));
        let found = corrected_interval(&judged, &lopsided, 0, 0.95);
        assert_eq!(
            found,
            Some(Interval {
                low: 0.0,
                high: 1.0
            })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn an_interval_lies_within_0_and_1_and_depends_on_the_seed_alone(
            judged in prop::collection::vec((0u32..5, 5u32..6), 2..20),
            measured in prop::collection::vec(((0u32..4, 4u32..5), (0u32..4, 4u32..5)), 2..20),
            seed: u64
        ) {
            let judged: Vec<_> = judged.iter().map(|&(part, of)| share(part, of)).collect();
            let measured: Vec<_> = measured.iter().map(|&(p, f)| accuracy(p, f)).collect();
            let found = corrected_interval(&judged, &measured, seed, 0.95);
            prop_assert_eq!(found, corrected_interval(&judged, &measured, seed, 0.95));
            if let Some(Interval { low, high }) = found {
                prop_assert!(0.0 <= low && low <= high && high <= 1.0);
            }
        }

        #[test]
        fn a_judge_that_never_errs_changes_no_rate(part in 0u32..=50, items in 1u32..50) {
            let found = rogan_gladen(share(part, 50), accuracy((items, items), (items, items)));
            let raw = f64::from(part) / 50.0;
            prop_assert!((found.unwrap().value - raw).abs() < 1e-12);
        }
    }
}
