//! What an account was asked, counted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ErrorKind;
use crate::run::Cost;

/// What went between this process and one account of a provider, of all roles and variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Requests sent, those that failed and those given up among them.
    pub requests: u64,
    /// Requests that were answered.
    pub replies: u64,
    /// Requests that were sent once more after a failure; no more than there are failures.
    pub retries: u64,
    /// Requests that failed, by what went wrong.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<ErrorKind, u64>,
    /// Most requests in flight at one moment.
    pub most_in_flight: u64,
    /// Fewest requests that were allowed in flight at one moment: fewer than at the start
    /// where the provider had too much to do, or was probed after failures.
    pub fewest_allowed: u64,
    /// How long calls waited for their turn or to be tried again, in milliseconds, added up
    /// over calls that waited side by side.
    pub waited_ms: u64,
    /// Of the replies, in US dollars; `null` where the price of any is not known.
    #[serde(default, rename = "cost_usd")]
    pub cost: Option<Cost>,
}

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic {
            requests: 0,
            replies: 0,
            retries: 0,
            failures: BTreeMap::new(),
            most_in_flight: 0,
            fewest_allowed: 0,
            waited_ms: 0,
            // Nothing costs nothing.
            cost: Some(Cost::ZERO),
        }
    }
}

impl Traffic {
    /// Puts together what went by one after the other.
    pub fn add(&mut self, later: &Traffic) {
        // Before the first request nothing was allowed, and nothing is to be kept of that.
        self.fewest_allowed = match self.requests {
            0 => later.fewest_allowed,
            _ => self.fewest_allowed.min(later.fewest_allowed),
        };
        self.requests += later.requests;
        self.replies += later.replies;
        self.retries += later.retries;
        for (kind, count) in &later.failures {
            *self.failures.entry(*kind).or_default() += count;
        }
        self.most_in_flight = self.most_in_flight.max(later.most_in_flight);
        self.waited_ms = self.waited_ms.saturating_add(later.waited_ms);
        self.cost = self
            .cost
            .zip(later.cost)
            .map(|(one, other)| one.plus(other));
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}
