//! Who answers interrupts, and what.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use serde_json::Map;

use super::{Fields, Validator};
use crate::dataset::error::Problem;
use crate::dataset::tool::{ASKING, Kind, NOTIFY, Tool};
use crate::dataset::tree::{Node, Position, Value};
use crate::dataset::{ArgumentMatcher, On, Person, Rule, RuleAnswer};

const SIMULATED: &[&str] = &["simulated", "turns"];
const RULE: &[&str] = &[
    "on", "nth", "when", "accept", "edit", "ignore", "respond", "timeout", "then",
];
const ANSWERS: [&str; 5] = ["accept", "edit", "ignore", "respond", "timeout"];

/// Answers of a simulated person where the record does not say how many.
const TURNS: u32 = 8;

impl Validator {
    pub(super) fn person(&mut self, node: Node) -> Option<Person> {
        match node.value {
            Value::List(_) => Some(Person::Scripted(self.rules(node))),
            Value::Map(_) => {
                let mut fields = self.fields(node, "`human`", "human", SIMULATED)?;
                let description = fields
                    .require(self, "simulated")
                    .and_then(|node| self.text(node, "simulated"));
                let turns = match fields.take("turns") {
                    Some(node) => self.whole(node, "turns", 1..=50, "a whole number from 1 to 50"),
                    None => Some(TURNS),
                };
                Some(Person::Simulated {
                    description: description?,
                    turns: turns?,
                })
            }
            _ => self.wrong("human", "a list of rules, or a map with `simulated`", &node),
        }
    }

    pub(super) fn rules(&mut self, node: Node) -> Vec<Rule> {
        let Value::List(nodes) = node.value else {
            self.wrong::<()>("human", "a list of rules", &node);
            return Vec::new();
        };
        // Rules that answer whatever is proposed; the first of them leaves later ones nothing.
        let mut taken: HashMap<(String, Option<u32>), Position> = HashMap::new();
        let mut rules = Vec::with_capacity(nodes.len());
        for node in nodes {
            let at = node.at;
            let Some(rule) = self.rule(node) else {
                continue;
            };
            let on = rule.on.name().to_owned();
            let earlier = taken
                .get(&(on.clone(), None))
                .or_else(|| taken.get(&(on.clone(), rule.nth)));
            if let Some(first) = earlier {
                let first = *first;
                self.problem::<()>(at, Problem::Unreachable { first });
            } else if rule.when.is_empty() {
                taken.insert((on, rule.nth), at);
            }
            rules.push(rule);
        }
        rules
    }

    fn rule(&mut self, node: Node) -> Option<Rule> {
        let at = node.at;
        let mut fields = self.fields(node, "a rule", "human", RULE)?;
        let on = fields.require(self, "on").and_then(|node| {
            let at = node.at;
            let name = self.text(node, "on")?;
            self.on(at, name)
        });
        let nth = fields
            .take("nth")
            .map(|node| self.whole(node, "nth", 1..=u32::MAX, "a whole number from 1"));
        let when = fields.take("when");
        let then = fields.take("then");
        // What arguments there are depends on the tool.
        let answer = self.answer(at, &mut fields, on.as_ref());
        let on = on?;
        let when = when
            .map(|node| self.proposed(node, "when", &on))
            .unwrap_or_default();
        let then = then
            .map(|node| self.then(node, &on, answer.as_ref()))
            .unwrap_or_default();
        let nth = match nth {
            Some(nth) => Some(nth?),
            None => None,
        };
        Some(Rule {
            on,
            nth,
            when,
            answer: answer?,
            then,
        })
    }

    /// The one answer of a rule.
    fn answer(&mut self, at: Position, fields: &mut Fields, on: Option<&On>) -> Option<RuleAnswer> {
        let mut given: Vec<(&'static str, Node)> = ANSWERS
            .into_iter()
            .filter_map(|key| Some((key, fields.take(key)?)))
            .collect();
        if given.len() > 1 {
            let answers = given.iter().map(|(key, _)| *key).collect();
            return self.problem(at, Problem::SeveralAnswers { answers });
        }
        let Some((key, node)) = given.pop() else {
            return self.problem(at, Problem::NoAnswer);
        };
        let value_at = node.at;
        let answer = match key {
            "accept" => self.only_true(node, "accept").then_some(RuleAnswer::Accept),
            "ignore" => self.only_true(node, "ignore").then_some(RuleAnswer::Ignore),
            "timeout" => self
                .only_true(node, "timeout")
                .then_some(RuleAnswer::Timeout),
            "respond" => self.text(node, "respond").map(RuleAnswer::Respond),
            _ => match on? {
                On::Tool(name) if takes(on?, "edit") => {
                    let tool = Tool::find(name).expect("its name was checked");
                    Some(RuleAnswer::Edit(self.edited(node, tool)))
                }
                On::Tool(_) | On::Notify => None,
            },
        };
        match on {
            Some(on) if !takes(on, key) => {
                let on = on.name().to_owned();
                self.problem(value_at, Problem::NotTaken { on, answer: key })
            }
            _ => answer,
        }
    }

    /// What must hold of the draft that follows feedback.
    fn then(
        &mut self,
        node: Node,
        on: &On,
        answer: Option<&RuleAnswer>,
    ) -> Vec<(String, ArgumentMatcher)> {
        let next = match on {
            On::Notify => &On::Tool("write_email".to_owned()),
            On::Tool(_) => on,
        };
        let is_feedback = matches!(answer, Some(RuleAnswer::Respond(_)) | None);
        if !is_feedback || on.name() == "question" {
            self.problem::<()>(node.at, Problem::NothingFollows);
            return Vec::new();
        }
        self.proposed(node, "then", next)
    }

    /// Matchers on the arguments that a call of `on` proposes.
    pub(super) fn proposed(
        &mut self,
        node: Node,
        key: &'static str,
        on: &On,
    ) -> Vec<(String, ArgumentMatcher)> {
        match on {
            On::Tool(name) => {
                let tool = Tool::find(name).expect("its name was checked");
                self.arguments(node, key, tool)
            }
            On::Notify => {
                self.problem::<()>(node.at, Problem::NothingProposed);
                Vec::new()
            }
        }
    }

    pub(super) fn on(&mut self, at: Position, name: String) -> Option<On> {
        let lower = name.to_lowercase();
        if lower == NOTIFY {
            return Some(On::Notify);
        }
        if ASKING.contains(&lower.as_str()) {
            return Some(On::Tool(lower));
        }
        let is_tool = Tool::find(&lower).is_some();
        self.problem(at, Problem::NeverAsked { name, is_tool })
    }

    /// New values of arguments, of the types that the tool takes. Forms send numbers and
    /// lists as texts, so a text that stands for one is as good, and stays a text.
    fn edited(&mut self, node: Node, tool: &'static Tool) -> Map<String, serde_json::Value> {
        let at = node.at;
        let Value::Map(entries) = node.value else {
            self.wrong::<()>("edit", "a map of arguments", &node);
            return Map::new();
        };
        if entries.is_empty() {
            let key = "edit".to_owned();
            self.problem::<()>(at, Problem::Empty { key });
        }
        let mut edited = Map::new();
        let mut seen: Vec<(&str, Position)> = Vec::new();
        for entry in entries {
            let Some((name, kind)) = self.known_argument(&entry.key, entry.key_at, tool) else {
                continue;
            };
            if let Some((_, first)) = seen.iter().find(|(seen, _)| *seen == name) {
                let (key, first) = (entry.key, *first);
                self.problem::<()>(entry.key_at, Problem::RepeatedKey { key, first });
                continue;
            }
            seen.push((name, entry.key_at));
            if let Some(value) = self.edited_value(entry.value, name, kind) {
                edited.insert(name.to_owned(), value);
            }
        }
        edited
    }

    fn edited_value(
        &mut self,
        node: Node,
        name: &'static str,
        kind: Kind,
    ) -> Option<serde_json::Value> {
        let at = node.at;
        let wanted = match kind {
            Kind::Text => "a text",
            Kind::Texts => "a list of texts",
            Kind::Number => "a whole number",
            Kind::Bool => "`true` or `false`",
        };
        if node.is_null() {
            return self.wrong(name, wanted, &node);
        }
        let value = match (kind, node.value) {
            (Kind::Text | Kind::Texts, Value::Text(text) | Value::Plain(text)) => text.into(),
            (Kind::Text, Value::Number(number)) => number.to_string().into(),
            (Kind::Texts, Value::List(nodes)) => nodes
                .into_iter()
                .map(|node| self.edited_value(node, name, Kind::Text))
                .collect::<Option<_>>()?,
            (Kind::Number, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                number.into()
            }
            (Kind::Number, Value::Plain(text)) if text.parse::<i64>().is_ok() => Node {
                at,
                value: Value::Plain(text),
            }
            .into_json(),
            (Kind::Number, Value::Text(text)) if text.trim().parse::<i64>().is_ok() => text.into(),
            (Kind::Bool, Value::Bool(value)) => value.into(),
            (_, value) => return self.wrong(name, wanted, &Node { at, value }),
        };
        Some(value)
    }

    pub(super) fn whole(
        &mut self,
        node: Node,
        key: &str,
        range: RangeInclusive<u32>,
        wanted: &'static str,
    ) -> Option<u32> {
        let number = match &node.value {
            Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
            Value::Plain(text) => text.parse().ok(),
            _ => None,
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => self.wrong(key, wanted, &node),
        }
    }
}

/// Whether a question about `on` can be answered so.
fn takes(on: &On, answer: &str) -> bool {
    on.answers().contains(&answer)
}
