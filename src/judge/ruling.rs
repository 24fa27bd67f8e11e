//! What judges said, as records keep it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::score::Key;

/// The judges there are. A definition says how one works; the list is closed, because each
/// is asked about another part of an attempt.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JudgeKey {
    /// Whether the reply meets each criterion of its example.
    ResponseCriteria,
    /// Whether what a person said of a draft is visible in what was done in the end.
    FeedbackHonoured,
    /// Whether what had to be learnt is in the new profile, and the rest still is.
    MemoryUpdate,
    /// Whether a reasonable person could have decided so about the email.
    TriageReasonable,
    /// Which of two runs at one email is better.
    Pairwise,
}

impl JudgeKey {
    /// In the order of the reports.
    pub const ALL: [JudgeKey; 5] = [
        JudgeKey::ResponseCriteria,
        JudgeKey::FeedbackHonoured,
        JudgeKey::MemoryUpdate,
        JudgeKey::TriageReasonable,
        JudgeKey::Pairwise,
    ];

    pub fn name(self) -> &'static str {
        match self {
            JudgeKey::ResponseCriteria => "response_criteria",
            JudgeKey::FeedbackHonoured => "feedback_honoured",
            JudgeKey::MemoryUpdate => "memory_update",
            JudgeKey::TriageReasonable => "triage_reasonable",
            JudgeKey::Pairwise => "pairwise",
        }
    }

    /// The key that its gate looks at; `None` where no single attempt has a score.
    pub fn main_key(self) -> Option<Key> {
        match self {
            JudgeKey::ResponseCriteria => Some(Key::ResponseCriteria),
            JudgeKey::FeedbackHonoured => Some(Key::HitlFeedback),
            JudgeKey::MemoryUpdate => Some(Key::MemoryUpdate),
            JudgeKey::TriageReasonable => Some(Key::TriageReasonable),
            JudgeKey::Pairwise => None,
        }
    }
}

impl fmt::Display for JudgeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no judge; those are {list}", list = JudgeKey::ALL.map(JudgeKey::name).join(", "))]
pub struct UnknownJudge(String);

impl FromStr for JudgeKey {
    type Err = UnknownJudge;

    fn from_str(name: &str) -> Result<JudgeKey, UnknownJudge> {
        let known = JudgeKey::ALL.into_iter().find(|key| key.name() == name);
        known.ok_or_else(|| UnknownJudge(name.chars().take(60).collect()))
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Fail,
    /// What was shown does not decide it. Counts as not met, in use as in calibration.
    CannotTell,
}

impl Verdict {
    pub const ALL: [Verdict; 3] = [Verdict::Pass, Verdict::Fail, Verdict::CannotTell];

    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::CannotTell => "cannot_tell",
        }
    }
}

/// What one judge found about one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    pub judge: JudgeKey,
    /// One for each statement, in order.
    pub rulings: Vec<Ruling>,
}

/// What came of one statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What was to be decided: a criterion of the example, an instruction, a rule.
    pub statement: String,
    /// What it weighs among the statements of its attempt.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: f64,
    /// Where it is not met, nothing else counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// `None` where nobody could decide it: then it enters no figure, and counts against
    /// coverage.
    pub verdict: Option<Verdict>,
    /// Why: the reasoning of the first vote for the verdict; in code's words where code
    /// decided; the cause where nobody did.
    pub reason: String,
    /// Passages of what was shown, each found there; those of the same vote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotes: Vec<String>,
    /// Every vote, in the order of the panel; empty where code decided, because there was
    /// nothing to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// What one model said on one of its tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    pub model: String,
    /// Which of the model's votes, from 0.
    pub vote: u32,
    /// `None` where it gave no answer that can be used.
    pub verdict: Option<Verdict>,
    /// The reasoning, or why there is no verdict.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotes: Vec<String>,
}

impl Ruling {
    /// Whether it was decided without asking anybody.
    pub fn is_by_code(&self) -> bool {
        self.votes.is_empty() && self.verdict.is_some()
    }

    /// Whether the votes that can be used differ.
    pub fn is_split(&self) -> bool {
        let mut verdicts = self.votes.iter().filter_map(|vote| vote.verdict);
        let first = verdicts.next();
        verdicts.any(|verdict| Some(verdict) != first)
    }
}

fn one() -> f64 {
    1.0
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}
