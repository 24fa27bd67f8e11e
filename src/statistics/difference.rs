//! How a candidate differs from the reference on the same examples.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::power::{Planned, detectable_drop};
use super::signflip::sign_flip;
use super::studentized::Studentized;
use super::tango::{Flips, tango_interval};
use super::{Interval, Paired};

/// How a difference was tested, and how its interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Exact McNemar test; Tango's score interval.
    McNemar,
    /// Sign-flip test and studentized bootstrap, over the units.
    Resampled,
    /// The differences do not vary between the units: sign-flip test; Tango's interval as if
    /// each unit were one yes-or-no answer, since an interval without width would promise too
    /// much.
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
    Studentized(Studentized),
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
/// All else: [sign-flip test](sign_flip) and [studentized bootstrap](Studentized), unless the
/// method says otherwise.
///
/// # Panics
/// If the slices differ in length, or a value is outside [0, 1].
pub fn difference(paired: Paired<'_>, seed: u64) -> Option<Difference> {
    let effect = paired.effect()?;
    let units = paired.units();
    let examples = paired.reference.len() as f64;
    let count = units.len();
    if paired.has_few_clusters(&units) {
        return Some(Difference {
            effect,
            p_worse: 1.0,
            p_better: 1.0,
            method: Method::FewClusters,
            units: count,
            bounds: Bounds::Unknown,
            planned: Planned::of(0, 0.0),
        });
    }
    let flips = |sign: f64| units.iter().filter(|unit| unit.gain * sign > 0.0).count();
    let (better, worse) = (flips(1.0), flips(-1.0));
    let studentized = Studentized::new(&units, effect, seed);
    let binary = paired.single && count == paired.reference.len();
    let (method, bounds) = match studentized {
        _ if binary => (
            Method::McNemar,
            Bounds::Tango(Flips {
                better: better as f64,
                worse: worse as f64,
                of: examples,
            }),
        ),
        Some(studentized) => (Method::Resampled, Bounds::Studentized(studentized)),
        None => (
            Method::Unvaried,
            Bounds::Tango(Flips {
                better: effect.max(0.0) * count as f64,
                worse: (-effect).max(0.0) * count as f64,
                of: count as f64,
            }),
        ),
    };
    let (p_worse, p_better) = if binary {
        (at_least(worse, better), at_least(better, worse))
    } else {
        let gains: Vec<f64> = units.iter().map(|unit| unit.gain).collect();
        sign_flip(&gains, seed)
    };
    Some(Difference {
        effect,
        p_worse,
        p_better,
        method,
        units: count,
        bounds,
        planned: Planned::of(count, super::paired::variance(&units, effect)),
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
        let Interval { low, high } = match &self.bounds {
            Bounds::Tango(flips) => tango_interval(*flips, quantile_above(alpha)),
            Bounds::Studentized(studentized) => studentized.interval(alpha),
            Bounds::Unknown => Interval {
                low: -1.0,
                high: 1.0,
            },
        };
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
        detectable_drop(self.planned, alpha, margin)
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
