//! From the answer to a chat completion to a reply.
//!
//! Servers that speak chat completions differ in what they leave out, so the answer is read
//! field by field: what is missing is empty, and what is of another type is not there.

use serde_json::{Value, json};

use crate::message::ToolCall;
use crate::model::Reply;
use crate::run::TokenUsage;

/// Why an answer holds no reply. Provider's words are whole: bounded and redacted by those
/// who show them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("access denied (HTTP {status}): {message}")]
    Denied { status: u16, message: String },
    #[error("the base URL leads elsewhere (HTTP {0}), and redirects are not followed")]
    Redirect(u16),
    #[error("HTTP {status}: {message}")]
    Status { status: u16, message: String },
    /// An error under a status that tells of none.
    #[error("the provider reports: {0}")]
    Reported(String),
    #[error("the answer is no chat completion: {0}")]
    Unreadable(String),
}

/// Reads an HTTP answer.
///
/// Arguments of a call that are no JSON become the string that the model wrote, so that
/// whoever checks the call can quote it. A refusal is content where there is no other.
///
/// # Errors
/// See [`Fault`].
pub fn decode(status: u16, body: &[u8]) -> Result<Reply, Fault> {
    if !(200..300).contains(&status) {
        let message = reported(body);
        return Err(match status {
            401 | 403 => Fault::Denied { status, message },
            300..=399 => Fault::Redirect(status),
            _ => Fault::Status { status, message },
        });
    }
    let answer: Value =
        serde_json::from_slice(body).map_err(|error| Fault::Unreadable(error.to_string()))?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Fault::Reported(reported(body)));
    }
    let message = answer
        .pointer("/choices/0/message")
        .filter(|message| message.is_object())
        .ok_or_else(|| Fault::Unreadable("it holds no message in `choices`".to_owned()))?;
    let mut content = text(&message["content"]);
    if content.is_empty() {
        content = text(&message["refusal"]);
    }
    let calls = message["tool_calls"].as_array();
    let tokens = |key: &str| answer["usage"][key].as_u64().unwrap_or_default();
    Ok(Reply {
        content,
        tool_calls: calls.into_iter().flatten().map(call).collect(),
        usage: TokenUsage {
            input_tokens: tokens("prompt_tokens"),
            output_tokens: tokens("completion_tokens"),
            ..TokenUsage::default()
        },
        ..Reply::default()
    })
}

/// A string, or the texts of a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

/// Without a name where the server gave none: an unknown tool to whoever runs the call.
fn call(call: &Value) -> ToolCall {
    ToolCall {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: arguments(&call["function"]["arguments"]),
    }
}

fn arguments(written: &Value) -> Value {
    match written {
        Value::Null => json!({}),
        // Some servers leave out the braces of a call without arguments.
        Value::String(text) if text.trim().is_empty() => json!({}),
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| written.clone()),
        value => value.clone(),
    }
}

/// What a provider says is wrong: the shapes of OpenAI, Ollama, vLLM, and FastAPI, or the
/// body as it is.
fn reported(body: &[u8]) -> String {
    let known = serde_json::from_slice::<Value>(body).ok().and_then(|body| {
        ["/error/message", "/error", "/message", "/detail"]
            .iter()
            .find_map(|place| Some(body.pointer(place)?.as_str()?.to_owned()))
    });
    let message = known.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    if message.trim().is_empty() {
        return "without a message".to_owned();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(message: Value) -> Value {
        json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] })
    }

    fn reply(body: &Value) -> Reply {
        decode(200, body.to_string().as_bytes()).unwrap_or_else(|fault| panic!("{fault}"))
    }

    #[test]
    fn content_is_text_parts_or_a_refusal() {
        for (given, content) in [
            (json!({ "content": "Hello" }), "Hello"),
            (json!({ "content": null }), ""),
            (json!({}), ""),
            (
                json!({ "content": [{ "type": "text", "text": "Hel" }, { "text": "lo" }, 1] }),
                "Hello",
            ),
            (
                json!({ "content": null, "refusal": "I cannot." }),
                "I cannot.",
            ),
            (
                json!({ "content": "Hello", "refusal": "I cannot." }),
                "Hello",
            ),
        ] {
            let found = reply(&message(given.clone()));
            assert_eq!(found.content, content, "{given}");
            assert_eq!(found.tool_calls, [], "{given}");
            assert_eq!(found.usage, TokenUsage::default(), "{given}");
        }
    }

    #[test]
    fn calls_come_in_order_and_malformed_arguments_as_they_were_written() {
        let call = |id: Value, arguments: Value| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
        let calls = [
            (
                call(json!("a"), json!(r#"{"x": [1, "é"]}"#)),
                "a",
                json!({ "x": [1, "é"] }),
            ),
            (
                call(json!("b"), json!(r#"{"x": "#)),
                "b",
                json!(r#"{"x": "#),
            ),
            (
                call(json!("b"), json!("plain words")),
                "b",
                json!("plain words"),
            ),
            (call(json!("c"), json!("[1]")), "c", json!([1])),
            (call(json!("d"), json!("  ")), "d", json!({})),
            (call(json!("e"), json!({ "x": 1 })), "e", json!({ "x": 1 })),
            (call(Value::Null, Value::Null), "", json!({})),
        ];
        let written: Vec<_> = calls.iter().map(|(written, ..)| written).collect();
        let mut given = message(json!({ "content": null, "tool_calls": written }));
        given["usage"] = json!({ "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 });
        let found = reply(&given);
        let expected: Vec<_> = calls
            .iter()
            .map(|(_, id, arguments)| ToolCall {
                id: (*id).to_owned(),
                name: "f".to_owned(),
                arguments: arguments.clone(),
            })
            .collect();
        assert_eq!(found.tool_calls, expected);
        assert_eq!(
            found.usage,
            TokenUsage {
                input_tokens: 7,
                output_tokens: 3,
                ..TokenUsage::default()
            }
        );

        let nameless = reply(&message(json!({ "tool_calls": [{}] })));
        assert_eq!(nameless.tool_calls[0].name, "");
    }

    #[test]
    fn an_answer_that_holds_no_reply_says_why() {
        let deep = "[".repeat(100_000);
        for (status, body, told) in [
            (
                200,
                "",
                "the answer is no chat completion: EOF while parsing a value at line 1 column 0",
            ),
            (
                200,
                "<html>",
                "the answer is no chat completion: expected value at line 1 column 1",
            ),
            (
                200,
                &deep,
                "the answer is no chat completion: recursion limit exceeded at line 1 column 128",
            ),
            (
                200,
                "{}",
                "the answer is no chat completion: it holds no message in `choices`",
            ),
            (
                200,
                r#"{"choices":[]}"#,
                "the answer is no chat completion: it holds no message in `choices`",
            ),
            (
                200,
                r#"{"choices":[{"message":null}]}"#,
                "the answer is no chat completion: it holds no message in `choices`",
            ),
            (
                200,
                r#"{"error":{"message":"overloaded"}}"#,
                "the provider reports: overloaded",
            ),
            (
                401,
                r#"{"error":{"message":"bad key"}}"#,
                "access denied (HTTP 401): bad key",
            ),
            (403, "", "access denied (HTTP 403): without a message"),
            (
                404,
                r#"{"error":"model not found"}"#,
                "HTTP 404: model not found",
            ),
            (400, r#"{"message":"too long"}"#, "HTTP 400: too long"),
            (
                422,
                r#"{"detail":"no such field"}"#,
                "HTTP 422: no such field",
            ),
            (
                422,
                r#"{"detail":[{"msg":"x"}]}"#,
                r#"HTTP 422: {"detail":[{"msg":"x"}]}"#,
            ),
            (503, "<html>busy</html>", "HTTP 503: <html>busy</html>"),
            (
                307,
                "",
                "the base URL leads elsewhere (HTTP 307), and redirects are not followed",
            ),
        ] {
            let fault = decode(status, body.as_bytes()).unwrap_err();
            assert_eq!(fault.to_string(), told, "{body}");
        }
        decode(200, &[0xff, 0xfe]).unwrap_err();
    }
}
