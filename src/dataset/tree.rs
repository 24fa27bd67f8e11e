//! Parsed text with a position on every value, which is what lets one validator report
//! all mistakes of a file, in YAML and JSON alike.

use serde_json::Number;

/// Where something stands in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Position {
    pub const START: Position = Position { line: 1, column: 1 };

    pub(super) fn new(line: usize, column: usize) -> Self {
        // Files are bounded far below this; a saturated position is still near the mistake.
        let clamp = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: clamp(line),
            column: clamp(column),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: Position,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// An unquoted YAML scalar. What it stands for is up to the key it is given for:
    /// `no`, `0755`, and `2026-03-02` are texts where a text is wanted.
    Plain(String),
    List(Vec<Node>),
    /// In file order, repeated keys included.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_at: Position,
    pub value: Node,
}

impl Node {
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Plain(text) => is_null(text),
            _ => false,
        }
    }

    /// The value in JSON's types; an unquoted scalar is read by YAML 1.2's core rules,
    /// without its octal, hexadecimal, and infinite numbers. A repeated key's last value wins.
    pub fn into_json(self) -> serde_json::Value {
        match self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => value.into(),
            Value::Number(number) => number.into(),
            Value::Text(text) => text.into(),
            Value::Plain(text) => resolve(text),
            Value::List(nodes) => nodes.into_iter().map(Node::into_json).collect(),
            Value::Map(entries) => entries
                .into_iter()
                .map(|entry| (entry.key, entry.value.into_json()))
                .collect(),
        }
    }

    /// The tree of a value that was never text, all of it at one position.
    pub fn from_json(value: serde_json::Value, at: Position) -> Node {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(number),
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(values) => Value::List(
                values
                    .into_iter()
                    .map(|value| Node::from_json(value, at))
                    .collect(),
            ),
            serde_json::Value::Object(map) => Value::Map(
                map.into_iter()
                    .map(|(key, value)| Entry {
                        key,
                        key_at: at,
                        value: Node::from_json(value, at),
                    })
                    .collect(),
            ),
        };
        Node { at, value }
    }
}

/// Whether an unquoted scalar says that there is no value.
pub(super) fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn resolve(plain: String) -> serde_json::Value {
    match plain.as_str() {
        _ if is_null(&plain) => serde_json::Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        // JSON's numbers have no leading zeros or signs, so `0755` and `+1` stay texts.
        _ => match plain.parse::<Number>() {
            Ok(number) => number.into(),
            Err(_) => plain.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_scalars_are_numbers_booleans_or_null_only_when_they_look_like_it() {
        for (plain, json) in [
            ("no", "\"no\""),
            ("on", "\"on\""),
            ("true", "true"),
            ("~", "null"),
            ("", "null"),
            ("45", "45"),
            ("-4.5", "-4.5"),
            ("1e3", "1000.0"),
            ("0755", "\"0755\""),
            ("0x1f", "\"0x1f\""),
            ("1_000", "\"1_000\""),
            ("+1", "\"+1\""),
            ("12:30", "\"12:30\""),
            ("2026-03-02", "\"2026-03-02\""),
            (".inf", "\".inf\""),
        ] {
            assert_eq!(resolve(plain.to_owned()).to_string(), json, "{plain:?}");
        }
    }
}
