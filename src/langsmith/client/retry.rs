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
