//! Confidence intervals for shares and for means of scores.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The normal quantile of a two-sided 95 % confidence.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// With fewer clusters than this, the variance between them says next to nothing.
pub(super) const FEWEST_CLUSTERS: usize = 5;

/// Below this, a variance of scores in [0, 1] is the rounding error of equal values.
const NO_VARIANCE: f64 = 1e-18;

/// Both ends of a confidence interval, in the unit of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Confidence interval for a share, by Wilson's score method.
///
/// `passed` of `trials` independent trials passed; `z` is the normal quantile of the wanted
/// confidence ([`Z_95`]). Both ends are from 0 to 1, and the interval keeps a width when
/// every trial passed, the usual case in a regression suite, where `p ± z·se` has none.
/// `None` without a trial.
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
/// inference", J. Am. Stat. Assoc. 22 (1927), 209–212.
///
/// # Panics
/// If `passed` is more than `trials`.
pub fn wilson_interval(passed: u64, trials: u64, z: f64) -> Option<Interval> {
    assert!(passed <= trials, "{passed} of {trials} trials cannot pass");
    (trials > 0).then(|| wilson(passed as f64 / trials as f64, trials as f64, z))
}

/// Confidence interval for the mean of examples' scores, each from 0 to 1.
///
/// `values[i]` is the mean over the attempts at example `i`, because attempts at one email
/// are not independent samples of emails. `clusters[i]` names the group that the example
/// belongs to; an example of its own has a number of its own.
///
/// Where every value is 0 or 1 and no two examples share a cluster, this is
/// [`wilson_interval`] of the count. Otherwise it is Wilson's interval at the effective
/// sample size `n = p(1 - p) / v · (z / t)²`. `v` is the variance of the mean between the
/// `C` clusters, `C/(C-1) · Σ_c (Σ_{i in c} (value - p))² / N²`, or that between the
/// examples where it is larger, since sharing a template cannot add information; `t` is
/// Student's quantile with `C - 1` degrees of freedom. Where `v` is 0, `n` is `C`.
///
/// `None` where the variance cannot be judged: below two examples, or where examples share
/// clusters and there are fewer than five of them.
/// Sources: E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small
/// expected number of positive counts estimated from survey data", Survey Methodology 24
/// (1998), 193–201; N. Dean and M. Pagano, "Evaluating confidence interval methods for
/// binomial proportions in clustered surveys", J. Surv. Stat. Methodol. 3 (2015), 484–503;
/// E. Miller, "Adding error bars to evals", arXiv 2411.00640 (2024), section 2.2.
///
/// # Panics
/// If the slices differ in length, or a value is outside [0, 1].
pub fn mean_interval(values: &[f64], clusters: &[u32], z: f64) -> Option<Interval> {
    assert_eq!(values.len(), clusters.len(), "each value has a cluster");
    assert!(
        values.iter().all(|value| (0.0..=1.0).contains(value)),
        "scores are from 0 to 1"
    );
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|&i| (clusters[i], i));
    let groups: Vec<&[usize]> = order
        .chunk_by(|&i, &j| clusters[i] == clusters[j])
        .collect();
    let shared = groups.len() < values.len();
    if groups.len() < 2 || (shared && groups.len() < FEWEST_CLUSTERS) {
        return None;
    }
    if !shared && values.iter().all(|&value| value == 0.0 || value == 1.0) {
        let passed = values.iter().filter(|&&value| value == 1.0).count();
        return wilson_interval(passed as u64, values.len() as u64, z);
    }

    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let between_clusters = variance_of_mean(values, mean, groups.iter().copied());
    let between_examples = variance_of_mean(values, mean, order.chunks(1));
    let variance = between_clusters.max(between_examples);
    let count = groups.len() as f64;
    let effective = if variance < NO_VARIANCE {
        count
    } else {
        let t = student_quantile(z, count - 1.0);
        mean * (1.0 - mean) / variance * (z / t).powi(2)
    };
    Some(wilson(mean, effective, z))
}

/// Variance of the mean with whole groups as the units that were sampled.
fn variance_of_mean<'a>(
    values: &[f64],
    mean: f64,
    groups: impl ExactSizeIterator<Item = &'a [usize]>,
) -> f64 {
    let count = groups.len() as f64;
    let squares: f64 = groups
        .map(|group| group.iter().map(|&i| values[i] - mean).sum::<f64>().powi(2))
        .sum();
    count / (count - 1.0) * squares / (values.len() as f64).powi(2)
}

/// Student's quantile at the confidence that `z` has under the normal distribution.
pub(super) fn student_quantile(z: f64, freedom: f64) -> f64 {
    let student = StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom");
    student.inverse_cdf(Normal::standard().cdf(z))
}

fn wilson(share: f64, trials: f64, z: f64) -> Interval {
    let square = z * z / trials;
    let centre = (share + square / 2.0) / (1.0 + square);
    let half = z / (1.0 + square) * (share * (1.0 - share) / trials + square / trials / 4.0).sqrt();
    // At a share of 0 or 1 one end is the share itself, but for a rounding error.
    Interval {
        low: (centre - half).clamp(0.0, share),
        high: (centre + half).clamp(share, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WILSON: [(u64, u64, f64, f64); 10] = [
        (14, 16, 0.639771727342413, 0.9650225122567595),
        (16, 16, 0.8063923194655633, 1.0),
        (0, 16, 0.0, 0.19360768053443655),
        (1, 1, 0.2065493143772374, 1.0),
        (0, 1, 0.0, 0.7934506856227627),
        (1, 2, 0.09453120573423068, 0.9054687942657693),
        (75, 150, 0.42099012028854144, 0.5790098797114586),
        (149, 150, 0.9632071602251817, 0.9988221986649826),
        (970, 1000, 0.9574965858524128, 0.9789062611711653),
        (999999, 1000000, 0.9999943350881957, 0.9999998234754233),
    ];

    const STUDENT: [(f64, f64, f64); 9] = [
        (Z_95, 1.0, 12.706204736174694),
        (Z_95, 4.0, 2.7764451051977934),
        (Z_95, 9.0, 2.262157162798205),
        (Z_95, 29.0, 2.045229642132703),
        (Z_95, 149.0, 1.976013177689192),
        (Z_95, 19999.0, 1.960082611089815),
        (1.0, 4.0, 1.141626629090954),
        (2.5758293035489004, 1.0, 63.656741162871526),
        (2.5758293035489004, 29.0, 2.756385903670605),
    ];

    type Mean = (&'static str, &'static [f64], &'static [u32], f64, f64);

    // With p, C, and N as above: v = max(C/(C-1)*sum((x[c==k]-p).sum()**2 for k in c)/N**2,
    // var(x, ddof=1)/N); n = p*(1-p)/v*(z/stats.t.ppf(.975, C-1))**2;
    // proportion_confint(p*n, n, 0.05, method="wilson").
    const MEANS: &[Mean] = &[
        (
            "fractions, each example its own cluster",
            &[1.0, 1.0, 2.0 / 3.0, 1.0, 0.0, 1.0 / 3.0, 1.0, 1.0],
            &[0, 1, 2, 3, 4, 5, 6, 7],
            0.3851548345260166,
            0.934926446015352,
        ),
        (
            "clusters that agree widen it",
            &[1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0],
            &[0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 5],
            0.22703910991495674,
            0.9315917034519621,
        ),
        (
            "clusters that disagree do not narrow it",
            &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
            &[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
            0.1936994557397848,
            0.8063005442602151,
        ),
        (
            "one half miss in one of five clusters",
            &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5],
            &[0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
            0.6452554065700319,
            0.9949866741952219,
        ),
        (
            "all or nothing, each example its own cluster: plain Wilson of 14 in 16",
            &[
                1., 1., 1., 1., 0., 1., 1., 1., 1., 0., 1., 1., 1., 1., 1., 1.,
            ],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            0.639771727342413,
            0.9650225122567595,
        ),
    ];

    #[track_caller]
    fn assert_close(interval: Option<Interval>, low: f64, high: f64) {
        let interval = interval.expect("an interval");
        assert!(
            (interval.low - low).abs() < 1e-9 && (interval.high - high).abs() < 1e-9,
            "{interval:?} is not [{low}, {high}]"
        );
    }

    #[test]
    fn wilson_intervals_equal_those_of_statsmodels() {
        // statsmodels 0.15: proportion_confint(passed, trials, 0.05, method="wilson")
        for (passed, trials, low, high) in WILSON {
            assert_close(wilson_interval(passed, trials, Z_95), low, high);
        }
    }

    #[test]
    fn student_quantiles_equal_those_of_scipy() {
        // scipy 1.17: stats.t.ppf(stats.norm.cdf(z), df)
        for (z, freedom, quantile) in STUDENT {
            let found = student_quantile(z, freedom);
            assert!(
                (found - quantile).abs() < 1e-8 * quantile,
                "{z} {freedom}: {found}"
            );
        }
    }

    #[test]
    fn intervals_of_means_equal_the_formula_in_numpy() {
        for (case, values, clusters, low, high) in MEANS {
            println!("{case}");
            assert_close(mean_interval(values, clusters, Z_95), *low, *high);
        }
    }

    #[test]
    fn an_interval_needs_two_examples_and_five_clusters_where_clusters_are_shared() {
        for (case, values, clusters, some) in [
            ("no example", &[][..], &[][..], false),
            ("one example", &[1.0], &[0], false),
            ("two examples", &[1.0, 0.5], &[0, 1], true),
            ("one cluster", &[1.0, 0.0], &[0, 0], false),
            (
                "four clusters",
                &[1.0, 0.0, 1.0, 0.0, 1.0],
                &[0, 1, 2, 3, 3],
                false,
            ),
            (
                "five clusters",
                &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0],
                &[0, 1, 2, 3, 4, 4],
                true,
            ),
        ] {
            assert_eq!(
                mean_interval(values, clusters, Z_95).is_some(),
                some,
                "{case}"
            );
        }
    }

    #[test]
    fn an_interval_keeps_a_width_where_all_examples_score_alike() {
        // Ten clusters of two examples say no more than ten examples.
        let clusters: Vec<u32> = (0..20).map(|i| i / 2).collect();
        let all = wilson_interval(10, 10, Z_95).unwrap();
        assert_close(
            mean_interval(&[1.0; 20], &clusters, Z_95),
            all.low,
            all.high,
        );
        let third = mean_interval(&[1.0 / 3.0; 20], &clusters, Z_95).unwrap();
        assert!(third.low < 0.2 && third.high > 0.5, "{third:?}");
    }

    /// How many of 400 intervals hold the true mean, and their mean width.
    fn coverage(truth: f64, mut sample: impl FnMut() -> (Vec<f64>, Vec<u32>)) -> (f64, f64) {
        let (mut held, mut width) = (0.0, 0.0);
        for _ in 0..400 {
            let (values, clusters) = sample();
            let Interval { low, high } = mean_interval(&values, &clusters, Z_95).unwrap();
            held += f64::from(u8::from(low <= truth && truth <= high)) / 400.0;
            width += (high - low) / 400.0;
        }
        (held, width)
    }

    #[test]
    fn repeats_narrow_an_interval_and_clusters_widen_it_to_what_they_know() {
        let mut random = fastrand::Rng::with_seed(5);
        let own: Vec<u32> = (0..60).collect();
        let mut repeated = |attempts: u32| {
            coverage(0.8, || {
                // Two in five emails pass every other time, the others always.
                let share = |random: &mut fastrand::Rng| {
                    let chance = if random.f64() < 0.4 { 0.5 } else { 1.0 };
                    let passed = (0..attempts).filter(|_| random.f64() < chance).count();
                    passed as f64 / f64::from(attempts)
                };
                ((0..60).map(|_| share(&mut random)).collect(), own.clone())
            })
        };
        let (once, once_width) = repeated(1);
        let (often, often_width) = repeated(5);
        let mut random = fastrand::Rng::with_seed(6);
        let groups: Vec<u32> = (0..120).map(|i| i / 6).collect();
        let (grouped, grouped_width) = coverage(0.8, || {
            let groups_passed: Vec<f64> = (0..20)
                .map(|_| f64::from(u8::from(random.f64() < 0.8)))
                .collect();
            let values = groups.iter().map(|&group| groups_passed[group as usize]);
            (values.collect(), groups.clone())
        });
        for held in [once, often, grouped] {
            assert!((0.91..=0.99).contains(&held), "{once} {often} {grouped}");
        }
        assert!(
            often_width < 0.75 * once_width,
            "{often_width} {once_width}"
        );
        // 120 emails in 20 groups of equals know as much as 20 emails.
        let twenty = wilson_interval(16, 20, Z_95).unwrap();
        assert!(
            grouped_width > 0.9 * (twenty.high - twenty.low),
            "{grouped_width}"
        );
    }

    proptest! {
        #[test]
        fn a_wilson_interval_lies_in_the_unit_interval_and_holds_the_share(
            trials in 1u64..2_000_000, share in 0.0f64..=1.0, z in 0.1f64..5.0
        ) {
            let passed = ((trials as f64 * share) as u64).min(trials);
            let Interval { low, high } = wilson_interval(passed, trials, z).unwrap();
            let share = passed as f64 / trials as f64;
            prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
            prop_assert!(low < high);
        }

        #[test]
        fn an_interval_of_a_mean_holds_it_in_any_order(
            mut examples in prop::collection::vec((0u8..=4, 0u32..12), 2..60), turn in 0usize..60
        ) {
            let interval = |examples: &[(u8, u32)]| {
                let values: Vec<f64> = examples.iter().map(|e| f64::from(e.0) / 4.0).collect();
                let clusters: Vec<u32> = examples.iter().map(|e| e.1).collect();
                (values.iter().sum::<f64>() / values.len() as f64, mean_interval(&values, &clusters, Z_95))
            };
            let (mean, before) = interval(&examples);
            if let Some(Interval { low, high }) = before {
                prop_assert!(0.0 <= low && low <= mean && mean <= high && high <= 1.0);
                prop_assert!(low < high);
            }
            let turn = turn % examples.len();
            examples.rotate_left(turn);
            let (_, after) = interval(&examples);
            prop_assert_eq!(before.is_some(), after.is_some());
            if let (Some(before), Some(after)) = (before, after) {
                prop_assert!((before.low - after.low).abs() < 1e-12);
            }
        }
    }
}
