//! What is expected of an agent.

use super::{Fields, Validator, exact};
use crate::dataset::error::Problem;
use crate::dataset::tool::Tool;
use crate::dataset::tree::{Node, Position, Value};
use crate::dataset::{CallPattern, Criterion, Expect, MatchMode, StatedExpect};
use crate::email::Triage;

const EXPECT: &[&str] = &["triage", "tool_calls", "mode", "forbidden", "criteria"];
const STATED: &[&str] = &[
    "triage",
    "tool_calls",
    "mode",
    "forbidden",
    "criteria",
    "interrupts",
];
const CRITERION: &[&str] = &["text", "weight", "critical"];

/// The most that one criterion can weigh: with more, the others were no criteria.
const HEAVIEST: f64 = 100.0;

impl Validator {
    /// The expectations of an example, which must give a label.
    pub(super) fn expect(&mut self, node: Node) -> Option<Expect> {
        let mut fields = self.fields(node, "`expect`", "expect", EXPECT)?;
        let triage = fields
            .require(self, "triage")
            .and_then(|node| self.label(node));
        let stated = self.stated(&mut fields);
        Some(Expect {
            triage: triage?,
            tool_calls: stated.tool_calls,
            mode: stated.mode.unwrap_or_default(),
            forbidden: stated.forbidden.unwrap_or_default(),
            criteria: stated.criteria.unwrap_or_default(),
        })
    }

    /// The expectations of a scenario or of a step, of which none must be given.
    pub(super) fn stated_expect(&mut self, node: Node) -> Option<StatedExpect> {
        let mut fields = self.fields(node, "`expect`", "expect", STATED)?;
        Some(StatedExpect {
            triage: fields.take("triage").and_then(|node| self.label(node)),
            interrupts: fields.take("interrupts").map(|node| self.interrupts(node)),
            ..self.stated(&mut fields)
        })
    }

    /// All but the label and the interrupts.
    fn stated(&mut self, fields: &mut Fields) -> StatedExpect {
        let tool_calls = fields
            .take("tool_calls")
            .map(|node| self.calls(node, "tool_calls"));
        let mode = fields
            .take("mode")
            .and_then(|node| self.mode(node, tool_calls.is_some()));
        let forbidden = fields
            .take("forbidden")
            .map(|node| self.calls(node, "forbidden"));
        for (at, pattern) in forbidden.iter().flatten() {
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
        let patterns = |calls: Vec<(Position, CallPattern)>| {
            exact(calls.into_iter().map(|(_, pattern)| pattern))
        };
        StatedExpect {
            tool_calls: tool_calls.map(patterns),
            mode,
            forbidden: forbidden.map(patterns),
            criteria: fields.take("criteria").map(|node| self.criteria(node)),
            ..StatedExpect::default()
        }
    }

    fn criteria(&mut self, node: Node) -> Vec<Criterion> {
        let Value::List(nodes) = node.value else {
            self.wrong::<()>("criteria", "a list of criteria", &node);
            return Vec::new();
        };
        exact(nodes.into_iter().filter_map(|node| self.criterion(node)))
    }

    /// A text, or a map with more to say about it.
    fn criterion(&mut self, node: Node) -> Option<Criterion> {
        match node.value {
            Value::Map(_) => {
                let mut fields = self.fields(node, "the criterion", "criteria", CRITERION)?;
                let text = fields
                    .require(self, "text")
                    .and_then(|node| self.text(node, "text"));
                let weight = match fields.take("weight") {
                    Some(node) => self.weight(node),
                    None => Some(1.0),
                };
                let critical = fields
                    .take("critical")
                    .is_some_and(|node| self.only_true(node, "critical"));
                Some(Criterion {
                    text: text?,
                    weight: weight?,
                    critical,
                })
            }
            Value::Bool(_) | Value::Number(_) | Value::List(_) => {
                self.wrong("criteria", "made of texts, or of maps with `text`", &node)
            }
            Value::Null | Value::Text(_) | Value::Plain(_) => {
                self.text(node, "criteria").map(Criterion::from)
            }
        }
    }

    fn weight(&mut self, node: Node) -> Option<f64> {
        let number = match &node.value {
            Value::Number(number) => number.as_f64(),
            Value::Plain(text) => text.parse().ok(),
            _ => None,
        };
        // Not a number is above nothing.
        match number.filter(|number| *number > 0.0 && *number <= HEAVIEST) {
            Some(number) => Some(number),
            None => self.wrong("weight", "a number above 0, and at most 100", &node),
        }
    }

    fn label(&mut self, node: Node) -> Option<Triage> {
        let at = node.at;
        let text = self.text(node, "triage")?;
        match Triage::ALL.into_iter().find(|label| label.name() == text) {
            Some(label) => Some(label),
            None => self.problem(at, Problem::UnknownLabel(text)),
        }
    }

    fn mode(&mut self, node: Node, has_calls: bool) -> Option<MatchMode> {
        let at = node.at;
        let text = self.text(node, "mode")?;
        if !has_calls {
            self.problem::<()>(at, Problem::ModeWithoutCalls);
        }
        match MatchMode::ALL.into_iter().find(|mode| mode.name() == text) {
            Some(mode) => Some(mode),
            None => self.problem(at, Problem::UnknownMode(text)),
        }
    }

    fn interrupts(&mut self, node: Node) -> Vec<CallPattern> {
        let Value::List(nodes) = node.value else {
            self.wrong::<()>("interrupts", "a list of interrupts", &node);
            return Vec::new();
        };
        exact(nodes.into_iter().filter_map(|node| self.interrupt(node)))
    }

    fn interrupt(&mut self, node: Node) -> Option<CallPattern> {
        let (at, name, arguments) = self.named(node, "interrupts")?;
        let on = self.on(at, name)?;
        Some(CallPattern {
            name: on.name().to_owned(),
            arguments: match arguments {
                Some(node) => self.proposed(node, "interrupts", &on),
                None => Vec::new(),
            },
        })
    }
}
