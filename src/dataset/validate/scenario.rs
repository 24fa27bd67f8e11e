//! Scenarios and episodes: records that name examples.

use super::{Fields, Validator, exact};
use crate::agent::memory::Namespace;
use crate::dataset::error::Problem;
use crate::dataset::resolve::{EpisodeDraft, Reference, ScenarioDraft, StepDraft};
use crate::dataset::tool::Kind;
use crate::dataset::tree::{Node, Position, Value};
use crate::dataset::{ArgumentMatcher, StatedExpect};

const SCENARIO: &[&str] = &[
    "id",
    "scenario",
    "human",
    "restart",
    "tags",
    "split",
    "cluster",
    "labelled_by",
    "note",
    "expect",
];
const EPISODE: &[&str] = &[
    "id",
    "episode",
    "unchanged",
    "control",
    "tags",
    "split",
    "cluster",
    "labelled_by",
    "note",
];
const STEP: &[&str] = &["example", "human", "memory", "expect"];

/// Learning needs an email to learn from and one to show it on.
const FEWEST_STEPS: usize = 2;

impl Validator {
    pub(super) fn scenario(
        &mut self,
        record: Node,
        id: &mut Option<(Position, String)>,
    ) -> Option<ScenarioDraft> {
        let at = record.at;
        let mut fields = self.fields(record, "the scenario", "a scenario", SCENARIO)?;
        *id = self.id(&mut fields);
        let example = fields.take("scenario").and_then(|node| {
            let mut fields = self.fields(node, "`scenario`", "scenario", &["example"])?;
            self.reference(&mut fields)
        });
        let human = fields
            .require(self, "human")
            .and_then(|node| self.person(node));
        let restart = fields
            .take("restart")
            .is_some_and(|node| self.only_true(node, "restart"));
        let about = self.about(&mut fields);
        let expect = fields.take("expect");
        let expect_at = expect.as_ref().map_or(at, |node| node.at);
        let expect = expect
            .and_then(|node| self.stated_expect(node))
            .unwrap_or_default();
        Some(ScenarioDraft {
            id: id.as_ref()?.1.clone(),
            example: example?,
            human: human?,
            restart,
            about,
            expect_at,
            expect,
        })
    }

    pub(super) fn episode(
        &mut self,
        record: Node,
        id: &mut Option<(Position, String)>,
    ) -> Option<EpisodeDraft> {
        let at = record.at;
        let mut fields = self.fields(record, "the episode", "an episode", EPISODE)?;
        *id = self.id(&mut fields);
        let steps = fields.take("episode").and_then(|node| self.steps(node));
        let unchanged = fields
            .take("unchanged")
            .map(|node| self.namespaces(node))
            .unwrap_or_default();
        let control = fields
            .take("control")
            .is_some_and(|node| self.only_true(node, "control"));
        let about = self.about(&mut fields);
        let steps = steps?;
        let asks = |step: &StepDraft| !step.memory.is_empty() || step.expect.asks();
        // What is broken may be what it asks.
        if self.problems.is_empty() && unchanged.is_empty() && !steps.iter().any(asks) {
            self.problem::<()>(at, Problem::NothingAsked);
        }
        Some(EpisodeDraft {
            id: id.as_ref()?.1.clone(),
            steps,
            unchanged,
            control,
            about,
        })
    }

    /// `None` where it is no list; steps that are broken are left out.
    fn steps(&mut self, node: Node) -> Option<Vec<StepDraft>> {
        let at = node.at;
        let Value::List(nodes) = node.value else {
            return self.wrong("episode", "a list of steps", &node);
        };
        if nodes.len() < FEWEST_STEPS {
            let found = nodes.len();
            self.problem::<()>(at, Problem::TooFewSteps { found });
        }
        let steps: Vec<_> = nodes.into_iter().map(|node| self.step(node)).collect();
        steps.into_iter().collect()
    }

    fn step(&mut self, node: Node) -> Option<StepDraft> {
        let mut fields = self.fields(node, "a step", "episode", STEP)?;
        let example = self.reference(&mut fields);
        let human = fields
            .take("human")
            .map(|node| self.rules(node))
            .unwrap_or_default();
        let memory = fields
            .take("memory")
            .map(|node| self.memory(node))
            .unwrap_or_default();
        let expect = fields
            .take("expect")
            .and_then(|node| self.stated_expect(node))
            .unwrap_or_default();
        Some(StepDraft {
            example: example?,
            human,
            memory,
            expect,
        })
    }

    /// The example that a record names, which is looked up once all are read.
    fn reference(&mut self, fields: &mut Fields) -> Option<String> {
        let node = fields.require(self, "example")?;
        let at = node.at;
        let id = self.text(node, "example")?;
        self.references.push(Reference { at, id: id.clone() });
        Some(id)
    }

    fn memory(&mut self, node: Node) -> Vec<(String, ArgumentMatcher)> {
        let at = node.at;
        let Value::Map(entries) = node.value else {
            self.wrong::<()>("memory", "a map of memories", &node);
            return Vec::new();
        };
        if entries.is_empty() {
            let key = "memory".to_owned();
            self.problem::<()>(at, Problem::Empty { key });
        }
        let mut seen: Vec<(Namespace, Position)> = Vec::new();
        let mut memory = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(name) = self.namespace(entry.key, entry.key_at, &mut seen) else {
                continue;
            };
            if let Some(matcher) = self.matcher(entry.value, name.name(), Kind::Text) {
                memory.push((name.name().to_owned(), matcher));
            }
        }
        memory
    }

    fn namespaces(&mut self, node: Node) -> Vec<String> {
        let Value::List(nodes) = node.value else {
            self.wrong::<()>("unchanged", "a list of memories", &node);
            return Vec::new();
        };
        let mut seen = Vec::new();
        exact(nodes.into_iter().filter_map(|node| {
            let at = node.at;
            let name = self.text(node, "unchanged")?;
            let namespace = self.namespace(name, at, &mut seen)?;
            Some(namespace.name().to_owned())
        }))
    }

    /// The memory of that name, if it was not named before.
    fn namespace(
        &mut self,
        name: String,
        at: Position,
        seen: &mut Vec<(Namespace, Position)>,
    ) -> Option<Namespace> {
        let known = Namespace::ALL
            .into_iter()
            .find(|namespace| namespace.name() == name);
        let Some(namespace) = known else {
            return self.problem(at, Problem::UnknownMemory(name));
        };
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == namespace) {
            let first = *first;
            return self.problem(at, Problem::RepeatedKey { key: name, first });
        }
        seen.push((namespace, at));
        Some(namespace)
    }
}

impl StatedExpect {
    /// Whether anything is stated.
    fn asks(&self) -> bool {
        let StatedExpect {
            triage,
            tool_calls,
            mode: _,
            forbidden,
            criteria,
            interrupts,
        } = self;
        triage.is_some()
            || tool_calls.is_some()
            || forbidden.as_ref().is_some_and(|calls| !calls.is_empty())
            || criteria.as_ref().is_some_and(|texts| !texts.is_empty())
            || interrupts.is_some()
    }
}
