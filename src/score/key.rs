//! The closed list of questions, and the form of their answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Check;

/// How well a run did on one question: finite, from 0 (worst) to 1 (best).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Score(f64);

impl Score {
    pub const WORST: Score = Score(0.0);
    pub const BEST: Score = Score(1.0);

    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<bool> for Score {
    fn from(passed: bool) -> Self {
        if passed { Score::BEST } else { Score::WORST }
    }
}

impl From<Score> for f64 {
    fn from(score: Score) -> f64 {
        score.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a score must be from 0 to 1, not {0}")]
pub struct ScoreOutOfRange(pub f64);

impl TryFrom<f64> for Score {
    type Error = ScoreOutOfRange;

    fn try_from(value: f64) -> Result<Self, ScoreOutOfRange> {
        // `contains` also turns NaN away, which would spoil every mean it joined.
        if !(0.0..=1.0).contains(&value) {
            return Err(ScoreOutOfRange(value));
        }
        Ok(Score(value))
    }
}

/// What is asked of a run. The list is closed; `docs/scoring.md` explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    #[serde(rename = "triage.accuracy")]
    TriageAccuracy,
    #[serde(rename = "tool_calls.reference")]
    ToolCallsReference,
    #[serde(rename = "tool_calls.recall")]
    ToolCallsRecall,
    #[serde(rename = "tool_calls.precision")]
    ToolCallsPrecision,
    #[serde(rename = "tool_calls.exact")]
    ToolCallsExact,
    #[serde(rename = "tool_calls.forbidden")]
    ToolCallsForbidden,
    #[serde(rename = "response.criteria")]
    ResponseCriteria,
    #[serde(rename = "response.all_met")]
    ResponseAllMet,
    #[serde(rename = "hitl.pass")]
    HitlPass,
    #[serde(rename = "hitl.feedback")]
    HitlFeedback,
    #[serde(rename = "memory.pass")]
    MemoryPass,
    #[serde(rename = "memory.update")]
    MemoryUpdate,
    #[serde(rename = "triage.reasonable")]
    TriageReasonable,
}

impl Key {
    /// In the order of the reports.
    pub const ALL: [Key; 13] = [
        Key::TriageAccuracy,
        Key::ToolCallsReference,
        Key::ToolCallsRecall,
        Key::ToolCallsPrecision,
        Key::ToolCallsExact,
        Key::ToolCallsForbidden,
        Key::ResponseCriteria,
        Key::ResponseAllMet,
        Key::HitlPass,
        Key::HitlFeedback,
        Key::MemoryPass,
        Key::MemoryUpdate,
        Key::TriageReasonable,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Key::TriageAccuracy => "triage.accuracy",
            Key::ToolCallsReference => "tool_calls.reference",
            Key::ToolCallsRecall => "tool_calls.recall",
            Key::ToolCallsPrecision => "tool_calls.precision",
            Key::ToolCallsExact => "tool_calls.exact",
            Key::ToolCallsForbidden => "tool_calls.forbidden",
            Key::ResponseCriteria => "response.criteria",
            Key::ResponseAllMet => "response.all_met",
            Key::HitlPass => "hitl.pass",
            Key::HitlFeedback => "hitl.feedback",
            Key::MemoryPass => "memory.pass",
            Key::MemoryUpdate => "memory.update",
            Key::TriageReasonable => "triage.reasonable",
        }
    }

    /// Shown, but without a say in whether an attempt passed. `exact` already holds what the
    /// three about calls look at, under the example's own mode; and what a judge says is kept
    /// apart from what is certain.
    pub fn is_diagnostic(self) -> bool {
        let of_calls = matches!(
            self,
            Key::ToolCallsReference | Key::ToolCallsRecall | Key::ToolCallsPrecision
        );
        of_calls || self.is_judged()
    }

    /// Whether judges answer it.
    pub fn is_judged(self) -> bool {
        matches!(
            self,
            Key::ResponseCriteria
                | Key::ResponseAllMet
                | Key::HitlFeedback
                | Key::MemoryUpdate
                | Key::TriageReasonable
        )
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A score under a key, with what a reader needs to believe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    pub key: Key,
    pub score: Score,
    /// One line: what was expected and what happened. Absent where all was well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The conditions that the score is made of, where it is made of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}
