//! Source: OpenAI API reference, "Create chat completion", "The chat completion object".

use serde_json::{Value, json};

use super::family::{End, Family, Fields, Heard, Said, Turn, Waiting, ensure, name, object};
use super::server::Asked;

pub static FAMILY: Family = Family {
    provider: "openai",
    base: "/v1",
    line: "POST /v1/chat/completions HTTP/1.1",
    key: |key| ("authorization", format!("Bearer {key}")),
    hear,
    say,
    complain,
    used_up: Some(|| {
        let error = json!({
            "message": "You exceeded your current quota.",
            "type": "insufficient_quota", "param": null, "code": "insufficient_quota",
        });
        (429, json!({ "error": error }))
    }),
    errors_have_kinds: true,
    can_force: true,
    can_seed: true,
    has_ids: true,
    default_max_tokens: None,
    cached_tokens: 3,
    ends: &[End::Length, End::Refused, End::Filtered],
};

fn hear(asked: &Asked) -> Result<Heard, String> {
    let mut fields = Fields::of(&asked.body)?;
    ensure(fields.text("model")? == "m", "the model", &asked.body)?;
    let mut heard = Heard::default();
    let messages = fields.list("messages")?;
    let mut waiting = Waiting::default();
    for (index, message) in messages.iter().enumerate() {
        let mut message = Fields::of(message)?;
        let role = message.text("role")?;
        if role != "tool" {
            waiting.none()?;
        }
        match role.as_str() {
            "system" if index == 0 => heard.system = message.text("content")?,
            "user" => heard.turns.push(Turn::User(message.text("content")?)),
            "tool" => {
                let tool = waiting.result(&message.text("tool_call_id")?)?;
                let content = message.text("content")?;
                heard.turns.push(Turn::Result(tool, content));
            }
            "assistant" => {
                let content = message.take("content");
                let calls = message.list("tool_calls")?;
                let text = content.as_str().unwrap_or_default().to_owned();
                ensure(!text.is_empty() || !calls.is_empty(), "a message", &content)?;
                let calls = calls.iter().map(|call| called(call, &mut waiting));
                let calls = calls.collect::<Result<_, String>>()?;
                heard.turns.push(Turn::Assistant(text, calls));
            }
            role => return Err(format!("role {role}")),
        }
        message.end()?;
    }
    waiting.none()?;

    for tool in fields.list("tools")? {
        ensure(tool["type"] == "function", "a tool", &tool)?;
        let mut tool = Fields::of(&tool["function"])?;
        let name = name(tool.text("name")?)?;
        let schema = object(tool.take("parameters"))?;
        heard.tools.push((name, tool.text("description")?, schema));
        tool.end()?;
    }
    let choice = fields.take("tool_choice");
    ensure(
        choice.is_null() == heard.tools.is_empty(),
        "tool_choice",
        &choice,
    )?;
    if let Some(choice) = choice.as_str() {
        ensure(
            ["none", "auto", "required"].contains(&choice),
            "tool_choice",
            choice,
        )?;
        heard.choice = Some(choice.to_owned());
    }
    let format = fields.take("response_format");
    if !format.is_null() {
        ensure(format["type"] == "json_schema", "response_format", &format)?;
        let mut format = Fields::of(&format["json_schema"])?;
        name(format.text("name")?)?;
        ensure(format.take("strict").is_boolean(), "strict", "no boolean")?;
        heard.schema = Some(object(format.take("schema"))?);
        format.end()?;
    }
    heard.temperature = fields.take("temperature").as_f64();
    heard.max_tokens = fields.take("max_tokens").as_u64();
    heard.seed = fields.take("seed").as_u64();
    heard.effort = fields.take("reasoning_effort").as_str().map(str::to_owned);
    heard.extra = fields.rest();
    Ok(heard)
}

fn called(call: &Value, waiting: &mut Waiting) -> Result<(String, Value), String> {
    ensure(call["type"] == "function", "a call", call)?;
    let mut function = Fields::of(&call["function"])?;
    let name = name(function.text("name")?)?;
    let arguments: Value =
        serde_json::from_str(&function.text("arguments")?).map_err(|error| error.to_string())?;
    ensure(arguments.is_object(), "arguments", &arguments)?;
    function.end()?;
    waiting.call(Fields::of(call)?.text("id")?, &name)?;
    Ok((name, arguments))
}

pub fn say(said: &Said) -> Value {
    let mut message = json!({ "role": "assistant", "content": said.text, "refusal": null });
    if said.text.is_empty() {
        message["content"] = Value::Null;
    }
    if let Some((_, object)) = &said.output {
        message["content"] = json!(object.to_string());
    }
    if said.end == Some(End::Refused) {
        message["refusal"] = message["content"].take();
    }
    let calls: Vec<Value> = said.calls.iter().enumerate().map(written).collect();
    let reason = match said.end {
        Some(End::Length) => "length",
        Some(End::Filtered) => "content_filter",
        _ if calls.is_empty() => "stop",
        _ => "tool_calls",
    };
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason, "logprobs": null }],
        "usage": {
            "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
            "prompt_tokens_details": { "cached_tokens": 3, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 2 },
        },
        "service_tier": "default", "system_fingerprint": null,
    })
}

fn written((index, (name, arguments)): (usize, &(&str, Value))) -> Value {
    let arguments = match arguments {
        Value::String(broken) => broken.clone(),
        arguments => arguments.to_string(),
    };
    json!({
        "id": format!("call_{index}"), "type": "function",
        "function": { "name": name, "arguments": arguments },
    })
}

fn complain(status: u16, message: &str) -> Value {
    let code = match status {
        401 => json!("invalid_api_key"),
        404 => json!("model_not_found"),
        429 => json!("rate_limit_exceeded"),
        // As OpenRouter and llama.cpp write it.
        500.. => json!(status),
        _ => Value::Null,
    };
    let kind = match status {
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}
