//! The questions of a run: what was asked, about which call, and what was answered.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

use super::one_line;
use super::tool_calls::argument::{describe, show};
use super::tool_calls::assign::{Fit, Fits, MOST_CALLS, assign, in_order};
use super::tool_calls::made::object;
use crate::dataset::{CallPattern, On, same};
use crate::message::{Message, Role, ToolCall, ToolStatus, visible};
use crate::run::{Interrupt, ModelRole, ReplyRef, Response, Run, Step};

/// One question that was answered.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    /// Place among the steps.
    pub at: usize,
    pub interrupt: &'a Interrupt,
    pub response: &'a Response,
    /// The call that it is about; `None` for a notice, and for a question about nothing
    /// that was proposed.
    pub proposal: Option<Proposal<'a>>,
}

/// A call as the model wrote it.
#[derive(Clone, Debug)]
pub(super) struct Proposal<'a> {
    pub call: &'a ToolCall,
    /// The message that it is part of, before any edit.
    pub message: &'a Message,
    /// The steps in which the call's id means this call: models reuse ids.
    pub steps: Range<usize>,
}

/// A message of the agent's model, and the step that brought it.
pub(super) type Written<'a> = (usize, &'a Message);

/// The messages that the agent's model wrote, in order and before any edit.
pub(super) fn written(run: &Run) -> Vec<Written<'_>> {
    run.steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| match step {
            Step::Model {
                role: ModelRole::Agent,
                reply: ReplyRef::Message(id),
                ..
            } => {
                let is_it =
                    |message: &&Message| message.id == *id && message.role == Role::Assistant;
                run.messages.iter().find(is_it).map(|message| (at, message))
            }
            _ => None,
        })
        .collect()
}

/// Whether a step is a call of the agent's model.
pub(super) fn is_thought(step: &Step) -> bool {
    matches!(
        step,
        Step::Model {
            role: ModelRole::Agent,
            ..
        }
    )
}

/// The questions of a run in order, each with the call that it is about.
///
/// A question names a tool and not a call, so it is taken to be about the call of the last
/// message that it shows; where it shows none as it was written, about the first of its
/// name, or at all, that was not asked about yet.
pub(super) fn questions(run: &Run) -> Vec<Question<'_>> {
    let written = written(run);
    let mut questions: Vec<Question> = Vec::new();
    for (at, step) in run.steps.iter().enumerate() {
        let Step::Interrupt {
            interrupt,
            response,
            ..
        } = step
        else {
            continue;
        };
        let last = written.iter().rposition(|(asked, _)| *asked < at);
        let proposal = last
            .filter(|_| !is_notice(interrupt))
            .and_then(|last| proposal(run, &written, last, interrupt, &questions));
        questions.push(Question {
            at,
            interrupt,
            response,
            proposal,
        });
    }
    questions
}

fn proposal<'a>(
    run: &Run,
    written: &[Written<'a>],
    last: usize,
    interrupt: &Interrupt,
    before: &[Question<'a>],
) -> Option<Proposal<'a>> {
    let (from, message) = written[last];
    let is_asked = |call: &ToolCall| {
        let about = |question: &Question| {
            question.proposal.as_ref().is_some_and(|proposal| {
                proposal.message.id == message.id && proposal.call.id == call.id
            })
        };
        before.iter().any(about)
    };
    let is_named = |call: &ToolCall| call.is(&interrupt.action);
    let is_shown = |call: &ToolCall| is_named(call) && shows(interrupt, call);
    let calls = || message.tool_calls.iter();
    let call = calls()
        .find(|call| is_shown(call) && !is_asked(call))
        .or_else(|| calls().find(|call| is_shown(call)))
        .or_else(|| calls().find(|call| is_named(call) && !is_asked(call)))
        .or_else(|| calls().find(|call| is_named(call)))
        .or_else(|| calls().find(|call| !is_asked(call)))?;
    let again = |(_, later): &&Written| later.tool_calls.iter().any(|other| other.id == call.id);
    let until = written[last + 1..].iter().find(again);
    Some(Proposal {
        call,
        message,
        steps: from..until.map_or(run.steps.len(), |(at, _)| *at),
    })
}

/// Whether the question shows the arguments of the call.
pub(super) fn shows(interrupt: &Interrupt, call: &ToolCall) -> bool {
    equal(&interrupt.args, &object(&call.arguments))
}

/// Whether two sets of arguments are the same; the quotes that edit forms put around
/// numbers and lists make no difference.
pub(super) fn equal(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let names = one.keys().chain(other.keys());
    names.into_iter().all(|name| {
        let value = |map: &'_ Map<String, Value>| map.get(name).cloned().unwrap_or_default();
        alike(&value(one), &value(other))
    })
}

pub(super) fn alike(one: &Value, other: &Value) -> bool {
    same(one, other) || same(other, one)
}

pub(super) fn is_notice(interrupt: &Interrupt) -> bool {
    On::Notify.is(&interrupt.action)
}

impl Question<'_> {
    pub fn is_notice(&self) -> bool {
        is_notice(self.interrupt)
    }

    /// What it asks about, for a comment.
    pub fn name(&self) -> String {
        name(&self.interrupt.action)
    }
}

impl<'a> Proposal<'a> {
    pub fn args(&self) -> Cow<'a, Map<String, Value>> {
        object(&self.call.arguments)
    }

    /// The arguments of each time that it ran, in order. A tool that failed ran, too.
    pub fn ran(&self, run: &'a Run) -> Vec<Cow<'a, Map<String, Value>>> {
        run.steps[self.steps.clone()]
            .iter()
            .filter_map(|step| match step {
                Step::Tool {
                    call_id,
                    arguments,
                    status: ToolStatus::Executed | ToolStatus::Failed,
                    ..
                } if *call_id == self.call.id => Some(object(arguments)),
                _ => None,
            })
            .collect()
    }

    /// The tool messages that answer it, as the conversation shows them.
    pub fn answers(&self, run: &'a Run) -> Vec<&'a Message> {
        visible(&run.messages)
            .into_iter()
            .skip_while(|message| message.id != self.message.id)
            .take_while(|message| {
                let is_again = message
                    .tool_calls
                    .iter()
                    .any(|call| call.id == self.call.id);
                message.id == self.message.id || !is_again
            })
            .filter(|message| {
                message.role == Role::Tool && message.tool_call_id.as_deref() == Some(&self.call.id)
            })
            .collect()
    }

    /// The call as the conversation shows it in the end.
    pub fn shown(&self, run: &'a Run) -> Option<&'a ToolCall> {
        visible(&run.messages)
            .into_iter()
            .find(|message| message.id == self.message.id)
            .and_then(|message| {
                message
                    .tool_calls
                    .iter()
                    .find(|call| call.id == self.call.id)
            })
    }
}

/// The question that a run was left with: about the first call without an answer, or the
/// notice where no call was written yet. `None` where nothing is open.
pub(super) fn open_question(run: &Run) -> Option<(&str, Cow<'_, Map<String, Value>>)> {
    let messages = visible(&run.messages);
    let last = messages
        .iter()
        .rposition(|message| message.role == Role::Assistant);
    let Some(last) = last else {
        return Some((On::Notify.name(), Cow::Owned(Map::new())));
    };
    let is_open = |call: &&ToolCall| {
        !messages[last..]
            .iter()
            .any(|message| message.tool_call_id.as_deref() == Some(&call.id))
    };
    let call = messages[last].tool_calls.iter().find(is_open)?;
    Some((&call.name, object(&call.arguments)))
}

/// How the questions of a run relate to those that must come up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// What did not come up, or about other arguments.
    pub missing: Vec<String>,
    /// What came up and need not have; by place among those asked.
    pub needless: Vec<usize>,
    /// What came up at another place than expected.
    pub out_of_order: Vec<String>,
}

/// Compares what was asked (action and arguments) with what must be.
///
/// As with calls, each question stands for one expectation, and none of the possible
/// assignments fits more of them.
pub(super) fn against(expected: &[CallPattern], asked: &[(&str, &Map<String, Value>)]) -> Asked {
    let fits: Fits = expected
        .iter()
        .take(MOST_CALLS)
        .map(|pattern| {
            asked
                .iter()
                .take(MOST_CALLS)
                .map(|(action, args)| fit(pattern, action, args))
                .collect()
        })
        .collect();
    let kept = in_order(&fits);
    let mut assigned = assign(&fits, &kept);
    assigned.resize(expected.len(), None);

    let mut result = Asked::default();
    for (position, (pattern, at)) in expected.iter().zip(&assigned).enumerate() {
        let Some(at) = *at else {
            result
                .missing
                .push(format!("{} was not asked", name(&pattern.name)));
            continue;
        };
        let (action, args) = asked[at];
        let mismatches: Vec<String> = pattern
            .arguments
            .iter()
            .filter(|(argument, matcher)| !matcher.holds(argument, args.get(argument)))
            .map(|(argument, matcher)| mismatch(action, argument, &describe(matcher), args))
            .collect();
        if mismatches.is_empty() && !kept[position] {
            result.out_of_order.push(name(action));
        }
        result.missing.extend(mismatches);
    }
    result.needless = (0..asked.len())
        .filter(|at| !assigned.contains(&Some(*at)))
        .collect();
    result
}

fn fit(pattern: &CallPattern, action: &str, args: &Map<String, Value>) -> Option<Fit> {
    pattern.name.eq_ignore_ascii_case(action).then(|| {
        let held = pattern
            .arguments
            .iter()
            .filter(|(argument, matcher)| matcher.holds(argument, args.get(argument)))
            .count();
        Fit::new(held, pattern.arguments.len())
    })
}

/// `write_email subject: expected Invoice, got nothing`.
pub(super) fn mismatch(
    action: &str,
    argument: &str,
    expected: &str,
    args: &Map<String, Value>,
) -> String {
    format!(
        "{} {}: expected {expected}, got {}",
        name(action),
        name(argument),
        show(args.get(argument))
    )
}

/// A tool's or argument's name, which is the model's text, for a comment.
pub(super) fn name(name: &str) -> String {
    one_line(name, 40).to_lowercase()
}
