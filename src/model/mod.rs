//! Models: whatever answers a [`Request`].
//!
//! One interface for every provider and for the embedded offline model, so that limits,
//! recording, and accounting can wrap any of them. A model sees text and tool
//! specifications only; nothing here knows of datasets or expectations.

pub mod scripted;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::{Message, Prompt, ToolCall};
use crate::run::{ModelRole, TokenUsage};

pub mod catalog;
pub mod chat;
pub mod rules;

/// One question to a model.
#[derive(Clone, Debug)]
pub struct Request {
    pub role: ModelRole,
    /// System text and the tools offered.
    pub prompt: Arc<Prompt>,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    pub tool_choice: ToolChoice,
    /// Set where the reply must be a JSON object of this shape instead of tool calls.
    pub output: Option<Arc<OutputSchema>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolChoice {
    /// No tool may be called.
    None,
    /// The model decides.
    Auto,
    /// Some tool must be called.
    Required,
}

/// The shape of a structured reply.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSchema {
    /// A short identifier that providers ask for.
    pub name: String,
    /// JSON Schema of the object.
    pub schema: Value,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Text; a JSON object where [`Request::output`] asked for one.
    pub content: String,
    pub tool_calls: Vec<ToolCall>,
    pub usage: TokenUsage,
}

/// A call failed for a reason outside the agent: never scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{model}` failed: {reason}")]
pub struct ModelError {
    pub model: String,
    pub reason: String,
}

/// Answers requests. Implementations are shared by all cases in flight.
pub trait Model: Send + Sync {
    /// `provider:name`, or `rules`.
    fn name(&self) -> &str;

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>>;
}
