//! `--live`: one cheap call for each thing that agents need of a model.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Check;
use super::models::Models;
use crate::message::{Message, Prompt, ToolSpec};
use crate::model::http::{Connections, Endpoint};
use crate::model::{Model, OutputSchema, Reply, Request, ToolChoice};
use crate::run::ModelRole;

/// How long a server may take to tell its time.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// A difference of clocks from which dates in prompts and in requests are off.
const MOST_SKEW: Duration = Duration::from_secs(60);

/// A thing that agents need.
#[derive(Clone, Copy)]
enum Need {
    Reply,
    ToolCall,
    Schema,
}

pub async fn checks(models: &Models<'_>) -> Vec<Check> {
    let connections = Connections::default();
    let mut checks = Vec::new();
    for name in models.live() {
        let role = models.role(name);
        let connected = models.open(name).expect("it was opened before");
        let model = connected.get(name, role).expect("it was asked for");
        for need in [Need::Reply, Need::ToolCall, Need::Schema] {
            let check = need.check(name, role, &*model).await;
            let answered = check.passed;
            checks.push(check);
            // The others would fail for the same reason, or cost for nothing.
            if !answered && matches!(need, Need::Reply) {
                break;
            }
        }
        if let Some((account, _)) = connected.account(name, role) {
            checks.push(clock(name, &connections, &account.endpoint).await);
        }
    }
    checks
}

impl Need {
    async fn check(self, name: &str, role: ModelRole, model: &dyn Model) -> Check {
        let what = format!("live {name} {}", self.name());
        let since = Instant::now();
        let reply = match model.ask(&self.request(role)).await {
            Ok(reply) => reply,
            Err(error) => {
                let check = Check::fail(what, error.reason);
                return match self {
                    Need::Reply => check,
                    _ => check.advise(self.advice()),
                };
            }
        };
        let latency = reply.latency.unwrap_or_else(|| since.elapsed());
        let cost = cost(&reply, latency);
        match self.is_met(&reply) {
            true => Check::pass(what, cost),
            false => {
                Check::fail(what, format!("not what was asked for; {cost}")).advise(self.advice())
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Need::Reply => "plain reply",
            Need::ToolCall => "tool call",
            Need::Schema => "JSON schema",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Need::Reply => {
                "the model answered with nothing: give it more `max_tokens`, or choose another"
            }
            Need::ToolCall => {
                "agents call tools, and fail on a model that does not: choose one that does, and start its server so that it may (llama.cpp: `--jinja`; vLLM: `--enable-auto-tool-choice` and a `--tool-call-parser`)"
            }
            Need::Schema => {
                "routers and memory ask for JSON of a schema: choose a model and a server that can answer in it, or leave them to another with --router-model and --memory-model"
            }
        }
    }

    fn request(self, role: ModelRole) -> Request {
        let tool = ToolSpec {
            name: "note".to_owned(),
            description: "Writes a note.".to_owned(),
            parameters: word(),
        };
        let (tools, tool_choice, words) = match self {
            Need::Reply => (Vec::new(), ToolChoice::None, "Reply with the word `ready`."),
            Need::ToolCall => (
                vec![tool],
                ToolChoice::Required,
                "Write the note `ready` by calling the tool.",
            ),
            Need::Schema => (
                Vec::new(),
                ToolChoice::None,
                "Answer with a JSON object whose `word` is `ready`.",
            ),
        };
        let output = OutputSchema {
            name: "answer".to_owned(),
            schema: word(),
        };
        Request {
            role,
            prompt: Prompt::new("You are being tested. Be brief.".to_owned(), tools),
            messages: vec![Message::user("1", words)],
            tool_choice,
            output: matches!(self, Need::Schema).then(|| Arc::new(output)),
            origin: Default::default(),
        }
    }

    fn is_met(self, reply: &Reply) -> bool {
        match self {
            Need::Reply => !reply.content.trim().is_empty(),
            Need::ToolCall => match &reply.tool_calls[..] {
                [call, ..] => call.name == "note" && call.arguments["word"].is_string(),
                [] => false,
            },
            Need::Schema => {
                let answer: Option<Value> = serde_json::from_str(&reply.content).ok();
                answer.is_some_and(|answer| answer["word"].is_string())
            }
        }
    }
}

/// An object that holds a word.
fn word() -> Value {
    json!({
        "type": "object",
        "properties": { "word": { "type": "string", "description": "One word." } },
        "required": ["word"],
        "additionalProperties": false,
    })
}

fn cost(reply: &Reply, latency: Duration) -> String {
    let usage = reply.usage;
    let mut text = format!(
        "{} ms, {} + {} tokens",
        latency.as_millis(),
        usage.input_tokens,
        usage.output_tokens
    );
    match usage.cost {
        Some(cost) => write!(text, ", {:.6} USD", cost.usd()),
        None => write!(text, ", cost unknown"),
    }
    .expect("a string takes all");
    text
}

/// Whether this machine and the server agree on the time.
async fn clock(name: &str, connections: &Connections, endpoint: &Endpoint) -> Check {
    let what = format!("live {name} clock");
    let greeting = match connections.greet(endpoint, GREETING_TIMEOUT).await {
        Ok(greeting) => greeting,
        Err(reason) => return Check::fail(what, format!("the server tells no time: {reason}")),
    };
    let Some(there) = greeting.date else {
        return Check::pass(what, "the server tells no time");
    };
    skew(what, Timestamp::now(), there)
}

fn skew(what: String, here: Timestamp, there: Timestamp) -> Check {
    let seconds = here.duration_since(there).as_secs();
    let found = match seconds {
        -1..=1 => "as the server's".to_owned(),
        2.. => format!("{seconds} s ahead of the server's"),
        _ => format!("{} s behind the server's", -seconds),
    };
    match seconds.unsigned_abs() > MOST_SKEW.as_secs() {
        true => Check::fail(what, found).advise(
            "set this machine's clock: prompts name its date, and servers refuse requests that are too early or late",
        ),
        false => Check::pass(what, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_a_minute() {
        for (there, passed, found) in [
            ("2026-03-02T10:00:00Z", true, "as the server's"),
            ("2026-03-02T10:00:01Z", true, "as the server's"),
            ("2026-03-02T09:59:00Z", true, "60 s ahead of the server's"),
            ("2026-03-02T09:58:59Z", false, "61 s ahead of the server's"),
            ("2026-03-02T10:02:00Z", false, "120 s behind the server's"),
        ] {
            let here = "2026-03-02T10:00:00Z".parse().unwrap();
            let check = skew("clock".to_owned(), here, there.parse().unwrap());
            assert_eq!((check.passed, &*check.found), (passed, found));
            assert_eq!(check.advice.is_some(), !passed);
        }
    }
}
