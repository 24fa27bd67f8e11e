//! Source: Anthropic API reference, "Create a Message", "Errors"; guide "Tool use".

use serde_json::{Value, json};

use super::family::{End, Family, Fields, Heard, Said, Turn, Waiting, ensure, name, object};
use super::server::Asked;

pub static FAMILY: Family = Family {
    provider: "anthropic",
    base: "",
    line: "POST /v1/messages HTTP/1.1",
    key: |key| ("x-api-key", key.to_owned()),
    hear,
    say,
    complain,
    used_up: Some(|| {
        let message = "Your credit balance is too low to access the Anthropic API.";
        (400, complain(400, message))
    }),
    errors_have_kinds: true,
    can_force: true,
    can_seed: false,
    has_ids: true,
    default_max_tokens: Some(4096),
    cached_tokens: 3,
    ends: &[End::Length, End::Refused],
};

fn hear(asked: &Asked) -> Result<Heard, String> {
    let version = asked.header("anthropic-version").unwrap_or_default();
    ensure(version == "2023-06-01", "anthropic-version", version)?;
    let mut fields = Fields::of(&asked.body)?;
    ensure(fields.text("model")? == "m", "the model", &asked.body)?;
    let mut heard = Heard {
        system: fields
            .take("system")
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        max_tokens: fields.take("max_tokens").as_u64(),
        temperature: fields.take("temperature").as_f64(),
        ..Heard::default()
    };
    ensure(heard.max_tokens > Some(0), "max_tokens", &asked.body)?;
    let mut side = "assistant".to_owned();
    let mut waiting = Waiting::default();
    for message in fields.list("messages")? {
        let mut message = Fields::of(&message)?;
        let role = message.text("role")?;
        ensure(role != side, "alternating roles", &role)?;
        side = role;
        let blocks = message.list("content")?;
        ensure(!blocks.is_empty(), "content", "none")?;
        let mut spoken = (String::new(), Vec::new());
        let mut results_are_over = false;
        for block in &blocks {
            let mut block = Fields::of(block)?;
            match (side.as_str(), block.text("type")?.as_str()) {
                ("user", "tool_result") => {
                    ensure(!results_are_over, "results stand first", "text before")?;
                    let tool = waiting.result(&block.text("tool_use_id")?)?;
                    heard.turns.push(Turn::Result(tool, block.text("content")?));
                    block.take("is_error");
                }
                ("user", "text") => {
                    waiting.none()?;
                    results_are_over = true;
                    heard.turns.push(Turn::User(words(&mut block)?));
                }
                ("assistant", "text") => spoken.0 = words(&mut block)?,
                ("assistant", "tool_use") => {
                    let id = block.text("id")?;
                    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                    ensure(id.bytes().all(fits), "an id", &id)?;
                    let name = name(block.text("name")?)?;
                    waiting.call(id, &name)?;
                    let input = block.take("input");
                    ensure(input.is_object(), "input", &input)?;
                    spoken.1.push((name, input));
                }
                (side, block) => return Err(format!("{block} of {side}")),
            }
            block.end()?;
        }
        if side == "assistant" {
            heard.turns.push(Turn::Assistant(spoken.0, spoken.1));
        } else {
            waiting.none()?;
        }
        message.end()?;
    }
    waiting.none()?;

    for tool in fields.list("tools")? {
        let mut tool = Fields::of(&tool)?;
        let name = name(tool.text("name")?)?;
        let schema = object(tool.take("input_schema"))?;
        heard.tools.push((name, tool.text("description")?, schema));
        tool.end()?;
    }
    let choice = fields.take("tool_choice");
    ensure(
        choice.is_null() == heard.tools.is_empty(),
        "tool_choice",
        &choice,
    )?;
    match choice["type"].as_str() {
        Some("any") => heard.choice = Some("required".to_owned()),
        Some("auto" | "none") => heard.choice = choice["type"].as_str().map(str::to_owned),
        // The one tool is the shape of the answer.
        Some("tool") => {
            let (name, _, schema) = heard.tools.pop().unwrap();
            ensure(choice["name"] == name, "tool_choice", &choice)?;
            heard.schema = Some(schema);
        }
        _ => ensure(choice.is_null(), "tool_choice", &choice)?,
    }
    let config = fields.take("output_config");
    heard.effort = config["effort"].as_str().map(str::to_owned);
    heard.extra = fields.rest();
    Ok(heard)
}

fn words(block: &mut Fields) -> Result<String, String> {
    let text = block.text("text")?;
    ensure(!text.trim().is_empty(), "text", "blank")?;
    Ok(text)
}

fn say(said: &Said) -> Value {
    let mut content = Vec::new();
    if !said.text.is_empty() {
        content.push(json!({ "type": "text", "text": said.text, "citations": null }));
    }
    for (index, (name, input)) in said.calls.iter().enumerate() {
        let id = format!("call_{index}");
        content.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
    }
    if let Some((name, input)) = &said.output {
        content.push(json!({ "type": "tool_use", "id": "call_0", "name": name, "input": input }));
    }
    let reason = match said.end {
        Some(End::Length) => "max_tokens",
        Some(End::Refused) => "refusal",
        Some(End::Filtered) => unreachable!(),
        None if content.iter().any(|block| block["type"] == "tool_use") => "tool_use",
        None => "end_turn",
    };
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": content, "stop_reason": reason, "stop_sequence": null,
        "usage": {
            "input_tokens": 6, "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3, "output_tokens": 7,
        },
    })
}

fn complain(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({
        "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_1",
    })
}
