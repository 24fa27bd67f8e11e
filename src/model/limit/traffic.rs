//! What an account was asked, counted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ErrorKind;

/// What went between this process and one account of a provider, of all roles and variants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
}

impl Traffic {
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}
