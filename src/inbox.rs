//! Questions and answers as they travel: the Agent Inbox form.
//!
//! What a graph of ours is interrupted with and resumed with is this form, so that an inbox
//! made for others can show and answer it, and a target of somebody else's can be read. It
//! is read generously and written in one way.
//! Source: the README of langchain-ai/agent-inbox, "Interrupts", and the middleware form of
//! `HumanInTheLoopMiddleware`.
//!
//! Beside what the form knows, we write the `id` of the question and who gave the answer
//! (`answered_by`); other readers pass both over.

use serde_json::{Map, Value, json};

use crate::email::Triage;
use crate::run::{Allowed, Interrupt, Response};

/// The action of a question that could not be read.
pub const IMPROPER: &str = "improper_schema";

/// Who answered, where nobody did in time.
pub const TIMEOUT: &str = "timeout";

/// A question about a triage decision has this before the decision on the wire. The
/// [`Interrupt::action`] is the decision alone: `notify`.
const TRIAGE_PREFIX: &str = "Email Assistant: ";

/// Longest JSON text that is read, in bytes.
const MAX_TEXT: usize = 4 << 20;
/// Most questions of one payload.
const MAX_QUESTIONS: usize = 100;
/// Longest name of an action, in bytes.
const MAX_ACTION: usize = 200;
/// How much of an unreadable question its placeholder shows, in characters.
const MAX_EXCERPT: usize = 2000;

/// A person's answer on its way to the agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Id of the question, where it is told.
    pub id: Option<String>,
    pub response: Response,
    /// Who or what answered, where it is told.
    pub answered_by: Option<String>,
}

/// Why something is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("unknown kind of answer `{0}`: use `accept`, `edit`, `ignore`, or `response`")]
    UnknownType(String),
    #[error("the answer has no `type`: use `accept`, `edit`, `ignore`, or `response`")]
    NoType,
    #[error("a `response` needs its text in `args`")]
    NoText,
    #[error("an `edit` needs the new arguments in `args`, an object, or in `args.args`")]
    NoArguments,
    #[error("one question takes one answer, and these are {0}")]
    NotOne(usize),
    #[error("an answer is an object with `type` and `args`, or a list of one such object")]
    NotAnObject,
    #[error("an answer that is text must hold JSON of at most {MAX_TEXT} bytes: {0}")]
    NotJson(String),
}

/// A question as the one-element list that our agents stop with.
pub fn write_interrupt(interrupt: &Interrupt) -> Value {
    let Interrupt {
        id,
        action,
        args,
        allowed,
        description,
    } = interrupt;
    let action = match is_decision(action) {
        true => format!("{TRIAGE_PREFIX}{action}"),
        false => action.clone(),
    };
    let mut item = json!({
        "action_request": { "action": action, "args": args },
        "config": {
            "allow_ignore": allowed.ignore,
            "allow_respond": allowed.respond,
            "allow_edit": allowed.edit,
            "allow_accept": allowed.accept,
        },
    });
    if let Some(description) = description {
        item["description"] = json!(description);
    }
    if !id.is_empty() {
        item["id"] = json!(id);
    }
    json!([item])
}

/// The questions of a payload, at least one: a list of them or a bare one, either also as
/// JSON text, or the middleware's form.
///
/// What cannot be read becomes a question [`IMPROPER`] that can only be ignored, so that
/// somebody sees it. The id is empty where the payload tells none.
pub fn read_interrupts(payload: &Value) -> Vec<Interrupt> {
    let parsed;
    let payload = match payload {
        Value::String(text) if text.len() <= MAX_TEXT => match serde_json::from_str(text) {
            Ok(value) => {
                parsed = value;
                &parsed
            }
            Err(_) => return vec![improper(payload)],
        },
        other => other,
    };
    let read = |item: &Value| question(item).unwrap_or_else(|| improper(item));
    match payload {
        Value::Array(items) if (1..=MAX_QUESTIONS).contains(&items.len()) => {
            items.iter().map(read).collect()
        }
        Value::Object(object) if object.contains_key("action_requests") => {
            middleware(object).unwrap_or_else(|| vec![improper(payload)])
        }
        other => vec![read(other)],
    }
}

/// An answer as the one-element list that our agents go on with. `action` is that of the
/// question.
pub fn write_answer(answer: &Answer, action: &str) -> Value {
    let (kind, args) = match &answer.response {
        Response::Accept => ("accept", Value::Null),
        Response::Edit(args) => ("edit", json!({ "action": action, "args": args })),
        Response::Ignore => ("ignore", Value::Null),
        Response::Respond(text) => ("response", json!(text)),
    };
    let mut item = json!({ "type": kind, "args": args });
    for (key, value) in [("id", &answer.id), ("answered_by", &answer.answered_by)] {
        if let Some(value) = value {
            item[key] = json!(value);
        }
    }
    json!([item])
}

/// Reads one answer: a list of one, or a bare one, either also as JSON text. `response` may
/// be called `respond`; of the middleware's form are known `approve`, `edit`, and `reject`.
/// The new arguments of an edit may stand in `args.args` or in `args`.
///
/// # Errors
/// See [`AnswerError`].
pub fn read_answer(value: &Value) -> Result<Answer, AnswerError> {
    let parsed;
    let value = match value {
        Value::String(text) => {
            parsed = parse(text).map_err(AnswerError::NotJson)?;
            &parsed
        }
        other => other,
    };
    let value = match value.as_object() {
        Some(object) => object.get("decisions").unwrap_or(value),
        None => value,
    };
    let object = match value {
        Value::Array(items) => match &items[..] {
            [item] => item,
            items => return Err(AnswerError::NotOne(items.len())),
        },
        other => other,
    };
    let object = object.as_object().ok_or(AnswerError::NotAnObject)?;
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Answer {
        id: text("id"),
        response: response(object)?,
        answered_by: text("answered_by"),
    })
}

fn response(object: &Map<String, Value>) -> Result<Response, AnswerError> {
    let kind = object.get("type").and_then(Value::as_str);
    Ok(match kind.ok_or(AnswerError::NoType)? {
        "accept" | "approve" => Response::Accept,
        "ignore" => Response::Ignore,
        "response" | "respond" => match object.get("args") {
            Some(Value::String(text)) => Response::Respond(text.clone()),
            _ => return Err(AnswerError::NoText),
        },
        // The middleware's feedback may be left out.
        "reject" => match object.get("message").or(object.get("args")) {
            Some(Value::String(text)) => Response::Respond(text.clone()),
            None | Some(Value::Null) => Response::Respond(String::new()),
            Some(_) => return Err(AnswerError::NoText),
        },
        "edit" => {
            let args = object.get("edited_action").or(object.get("args"));
            let args = args.and_then(as_object).ok_or(AnswerError::NoArguments)?;
            Response::Edit(edited(args)?)
        }
        other => {
            let short: String = other.chars().take(60).collect();
            return Err(AnswerError::UnknownType(short));
        }
    })
}

/// The arguments of an action request, or what are arguments already.
fn edited(mut args: Map<String, Value>) -> Result<Map<String, Value>, AnswerError> {
    let is_request = args.contains_key("args")
        && (args.keys()).all(|key| ["action", "name", "args"].contains(&key.as_str()));
    if !is_request {
        return Ok(args);
    }
    let nested = args.remove("args").unwrap_or_default();
    as_object(&nested).ok_or(AnswerError::NoArguments)
}

/// An object, or the text of one.
fn as_object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object.clone()),
        Value::String(text) => match parse(text) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("it has {} bytes", text.len()));
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// One question in the form we write; `None` if it is something else.
fn question(item: &Value) -> Option<Interrupt> {
    let request = &item["action_request"];
    let config = item.get("config")?.as_object()?;
    // A flag that is not there allows nothing.
    let flag = |name: &str| config.get(name).map_or(Some(false), Value::as_bool);
    Some(Interrupt {
        id: optional_text(item.get("id"))?.unwrap_or_default(),
        action: action(request.get("action")?.as_str()?)?,
        args: arguments(request.get("args"))?,
        allowed: Allowed {
            accept: flag("allow_accept")?,
            edit: flag("allow_edit")?,
            ignore: flag("allow_ignore")?,
            respond: flag("allow_respond")?,
        },
        description: optional_text(item.get("description"))?,
    })
}

/// The questions of the middleware's form: what is reviewed, and how each may be decided, by
/// name or by place.
fn middleware(object: &Map<String, Value>) -> Option<Vec<Interrupt>> {
    let requests = object.get("action_requests")?.as_array()?;
    let configs = object.get("review_configs")?.as_array()?;
    if !(1..=MAX_QUESTIONS).contains(&requests.len()) || configs.len() > MAX_QUESTIONS {
        return None;
    }
    let read = |(index, request): (usize, &Value)| {
        let name = request.get("name")?.as_str()?;
        let config =
            (configs.iter().find(|config| config["action_name"] == name)).or_else(|| {
                configs
                    .get(index)
                    .filter(|config| config["action_name"].is_null())
            })?;
        let decisions = config.get("allowed_decisions")?.as_array()?;
        let allows = |decision: &str| decisions.iter().any(|known| known == decision);
        Some(Interrupt {
            id: String::new(),
            action: action(name)?,
            args: arguments(request.get("arguments").or(request.get("args")))?,
            allowed: Allowed {
                accept: allows("approve"),
                edit: allows("edit"),
                ignore: false,
                respond: allows("reject"),
            },
            description: optional_text(request.get("description"))?,
        })
    };
    let items = requests.iter().enumerate();
    let questions = items.map(|item| read(item).unwrap_or_else(|| improper(item.1)));
    Some(questions.collect())
}

fn action(text: &str) -> Option<String> {
    let known = text
        .strip_prefix(TRIAGE_PREFIX)
        .filter(|rest| is_decision(rest));
    let action = known.unwrap_or(text);
    (1..=MAX_ACTION)
        .contains(&action.len())
        .then(|| action.to_owned())
}

fn is_decision(action: &str) -> bool {
    Triage::ALL.iter().any(|triage| triage.name() == action)
}

/// Arguments may be left out.
fn arguments(args: Option<&Value>) -> Option<Map<String, Value>> {
    match args {
        None | Some(Value::Null) => Some(Map::new()),
        Some(args) => as_object(args),
    }
}

/// `None` is what is neither text nor absent.
fn optional_text(value: Option<&Value>) -> Option<Option<String>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}

/// Stands for what is no question.
fn improper(payload: &Value) -> Interrupt {
    let text = payload.to_string();
    Interrupt {
        id: String::new(),
        action: IMPROPER.to_owned(),
        args: Map::new(),
        allowed: Allowed {
            ignore: true,
            ..Allowed::default()
        },
        description: Some(text.chars().take(MAX_EXCERPT).collect()),
    }
}

#[cfg(test)]
mod tests;
