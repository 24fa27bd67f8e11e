//! Gemini's `generateContent`.
//!
//! Source: Gemini API reference, "Generating content", and its guides "Function calling",
//! "Structured outputs", and "Gemini thinking".

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::failure::Fault;
use super::{Account, arguments, as_object, merge, number, text};
use crate::message::{Message, Role, ToolCall, ToolSpec};
use crate::model::{Reply, Request, ToolChoice};
use crate::run::{Stop, TokenUsage};

pub fn url(account: &Account) -> Url {
    let endpoint = &account.endpoint;
    let versioned = endpoint.last_segment().starts_with('v');
    let mut segments = if versioned {
        Vec::new()
    } else {
        vec!["v1beta"]
    };
    // Tuned models and those of Vertex AI name their collection.
    if !account.model.contains('/') {
        segments.push("models");
    }
    let method = format!("{}:generateContent", account.model);
    segments.extend(method.split('/'));
    endpoint.below(&segments)
}

/// The body that asks.
pub fn encode(request: &Request, account: &Account) -> Value {
    let settings = &account.settings;
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    let system = request.prompt.system();
    if !system.is_empty() {
        set(
            "systemInstruction",
            json!({ "parts": [{ "text": system }] }),
        );
    }
    set("contents", Value::Array(contents(&request.messages)));
    let tools = request.prompt.tools();
    if !tools.is_empty() {
        let declarations: Vec<_> = tools.iter().map(tool).collect();
        set("tools", json!([{ "functionDeclarations": declarations }]));
        let mode = match request.tool_choice {
            ToolChoice::None => "NONE",
            ToolChoice::Auto => "AUTO",
            ToolChoice::Required => "ANY",
        };
        set(
            "toolConfig",
            json!({ "functionCallingConfig": { "mode": mode } }),
        );
    }
    let mut config = Map::new();
    let mut configure = |key: &str, value: Value| config.insert(key.to_owned(), value);
    if let Some(output) = &request.output {
        configure("responseMimeType", json!("application/json"));
        configure("responseJsonSchema", output.schema.clone());
    }
    if let Some(temperature) = settings.sent_temperature() {
        configure("temperature", number(temperature));
    }
    if let Some(max_tokens) = settings.max_tokens {
        configure("maxOutputTokens", json!(max_tokens));
    }
    if let Some(seed) = settings.seed {
        configure("seed", json!(seed));
    }
    if let Some(effort) = &settings.reasoning_effort {
        configure("thinkingConfig", json!({ "thinkingLevel": effort }));
    }
    if !config.is_empty() {
        set("generationConfig", Value::Object(config));
    }
    merge(&mut body, &settings.extra_body);
    Value::Object(body)
}

/// Results of one turn's calls go back together.
fn contents(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (side, parts) = match message.role {
            Role::User => ("user", said(&message.content)),
            Role::Tool => ("user", vec![result(message)]),
            Role::Assistant => {
                let mut parts = said(&message.content);
                parts.extend(message.tool_calls.iter().map(call));
                ("model", parts)
            }
        };
        if parts.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some((last, turn)) if *last == side => turn.extend(parts),
            _ => turns.push((side, parts)),
        }
    }
    let turn = |(side, parts)| json!({ "role": side, "parts": Value::Array(parts) });
    turns.into_iter().map(turn).collect()
}

fn said(text: &str) -> Vec<Value> {
    match text {
        "" => Vec::new(),
        _ => vec![json!({ "text": text })],
    }
}

fn result(message: &Message) -> Value {
    json!({
        "functionResponse": { "name": message.name, "response": { "result": message.content } },
    })
}

fn call(call: &ToolCall) -> Value {
    json!({ "functionCall": { "name": call.name, "args": as_object(&call.arguments) } })
}

fn tool(tool: &ToolSpec) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "parametersJsonSchema": tool.parameters,
    })
}

/// A prompt that was blocked is a reply that was filtered.
///
/// # Errors
/// Where the answer holds no candidates and does not say why.
pub fn decode(answer: &Value) -> Result<Reply, Fault> {
    let candidate = &answer["candidates"][0];
    let blocked = answer["promptFeedback"]["blockReason"].is_string();
    if !candidate.is_object() && !blocked {
        return Err(Fault::unreadable("it holds no `candidates`"));
    }
    let mut reply = Reply::default();
    let parts = candidate["content"]["parts"].as_array();
    for part in parts.into_iter().flatten() {
        if part["thought"] == true {
            continue;
        }
        reply.content.push_str(&text(&part["text"]));
        let call = &part["functionCall"];
        if call.is_object() {
            reply.tool_calls.push(ToolCall {
                id: text(&call["id"]),
                name: text(&call["name"]),
                arguments: arguments(&call["args"]),
            });
        }
    }
    let tokens = |key: &str| answer["usageMetadata"][key].as_u64().unwrap_or_default();
    reply.usage = TokenUsage {
        input_tokens: tokens("promptTokenCount") + tokens("toolUsePromptTokenCount"),
        output_tokens: tokens("candidatesTokenCount") + tokens("thoughtsTokenCount"),
        cached_input_tokens: tokens("cachedContentTokenCount"),
        cost: None,
    };
    reply.stop = match candidate["finishReason"].as_str() {
        Some("MAX_TOKENS") => Some(Stop::Length),
        Some(
            "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII",
        ) => Some(Stop::Filtered),
        _ => blocked.then_some(Stop::Filtered),
    };
    Ok(reply)
}
