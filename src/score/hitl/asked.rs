//! What was asked: the right questions, once, in order, and shown as they are.

use serde_json::Value;

use super::{Case, Problems};
use crate::run::{Allowed, Interrupt};
use crate::score::one_line;
use crate::score::questions::{Asked, Proposal, Question, against, is_thought, name, shows};

/// How many characters of a text a question must show; agents cut long ones.
const SHOWN: usize = 200;

impl Case<'_> {
    pub(super) fn asked(&self) -> Problems {
        let expected = self.scenario.interrupts.as_ref()?;
        (!expected.is_empty()).then(|| self.against_expected().missing)
    }

    pub(super) fn needless(&self) -> Problems {
        self.scenario.interrupts.as_ref()?;
        let needless = self.against_expected().needless;
        let problem = |at: usize| format!("{} was asked", self.questions[at].name());
        Some(needless.into_iter().map(problem).collect())
    }

    pub(super) fn order(&self) -> Problems {
        let expected = self.scenario.interrupts.as_ref()?;
        if expected.len() < 2 {
            return None;
        }
        let problem = |action| format!("{action} was asked at another place");
        let out_of_order = self.against_expected().out_of_order;
        Some(out_of_order.into_iter().map(problem).collect())
    }

    fn against_expected(&self) -> Asked {
        let asked: Vec<_> = self
            .questions
            .iter()
            .map(|question| (question.interrupt.action.as_str(), &question.interrupt.args))
            .collect();
        against(
            self.scenario.interrupts.as_deref().unwrap_or_default(),
            &asked,
        )
    }

    /// A proposal is repeated where the model had no part in its coming up again.
    pub(super) fn repeated(&self) -> Problems {
        self.any(|question| {
            let is_same = |earlier: &&Question| {
                earlier.at < question.at && is_about_the_same(earlier, question)
            };
            let earlier = self.questions.iter().rfind(is_same)?;
            let thought = self.run.steps[earlier.at..question.at]
                .iter()
                .any(is_thought);
            (!thought).then(|| format!("{} was asked again", question.name()))
        })
    }

    pub(super) fn payload(&self) -> Problems {
        self.every(|question| {
            let interrupt = question.interrupt;
            let mut problems = Vec::new();
            if question.is_notice() {
                if !interrupt.args.is_empty() {
                    problems.push("notify has arguments".to_owned());
                }
            } else {
                match &question.proposal {
                    Some(proposal) => problems.extend(differences(interrupt, proposal)),
                    None => problems.push(format!("{} was not proposed", question.name())),
                }
            }
            problems.extend(self.undescribed(question));
            problems
        })
    }

    /// What the description leaves out: it holds the email's subject and body, and all texts
    /// of the call, each at least as it begins.
    fn undescribed(&self, question: &Question) -> Vec<String> {
        let action = question.name();
        let Some(description) = &question.interrupt.description else {
            return vec![format!("{action} has no description")];
        };
        let description = spaced(description);
        let begin = |text: &str| -> String { spaced(text).chars().take(SHOWN).collect() };
        let has = |text: &str| {
            // Arguments may be shown as JSON.
            let quoted = Value::from(text.trim()).to_string();
            [text, quoted.trim_matches('"')]
                .iter()
                .any(|text| description.contains(begin(text).trim_end()))
        };
        let mut problems = Vec::new();
        let email = &self.example.email;
        if !has(&email.subject) || !has(&email.body) {
            problems.push(format!("{action} does not show the email"));
        }
        let args = question.proposal.as_ref().map(Proposal::args);
        for (argument, value) in args.iter().flat_map(|args| args.iter()) {
            if !texts(value).into_iter().all(has) {
                problems.push(format!("{action} does not show its {}", name(argument)));
            }
        }
        problems
    }

    pub(super) fn flags(&self) -> Problems {
        self.any(|question| {
            let allowed = question.interrupt.allowed;
            let wanted = wanted(question.interrupt);
            (allowed != wanted).then(|| {
                format!(
                    "{} allows {}, and must allow {}",
                    question.name(),
                    list(allowed),
                    list(wanted)
                )
            })
        })
    }

    /// Several problems a question; `None` where nothing was asked.
    pub(super) fn every(&self, problems: impl Fn(&Question) -> Vec<String>) -> Problems {
        (!self.questions.is_empty()).then(|| self.questions.iter().flat_map(problems).collect())
    }

    /// One problem a question at most; `None` where nothing was asked.
    pub(super) fn any(&self, problem: impl Fn(&Question) -> Option<String>) -> Problems {
        self.every(|question| problem(question).into_iter().collect())
    }
}

fn is_about_the_same(one: &Question, other: &Question) -> bool {
    let same_action = one
        .interrupt
        .action
        .eq_ignore_ascii_case(&other.interrupt.action);
    match (&one.proposal, &other.proposal) {
        (Some(one), Some(other)) => {
            one.message.id == other.message.id && one.call.id == other.call.id
        }
        (None, None) => same_action && one.interrupt.args == other.interrupt.args,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// How a question differs from the call that it is about.
fn differences(interrupt: &Interrupt, proposal: &Proposal) -> Option<String> {
    let action = name(&interrupt.action);
    if !proposal.call.is(&interrupt.action) {
        return Some(format!("{action} stands for {}", name(&proposal.call.name)));
    }
    let is_shown = shows(interrupt, proposal.call);
    (!is_shown).then(|| format!("{action} shows other arguments than were proposed"))
}

/// What a question must allow. A notice may be accepted or not: agents differ, and both
/// make sense.
fn wanted(interrupt: &Interrupt) -> Allowed {
    let answer = Allowed {
        ignore: true,
        respond: true,
        ..Allowed::default()
    };
    match interrupt.action.to_lowercase().as_str() {
        "notify" => Allowed {
            accept: interrupt.allowed.accept,
            ..answer
        },
        "question" => answer,
        _ => Allowed {
            accept: true,
            edit: true,
            ..answer
        },
    }
}

fn list(allowed: Allowed) -> String {
    match allowed.kinds()[..] {
        [] => "nothing".to_owned(),
        ref kinds => kinds.join(", "),
    }
}

/// The texts in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Text with any run of space as one: descriptions wrap and indent.
pub(super) fn spaced(text: &str) -> String {
    one_line(text, usize::MAX)
}
