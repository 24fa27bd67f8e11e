//! What a judge is asked about an attempt: its statements, and what there is to see.
//!
//! Functions from values to values. Where there is nothing to look at, code decides and
//! says why; no model is asked then.

use std::borrow::Cow;

use serde_json::Value;

use super::definition::Definition;
use super::shown::{self, Decided, Draft, Fact, Fate, Said, Seen};
use super::{JudgeKey, Verdict};
use crate::agent::memory::{Namespace, lessons};
use crate::agent::tools::Tool;
use crate::dataset::{Criterion, Episode, Example, On, Scenario};
use crate::email::Triage;
use crate::inbox::TIMEOUT;
use crate::message::{ToolCall, visible};
use crate::run::{Interrupt, ModelRole, Response, Run, Sent, Step};
use crate::score::tool_calls::made;
use crate::score::{Suite, failure, one_line};

/// An attempt, with what it was an attempt at.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Example {
        example: &'a Example,
        run: &'a Run,
    },
    Scenario {
        scenario: &'a Scenario,
        /// The one that the scenario is about.
        example: &'a Example,
        run: &'a Run,
    },
    Episode {
        episode: &'a Episode,
        /// Those of the dataset.
        examples: &'a [Example],
        /// One a step.
        runs: &'a [Run],
    },
}

/// One statement to decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// On one line.
    pub statement: String,
    pub weight: f64,
    pub critical: bool,
    /// What the judge is shown, without the fence around it.
    pub shown: String,
    /// What code decides without asking anybody, and why.
    pub decided: Option<(Verdict, String)>,
}

impl JudgeKey {
    /// The suite whose attempts it looks at; `None` where it looks at two attempts.
    pub fn suite(self) -> Option<Suite> {
        match self {
            JudgeKey::ResponseCriteria => Some(Suite::Response),
            JudgeKey::FeedbackHonoured => Some(Suite::Hitl),
            JudgeKey::MemoryUpdate => Some(Suite::Memory),
            JudgeKey::TriageReasonable => Some(Suite::Triage),
            JudgeKey::Pairwise => None,
        }
    }
}

/// What the judge is asked about the attempt, in order; nothing where it has nothing to ask,
/// and after an infrastructure error.
///
/// An agent that failed to finish fails every statement.
pub fn questions(definition: &Definition, subject: &Subject<'_>) -> Vec<Question> {
    let runs = subject.runs();
    if runs.iter().any(|run| run.outcome.is_error()) {
        return Vec::new();
    }
    let mut questions = match (definition.key, *subject) {
        (JudgeKey::ResponseCriteria, Subject::Example { example, run }) => {
            criteria(definition, example, run)
        }
        (JudgeKey::TriageReasonable, Subject::Example { example, run }) => {
            let seen = seen(example, run);
            vec![decision(definition, &seen)]
        }
        (JudgeKey::FeedbackHonoured, Subject::Scenario { example, run, .. }) => {
            feedback(definition, example, run)
        }
        (
            JudgeKey::MemoryUpdate,
            Subject::Episode {
                episode,
                examples,
                runs,
            },
        ) => {
            let steps = episode.steps.iter().zip(runs);
            let updates = steps.map(|(step, run)| {
                let example = &examples[step.example as usize];
                updates(definition, example, run)
            });
            updates.flatten().collect()
        }
        _ => Vec::new(),
    };
    if let Some(run) = runs.iter().find(|run| run.outcome.is_agent_failure()) {
        let why = failure(run);
        for question in &mut questions {
            question.decided = Some((Verdict::Fail, why.clone()));
        }
    }
    questions
}

/// The mail that an attempt at an example sent, as a judge of two is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replied {
    /// Without fences.
    pub shown: String,
    /// Characters of the mails' texts.
    pub length: u64,
}

/// What a judge of two is shown of an attempt; `None` where there is no mail, or the agent did
/// not finish: nobody has to be asked then whether a mail is better.
pub fn replied(definition: &Definition, example: &Example, run: &Run) -> Option<Replied> {
    if run.outcome.is_agent_failure() {
        return None;
    }
    let seen = seen(example, run);
    let mails: Vec<&Fact<'_>> = seen.calls.iter().filter(|call| call.is_mail()).collect();
    let texts = mails
        .iter()
        .filter_map(|mail| mail.arguments.get("content")?.as_str());
    let length = texts.map(|text| text.chars().count() as u64).sum();
    (!mails.is_empty()).then(|| Replied {
        shown: shown::material(&definition.sees, &seen),
        length,
    })
}

impl<'a> Subject<'a> {
    fn runs(&self) -> &'a [Run] {
        match *self {
            Subject::Example { run, .. } | Subject::Scenario { run, .. } => {
                std::slice::from_ref(run)
            }
            Subject::Episode { runs, .. } => runs,
        }
    }
}

/// Whether the reply meets a criterion. Without a mail there is no reply, and none is met.
pub fn criterion(definition: &Definition, criterion: &Criterion, seen: &Seen<'_>) -> Question {
    let unsent = !seen.calls.iter().any(Fact::is_mail);
    Question {
        weight: criterion.weight,
        critical: criterion.critical,
        decided: unsent.then(|| (Verdict::Fail, "no mail was sent".to_owned())),
        ..Question::new(definition, &criterion.text, seen)
    }
}

/// Whether what a person said of `about`, a tool's name or `notify`, is visible in what was
/// done from there on.
pub fn instruction(definition: &Definition, about: &str, said: &str, seen: &Seen<'_>) -> Question {
    let about = thing(about);
    let said = one_line(said, 500);
    let statement = format!("What was done in the end is as the person said of {about}: “{said}”");
    Question::new(definition, &statement, seen)
}

/// Whether the profile `namespace` holds what follows from `instruction`, a clause about what
/// the person said or did, and keeps the rest.
pub fn update(
    definition: &Definition,
    namespace: &str,
    instruction: &str,
    seen: &Seen<'_>,
) -> Question {
    let statement = format!(
        "The new {namespace} hold what follows from this, and keep the rest: {}",
        one_line(instruction, 600)
    );
    Question::new(definition, &statement, seen)
}

/// Whether a reasonable person could have decided so.
pub fn decision(definition: &Definition, seen: &Seen<'_>) -> Question {
    let triage = seen.decision.and_then(|decided| decided.triage);
    let statement = match triage {
        Some(triage) => format!("A reasonable person could have sorted this email as {triage}"),
        None => "A reasonable person could have left this email unsorted".to_owned(),
    };
    Question {
        decided: match triage {
            Some(_) => None,
            None => Some((Verdict::Fail, "no decision was made".to_owned())),
        },
        ..Question::new(definition, &statement, seen)
    }
}

impl Question {
    fn new(definition: &Definition, statement: &str, seen: &Seen) -> Question {
        Question {
            statement: shown::statement(statement),
            weight: 1.0,
            critical: false,
            shown: shown::material(&definition.sees, seen),
            decided: None,
        }
    }
}

/// Nothing where the email wants no answer, whatever criteria it has: a plan does not count
/// them either.
fn criteria(definition: &Definition, example: &Example, run: &Run) -> Vec<Question> {
    if example.expect.triage != Triage::Respond {
        return Vec::new();
    }
    let seen = seen(example, run);
    let criteria = example.expect.criteria.iter();
    criteria
        .map(|text| criterion(definition, text, &seen))
        .collect()
}

/// One statement for each answer in words to a call under review, or to a notice. The answer
/// to a question of the agent's is information and not a wish about its work.
fn feedback(definition: &Definition, example: &Example, run: &Run) -> Vec<Question> {
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
    answers
        .map(|(at, interrupt, said)| {
            let seen = Seen {
                draft: Some(draft(interrupt)),
                said: Some(Said::Words(said)),
                calls: run.steps[at..].iter().filter_map(fact).collect(),
                ..seen(example, run)
            };
            instruction(definition, &interrupt.action, said, &seen)
        })
        .collect()
}

/// One statement for each profile that an answer of the person changed.
fn updates(definition: &Definition, example: &Example, run: &Run) -> Vec<Question> {
    let changes = run.steps.iter().enumerate();
    let changes = changes.filter_map(|(at, step)| match step {
        Step::Memory {
            namespace,
            before,
            after,
            ..
        } => {
            let (interrupt, response) = taught(run, at, namespace)?;
            Some((namespace, before, after, interrupt, response))
        }
        _ => None,
    });
    changes
        .map(|(namespace, before, after, interrupt, response)| {
            let before = before.as_deref().unwrap_or_default();
            let seen = Seen {
                draft: Some(draft(interrupt)),
                said: Some(said(response)),
                profile: Some((before.into(), after.into())),
                ..seen(example, run)
            };
            let instruction = clause(interrupt, response);
            update(definition, namespace, &instruction, &seen)
        })
        .collect()
}

/// The answer that the change at `at` goes back to: the note about it is what the model
/// that wrote the new text was sent last.
fn taught<'a>(run: &'a Run, at: usize, namespace: &str) -> Option<(&'a Interrupt, &'a Response)> {
    let before = &run.steps[..at];
    let sent = before.iter().rev().find_map(|step| match step {
        Step::Model {
            role: ModelRole::Memory,
            sent: Sent::Messages(messages),
            ..
        } => Some(messages),
        _ => None,
    })?;
    before.iter().rev().find_map(|step| match step {
        Step::Interrupt {
            interrupt,
            response,
            answered_by,
            ..
        } if answered_by != TIMEOUT => {
            let lesson = lesson(interrupt, response)?;
            let is_sent = sent.iter().any(|message| {
                let asked = crate::agent::prompts::memory::inert(&lesson.1);
                message.content.contains(asked.trim())
            });
            (lesson.0.name() == namespace && is_sent).then_some((interrupt, response))
        }
        _ => None,
    })
}

/// What an answer teaches: about which memory, and in which words.
fn lesson(interrupt: &Interrupt, response: &Response) -> Option<(Namespace, String)> {
    let lesson = if On::Notify.is(&interrupt.action) {
        lessons::of_notice(response)
    } else {
        let call = ToolCall {
            id: String::new(),
            name: interrupt.action.clone(),
            arguments: Value::Object(interrupt.args.clone()),
        };
        lessons::of_call(Tool::of(&call)?, &call, response)
    };
    lesson.map(|lesson| (lesson.namespace, lesson.note))
}

/// What the person did, as a clause.
fn clause(interrupt: &Interrupt, response: &Response) -> String {
    let about = thing(&interrupt.action);
    match response {
        Response::Respond(said) => format!("the person said of {about}: “{said}”"),
        Response::Edit(_) => format!("the person changed {about} before it ran"),
        Response::Ignore => format!("the person turned {about} down"),
        Response::Accept => format!("the person accepted {about}"),
    }
}

/// What a person was asked about, in words.
fn thing(action: &str) -> String {
    match On::Notify.is(action) {
        true => "the notice of this email".to_owned(),
        false => format!("the proposed {}", one_line(action, 60)),
    }
}

fn draft(interrupt: &Interrupt) -> Draft<'_> {
    match On::Notify.is(&interrupt.action) {
        true => Draft::Notice,
        false => Draft::Call {
            name: &interrupt.action,
            arguments: Cow::Borrowed(&interrupt.args),
        },
    }
}

fn said(response: &Response) -> Said<'_> {
    match response {
        Response::Respond(text) => Said::Words(text),
        Response::Edit(arguments) => Said::Changed(arguments),
        Response::Ignore | Response::Accept => Said::TurnedDown,
    }
}

/// A tool that was called, as the record's step tells.
fn fact(step: &Step) -> Option<Fact<'_>> {
    match step {
        Step::Tool {
            name,
            arguments,
            status,
            ..
        } => Some(Fact {
            name: name.into(),
            arguments: made::object(arguments),
            fate: (*status).into(),
        }),
        _ => None,
    }
}

/// All there is to see of a run.
fn seen<'a>(example: &'a Example, run: &'a Run) -> Seen<'a> {
    let calls = made::calls(run).into_iter().map(|call| Fact {
        fate: match call.status {
            Some(status) => status.into(),
            None if call.was_made() => Fate::Ran,
            None => Fate::DidNotRun,
        },
        name: call.name.into(),
        arguments: call.arguments,
    });
    Seen {
        email: Some(&example.email),
        calls: calls.collect(),
        conversation: visible(&run.messages),
        decision: Some(Decided {
            triage: run.triage,
            reasons: run.reasoning.as_deref(),
        }),
        ..Seen::default()
    }
}

#[cfg(test)]
mod tests;
