//! How a candidate differs from the reference on the same examples.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::paired::{Unit, moments};
use super::power::{Planned, detectable_drop};
use super::score::{Flips, score_interval, tango_interval};
use super::signflip::sign_flip;
use super::studentized::Studentized;
use super::{Interval, Paired};

/// How a difference was tested, and how its interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Exact McNemar test; Tango's score interval.
    McNemar,
    /// Sign-flip test over the units; the wider one of their studentized bootstrap and of
    /// their score interval.
    Resampled,
    /// Sign-flip test; the score interval alone, since fewer than ten units differ from the
    /// others, which leaves a bootstrap nothing to draw from.
    Score,
    /// Sign-flip test; the units do not vary, and Tango's interval takes each for one
    /// yes-or-no answer, since an interval without width would promise too much.
    Unvaried,
    /// No test, as of [`Difference::untested`]; the interval as it would have been.
    Untested,
    /// Examples share fewer than five clusters: nothing is claimed.
    FewClusters,
}

/// The difference between two variants on the same examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The mean over the examples of `candidate - reference`, from -1 to 1; a drop is negative.
    pub effect: f64,
    /// The chance of an effect as low as this, or lower, if nothing had changed.
    pub p_worse: f64,
    /// The chance of an effect as high as this, or higher, if nothing had changed.
    pub p_better: f64,
    pub method: Method,
    /// How many examples, or clusters of examples where some share one.
    pub units: usize,
    bounds: Bounds,
    planned: Planned,
}

/// What bounds are made of, at any level.
#[derive(Clone, Debug, PartialEq)]
enum Bounds {
    Tango(Flips),
    Score(Vec<Unit>, Option<Studentized>),
    Unknown,
}

/// Compares two measurements of the same examples; `None` without an example.
///
/// The unit is the cluster where examples share one, else the example: repeats make each
/// value steadier, but only more units make the sample larger. The order of the examples
/// changes nothing; `seed` decides what is drawn where too many units differ to try all.
///
/// One yes-or-no attempt of each example without shared clusters: exact McNemar test
/// (Q. McNemar, Psychometrika 12 (1947), 153–157) and Tango's interval.
/// All else: sign-flip test, and the interval that [`Method`] says; `docs/statistics.md` has
/// the formulas.
///
/// Both tests rely on a unit being as likely to have either sign where nothing changed, which
/// takes as many attempts on both sides ([`Difference::untested`]).
///
/// # Panics
/// If the slices differ in length, or a value is outside [0, 1].
pub fn difference(paired: Paired<'_>, seed: u64) -> Option<Difference> {
    let effect = paired.effect()?;
    let units = paired.units();
    let count = units.len();
    let (_, variance) = moments(units.iter().copied());
    let planned = Planned::of(count, variance);
    let gains = || units.iter().map(|unit| unit.gain);

    let ((p_worse, p_better), method, bounds) = if paired.has_few_clusters(&units) {
        ((1.0, 1.0), Method::FewClusters, Bounds::Unknown)
    } else if paired.single && count == paired.reference.len() {
        let better = gains().filter(|&gain| gain > 0.0).count();
        let worse = gains().filter(|&gain| gain < 0.0).count();
        let flips = Flips {
            better: better as f64,
            worse: worse as f64,
            of: count as f64,
        };
        (
            (at_least(worse, better), at_least(better, worse)),
            Method::McNemar,
            Bounds::Tango(flips),
        )
    } else {
        let p = sign_flip(&gains().collect::<Vec<_>>(), seed);
        if variance == 0.0 {
            let flips = Flips {
                better: effect.max(0.0) * count as f64,
                worse: (-effect).max(0.0) * count as f64,
                of: count as f64,
            };
            (p, Method::Unvaried, Bounds::Tango(flips))
        } else {
            let studentized = Studentized::new(&units, seed);
            let method = match studentized {
                Some(_) => Method::Resampled,
                None => Method::Score,
            };
            (p, method, Bounds::Score(units, studentized))
        }
    };
    Some(Difference {
        effect,
        p_worse,
        p_better,
        method,
        units: count,
        bounds,
        planned,
    })
}

/// The chance of at least `these` heads in `these + those` tosses of a fair coin.
fn at_least(these: usize, those: usize) -> f64 {
    let tosses = Binomial::new(0.5, (these + those) as u64).expect("a half is a probability");
    match these.checked_sub(1) {
        Some(below) => tosses.sf(below as u64),
        None => 1.0,
    }
}

impl Difference {
    /// The same without a test, for values that no test can be made of: those of one side are
    /// means of more attempts than those of the other, so that chance favours a side. Bounds
    /// stay, and neither of them excludes 0.
    pub fn untested(self) -> Difference {
        Difference {
            p_worse: 1.0,
            p_better: 1.0,
            method: match self.method {
                Method::FewClusters => Method::FewClusters,
                _ => Method::Untested,
            },
            ..self
        }
    }

    /// The two-sided p-value.
    pub fn p(&self) -> f64 {
        (2.0 * self.p_worse.min(self.p_better)).min(1.0)
    }

    /// Both bounds of the effect, each one-sided at `alpha`: together they are an interval of
    /// confidence `1 - 2·alpha`, within -1 to 1, and hold the effect.
    ///
    /// A bound excludes 0 only where the test does: where it rejects too little, the bound
    /// that would say more ends at 0.
    ///
    /// # Panics
    /// If `alpha` is not above 0 and below a half.
    pub fn interval(&self, alpha: f64) -> Interval {
        let z = quantile_above(alpha);
        let Interval { low, high } = match &self.bounds {
            Bounds::Tango(flips) => tango_interval(*flips, z),
            Bounds::Score(units, studentized) => {
                let score = score_interval(units, z);
                let drawn = studentized.as_ref().map(|s| s.interval(alpha));
                let Interval { low, high } = drawn.unwrap_or(score);
                Interval {
                    low: low.min(score.low).max(-1.0),
                    high: high.max(score.high).min(1.0),
                }
            }
            Bounds::Unknown => Interval {
                low: -1.0,
                high: 1.0,
            },
        };
        // Adding up in another order, the bounds may miss the effect by a rounding error.
        let (low, high) = (low.min(self.effect), high.max(self.effect));
        Interval {
            low: if self.p_better > alpha {
                low.min(0.0)
            } else {
                low
            },
            high: if self.p_worse > alpha {
                high.max(0.0)
            } else {
                high
            },
        }
    }

    /// The smallest drop, from 0 to 1, that this many units would have shown with a chance of
    /// 80 %: as a test at the one-sided level `alpha`, and as a drop in the sample of at least
    /// `margin`. `None` where none would have been. `docs/statistics.md` says what is planned with.
    pub fn mde(&self, alpha: f64, margin: f64) -> Option<f64> {
        match self.method {
            Method::FewClusters => None,
            _ => detectable_drop(self.planned, alpha, margin),
        }
    }
}

/// The normal quantile that is exceeded with the chance `alpha`.
pub(super) fn quantile_above(alpha: f64) -> f64 {
    assert!(
        0.0 < alpha && alpha < 0.5,
        "{alpha} is no level of one side"
    );
    -Normal::standard().inverse_cdf(alpha)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paired<'a>(
        sides: &'a [Vec<f64>; 2],
        clusters: Option<&'a [u32]>,
        single: bool,
    ) -> Paired<'a> {
        Paired {
            reference: &sides[0],
            candidate: &sides[1],
            clusters,
            single,
        }
    }

    /// So many examples of which `worse` failed and `better` passed anew; the others passed.
    fn flipped(examples: usize, worse: usize, better: usize) -> [Vec<f64>; 2] {
        let side = |failed: std::ops::Range<usize>| {
            let passed = |i| f64::from(u8::from(!failed.contains(&i)));
            (0..examples).map(passed).collect()
        };
        [side(worse..worse + better), side(0..worse)]
    }

    #[test]
    fn flips_are_tested_as_statsmodels_and_scipy_do() {
        // statsmodels 0.15: `mcnemar([[0, b], [c, 0]], exact=True)`, and scipy 1.17:
        // `binomtest(c, b+c, alternative="greater")`, b better and c worse.
        for ((examples, worse, better), p_worse, p_better, p) in [
            ((21, 1, 7), 0.99609375, 0.03515625, 0.0703125),
            (
                (161, 6, 16),
                0.9915497303009033,
                0.026239395141601562,
                0.052478790283203125,
            ),
            ((10, 5, 0), 0.03125, 1.0, 0.0625),
            ((50, 12, 12), 0.5805901288986206, 0.5805901288986206, 1.0),
            (
                (500, 90, 40),
                6.857534222587716e-06,
                0.9999970618050718,
                1.3715068445175432e-05,
            ),
            ((170, 0, 0), 1.0, 1.0, 1.0),
        ] {
            let sides = flipped(examples, worse, better);
            let found = difference(paired(&sides, None, true), 0).unwrap();
            assert_eq!(found.method, Method::McNemar);
            assert_eq!(found.units, examples);
            for (found, expected) in [
                (found.p_worse, p_worse),
                (found.p_better, p_better),
                (found.p(), p),
            ] {
                assert!((found - expected).abs() < 1e-10, "{examples}: {found}");
            }
            let effect = (better as f64 - worse as f64) / examples as f64;
            assert!((found.effect - effect).abs() < 1e-15);
        }
    }

    #[test]
    fn the_method_fits_what_was_measured() {
        let singles = flipped(40, 6, 6);
        let pairs: Vec<u32> = (0..40).map(|i| i / 2).collect();
        let own: Vec<u32> = (0..40).collect();
        let tens: Vec<u32> = (0..40).map(|i| i / 10).collect();
        for (case, sides, clusters, single, method, units) in [
            ("single attempts", &singles, None, true, Method::McNemar, 40),
            (
                "clusters of one each",
                &singles,
                Some(&own[..]),
                true,
                Method::McNemar,
                40,
            ),
            ("repeats", &singles, None, false, Method::Resampled, 40),
            (
                "shared clusters",
                &singles,
                Some(&pairs),
                true,
                Method::Score,
                20,
            ),
            (
                "few clusters",
                &singles,
                Some(&tens),
                true,
                Method::FewClusters,
                4,
            ),
            (
                "few repeats that differ",
                &flipped(40, 5, 4),
                None,
                false,
                Method::Score,
                40,
            ),
            (
                "nothing differs",
                &flipped(40, 0, 0),
                None,
                false,
                Method::Unvaried,
                40,
            ),
            (
                "nothing differs between clusters",
                &flipped(40, 0, 0),
                Some(&pairs),
                true,
                Method::Unvaried,
                20,
            ),
            (
                "all differ alike",
                &flipped(40, 40, 0),
                None,
                false,
                Method::Unvaried,
                40,
            ),
        ] {
            let found = difference(paired(sides, clusters, single), 0).unwrap();
            assert_eq!((found.method, found.units), (method, units), "{case}");
        }
        let none = [vec![], vec![]];
        assert_eq!(difference(paired(&none, None, true), 0), None);
    }

    #[test]
    fn an_unchanged_agent_leaves_open_what_its_units_leave_open() {
        // Of the quantile z of 95 %.
        const SQUARE: f64 = 2.705543454095404;
        let pairs: Vec<u32> = (0..100).map(|i| i / 2).collect();
        let sides = flipped(100, 0, 0);
        for (case, clusters, single, bound) in [
            // z²/(n + z²)
            ("single", None, true, SQUARE / (100.0 + SQUARE)),
            ("repeats", None, false, SQUARE / (100.0 + SQUARE)),
            ("clusters", Some(&pairs[..]), true, SQUARE / (50.0 + SQUARE)),
        ] {
            let found = difference(paired(&sides, clusters, single), 0).unwrap();
            let Interval { low, high } = found.interval(0.05);
            assert!((high - bound).abs() < 1e-9, "{case}: {high}");
            assert!((low + bound).abs() < 1e-9, "{case}: {low}");
            assert_eq!((found.effect, found.p()), (0.0, 1.0), "{case}");
        }
    }

    #[test]
    fn units_that_all_differ_alike_count_as_one_answer_each() {
        let sides = [vec![0.25; 40], vec![0.75; 40]];
        let flips = Flips {
            better: 20.0,
            worse: 0.0,
            of: 40.0,
        };
        let expected = tango_interval(flips, quantile_above(0.05));
        let found = difference(paired(&sides, None, false), 0).unwrap();
        assert_eq!(found.interval(0.05), expected);
        let turned = [sides[1].clone(), sides[0].clone()];
        let found = difference(paired(&turned, None, false), 0).unwrap();
        assert!((found.interval(0.05).high + expected.low).abs() < 1e-9);
    }

    #[test]
    fn of_bootstrap_and_score_interval_the_wider_bound_is_told() {
        let mut widest = [0; 4];
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            // Many small gains, and few large losses.
            let reference: Vec<f64> = (0..60).map(|_| random.f64() * 0.8).collect();
            let changed = |&was: &f64| {
                if random.f64() < 0.1 {
                    0.0
                } else {
                    was + 0.2 * random.f64()
                }
            };
            let mut sides = [reference.clone(), reference.iter().map(changed).collect()];
            sides.rotate_left(seed as usize % 2);
            let paired = paired(&sides, None, false);
            let units = paired.units();
            let drawn = Studentized::new(&units, seed).unwrap().interval(0.05);
            let score = score_interval(&units, quantile_above(0.05));
            let found = difference(paired, seed).unwrap();
            // At a level at which no bound ends at 0, or they do not reach it.
            let told = found.interval(0.05);
            assert_eq!(told.low.min(0.0), drawn.low.min(score.low).min(0.0));
            assert_eq!(told.high.max(0.0), drawn.high.max(score.high).max(0.0));
            widest[usize::from(drawn.low < score.low)] += 1;
            widest[2 + usize::from(drawn.high > score.high)] += 1;
        }
        assert!(widest.iter().all(|&times| times > 0), "{widest:?}");
    }

    #[test]
    fn nothing_is_claimed_of_few_clusters() {
        let sides = flipped(40, 40, 0);
        let tens: Vec<u32> = (0..40).map(|i| i / 10).collect();
        let found = difference(paired(&sides, Some(&tens), true), 0).unwrap();
        assert_eq!(found.effect, -1.0);
        let Interval { low, high } = found.interval(0.05);
        assert_eq!((found.p_worse, low, high), (1.0, -1.0, 1.0));
        assert_eq!(found.mde(0.05, 0.05), None);
    }

    #[test]
    fn a_bound_excludes_0_only_where_the_test_does() {
        // Tango's bound alone would: its statistic of three flips of three is √3 > 1.645.
        let three = difference(paired(&flipped(50, 3, 0), None, true), 0).unwrap();
        assert!(three.p_worse > 0.12 && three.interval(0.05).high == 0.0);
        let three = difference(paired(&flipped(50, 0, 3), None, true), 0).unwrap();
        assert!(three.p_better > 0.12 && three.interval(0.05).low == 0.0);
        let five = difference(paired(&flipped(50, 5, 0), None, true), 0).unwrap();
        assert!(five.p_worse < 0.05 && five.interval(0.05).high < 0.0);
        assert!(five.p_worse > 0.01 && five.interval(0.01).high >= 0.0);
    }

    #[test]
    fn sharing_clusters_widens_and_repeating_narrows() {
        let mut random = fastrand::Rng::with_seed(9);
        let clusters: Vec<u32> = (0..120).map(|i| i / 4).collect();
        let side = |attempts: u32, random: &mut fastrand::Rng| -> Vec<f64> {
            // Clusters of four that pass or fail together.
            let groups: Vec<f64> = (0..30)
                .map(|_| f64::from((0..attempts).filter(|_| random.bool()).count() as u32))
                .collect();
            let mean = |i: usize| groups[i / 4] / f64::from(attempts);
            (0..120).map(mean).collect()
        };
        let mut width = |attempts, clusters| {
            let sides = [side(attempts, &mut random), side(attempts, &mut random)];
            let found = difference(paired(&sides, clusters, attempts == 1), 0).unwrap();
            let Interval { low, high } = found.interval(0.05);
            high - low
        };
        let (alone, together) = (width(1, None), width(1, Some(&clusters[..])));
        let repeated = width(8, Some(&clusters[..]));
        assert!(together > 1.5 * alone, "{alone} {together}");
        assert!(repeated < 0.7 * together, "{together} {repeated}");
    }

    fn scores() -> impl Strategy<Value = Vec<(u8, u8, u32)>> {
        prop::collection::vec((0u8..=3, 0u8..=3, 0u32..12), 1..40)
    }

    fn sides(scores: &[(u8, u8, u32)]) -> ([Vec<f64>; 2], Vec<u32>) {
        let side =
            |of: fn(&(u8, u8, u32)) -> u8| scores.iter().map(|s| f64::from(of(s)) / 3.0).collect();
        (
            [side(|s| s.0), side(|s| s.1)],
            scores.iter().map(|s| s.2).collect(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bounds_hold_the_effect_and_grow_with_confidence(scores in scores(), shared: bool) {
            let (sides, clusters) = sides(&scores);
            let found = difference(paired(&sides, shared.then_some(&clusters[..]), false), 1).unwrap();
            let (narrow, wide) = (found.interval(0.05), found.interval(0.005));
            prop_assert!(-1.0 <= wide.low && wide.low <= narrow.low && narrow.low <= found.effect);
            prop_assert!(found.effect <= narrow.high && narrow.high <= wide.high && wide.high <= 1.0);
            prop_assert!(narrow.low < narrow.high);
            if found.method != Method::FewClusters {
                prop_assert!(found.p_worse + found.p_better >= 1.0);
            }
        }

        #[test]
        fn swapping_the_sides_swaps_what_is_said(scores in scores()) {
            let (sides, clusters) = sides(&scores);
            let swapped = [sides[1].clone(), sides[0].clone()];
            let one = difference(paired(&sides, Some(&clusters), false), 1).unwrap();
            let other = difference(paired(&swapped, Some(&clusters), false), 1).unwrap();
            prop_assert_eq!(one.effect, -other.effect);
            prop_assert_eq!(one.p_worse, other.p_better);
            prop_assert_eq!((one.method, one.units), (other.method, other.units));
            let mde = |d: &Difference| d.mde(0.05, 0.05).unwrap_or(1.0);
            prop_assert!((mde(&one) - mde(&other)).abs() < 1e-3);
            // A bootstrap draws other units then, since they are drawn in the order of their gains.
            if one.method != Method::Resampled {
                let (one, other) = (one.interval(0.05), other.interval(0.05));
                prop_assert!((one.low + other.high).abs() < 1e-9);
                prop_assert!((one.high + other.low).abs() < 1e-9);
            }
        }

        #[test]
        fn the_order_of_examples_changes_nothing(
            scores in scores(), shared: bool, turn in 0usize..40
        ) {
            let turn = turn % scores.len();
            let mut turned = scores.clone();
            turned.rotate_left(turn);
            let ((first, clusters), (second, turned)) = (sides(&scores), sides(&turned));
            let of = |sides, clusters| {
                let clusters: Option<&[u32]> = if shared { Some(clusters) } else { None };
                difference(paired(sides, clusters, false), 1)
            };
            prop_assert_eq!(of(&first, &clusters), of(&second, &turned));
        }

        #[test]
        fn of_single_attempts_both_tests_are_one(worse in 0usize..9, better in 0usize..8) {
            let sides = flipped(30, worse, better);
            let flips = difference(paired(&sides, None, true), 0).unwrap();
            let signs = difference(paired(&sides, None, false), 0).unwrap();
            prop_assert!((flips.p_worse - signs.p_worse).abs() < 1e-9);
            prop_assert!((flips.p_better - signs.p_better).abs() < 1e-9);
        }

        #[test]
        fn one_more_loss_is_worse_news(worse in 0usize..20, better in 0usize..20) {
            let of = |worse| difference(paired(&flipped(60, worse, better), None, true), 0).unwrap();
            let (before, after) = (of(worse), of(worse + 1));
            prop_assert!(after.effect < before.effect && after.p_worse <= before.p_worse);
            let (before, after) = (before.interval(0.05), after.interval(0.05));
            prop_assert!(after.low < before.low && after.high <= before.high);
        }
    }
}
