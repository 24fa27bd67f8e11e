//! Why LangSmith has not done what it was asked.

use std::time::Duration;

use serde_json::Value;

use crate::model::http::one_line;
use crate::redact::Redactor;

/// Why there is no answer to use. Reasons are one bounded line without secrets, in the words of
/// whoever answered: escaped where they are shown.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    #[error(
        "no key for LangSmith: set `LANGSMITH_API_KEY` (the settings of LangSmith make one), or name a file that has it with --env-file"
    )]
    NoKey,
    #[error("`--offline` refuses LangSmith at {endpoint}")]
    Offline { endpoint: String },
    /// The key is wrong, is not for this, or lacks a workspace.
    #[error("LangSmith denies access (HTTP {status}: {reason}); {advice}")]
    Denied {
        status: u16,
        reason: String,
        advice: &'static str,
    },
    #[error("LangSmith cannot be reached: {reason}")]
    Unreachable { reason: String },
    /// Its limits are reached, by this or by others who share the key.
    #[error("LangSmith takes no more requests for now: {reason}{}", waiting(*retry_after))]
    RateLimited {
        retry_after: Option<Duration>,
        reason: String,
    },
    #[error("LangSmith did not {doing} (HTTP {status}): {reason}")]
    Refused {
        doing: &'static str,
        status: u16,
        reason: String,
    },
    #[error("LangSmith was asked to {doing}, and its answer cannot be read: {reason}")]
    Unreadable { doing: &'static str, reason: String },
    #[error(
        "LangSmith was asked to {doing}, and its answer cannot be read: it is longer than {} MiB",
        super::MOST_BYTES >> 20
    )]
    TooLong { doing: &'static str },
}

impl Error {
    /// Whether the one who asked has to change something before it can work: what they do not,
    /// time may.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Error::NoKey | Error::Offline { .. } | Error::Denied { .. }
        )
    }

    pub(super) fn denied(status: u16, reason: String) -> Error {
        let advice = if reason.contains("requires_workspace") {
            "the key is an organisation's: say which workspace with `LANGSMITH_WORKSPACE_ID`"
        } else if status == 401 {
            "is `LANGSMITH_API_KEY` a key that is still valid, and for this `LANGSMITH_ENDPOINT`?"
        } else {
            "may `LANGSMITH_API_KEY` do this, is it for this `LANGSMITH_ENDPOINT`, and is `LANGSMITH_WORKSPACE_ID` right?"
        };
        Error::Denied {
            status,
            reason,
            advice,
        }
    }
}

fn waiting(retry_after: Option<Duration>) -> String {
    match retry_after {
        None => String::new(),
        Some(wait) => format!("; it may again in {} s", wait.as_secs().max(1)),
    }
}

/// What an answer says is wrong, in the shapes that the service has had.
pub(super) fn reason(body: &[u8], redactor: &Redactor) -> String {
    let text = String::from_utf8_lossy(body);
    let told = match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => ["error", "detail", "message", "title"]
            .iter()
            .find_map(|key| told(body.get(*key)?)),
        _ => None,
    };
    let told = told.unwrap_or_else(|| text.into_owned());
    // Redacted first: a key that was cut in two would not be known.
    match one_line(&redactor.text(&told)).as_str() {
        "" => "without a reason".to_owned(),
        reason => reason.to_owned(),
    }
}

fn told(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // Of what the older endpoints check: what, and where.
        Value::Array(errors) => {
            let errors = errors.iter().filter_map(|error| {
                let message = error["msg"].as_str()?;
                let at = error["loc"].as_array().into_iter().flatten();
                let at: Vec<String> = at
                    .map(|part| part.as_str().map_or(part.to_string(), str::to_owned))
                    .collect();
                Some(format!("{}: {message}", at.join(".")))
            });
            let errors: Vec<String> = errors.collect();
            (!errors.is_empty()).then(|| errors.join("; "))
        }
        _ => None,
    }
}
