//! Ollama's own chat.
//!
//! It knows no `tool_choice`: a model that should have called a tool and did not is told so
//! by whoever asked. Where none may be called, none is offered.
//!
//! Source: Ollama, `docs/api.md`, "Generate a chat completion".

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::failure::Fault;
use super::{Account, arguments, as_object, merge, number, text};
use crate::message::{Message, Role, ToolCall, ToolSpec};
use crate::model::{Reply, Request, ToolChoice};
use crate::run::{Stop, TokenUsage};

pub fn url(account: &Account) -> Url {
    account.endpoint.below(&["api", "chat"])
}

/// The body that asks.
pub fn encode(request: &Request, account: &Account) -> Value {
    let settings = &account.settings;
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    let system = request.prompt.system();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(request.messages.iter().filter_map(message));

    let mut options = Map::new();
    let mut set = |key: &str, value: Value| options.insert(key.to_owned(), value);
    if let Some(temperature) = settings.sent_temperature() {
        set("temperature", number(temperature));
    }
    if let Some(max_tokens) = settings.max_tokens {
        set("num_predict", json!(max_tokens));
    }
    if let Some(seed) = settings.seed {
        set("seed", json!(seed));
    }

    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("model", json!(account.model));
    set("messages", Value::Array(messages));
    let tools = request.prompt.tools();
    if !tools.is_empty() && request.tool_choice != ToolChoice::None {
        set("tools", tools.iter().map(tool).collect());
    }
    if let Some(output) = &request.output {
        set("format", output.schema.clone());
    }
    match settings.reasoning_effort.as_deref() {
        None => {}
        Some("none") => drop(set("think", json!(false))),
        Some(effort) => drop(set("think", json!(effort))),
    }
    if !options.is_empty() {
        set("options", Value::Object(options));
    }
    set("stream", json!(false));
    merge(&mut body, &settings.extra_body);
    Value::Object(body)
}

/// `None` for an assistant's message that says nothing.
fn message(message: &Message) -> Option<Value> {
    let content = &message.content;
    Some(match message.role {
        Role::User => json!({ "role": "user", "content": content }),
        Role::Tool => json!({
            "role": "tool",
            "tool_name": message.name,
            "content": content,
        }),
        Role::Assistant if message.tool_calls.is_empty() => {
            if content.is_empty() {
                return None;
            }
            json!({ "role": "assistant", "content": content })
        }
        Role::Assistant => {
            let calls: Vec<_> = message.tool_calls.iter().map(call).collect();
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
    })
}

fn call(call: &ToolCall) -> Value {
    json!({ "function": { "name": call.name, "arguments": as_object(&call.arguments) } })
}

fn tool(tool: &ToolSpec) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    })
}

/// # Errors
/// Where the answer holds no message.
pub fn decode(answer: &Value) -> Result<Reply, Fault> {
    let message = &answer["message"];
    if !message.is_object() {
        return Err(Fault::unreadable("it holds no `message`"));
    }
    let tokens = |key: &str| answer[key].as_u64().unwrap_or_default();
    let calls = message["tool_calls"].as_array();
    Ok(Reply {
        content: text(&message["content"]),
        tool_calls: calls.into_iter().flatten().map(call_made).collect(),
        usage: TokenUsage {
            // Left out where the whole prompt was read from its cache.
            input_tokens: tokens("prompt_eval_count"),
            output_tokens: tokens("eval_count"),
            ..TokenUsage::default()
        },
        stop: (answer["done_reason"] == "length").then_some(Stop::Length),
        latency: None,
    })
}

/// Newer versions give an id.
fn call_made(call: &Value) -> ToolCall {
    ToolCall {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: arguments(&call["function"]["arguments"]),
    }
}
