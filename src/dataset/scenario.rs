//! Emails with people around them: what a person answers, and what must come of it.

use serde_json::{Map, Value};

use super::{ArgumentMatcher, CallPattern, Criterion, Expect, MatchMode};
use crate::email::Triage;

/// One email, and a person whose answers are written down.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Unique within a dataset, among examples and episodes too.
    pub id: String,
    /// Index into [`super::Dataset::examples`].
    pub example: u32,
    pub human: Person,
    /// Whether every answer finds the run as after a restart of its process.
    pub restart: bool,
    /// Those of the example where the record gives none; likewise the next three.
    pub tags: Vec<String>,
    pub split: Option<String>,
    /// The example's own id where neither record names a cluster: scenarios on one email
    /// are no independent evidence.
    pub cluster: Option<String>,
    pub labelled_by: Option<String>,
    pub note: Option<String>,
    /// The example's expectations, with those of the record in their place.
    pub expect: Expect,
    /// The questions that must come up, these and no others, in this order; `None` where
    /// the record does not say. The triage question is called `notify`.
    pub interrupts: Option<Vec<CallPattern>>,
}

/// Emails in order, handled by an agent that keeps its memory from one to the next.
#[derive(Clone, Debug)]
pub struct Episode {
    pub id: String,
    pub steps: Vec<EpisodeStep>,
    /// Namespaces that must be the same after the last step as before the first.
    pub unchanged: Vec<String>,
    /// Whether memory should make no difference here: a negative control.
    pub control: bool,
    pub tags: Vec<String>,
    pub split: Option<String>,
    pub cluster: Option<String>,
    pub labelled_by: Option<String>,
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EpisodeStep {
    /// Index into [`super::Dataset::examples`].
    pub example: u32,
    /// First of the rules that fits an interrupt answers it; what none fits is accepted.
    pub human: Vec<Rule>,
    /// What must hold of a namespace's text after this step.
    pub memory: Vec<(String, ArgumentMatcher)>,
    /// What is asked of the agent's behaviour in this step: what the record states, and
    /// nothing of what the example expects otherwise.
    pub expect: StatedExpect,
}

/// Expectations as a record states them; what it does not mention is `None`.
#[derive(Clone, Debug, Default)]
pub struct StatedExpect {
    pub triage: Option<Triage>,
    pub tool_calls: Option<Vec<CallPattern>>,
    pub mode: Option<MatchMode>,
    pub forbidden: Option<Vec<CallPattern>>,
    pub criteria: Option<Vec<Criterion>>,
    pub interrupts: Option<Vec<CallPattern>>,
}

/// Who answers a scenario's interrupts.
#[derive(Clone, Debug)]
pub enum Person {
    /// The first rule that fits answers.
    Scripted(Vec<Rule>),
    /// A model plays the person described, for at most so many answers.
    Simulated { description: String, turns: u32 },
}

/// What a person answers to which interrupt.
#[derive(Clone, Debug)]
pub struct Rule {
    pub on: On,
    /// Only the n-th interrupt of `on`, from 1.
    pub nth: Option<u32>,
    /// What must hold of the proposed arguments.
    pub when: Vec<(String, ArgumentMatcher)>,
    pub answer: RuleAnswer,
    /// What must hold of the next call of the same tool that the agent proposes (after
    /// `notify`, of the first `write_email`): where the answer must be visible.
    pub then: Vec<(String, ArgumentMatcher)>,
}

/// What an interrupt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// The triage decision.
    Notify,
    /// A call of this tool, by its name in lower case.
    Tool(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum RuleAnswer {
    Accept,
    /// These arguments in the place of the proposed ones of the same name.
    Edit(Map<String, Value>),
    Ignore,
    Respond(String),
    /// No answer comes in time.
    Timeout,
}

impl Rule {
    /// Whether it answers an interrupt about `action` (a tool's name, or `notify`), the
    /// `nth` about it in its run, from 1.
    pub fn fits(&self, action: &str, args: &Map<String, Value>, nth: u32) -> bool {
        self.on.is(action)
            && self.nth.is_none_or(|wanted| wanted == nth)
            && self
                .when
                .iter()
                .all(|(name, matcher)| matcher.holds(name, args.get(name)))
    }
}

impl On {
    /// Whether an interrupt about `action` is meant.
    pub fn is(&self, action: &str) -> bool {
        action.eq_ignore_ascii_case(self.name())
    }

    /// `notify`, or the tool's name.
    pub fn name(&self) -> &str {
        match self {
            On::Notify => "notify",
            On::Tool(name) => name,
        }
    }

    /// The answers that a question about it takes, as rules name them.
    pub fn answers(&self) -> &'static [&'static str] {
        answers(self.name())
    }
}

/// The answers that a question about `notify` or a tool takes, as rules name them.
pub(super) fn answers(on: &str) -> &'static [&'static str] {
    match on {
        "notify" => &["accept", "respond", "ignore", "timeout"],
        "question" => &["respond", "ignore", "timeout"],
        _ => &["accept", "edit", "respond", "ignore", "timeout"],
    }
}

impl StatedExpect {
    /// `expect` with what is stated here in its place.
    pub fn over(&self, expect: &Expect) -> Expect {
        Expect {
            triage: self.triage.unwrap_or(expect.triage),
            tool_calls: self
                .tool_calls
                .clone()
                .or_else(|| expect.tool_calls.clone()),
            // A mode belongs to the calls it was written for.
            mode: match (&self.tool_calls, self.mode) {
                (_, Some(mode)) => mode,
                (Some(_), None) => MatchMode::default(),
                (None, None) => expect.mode,
            },
            forbidden: self
                .forbidden
                .clone()
                .unwrap_or_else(|| expect.forbidden.clone()),
            criteria: self
                .criteria
                .clone()
                .unwrap_or_else(|| expect.criteria.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_answers_the_interrupts_it_was_written_for() {
        let rule = |on: On, nth| Rule {
            on,
            nth,
            when: Vec::new(),
            answer: RuleAnswer::Accept,
            then: Vec::new(),
        };
        let tool = || On::Tool("write_email".into());
        let to_ana = Rule {
            when: vec![(
                "to".into(),
                ArgumentMatcher {
                    contains: Some("ana".into()),
                    ..ArgumentMatcher::default()
                },
            )],
            ..rule(tool(), None)
        };
        let (ana, bo) = (
            json!({"to": "Ana@x.example"}),
            json!({"to": "bo@x.example"}),
        );
        for (case, rule, action, args, nth, fits) in [
            ("its tool", rule(tool(), None), "write_email", &ana, 3, true),
            (
                "in any case",
                rule(tool(), None),
                "Write_Email",
                &ana,
                1,
                true,
            ),
            (
                "another tool",
                rule(tool(), None),
                "question",
                &ana,
                1,
                false,
            ),
            (
                "the decision",
                rule(On::Notify, None),
                "notify",
                &ana,
                1,
                true,
            ),
            (
                "the n-th",
                rule(tool(), Some(2)),
                "write_email",
                &ana,
                2,
                true,
            ),
            (
                "not the n-th",
                rule(tool(), Some(2)),
                "write_email",
                &ana,
                1,
                false,
            ),
            (
                "arguments hold",
                to_ana.clone(),
                "write_email",
                &ana,
                1,
                true,
            ),
            ("arguments do not", to_ana, "write_email", &bo, 1, false),
        ] {
            let args = args.as_object().unwrap();
            assert_eq!(rule.fits(action, args, nth), fits, "{case}");
        }
    }
}
