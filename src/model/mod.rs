//! Models: whatever answers a [`Request`].
//!
//! One interface for every provider and for the embedded offline model, so that limits,
//! recording, and accounting can wrap any of them. A model sees text and tool
//! specifications only; nothing here knows of datasets or expectations.

pub mod scripted;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::{Message, Prompt, ToolCall};
use crate::run::{ModelRole, Stop, TokenUsage};

pub mod budget;
pub mod catalog;
pub mod halt;
pub mod http;
pub mod limit;
mod origin;
pub mod price;
pub mod record;
pub mod rules;
pub mod settings;

pub use origin::{Clock, Mark, Origin, Waiting};

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
    /// Which attempt asks.
    pub origin: Origin,
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
    /// Why it ended, where the model was not done.
    pub stop: Option<Stop>,
    /// How long the provider took; of a replayed reply, when it was recorded. `None` where
    /// nobody measured it.
    pub latency: Option<Duration>,
}

/// A call failed for a reason outside the agent: never scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{model}` failed: {reason}")]
pub struct ModelError {
    pub model: String,
    pub kind: ErrorKind,
    pub reason: String,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// What kind of failure it was: what is done about it depends on nothing else.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Too many requests, or tokens, in a while (HTTP 429).
    RateLimited,
    /// The provider has too much to do (HTTP 503, 529).
    Overloaded,
    /// The provider broke (other HTTP 5xx).
    Server,
    /// No connection, or one that broke off.
    Network,
    /// No whole answer in the time that a request may take.
    RequestTimeout,
    /// An answer under a good status that is none: not JSON, cut off, or an error.
    Unreadable,
    /// The request is at fault (HTTP 400, 413, 422), or what it is answered with is too long
    /// to be read: asking again would not help.
    BadRequest,
    /// The key is missing, wrong, or not allowed to (HTTP 401, 403).
    BadKey,
    /// The provider has no such model, or nothing at this address (HTTP 404, redirects).
    UnknownModel,
    /// The account is used up (HTTP 402, or a 429 that says so).
    Quota,
    /// The attempt's time passed here when this was recorded.
    CutShort,
    /// It could have cost more than was left to spend, and was not made.
    Budget,
    /// The run ends ([`halt::Halt`]); this call was not made, or not answered.
    Halted,
}

impl ModelError {
    pub fn new(model: &str, kind: ErrorKind, reason: impl Into<String>) -> ModelError {
        ModelError {
            model: model.to_owned(),
            kind,
            reason: reason.into(),
            retry_after: None,
        }
    }
}

impl ErrorKind {
    /// Whether the same request may be answered a little later.
    pub fn is_transient(self) -> bool {
        match self {
            ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::Server
            | ErrorKind::Network
            | ErrorKind::RequestTimeout
            | ErrorKind::Unreadable => true,
            ErrorKind::BadRequest
            | ErrorKind::BadKey
            | ErrorKind::UnknownModel
            | ErrorKind::Quota
            | ErrorKind::CutShort
            | ErrorKind::Budget
            | ErrorKind::Halted => false,
        }
    }

    /// Whether no other request of the account will be answered either.
    pub fn is_of_the_account(self) -> bool {
        matches!(
            self,
            ErrorKind::BadKey | ErrorKind::UnknownModel | ErrorKind::Quota
        )
    }
}

/// Answers requests. Implementations are shared by all cases in flight.
pub trait Model: Send + Sync {
    /// `provider:name`, or `rules`.
    fn name(&self) -> &str;

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>>;
}

/// Sends requests to one model of one account, once each: no retry, no limit, no price.
/// What stands between a [`Model`] that is asked and the wire.
pub trait Provider: Send + Sync {
    /// `provider:name`.
    fn name(&self) -> &str;

    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Answer>;
}

/// What came back from one try, or why nothing did.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// With the latency of this try.
    pub result: Result<Reply, ModelError>,
    /// What the provider says is left of its limits, where it says so.
    pub allowance: Allowance,
}

/// What an account may still do, as its provider's headers tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    pub requests: Option<Left>,
    pub tokens: Option<Left>,
}

/// So much until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub remaining: u64,
    /// When it is whole again, from now on.
    pub reset: Duration,
}
