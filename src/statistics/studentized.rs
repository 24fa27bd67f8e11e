//! Bounds of a mean difference, by the studentized bootstrap.

use rayon::prelude::*;

use super::Interval;
use super::bootstrap::{SplitMix64, resamples};
use super::paired::{Unit, variance};
use super::quantile::quantile_of_sorted;

/// How far resampled means lie from the mean they were drawn from, in standard errors.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Studentized {
    effect: f64,
    error: f64,
    /// In ascending order.
    deviations: Vec<f64>,
}

impl Studentized {
    /// `None` where the units do not vary.
    pub(super) fn new(units: &[Unit], effect: f64, seed: u64) -> Option<Self> {
        let error = variance(units, effect).sqrt();
        if error < 1e-9 {
            return None;
        }
        let mut deviations: Vec<f64> = (0..resamples(units.len()) as u64)
            .into_par_iter()
            .map_with(units.to_vec(), |drawn, resample| {
                let mut random = SplitMix64::of(seed, resample);
                drawn.fill_with(|| units[random.below(units.len())]);
                let (gain, size) = drawn.iter().fold((0.0, 0.0), |(gain, size), unit| {
                    (gain + unit.gain, size + unit.size)
                });
                let mean = gain / size;
                (mean - effect) / variance(drawn, mean).sqrt()
            })
            .collect();
        deviations.sort_unstable_by(f64::total_cmp);
        Some(Self {
            effect,
            error,
            deviations,
        })
    }

    pub(super) fn interval(&self, alpha: f64) -> Interval {
        let at = |q| quantile_of_sorted(&self.deviations, q).expect("at least one resample");
        Interval {
            low: (self.effect - at(1.0 - alpha) * self.error).clamp(-1.0, self.effect),
            high: (self.effect - at(alpha) * self.error).clamp(self.effect, 1.0),
        }
    }
}
