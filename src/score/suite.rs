//! Which questions are asked together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A set of scorers and a stopping rule.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// The decision. Alone, it stops a run at the decision.
    Triage,
    /// What is done about the emails that want an answer.
    Response,
    /// Scenarios: what agents ask a person, and what they make of the answers.
    Hitl,
    /// Episodes: what agents learn from the answers.
    Memory,
}

impl Suite {
    pub const ALL: [Suite; 4] = [Suite::Triage, Suite::Response, Suite::Hitl, Suite::Memory];

    pub fn name(self) -> &'static str {
        match self {
            Suite::Triage => "triage",
            Suite::Response => "response",
            Suite::Hitl => "hitl",
            Suite::Memory => "memory",
        }
    }
}
