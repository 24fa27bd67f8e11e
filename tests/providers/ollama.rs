//! Source: Ollama, `docs/api.md`, "Generate a chat completion"; "Tool calling"; "Errors".

use serde_json::{Value, json};

use super::family::{End, Family, Fields, Heard, Said, Turn, ensure, name, object};
use super::server::Asked;

pub static FAMILY: Family = Family {
    provider: "ollama",
    base: "",
    line: "POST /api/chat HTTP/1.1",
    key: |key| ("authorization", format!("Bearer {key}")),
    hear,
    say,
    complain: |_, message| json!({ "error": message }),
    used_up: None,
    errors_have_kinds: false,
    can_force: false,
    can_seed: true,
    has_ids: true,
    default_max_tokens: None,
    cached_tokens: 0,
    ends: &[End::Length],
};

fn hear(asked: &Asked) -> Result<Heard, String> {
    let mut fields = Fields::of(&asked.body)?;
    ensure(fields.text("model")? == "m", "the model", &asked.body)?;
    ensure(fields.take("stream") == false, "stream", &asked.body)?;
    let mut heard = Heard::default();
    let mut waiting: Vec<String> = Vec::new();
    for (index, message) in fields.list("messages")?.iter().enumerate() {
        let mut message = Fields::of(message)?;
        let role = message.text("role")?;
        let content = message.text("content")?;
        if role != "tool" {
            ensure(waiting.is_empty(), "a call without its result", &role)?;
        }
        match role.as_str() {
            "system" if index == 0 => heard.system = content,
            "user" => heard.turns.push(Turn::User(content)),
            "tool" => {
                let tool = message.text("tool_name")?;
                ensure(!waiting.is_empty(), "a result without its call", &tool)?;
                ensure(waiting.remove(0) == tool, "the order of results", &tool)?;
                heard.turns.push(Turn::Result(tool, content));
            }
            "assistant" => {
                let mut calls = Vec::new();
                for call in message.list("tool_calls")? {
                    let mut function = Fields::of(&call["function"])?;
                    let name = name(function.text("name")?)?;
                    let arguments = function.take("arguments");
                    ensure(arguments.is_object(), "arguments", &arguments)?;
                    function.end()?;
                    waiting.push(name.clone());
                    calls.push((name, arguments));
                }
                ensure(
                    !content.is_empty() || !calls.is_empty(),
                    "a message",
                    "empty",
                )?;
                heard.turns.push(Turn::Assistant(content, calls));
            }
            role => return Err(format!("role {role}")),
        }
        message.end()?;
    }
    ensure(
        waiting.is_empty(),
        "a call without its result",
        waiting.len(),
    )?;
    for tool in fields.list("tools")? {
        ensure(tool["type"] == "function", "a tool", &tool)?;
        let mut tool = Fields::of(&tool["function"])?;
        let name = name(tool.text("name")?)?;
        let schema = object(tool.take("parameters"))?;
        heard.tools.push((name, tool.text("description")?, schema));
        tool.end()?;
    }
    let format = fields.take("format");
    if !format.is_null() {
        heard.schema = Some(object(format)?);
    }
    let options = fields.take("options");
    if options.is_object() {
        let mut options = Fields::of(&options)?;
        heard.temperature = options.take("temperature").as_f64();
        heard.max_tokens = options.take("num_predict").as_u64();
        heard.seed = options.take("seed").as_u64();
        options.end()?;
    }
    heard.effort = fields.take("think").as_str().map(str::to_owned);
    heard.extra = fields.rest();
    Ok(heard)
}

fn say(said: &Said) -> Value {
    let mut message = json!({ "role": "assistant", "content": said.text });
    if let Some((_, object)) = &said.output {
        message["content"] = json!(object.to_string());
    }
    let calls: Vec<Value> = said
        .calls
        .iter()
        .enumerate()
        .map(|(index, (name, arguments))| {
            let function = json!({ "index": index, "name": name, "arguments": arguments });
            json!({ "id": format!("call_{index}"), "function": function })
        })
        .collect();
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    let reason = match said.end {
        Some(End::Length) => "length",
        Some(End::Refused | End::Filtered) => unreachable!(),
        None => "stop",
    };
    json!({
        "model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message,
        "done": true, "done_reason": reason, "total_duration": 1, "load_duration": 1,
        "prompt_eval_count": 11, "prompt_eval_duration": 1, "eval_count": 7, "eval_duration": 1,
    })
}
