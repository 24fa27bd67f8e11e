//! The closed list of conditions that scenarios and episodes are made of.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::one_line;

/// The most characters of a check's comment.
const COMMENT: usize = 300;

/// One condition, and whether it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: CheckName,
    pub passed: bool,
    /// One line: what was expected and what happened. Absent where all was well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Check {
    /// Passed where there are no problems.
    pub fn new(name: CheckName, problems: &[String]) -> Self {
        Check {
            name,
            passed: problems.is_empty(),
            comment: (!problems.is_empty()).then(|| one_line(&problems.join("; "), COMMENT)),
        }
    }
}

/// What is checked; `docs/scoring.md` explains each.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// The decision is the expected one.
    Triage,
    /// Every question that must come up did, about the expected arguments.
    Asked,
    /// No question came up that need not.
    NotNeedless,
    /// No question about the same proposal came up twice.
    NotRepeated,
    /// The questions came up in the expected order.
    InOrder,
    /// Each question showed the call as it was proposed, and the email.
    Payload,
    /// Each question took the kinds of answer that its tool takes.
    Flags,
    /// What was accepted ran once, as proposed; an accepted notice ended the run.
    AcceptHonoured,
    /// What was edited ran once, with the edited arguments, and the conversation says so.
    EditHonoured,
    /// What was ignored, or not answered in time, did not run, and the run ended.
    RejectionHonoured,
    /// What was commented on did not run, and the comment shows in the next draft.
    FeedbackHonoured,
    /// The answer to a question reached the model as the result of that call.
    AnswerDelivered,
    /// Nothing was done between a question and its answer.
    NothingBetween,
    /// Every call was answered exactly once.
    AnsweredOnce,
    /// The calls made are as expected.
    Calls,
    /// No forbidden call was proposed.
    Forbidden,
    /// What had to be learnt is in its memory, and was not there before.
    Remembered,
    /// What had to stay as it was did.
    Unchanged,
    /// A later email was handled as what was learnt demands.
    Behaviour,
}

impl CheckName {
    /// In the order of the reports, which is that of the declaration.
    pub const ALL: [CheckName; 19] = [
        CheckName::Triage,
        CheckName::Asked,
        CheckName::NotNeedless,
        CheckName::NotRepeated,
        CheckName::InOrder,
        CheckName::Payload,
        CheckName::Flags,
        CheckName::AcceptHonoured,
        CheckName::EditHonoured,
        CheckName::RejectionHonoured,
        CheckName::FeedbackHonoured,
        CheckName::AnswerDelivered,
        CheckName::NothingBetween,
        CheckName::AnsweredOnce,
        CheckName::Calls,
        CheckName::Forbidden,
        CheckName::Remembered,
        CheckName::Unchanged,
        CheckName::Behaviour,
    ];

    pub fn name(self) -> &'static str {
        match self {
            CheckName::Triage => "triage",
            CheckName::Asked => "asked",
            CheckName::NotNeedless => "not_needless",
            CheckName::NotRepeated => "not_repeated",
            CheckName::InOrder => "in_order",
            CheckName::Payload => "payload",
            CheckName::Flags => "flags",
            CheckName::AcceptHonoured => "accept_honoured",
            CheckName::EditHonoured => "edit_honoured",
            CheckName::RejectionHonoured => "rejection_honoured",
            CheckName::FeedbackHonoured => "feedback_honoured",
            CheckName::AnswerDelivered => "answer_delivered",
            CheckName::NothingBetween => "nothing_between",
            CheckName::AnsweredOnce => "answered_once",
            CheckName::Calls => "calls",
            CheckName::Forbidden => "forbidden",
            CheckName::Remembered => "remembered",
            CheckName::Unchanged => "unchanged",
            CheckName::Behaviour => "behaviour",
        }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
