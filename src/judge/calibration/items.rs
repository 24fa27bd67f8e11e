//! What judges are measured on: work of an agent, a statement about it, and the label of
//! somebody who looked.
//!
//! Items are lines of JSONL; `judges/calibration/README.md` specifies the form. An
//! [`Item`] is one that was read and is whole: its email stands in it, wherever that came
//! from. A judge is asked about it as about an attempt ([`Item::question`]).

mod question;
mod read;
mod work;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::super::{JudgeKey, Verdict};
use crate::agent::memory::Namespace;
use crate::dataset::Dataset;
use crate::email::Email;

pub use question::OtherJudge;
pub use read::{ItemError, ItemErrors, Problem, Reading, read};
pub use work::{can_hold, works};

/// The items that come with the program, in the order of their judges.
const EMBEDDED: [(&str, &str); 3] = [
    (
        "judges/calibration/response_criteria.jsonl",
        include_str!("../../../judges/calibration/response_criteria.jsonl"),
    ),
    (
        "judges/calibration/feedback_honoured.jsonl",
        include_str!("../../../judges/calibration/feedback_honoured.jsonl"),
    ),
    (
        "judges/calibration/memory_update.jsonl",
        include_str!("../../../judges/calibration/memory_update.jsonl"),
    ),
];

/// The items for `judge` that come with the program; `dataset` is the embedded one. None
/// for a judge that nobody wrote items for.
pub fn embedded(judge: JudgeKey, dataset: &Dataset) -> Vec<Item> {
    let mut reading = Reading::new(&dataset.examples);
    for (path, text) in EMBEDDED {
        reading.text(path, text.as_bytes());
    }
    let mut items = reading.finish().expect("a test reads the embedded items");
    items.retain(|item| item.judge() == judge);
    items
}

/// One statement about one piece of work, and what one person decided about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(into = "Record")]
pub struct Item {
    /// The same wherever several people labelled the same.
    pub id: String,
    /// What it is an example of; `None` where it is what an agent did, and nobody made it
    /// up.
    pub kind: Option<Kind>,
    /// [`Verdict::CannotTell`] counts as not met, as it does where judges say so.
    pub label: Verdict,
    /// Why.
    pub reason: String,
    pub labelled_by: String,
    pub email: Email,
    /// Items of one cluster are no independent evidence.
    pub cluster: String,
    pub work: Work,
}

/// What an item is labelled about.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Whether a reply meets a criterion.
    Reply { criterion: String, done: Done },
    /// Whether what was done in the end follows what a person said of a draft.
    Feedback {
        /// The call they were shown; `None` where it was a notice.
        draft: Option<Draft>,
        instruction: String,
        /// What was done from there on.
        done: Done,
    },
    /// Whether a profile learnt what it had to, and kept the rest.
    Memory {
        /// That of a profile.
        namespace: Namespace,
        /// What the person said or did.
        instruction: String,
        before: String,
        after: String,
    },
}

/// What an agent did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// In order.
    pub calls: Vec<Call>,
    /// What it said last: a claim, which the calls may belie.
    pub closing: Option<String>,
}

/// A call, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub name: String,
    /// Those it ran with.
    pub arguments: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Fate::is_done")]
    pub result: Fate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It ran.
    #[default]
    Done,
    Failed,
    /// The person turned it down.
    Denied,
    /// The person answered in its place, as to a question.
    Answered,
    NotRun,
}

impl Fate {
    fn is_done(&self) -> bool {
        *self == Fate::Done
    }
}

/// A call as a person was shown it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub name: String,
    pub arguments: Map<String, Value>,
}

/// What an item is an example of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    ClearPass,
    ClearFail,
    /// Close to the line, on either side.
    NearMiss,
    /// No mail, or one that says nothing.
    Empty,
    /// Words in the place of an answer.
    Evasive,
    /// What is said was not done, or the other way round.
    WrongAction,
    /// It orders the judge about.
    Order,
}

/// An item as a line of a file holds it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "mailproof calibration item")]
pub(super) struct Record {
    /// Names the work and the statement. Lines of different people may have the same, and
    /// are then about the same.
    pub id: String,
    pub judge: JudgeKey,
    /// The id of an example, whose email it is; in the place of `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The email itself; in the place of `example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Inline>,
    /// Items of one cluster are no independent evidence. That of the example, or the email
    /// alone, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub label: Verdict,
    /// Why; may be empty.
    pub reason: String,
    pub labelled_by: String,
    /// The statement of `response_criteria`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criterion: Option<String>,
    /// The call that the person of `feedback_honoured` was shown; left out for a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Draft>,
    /// The profile of `memory_update`: `triage_preferences`, `response_preferences`, or
    /// `cal_preferences`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub namespace: Option<Namespace>,
    /// What the person said or did: of `feedback_honoured` and `memory_update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// The profile of `memory_update`, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What the agent did, in order; of `feedback_honoured`, after it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Vec<Call>>,
    /// What the agent said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<String>,
}

/// An email within a line.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Inline {
    pub from: String,
    pub to: String,
    pub subject: String,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub date: Option<jiff::civil::Date>,
}

impl Item {
    /// The judge that it is for.
    pub fn judge(&self) -> JudgeKey {
        match self.work {
            Work::Reply { .. } => JudgeKey::ResponseCriteria,
            Work::Feedback { .. } => JudgeKey::FeedbackHonoured,
            Work::Memory { .. } => JudgeKey::MemoryUpdate,
        }
    }

    /// Of what it is about, whoever labelled it: 12 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let bare = Item {
            id: String::new(),
            kind: None,
            label: Verdict::CannotTell,
            reason: String::new(),
            labelled_by: String::new(),
            ..self.clone()
        };
        let json = serde_json::to_vec(&bare).expect("an item has string keys only");
        let digest = Sha256::digest(json);
        digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether another item is about the same work and statement.
    fn is_about(&self, other: &Item) -> bool {
        (&self.email, &self.cluster, &self.work) == (&other.email, &other.cluster, &other.work)
    }
}

/// Whole: with its email, whatever it was read from.
impl From<Item> for Record {
    fn from(item: Item) -> Record {
        let judge = item.judge();
        let email = item.email;
        let mut record = Record {
            id: item.id,
            judge,
            example: None,
            email: Some(Inline {
                from: email.from,
                to: email.to,
                subject: email.subject,
                body: email.body,
                date: email.date,
            }),
            cluster: Some(item.cluster),
            kind: item.kind,
            label: item.label,
            reason: item.reason,
            labelled_by: item.labelled_by,
            criterion: None,
            draft: None,
            namespace: None,
            instruction: None,
            before: None,
            after: None,
            calls: None,
            closing: None,
        };
        let done = match item.work {
            Work::Reply { criterion, done } => {
                record.criterion = Some(criterion);
                Some(done)
            }
            Work::Feedback {
                draft,
                instruction,
                done,
            } => {
                record.draft = draft;
                record.instruction = Some(instruction);
                Some(done)
            }
            Work::Memory {
                namespace,
                instruction,
                before,
                after,
            } => {
                record.namespace = Some(namespace);
                record.instruction = Some(instruction);
                record.before = Some(before);
                record.after = Some(after);
                None
            }
        };
        if let Some(done) = done {
            record.calls = Some(done.calls);
            record.closing = done.closing;
        }
        record
    }
}

#[cfg(test)]
mod tests;
