//! Canaries: answers whose worth is plain, shown to a judge to see whether it still works.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{JudgeKey, Verdict};

/// What became of the canaries: answers whose worth is plain, shown to a judge to see
/// whether it still works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canaries {
    pub judge: JudgeKey,
    /// The panel.
    pub models: Vec<String>,
    pub canaries: Vec<Canary>,
}

/// One canary, and what the judge said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    pub id: String,
    /// Whether it orders the judge about.
    pub orders: bool,
    pub expected: Verdict,
    /// `null` where the judge gave no verdict.
    pub found: Option<Verdict>,
}
