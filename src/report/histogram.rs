//! How any number of values are spread, in the space of a few.

use std::collections::BTreeMap;

/// A histogram with buckets that grow by 2 %, so a quantile is within 1 % of the truth.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: BTreeMap<i32, u64>,
    count: u64,
    /// Integers add up the same in any order.
    sum: u128,
    max: u64,
}

const GROWTH: f64 = 1.02;

impl Histogram {
    pub(super) fn record(&mut self, value: u64) {
        let bucket = (value.max(1) as f64).log(GROWTH).round() as i32;
        *self.buckets.entry(bucket).or_default() += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `NaN` before the first value.
    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// By nearest rank: the least value that at least this share does not exceed.
    ///
    /// # Panics
    /// Before the first value.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.count as f64).ceil() as u64;
        let mut seen = 0;
        for (&bucket, &count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return GROWTH.powi(bucket).min(self.max as f64);
            }
        }
        unreachable!("the counts of the buckets add up to `count`")
    }
}
