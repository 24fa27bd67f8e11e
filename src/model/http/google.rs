//! Gemini's `generateContent`.
//!
//! Source: Gemini API reference, "Generating content", and its guides "Function calling",
//! "Structured outputs", and "Gemini thinking".

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::failure::Fault;
use super::{Account, arguments, as_object, merge, number, text};
use crate::message::{Message, Role, ToolCall, ToolSpec, ToolStatus};
use crate::model::{Reply, Request, ToolChoice};
use crate::run::{Stop, TokenUsage};

pub fn url(account: &Account) -> Url {
    let endpoint = &account.endpoint;
    let is_version = |segment: &str| {
        let number = segment.strip_prefix('v');
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    };
    let mut segments = Vec::new();
    if !endpoint.segments().any(is_version) {
        segments.push("v1beta");
    }
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
    let keeps_thoughts = keeps_thoughts(&account.model);
    let contents = contents(&request.messages, keeps_thoughts);
    set("contents", Value::Array(contents));
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
        // Gemini 2.5 knows a number of tokens only, later ones a level too.
        let thinking = match effort.parse::<i64>() {
            Ok(tokens) => json!({ "thinkingBudget": tokens }),
            Err(_) => json!({ "thinkingLevel": effort }),
        };
        configure("thinkingConfig", thinking);
    }
    if !config.is_empty() {
        set("generationConfig", Value::Object(config));
    }
    merge(&mut body, &settings.extra_body);
    Value::Object(body)
}

/// From Gemini 3 on, a call that comes back without the signature of the thought behind it
/// is refused, and calls have ids. A conversation of ours has no place for signatures, so
/// the one documented for foreign history stands in for them.
/// Source: Gemini API, "Thought signatures".
fn keeps_thoughts(model: &str) -> bool {
    let model = model.rsplit('/').next().unwrap_or_default();
    let version = model.strip_prefix("gemini-");
    version.is_some_and(|version| !version.starts_with(['1', '2']))
}

const FOREIGN_THOUGHT: &str = "skip_thought_signature_validator";

/// Results of one turn's calls go back together.
fn contents(messages: &[Message], keeps_thoughts: bool) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (side, parts) = match message.role {
            Role::User => ("user", said(&message.content)),
            Role::Tool => ("user", vec![result(message, keeps_thoughts)]),
            Role::Assistant => {
                let mut parts = said(&message.content);
                let mut calls: Vec<_> = message.tool_calls.iter().map(call).collect();
                if keeps_thoughts {
                    for (part, call) in calls.iter_mut().zip(&message.tool_calls) {
                        part["functionCall"]["id"] = json!(call.id);
                    }
                    // Calls made at once follow from one thought.
                    if let Some(first) = calls.first_mut() {
                        first["thoughtSignature"] = json!(FOREIGN_THOUGHT);
                    }
                }
                parts.extend(calls);
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

fn result(message: &Message, with_id: bool) -> Value {
    let key = match message.status {
        ToolStatus::Failed => "error",
        _ => "result",
    };
    let mut response = json!({ "name": message.name, "response": { key: message.content } });
    if with_id {
        response["id"] = json!(message.tool_call_id);
    }
    json!({ "functionResponse": response })
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
    // A call that was no call is kept as it was written.
    if reply.content.is_empty() && candidate["finishReason"] == "MALFORMED_FUNCTION_CALL" {
        reply.content = text(&candidate["finishMessage"]);
    }
    reply.stop = match candidate["finishReason"].as_str() {
        Some("MAX_TOKENS") => Some(Stop::Length),
        Some(
            "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII",
        ) => Some(Stop::Filtered),
        _ => blocked.then_some(Stop::Filtered),
    };
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::account::tests::account;

    #[test]
    fn a_model_has_an_address_below_its_version_and_collection() {
        let google = "https://generativelanguage.googleapis.com";
        let vertex = "https://aiplatform.googleapis.com/v1/projects/p/locations/global";
        for (base, model, sent) in [
            (
                google,
                "gemini-x",
                "/v1beta/models/gemini-x:generateContent",
            ),
            (
                &format!("{google}/v1"),
                "gemini-x",
                "/v1/models/gemini-x:generateContent",
            ),
            (
                google,
                "tunedModels/t",
                "/v1beta/tunedModels/t:generateContent",
            ),
            (google, "a/../b?c", "/v1beta/a/b%3Fc:generateContent"),
            (
                vertex,
                "publishers/google/models/g",
                "/v1/projects/p/locations/global/publishers/google/models/g:generateContent",
            ),
        ] {
            let account = account("google", model, base);
            assert_eq!(url(&account).path(), sent);
        }
    }

    #[test]
    fn thoughts_are_accounted_for_where_the_model_asks_for_them() {
        let call = ToolCall {
            id: "c".to_owned(),
            name: "done".to_owned(),
            arguments: json!({}),
        };
        let messages = [
            Message::assistant("1", "", vec![call.clone(), call.clone()]),
            Message::tool("2", &call, ToolStatus::Failed, "No."),
        ];
        let result = json!({ "name": "done", "response": { "error": "No." } });
        for (model, first, id) in [
            ("gemini-2.5-flash", None, None),
            ("gemma-3", None, None),
            ("gemini-3-pro", Some(FOREIGN_THOUGHT), Some("c")),
            (
                "publishers/google/models/gemini-flash-latest",
                Some(FOREIGN_THOUGHT),
                Some("c"),
            ),
        ] {
            let contents = contents(&messages, keeps_thoughts(model));
            let calls = &contents[0]["parts"];
            assert_eq!(calls[0]["thoughtSignature"].as_str(), first, "{model}");
            assert_eq!(calls[1]["thoughtSignature"], Value::Null, "{model}");
            assert_eq!(calls[1]["functionCall"]["id"].as_str(), id, "{model}");
            let mut result = result.clone();
            if let Some(id) = id {
                result["id"] = json!(id);
            }
            assert_eq!(contents[1]["parts"][0]["functionResponse"], result);
        }
    }

    #[test]
    fn a_blocked_prompt_is_a_filtered_reply_and_a_broken_call_is_kept() {
        let usage = json!({ "promptTokenCount": 4 });
        let blocked =
            json!({ "promptFeedback": { "blockReason": "SAFETY" }, "usageMetadata": usage });
        let reply = decode(&blocked).unwrap();
        assert_eq!(
            (reply.stop, reply.usage.input_tokens),
            (Some(Stop::Filtered), 4)
        );

        let written = "Malformed function call: print(done)";
        let broken = json!({ "candidates": [
            { "content": {}, "finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": written },
        ] });
        assert_eq!(decode(&broken).unwrap().content, written);
        decode(&json!({ "candidates": [] })).unwrap_err();
    }

    #[test]
    fn effort_is_a_level_or_a_number_of_tokens() {
        use crate::message::Prompt;
        for (effort, sent) in [
            ("low", json!({ "thinkingLevel": "low" })),
            ("1024", json!({ "thinkingBudget": 1024 })),
            ("-1", json!({ "thinkingBudget": -1 })),
        ] {
            let mut account = account("google", "m", "http://h");
            account.settings.reasoning_effort = Some(effort.to_owned());
            let request = Request {
                role: crate::run::ModelRole::Agent,
                prompt: Prompt::new(String::new(), Vec::new()),
                messages: Vec::new(),
                tool_choice: ToolChoice::Auto,
                output: None,
                origin: Default::default(),
            };
            let body = encode(&request, &account);
            assert_eq!(body["generationConfig"]["thinkingConfig"], sent);
        }
    }
}
