//! Answers that are an object instead of a tool call: the router's, the memory's, and a
//! simulated person's. The schema's properties tell which is asked for.

use serde_json::{Map, Value, json};

use super::Known;
use super::book::Book;
use super::envelope;
use super::profile;
use super::reading::Reading;
use super::writer;
use crate::message::{Message, Role};
use crate::model::OutputSchema;

/// What a person who leaves everything to the agent says.
const NO_WISH: &str = "Please decide yourself.";

pub(super) fn answer(
    book: &Book,
    output: &OutputSchema,
    known: &Known,
    messages: &[Message],
) -> Value {
    let properties = &output.schema["properties"];
    let asked = |name: &str| properties.get(name).is_some();
    let object = if asked("profile") {
        let message = last_user(messages, |text| text.starts_with(writer::BEGINNING));
        let rewritten = writer::rewrite(book, &known.reading, message);
        json!({ "reasoning": rewritten.reasoning, "profile": rewritten.profile })
    } else if asked("facts") {
        let message = last_user(messages, |text| text.starts_with("<background>"));
        let told = profile::block(message, "background").unwrap_or_default();
        json!({ "reasoning": "What the email's header and signature show.", "facts": facts(&known.reading, told) })
    } else if asked("kind") {
        person(properties)
    } else {
        json!({
            "reasoning": known.decision.reasoning,
            "classification": known.decision.triage.name(),
        })
    };
    let Value::Object(object) = object else {
        unreachable!("every answer is an object")
    };
    let kept: Map<String, Value> = object.into_iter().filter(|(name, _)| asked(name)).collect();
    Value::Object(kept)
}

fn last_user(messages: &[Message], fits: impl Fn(&str) -> bool) -> &str {
    messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::User)
        .map(|message| message.content.as_str())
        .find(|content| fits(content))
        .unwrap_or_default()
}

/// A person without wishes: takes what is proposed, and has no answer of their own.
fn person(properties: &Value) -> Value {
    let allowed: Vec<&str> = match properties["kind"]["enum"].as_array() {
        Some(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let kind = ["accept", "respond", "ignore"]
        .into_iter()
        .find(|kind| allowed.contains(kind))
        .unwrap_or("accept");
    let text = if kind == "respond" { NO_WISH } else { "" };
    json!({
        "reasoning": "The person has no wish of their own.",
        "kind": kind,
        "text": text,
        "args": {},
    })
}

/// Who the sender is, as far as header and signature show it; nothing that the text claims.
fn facts(reading: &Reading, told: &str) -> Vec<String> {
    let sender = &reading.sender;
    let is_word = |word: &str| {
        word.chars()
            .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.'))
    };
    let is_name = !sender.name.contains(',') && sender.name.split_whitespace().all(is_word);
    if sender.address.is_empty() || !reading.person || !is_name || reading.suspect || reading.cold {
        return Vec::new();
    }
    let who = match sender.name.is_empty() {
        true => sender.address.clone(),
        false => format!("{} <{}>", sender.name, sender.address),
    };
    let house = envelope::house_name(sender);
    let mut facts = Vec::new();
    if let Some(house) = &house {
        facts.push(format!("{who} writes from {house}."));
    } else if !sender.name.is_empty() {
        facts.push(format!("{} writes from {}.", sender.name, sender.address));
    }
    if let (Some(role), false) = (&reading.role, sender.name.is_empty()) {
        facts.push(match &house {
            Some(house) => format!("{} is {role} at {house}.", sender.name),
            None => format!("{} is {role}.", sender.name),
        });
    }
    facts.retain(|fact| !told.contains(fact.as_str()));
    facts
}
