//! Calls and the matchers of their arguments.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};

use regex::{Regex, RegexBuilder};

use super::{Validator, exact};
use crate::dataset::error::Problem;
use crate::dataset::tool::{Kind, Tool};
use crate::dataset::tree::{Node, Position, Value};
use crate::dataset::{ArgumentMatcher, CallPattern};

const MATCHERS: &[&str] = &["equals", "contains", "matches", "any_of", "absent"];

/// Memory one compiled pattern may take; the widest class of a short pattern needs a tenth.
const PATTERN_BYTES: usize = 1 << 20;

impl Validator {
    pub(super) fn calls(&mut self, node: Node, key: &'static str) -> Vec<(Position, CallPattern)> {
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
        let (at, name, arguments) = self.named(node, key)?;
        let Some(tool) = Tool::find(&name) else {
            return self.problem(at, Problem::UnknownTool(name));
        };
        let arguments = match arguments {
            None => Vec::new(),
            Some(node) => self.arguments(node, tool.name, tool),
        };
        Some(CallPattern {
            name: tool.name.to_owned(),
            arguments,
        })
    }

    /// The name that a call gives, where it stands, and what it says of the arguments.
    pub(super) fn named(
        &mut self,
        node: Node,
        key: &str,
    ) -> Option<(Position, String, Option<Node>)> {
        let Value::Map(mut entries) = node.value else {
            return Some((node.at, self.text(node, key)?, None));
        };
        if entries.len() != 1 {
            let found = entries.len();
            return self.problem(node.at, Problem::NotOneTool { found });
        }
        let entry = entries.pop()?;
        Some((entry.key_at, entry.key, Some(entry.value)))
    }

    /// Matchers on arguments of the tool; `key` is what they stand under.
    pub(super) fn arguments(
        &mut self,
        node: Node,
        key: &'static str,
        tool: &'static Tool,
    ) -> Vec<(String, ArgumentMatcher)> {
        let at = node.at;
        let Value::Map(entries) = node.value else {
            if node.is_null() {
                let key = key.to_owned();
                self.problem::<()>(at, Problem::Empty { key });
            } else {
                self.wrong::<()>(key, "a map of arguments", &node);
            }
            return Vec::new();
        };
        let mut arguments: Vec<(Position, String, ArgumentMatcher)> = Vec::new();
        for entry in entries {
            let Some((name, kind)) = self.known_argument(&entry.key, entry.key_at, tool) else {
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

    pub(super) fn known_argument(
        &mut self,
        name: &str,
        at: Position,
        tool: &'static Tool,
    ) -> Option<(&'static str, Kind)> {
        let known = tool.argument(name);
        if known.is_none() {
            let problem = Problem::UnknownArgument {
                tool: tool.name,
                argument: name.to_owned(),
                known: tool.arguments,
            };
            return self.problem(at, problem);
        }
        known
    }

    pub(super) fn matcher(
        &mut self,
        node: Node,
        name: &str,
        kind: Kind,
    ) -> Option<ArgumentMatcher> {
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

    pub(super) fn only_true(&mut self, node: Node, key: &'static str) -> bool {
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

    fn patterns(&self) -> MutexGuard<'_, HashMap<String, Arc<Regex>>> {
        self.patterns.lock().expect("no holder panics")
    }

    fn pattern(&mut self, node: Node) -> Option<Arc<Regex>> {
        let at = node.at;
        let pattern = self.text(node, "matches")?;
        if let Some(regex) = self.patterns().get(&pattern) {
            return Some(Arc::clone(regex));
        }
        match RegexBuilder::new(&pattern)
            .size_limit(PATTERN_BYTES)
            .build()
        {
            Ok(regex) => {
                let regex = Arc::new(regex);
                self.patterns().insert(pattern, Arc::clone(&regex));
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
}
