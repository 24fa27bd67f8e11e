//! From an attempt to what can be labelled about it: the other way round than
//! [`Item::question`](super::Item::question), for people who label what agents did.

use super::{Call, Done, Draft, Fate, Work};
use crate::agent::tools::Tool;
use crate::dataset::{Criterion, On};
use crate::inbox::TIMEOUT;
use crate::judge::JudgeKey;
use crate::judge::definition::Definition;
use crate::judge::subject::{Question, Subject, questions};
use crate::message::{Role, ToolStatus, visible};
use crate::run::{Interrupt, Response, Run, Step};
use crate::score::tool_calls::made;

/// What there is to label about an attempt, each with what its judge is asked; without what
/// code decides, since no judge is ever asked about that.
///
/// Empty for judges whose items cannot hold an attempt whole ([`can_hold`]).
pub fn works(definition: &Definition, subject: &Subject<'_>) -> Vec<(Work, Question)> {
    let works: Vec<Work> = match (definition.key, *subject) {
        (JudgeKey::ResponseCriteria, Subject::Example { example, run }) => {
            let criteria = example.expect.criteria.iter();
            let reply = |criterion: &Criterion| Work::Reply {
                criterion: criterion.text.clone(),
                done: Done {
                    calls: calls(run),
                    closing: closing(run),
                },
            };
            criteria.map(reply).collect()
        }
        (JudgeKey::FeedbackHonoured, Subject::Scenario { run, .. }) => feedback(run),
        _ => Vec::new(),
    };
    let asked = questions(definition, subject);
    // Where the two differ in number there is an infrastructure error, and nothing to ask.
    let both = works.into_iter().zip(asked);
    both.filter(|(_, question)| question.decided.is_none())
        .collect()
}

/// Whether an item of the judge can hold all that it is shown of an attempt. One of
/// `memory_update` says in words what the person did, and not what they were shown.
pub fn can_hold(judge: JudgeKey) -> bool {
    matches!(
        judge,
        JudgeKey::ResponseCriteria | JudgeKey::FeedbackHonoured
    )
}

/// All calls of a run.
fn calls(run: &Run) -> Vec<Call> {
    let calls = made::calls(run).into_iter().map(|call| Call {
        result: match call.status {
            Some(status) => status.into(),
            None if call.was_made() => Fate::Done,
            None => Fate::NotRun,
        },
        name: call.name,
        arguments: call.arguments.into_owned(),
    });
    calls.collect()
}

/// What the agent said last, where it ended in words.
fn closing(run: &Run) -> Option<String> {
    let last = visible(&run.messages).pop()?;
    let words = last.role == Role::Assistant && last.tool_calls.is_empty();
    (words && !last.content.is_empty()).then(|| last.content.clone())
}

/// Each answer in words to something of the agent's, and what ran from there on.
fn feedback(run: &Run) -> Vec<Work> {
    let answers = run.steps.iter().enumerate();
    let answers = answers.filter_map(|(at, step)| match step {
        Step::Interrupt {
            interrupt,
            response: Response::Respond(said),
            answered_by,
            ..
        } if answered_by != TIMEOUT && !Tool::Question.is_called(&interrupt.action) => {
            Some((at, interrupt, said))
        }
        _ => None,
    });
    let work = |(at, interrupt, said): (usize, &Interrupt, &String)| Work::Feedback {
        draft: (!On::Notify.is(&interrupt.action)).then(|| Draft {
            name: interrupt.action.clone(),
            arguments: interrupt.args.clone(),
        }),
        instruction: said.clone(),
        done: Done {
            calls: run.steps[at..].iter().filter_map(call).collect(),
            closing: closing(run),
        },
    };
    answers.map(work).collect()
}

fn call(step: &Step) -> Option<Call> {
    match step {
        Step::Tool {
            name,
            arguments,
            status,
            ..
        } => Some(Call {
            name: name.clone(),
            arguments: made::object(arguments).into_owned(),
            result: (*status).into(),
        }),
        _ => None,
    }
}

impl From<ToolStatus> for Fate {
    fn from(status: ToolStatus) -> Fate {
        match status {
            ToolStatus::Executed => Fate::Done,
            ToolStatus::Failed => Fate::Failed,
            ToolStatus::Denied => Fate::Denied,
            ToolStatus::Answered => Fate::Answered,
        }
    }
}
