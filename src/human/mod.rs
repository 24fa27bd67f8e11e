//! People who answer interrupts, real or played.

mod policy;
mod scripted;

pub use policy::AcceptAll;
pub use scripted::Scripted;

use futures_util::future::BoxFuture;

use crate::email::Email;
use crate::run::{Interrupt, Outcome, Response, Run};
use crate::target::{Progress, Start, Target};

/// The most questions that one run is answered. A run is also limited by its model calls,
/// and no sensible message proposes this many actions.
const MAX_INTERRUPTS: usize = 200;

/// Answers what an agent stops to ask.
pub trait Human: Send {
    /// What the record says who answered.
    fn name(&self) -> &str;

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>>;
}

/// There is no answer, through no fault of the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HumanError {
    #[error("the answer to `{action}` was to {kind}, which it does not take; it takes: {}", allowed.join(", "))]
    NotAllowed {
        action: String,
        kind: &'static str,
        allowed: Vec<&'static str>,
    },
    #[error("`{action}` takes none of the answers that `{human}` gives; it takes: {}", allowed.join(", "))]
    NoAnswer {
        action: String,
        human: &'static str,
        allowed: Vec<&'static str>,
    },
}

/// Runs `target` on `email` until it is finished, and lets `human` answer what it asks.
///
/// A person who fails, or gives an answer that is not allowed, ends the run as
/// [`Outcome::Simulator`], which is not the agent's fault; an agent that asks without end
/// is ended as [`Outcome::StepLimit`].
pub async fn drive(target: &dyn Target, start: Start, email: &Email, human: &mut dyn Human) -> Run {
    let mut progress = target.start(start, email).await;
    for _ in 0..MAX_INTERRUPTS {
        let paused = match progress {
            Progress::Finished(run) => return run,
            Progress::Paused(paused) => paused,
        };
        progress = match answer(human, paused.interrupt()).await {
            Ok(response) => paused.resume(response, human.name()).await,
            Err(error) => return paused.abandon(Outcome::Simulator, error.to_string()).await,
        };
    }
    match progress {
        Progress::Finished(run) => run,
        Progress::Paused(paused) => {
            let error = format!("the agent asked more than {MAX_INTERRUPTS} times");
            paused.abandon(Outcome::StepLimit, error).await
        }
    }
}

async fn answer(human: &mut dyn Human, interrupt: &Interrupt) -> Result<Response, HumanError> {
    let response = human.respond(interrupt).await?;
    match interrupt.allowed.allows(&response) {
        true => Ok(response),
        false => Err(HumanError::NotAllowed {
            action: interrupt.action.clone(),
            kind: response.kind(),
            allowed: interrupt.allowed.kinds(),
        }),
    }
}

#[cfg(test)]
mod tests;
