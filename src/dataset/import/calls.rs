//! Expected tool calls in the many ways they are written.

use serde_json::{Map, Value, json};

use crate::dataset::tool::Tool;

/// Arguments that no two drafts agree on. What a reply must say belongs in criteria.
const FREE: [(&str, &str); 5] = [
    ("write_email", "subject"),
    ("write_email", "content"),
    ("schedule_meeting", "subject"),
    ("question", "content"),
    // Says nothing that the call does not.
    ("done", "done"),
];

/// The calls in the form of the dataset format, from a list, a list written as JSON text, or
/// names divided by `;`, `,`, or line breaks.
pub(super) fn calls(value: Value, left_out: &mut Vec<String>) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(values) => values
            .into_iter()
            .map(|value| call(value, left_out))
            .collect(),
        Value::String(text) => {
            if text.trim_start().starts_with('[') {
                let list: Vec<Value> = serde_json::from_str(&text)
                    .map_err(|error| format!("the list of calls is not valid JSON: {error}"))?;
                return calls(list.into(), left_out);
            }
            text.split([';', ',', '\n'])
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(|name| call(name.into(), left_out))
                .collect()
        }
        _ => Err("the tool calls are neither a list nor a text".to_owned()),
    }
}

/// One call: a name; a name with arguments, as chat models write it; or the dataset format's.
pub(super) fn call(value: Value, left_out: &mut Vec<String>) -> Result<Value, String> {
    let mut map = match value {
        Value::String(name) => return Ok(tool(name.trim())?.name.into()),
        Value::Object(map) => map,
        _ => return Err("a tool call is neither a name nor a map".to_owned()),
    };
    if let Some(Value::Object(function)) = map.get("function") {
        map = function.clone();
    }
    match map.get("name") {
        Some(Value::String(name)) => {
            let tool = tool(name)?;
            let arguments = ["arguments", "args", "input"]
                .iter()
                .find_map(|key| map.get(*key).cloned())
                .unwrap_or_default();
            with_arguments(tool, arguments, left_out)
        }
        _ if map.len() == 1 => Ok(map.into()),
        _ => Err("a tool call has no `name`".to_owned()),
    }
}

fn with_arguments(
    tool: &Tool,
    arguments: Value,
    left_out: &mut Vec<String>,
) -> Result<Value, String> {
    let arguments = match arguments {
        Value::Null => Map::new(),
        Value::Object(map) => map,
        Value::String(text) if text.trim().is_empty() => Map::new(),
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            format!(
                "the arguments of `{}` are not a JSON object: {error}",
                tool.name
            )
        })?,
        _ => return Err(format!("the arguments of `{}` are not a map", tool.name)),
    };
    let mut kept = Map::new();
    for (name, value) in arguments {
        let free = FREE.contains(&(tool.name, name.as_str()));
        if value.is_null() {
            continue;
        }
        if free || tool.argument(&name).is_none() {
            left_out.push(format!("{}.{name}", tool.name));
        } else {
            // A map would be read as matchers.
            let value = if value.is_object() {
                json!({ "equals": value })
            } else {
                value
            };
            kept.insert(name, value);
        }
    }
    Ok(if kept.is_empty() {
        tool.name.into()
    } else {
        json!({ tool.name: kept })
    })
}

fn tool(name: &str) -> Result<&'static Tool, String> {
    Tool::find(name).ok_or_else(|| format!("unknown tool `{}`", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_every_form() {
        for (given, expected) in [
            (json!([]), json!([])),
            (
                json!(["Write_Email", "Done"]),
                json!(["write_email", "done"]),
            ),
            (json!("write_email; done"), json!(["write_email", "done"])),
            (json!(""), json!([])),
            (json!(r#"["done"]"#), json!(["done"])),
            (
                json!([{"name": "write_email", "args": {"to": "a@b.example", "content": "Hi"}}]),
                json!([{"write_email": {"to": "a@b.example"}}]),
            ),
            (
                json!([{"id": "1", "type": "function", "function":
                    {"name": "schedule_meeting", "arguments": "{\"duration_minutes\": 45}"}}]),
                json!([{"schedule_meeting": {"duration_minutes": 45}}]),
            ),
            (
                json!([{"name": "Done", "args": {"done": true}}]),
                json!(["done"]),
            ),
            (
                json!([{"write_email": {"to": {"contains": "ana"}}}]),
                json!([{"write_email": {"to": {"contains": "ana"}}}]),
            ),
        ] {
            let calls = calls(given.clone(), &mut Vec::new());
            assert_eq!(calls.map(Value::from), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for given in [
            json!(3),
            json!([3]),
            json!(["send_email"]),
            json!([{"args": {}, "id": "1"}]),
            json!([{"name": "done", "args": "{"}]),
            json!("[\"done\""),
        ] {
            assert!(calls(given.clone(), &mut Vec::new()).is_err(), "{given}");
        }
    }

    #[test]
    fn arguments_without_a_place_are_listed() {
        let mut left_out = Vec::new();
        let call = json!({"name": "write_email", "args": {"to": "a", "cc": "b", "content": "c"}});
        super::call(call, &mut left_out).unwrap();
        left_out.sort();
        assert_eq!(left_out, ["write_email.cc", "write_email.content"]);
    }
}
