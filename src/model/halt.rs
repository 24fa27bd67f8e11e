//! How a model call ends the whole run.

use std::fmt;
use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Shared by everything that may find that going on is pointless. The first reason stays.
#[derive(Clone, Debug, Default)]
pub struct Halt {
    reason: Arc<OnceLock<Halted>>,
    token: CancellationToken,
}

/// Why a run was ended before its plan was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Halted {
    pub because: Because,
    /// What happened and how to go on; lines where a replay misses a request.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The next call could have cost more than was allowed.
    Budget,
    /// A request was not among those recorded.
    ReplayMiss,
    /// A provider kept failing.
    CircuitOpen,
    /// A provider does not take the key of an account.
    Key,
    /// A provider has no such model.
    Model,
    /// An account is used up.
    Quota,
    /// The time for the whole run passed.
    RunTimeout,
    /// A recording could not be written.
    Recording,
}

impl Halt {
    /// Ends the run; whether this was the first reason to.
    pub fn stop(&self, because: Because, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        let first = self.reason.set(Halted { because, reason }).is_ok();
        self.token.cancel();
        first
    }

    pub fn reason(&self) -> Option<&Halted> {
        self.reason.get()
    }

    /// Waits until there is a reason.
    pub async fn stopped(&self) -> &Halted {
        self.token.cancelled().await;
        self.reason().expect("the reason is set before the token")
    }
}

impl fmt::Display for Halted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_and_wakes_who_waits() {
        let halt = Halt::default();
        assert_eq!(halt.reason(), None);
        let waiter = tokio::spawn({
            let halt = halt.clone();
            async move { halt.stopped().await.clone() }
        });
        assert!(halt.stop(Because::Budget, "one"));
        assert!(!halt.stop(Because::Quota, "two"));
        let halted = waiter.await.unwrap();
        assert_eq!(
            (halted.because, halted.to_string()),
            (Because::Budget, "one".into())
        );
    }
}
