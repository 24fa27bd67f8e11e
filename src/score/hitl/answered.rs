//! What became of the answers.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::asked::spaced;
use super::{Case, Problems};
use crate::dataset::{ArgumentMatcher, On};
use crate::message::{Message, Role, ToolCall, ToolStatus, visible};
use crate::run::{Response, Step};
use crate::score::questions::{Proposal, Question, alike, equal, is_thought, mismatch, name};
use crate::score::tool_calls::argument::describe;
use crate::score::tool_calls::made::object;

impl<'a> Case<'a> {
    pub(super) fn accepted(&self) -> Problems {
        self.on(
            |question| *question.response == Response::Accept,
            |question, proposal| match proposal {
                None => self.went_on(question),
                Some(proposal) => {
                    let is_right = |args: &_| equal(args, &proposal.args());
                    self.ran_once(question, proposal, "as proposed", is_right)
                }
            },
        )
    }

    pub(super) fn edited(&self) -> Problems {
        self.on(
            |question| matches!(question.response, Response::Edit(_)),
            |question, proposal| {
                let (Response::Edit(edit), Some(proposal)) = (question.response, proposal) else {
                    return vec!["a notice was edited".to_owned()];
                };
                let is_right = |args: &_| is_edited(args, &proposal.args(), edit);
                let mut problems = self.ran_once(question, proposal, "as edited", is_right);
                let shown = proposal.shown(self.run);
                if !shown.is_some_and(|call| is_right(&object(&call.arguments))) {
                    problems.push(format!(
                        "the conversation does not show {} as edited",
                        question.name()
                    ));
                }
                problems
            },
        )
    }

    /// Silence is a rejection, too.
    pub(super) fn rejected(&self) -> Problems {
        self.on(
            |question| *question.response == Response::Ignore,
            |question, proposal| {
                let Some(proposal) = proposal else {
                    return self.went_on(question);
                };
                let mut problems = self.not_run(question, proposal);
                let denied = |message: &&Message| message.status == ToolStatus::Denied;
                if proposal
                    .answers(self.run)
                    .into_iter()
                    .filter(denied)
                    .count()
                    != 1
                {
                    problems.push(format!("{} is not answered as denied", question.name()));
                }
                if self.thought_after(question) {
                    problems.push(format!(
                        "the model was called again after {} was ignored",
                        question.name()
                    ));
                }
                problems
            },
        )
    }

    pub(super) fn commented(&self) -> Problems {
        let is_comment = |question: &Question| {
            matches!(question.response, Response::Respond(_)) && !is_question(question)
        };
        self.on(is_comment, |question, proposal| {
            let Response::Respond(text) = question.response else {
                return Vec::new();
            };
            let mut problems = match proposal {
                Some(proposal) => self.feedback_on_call(question, proposal, text),
                None => self.feedback_on_notice(text),
            };
            problems.extend(self.not_asked_again(question));
            problems.extend(self.unheeded(question));
            problems
        })
    }

    fn feedback_on_call(
        &self,
        question: &Question,
        proposal: &Proposal,
        text: &str,
    ) -> Vec<String> {
        let mut problems = self.not_run(question, proposal);
        let told = proposal.answers(self.run).iter().any(|answer| {
            answer.status == ToolStatus::Denied && spaced(&answer.content).contains(&spaced(text))
        });
        if !told {
            problems.push(format!(
                "{} is not answered with the feedback",
                question.name()
            ));
        }
        problems
    }

    fn feedback_on_notice(&self, text: &str) -> Vec<String> {
        let is_told = |message: &&Message| {
            message.role == Role::User && spaced(&message.content).contains(&spaced(text))
        };
        let told = visible(&self.run.messages).iter().any(is_told);
        (!told)
            .then(|| "the feedback on the notice is not in the conversation".to_owned())
            .into_iter()
            .collect()
    }

    /// What the next draft owes to the feedback.
    fn unheeded(&self, question: &Question) -> Vec<String> {
        let then = self.then(question);
        let action = match &question.proposal {
            Some(proposal) => proposal.call.name.as_str(),
            None => "write_email",
        };
        let next = self
            .written
            .iter()
            .filter(|(at, _)| *at > question.at)
            .flat_map(|(_, message)| &message.tool_calls)
            .find(|call| call.is(action));
        let Some(next) = next else {
            return (!then.is_empty())
                .then(|| format!("there is no {} after the feedback", name(action)))
                .into_iter()
                .collect();
        };
        let args = object(&next.arguments);
        let mut problems: Vec<String> = then
            .iter()
            .filter(|(argument, matcher)| !matcher.holds(argument, args.get(argument)))
            .map(|(argument, matcher)| mismatch(action, argument, &describe(matcher), &args))
            .collect();
        if let Some(proposal) = &question.proposal
            && equal(&args, &proposal.args())
        {
            problems.push(format!("the next {} is the same", name(action)));
        }
        problems
    }

    /// What the rule that answered a question asks of the next draft.
    fn then(&self, question: &Question) -> &'a [(String, ArgumentMatcher)] {
        let place = self
            .questions
            .iter()
            .position(|other| other.at == question.at);
        let rule = place.and_then(|place| self.rules[place]);
        rule.map_or(&[], |rule| &rule.then)
    }

    pub(super) fn answered(&self) -> Problems {
        let is_answer = |question: &Question| {
            matches!(question.response, Response::Respond(_)) && is_question(question)
        };
        self.on(is_answer, |question, proposal| {
            let (Response::Respond(text), Some(proposal)) = (question.response, proposal) else {
                return Vec::new();
            };
            let delivered = proposal.answers(self.run).iter().any(|answer| {
                answer.status == ToolStatus::Answered
                    && spaced(&answer.content).contains(&spaced(text))
            });
            let mut problems = Vec::new();
            if !delivered {
                problems.push("the answer is not the result of the question".to_owned());
            }
            problems.extend(self.not_asked_again(question));
            problems
        })
    }

    pub(super) fn between(&self) -> Problems {
        let pauses = &self.run.pauses;
        let mut problems = Vec::new();
        for (place, question) in self.questions.iter().enumerate() {
            let action = question.name();
            // One stop may come up with several questions.
            let is_question = |step: &Step| matches!(step, Step::Interrupt { .. });
            let between = |pause: usize| self.run.steps.get(pause..question.at);
            match pauses.get(place) {
                Some(pause) if between(*pause).is_some_and(|s| s.iter().all(is_question)) => {}
                Some(_) => problems.push(format!(
                    "something was done between {action} and its answer"
                )),
                None => problems.push(format!("{action} did not stop the run")),
            }
            let Some(proposal) = &question.proposal else {
                continue;
            };
            let is_it = |step: &Step| matches!(step, Step::Tool { call_id, .. } if *call_id == proposal.call.id);
            if self.run.steps[proposal.steps.start..question.at]
                .iter()
                .any(is_it)
            {
                problems.push(format!("{action} was dealt with before it was asked"));
            }
        }
        if pauses.len() > self.questions.len() {
            let more = pauses.len() - self.questions.len();
            problems.push(format!(
                "the run stopped {more} times without a recorded question"
            ));
        }
        (!pauses.is_empty() || !self.questions.is_empty()).then_some(problems)
    }

    pub(super) fn answered_once(&self) -> Problems {
        let messages = visible(&self.run.messages);
        // Models reuse ids: as many answers as there are calls.
        let mut open: HashMap<&str, (&str, i64)> = HashMap::new();
        let mut order = Vec::new();
        for message in &messages {
            let answered = message
                .tool_call_id
                .as_deref()
                .filter(|_| message.role == Role::Tool);
            let called = match message.role {
                Role::Assistant => &message.tool_calls[..],
                Role::User | Role::Tool => &[],
            };
            let tool = message.name.as_deref().unwrap_or("tool");
            let calls = called
                .iter()
                .map(|call| (call.id.as_str(), call.name.as_str(), 1));
            for (id, tool, change) in calls.chain(answered.map(|id| (id, tool, -1))) {
                let entry = open.entry(id).or_insert_with(|| {
                    order.push(id);
                    (tool, 0)
                });
                entry.1 += change;
            }
        }
        let problems = order.iter().filter_map(|id| match open[id] {
            (_, 0) => None,
            (tool, 1..) => Some(format!("{} has no answer", name(tool))),
            (tool, _) => Some(format!("{} has too many answers", name(tool))),
        });
        (!order.is_empty()).then(|| problems.collect())
    }

    /// The problems of the questions that `applies` to; `None` where it does to none. The
    /// proposal is `None` for a notice alone.
    fn on(
        &self,
        applies: impl Fn(&Question) -> bool,
        problems: impl Fn(&Question<'a>, Option<&Proposal<'a>>) -> Vec<String>,
    ) -> Problems {
        let asked: Vec<_> = self.questions.iter().filter(|q| applies(q)).collect();
        let of = |question: &Question<'a>| match &question.proposal {
            None if !question.is_notice() => {
                vec![format!("{} was not proposed", question.name())]
            }
            proposal => problems(question, proposal.as_ref()),
        };
        (!asked.is_empty()).then(|| asked.into_iter().flat_map(of).collect())
    }

    fn ran_once(
        &self,
        question: &Question,
        proposal: &Proposal,
        how: &str,
        is_right: impl Fn(&Map<String, Value>) -> bool,
    ) -> Vec<String> {
        let action = question.name();
        let ran = proposal.ran(self.run);
        let mut problems = Vec::new();
        match ran.len() {
            0 => problems.push(format!("{action} did not run")),
            1 => {}
            times => problems.push(format!("{action} ran {times} times")),
        }
        if !ran.iter().all(|args| is_right(args)) {
            problems.push(format!("{action} did not run {how}"));
        }
        problems
    }

    fn not_run(&self, question: &Question, proposal: &Proposal) -> Vec<String> {
        let ran = !proposal.ran(self.run).is_empty();
        let problem = || format!("{} ran all the same", question.name());
        ran.then(problem).into_iter().collect()
    }

    /// Whether the agent's model was called after a question.
    fn thought_after(&self, question: &Question) -> bool {
        self.run.steps[question.at..].iter().any(is_thought)
    }

    /// A notice that needs no more ends the run.
    fn went_on(&self, question: &Question) -> Vec<String> {
        let goes_on = |step: &Step| is_thought(step) || matches!(step, Step::Tool { .. });
        let went_on = self.run.steps[question.at..].iter().any(goes_on);
        let problem = || "the run went on after the notice".to_owned();
        went_on.then(problem).into_iter().collect()
    }

    /// After an answer in words it is the model's turn, unless the message that the
    /// question belongs to ends the run: by `done`, or because another of its calls was
    /// ignored.
    fn not_asked_again(&self, question: &Question) -> Option<String> {
        let ends = question.proposal.as_ref().is_some_and(|proposal| {
            let is_done = |call: &ToolCall| call.is("done");
            let is_ignored = |other: &&Question| {
                *other.response == Response::Ignore
                    && (other.proposal.as_ref())
                        .is_some_and(|other| other.message.id == proposal.message.id)
            };
            proposal.message.tool_calls.iter().any(is_done)
                || self.questions.iter().any(|other| is_ignored(&other))
        });
        let silent = !ends && !self.thought_after(question);
        silent.then(|| {
            format!(
                "the model was not called after the answer to {}",
                question.name()
            )
        })
    }
}

/// Asks the person something, instead of letting them review an action.
fn is_question(question: &Question) -> bool {
    On::Tool("question".to_owned()).is(&question.interrupt.action)
}

/// Whether `args` are the proposed ones with the edit in their place. A form that sends
/// everything may leave arguments out to remove them.
fn is_edited(
    args: &Map<String, Value>,
    proposed: &Map<String, Value>,
    edit: &Map<String, Value>,
) -> bool {
    let value = |map: &Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or_default();
    let kept = |name: &str| alike(&value(args, name), &value(proposed, name));
    edit.keys()
        .all(|name| alike(&value(args, name), &value(edit, name)))
        && args
            .keys()
            .all(|name| edit.contains_key(name) || kept(name))
}
