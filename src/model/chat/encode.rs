//! From a request to the body of a chat completion.
//!
//! Source: OpenAI API reference, "Create chat completion".

use serde_json::{Map, Value, json};

use crate::message::{Message, Role, ToolCall, ToolSpec};
use crate::model::{OutputSchema, Request, ToolChoice};

/// The body that asks `model`.
pub fn encode(request: &Request, model: &str) -> Value {
    let mut messages = Vec::new();
    let system = request.prompt.system();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(request.messages.iter().filter_map(message));

    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), Value::Array(messages));
    let tools = request.prompt.tools();
    // A choice without tools is refused by OpenAI.
    if !tools.is_empty() {
        let tools = tools.iter().map(tool).collect();
        body.insert("tools".to_owned(), Value::Array(tools));
        let choice = match request.tool_choice {
            ToolChoice::None => "none",
            ToolChoice::Auto => "auto",
            ToolChoice::Required => "required",
        };
        body.insert("tool_choice".to_owned(), json!(choice));
    }
    if let Some(output) = &request.output {
        body.insert("response_format".to_owned(), format(output));
    }
    body.insert("temperature".to_owned(), json!(0));
    Value::Object(body)
}

/// `None` for an assistant's message that says nothing, which providers refuse.
fn message(message: &Message) -> Option<Value> {
    let content = &message.content;
    Some(match message.role {
        Role::User => json!({ "role": "user", "content": content }),
        Role::Tool => json!({
            "role": "tool",
            "tool_call_id": message.tool_call_id,
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
            let content = (!content.is_empty()).then_some(content);
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
    })
}

fn call(call: &ToolCall) -> Value {
    let arguments = match &call.arguments {
        Value::Object(_) => call.arguments.to_string(),
        // Servers that fill chat templates parse earlier arguments and fail on what is no
        // object, so a model's malformed call would become a failure of its provider.
        other => json!({ "malformed": other }).to_string(),
    };
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
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

fn format(output: &OutputSchema) -> Value {
    json!({
        "type": "json_schema",
        "json_schema": {
            "name": output.name,
            "strict": can_be_strict(&output.schema),
            "schema": output.schema,
        },
    })
}

/// Whether every object in a schema is closed and requires all of its properties; OpenAI
/// refuses a request that asks for strictness with any other schema.
/// Source: OpenAI guide "Structured model outputs", "Supported schemas".
fn can_be_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => {
            let properties = object.get("properties").and_then(Value::as_object);
            let strict = object.get("type") != Some(&json!("object"))
                || properties.is_some_and(|properties| {
                    let required = object.get("required").and_then(Value::as_array);
                    let required = required.map_or(&[][..], Vec::as_slice);
                    object.get("additionalProperties") == Some(&json!(false))
                        && properties
                            .keys()
                            .all(|key| required.iter().any(|name| name == key))
                });
            strict && object.values().all(can_be_strict)
        }
        Value::Array(items) => items.iter().all(can_be_strict),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::{Prompt, ToolStatus};
    use crate::model::Origin;
    use crate::run::ModelRole;

    fn request(system: &str, tools: Vec<ToolSpec>, messages: Vec<Message>) -> Request {
        Request {
            role: ModelRole::Agent,
            prompt: Prompt::new(system.to_owned(), tools),
            messages,
            tool_choice: ToolChoice::Required,
            output: None,
            origin: Origin::default(),
        }
    }

    fn done() -> ToolSpec {
        ToolSpec {
            name: "done".into(),
            description: "Ends.".into(),
            parameters: json!({ "type": "object", "properties": {} }),
        }
    }

    #[test]
    fn a_conversation_keeps_its_order_and_ties_results_to_calls() {
        let calls = vec![
            ToolCall {
                id: "c1".into(),
                name: "done".into(),
                arguments: json!({ "a": "é" }),
            },
            ToolCall {
                id: "c2".into(),
                name: "done".into(),
                arguments: json!("{\"a\":"),
            },
        ];
        let messages = vec![
            Message::user("1", "Mail."),
            Message::assistant("2", "", calls.clone()),
            Message::tool("3", &calls[0], ToolStatus::Executed, "Done."),
            Message::tool("4", &calls[1], ToolStatus::Failed, "No."),
            Message::assistant("5", "", Vec::new()),
            Message::assistant("6", "Well.", Vec::new()),
        ];
        let body = encode(&request("Be brief.", vec![done()], messages), "gpt-x");
        let sent = |id: &str, arguments: &str| {
            json!({
                "id": id,
                "type": "function",
                "function": { "name": "done", "arguments": arguments },
            })
        };
        let expected = json!({
            "model": "gpt-x",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "Mail." },
                {
                    "role": "assistant",
                    "content": null,
                    "tool_calls": [
                        sent("c1", r#"{"a":"é"}"#),
                        sent("c2", r#"{"malformed":"{\"a\":"}"#),
                    ],
                },
                { "role": "tool", "tool_call_id": "c1", "content": "Done." },
                { "role": "tool", "tool_call_id": "c2", "content": "No." },
                { "role": "assistant", "content": "Well." },
            ],
            "tools": [{
                "type": "function",
                "function": {
                    "name": "done",
                    "description": "Ends.",
                    "parameters": { "type": "object", "properties": {} },
                },
            }],
            "tool_choice": "required",
            "temperature": 0,
        });
        // As text, so that the order of the fields is part of it: recordings depend on it.
        assert_eq!(body.to_string(), expected.to_string());
    }

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        let body = encode(
            &request("", Vec::new(), vec![Message::user("1", "Hi")]),
            "m",
        );
        let expected = json!({
            "model": "m",
            "messages": [{ "role": "user", "content": "Hi" }],
            "temperature": 0,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_tool_choice_is_sent_by_its_name() {
        for (choice, name) in [
            (ToolChoice::None, "none"),
            (ToolChoice::Auto, "auto"),
            (ToolChoice::Required, "required"),
        ] {
            let mut request = request("", vec![done()], Vec::new());
            request.tool_choice = choice;
            assert_eq!(encode(&request, "m")["tool_choice"], name);
        }
    }

    #[test]
    fn an_output_is_strict_where_its_schema_can_be() {
        let closed = json!({
            "type": "object",
            "properties": { "a": { "type": "string" } },
            "required": ["a"],
            "additionalProperties": false,
        });
        let with = |key: &str, value: Value| {
            let mut schema = closed.clone();
            schema[key] = value;
            schema
        };
        let inside = |inner: Value| {
            with(
                "properties",
                json!({ "a": { "type": "array", "items": inner } }),
            )
        };
        for (what, schema, strict) in [
            ("closed", closed.clone(), true),
            ("closed within", inside(closed.clone()), true),
            ("open", with("additionalProperties", json!(true)), false),
            ("optional", with("required", json!([])), false),
            ("open within", inside(json!({ "type": "object" })), false),
        ] {
            let mut request = request("", Vec::new(), Vec::new());
            let name = "answer".to_owned();
            request.output = Some(Arc::new(OutputSchema {
                name,
                schema: schema.clone(),
            }));
            let expected = json!({
                "type": "json_schema",
                "json_schema": { "name": "answer", "strict": strict, "schema": schema },
            });
            assert_eq!(encode(&request, "m")["response_format"], expected, "{what}");
        }
    }
}
