//! Bounds of a mean difference, by the studentized bootstrap.

use rayon::prelude::*;

use super::Interval;
use super::bootstrap::{SplitMix64, resamples};
use super::paired::{Unit, moments};
use super::quantile::quantile_of_sorted;
use super::signflip::TIE;

/// Where fewer units than this differ from the middle one, many resamples have hardly any that
/// does, and their standard error, which is divided by, is next to nothing.
const FEWEST: usize = 10;

/// How far resampled means lie from the mean they were drawn from, in standard errors.
///
/// Whole units are drawn with replacement, as many as there are, from a generator of its own
/// for each resample; the number of threads changes nothing.
/// Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993),
/// section 12.5.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Studentized {
    effect: f64,
    error: f64,
    /// In ascending order.
    deviations: Vec<f64>,
}

impl Studentized {
    /// Of units in ascending order; `None` where fewer than ten of them differ from the middle
    /// one, which is mostly one without a difference.
    pub(super) fn new(units: &[Unit], seed: u64) -> Option<Self> {
        let (effect, variance) = moments(units.iter().copied());
        let error = variance.sqrt();
        let differing = |from: &Unit| {
            let differs = |unit: &&Unit| (unit.gain - from.gain).abs() > TIE;
            units.iter().filter(differs).count()
        };
        // Of an even number, two are in the middle.
        let (lower, upper) = (&units[(units.len() - 1) / 2], &units[units.len() / 2]);
        let differing = differing(lower).max(differing(upper));
        if differing < FEWEST || error == 0.0 {
            return None;
        }
        let mut deviations: Vec<f64> = (0..resamples(units.len()) as u64)
            .into_par_iter()
            .map(|resample| {
                let mut random = SplitMix64::of(seed, resample);
                let drawn = (0..units.len()).map(|_| units[random.below(units.len())]);
                let (mean, variance) = moments(drawn);
                match mean - effect {
                    // A resample of equal units lies any number of its own errors away.
                    0.0 => 0.0,
                    away => (away / variance.sqrt()).clamp(f64::MIN, f64::MAX),
                }
            })
            .collect();
        deviations.sort_unstable_by(f64::total_cmp);
        Some(Self {
            effect,
            error,
            deviations,
        })
    }

    /// Both bounds, each one-sided at `alpha`.
    pub(super) fn interval(&self, alpha: f64) -> Interval {
        let at = |q| quantile_of_sorted(&self.deviations, q).expect("at least one resample");
        Interval {
            low: self.effect - at(1.0 - alpha) * self.error,
            high: self.effect - at(alpha) * self.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(count: usize, unit: impl Fn(usize) -> (f64, f64)) -> Vec<Unit> {
        let unit = |i| {
            let (gain, size) = unit(i);
            Unit { gain, size }
        };
        let mut units: Vec<Unit> = (0..count).map(unit).collect();
        units.sort_by(|a, b| a.gain.total_cmp(&b.gain));
        units
    }

    #[test]
    fn bounds_are_near_those_of_another_bootstrap() {
        // numpy 2.4, `default_rng(1)`, 200,000 resamples of `(d, s)` by rows: `e - q*se`, q
        // being the quantiles of `(m-e)/sqrt(n/(n-1)*((G-m*S)**2).sum()/S.sum()**2)`.
        let graded = units(60, |i| (((i * 7 % 5) as f64 - 2.4) / 6.0, 1.0));
        let clustered = units(60, |i| ((i * 7 % 5) as f64 - 3.0, (1 + i % 4) as f64));
        for (units, low, high) in [
            (graded, -0.1179727, -0.0153606),
            (clustered, -0.5319457, -0.2747315),
        ] {
            let found = Studentized::new(&units, 5).unwrap().interval(0.05);
            // The ends of 2,000 resamples are known to about a twentieth of the width.
            let within = (high - low) / 15.0;
            assert!((found.low - low).abs() < within, "{found:?}");
            assert!((found.high - high).abs() < within, "{found:?}");
        }
    }

    #[test]
    fn ten_units_must_differ_from_most() {
        let some = |differing, gain: fn(usize) -> f64| {
            let units = units(40, |i| (if i < differing { gain(i) } else { 0.0 }, 1.0));
            Studentized::new(&units, 0).is_some()
        };
        assert!(some(10, |_| 0.5) && !some(9, |_| 0.5));
        assert!(some(30, |_| 0.5) && !some(31, |_| 0.5) && !some(40, |_| 0.5));
        assert!(some(40, |i| i as f64 / 40.0));
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let units = units(50, |i| (i as f64 / 50.0 - 0.3, 1.0));
        let with_threads = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| Studentized::new(&units, 3))
        };
        assert_eq!(with_threads(1), with_threads(4));
        assert_ne!(with_threads(1), Studentized::new(&units, 4));
    }
}
