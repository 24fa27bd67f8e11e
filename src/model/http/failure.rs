//! What kind of failure it is when there is no reply.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;

use super::headers;
use crate::model::ErrorKind;

/// Why there is no reply. A provider's words are whole: bounded and redacted by those who
/// show them.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: ErrorKind,
    pub reason: String,
    /// As the body of the answer says; headers come first.
    pub retry_after: Option<Duration>,
}

impl Fault {
    pub fn new(kind: ErrorKind, reason: impl Into<String>) -> Fault {
        Fault {
            kind,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// An answer that is not what was asked for.
    pub fn unreadable(why: impl std::fmt::Display) -> Fault {
        Fault::new(
            ErrorKind::Unreadable,
            format!("the answer is no reply: {why}"),
        )
    }

    /// An answer that holds an error, or has the status of one.
    pub fn reported(status: u16, body: &Value) -> Fault {
        let message = message(body);
        // An error under a good status may say the one that it should have had.
        let told = body.pointer("/error/code").and_then(Value::as_u64);
        let told = told.and_then(|code| u16::try_from(code).ok());
        let good = (200..300).contains(&status);
        let kind = by_words(&words(body), &message).or_else(|| match (good, told) {
            (false, _) => Some(by_status(status)),
            (true, Some(told)) if told >= 400 => Some(by_status(told)),
            (true, _) => by_type(&words(body)),
        });
        let kind = kind.unwrap_or(ErrorKind::Unreadable);
        let reason = match (good, kind) {
            (true, _) => format!("the provider reports: {message}"),
            (false, ErrorKind::BadKey) => format!("access denied (HTTP {status}): {message}"),
            (false, _) => format!("HTTP {status}: {message}"),
        };
        Fault {
            kind,
            reason,
            retry_after: retry_delay(body),
        }
    }
}

/// An answer whose status is no success.
pub fn refused(status: u16, body: &[u8]) -> Fault {
    if (300..400).contains(&status) {
        let reason =
            format!("the base URL leads elsewhere (HTTP {status}), and redirects are not followed");
        return Fault::new(ErrorKind::UnknownModel, reason);
    }
    let body = serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    Fault::reported(status, &body)
}

fn by_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::BadKey,
        402 => ErrorKind::Quota,
        404 | 405 | 410 => ErrorKind::UnknownModel,
        408 => ErrorKind::RequestTimeout,
        429 => ErrorKind::RateLimited,
        // 498 is Groq's, 529 Anthropic's.
        498 | 503 | 529 => ErrorKind::Overloaded,
        // Two requests met, which OpenAI's own clients try again.
        409 | 500.. => ErrorKind::Server,
        _ => ErrorKind::BadRequest,
    }
}

/// Words that say more than the status they come with.
fn by_words(words: &[&str], message: &str) -> Option<ErrorKind> {
    const QUOTA: [&str; 6] = [
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "insufficient_balance",
        "access_terminated",
    ];
    let says = |word: &str| words.contains(&word);
    if QUOTA.iter().any(|word| says(word)) {
        return Some(ErrorKind::Quota);
    }
    // Anthropic says so under 400 `invalid_request_error`, in words alone.
    if message.contains("credit balance is too low") {
        return Some(ErrorKind::Quota);
    }
    // Google's limits of a day come as 429 with a delay of seconds.
    if words.iter().any(|word| word.contains("PerDay")) {
        return Some(ErrorKind::Quota);
    }
    if says("model_not_found") {
        return Some(ErrorKind::UnknownModel);
    }
    // Google's 400 for a wrong key.
    if says("API_KEY_INVALID") || says("invalid_api_key") {
        return Some(ErrorKind::BadKey);
    }
    if says("overloaded_error") {
        return Some(ErrorKind::Overloaded);
    }
    None
}

/// Words that only tell where there is no status. `invalid_request_error` is not for those
/// that come with one: OpenAI gives it to wrong keys and unknown models too.
fn by_type(words: &[&str]) -> Option<ErrorKind> {
    words.iter().find_map(|word| {
        Some(match *word {
            "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => {
                ErrorKind::RateLimited
            }
            "UNAVAILABLE" => ErrorKind::Overloaded,
            "api_error" | "server_error" | "internal_error" | "INTERNAL" => ErrorKind::Server,
            "timeout_error" | "DEADLINE_EXCEEDED" => ErrorKind::RequestTimeout,
            "authentication_error"
            | "permission_error"
            | "UNAUTHENTICATED"
            | "PERMISSION_DENIED" => ErrorKind::BadKey,
            "not_found_error" | "NOT_FOUND" => ErrorKind::UnknownModel,
            "invalid_request_error" | "exceed_context_size_error" | "INVALID_ARGUMENT" => {
                ErrorKind::BadRequest
            }
            _ => return None,
        })
    })
}

/// What the error calls itself: its code, type, and status, and the reasons and limits in
/// Google's details.
fn words(body: &Value) -> Vec<&str> {
    let error = error(body);
    let mut words: Vec<&str> = ["code", "type", "status"]
        .iter()
        .filter_map(|key| error[*key].as_str())
        .collect();
    for detail in error["details"].as_array().into_iter().flatten() {
        words.extend(detail["reason"].as_str());
        let violations = detail["violations"].as_array();
        words.extend(
            violations
                .into_iter()
                .flatten()
                .filter_map(|violation| violation["quotaId"].as_str()),
        );
    }
    words
}

/// The object that tells of the error: below `error`, or the whole body, as vLLM and Mistral
/// write it. Google may wrap it into a list.
fn error(body: &Value) -> &Value {
    let body = if body.is_array() { &body[0] } else { body };
    match &body["error"] {
        Value::Object(_) => &body["error"],
        _ => body,
    }
}

/// What a provider says is wrong, in the shapes that are known, or the body as it is.
fn message(body: &Value) -> String {
    let error = error(body);
    let told = ["message", "error", "detail"]
        .iter()
        .find_map(|key| error[*key].as_str());
    let told = match (told, body) {
        (Some(told), _) => told.to_owned(),
        (None, Value::String(text)) => text.clone(),
        (None, Value::Null) => String::new(),
        (None, body) => body.to_string(),
    };
    let mut told = match told.trim() {
        "" => "without a message".to_owned(),
        told => told.to_owned(),
    };
    // llama.cpp: how long the prompt is, and how long it may be.
    if let (Some(prompt), Some(context)) =
        (error["n_prompt_tokens"].as_u64(), error["n_ctx"].as_u64())
    {
        told.push_str(&format!(" ({prompt} tokens in a context of {context})"));
    }
    // OpenRouter: what the provider behind it said.
    if let Some(raw) = error["metadata"]["raw"].as_str() {
        told.push_str(&format!(": {raw}"));
    }
    if error["param"] == "temperature" {
        told.push_str("; `temperature: none` sends none");
    }
    told
}

/// Source: Google APIs, `google.rpc.RetryInfo`.
fn retry_delay(body: &Value) -> Option<Duration> {
    let details = error(body)["details"].as_array()?;
    let delay = details
        .iter()
        .find_map(|detail| detail["retryDelay"].as_str())?;
    headers::span(delay)
}

/// An error and what it came from, one after the other.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
