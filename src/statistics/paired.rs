//! Two measurements of the same examples, put together into what was sampled independently.

use super::FixedSum;
use super::interval::FEWEST_CLUSTERS;

/// What two variants scored on the same examples: `reference[i]` and `candidate[i]` are about
/// the same one.
///
/// A value is the mean over the scored attempts at an example, from 0 to 1, because attempts
/// at one email are not independent samples of emails.
#[derive(Clone, Copy, Debug)]
pub struct Paired<'a> {
    pub reference: &'a [f64],
    pub candidate: &'a [f64],
    /// The group each example belongs to, where some share one; an example of its own has a
    /// number of its own.
    pub clusters: Option<&'a [u32]>,
    /// Whether each value is one attempt that passed or failed, 0 or 1.
    pub single: bool,
}

/// What was sampled independently: an example, or all examples of a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    /// The sum of `candidate - reference` over the examples.
    pub(super) gain: f64,
    /// How many examples, as a number to compute with.
    pub(super) size: f64,
}

impl Paired<'_> {
    /// The mean over the examples of `candidate - reference`, the same in any order.
    ///
    /// # Panics
    /// If the slices differ in length, or a value is outside [0, 1].
    pub(super) fn effect(&self) -> Option<f64> {
        assert_eq!(
            self.reference.len(),
            self.candidate.len(),
            "each example has two values"
        );
        let mean = |values: &[f64]| {
            let mut sum = FixedSum::default();
            sum.extend(values.iter().copied());
            sum.mean()
        };
        Some(mean(self.candidate)? - mean(self.reference)?)
    }

    /// Whether examples share a cluster, and there are too few clusters to learn from.
    pub(super) fn has_few_clusters(&self, units: &[Unit]) -> bool {
        units.len() < self.reference.len() && units.len() < FEWEST_CLUSTERS
    }

    /// In an order of their own, so that resampling them does not depend on that of the examples.
    ///
    /// # Panics
    /// If there is not one cluster for each example.
    pub(super) fn units(&self) -> Vec<Unit> {
        let mut units = self.units_by_cluster();
        units.sort_unstable_by(|a, b| a.gain.total_cmp(&b.gain).then(a.size.total_cmp(&b.size)));
        units
    }

    fn units_by_cluster(&self) -> Vec<Unit> {
        let gain = |i: usize| self.candidate[i] - self.reference[i];
        let Some(clusters) = self.clusters else {
            let own = |i| Unit {
                gain: gain(i),
                size: 1.0,
            };
            return (0..self.reference.len()).map(own).collect();
        };
        assert_eq!(
            clusters.len(),
            self.reference.len(),
            "each example has a cluster"
        );
        // By value within a cluster: a sum of three may round otherwise in another order.
        let mut gains: Vec<(u32, f64)> = (0..clusters.len())
            .map(|i| (clusters[i], gain(i)))
            .collect();
        gains.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        gains
            .chunk_by(|a, b| a.0 == b.0)
            .map(|cluster| Unit {
                gain: cluster.iter().map(|(_, gain)| gain).sum(),
                size: cluster.len() as f64,
            })
            .collect()
    }
}

/// The mean difference over all examples of these units, and the variance of that mean, with
/// whole units as what was sampled: `C/(C-1) · Σ (gain - mean·size)² / N²`.
///
/// There must be a unit. The variance is 0 where units do not vary, and below two of them.
pub(super) fn moments(units: impl ExactSizeIterator<Item = Unit>) -> (f64, f64) {
    // Below this, a variance is the rounding error of equal units.
    const NO_VARIANCE: f64 = 1e-12;
    let count = units.len() as f64;
    let (mut gain, mut size, mut gains, mut both, mut sizes) = (0.0, 0.0, 0.0, 0.0, 0.0);
    // In one pass, since a bootstrap does this thousands of times.
    for unit in units {
        gain += unit.gain;
        size += unit.size;
        gains += unit.gain * unit.gain;
        both += unit.gain * unit.size;
        sizes += unit.size * unit.size;
    }
    let mean = gain / size;
    let squares = gains - 2.0 * mean * both + mean * mean * sizes;
    if count < 2.0 || squares <= NO_VARIANCE * sizes {
        return (mean, 0.0);
    }
    (mean, count / (count - 1.0) * squares / (size * size))
}
