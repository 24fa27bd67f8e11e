//! When to give a provider up.

use std::time::Duration;

use tokio::time::Instant;

/// After so many rounds of failures a single request at a time, now and then, looks whether
/// the provider is back, so that an outage neither uses up the retries of all that wait nor
/// adds to whatever is wrong.
const PROBE_AFTER: u32 = 2;

/// Counts failures without a reply in between. Requests that were on their way when a failure
/// was counted are of the same round and tell nothing new: 64 that fail together are one.
#[derive(Debug, Default)]
pub struct Circuit {
    rounds: u32,
    /// Requests from this number on were sent after the last failure that counted.
    counted_before: u64,
    /// When a request that is to count can be sent at the earliest.
    next: Option<Instant>,
    /// When the first of these failures came.
    since: Option<Instant>,
}

/// One failed request.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// Its place among the requests sent, from 0.
    pub number: u64,
    pub sent_at: Instant,
    /// How long after it the next request is sent that counts.
    pub apart: Duration,
}

impl Circuit {
    pub fn replied(&mut self) {
        *self = Circuit::default();
    }

    /// `sent` requests are on their way or answered. Says how many rounds failed by now.
    pub fn failed(&mut self, failure: Failure, sent: u64, now: Instant) -> u32 {
        let apart = self.next.is_none_or(|next| failure.sent_at >= next);
        if failure.number >= self.counted_before && apart {
            self.rounds += 1;
            self.counted_before = sent;
            self.next = Some(now + failure.apart);
            self.since.get_or_insert(now);
        }
        self.rounds
    }

    pub fn is_probing(&self) -> bool {
        self.rounds >= PROBE_AFTER
    }

    /// When the next request may look.
    pub fn next_probe(&self) -> Option<Instant> {
        self.next.filter(|_| self.is_probing())
    }

    /// How long there was nothing but failures.
    pub fn lasted(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now - since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_one_round_count_once() {
        let start = Instant::now();
        let mut circuit = Circuit::default();
        let at = |ms| start + Duration::from_millis(ms);
        for (case, number, sent_at, sent, now, rounds) in [
            ("the first", 0, 0, 64, 10, 1),
            ("of the same burst", 63, 0, 64, 11, 1),
            ("sent after it, but too soon", 64, 40, 65, 50, 1),
            ("sent long before, answered late", 5, 0, 70, 900, 1),
            ("sent after it", 70, 510, 80, 600, 2),
            ("sent before that one", 75, 520, 80, 601, 2),
            ("sent after that one", 80, 1100, 81, 1200, 3),
        ] {
            let failure = Failure {
                number,
                sent_at: at(sent_at),
                apart: Duration::from_millis(500),
            };
            assert_eq!(circuit.failed(failure, sent, at(now)), rounds, "{case}");
        }
        assert!(circuit.is_probing());
        assert_eq!(circuit.next_probe(), Some(at(1700)));
        assert_eq!(circuit.lasted(at(1210)), Duration::from_millis(1200));
        circuit.replied();
        assert!(!circuit.is_probing());
        assert_eq!(circuit.lasted(at(1210)), Duration::ZERO);
    }

    #[test]
    fn a_failure_that_was_on_its_way_does_not_count_however_late_it_is() {
        let start = Instant::now();
        let mut circuit = Circuit::default();
        for (number, sent, rounds) in [(3, 8, 1), (7, 9, 1), (8, 9, 2), (4, 9, 2), (9, 10, 3)] {
            let failure = Failure {
                number,
                sent_at: start,
                apart: Duration::ZERO,
            };
            assert_eq!(circuit.failed(failure, sent, start), rounds, "{number}");
        }
    }
}
