//! Conversations in the form of chat models: the email in the first message of the user, what
//! should be done about it in the calls of the assistant.

use serde_json::Value;

use super::calls;
use super::source::Source;
use crate::dataset::tool::Tool;
use crate::email::Triage;

/// What a conversation says.
#[derive(Default)]
pub(super) struct Chat {
    /// The first message of the user, which should hold the email.
    pub prompt: Option<String>,
    pub triage: Option<Triage>,
    pub calls: Vec<Value>,
}

pub(super) fn read(messages: Vec<Value>, left_out: &mut Vec<String>) -> Result<Chat, String> {
    let mut chat = Chat::default();
    for message in messages {
        let Value::Object(map) = message else {
            return Err("a message is not a map".to_owned());
        };
        let mut message = Source::new("messages.", map);
        let role = message.take(&["role", "type"]);
        let text = message.take(&["content"]).map(content).unwrap_or_default();
        match role.as_ref().and_then(Value::as_str) {
            Some("user" | "human") if chat.prompt.is_none() => chat.prompt = Some(text),
            Some("user" | "human") => left_out.push("messages after the user's first".to_owned()),
            Some("assistant" | "ai") => {
                match classification(&text)? {
                    // A router answers with an object instead of a call.
                    Some(label) => chat.triage = chat.triage.or(Some(label)),
                    None if text.trim().is_empty() => {}
                    None => left_out.push("messages.content of the assistant".to_owned()),
                }
                for value in message.take(&["tool_calls"]).map_or(Ok(Vec::new()), list)? {
                    match category(&value)? {
                        Some(label) => chat.triage = chat.triage.or(Some(label)),
                        None => chat.calls.push(calls::call(value, left_out)?),
                    }
                }
            }
            Some(role @ ("system" | "developer" | "tool" | "function")) => {
                left_out.push(format!("messages of the role `{role}`"));
            }
            _ => return Err("a message has no known `role`".to_owned()),
        }
        left_out.extend(message.left_out());
    }
    Ok(chat)
}

fn list(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err("`tool_calls` of a message is not a list".to_owned()),
    }
}

/// The text of a message, whose parts may be given one by one.
fn content(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(parts) => parts
            .into_iter()
            .filter_map(|part| match part {
                Value::String(text) => Some(text),
                Value::Object(mut part) => match part.remove("text") {
                    Some(Value::String(text)) => Some(text),
                    _ => None,
                },
                _ => None,
            })
            .collect(),
        _ => String::new(),
    }
}

fn classification(content: &str) -> Result<Option<Triage>, String> {
    let label = match serde_json::from_str(content) {
        Ok(Value::Object(mut map)) => map.remove("classification"),
        _ => None,
    };
    label.map(triage).transpose()
}

/// The label, if the call is the baseline's triage.
fn category(call: &Value) -> Result<Option<Triage>, String> {
    let function = call.get("function").unwrap_or(call);
    let is_triage = function["name"]
        .as_str()
        .and_then(Tool::find)
        .is_some_and(|tool| tool.name == "triage_email");
    if !is_triage {
        return Ok(None);
    }
    let arguments = match (function.get("arguments"), function.get("args")) {
        (Some(Value::String(text)), _) => serde_json::from_str(text).unwrap_or_default(),
        (Some(arguments), _) | (None, Some(arguments)) => arguments.clone(),
        (None, None) => Value::Null,
    };
    triage(arguments["category"].clone()).map(Some)
}

/// A label, without regard to case.
pub(super) fn triage(value: Value) -> Result<Triage, String> {
    match value {
        Value::String(text) => text
            .parse::<Triage>()
            .map_err(|error| error.to_string().escape_debug().to_string()),
        value => Err(format!("the triage label is `{value}`, not a text")),
    }
}
