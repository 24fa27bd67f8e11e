mod pushing;
mod telling;

use serde_json::{Value, json};

use crate::experiment::Attempt;
use crate::redact::Redactor;
use crate::run::Run;

fn header() -> Value {
    json!({
        "format": "mailproof.journal/1",
        "experiment": "before",
        "tool_version": "1.2.3",
        "created": "2026-03-03T09:00:00Z",
        "date": "2026-03-03",
        "seed": 0,
        "suites": ["triage"],
        "variants": [
            { "name": "baseline@fast", "agent": "baseline", "model": "fast" },
            { "name": "workflow@rules", "agent": "workflow", "model": "rules" },
        ],
        "models": { "fast": { "model": "openai:gpt-x", "settings": {
            "agent": { "temperature": 0.5, "max_tokens": 900, "seed": 7 },
        } } },
        "repeat": 1,
        "dataset": { "name": "emails", "hash": "00", "examples": 1000 },
        "selection": {},
        "examples": 1000,
        "examples_hash": "00",
        "limits": { "timeout_ms": 1000, "max_steps": 25 },
        "triage_costs": {},
    })
}

/// An attempt at the email `position`: asked for a reply, the model called a tool.
fn attempt(variant: u32, position: u32) -> Value {
    json!({
        "case": { "variant": variant, "position": position, "repeat": 0, "example": format!("e{position}") },
        "split": "test",
        "cluster": null,
        "tags": ["billing"],
        "expected": "notify",
        "found": "respond",
        "outcome": "finished",
        "feedback": [
            { "key": "triage.accuracy", "score": 0.0, "comment": "notify was expected, respond found" },
            { "key": "tool_calls.recall", "score": 0.5 },
            { "key": "response.criteria", "score": 1.0, "comment": "the judge quotes it" },
        ],
        "usage": { "agent": { "calls": 1, "input_tokens": 90, "output_tokens": 10, "cost_usd": 0.25 } },
        "latency_ms": 12.5,
        "started": "2026-03-03T09:00:01.5Z",
        "runs": [{
            "outcome": "finished",
            "triage": "respond",
            "messages": [
                { "id": "1", "role": "user", "content": "the email" },
                { "id": "2", "role": "assistant", "content": "", "tool_calls": [
                    { "id": "call-1", "name": "write_email", "arguments": { "to": "the proposal" } },
                ] },
            ],
            "steps": [{ "model": {
                "node": "respond", "role": "agent", "prompt": "00ff",
                "sent": { "log": 1 }, "reply": { "message": "2" },
                "usage": { "input_tokens": 90, "output_tokens": 10, "cached_input_tokens": 40, "cost_usd": 0.25 },
                "latency_ms": 12.0,
            } }],
            "usage": {},
            "latency_ms": 12.5,
        }],
    })
}

fn parsed(attempt: &Value) -> Attempt<Run> {
    serde_json::from_value(attempt.clone()).unwrap()
}

fn nothing_secret() -> Redactor {
    Redactor::new([])
}
