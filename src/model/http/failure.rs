//! What kind of failure it is when there is no reply.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;

use super::headers;
use crate::model::{ErrorKind, Reply};
use crate::run::Stop;

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
///
/// # Errors
/// Nearly always: some providers report as an error what their model did.
pub fn refused(status: u16, body: &[u8]) -> Result<Reply, Fault> {
    if (300..400).contains(&status) {
        let reason =
            format!("the base URL leads elsewhere (HTTP {status}), and redirects are not followed");
        return Err(Fault::new(ErrorKind::UnknownModel, reason));
    }
    let body = serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    written_by_the_model(&body).ok_or_else(|| Fault::reported(status, &body))
}

/// What a model wrote or would not write, where its provider calls that an error. Taken for
/// a failure of the provider, a model's mistakes would never be counted.
///
/// Sources: Azure OpenAI, "Content filtering" (`content_filter`); Groq, "Tool use" and
/// "Structured outputs" (`failed_generation`); Anthropic's message about its filter.
fn written_by_the_model(body: &Value) -> Option<Reply> {
    let error = error(body);
    if let Some(written) = error["failed_generation"].as_str() {
        let content = written.to_owned();
        return Some(Reply {
            content,
            ..Reply::default()
        });
    }
    let filtered = error["code"] == "content_filter"
        || message(body).contains("blocked by content filtering policy");
    filtered.then(|| Reply {
        stop: Some(Stop::Filtered),
        ..Reply::default()
    })
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
    // Reasoning models take no temperature, or only their own.
    if told.contains("temperature") {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_is_of_the_kind_that_its_words_or_its_status_tell() {
        use ErrorKind::*;
        let openai = |kind: &str, code: &str| json!({ "error": { "message": "m", "type": kind, "code": code } });
        let anthropic =
            |kind: &str| json!({ "type": "error", "error": { "type": kind, "message": "m" } });
        let google = |code: u16, status: &str, details: Value| json!({ "error": { "code": code, "message": "m", "status": status, "details": details } });
        let per_day = json!([{ "violations": [{ "quotaId": "RequestsPerDayPerProject" }] }]);
        let per_minute = json!([{ "violations": [{ "quotaId": "RequestsPerMinute" }] }]);
        let bad_key = json!([{ "reason": "API_KEY_INVALID" }]);
        for (status, body, kind) in [
            (429, openai("requests", "rate_limit_exceeded"), RateLimited),
            (
                429,
                openai("insufficient_quota", "insufficient_quota"),
                Quota,
            ),
            (
                400,
                openai("invalid_request_error", "billing_hard_limit_reached"),
                Quota,
            ),
            (
                401,
                openai("invalid_request_error", "invalid_api_key"),
                BadKey,
            ),
            (
                403,
                openai("invalid_request_error", "model_not_found"),
                UnknownModel,
            ),
            (
                400,
                openai("invalid_request_error", "context_length_exceeded"),
                BadRequest,
            ),
            (500, openai("server_error", "x"), Server),
            (529, anthropic("overloaded_error"), Overloaded),
            (500, anthropic("overloaded_error"), Overloaded),
            (429, anthropic("rate_limit_error"), RateLimited),
            (402, anthropic("billing_error"), Quota),
            (400, anthropic("invalid_request_error"), BadRequest),
            (200, anthropic("rate_limit_error"), RateLimited),
            (200, anthropic("api_error"), Server),
            (200, anthropic("invalid_request_error"), BadRequest),
            (200, anthropic("new_error"), Unreadable),
            (
                429,
                google(429, "RESOURCE_EXHAUSTED", per_minute),
                RateLimited,
            ),
            (429, google(429, "RESOURCE_EXHAUSTED", per_day), Quota),
            (400, google(400, "INVALID_ARGUMENT", bad_key), BadKey),
            (200, google(503, "UNAVAILABLE", json!([])), Overloaded),
            (400, json!([google(400, "X", json!([]))]), BadRequest),
            (
                200,
                json!({ "error": { "code": 429, "message": "m" } }),
                RateLimited,
            ),
            (
                200,
                json!({ "error": { "code": 0, "message": "m" } }),
                Unreadable,
            ),
            (200, json!({ "error": "m" }), Unreadable),
            (404, json!({ "error": "m" }), UnknownModel),
            (
                404,
                json!({ "object": "error", "message": "m", "code": 404 }),
                UnknownModel,
            ),
            (422, json!({ "detail": "m" }), BadRequest),
            (498, json!({ "message": "m" }), Overloaded),
            (504, json!("m"), Server),
            (418, json!("m"), BadRequest),
            (600, json!("m"), Server),
        ] {
            let fault = Fault::reported(status, &body);
            assert_eq!(fault.kind, kind, "{status} {body}");
            assert!(fault.reason.ends_with(": m"), "{}", fault.reason);
        }
    }

    #[test]
    fn an_error_is_told_in_the_provider_s_words() {
        for (body, told) in [
            ("", "HTTP 400: without a message"),
            ("   ", "HTTP 400: without a message"),
            ("<html>busy</html>", "HTTP 400: <html>busy</html>"),
            (
                r#"{"detail":[{"msg":"x"}]}"#,
                r#"HTTP 400: {"detail":[{"msg":"x"}]}"#,
            ),
            (r#"{"error":{"message":""}}"#, "HTTP 400: without a message"),
            (
                r#"{"error":{"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
                "HTTP 400: too long (9000 tokens in a context of 4096)",
            ),
            (
                r#"{"error":{"message":"Provider returned error","metadata":{"raw":"slow down"}}}"#,
                "HTTP 400: Provider returned error: slow down",
            ),
            (
                r#"{"error":{"message":"'temperature' does not support 0","param":"temperature"}}"#,
                "HTTP 400: 'temperature' does not support 0; `temperature: none` sends none",
            ),
        ] {
            let fault = refused(400, body.as_bytes()).unwrap_err();
            assert_eq!(fault.reason, told, "{body}");
        }
        refused(400, &[0xff, 0xfe]).unwrap_err();
    }

    #[test]
    fn google_says_in_the_body_when_to_ask_again() {
        let body = |delay: Value| json!({ "error": { "details": [{ "@type": "x" }, { "retryDelay": delay }] } });
        for (delay, told) in [
            (json!("12s"), Some(Duration::from_secs(12))),
            (json!("1.5s"), Some(Duration::from_millis(1500))),
            (json!("99999s"), Some(headers::LONGEST_WAIT)),
            (json!(12), None),
            (json!("soon"), None),
        ] {
            let fault = Fault::reported(429, &body(delay.clone()));
            assert_eq!(fault.retry_after, told, "{delay}");
        }
    }
}
