//! Conversations in the form of the conventions: messages that are made of parts.
//!
//! Source: `gen-ai-input-messages.json`, `gen-ai-output-messages.json`,
//! `gen-ai-system-instructions.json`, `gen-ai-tool-definitions.json`, and
//! `gen-ai-memory-records.json` of the conventions.

use serde_json::{Value, json};

use crate::message::{Message, Role, ToolCall, ToolSpec};
use crate::run::Stop;
use crate::trace::ModelCall;

pub fn instructions(system: &str) -> Value {
    json!([text(system)])
}

pub fn tools(tools: &[ToolSpec]) -> Value {
    let tools = tools.iter().map(|tool| {
        json!({
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        })
    });
    tools.collect()
}

pub fn input<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Value {
    messages.into_iter().map(message).collect()
}

/// The one answer of a call.
pub fn output(call: &ModelCall) -> Value {
    json!([{
        "role": "assistant",
        "parts": parts(&call.text, &call.tool_calls),
        "finish_reason": finish_reason(call),
    }])
}

/// What an agent said last, as its answer.
pub fn last(message: &Message) -> Value {
    json!([{
        "role": "assistant",
        "parts": parts(&message.content, &message.tool_calls),
        "finish_reason": "stop",
    }])
}

pub fn finish_reason(call: &ModelCall) -> &'static str {
    match call.stop {
        Some(Stop::Length) => "length",
        Some(Stop::Refusal | Stop::Filtered) => "content_filter",
        None if call.tool_calls.is_empty() => "stop",
        None => "tool_call",
    }
}

/// The one record that a memory became.
pub fn record(key: &str, text: &str) -> Value {
    json!([{ "id": key, "content": text }])
}

fn message(message: &Message) -> Value {
    match message.role {
        Role::User => json!({ "role": "user", "parts": [text(&message.content)] }),
        Role::Assistant => json!({
            "role": "assistant",
            "parts": parts(&message.content, &message.tool_calls),
        }),
        Role::Tool => json!({
            "role": "tool",
            "parts": [{
                "type": "tool_call_response",
                "id": message.tool_call_id,
                "response": message.content,
            }],
        }),
    }
}

fn parts(said: &str, calls: &[ToolCall]) -> Value {
    let said = (!said.is_empty()).then(|| text(said));
    let calls = calls.iter().map(|call| {
        json!({
            "type": "tool_call",
            "id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        })
    });
    said.into_iter().chain(calls).collect()
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "content": text })
}
