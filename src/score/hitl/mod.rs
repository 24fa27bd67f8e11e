//! Scenarios: what an agent asked a person, and what it made of the answers.
//!
//! Everything is read off the record of the run. Who answered by which rule is found by
//! holding the rules against the recorded questions again.

mod answered;
mod asked;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::questions::{Question, Written, against, name, open_question, questions, written};
use super::{Check, CheckName, Feedback, Key, failed, failure, held, tool_calls, triage};
use crate::dataset::{Example, Person, Rule, Scenario};
use crate::run::{Outcome, Run};

/// Whether a run of `scenario`, whose email is that of `example`, went as it must: 1 where
/// every condition that applies held. `docs/scoring.md` explains the conditions.
///
/// An agent that failed to finish earns 0. After an infrastructure error nothing can be
/// said, with one exception: a question that no rule answers is the agent's mistake where
/// the scenario states its questions and this is none of them.
pub fn score(scenario: &Scenario, example: &Example, run: &Run) -> Option<Feedback> {
    if run.outcome.is_agent_failure() {
        return Some(failed(Key::HitlPass, failure(run)));
    }
    if run.outcome == Outcome::Unmatched {
        return unmatched(scenario, run);
    }
    if run.outcome.is_error() {
        return None;
    }
    let case = Case::new(scenario, example, run);
    let checks = CheckName::ALL.into_iter().filter_map(|name| {
        let problems = case.problems(name)?;
        Some(Check::new(name, &problems))
    });
    Some(held(Key::HitlPass, checks.collect()))
}

/// What can be said of a run that ended at a question that no rule answers.
fn unmatched(scenario: &Scenario, run: &Run) -> Option<Feedback> {
    let expected = scenario.interrupts.as_deref()?;
    let (action, args) = open_question(run)?;
    let questions = questions(run);
    let mut asked: Vec<_> = questions
        .iter()
        .map(|question| (question.interrupt.action.as_str(), &question.interrupt.args))
        .collect();
    asked.push((action, &*args));
    let is_needless = against(expected, &asked)
        .needless
        .contains(&questions.len());
    is_needless.then(|| {
        let problem = format!("{} was asked, and the run ended there", name(action));
        let check = Check::new(CheckName::NotNeedless, &[problem]);
        held(Key::HitlPass, vec![check])
    })
}

/// A finished run, and what is asked of it.
struct Case<'a> {
    scenario: &'a Scenario,
    example: &'a Example,
    run: &'a Run,
    /// What the agent's model wrote.
    written: Vec<Written<'a>>,
    questions: Vec<Question<'a>>,
    /// The rule that answered each question.
    rules: Vec<Option<&'a Rule>>,
}

/// What is wrong, one line each; `None` where the question does not arise.
type Problems = Option<Vec<String>>;

impl<'a> Case<'a> {
    fn new(scenario: &'a Scenario, example: &'a Example, run: &'a Run) -> Self {
        let questions = questions(run);
        let rules = match &scenario.human {
            Person::Scripted(rules) => rules_used(rules, &questions),
            Person::Simulated { .. } => vec![None; questions.len()],
        };
        Case {
            scenario,
            example,
            run,
            written: written(run),
            questions,
            rules,
        }
    }

    fn problems(&self, name: CheckName) -> Problems {
        let expect = &self.scenario.expect;
        match name {
            CheckName::Triage => {
                let feedback = triage::feedback(expect.triage, self.run);
                Some(feedback.comment.into_iter().collect())
            }
            CheckName::Asked => self.asked(),
            CheckName::NotNeedless => self.needless(),
            CheckName::NotRepeated => self.repeated(),
            CheckName::InOrder => self.order(),
            CheckName::Payload => self.payload(),
            CheckName::Flags => self.flags(),
            CheckName::AcceptHonoured => self.accepted(),
            CheckName::EditHonoured => self.edited(),
            CheckName::RejectionHonoured => self.rejected(),
            CheckName::FeedbackHonoured => self.commented(),
            CheckName::AnswerDelivered => self.answered(),
            CheckName::NothingBetween => self.between(),
            CheckName::AnsweredOnce => self.answered_once(),
            CheckName::Calls => {
                expect.tool_calls.as_ref()?;
                let feedback = tool_calls::check(expect, self.run).exact();
                let failed = feedback.score != super::Score::BEST;
                Some(feedback.comment.filter(|_| failed).into_iter().collect())
            }
            CheckName::Forbidden => {
                if expect.forbidden.is_empty() {
                    return None;
                }
                let feedback = tool_calls::check(expect, self.run).forbidden();
                Some(feedback.comment.into_iter().collect())
            }
            // These are asked of episodes.
            CheckName::Remembered | CheckName::Unchanged | CheckName::Behaviour => None,
        }
    }
}

/// The first rule that fits each question.
fn rules_used<'a>(rules: &'a [Rule], questions: &[Question]) -> Vec<Option<&'a Rule>> {
    let mut times: HashMap<String, u32> = HashMap::new();
    questions
        .iter()
        .map(|Question { interrupt, .. }| {
            let time = times.entry(interrupt.action.to_lowercase()).or_default();
            *time += 1;
            let fits = |rule: &&Rule| rule.fits(&interrupt.action, &interrupt.args, *time);
            rules.iter().find(fits)
        })
        .collect()
}
