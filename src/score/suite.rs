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
}

impl Suite {
    pub const ALL: [Suite; 2] = [Suite::Triage, Suite::Response];

    pub fn name(self) -> &'static str {
        match self {
            Suite::Triage => "triage",
            Suite::Response => "response",
        }
    }
}
