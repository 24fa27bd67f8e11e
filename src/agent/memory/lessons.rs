//! What a person's answers teach.
//!
//! An edit is told by what was proposed and what came of it. Whatever else was answered
//! needs the conversation to be understood. Accepting teaches nothing, and neither does
//! the answer to a question. An answer that did not come in time is none: who asks for
//! its lesson would learn from a person's silence.

use serde_json::{Map, Value};

use super::Namespace;
use crate::agent::prompts::memory as prompts;
use crate::agent::state::Lesson;
use crate::agent::tools::Tool;
use crate::message::ToolCall;
use crate::run::Response;

/// The most of one text that a note quotes, in characters.
const MAX_QUOTE_CHARS: usize = 4_000;
/// The most entries of a list or an object that a note quotes.
const MAX_QUOTE_ENTRIES: usize = 50;

/// What `response` to the proposed `call` of `tool` teaches.
pub fn of_call(tool: Tool, call: &ToolCall, response: &Response) -> Option<Lesson> {
    let style = match tool {
        Tool::WriteEmail => Some(Namespace::ResponsePreferences),
        Tool::ScheduleMeeting => Some(Namespace::CalPreferences),
        // Its answer is no feedback on how the agent works; turning it down is.
        Tool::Question => None,
        _ => return None,
    };
    let (name, proposed) = (tool.name(), quote(&call.arguments));
    match response {
        Response::Accept => None,
        // Sent without a change, an edit is an acceptance.
        Response::Edit(edited) if Some(edited) == call.arguments.as_object() => None,
        Response::Edit(edited) => Some(Lesson {
            namespace: style?,
            note: prompts::lesson_edit(name, &proposed, &quote(&Value::Object(edited.clone()))),
            conversation: false,
        }),
        Response::Respond(said) => Some(Lesson {
            namespace: style?,
            note: prompts::lesson_respond(name, &proposed, &quote(&said.as_str().into())),
            conversation: true,
        }),
        // It should not have come to a call at all.
        Response::Ignore => Some(Lesson {
            namespace: Namespace::TriagePreferences,
            note: prompts::lesson_ignore(name, &proposed),
            conversation: true,
        }),
    }
}

/// What `response` to the decision to notify teaches.
pub fn of_notice(response: &Response) -> Option<Lesson> {
    let note = match response {
        Response::Respond(said) => prompts::lesson_notice_respond(&quote(&said.as_str().into())),
        Response::Ignore => prompts::lesson_notice_ignore(),
        Response::Accept | Response::Edit(_) => return None,
    };
    Some(Lesson {
        namespace: Namespace::TriagePreferences,
        note,
        conversation: true,
    })
}

/// A value as JSON on one line, its long parts cut.
fn quote(value: &Value) -> String {
    shorten(value).to_string()
}

fn shorten(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(MAX_QUOTE_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]).into(),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().take(MAX_QUOTE_ENTRIES).map(shorten).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().take(MAX_QUOTE_ENTRIES);
            let short: Map<String, Value> = entries
                .map(|(name, value)| (name.clone(), shorten(value)))
                .collect();
            short.into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
