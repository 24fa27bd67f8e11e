//! One record's tree to what it stands for, with every mistake in it.

mod call;
mod expect;
mod person;
mod scenario;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::civil::Date;
use regex::Regex;

use super::Example;
use super::error::{self, Found, Problem};
use super::resolve::{About, Kind, Record, Reference};
use super::tree::{Node, Position, Value};
use crate::email::Email;

const EXAMPLE: &[&str] = &[
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

/// What a record says, as far as it could be read.
pub(super) struct Checked {
    pub id: Option<(Position, String)>,
    pub kind: Kind,
    /// The whole record, if nothing is wrong with it by itself.
    pub record: Option<Record>,
    /// The examples it names, broken or not.
    pub references: Vec<Reference>,
    pub problems: Vec<(Position, Problem)>,
}

/// Compiled patterns by their texts.
type Patterns = Mutex<HashMap<String, Arc<Regex>>>;

/// Validates records. Patterns that many records share are compiled once, whichever threads
/// the records are validated on.
#[derive(Default)]
pub(super) struct Validator {
    patterns: Arc<Patterns>,
    references: Vec<Reference>,
    problems: Vec<(Position, Problem)>,
}

impl Validator {
    /// Another, for another thread, with the same patterns.
    pub fn beside(&self) -> Validator {
        Validator {
            patterns: Arc::clone(&self.patterns),
            ..Validator::default()
        }
    }

    pub fn check(&mut self, record: Node) -> Checked {
        let mut checked = Checked {
            id: None,
            kind: Kind::Example,
            record: None,
            references: Vec::new(),
            problems: Vec::new(),
        };
        let record = self.record(record, &mut checked);
        checked.references = std::mem::take(&mut self.references);
        checked.problems = std::mem::take(&mut self.problems);
        checked.record = record.filter(|_| checked.problems.is_empty());
        checked
    }

    fn record(&mut self, record: Node, checked: &mut Checked) -> Option<Record> {
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
        let has = |key: &str| entries.iter().any(|entry| entry.key == key);
        if has("scenario") {
            checked.kind = Kind::Scenario;
            let draft = self.scenario(record, &mut checked.id)?;
            return Some(Record::Scenario(draft));
        }
        if has("episode") {
            checked.kind = Kind::Episode;
            let draft = self.episode(record, &mut checked.id)?;
            return Some(Record::Episode(draft));
        }
        let example = self.example(record, &mut checked.id)?;
        Some(Record::Example(example))
    }

    fn example(&mut self, record: Node, id: &mut Option<(Position, String)>) -> Option<Example> {
        let mut fields = self.fields(record, error::EXAMPLE, "a record", EXAMPLE)?;
        *id = self.id(&mut fields);
        let email = fields
            .require(self, "email")
            .and_then(|node| self.email(node));
        let about = self.about(&mut fields);
        let expect = fields
            .require(self, "expect")
            .and_then(|node| self.expect(node));
        Some(Example {
            id: id.as_ref()?.1.clone(),
            email: email?,
            tags: about.tags.unwrap_or_default(),
            split: about.split,
            cluster: about.cluster,
            labelled_by: about.labelled_by,
            note: about.note,
            expect: expect?,
        })
    }

    fn id(&mut self, fields: &mut Fields) -> Option<(Position, String)> {
        let node = fields.require(self, "id")?;
        let at = node.at;
        let text = self.text(node, "id")?;
        if text.trim() != text || text.contains(char::is_control) {
            self.problem::<()>(at, Problem::BadId(text.clone()));
        }
        Some((at, text))
    }

    /// The optional keys that every kind of record has.
    fn about(&mut self, fields: &mut Fields) -> About {
        let tags = fields.take("tags").map(|node| self.texts(node, "tags"));
        let mut optional = |key| fields.take(key).and_then(|node| self.text(node, key));
        About {
            tags,
            split: optional("split"),
            cluster: optional("cluster"),
            labelled_by: optional("labelled_by"),
            note: optional("note"),
        }
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
