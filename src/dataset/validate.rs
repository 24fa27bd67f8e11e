//! One record's tree to an example, with every mistake in it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use regex::{Regex, RegexBuilder};

use super::error::{Found, Problem};
use super::tool::{Kind, Tool};
use super::tree::{Node, Position, Value};
use super::{ArgumentMatcher, CallPattern, Example, Expect, MatchMode};
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
const MATCHERS: &[&str] = &["equals", "contains", "matches", "any_of", "absent"];

/// Memory one compiled pattern may take; the widest class of a short pattern needs a tenth.
const PATTERN_BYTES: usize = 1 << 20;

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

    fn calls(&mut self, node: Node, key: &'static str) -> Vec<(Position, CallPattern)> {
        let Value::List(nodes) = node.value else {
            self.wrong::<()>(key, "a list of calls", &node);
            return Vec::new();
        };
        nodes
            .into_iter()
            .filter_map(|node| Some((node.at, self.call(node, key)?)))
            .collect()
    }

    fn call(&mut self, node: Node, key: &str) -> Option<CallPattern> {
        let (at, name, arguments) = match node.value {
            Value::Map(mut entries) => {
                if entries.len() != 1 {
                    let found = entries.len();
                    return self.problem(node.at, Problem::NotOneTool { found });
                }
                let entry = entries.pop()?;
                (entry.key_at, entry.key, Some(entry.value))
            }
            _ => (node.at, self.text(node, key)?, None),
        };
        let Some(tool) = Tool::find(&name) else {
            return self.problem(at, Problem::UnknownTool(name));
        };
        let arguments = match arguments {
            None => Vec::new(),
            Some(node) => self.arguments(node, tool),
        };
        Some(CallPattern {
            name: tool.name.to_owned(),
            arguments,
        })
    }

    fn arguments(&mut self, node: Node, tool: &'static Tool) -> Vec<(String, ArgumentMatcher)> {
        let at = node.at;
        let Value::Map(entries) = node.value else {
            if node.is_null() {
                self.problem::<()>(
                    at,
                    Problem::Empty {
                        key: tool.name.to_owned(),
                    },
                );
            } else {
                self.wrong::<()>(tool.name, "a map of arguments", &node);
            }
            return Vec::new();
        };
        let mut arguments: Vec<(Position, String, ArgumentMatcher)> = Vec::new();
        for entry in entries {
            let Some((name, kind)) = tool.argument(&entry.key) else {
                self.problem::<()>(
                    entry.key_at,
                    Problem::UnknownArgument {
                        tool: tool.name,
                        argument: entry.key,
                        known: tool.arguments,
                    },
                );
                continue;
            };
            if let Some((first, ..)) = arguments.iter().find(|(_, seen, _)| seen == name) {
                let first = *first;
                self.problem::<()>(
                    entry.key_at,
                    Problem::RepeatedKey {
                        key: entry.key,
                        first,
                    },
                );
                continue;
            }
            if let Some(matcher) = self.matcher(entry.value, name, kind) {
                arguments.push((entry.key_at, entry.key, matcher));
            }
        }
        exact(
            arguments
                .into_iter()
                .map(|(_, name, matcher)| (name, matcher)),
        )
    }

    fn matcher(&mut self, node: Node, name: &str, kind: Kind) -> Option<ArgumentMatcher> {
        let at = node.at;
        if !matches!(node.value, Value::Map(_)) {
            return Some(ArgumentMatcher {
                equals: Some(self.argument(node, name, kind)?),
                ..ArgumentMatcher::default()
            });
        }
        let mut fields = self.fields(node, "a matcher", name, MATCHERS)?;
        if fields.is_empty() {
            return self.problem(
                at,
                Problem::Empty {
                    key: name.to_owned(),
                },
            );
        }
        let matcher = ArgumentMatcher {
            equals: fields
                .take("equals")
                .and_then(|node| self.argument(node, "equals", kind)),
            contains: fields
                .take("contains")
                .and_then(|node| self.text(node, "contains")),
            matches: fields.take("matches").and_then(|node| self.pattern(node)),
            any_of: fields
                .take("any_of")
                .map(|node| self.any_of(node, kind))
                .unwrap_or_default(),
            absent: fields
                .take("absent")
                .is_some_and(|node| self.only_true(node, "absent")),
        };
        let others = matcher.equals.is_some()
            || matcher.contains.is_some()
            || matcher.matches.is_some()
            || !matcher.any_of.is_empty();
        if matcher.absent && others {
            return self.problem(at, Problem::AbsentAndMore);
        }
        Some(matcher)
    }

    fn any_of(&mut self, node: Node, kind: Kind) -> Vec<serde_json::Value> {
        let at = node.at;
        let Value::List(nodes) = node.value else {
            self.wrong::<()>("any_of", "a list", &node);
            return Vec::new();
        };
        if nodes.is_empty() {
            let key = "any_of".to_owned();
            self.problem::<()>(at, Problem::Empty { key });
        }
        nodes
            .into_iter()
            .filter_map(|node| self.argument(node, "any_of", kind))
            .collect()
    }

    fn only_true(&mut self, node: Node, key: &'static str) -> bool {
        let value = &node.value;
        if *value == Value::Bool(true) || *value == Value::Plain("true".to_owned()) {
            return true;
        }
        self.wrong::<()>(key, "`true`", &node);
        false
    }

    /// A value as the argument's kind wants it: YAML's `1042` is a text where a text is.
    fn argument(&mut self, node: Node, key: &str, kind: Kind) -> Option<serde_json::Value> {
        if node.is_null() {
            let wanted = "a value (`absent: true` for none)";
            return self.wrong(key, wanted, &node);
        }
        Some(match (kind, node.value) {
            (Kind::Text | Kind::Texts, Value::Plain(text)) => text.into(),
            (Kind::Text | Kind::Texts, Value::Number(number)) => number.to_string().into(),
            (Kind::Texts, Value::List(nodes)) => nodes
                .into_iter()
                .map(|node| self.argument(node, key, Kind::Text))
                .collect::<Option<_>>()?,
            (_, value) => Node { at: node.at, value }.into_json(),
        })
    }

    fn pattern(&mut self, node: Node) -> Option<Arc<Regex>> {
        let at = node.at;
        let pattern = self.text(node, "matches")?;
        if let Some(regex) = self.patterns.get(&pattern) {
            return Some(Arc::clone(regex));
        }
        match RegexBuilder::new(&pattern)
            .size_limit(PATTERN_BYTES)
            .build()
        {
            Ok(regex) => {
                let regex = Arc::new(regex);
                self.patterns.insert(pattern, Arc::clone(&regex));
                Some(regex)
            }
            Err(error) => {
                // The first lines repeat the pattern and point into it.
                let message = error.to_string();
                let last = message.lines().last().unwrap_or_default();
                let message = last.trim_start_matches("error: ").to_owned();
                self.problem(at, Problem::BadPattern { pattern, message })
            }
        }
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
