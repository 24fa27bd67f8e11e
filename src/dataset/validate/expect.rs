//! What is expected of an agent.

use super::{Fields, Validator, exact};
use crate::dataset::error::Problem;
use crate::dataset::tool::Tool;
use crate::dataset::tree::{Node, Position, Value};
use crate::dataset::{CallPattern, Expect, MatchMode, StatedExpect};
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
            criteria: fields
                .take("criteria")
                .map(|node| self.texts(node, "criteria")),
            ..StatedExpect::default()
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
