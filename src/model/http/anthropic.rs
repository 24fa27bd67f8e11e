//! Anthropic's messages.
//!
//! Source: Anthropic API reference, "Create a Message", and its guide "Tool use".

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::failure::Fault;
use super::{Account, arguments, as_object, merge, number, text};
use crate::message::{Message, Role, ToolCall, ToolSpec, ToolStatus};
use crate::model::{Reply, Request, ToolChoice};
use crate::run::{Stop, TokenUsage};

pub const VERSION: &str = "2023-06-01";

pub fn url(account: &Account) -> Url {
    match account.endpoint.segments().last() {
        Some("v1") => account.endpoint.below(&["messages"]),
        _ => account.endpoint.below(&["v1", "messages"]),
    }
}

/// The body that asks.
pub fn encode(request: &Request, account: &Account) -> Value {
    let settings = &account.settings;
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("model", json!(account.model));
    if let Some(max_tokens) = account.max_tokens() {
        set("max_tokens", json!(max_tokens));
    }
    let system = request.prompt.system();
    if !system.is_empty() {
        set("system", json!(system));
    }
    set("messages", Value::Array(messages(&request.messages)));
    let mut tools: Vec<Value> = request.prompt.tools().iter().map(tool).collect();
    let mut choice = match request.tool_choice {
        ToolChoice::None => json!({ "type": "none" }),
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::Required => json!({ "type": "any" }),
    };
    if let Some(output) = &request.output {
        // Every model takes a tool that it has to call, whatever its schema.
        tools = vec![json!({
            "name": output.name,
            "description": "Gives the answer.",
            "input_schema": output.schema,
        })];
        choice = json!({
            "type": "tool",
            "name": output.name,
            "disable_parallel_tool_use": true,
        });
    }
    if !tools.is_empty() {
        set("tools", Value::Array(tools));
        set("tool_choice", choice);
    }
    if let Some(temperature) = settings.sent_temperature() {
        set("temperature", number(temperature));
    }
    if let Some(effort) = &settings.reasoning_effort {
        set("output_config", json!({ "effort": effort }));
    }
    merge(&mut body, &settings.extra_body);
    Value::Object(body)
}

/// Turns alternate, so neighbours of one side become one message; results of calls stand
/// first in theirs.
fn messages(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (side, blocks) = match message.role {
            Role::User => ("user", said(&message.content)),
            Role::Tool => ("user", vec![result(message)]),
            Role::Assistant => {
                let mut blocks = said(&message.content);
                blocks.extend(message.tool_calls.iter().map(call));
                ("assistant", blocks)
            }
        };
        // Empty text is refused.
        if blocks.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some((last, turn)) if *last == side => turn.extend(blocks),
            _ => turns.push((side, blocks)),
        }
    }
    let turn = |(side, blocks)| json!({ "role": side, "content": Value::Array(blocks) });
    turns.into_iter().map(turn).collect()
}

fn said(text: &str) -> Vec<Value> {
    match text.trim() {
        "" => Vec::new(),
        _ => vec![json!({ "type": "text", "text": text })],
    }
}

fn result(message: &Message) -> Value {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let mut block = json!({
        "type": "tool_result",
        "tool_use_id": sent_id(id),
        "content": message.content,
    });
    if message.status == ToolStatus::Failed {
        block["is_error"] = json!(true);
    }
    block
}

fn call(call: &ToolCall) -> Value {
    json!({
        "type": "tool_use",
        "id": sent_id(&call.id),
        "name": call.name,
        "input": as_object(&call.arguments),
    })
}

/// Ids match `^[a-zA-Z0-9_-]+$`. What does not fit is written as its bytes, behind a mark
/// that no id keeps as its own, so that two ids never become one.
fn sent_id(id: &str) -> String {
    const MARK: &str = "id_";
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let whole = id.bytes().all(|byte| fits(byte) || byte == b'_');
    if whole && !id.is_empty() && !id.starts_with(MARK) {
        return id.to_owned();
    }
    let mut sent = String::from(MARK);
    for byte in id.bytes() {
        if fits(byte) {
            sent.push(char::from(byte));
        } else {
            sent.push_str(&format!("_{byte:02x}"));
        }
    }
    sent
}

fn tool(tool: &ToolSpec) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    })
}

/// `output`: the name of the object that was asked for.
///
/// # Errors
/// Where the answer holds no content.
pub fn decode(answer: &Value, output: Option<&str>) -> Result<Reply, Fault> {
    let Some(blocks) = answer["content"].as_array() else {
        return Err(Fault::unreadable("it holds no `content`"));
    };
    let mut reply = Reply::default();
    let mut object = None;
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => reply.content.push_str(&text(&block["text"])),
            Some("tool_use") if output.is_some_and(|name| block["name"] == name) => {
                object = object.or_else(|| Some(block["input"].to_string()));
            }
            Some("tool_use") => reply.tool_calls.push(ToolCall {
                id: text(&block["id"]),
                name: text(&block["name"]),
                arguments: arguments(&block["input"]),
            }),
            _ => {}
        }
    }
    // Whatever the model says beside its answer.
    reply.content = object.unwrap_or(reply.content);
    let tokens = |key: &str| answer["usage"][key].as_u64().unwrap_or_default();
    let cached = tokens("cache_read_input_tokens");
    reply.usage = TokenUsage {
        input_tokens: tokens("input_tokens") + tokens("cache_creation_input_tokens") + cached,
        output_tokens: tokens("output_tokens"),
        cached_input_tokens: cached,
        cost: None,
    };
    reply.stop = match answer["stop_reason"].as_str() {
        Some("max_tokens" | "model_context_window_exceeded") => Some(Stop::Length),
        Some("refusal") => Some(Stop::Refusal),
        _ => None,
    };
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::account::tests::account;

    #[test]
    fn a_base_url_may_end_with_the_version() {
        for (url_given, sent) in [
            (
                "https://api.anthropic.com",
                "https://api.anthropic.com/v1/messages",
            ),
            (
                "https://api.anthropic.com/v1/",
                "https://api.anthropic.com/v1/messages",
            ),
            (
                "http://gateway/anthropic",
                "http://gateway/anthropic/v1/messages",
            ),
        ] {
            let account = account("anthropic", "m", url_given);
            assert_eq!(url(&account).as_str(), sent);
        }
    }

    #[test]
    fn ids_fit_and_never_become_equal() {
        let ids = [
            "toolu_01", "call-1", "m1.0", "m1_0", "id__2e", ".", "", "id_", "é", "a b", "_",
        ];
        let sent: Vec<String> = ids.iter().map(|id| sent_id(id)).collect();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        for (index, id) in sent.iter().enumerate() {
            assert!(!id.is_empty() && id.bytes().all(fits), "{id}");
            assert_eq!(
                sent.iter().position(|other| other == id),
                Some(index),
                "{id}"
            );
        }
        assert_eq!(sent[..2], ids[..2]);
    }

    #[test]
    fn results_and_words_of_one_side_become_one_message() {
        let call = ToolCall {
            id: "c".to_owned(),
            name: "done".to_owned(),
            arguments: json!({}),
        };
        let found = messages(&[
            Message::user("1", "One."),
            Message::user("2", "Two."),
            Message::assistant("3", " ", vec![call.clone()]),
            Message::tool("4", &call, ToolStatus::Failed, ""),
            Message::user("5", "Three."),
        ]);
        let expected = json!([
            { "role": "user", "content": [
                { "type": "text", "text": "One." }, { "type": "text", "text": "Two." },
            ] },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "c", "name": "done", "input": {} },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c", "content": "", "is_error": true },
                { "type": "text", "text": "Three." },
            ] },
        ]);
        assert_eq!(Value::Array(found), expected);
    }

    #[test]
    fn an_object_is_the_answer_whatever_is_said_beside_it() {
        let said = |words: &str| json!({ "type": "text", "text": words });
        let call = |name: &str, x: u8| json!({ "type": "tool_use", "id": "c", "name": name, "input": { "x": x } });
        let answer = json!({ "content": [
            { "type": "thinking", "thinking": "Hm." },
            said("Here: "), call("answer", 1), call("answer", 2), call("done", 3), said("Done."),
        ] });
        let reply = decode(&answer, Some("answer")).unwrap();
        assert_eq!(reply.content, r#"{"x":1}"#);
        assert_eq!(reply.tool_calls.len(), 1);
        let reply = decode(&answer, None).unwrap();
        assert_eq!(
            (reply.content.as_str(), reply.tool_calls.len()),
            ("Here: Done.", 3)
        );
        decode(&json!({ "content": null }), None).unwrap_err();
    }
}
