//! What an episode showed about learning, apart from whether it passed.

use serde::{Deserialize, Serialize};

use super::Score;

/// What an episode's steps came to, with the agent's memory and without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// Whether memory should make no difference here.
    pub control: bool,
    /// In the order of the episode.
    pub steps: Vec<StepLearning>,
}

/// Shares of what a step asks of the agent's behaviour that held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLearning {
    /// With what the steps before it taught; `None` where the step asks nothing.
    pub with: Option<Score>,
    /// On a memory that knows nothing of them.
    pub without: Option<Score>,
}

/// One entry of a memory that a case changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChange {
    pub namespace: String,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
