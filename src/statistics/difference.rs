//! How a candidate differs from the reference on the same examples.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::paired::{Unit, variance};
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
    /// Sign-flip test; the score interval alone, since fewer than ten units differ, which
    /// leaves a bootstrap nothing to draw from.
    Score,
    /// Sign-flip test; the units do not vary, and Tango's interval takes each for one
    /// yes-or-no answer, since an interval without width would promise too much.
    Unvaried,
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
/// (Q. McNemar, Psychometrika 12 (1947), 153–157) and [Tango's](tango_interval) interval.
/// All else: [sign-flip test](sign_flip), and the interval that [`Method`] says.
///
/// # Panics
/// If the slices differ in length, or a value is outside [0, 1].
pub fn difference(paired: Paired<'_>, seed: u64) -> Option<Difference> {
    let effect = paired.effect()?;
    let units = paired.units();
    let count = units.len();
    let variance = variance(&units, effect);
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
    /// `margin`. `None` where none would have been: see [`detectable_drop`].
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
