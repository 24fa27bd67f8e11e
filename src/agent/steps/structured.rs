//! Asking a model for one JSON object.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Turn;
use crate::agent::state::Failure;
use crate::message::Message;
use crate::model::{Model, Reply, Request};
use crate::run::{Outcome, ReplyRef, Sent, Stop};

/// What a reply must be, and how the model is told when it is not.
pub struct Wanted<T> {
    /// What to call the reply and what it should be: `the router's reply was no decision`.
    pub fault: &'static str,
    /// The keys of the object. It has all of them and no other.
    pub keys: &'static [&'static str],
    /// Reads the object, or says what is wrong, as a clause.
    pub read: fn(&Map<String, Value>) -> Result<T, String>,
    /// The reminder that names the problem.
    pub remind: fn(&str) -> String,
}

impl Turn<'_> {
    /// Asks for an object. A reply that is none, or not the one wanted, is answered with a
    /// reminder, once. The model's words do not enter the conversation.
    ///
    /// # Errors
    /// Those of [`ask`](Turn::ask), and the protocol's after two unusable replies.
    pub async fn ask_object<T>(
        &mut self,
        model: &Arc<dyn Model>,
        mut request: Request,
        wanted: Wanted<T>,
    ) -> Result<T, Failure> {
        let (content, problem) = match self.object(model, &request, &wanted).await? {
            Ok(value) => return Ok(value),
            Err(unusable) => unusable,
        };
        request.messages.extend([
            Message::assistant("r1", content, Vec::new()),
            Message::user("r2", (wanted.remind)(&problem)),
        ]);
        match self.object(model, &request, &wanted).await? {
            Ok(value) => Ok(value),
            Err((_, again)) => Err(Failure::new(
                Outcome::Protocol,
                format!("{}: {problem}; after a reminder: {again}", wanted.fault),
            )),
        }
    }

    /// The object; or the unusable reply, and why it is unusable.
    async fn object<T>(
        &mut self,
        model: &Arc<dyn Model>,
        request: &Request,
        wanted: &Wanted<T>,
    ) -> Result<Result<T, (String, String)>, Failure> {
        let answered = self.ask(model, request).await?;
        let sent = Sent::Messages(request.messages.clone());
        let content = answered.reply.content.clone();
        self.record_model(request, sent, &answered, ReplyRef::Text(content.clone()));
        let read = object(&answered.reply, wanted.keys).and_then(|object| (wanted.read)(&object));
        Ok(read.map_err(|problem| (content, problem)))
    }
}

/// What is wrong with a reply that the model was not let finish. Where it broke off says
/// nothing to a person, and to the model the wrong thing.
const CUT_OFF: &str = "it was too long, and was cut off at its limit of tokens";

/// The reply as an object without keys that were not asked for; or what is wrong, as a
/// clause.
pub fn object(reply: &Reply, keys: &[&str]) -> Result<Map<String, Value>, String> {
    let cut_off = reply.stop == Some(Stop::Length);
    if reply.content.trim().is_empty() {
        return Err(match reply.tool_calls.len() {
            0 if cut_off => CUT_OFF.to_owned(),
            0 => "it was empty".to_owned(),
            _ => "it called a tool, and none was offered".to_owned(),
        });
    }
    let value: Value = serde_json::from_str(&reply.content).map_err(|error| match cut_off {
        true => CUT_OFF.to_owned(),
        false => format!("it was not JSON ({error})"),
    })?;
    let Value::Object(object) = value else {
        return Err("it was not a JSON object".to_owned());
    };
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!(
            "it had a key that was not asked for, `{}`",
            short(key)
        )),
        None => Ok(object),
    }
}

/// A string of an object; or what is wrong, as a clause.
pub fn string<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("`{key}` was not a string")),
        None => Err(format!("`{key}` was missing")),
    }
}

/// The start of what a model wrote.
pub fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scripted;

    #[test]
    fn a_reply_that_was_cut_off_is_not_called_malformed() {
        for (content, stop, problem) in [
            ("{\"a\": \"so", Some(Stop::Length), Some(CUT_OFF)),
            ("", Some(Stop::Length), Some(CUT_OFF)),
            ("", None, Some("it was empty")),
            (
                "I cannot.",
                Some(Stop::Refusal),
                Some("it was not JSON (expected value at line 1 column 1)"),
            ),
            // All that was wanted was said.
            ("{\"a\": \"so\"}", Some(Stop::Length), None),
        ] {
            let reply = Reply {
                stop,
                ..scripted::text(content)
            };
            let found = object(&reply, &["a"]).err();
            assert_eq!(found.as_deref(), problem, "{content:?} {stop:?}");
        }
    }
}
