//! A model's call as a run that the service renders as a conversation, and counts.
//!
//! Messages, tools, and answers have the form of chat completions, the one that every part of
//! the service knows.

use serde_json::{Value, json};

use super::{Told, some};
use crate::langsmith::wire::Object;
use crate::message::{Message, Role, ToolCall, ToolSpec};
use crate::model::settings::Settings;
use crate::run::{Stop, TokenUsage};
use crate::trace::ModelCall;

/// Whose the offline model is: nobody has a price for it.
const OURS: &str = "mailproof";

pub fn told(call: &ModelCall) -> Told {
    let system =
        (!call.system.is_empty()).then(|| json!({ "role": "system", "content": call.system }));
    let messages = system.into_iter().chain(call.messages.iter().map(message));
    let tools = call.tools.iter().map(tool);
    let usage = usage(&call.usage);
    let answer = json!({
        "finish_reason": finish_reason(call),
        "message": assistant(&call.text, &call.tool_calls),
    });
    Told {
        inputs: some([
            ("messages", Some(messages.collect())),
            ("tools", (!call.tools.is_empty()).then(|| tools.collect())),
        ]),
        outputs: some([
            ("choices", Some(json!([answer]))),
            ("usage_metadata", Some(json!(usage))),
        ]),
        metadata: metadata(call, usage),
    }
}

/// What the service looks prices up by, and shows beside the conversation.
fn metadata(call: &ModelCall, usage: Object) -> Object {
    let Settings {
        max_tokens,
        seed,
        reasoning_effort,
        extra_body,
        temperature: _,
    } = &call.settings;
    let (provider, model) = match call.model.split_once(':') {
        // As its prices are listed.
        Some(("google", model)) => ("google_genai", model),
        Some((provider, model)) => (provider, model),
        None => (OURS, call.model.as_str()),
    };
    let temperature = call.settings.sent_temperature();
    let temperature = temperature.filter(|_| provider != OURS).map(Value::from);
    let invocation = some([
        ("temperature", temperature.clone()),
        ("max_tokens", max_tokens.map(Value::from)),
        ("seed", seed.map(Value::from)),
        (
            "reasoning_effort",
            reasoning_effort.as_deref().map(Value::from),
        ),
        (
            "extra_body",
            (!extra_body.is_empty()).then(|| extra_body.clone().into()),
        ),
    ]);
    some([
        ("ls_provider", Some(json!(provider))),
        ("ls_model_name", Some(json!(model))),
        ("ls_model_type", Some(json!("chat"))),
        ("ls_temperature", temperature),
        ("ls_max_tokens", max_tokens.map(Value::from)),
        (
            "ls_invocation_params",
            (!invocation.is_empty()).then(|| invocation.into()),
        ),
        ("role", Some(json!(call.role))),
        ("usage_metadata", Some(usage.into())),
    ])
}

/// The service takes these keys and no others. What each part cost is not in the journal.
fn usage(usage: &TokenUsage) -> Object {
    let TokenUsage {
        input_tokens,
        output_tokens,
        cached_input_tokens,
        cost,
    } = usage;
    some([
        ("input_tokens", Some(json!(input_tokens))),
        ("output_tokens", Some(json!(output_tokens))),
        (
            "total_tokens",
            Some(json!(input_tokens.saturating_add(*output_tokens))),
        ),
        (
            "input_token_details",
            (*cached_input_tokens > 0).then(|| json!({ "cache_read": cached_input_tokens })),
        ),
        ("total_cost", cost.map(|cost| json!(cost.usd()))),
    ])
}

fn finish_reason(call: &ModelCall) -> &'static str {
    match call.stop {
        Some(Stop::Length) => "length",
        Some(Stop::Refusal) => "refusal",
        Some(Stop::Filtered) => "content_filter",
        None if call.tool_calls.is_empty() => "stop",
        None => "tool_calls",
    }
}

fn message(message: &Message) -> Value {
    match message.role {
        Role::User => json!({ "role": "user", "content": message.content }),
        Role::Assistant => assistant(&message.content, &message.tool_calls),
        Role::Tool => some([
            ("role", Some(json!("tool"))),
            (
                "tool_call_id",
                message.tool_call_id.as_deref().map(Value::from),
            ),
            ("name", message.name.as_deref().map(Value::from)),
            ("content", Some(json!(message.content))),
        ])
        .into(),
    }
}

fn assistant(text: &str, calls: &[ToolCall]) -> Value {
    let calls: Vec<Value> = calls.iter().map(tool_call).collect();
    let content = match text.is_empty() && !calls.is_empty() {
        true => Value::Null,
        false => text.into(),
    };
    some([
        ("role", Some(json!("assistant"))),
        ("content", Some(content)),
        ("tool_calls", (!calls.is_empty()).then(|| calls.into())),
    ])
    .into()
}

fn tool_call(call: &ToolCall) -> Value {
    let arguments = match &call.arguments {
        // No object: what the model wrote in its place.
        Value::String(text) => text.clone(),
        arguments => arguments.to_string(),
    };
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}

fn tool(spec: &ToolSpec) -> Value {
    json!({ "type": "function", "function": spec })
}
