//! People who answer interrupts, real or played, and the loop that drives a target past
//! its interrupts.
//!
//! A [`Human`] answers one question after the other: [`Scripted`] by rules, [`AcceptAll`]
//! and [`RejectAll`] by policy, [`Simulated`] by a model that plays a described person.
//! [`approval`] is about people who answer real threads: deadlines, stages, who may
//! answer what, and the record of it. What goes wrong with a person is a [`HumanError`],
//! never a mistake of the agent.

pub mod approval;
mod drive;
mod policy;
mod scripted;
mod simulated;

pub use drive::{Driven, answer, answer_kinds, drive};
pub use policy::{AcceptAll, RejectAll, timed_out};
pub use scripted::Scripted;
pub use simulated::Simulated;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::model::ModelError;
use crate::run::{Interrupt, Outcome, Response, Usage};
use approval::Unauthorised;

/// What the record says answered where nobody did in time.
pub const TIMED_OUT: &str = crate::inbox::TIMEOUT;

/// How long a person has, unless something else is agreed.
pub const APPROVAL_DEADLINE: Duration = Duration::from_secs(300);

/// Answers what an agent stops to ask, in one run.
pub trait Human: Send {
    /// What the record says who gave the last answer. An automatic answer has a name that
    /// no person has.
    fn name(&self) -> &str;

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>>;

    /// What models that play the person used so far.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// What should be looked at once the run is over, one sentence each.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// There is no answer, through no fault of the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HumanError {
    #[error(
        "{by} answered `{action}` with {kind}, which it does not take; it takes: {}",
        list(allowed)
    )]
    NotAllowed {
        by: String,
        action: String,
        kind: &'static str,
        allowed: Vec<&'static str>,
    },
    #[error(
        "`{action}` takes none of the answers that {by} gives; it takes: {}",
        list(allowed)
    )]
    NoAnswer {
        action: String,
        by: &'static str,
        allowed: Vec<&'static str>,
    },
    #[error("no rule answers `{action}`, asked the {time} time, with {args}; rules tried: {rules}")]
    Unmatched {
        action: String,
        /// Which interrupt of this action it is: `1st`.
        time: String,
        /// The arguments as JSON, cut off where they are long.
        args: String,
        rules: String,
    },
    #[error("the simulated person has no answer: {0}")]
    Model(ModelError),
    #[error("the simulated person gave no usable answer: {first}; after a reminder: {second}")]
    Unusable { first: String, second: String },
    #[error("the simulated person was asked more than {turns} times; give it more `turns`")]
    TurnsUsedUp { turns: u32 },
    #[error("{0}")]
    Unauthorised(Unauthorised),
    #[error("the decision on `{action}` could not be recorded, so it does not count: {reason}")]
    Unrecorded { action: String, reason: String },
    /// Any other reason a person has.
    #[error("no answer to `{action}`: {reason}")]
    Failed { action: String, reason: String },
}

impl HumanError {
    /// How a run ends that waits for this person.
    pub fn outcome(&self) -> Outcome {
        match self {
            HumanError::Unmatched { .. } => Outcome::Unmatched,
            _ => Outcome::Simulator,
        }
    }

    fn not_allowed(by: impl Into<String>, interrupt: &Interrupt, kind: &'static str) -> Self {
        HumanError::NotAllowed {
            by: by.into(),
            action: shown_action(interrupt),
            kind,
            allowed: interrupt.allowed.kinds(),
        }
    }

    fn no_answer(by: &'static str, interrupt: &Interrupt) -> Self {
        HumanError::NoAnswer {
            action: shown_action(interrupt),
            by,
            allowed: interrupt.allowed.kinds(),
        }
    }
}

fn list(kinds: &[&str]) -> String {
    match kinds {
        [] => "nothing".to_owned(),
        kinds => kinds.join(", "),
    }
}

/// The proposed arguments with the changes in the place of those of the same name.
fn edited(interrupt: &Interrupt, changes: &Map<String, Value>) -> Map<String, Value> {
    let mut args = interrupt.args.clone();
    args.extend(changes.clone());
    args
}

/// At most so many characters of a text, as one line.
fn shown(text: &str, most: usize) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = characters.by_ref().take(most).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// A remote agent may call its questions anything.
fn shown_action(interrupt: &Interrupt) -> String {
    shown(&interrupt.action, 60)
}

#[cfg(test)]
mod tests;
