//! A model that answers from a list, for tests.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{ErrorKind, Model, ModelError, Reply, Request};
use crate::email::Triage;
use crate::message::ToolCall;

/// Gives its answers in order, whatever it is asked, and keeps what it was asked.
///
/// Asked more often than it has answers, it fails: a test then sees the call it did not
/// expect. One list serves one case; cases that run at once would share it at random.
#[derive(Debug, Default)]
pub struct Scripted {
    inner: Mutex<Inner>,
    delay: Duration,
}

#[derive(Debug, Default)]
struct Inner {
    answers: VecDeque<Result<Reply, ModelError>>,
    requests: Vec<Request>,
}

impl Scripted {
    pub fn new(answers: impl IntoIterator<Item = Reply>) -> Self {
        Scripted::with_failures(answers.into_iter().map(Ok))
    }

    /// Like [`new`](Self::new), where answers may be failures of the provider.
    pub fn with_failures(answers: impl IntoIterator<Item = Result<Reply, ModelError>>) -> Self {
        let inner = Inner {
            answers: answers.into_iter().collect(),
            requests: Vec::new(),
        };
        Scripted {
            inner: Mutex::new(inner),
            delay: Duration::ZERO,
        }
    }

    /// Waits so long before each answer.
    pub fn slow(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.inner().requests.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A list is changed by one push or pop, so a panicked holder cannot have torn it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        Box::pin(async move {
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            let mut inner = self.inner();
            inner.requests.push(request.clone());
            inner.answers.pop_front().unwrap_or_else(|| {
                let reason = "the script has no further answer";
                Err(ModelError::new(self.name(), ErrorKind::BadRequest, reason))
            })
        })
    }
}

/// A reply of text alone.
pub fn text(content: impl Into<String>) -> Reply {
    Reply {
        content: content.into(),
        ..Reply::default()
    }
}

/// A reply that calls one tool; the caller gives it an id.
pub fn call(name: &str, arguments: Value) -> Reply {
    calls([(name, arguments)])
}

/// A reply that calls several tools, without ids, which some providers do not give.
pub fn calls<'a>(calls: impl IntoIterator<Item = (&'a str, Value)>) -> Reply {
    let tool_calls = calls
        .into_iter()
        .map(|(name, arguments)| ToolCall {
            id: String::new(),
            name: name.to_owned(),
            arguments,
        })
        .collect();
    Reply {
        tool_calls,
        ..Reply::default()
    }
}

/// A router's reply.
pub fn decision(triage: Triage, reasoning: &str) -> Reply {
    text(serde_json::json!({ "reasoning": reasoning, "classification": triage }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Prompt;
    use crate::model::{Origin, ToolChoice};
    use crate::run::ModelRole;

    #[tokio::test]
    async fn answers_come_in_order_and_then_fail() {
        let failure = ModelError::new("scripted", ErrorKind::Overloaded, "overloaded");
        let model = Scripted::with_failures([Ok(text("one")), Err(failure.clone())]);
        let request = Request {
            role: ModelRole::Agent,
            prompt: Prompt::new(String::new(), Vec::new()),
            messages: Vec::new(),
            tool_choice: ToolChoice::Auto,
            output: None,
            origin: Origin::default(),
        };
        assert_eq!(model.ask(&request).await, Ok(text("one")));
        assert_eq!(model.ask(&request).await, Err(failure));
        let end = model.ask(&request).await.unwrap_err();
        assert_eq!(
            end.to_string(),
            "model `scripted` failed: the script has no further answer"
        );
        assert_eq!(model.requests().len(), 3);
    }
}
