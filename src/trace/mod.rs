//! An attempt as spans: what was done, within what, and when.
//!
//! The journal keeps how long each step took, not when it began: steps of a run follow each
//! other, so each begins where the one before ended. Time that was waited is in none of them,
//! as in [`crate::model::Clock`]: spans are shorter than the wall clock was. What an attempt took
//! beyond its steps comes after them.

#[cfg(test)]
pub(crate) mod fixture;
mod of;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::experiment::CaseKey;
use crate::message::{Message, ToolCall, ToolSpec, ToolStatus};
use crate::model::settings::Settings;
use crate::run::{Interrupt, ModelRole, Response, Stop, TokenUsage};

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub case: CaseKey,
    /// The attempt itself first, under the agent's name; a span stands after the one that it is within. Their times lie
    /// within that of theirs.
    pub spans: Vec<Span>,
}

/// Something that was done, from a beginning to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Index of the span that it is within; `None` for the attempt.
    pub parent: Option<usize>,
    /// Its place, as in `0.2.1`: empty for the attempt, and for others the parent's and the
    /// number among the parent's, from 0. The same attempt has the same paths whenever it is
    /// looked at.
    pub path: String,
    /// What people read: a node, a tool, a model.
    pub name: String,
    pub started: Timestamp,
    pub ended: Timestamp,
    /// What went wrong in it.
    pub error: Option<String>,
    pub work: Work,
}

impl Span {
    /// That something went wrong, without the words of models and tools.
    pub fn error_class(&self) -> Option<&str> {
        let error = self.error.as_deref()?;
        Some(match self.work {
            Work::Tool { .. } => "failed",
            // What follows the outcome may repeat what was said.
            _ => error.split(':').next().unwrap_or_default(),
        })
    }
}

/// What a span is of.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// The whole attempt.
    Attempt,
    /// One email of an episode.
    Email {
        /// Whether with a memory of its own, to show what the shared one is worth.
        ablation: bool,
    },
    /// What was done in a row at one node of the agent's graph.
    Node,
    Model(Box<ModelCall>),
    Tool {
        call_id: String,
        arguments: Value,
        status: ToolStatus,
        /// What the model was told; `None` where it was told nothing.
        result: Option<String>,
    },
    Interrupt {
        interrupt: Interrupt,
        response: Response,
        answered_by: String,
    },
    /// Something was remembered.
    Memory {
        namespace: String,
        key: String,
        before: Option<String>,
        after: String,
        reason: String,
    },
}

/// A call of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCall {
    pub role: ModelRole,
    /// As it was chosen: `rules`, or `PROVIDER:NAME`.
    pub model: String,
    /// How it is asked; empty for the offline model.
    pub settings: Settings,
    /// Empty where the journal does not have it, as the tools offered are.
    pub system: String,
    pub tools: Vec<ToolSpec>,
    /// The conversation that was sent, after the system text.
    pub messages: Vec<Message>,
    /// What it wrote, and the calls that it proposed.
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    pub stop: Option<Stop>,
    pub usage: TokenUsage,
}

/// Arguments as an object: those of a tool call nearly always are one.
pub fn object(arguments: &Value) -> Map<String, Value> {
    match arguments {
        Value::Object(map) => map.clone(),
        other => Map::from_iter([("arguments".to_owned(), other.clone())]),
    }
}

#[cfg(test)]
mod tests;
