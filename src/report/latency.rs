//! Latencies of any number of attempts.

use super::LatencyReport;
use super::histogram::Histogram;

/// In whole nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Latencies(Histogram);

impl Latencies {
    pub(super) fn record(&mut self, latency_ms: f64) {
        // The cast saturates, and takes what is negative for 0.
        self.0.record((latency_ms * 1e6).round() as u64);
    }

    /// `None` before the first latency.
    pub(super) fn report(&self) -> Option<LatencyReport> {
        let quantile = |share| milliseconds(self.0.quantile(share));
        (!self.0.is_empty()).then(|| LatencyReport {
            p50: quantile(0.50),
            p90: quantile(0.90),
            p99: quantile(0.99),
            max: milliseconds(self.0.max() as f64),
            mean: milliseconds(self.0.mean()),
        })
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

    fn latencies(each: &[f64]) -> Latencies {
        let mut latencies = Latencies::default();
        for &latency in each {
            latencies.record(latency);
        }
        latencies
    }

    #[test]
    fn no_latency_is_no_report() {
        assert_eq!(Latencies::default().report(), None);
    }

    #[test]
    fn zero_and_negative_latencies_count_as_zero() {
        let report = latencies(&[0.0, -5.0]).report().expect("two were recorded");
        assert_eq!((report.max, report.mean, report.p50), (0.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(mut each in prop::collection::vec(0.01..1e7, 1..200)) {
            let report = latencies(&each).report().expect("some were recorded");
            each.sort_by(f64::total_cmp);
            for (share, found) in [(0.5, report.p50), (0.9, report.p90), (0.99, report.p99)] {
                let rank = (share * each.len() as f64).ceil() as usize;
                let truth = each[rank - 1];
                prop_assert!((found - truth).abs() <= truth * 0.0101 + 0.001, "{found} is not {truth}");
            }
        }
    }
}
