//! The loop between a target and the person it asks.

use std::collections::BTreeMap;

use super::{Human, HumanError};
use crate::email::Email;
use crate::run::{Interrupt, Outcome, Response, Run, Step};
use crate::target::{Progress, Start, Target};

/// The most questions that one run is answered. A run is also limited by its model calls,
/// and no sensible message proposes this many actions.
pub(super) const MAX_INTERRUPTS: usize = 200;

/// A run with a person beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Driven {
    pub run: Run,
    /// What the person's side of it should be looked at for, one sentence each.
    pub notes: Vec<String>,
}

/// Runs `target` on `email` until it is finished, and lets `human` answer what it asks.
///
/// A person who fails, or gives an answer that is not allowed, ends the run as
/// [`Outcome::Simulator`], and a question that no rule fits as [`Outcome::Unmatched`];
/// neither is the agent's fault. An agent that asks without end is ended as
/// [`Outcome::StepLimit`]. The run's usage includes that of the person.
pub async fn drive(
    target: &dyn Target,
    start: Start,
    email: &Email,
    human: &mut dyn Human,
) -> Driven {
    let mut pauses = Vec::new();
    let mut progress = target.start(start, email).await;
    let mut run = loop {
        let paused = match progress {
            Progress::Finished(run) => break run,
            Progress::Paused(paused) => paused,
        };
        if pauses.len() == MAX_INTERRUPTS {
            let error = format!("the agent asked more than {MAX_INTERRUPTS} times");
            break paused.abandon(Outcome::StepLimit, error).await;
        }
        progress = match answer(human, paused.interrupt()).await {
            Ok(response) => {
                pauses.push(paused.steps());
                paused.resume(response, human.name()).await
            }
            Err(error) => break paused.abandon(error.outcome(), error.to_string()).await,
        };
    };
    run.pauses = pauses;
    run.usage.add(&human.usage());
    Driven {
        run,
        notes: human.notes(),
    }
}

/// What `human` answers to `interrupt`. The interrupt is only looked at: after an error it
/// is as pending as before, and may be answered by whoever comes next.
///
/// # Errors
/// [`HumanError::NotAllowed`] for an answer that the interrupt does not take; and whatever
/// keeps the person from answering.
pub async fn answer(human: &mut dyn Human, interrupt: &Interrupt) -> Result<Response, HumanError> {
    let response = human.respond(interrupt).await?;
    match interrupt.allowed.allows(&response) {
        true => Ok(response),
        false => Err(HumanError::not_allowed(
            human.name(),
            interrupt,
            response.kind(),
        )),
    }
}

/// How often a run was answered in which way, by [`Response::kind`]; ways that did not
/// occur are absent.
pub fn answer_kinds(run: &Run) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for step in &run.steps {
        if let Step::Interrupt { response, .. } = step {
            *kinds.entry(response.kind()).or_default() += 1;
        }
    }
    kinds
}
