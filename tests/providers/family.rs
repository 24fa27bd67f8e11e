//! What a family of providers understands, in words that all of them share.

use std::collections::HashMap;
use std::time::Duration;

use mailproof::model::http::{Account, Connections, Endpoint, Key, Wire};
use mailproof::model::settings::Settings;
use serde_json::{Map, Value};

use super::server::{Answer, Asked, Server};
use super::{anthropic, google, ollama, openai};

pub const KEY: &str = "canary/Key+0123456789==";
pub const KEY_VARIABLE: &str = "THE_API_KEY";

pub struct Family {
    pub provider: &'static str,
    /// The path of the base URL.
    pub base: &'static str,
    /// The request line of every call.
    pub line: &'static str,
    /// The header of a key, with its value.
    pub key: fn(&str) -> (&'static str, String),
    /// Takes a request apart, or says what is against the documentation.
    pub hear: fn(&Asked) -> Result<Heard, String>,
    /// The body of an answer.
    pub say: fn(&Said) -> Value,
    /// The body of an error with this status.
    pub complain: fn(u16, &str) -> Value,
    /// The answer of an account that has nothing left.
    pub used_up: Option<fn() -> (u16, Value)>,
    /// Whether an error says of what kind it is where the status does not.
    pub errors_have_kinds: bool,
    /// Whether a model can be told to call a tool.
    pub can_force: bool,
    pub can_seed: bool,
    /// Whether calls come with ids.
    pub has_ids: bool,
    pub default_max_tokens: Option<u64>,
    /// Of the prompt's 11 tokens.
    pub cached_tokens: u64,
    /// Why a reply may end beside being done.
    pub ends: &'static [End],
}

/// Every family.
pub static ALL: [&Family; 4] = [
    &openai::FAMILY,
    &anthropic::FAMILY,
    &google::FAMILY,
    &ollama::FAMILY,
];

/// A request, whoever it was written for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    pub system: String,
    pub turns: Vec<Turn>,
    /// Name, description, and schema.
    pub tools: Vec<(String, String, Value)>,
    pub choice: Option<String>,
    /// Of the object that is to be answered with.
    pub schema: Option<Value>,
    pub temperature: Option<f64>,
    pub max_tokens: Option<u64>,
    pub seed: Option<u64>,
    pub effort: Option<String>,
    /// Fields that are not documented.
    pub extra: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    User(String),
    /// Text, and the calls with their arguments.
    Assistant(String, Vec<(String, Value)>),
    /// The tool, and what it gave.
    Result(String, String),
}

/// An answer, whoever is to write it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub text: &'static str,
    /// Tools and arguments; a string where the model wrote no JSON.
    pub calls: Vec<(&'static str, Value)>,
    /// The object that was asked for, by its name.
    pub output: Option<(&'static str, Value)>,
    pub end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Length,
    Refused,
    Filtered,
}

impl Family {
    /// Answers every request that is as it should be, and the others with what is wrong.
    pub fn serve(
        &'static self,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::start(move |asked| match self.check(asked) {
            Ok(_) => answer(asked),
            Err(wrong) => Answer::json(400, &(self.complain)(400, &wrong)),
        })
    }

    pub fn says(&'static self, said: Said) -> Server {
        self.serve(move |_| Answer::json(200, &(self.say)(&said)))
    }

    /// What was asked, which is as it should be.
    pub fn heard(&self, server: &Server) -> Vec<Heard> {
        let asked = server.asked();
        let heard = asked.iter().map(|asked| self.check(asked));
        heard.collect::<Result<_, _>>().unwrap()
    }

    fn check(&self, asked: &Asked) -> Result<Heard, String> {
        ensure(asked.line == self.line, "the request line", &asked.line)?;
        let content = asked.header("content-type").unwrap_or_default();
        ensure(content == "application/json", "the content type", content)?;
        (self.hear)(asked)
    }

    pub fn account(&self, origin: &str) -> Account {
        Account {
            provider: self.provider,
            model: "m".to_owned(),
            endpoint: Endpoint::parse(&format!("{origin}{}", self.base)).unwrap(),
            endpoint_variable: "THE_BASE_URL".to_owned(),
            key: None,
            key_variable: KEY_VARIABLE.to_owned(),
            settings: Settings::default(),
            request_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(5),
        }
    }

    pub fn open(&self, server: &Server) -> Wire {
        open(self.account(&server.origin))
    }

    pub fn open_with_key(&self, server: &Server) -> Wire {
        open(Account {
            key: Key::new(KEY),
            ..self.account(&server.origin)
        })
    }

    /// Ids as they stand in replies.
    pub fn id(&self, index: usize) -> String {
        match self.has_ids {
            true => format!("call_{index}"),
            false => String::new(),
        }
    }
}

pub fn open(account: Account) -> Wire {
    Wire::new(account, &Connections::default()).unwrap()
}

pub fn ensure(holds: bool, what: &str, found: impl std::fmt::Display) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(format!("against the documentation, {what}: {found}")),
    }
}

/// The fields of an object; those that are not documented are left over.
pub struct Fields(Map<String, Value>);

impl Fields {
    pub fn of(value: &Value) -> Result<Fields, String> {
        ensure(value.is_object(), "an object", value)?;
        Ok(Fields(value.as_object().unwrap().clone()))
    }

    /// `null` where there is none.
    pub fn take(&mut self, key: &str) -> Value {
        self.0.remove(key).unwrap_or_default()
    }

    pub fn text(&mut self, key: &str) -> Result<String, String> {
        let value = self.take(key);
        ensure(value.is_string(), key, &value)?;
        Ok(value.as_str().unwrap().to_owned())
    }

    pub fn list(&mut self, key: &str) -> Result<Vec<Value>, String> {
        match self.take(key) {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) if !items.is_empty() => Ok(items),
            value => Err(format!("{key}: {value}")),
        }
    }

    pub fn rest(self) -> Map<String, Value> {
        self.0
    }

    pub fn end(self) -> Result<(), String> {
        ensure(self.0.is_empty(), "an unknown field", Value::Object(self.0))
    }
}

/// A name that providers take for a tool.
pub fn name(name: String) -> Result<String, String> {
    let fits = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_' || symbol == '-';
    let good = !name.is_empty() && name.len() <= 64 && name.chars().all(fits);
    ensure(good, "a name", &name)?;
    Ok(name)
}

pub fn object(value: Value) -> Result<Value, String> {
    ensure(value["type"] == "object", "a schema", &value)?;
    Ok(value)
}

/// Calls that wait for their results, by id.
#[derive(Default)]
pub struct Waiting(HashMap<String, String>);

impl Waiting {
    pub fn call(&mut self, id: String, tool: &str) -> Result<(), String> {
        let new = !id.is_empty() && self.0.insert(id.clone(), tool.to_owned()).is_none();
        ensure(new, "an id", id)
    }

    /// The tool that was called.
    pub fn result(&mut self, id: &str) -> Result<String, String> {
        let tool = self.0.remove(id);
        tool.ok_or_else(|| format!("a result without its call: {id}"))
    }

    pub fn none(&self) -> Result<(), String> {
        ensure(self.0.is_empty(), "a call without its result", self.0.len())
    }
}
