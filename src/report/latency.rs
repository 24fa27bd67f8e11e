//! Latencies of any number of attempts in the space of a few.

use std::collections::BTreeMap;

use super::LatencyReport;

/// A histogram with buckets that grow by 2 %, so a quantile is within 1 % of the truth.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: BTreeMap<i32, u64>,
    count: u64,
    /// Whole nanoseconds: integers add up the same in any order.
    sum_ns: u128,
    max_ns: u64,
}

const GROWTH: f64 = 1.02;

impl Histogram {
    pub(super) fn record(&mut self, latency_ms: f64) {
        // The cast saturates, and takes what is negative for 0.
        let ns = (latency_ms * 1e6).round() as u64;
        let bucket = (ns.max(1) as f64).log(GROWTH).round() as i32;
        *self.buckets.entry(bucket).or_default() += 1;
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// `None` before the first latency.
    pub(super) fn report(&self) -> Option<LatencyReport> {
        if self.count == 0 {
            return None;
        }
        Some(LatencyReport {
            p50: self.quantile(0.50),
            p90: self.quantile(0.90),
            p99: self.quantile(0.99),
            max: milliseconds(self.max_ns as f64),
            mean: milliseconds(self.sum_ns as f64 / self.count as f64),
        })
    }

    /// By nearest rank: the least latency that at least this share does not exceed.
    fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.count as f64).ceil() as u64;
        let mut seen = 0;
        for (&bucket, &count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return milliseconds(GROWTH.powi(bucket).min(self.max_ns as f64));
            }
        }
        unreachable!("the counts of the buckets add up to `count`")
    }
}

/// To the microsecond; more digits would be noise.
fn milliseconds(ns: f64) -> f64 {
    (ns / 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(latencies: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &latency in latencies {
            histogram.record(latency);
        }
        histogram
    }

    #[test]
    fn no_latency_is_no_report() {
        assert_eq!(Histogram::default().report(), None);
    }

    #[test]
    fn zero_and_negative_latencies_count_as_zero() {
        let report = histogram(&[0.0, -5.0]).report().expect("two were recorded");
        assert_eq!((report.max, report.mean, report.p50), (0.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(mut latencies in prop::collection::vec(0.01..1e7, 1..200)) {
            let report = histogram(&latencies).report().expect("some were recorded");
            latencies.sort_by(f64::total_cmp);
            for (share, found) in [(0.5, report.p50), (0.9, report.p90), (0.99, report.p99)] {
                let rank = (share * latencies.len() as f64).ceil() as usize;
                let truth = latencies[rank - 1];
                prop_assert!((found - truth).abs() <= truth * 0.0101 + 0.001, "{found} is not {truth}");
            }
        }
    }
}
