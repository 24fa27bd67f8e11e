//! One record's tree to an example, with every mistake in it.

mod call;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use regex::Regex;

use super::error::{Found, Problem};
use super::tool::Tool;
use super::tree::{Node, Position, Value};
use super::{CallPattern, Example, Expect, MatchMode};
use crate::email::{Email, Triage};

const RECORD: &[&str] = &[
    "id",
    "email",
    "tags",
    "split",
    "cluster",
    "labelled_by",
    "note",
    "expect",
];
const EMAIL: &[&str] = &["from", "to", "subject", "body", "date"];
const EXPECT: &[&str] = &["triage", "tool_calls", "mode", "forbidden", "criteria"];

/// What a record says, as far as it could be read.
pub(super) struct Checked {
    pub id: Option<(Position, String)>,
    /// The whole record, if nothing is wrong with it.
    pub example: Option<Example>,
    pub problems: Vec<(Position, Problem)>,
}

/// Validates records; patterns that many records share are compiled once.
#[derive(Default)]
pub(super) struct Validator {
    patterns: HashMap<String, Arc<Regex>>,
    problems: Vec<(Position, Problem)>,
}

impl Validator {
    pub fn check(&mut self, record: Node) -> Checked {
        let at = record.at;
        let mut id = None;
        let example = self.record(record, &mut id);
        let problems = std::mem::take(&mut self.problems);
        Checked {
            example: example.filter(|_| problems.is_empty()),
            id: id.map(|(id_at, id)| (id_at.unwrap_or(at), id)),
            problems,
        }
    }

    fn record(
        &mut self,
        record: Node,
        id: &mut Option<(Option<Position>, String)>,
    ) -> Option<Example> {
        let Value::Map(entries) = &record.value else {
            let wanted = "a map with `id`, `email`, and `expect`";
            let what = "a record".to_owned();
            let found = Found::of(&record.value);
            return self.problem(
                record.at,
                Problem::WrongType {
                    what,
                    wanted,
                    found,
                },
            );
        };
        for (key, kind) in [("scenario", "scenarios"), ("episode", "memory episodes")] {
            if let Some(entry) = entries.iter().find(|entry| entry.key == key) {
                let at = entry.key_at;
                *id = entries
                    .iter()
                    .find(|entry| entry.key == "id")
                    .and_then(|entry| match &entry.value.value {
                        Value::Text(text) | Value::Plain(text) => {
                            Some((Some(entry.value.at), text.clone()))
                        }
                        _ => None,
                    });
                return self.problem(at, Problem::LaterVersion { kind });
            }
        }
        let mut fields = self.fields(record, "the record", "a record", RECORD)?;

        let id_node = fields.require(self, "id");
        if let Some(node) = id_node {
            let at = node.at;
            if let Some(text) = self.text(node, "id") {
                if text.trim() != text || text.contains(char::is_control) {
                    self.problem::<()>(at, Problem::BadId(text.clone()));
                }
                *id = Some((Some(at), text));
            }
        }
        let email = fields
            .require(self, "email")
            .and_then(|node| self.email(node));
        let tags = fields
            .take("tags")
            .map(|node| self.texts(node, "tags"))
            .unwrap_or_default();
        let mut optional =
            |validator: &mut Self, key| fields.take(key).and_then(|node| validator.text(node, key));
        let split = optional(self, "split");
        let cluster = optional(self, "cluster");
        let labelled_by = optional(self, "labelled_by");
        let note = optional(self, "note");
        let expect = fields
            .require(self, "expect")
            .and_then(|node| self.expect(node));

        Some(Example {
            id: id.as_ref()?.1.clone(),
            email: email?,
            tags,
            split,
            cluster,
            labelled_by,
            note,
            expect: expect?,
        })
    }

    fn email(&mut self, node: Node) -> Option<Email> {
        let mut fields = self.fields(node, "`email`", "email", EMAIL)?;
        let mut required = |validator: &mut Self, key| {
            fields
                .require(validator, key)
                .and_then(|node| validator.text(node, key))
        };
        let from = required(self, "from");
        let to = required(self, "to");
        let subject = fields
            .require(self, "subject")
            .and_then(|node| self.maybe_empty_text(node, "subject"));
        let body = fields
            .require(self, "body")
            .and_then(|node| self.text(node, "body"));
        let date = fields.take("date").and_then(|node| self.date(node));
        Some(Email {
            from: from?,
            to: to?,
            subject: subject?,
            body: body?,
            date,
        })
    }

    fn expect(&mut self, node: Node) -> Option<Expect> {
        let mut fields = self.fields(node, "`expect`", "expect", EXPECT)?;
        let triage = fields.require(self, "triage").and_then(|node| {
            let at = node.at;
            let text = self.text(node, "triage")?;
            match Triage::ALL.into_iter().find(|label| label.name() == text) {
                Some(label) => Some(label),
                None => self.problem(at, Problem::UnknownLabel(text)),
            }
        });
        let tool_calls = fields
            .take("tool_calls")
            .map(|node| self.calls(node, "tool_calls"));
        let mode = fields.take("mode").and_then(|node| {
            let at = node.at;
            let text = self.text(node, "mode")?;
            if tool_calls.is_none() {
                self.problem::<()>(at, Problem::ModeWithoutCalls);
            }
            match MatchMode::ALL.into_iter().find(|mode| mode.name() == text) {
                Some(mode) => Some(mode),
                None => self.problem(at, Problem::UnknownMode(text)),
            }
        });
        let forbidden = fields
            .take("forbidden")
            .map(|node| self.calls(node, "forbidden"))
            .unwrap_or_default();
        for (at, pattern) in &forbidden {
            let expected = tool_calls
                .iter()
                .flatten()
                .any(|(_, call)| call.name == pattern.name);
            if expected && pattern.arguments.is_empty() {
                let tool = Tool::find(&pattern.name)
                    .expect("its name was checked")
                    .name;
                self.problem::<()>(*at, Problem::ExpectedAndForbidden { tool });
            }
        }
        let criteria = fields
            .take("criteria")
            .map(|node| self.texts(node, "criteria"))
            .unwrap_or_default();
        let patterns = |calls: Vec<(Position, CallPattern)>| {
            exact(calls.into_iter().map(|(_, pattern)| pattern))
        };
        Some(Expect {
            triage: triage?,
            tool_calls: tool_calls.map(patterns),
            mode: mode.unwrap_or_default(),
            forbidden: patterns(forbidden),
            criteria,
        })
    }

    fn date(&mut self, node: Node) -> Option<Date> {
        let at = node.at;
        let text = self.text(node, "date")?;
        // jiff also reads a date at the start of a longer time, and other spellings.
        let written = text.len() == "2026-03-02".len() && text.as_bytes()[4] == b'-';
        match text.parse() {
            Ok(date) if written => Some(date),
            _ => self.problem(at, Problem::BadDate(text)),
        }
    }

    fn texts(&mut self, node: Node, key: &'static str) -> Vec<String> {
        let Value::List(nodes) = node.value else {
            self.wrong::<()>(key, "a list of texts", &node);
            return Vec::new();
        };
        exact(nodes.into_iter().filter_map(|node| self.text(node, key)))
    }

    fn text(&mut self, node: Node, key: &str) -> Option<String> {
        let at = node.at;
        let text = self.maybe_empty_text(node, key)?;
        if text.trim().is_empty() {
            return self.problem(
                at,
                Problem::Empty {
                    key: key.to_owned(),
                },
            );
        }
        Some(text)
    }

    fn maybe_empty_text(&mut self, node: Node, key: &str) -> Option<String> {
        if node.is_null() {
            return self.problem(
                node.at,
                Problem::Empty {
                    key: key.to_owned(),
                },
            );
        }
        match node.value {
            Value::Text(text) | Value::Plain(text) => Some(text),
            _ => self.wrong(key, "a text", &node),
        }
    }

    /// The values of a map under the known keys; everything else about the map is a mistake.
    fn fields(
        &mut self,
        node: Node,
        inside: &'static str,
        key: &str,
        known: &'static [&'static str],
    ) -> Option<Fields> {
        let at = node.at;
        let Value::Map(entries) = node.value else {
            return self.wrong(key, "a map", &node);
        };
        let mut slots: Vec<Option<(Position, Node)>> = known.iter().map(|_| None).collect();
        for entry in entries {
            let Some(index) = known.iter().position(|name| *name == entry.key) else {
                self.problem::<()>(
                    entry.key_at,
                    Problem::UnknownKey {
                        key: entry.key,
                        inside,
                        known,
                    },
                );
                continue;
            };
            match &slots[index] {
                Some((first, _)) => {
                    let first = *first;
                    let key = entry.key;
                    self.problem::<()>(entry.key_at, Problem::RepeatedKey { key, first });
                }
                None => slots[index] = Some((entry.key_at, entry.value)),
            }
        }
        Some(Fields {
            at,
            inside,
            known,
            slots,
        })
    }

    fn wrong<T>(&mut self, key: &str, wanted: &'static str, node: &Node) -> Option<T> {
        self.problem(
            node.at,
            Problem::WrongType {
                what: format!("`{key}`"),
                wanted,
                found: Found::of(&node.value),
            },
        )
    }

    fn problem<T>(&mut self, at: Position, problem: Problem) -> Option<T> {
        self.problems.push((at, problem));
        None
    }
}

/// A list that takes no more memory than it needs. Collecting reuses the memory of the list
/// it came from, which would make large datasets twice as large.
fn exact<T>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = values.collect();
    list.shrink_to_fit();
    list
}

/// The values of a map, each to be taken once.
struct Fields {
    at: Position,
    inside: &'static str,
    known: &'static [&'static str],
    slots: Vec<Option<(Position, Node)>>,
}

impl Fields {
    fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.known.iter().position(|name| *name == key)?;
        self.slots[index].take().map(|(_, node)| node)
    }

    fn require(&mut self, validator: &mut Validator, key: &'static str) -> Option<Node> {
        let node = self.take(key);
        if node.is_none() {
            let inside = self.inside;
            validator.problem::<()>(self.at, Problem::MissingKey { key, inside });
        }
        node
    }

    fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }
}
