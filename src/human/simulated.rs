//! A person whom a model plays.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Human, HumanError, edited, shown, shown_action};
use crate::message::{Message, Prompt};
use crate::model::{Model, Origin, OutputSchema, Reply, Request, ToolChoice};
use crate::run::{Interrupt, ModelRole, Response, Usage};

/// The most characters of the text, and of the arguments, that the person is shown.
const SHOWN: usize = 50_000;

/// The most bytes of an answer. Nobody types more at an assistant.
const ANSWER: usize = 20_000;

/// A described person, played by one model call a question, and one more where the first
/// reply is not of the form asked for.
///
/// The model sees what a person would be shown, and its own earlier answers in this run.
/// What it is shown is mostly an email, somebody else's text: it stands in a fence that
/// the text cannot close, and the prompt says that nothing in it is an order.
pub struct Simulated {
    model: Arc<dyn Model>,
    prompt: Arc<Prompt>,
    /// The most questions it answers.
    turns: u32,
    answered: u32,
    messages: Vec<Message>,
    usage: Usage,
    origin: Origin,
}

impl Simulated {
    const NAME: &str = "simulated";

    /// `origin` is that of the run whose questions it answers.
    pub fn new(model: Arc<dyn Model>, description: &str, turns: u32, origin: Origin) -> Self {
        let system = include_str!("simulated.md").replace("{{description}}", description.trim());
        Simulated {
            model,
            prompt: Prompt::new(system, Vec::new()),
            turns,
            answered: 0,
            messages: Vec::new(),
            usage: Usage::default(),
            origin,
        }
    }

    async fn choose(&mut self, interrupt: &Interrupt) -> Result<Response, HumanError> {
        let kinds = interrupt.allowed.kinds();
        if kinds.is_empty() {
            return Err(HumanError::no_answer(Self::NAME, interrupt));
        }
        if self.answered == self.turns {
            return Err(HumanError::TurnsUsedUp { turns: self.turns });
        }
        self.answered += 1;
        self.hear(question(interrupt, &kinds));
        let reply = self.ask(&kinds).await?;
        let first = match read(&reply, interrupt, &kinds) {
            Ok(response) => return Ok(response),
            Err(problem) => problem,
        };
        let reminder = include_str!("simulated_remind.md").trim_end();
        // The kinds are ours, so the problem, which quotes the model, goes in last.
        let reminder = reminder.replace("{{kinds}}", &kinds.join(", "));
        self.hear(reminder.replace("{{problem}}", &first));
        let reply = self.ask(&kinds).await?;
        read(&reply, interrupt, &kinds).map_err(|second| HumanError::Unusable { first, second })
    }

    async fn ask(&mut self, kinds: &[&str]) -> Result<Reply, HumanError> {
        let request = Request {
            role: ModelRole::Simulator,
            prompt: Arc::clone(&self.prompt),
            messages: self.messages.clone(),
            tool_choice: ToolChoice::None,
            output: Some(Arc::new(output(kinds))),
            origin: self.origin.clone(),
        };
        let reply = self.model.ask(&request).await.map_err(HumanError::Model)?;
        self.usage.record(ModelRole::Simulator, reply.usage);
        let id = self.next_id();
        self.messages
            .push(Message::assistant(id, reply.content.clone(), Vec::new()));
        Ok(reply)
    }

    fn hear(&mut self, text: String) {
        let id = self.next_id();
        self.messages.push(Message::user(id, text));
    }

    fn next_id(&self) -> String {
        format!("s{}", self.messages.len())
    }
}

impl Human for Simulated {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(self.choose(interrupt))
    }

    fn usage(&self) -> Usage {
        self.usage.clone()
    }
}

/// What the person is asked, with everything that comes from outside in a fence.
fn question(interrupt: &Interrupt, kinds: &[&str]) -> String {
    let args = serde_json::to_string_pretty(&interrupt.args).expect("arguments have string keys");
    let mut text = format!(
        "The assistant asks about `{}`. You may answer: {}.\n\nThe proposed arguments:\n{}",
        shown_action(interrupt),
        kinds.join(", "),
        fenced("json", &args),
    );
    if let Some(description) = &interrupt.description {
        text.push_str("\nWhat you are shown:\n");
        text.push_str(&fenced("text", description));
    }
    text
}

/// `text` between two lines of more backticks than it has in a row anywhere.
fn fenced(language: &str, text: &str) -> String {
    let text = cut(text.trim_end());
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}\n[the rest is not shown]", &text[..end]).into(),
        None => text.into(),
    }
}

fn output(kinds: &[&str]) -> OutputSchema {
    OutputSchema {
        name: "answer".to_owned(),
        // The reasoning stands first, so that it is written before the decision.
        schema: json!({
            "type": "object",
            "properties": {
                "reasoning": {
                    "type": "string",
                    "description": "Why this person answers so, in a sentence or two.",
                },
                "kind": { "type": "string", "enum": kinds },
                "text": {
                    "type": "string",
                    "description": "What the person says; empty unless the kind is respond.",
                },
                "args": {
                    "type": "object",
                    "description": "The arguments to change; empty unless the kind is edit.",
                },
            },
            "required": ["reasoning", "kind", "text", "args"],
            "additionalProperties": false,
        }),
    }
}

/// Reads the object that [`output`] describes and nothing else; or says what is wrong, as
/// a clause.
fn read(reply: &Reply, interrupt: &Interrupt, kinds: &[&str]) -> Result<Response, String> {
    if reply.content.trim().is_empty() {
        return Err(match reply.tool_calls.len() {
            0 => "it was empty".to_owned(),
            _ => "it called a tool, and none was offered".to_owned(),
        });
    }
    if reply.content.len() > ANSWER {
        return Err(format!("it was longer than {ANSWER} bytes"));
    }
    let mut object: Map<String, Value> = match serde_json::from_str(&reply.content) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err("it was not a JSON object".to_owned()),
        Err(error) => return Err(format!("it was not JSON ({error})")),
    };
    let mut take = |key: &str| {
        let value = object.shift_remove(key);
        value.ok_or_else(|| format!("`{key}` was missing"))
    };
    let text = |key: &str, value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("`{key}` was not a string")),
    };
    text("reasoning", take("reasoning")?)?;
    let kind = text("kind", take("kind")?)?;
    let said = text("text", take("text")?)?;
    let Value::Object(args) = take("args")? else {
        return Err("`args` was not an object".to_owned());
    };
    if let Some(key) = object.keys().next() {
        let key = shown(key, 60);
        return Err(format!("it had a key that was not asked for, `{key}`"));
    }
    if !kinds.contains(&&*kind) {
        let (kind, kinds) = (shown(&kind, 60), kinds.join(", "));
        return Err(format!("`kind` was `{kind}`, not one of {kinds}"));
    }
    match &*kind {
        "accept" => Ok(Response::Accept),
        "ignore" => Ok(Response::Ignore),
        "edit" if args.is_empty() => Err("`args` was empty, with nothing to edit".to_owned()),
        "edit" => Ok(Response::Edit(edited(interrupt, &args))),
        _ if said.trim().is_empty() => Err("`text` was empty, with nothing to respond".to_owned()),
        _ => Ok(Response::Respond(said)),
    }
}

#[cfg(test)]
mod tests;
