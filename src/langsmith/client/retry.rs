//! What is asked again, and when: the one policy of all requests.
//!
//! Every request of this client may be sent twice: what it makes has an id that the sender
//! chose, so that the second time finds what the first one made.

use std::time::Duration;

/// The longest wait for a server that says how long: beyond it somebody should know.
pub const MOST_PATIENCE: Duration = Duration::from_secs(120);

/// How often a door that is not LangSmith's is knocked at.
const FIREWALL_TRIES: u32 = 3;

/// What an answer means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is for the one who asked, good or bad.
    Answer,
    /// The service says that the key may not.
    Denied,
    Again(Why),
}

/// Why a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody answered, or not to the end.
    Lost,
    /// Too many requests.
    Limited,
    /// The server's own fault, or its haste.
    Server,
    /// Something between denied it.
    Firewall,
    /// What it belongs to is not stored yet.
    Early,
}

/// What to make of an answer. `is_json` tells whether its body is JSON, `early` whether what is
/// missing may still come.
///
/// Source: LangSmith's Python client, which tries these statuses again.
pub fn verdict(status: u16, is_json: impl Fn() -> bool, early: bool) -> Verdict {
    match status {
        401 | 403 if is_json() => Verdict::Denied,
        401 | 403 => Verdict::Again(Why::Firewall),
        404 if early => Verdict::Again(Why::Early),
        429 => Verdict::Again(Why::Limited),
        408 | 425 => Verdict::Again(Why::Server),
        // Not implemented is not going to be.
        501 => Verdict::Answer,
        500.. => Verdict::Again(Why::Server),
        _ => Verdict::Answer,
    }
}

/// Waits that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// How often one request may still be sent.
#[derive(Debug)]
pub struct Tries {
    backoff: Backoff,
    retries: u32,
    done: u32,
    at_firewall: u32,
}

impl Tries {
    pub fn new(backoff: Backoff, max_retries: u32) -> Tries {
        Tries {
            backoff,
            retries: max_retries,
            done: 0,
            at_firewall: 0,
        }
    }

    /// How long to wait before the next try; `None` where there is none. `asked` is what the
    /// server wants, `random` from 0 to 1.
    pub fn next(&mut self, why: Why, asked: Option<Duration>, random: f64) -> Option<Duration> {
        if why == Why::Firewall {
            self.at_firewall += 1;
            if self.at_firewall >= FIREWALL_TRIES {
                return None;
            }
        }
        if self.done >= self.retries {
            return None;
        }
        let doubled = self
            .backoff
            .first
            .saturating_mul(2u32.saturating_pow(self.done));
        self.done += 1;
        match asked {
            Some(asked) if asked > MOST_PATIENCE => None,
            Some(asked) => Some(asked),
            // Half of it is drawn, so that many who failed together do not return together.
            None => Some(
                doubled
                    .min(self.backoff.longest)
                    .mul_f64(0.5 + random / 2.0),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_tells_what_to_do() {
        use Verdict::{Again, Answer, Denied};
        for (statuses, is_json, early, expected) in [
            (
                &[200, 202, 301, 400, 404, 405, 409, 410, 413, 415, 422, 501][..],
                true,
                false,
                Answer,
            ),
            (&[200, 404, 409, 501][..], false, false, Answer),
            (&[401, 403], true, false, Denied),
            (&[401, 403], true, true, Denied),
            (&[401, 403], false, false, Again(Why::Firewall)),
            (&[404], false, true, Again(Why::Early)),
            (&[429], true, false, Again(Why::Limited)),
            (
                &[408, 425, 500, 502, 503, 504, 520, 599],
                true,
                false,
                Again(Why::Server),
            ),
        ] {
            for &status in statuses {
                let found = verdict(status, || is_json, early);
                assert_eq!(found, expected, "{status} {is_json} {early}");
            }
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_then_there_is_none() {
        for (random, expected) in [
            (1.0, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
            (0.0, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]),
        ] {
            let mut tries = Tries::new(Backoff::default(), 7);
            for seconds in expected {
                let wait = Duration::from_secs_f64(seconds);
                assert_eq!(tries.next(Why::Lost, None, random), Some(wait));
            }
            assert_eq!(tries.next(Why::Lost, None, random), None);
        }
        let mut none = Tries::new(Backoff::default(), 0);
        assert_eq!(none.next(Why::Server, None, 0.5), None);
    }

    #[test]
    fn a_server_s_wait_is_kept_unless_it_is_too_long() {
        let mut tries = Tries::new(Backoff::default(), 7);
        for (seconds, expected) in [(0, Some(0)), (120, Some(120)), (121, None)] {
            let asked = Some(Duration::from_secs(seconds));
            let expected = expected.map(Duration::from_secs);
            assert_eq!(tries.next(Why::Limited, asked, 0.5), expected);
        }
    }

    #[test]
    fn a_firewall_is_tried_thrice_among_all_tries() {
        let mut tries = Tries::new(Backoff::default(), 7);
        let mut more = |why| tries.next(why, None, 0.5).is_some();
        let whys = [
            Why::Firewall,
            Why::Lost,
            Why::Lost,
            Why::Firewall,
            Why::Firewall,
        ];
        let found = whys.map(&mut more);
        assert_eq!(found, [true, true, true, true, false]);
    }

    proptest! {
        #[test]
        fn no_request_is_waited_for_beyond_what_is_bearable(
            asked in prop::collection::vec(prop::option::of(any::<u64>()), 0..20),
            retries in 0u32..40,
            random in 0.0..=1.0,
        ) {
            let mut tries = Tries::new(Backoff::default(), retries);
            let mut given = 0;
            for seconds in asked {
                let asked = seconds.map(Duration::from_secs);
                if let Some(wait) = tries.next(Why::Server, asked, random) {
                    prop_assert!(wait <= MOST_PATIENCE);
                    given += 1;
                }
            }
            prop_assert!(given <= retries);
        }
    }
}
