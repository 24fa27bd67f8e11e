//! What every family must do.

use std::sync::Arc;
use std::time::Duration;

use mailproof::message::{Message, Prompt, ToolCall, ToolSpec, ToolStatus};
use mailproof::model::http::{Connections, Wire};
use mailproof::model::settings::Settings;
use mailproof::model::{Allowance, Left, OutputSchema, Provider, Reply, Request, ToolChoice};
use mailproof::run::{ModelRole, Stop, TokenUsage};
use serde_json::{Map, Value, json};

use super::family::{ALL, End, Family, Heard, KEY, Said, Turn, open};
use super::server::Answer;

pub fn hello() -> Request {
    request(&[], vec![Message::user("1", "Hello")])
}

fn request(tools: &[&str], messages: Vec<Message>) -> Request {
    let tool = |name: &&str| ToolSpec {
        name: (*name).to_owned(),
        description: format!("The {name} tool."),
        parameters: schema(),
    };
    Request {
        role: ModelRole::Agent,
        prompt: Prompt::new("Be brief.".to_owned(), tools.iter().map(tool).collect()),
        messages,
        tool_choice: ToolChoice::Required,
        output: None,
        origin: Default::default(),
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "day": { "type": "string", "enum": ["monday", "friday"] } },
        "required": ["day"],
        "additionalProperties": false,
    })
}

fn user(text: &str) -> Turn {
    Turn::User(text.to_owned())
}

/// What `hello` is heard as.
fn heard_hello(family: &Family) -> Heard {
    Heard {
        system: "Be brief.".to_owned(),
        turns: vec![user("Hello")],
        temperature: Some(0.0),
        max_tokens: family.default_max_tokens,
        ..Heard::default()
    }
}

fn usage(family: &Family) -> TokenUsage {
    TokenUsage {
        input_tokens: 11,
        output_tokens: 7,
        cached_input_tokens: family.cached_tokens,
        cost: None,
    }
}

async fn reply(wire: &Wire, request: &Request) -> Reply {
    let answer = wire.send(request).await;
    answer.result.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn text_comes_back_with_its_usage_and_latency() {
    for family in ALL {
        let text = "Hi";
        let server = family.says(Said {
            text,
            ..Said::default()
        });
        let reply = reply(&family.open(&server), &hello()).await;
        assert!(reply.latency.is_some());
        let expected = Reply {
            content: text.to_owned(),
            usage: usage(family),
            latency: reply.latency,
            ..Reply::default()
        };
        assert_eq!(reply, expected, "{}", family.provider);
        assert_eq!(family.heard(&server), [heard_hello(family)]);
    }
}

#[tokio::test]
async fn a_key_travels_in_its_own_header_and_nowhere_else() {
    for family in ALL {
        let server = family.says(Said::default());
        reply(&family.open_with_key(&server), &hello()).await;
        reply(&family.open(&server), &hello()).await;
        let asked = server.asked();
        let (header, value) = (family.key)(KEY);
        assert_eq!(asked[0].header(header), Some(value.as_str()));
        let with_key = |asked: &super::server::Asked| {
            let everything = format!("{} {:?} {}", asked.line, asked.headers, asked.body);
            everything.matches("canary").count()
        };
        assert_eq!((with_key(&asked[0]), with_key(&asked[1])), (1, 0));
        assert_eq!(asked[1].header(header), None);
    }
}

#[tokio::test]
async fn tools_are_offered_and_may_be_forced_or_forbidden() {
    for family in ALL {
        let server = family.says(Said::default());
        let wire = family.open(&server);
        for (choice, name) in [
            (ToolChoice::Required, "required"),
            (ToolChoice::Auto, "auto"),
            (ToolChoice::None, "none"),
        ] {
            let mut request = request(&["look_up", "done"], vec![Message::user("1", "Hello")]);
            request.tool_choice = choice;
            reply(&wire, &request).await;
            let heard = family.heard(&server).pop().unwrap();
            let tool = |name: &str| (name.to_owned(), format!("The {name} tool."), schema());
            let tools = vec![tool("look_up"), tool("done")];
            if family.can_force {
                assert_eq!(heard.choice.as_deref(), Some(name), "{}", family.provider);
                assert_eq!(heard.tools, tools);
            } else {
                // A tool that may not be called is not offered.
                assert_eq!(heard.choice, None);
                let offered = if choice == ToolChoice::None {
                    vec![]
                } else {
                    tools
                };
                assert_eq!(heard.tools, offered, "{}", family.provider);
            }
        }
    }
}

#[tokio::test]
async fn calls_come_back_in_order_with_broken_arguments_as_they_were_written() {
    for family in ALL {
        let broken = r#"{"day":"#;
        let server = family.says(Said {
            text: "One moment.",
            calls: vec![
                ("look_up", json!({ "day": "monday" })),
                ("look_up", json!(broken)),
                ("done", json!({})),
            ],
            ..Said::default()
        });
        let request = request(&["look_up", "done"], vec![Message::user("1", "Hello")]);
        let reply = reply(&family.open(&server), &request).await;
        let call = |index, name: &str, arguments| ToolCall {
            id: family.id(index),
            name: name.to_owned(),
            arguments,
        };
        let expected = [
            call(0, "look_up", json!({ "day": "monday" })),
            call(1, "look_up", json!(broken)),
            call(2, "done", json!({})),
        ];
        assert_eq!(reply.tool_calls, expected, "{}", family.provider);
        assert_eq!(reply.content, "One moment.");
        assert_eq!(reply.stop, None);
    }
}

#[tokio::test]
async fn results_go_back_to_their_calls() {
    for family in ALL {
        let server = family.says(Said::default());
        // The second id is one of ours, where a provider gave none.
        let calls = [
            ("m1.0", "look_up", json!({ "day": "monday" })),
            ("toolu_1", "done", json!("{")),
        ]
        .map(|(id, name, arguments)| ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments,
        });
        let messages = vec![
            Message::user("1", "Hello"),
            Message::assistant("2", "One moment.", calls.to_vec()),
            Message::tool("3", &calls[0], ToolStatus::Executed, "Free."),
            Message::tool("4", &calls[1], ToolStatus::Failed, "No JSON."),
            Message::assistant("5", "", Vec::new()),
            Message::user("6", "Go on."),
            Message::assistant("7", "Well.", Vec::new()),
            Message::user("8", "And?"),
        ];
        reply(
            &family.open(&server),
            &request(&["look_up", "done"], messages),
        )
        .await;
        let made = vec![
            ("look_up".to_owned(), json!({ "day": "monday" })),
            ("done".to_owned(), json!({ "malformed": "{" })),
        ];
        let result = |tool: &str, told: &str| Turn::Result(tool.to_owned(), told.to_owned());
        let expected = [
            user("Hello"),
            Turn::Assistant("One moment.".to_owned(), made),
            result("look_up", "Free."),
            result("done", "No JSON."),
            user("Go on."),
            Turn::Assistant("Well.".to_owned(), Vec::new()),
            user("And?"),
        ];
        let heard = family.heard(&server);
        assert_eq!(heard[0].turns, expected, "{}", family.provider);
    }
}

#[tokio::test]
async fn an_object_of_a_schema_can_be_asked_for() {
    for family in ALL {
        let object = json!({ "day": "friday" });
        let server = family.says(Said {
            output: Some(("answer", object.clone())),
            ..Said::default()
        });
        let mut request = hello();
        let name = "answer".to_owned();
        request.output = Some(Arc::new(OutputSchema {
            name,
            schema: schema(),
        }));
        let reply = reply(&family.open(&server), &request).await;
        assert_eq!(reply.content, object.to_string(), "{}", family.provider);
        assert_eq!(reply.tool_calls, []);
        let expected = Heard {
            schema: Some(schema()),
            ..heard_hello(family)
        };
        assert_eq!(family.heard(&server), [expected]);
    }
}

#[tokio::test]
async fn a_reply_that_was_not_finished_says_why() {
    for family in ALL {
        for end in family.ends {
            let text = "I cannot";
            let server = family.says(Said {
                text,
                end: Some(*end),
                ..Said::default()
            });
            let reply = reply(&family.open(&server), &hello()).await;
            let stop = match end {
                End::Length => Stop::Length,
                End::Refused => Stop::Refusal,
                End::Filtered => Stop::Filtered,
            };
            assert_eq!(reply.stop, Some(stop), "{}", family.provider);
            assert_eq!(reply.content, text);
            assert_eq!(reply.usage, usage(family));
        }
    }
}

#[tokio::test]
async fn an_empty_reply_is_a_reply() {
    for family in ALL {
        let server = family.says(Said::default());
        let reply = reply(&family.open(&server), &hello()).await;
        let found = (reply.content.as_str(), reply.tool_calls.len(), reply.stop);
        assert_eq!(found, ("", 0, None), "{}", family.provider);
    }
}

#[tokio::test]
async fn settings_are_on_the_wire_and_extra_fields_over_them() {
    for family in ALL {
        let server = family.says(Said::default());
        let told = |settings: Value| {
            let mut account = family.account(&server.origin);
            account.settings = serde_json::from_value::<Settings>(settings).unwrap();
            open(account)
        };
        let extra = json!({ "x_service": { "tier": "flex" } });
        let wire = told(json!({
            "temperature": 0.5, "max_tokens": 300, "seed": 7, "reasoning_effort": "low",
            "extra_body": extra,
        }));
        reply(&wire, &hello()).await;
        reply(&told(json!({ "temperature": "none" })), &hello()).await;
        let expected = Heard {
            temperature: Some(0.5),
            max_tokens: Some(300),
            seed: family.can_seed.then_some(7),
            effort: Some("low".to_owned()),
            extra: extra.as_object().unwrap().clone(),
            ..heard_hello(family)
        };
        let without = Heard {
            temperature: None,
            extra: Map::new(),
            ..heard_hello(family)
        };
        assert_eq!(
            family.heard(&server),
            [expected, without],
            "{}",
            family.provider
        );
    }
}

#[tokio::test]
async fn accounts_share_their_connections() {
    for family in ALL {
        let server = family.says(Said::default());
        let connections = Connections::default();
        for _ in 0..3 {
            let wire = Wire::new(family.account(&server.origin), &connections).unwrap();
            reply(&wire, &hello()).await;
            reply(&wire, &hello()).await;
        }
        let counts = (server.asked().len(), server.connections());
        assert_eq!(counts, (6, 1), "{}", family.provider);
    }
}

#[tokio::test]
async fn what_is_left_of_the_limits_is_told() {
    for (headers, requests, tokens) in [
        ("", None, None),
        (
            "x-ratelimit-limit-requests: 60\r\nx-ratelimit-remaining-requests: 59\r\n\
             x-ratelimit-reset-requests: 1s\r\nx-ratelimit-remaining-tokens: 149984\r\n\
             x-ratelimit-reset-tokens: 6m0s\r\n",
            Some((59, 1)),
            Some((149_984, 360)),
        ),
        (
            "Date: Sun, 22 Nov 2026 09:00:00 GMT\r\n\
             anthropic-ratelimit-requests-remaining: 0\r\n\
             anthropic-ratelimit-requests-reset: 2026-11-22T09:00:30Z\r\n",
            Some((0, 30)),
            None,
        ),
    ] {
        for family in ALL {
            let server = family.serve(move |_| Answer {
                headers: headers.to_owned(),
                ..Answer::json(200, &(family.say)(&Said::default()))
            });
            let answer = family.open(&server).send(&hello()).await;
            let left = |left: Option<(u64, u64)>| {
                left.map(|(remaining, seconds)| Left {
                    remaining,
                    reset: Duration::from_secs(seconds),
                })
            };
            let (requests, tokens) = (left(requests), left(tokens));
            assert_eq!(answer.allowance, Allowance { requests, tokens });
        }
    }
}
