//! The embedded model: reads an email by rules, and answers as a language model would.
//!
//! It gets a [`Request`] and nothing else, and its answers are a function of it: no clock,
//! no randomness, no network. The road is short: [`segment`] takes the body apart,
//! [`phrases`] finds the cues of `rules.yaml` in its words, [`reading`] gathers what they
//! amount to, [`triage`] weighs it, [`act`] chooses the next tool call, and [`reply`]
//! writes. The rules are general, and their mistakes are left to be seen.
//!
//! Emails are hostile input: text is read up to a bound, in linear time; orders inside of
//! it are taken out before it is understood; and mail goes to its sender alone.

mod act;
mod asks;
mod book;
mod clean;
mod envelope;
mod facts;
mod meeting;
mod phrases;
mod reading;
mod reply;
mod scan;
mod segment;
mod text;
mod triage;
mod when;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use self::book::{Book, book};
use self::envelope::Envelope;
use self::reading::Reading;
use self::segment::prefix;
use super::{Model, ModelError, OutputSchema, Reply, Request, ToolChoice};
use crate::message::{Role, ToolCall};

/// The name that selects this model.
pub const NAME: &str = "rules";

/// Readings kept for the calls that follow about the same email.
const KEPT: usize = 64;

/// The embedded model.
pub struct Rules {
    book: &'static Book,
    /// The latest readings, each in the place that the hash of its text names. One email is
    /// asked about several times in a row, and is read once.
    kept: Mutex<Vec<Option<Kept>>>,
}

struct Kept {
    /// Hash of the prompt, whose date and preferences the reading may depend on.
    prompt: String,
    message: String,
    reading: Arc<Reading>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules::new()
    }
}

impl Rules {
    pub fn new() -> Self {
        Rules {
            book: book(),
            kept: Mutex::new((0..KEPT).map(|_| None).collect()),
        }
    }

    fn answer(&self, request: &Request) -> Reply {
        let reading = self.reading(request);
        if let Some(output) = &request.output {
            return Reply {
                content: structured(output, &reading).to_string(),
                ..Reply::default()
            };
        }
        let step = match request.tool_choice {
            ToolChoice::None => None,
            ToolChoice::Auto | ToolChoice::Required => act::next(
                self.book,
                &reading,
                request.prompt.tools(),
                &request.messages,
            ),
        };
        match step {
            Some(step) => {
                let calls = request
                    .messages
                    .iter()
                    .map(|message| message.tool_calls.len());
                Reply {
                    tool_calls: vec![ToolCall {
                        id: format!("call-{}", calls.sum::<usize>() + 1),
                        name: step.tool,
                        arguments: step.arguments,
                    }],
                    ..Reply::default()
                }
            }
            None => Reply {
                content: reading.decision.reasoning.clone(),
                ..Reply::default()
            },
        }
    }

    /// The reading of the email in the request, from the first message that holds one.
    fn reading(&self, request: &Request) -> Arc<Reading> {
        let mut users = request
            .messages
            .iter()
            .filter(|message| message.role == Role::User);
        let message = users
            .clone()
            .find(|message| envelope::find(&message.content).is_some())
            .or_else(|| users.next())
            .map_or("", |message| message.content.as_str());
        // Whatever is beyond the bound is not read, so it need not be kept.
        let message = prefix(message, segment::MOST_BYTES + 8 * 1024);
        let mut hasher = DefaultHasher::new();
        (request.prompt.hash(), message).hash(&mut hasher);
        let place = (hasher.finish() % KEPT as u64) as usize;
        let lock = || {
            self.kept
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        };
        if let Some(kept) = &lock()[place]
            && kept.prompt == request.prompt.hash()
            && kept.message == message
        {
            return Arc::clone(&kept.reading);
        }
        // Text without a header is all body.
        let envelope = envelope::find(message).unwrap_or(Envelope {
            body: message,
            ..Envelope::default()
        });
        let today = envelope::iso_date(request.prompt.system());
        let reading = Arc::new(reading::read(self.book, &envelope, today));
        lock()[place] = Some(Kept {
            prompt: request.prompt.hash().to_owned(),
            message: message.to_owned(),
            reading: Arc::clone(&reading),
        });
        reading
    }
}

/// The properties of the object asked for that the reading can fill: the router's.
fn structured(output: &OutputSchema, reading: &Reading) -> Value {
    let asked = |name: &str| output.schema["properties"].get(name).is_some();
    let mut object = serde_json::Map::new();
    for (name, value) in [
        ("reasoning", json!(reading.decision.reasoning)),
        ("classification", json!(reading.decision.triage.name())),
    ] {
        if asked(name) {
            object.insert(name.to_owned(), value);
        }
    }
    Value::Object(object)
}

impl Model for Rules {
    fn name(&self) -> &str {
        NAME
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        // Answered before the future is polled: nothing here waits.
        let reply = self.answer(request);
        Box::pin(std::future::ready(Ok(reply)))
    }
}

#[cfg(test)]
mod tests;
