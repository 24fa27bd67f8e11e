//! The lines of a recording.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::Key;
use crate::message::{Message, Role, ToolCall, ToolSpec, ToolStatus};
use crate::model::settings::Settings;
use crate::model::{ErrorKind, ToolChoice};
use crate::run::{Stop, TokenUsage};

pub const FORMAT: &str = "mailproof.recording/1";

/// `recording.json`: what a replay takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    pub format: String,
    /// The day that the prompts name.
    pub date: Date,
    pub seed: u64,
    /// Of this program, when the recording was begun.
    pub version: String,
    pub created: Timestamp,
}

/// A line of `prompts.jsonl`: what many requests share, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    Prompt {
        hash: String,
        system: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tools: Vec<ToolSpec>,
    },
    Output {
        hash: String,
        name: String,
        schema: Value,
    },
}

impl Shared {
    pub fn hash(&self) -> &str {
        match self {
            Shared::Prompt { hash, .. } | Shared::Output { hash, .. } => hash,
        }
    }
}

/// One call and its answer: a line of `VARIANT.ROLE.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The id of the example, scenario, or episode.
    pub case: String,
    pub attempt: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vote: u32,
    /// Its place among all calls of the attempt, from 0.
    pub call: u32,
    /// How many equal requests the attempt made before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ordinal: u32,
    pub key: Key,
    pub model: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: Settings,
    /// Hash of the prompt in `prompts.jsonl`.
    pub prompt: String,
    /// Hash of the output's shape there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    pub tool_choice: ToolChoice,
    pub messages: Vec<Said>,
    pub answer: Answered,
    /// How long the provider took; of a call that was cut short, how long it was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
}

/// A message as a model is told it: without the id, which is ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    pub role: Role,
    pub content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub status: ToolStatus,
}

impl From<&Message> for Said {
    fn from(message: &Message) -> Said {
        // Named one by one, so that a field to come has to be decided on.
        let Message {
            id: _,
            role,
            content,
            tool_calls,
            tool_call_id,
            name,
            status,
        } = message.clone();
        Said {
            role,
            content,
            tool_calls,
            tool_call_id,
            name,
            status,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    Reply(Replied),
    /// The call failed, for the reason that the attempt was told.
    Error {
        kind: ErrorKind,
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replied {
    pub content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    pub usage: TokenUsage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
