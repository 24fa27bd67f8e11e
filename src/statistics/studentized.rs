//! Bounds of a mean difference, by the studentized bootstrap.

use rayon::prelude::*;

use super::Interval;
use super::bootstrap::{SplitMix64, resamples};
use super::paired::{Unit, mean, variance};
use super::quantile::quantile_of_sorted;

/// Where fewer units than this differ, many resamples have hardly any that does, and their
/// standard error, which is divided by, is next to nothing.
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
    /// `None` where fewer than ten units differ, or all by the same.
    pub(super) fn new(units: &[Unit], seed: u64) -> Option<Self> {
        let effect = mean(units);
        let error = variance(units, effect).sqrt();
        let differing = units.iter().filter(|unit| unit.gain != 0.0).count();
        if differing < FEWEST || error == 0.0 {
            return None;
        }
        let mut deviations: Vec<f64> = (0..resamples(units.len()) as u64)
            .into_par_iter()
            .map_with(units.to_vec(), |drawn, resample| {
                let mut random = SplitMix64::of(seed, resample);
                drawn.fill_with(|| units[random.below(units.len())]);
                let mean = mean(drawn);
                match (mean - effect, variance(drawn, mean).sqrt()) {
                    // A resample of equal units lies infinitely many of its own errors away.
                    (0.0, _) => 0.0,
                    (away, error) => away / error,
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
