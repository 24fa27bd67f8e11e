//! The maps of a foreign record, from which keys are taken one by one; what is left at the
//! end is what the format has no place for.

use serde_json::{Map, Value};

use crate::dataset::tree::{self, Node};

/// One map of a record. Keys are compared without regard to case, `_`, `-`, and spaces, so
/// that `emailThread` is `email_thread`.
pub(super) struct Source {
    /// Before the names of its keys in reports, such as `inputs.`.
    prefix: String,
    map: Map<String, Value>,
}

impl Source {
    pub fn new(prefix: impl Into<String>, map: Map<String, Value>) -> Self {
        Source {
            prefix: prefix.into(),
            map,
        }
    }

    /// The value of the first of the names that has one other than null.
    pub fn take(&mut self, names: &[&str]) -> Option<Value> {
        self.take_if(names, |_| true)
    }

    /// The same for values of the wanted kind, others stay.
    pub fn take_if(&mut self, names: &[&str], wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let key = self.find(names, |value| !value.is_null() && wanted(value))?;
        self.map.shift_remove(&key)
    }

    pub fn has(&self, names: &[&str]) -> bool {
        self.find(names, |value| !value.is_null()).is_some()
    }

    fn find(&self, names: &[&str], wanted: impl Fn(&Value) -> bool) -> Option<String> {
        names.iter().find_map(|name| {
            let name = plain(name);
            self.map
                .iter()
                .find(|(key, value)| plain(key) == name && wanted(value))
                .map(|(key, _)| key.clone())
        })
    }

    /// A map under one of the names, also one written as JSON text (as tables do).
    pub fn take_source(&mut self, names: &[&str]) -> Option<Source> {
        let key = self.find(names, |value| as_map(value).is_some())?;
        let value = self.map.shift_remove(&key)?;
        let map = as_map(&value)?;
        Some(Source::new(format!("{}{key}.", self.prefix), map))
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// The names of the keys that nobody took.
    pub fn left_out(self) -> impl Iterator<Item = String> {
        let prefix = self.prefix;
        self.map
            .into_iter()
            .filter(|(_, value)| !is_nothing(value))
            .map(move |(key, _)| format!("{prefix}{key}"))
    }
}

/// Null, or an empty text, list, or map: leaving it out loses nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn as_map(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map.clone()),
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).ok()
        }
        _ => None,
    }
}

pub(super) fn plain(key: &str) -> String {
    key.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The records of a map that only holds their list; the map itself if it is a record.
pub(super) fn wrapped(node: Node) -> Result<Vec<Node>, Node> {
    const NAMES: [&str; 4] = ["examples", "records", "data", "emails"];
    let Node {
        at,
        value: tree::Value::Map(mut entries),
    } = node
    else {
        return Err(node);
    };
    let index = entries.iter().position(|entry| {
        NAMES.contains(&entry.key.as_str()) && matches!(entry.value.value, tree::Value::List(_))
    });
    match index.map(|index| entries.swap_remove(index).value.value) {
        Some(tree::Value::List(nodes)) => Ok(nodes),
        _ => Err(Node {
            at,
            value: tree::Value::Map(entries),
        }),
    }
}

/// The texts of a list, of a list written as JSON text, or a single text.
pub(super) fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.into_iter().map(plain_text).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => {
            match serde_json::from_str(&text) {
                Ok(list @ Value::Array(_)) => texts(list),
                _ => vec![text],
            }
        }
        value => vec![plain_text(value)],
    }
}

/// A text without the space around it; other values as JSON writes them.
pub(super) fn plain_text(value: Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        value => value.to_string(),
    }
}
