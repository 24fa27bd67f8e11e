//! Source: Gemini API reference, "Generating content"; guides "Function calling" and
//! "Structured outputs"; Google Cloud API design guide, "Errors".

use serde_json::{Value, json};

use super::family::{End, Family, Fields, Heard, Said, Turn, ensure, name, object};
use super::server::Asked;

pub static FAMILY: Family = Family {
    provider: "google",
    base: "/v1beta",
    line: "POST /v1beta/models/m:generateContent HTTP/1.1",
    key: |key| ("x-goog-api-key", key.to_owned()),
    hear,
    say,
    complain,
    used_up: Some(|| {
        let mut body = complain(429, "You exceeded your current quota.");
        body["error"]["details"] = json!([
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{ "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }],
            },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s" },
        ]);
        (429, body)
    }),
    errors_have_kinds: true,
    can_force: true,
    can_seed: true,
    has_ids: false,
    default_max_tokens: None,
    cached_tokens: 3,
    ends: &[End::Length, End::Filtered],
};

fn hear(asked: &Asked) -> Result<Heard, String> {
    let mut fields = Fields::of(&asked.body)?;
    let mut heard = Heard::default();
    if let Some(part) = fields.take("systemInstruction").pointer("/parts/0") {
        heard.system = Fields::of(part)?.text("text")?;
    }
    let mut side = "model".to_owned();
    let mut waiting: Vec<String> = Vec::new();
    for content in fields.list("contents")? {
        let mut content = Fields::of(&content)?;
        let role = content.text("role")?;
        ensure(role != side, "alternating roles", &role)?;
        side = role;
        let mut spoken = (String::new(), Vec::new());
        let parts = content.list("parts")?;
        ensure(!parts.is_empty(), "parts", "none")?;
        for part in &parts {
            let (call, response) = (&part["functionCall"], &part["functionResponse"]);
            match side.as_str() {
                "user" if response.is_object() => {
                    // Results answer the calls in their order.
                    let tool = Fields::of(response)?.text("name")?;
                    ensure(!waiting.is_empty(), "a result without its call", response)?;
                    ensure(waiting.remove(0) == tool, "the order of results", response)?;
                    let told = &response["response"];
                    let told = told["result"].as_str().or(told["error"].as_str());
                    let told = told.ok_or("response")?.to_owned();
                    heard.turns.push(Turn::Result(tool, told));
                }
                "user" => {
                    ensure(waiting.is_empty(), "a call without its result", part)?;
                    heard
                        .turns
                        .push(Turn::User(Fields::of(part)?.text("text")?));
                }
                "model" if call.is_object() => {
                    let mut call = Fields::of(call)?;
                    let name = name(call.text("name")?)?;
                    let args = call.take("args");
                    ensure(args.is_object(), "args", &args)?;
                    call.end()?;
                    waiting.push(name.clone());
                    spoken.1.push((name, args));
                }
                "model" => spoken.0 = Fields::of(part)?.text("text")?,
                side => return Err(format!("role {side}")),
            }
        }
        if side == "model" {
            heard.turns.push(Turn::Assistant(spoken.0, spoken.1));
        }
        content.end()?;
    }
    ensure(
        waiting.is_empty(),
        "a call without its result",
        waiting.len(),
    )?;

    for tool in fields.list("tools")? {
        for tool in Fields::of(&tool)?.list("functionDeclarations")? {
            let mut tool = Fields::of(&tool)?;
            let name = name(tool.text("name")?)?;
            let schema = object(tool.take("parametersJsonSchema"))?;
            heard.tools.push((name, tool.text("description")?, schema));
            tool.end()?;
        }
    }
    let config = fields.take("toolConfig");
    let mode = &config["functionCallingConfig"]["mode"];
    heard.choice = match mode.as_str() {
        Some("ANY") => Some("required".to_owned()),
        Some("AUTO") => Some("auto".to_owned()),
        Some("NONE") => Some("none".to_owned()),
        Some(mode) => return Err(format!("mode {mode}")),
        None => None,
    };
    ensure(
        heard.choice.is_none() == heard.tools.is_empty(),
        "mode",
        mode,
    )?;
    let config = fields.take("generationConfig");
    if config.is_object() {
        let mut config = Fields::of(&config)?;
        heard.temperature = config.take("temperature").as_f64();
        heard.max_tokens = config.take("maxOutputTokens").as_u64();
        heard.seed = config.take("seed").as_u64();
        let thinking = config.take("thinkingConfig");
        heard.effort = thinking["thinkingLevel"].as_str().map(str::to_owned);
        let mime = config.take("responseMimeType");
        let schema = config.take("responseJsonSchema");
        if !schema.is_null() {
            ensure(mime == "application/json", "responseMimeType", &mime)?;
            heard.schema = Some(object(schema)?);
        }
        config.end()?;
    }
    heard.extra = fields.rest();
    Ok(heard)
}

fn say(said: &Said) -> Value {
    let mut parts = vec![json!({ "text": "Let me think.", "thought": true })];
    if !said.text.is_empty() {
        parts.push(json!({ "text": said.text }));
    }
    if let Some((_, object)) = &said.output {
        parts.push(json!({ "text": object.to_string() }));
    }
    for (name, args) in &said.calls {
        parts.push(json!({ "functionCall": { "name": name, "args": args } }));
    }
    let reason = match said.end {
        Some(End::Length) => "MAX_TOKENS",
        Some(End::Filtered) => "SAFETY",
        Some(End::Refused) => unreachable!(),
        None => "STOP",
    };
    json!({
        "candidates": [{
            "content": { "role": "model", "parts": parts }, "finishReason": reason, "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 11, "cachedContentTokenCount": 3, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2, "totalTokenCount": 18,
        },
        "modelVersion": "m", "responseId": "r1",
    })
}

fn complain(status: u16, message: &str) -> Value {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "UNKNOWN",
    };
    json!({ "error": { "code": status, "message": message, "status": name } })
}
