//! Chat completions: OpenAI's own, and those of most other providers and servers.
//!
//! Servers that speak them differ in what they leave out, so an answer is read field by
//! field: what is missing is empty, and what is of another type is not there.
//!
//! Source: OpenAI API reference, "Create chat completion".

use std::borrow::Cow;

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::dialect::{Dialect, OutputFormat};
use super::failure::Fault;
use super::{Account, arguments, as_object, merge, number, text};
use crate::message::{Message, Role, ToolCall, ToolSpec};
use crate::model::{OutputSchema, Reply, Request, ToolChoice};
use crate::run::{Stop, TokenUsage};

pub fn url(account: &Account) -> Url {
    account.endpoint.below(&["chat", "completions"])
}

/// The body that asks.
pub fn encode(request: &Request, account: &Account) -> Value {
    let (dialect, settings) = (account.dialect(), &account.settings);
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    let system = system(request, &dialect);
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(request.messages.iter().filter_map(message));

    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("model", json!(account.model));
    set("messages", Value::Array(messages));
    let tools = request.prompt.tools();
    // A choice without tools is refused by OpenAI.
    if !tools.is_empty() {
        set("tools", tools.iter().map(tool).collect());
        let choice = match request.tool_choice {
            ToolChoice::None => "none",
            ToolChoice::Auto => "auto",
            ToolChoice::Required => "required",
        };
        set("tool_choice", json!(choice));
    }
    if let Some(output) = &request.output {
        set("response_format", format(output, &dialect));
    }
    if let Some(temperature) = settings.sent_temperature() {
        set("temperature", number(temperature));
    }
    if let Some(max_tokens) = settings.max_tokens {
        set(dialect.max_tokens, json!(max_tokens));
    }
    if let Some(seed) = settings.seed {
        set(dialect.seed, json!(seed));
    }
    if let Some(effort) = &settings.reasoning_effort {
        set("reasoning_effort", json!(effort));
    } else if dialect.thinks_unless_told {
        set("thinking", json!({ "type": "disabled" }));
    }
    merge(&mut body, &settings.extra_body);
    Value::Object(body)
}

fn system<'a>(request: &'a Request, dialect: &Dialect) -> Cow<'a, str> {
    let system = request.prompt.system();
    match (&request.output, dialect.output) {
        (Some(output), OutputFormat::Object) => {
            let schema = &output.schema;
            let asked = format!("Answer with one JSON object of this JSON Schema: {schema}");
            Cow::Owned(format!("{system}\n\n{asked}").trim_start().to_owned())
        }
        _ => Cow::Borrowed(system),
    }
}

/// The reply in a chat completion.
///
/// Arguments of a call that are no JSON become the string that the model wrote, so that
/// whoever checks the call can quote it. A refusal is content where there is no other.
///
/// # Errors
/// Where there is none.
pub fn decode(answer: &Value) -> Result<Reply, Fault> {
    let choice = &answer["choices"][0];
    if !choice.is_object() {
        return Err(Fault::unreadable("it holds no `choices`"));
    }
    // OpenRouter tells here of a provider that broke off.
    if choice["error"].is_object() {
        return Err(Fault::reported(200, choice));
    }
    let message = &choice["message"];
    let refusal = text(&message["refusal"]);
    let stop = match choice["finish_reason"].as_str() {
        Some("length" | "model_length") => Some(Stop::Length),
        Some("content_filter") => Some(Stop::Filtered),
        _ => (!refusal.is_empty()).then_some(Stop::Refusal),
    };
    let content = text(&message["content"]);
    let usage = &answer["usage"];
    let tokens = |place: &str| usage.pointer(place).and_then(Value::as_u64);
    let calls = message["tool_calls"].as_array();
    Ok(Reply {
        content: if content.is_empty() { refusal } else { content },
        tool_calls: calls.into_iter().flatten().map(call_made).collect(),
        usage: TokenUsage {
            input_tokens: tokens("/prompt_tokens").unwrap_or_default(),
            output_tokens: tokens("/completion_tokens").unwrap_or_default(),
            cached_input_tokens: tokens("/prompt_tokens_details/cached_tokens")
                .or_else(|| tokens("/prompt_cache_hit_tokens"))
                .unwrap_or_default(),
            cost: None,
        },
        stop,
        latency: None,
    })
}

/// Without a name where the server gave none: an unknown tool to whoever runs the call.
fn call_made(call: &Value) -> ToolCall {
    ToolCall {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: arguments(&call["function"]["arguments"]),
    }
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
    let arguments = as_object(&call.arguments).to_string();
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

fn format(output: &OutputSchema, dialect: &Dialect) -> Value {
    if dialect.output == OutputFormat::Object {
        return json!({ "type": "json_object" });
    }
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

    use super::super::account::tests::account;
    use super::*;
    use crate::message::{Prompt, ToolStatus};
    use crate::model::{ErrorKind, Origin};
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

    fn encode(request: &Request, model: &str) -> Value {
        super::encode(request, &account("openai", model, "http://127.0.0.1:1/v1"))
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

    #[test]
    fn settings_are_sent_as_each_provider_calls_them() {
        let settings = json!({ "max_tokens": 9, "seed": 7, "reasoning_effort": "low" });
        let thinking = json!({ "type": "disabled" });
        for (provider, url, given, sent) in [
            (
                "openai",
                "https://api.openai.com/v1",
                settings.clone(),
                json!({ "max_completion_tokens": 9, "seed": 7, "reasoning_effort": "low" }),
            ),
            (
                "openai",
                "http://127.0.0.1:1/v1",
                settings.clone(),
                json!({ "max_tokens": 9, "seed": 7, "reasoning_effort": "low" }),
            ),
            (
                "mistral",
                "https://api.mistral.ai/v1",
                settings.clone(),
                json!({ "max_tokens": 9, "random_seed": 7, "reasoning_effort": "low" }),
            ),
            (
                "deepseek",
                "https://api.deepseek.com",
                settings.clone(),
                json!({ "max_tokens": 9, "seed": 7, "reasoning_effort": "low" }),
            ),
            (
                "deepseek",
                "https://api.deepseek.com",
                json!({}),
                json!({ "thinking": thinking }),
            ),
        ] {
            let mut account = account(provider, "m", url);
            account.settings = serde_json::from_value(given).unwrap();
            let body = super::encode(&request("", Vec::new(), Vec::new()), &account);
            let mut expected = json!({ "model": "m", "messages": [], "temperature": 0 });
            merge(expected.as_object_mut().unwrap(), sent.as_object().unwrap());
            assert_eq!(body, expected, "{provider} {url}");
        }
    }

    #[test]
    fn a_schema_is_put_into_words_where_none_can_be_sent() {
        let mut request = request("Be brief.", Vec::new(), Vec::new());
        let schema = json!({ "type": "object" });
        let name = "answer".to_owned();
        request.output = Some(Arc::new(OutputSchema { name, schema }));
        let body = super::encode(
            &request,
            &account("deepseek", "m", "https://api.deepseek.com"),
        );
        assert_eq!(body["response_format"], json!({ "type": "json_object" }));
        let words =
            "Be brief.\n\nAnswer with one JSON object of this JSON Schema: {\"type\":\"object\"}";
        assert_eq!(body["messages"][0]["content"], words);
    }

    fn message_answered(message: Value) -> Value {
        json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] })
    }

    #[test]
    fn content_is_text_parts_or_a_refusal() {
        for (given, content) in [
            (json!({ "content": "Hello" }), "Hello"),
            (json!({ "content": null }), ""),
            (json!({}), ""),
            (Value::Null, ""),
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
            let found = decode(&message_answered(given.clone())).unwrap();
            assert_eq!(found.content, content, "{given}");
            assert_eq!(found.tool_calls, [], "{given}");
            assert_eq!(found.usage, TokenUsage::default(), "{given}");
            let refused = given["refusal"].is_string().then_some(Stop::Refusal);
            assert_eq!(found.stop, refused, "{given}");
        }
    }

    #[test]
    fn arguments_are_read_however_a_server_writes_them() {
        let call = |id: Value, arguments: Value| json!({ "id": id, "function": { "name": "f", "arguments": arguments } });
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
        let found = decode(&message_answered(json!({ "tool_calls": written }))).unwrap();
        let expected = calls.iter().map(|(_, id, arguments)| ToolCall {
            id: (*id).to_owned(),
            name: "f".to_owned(),
            arguments: arguments.clone(),
        });
        assert_eq!(found.tool_calls, expected.collect::<Vec<_>>());
        let nameless = decode(&message_answered(json!({ "tool_calls": [{}] }))).unwrap();
        assert_eq!(nameless.tool_calls[0].name, "");
    }

    #[test]
    fn tokens_are_read_from_wherever_they_stand() {
        for (usage, input, output, cached) in [
            (json!({}), 0, 0, 0),
            (
                json!({ "prompt_tokens": 7, "completion_tokens": 3 }),
                7,
                3,
                0,
            ),
            (
                json!({ "prompt_tokens": 7, "prompt_tokens_details": { "cached_tokens": 4 } }),
                7,
                0,
                4,
            ),
            (
                json!({ "prompt_tokens": 7, "prompt_cache_hit_tokens": 5 }),
                7,
                0,
                5,
            ),
            (
                json!({ "prompt_tokens": -1, "completion_tokens": "3" }),
                0,
                0,
                0,
            ),
        ] {
            let mut answer = message_answered(json!({}));
            answer["usage"] = usage.clone();
            let expected = TokenUsage {
                input_tokens: input,
                output_tokens: output,
                cached_input_tokens: cached,
                cost: None,
            };
            assert_eq!(decode(&answer).unwrap().usage, expected, "{usage}");
        }
    }

    #[test]
    fn an_answer_without_a_choice_is_none_and_may_say_why() {
        for (answer, kind) in [
            (json!({}), ErrorKind::Unreadable),
            (json!({ "choices": [] }), ErrorKind::Unreadable),
            (json!({ "choices": "none" }), ErrorKind::Unreadable),
            (
                json!({ "choices": [{ "error": { "code": 502, "message": "x" }, "finish_reason": "error" }] }),
                ErrorKind::Server,
            ),
        ] {
            assert_eq!(decode(&answer).unwrap_err().kind, kind, "{answer}");
        }
    }
}
