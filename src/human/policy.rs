//! People who answer everything in one way.

use futures_util::future::{BoxFuture, ready};

use super::{Human, HumanError, TIMED_OUT};
use crate::run::{Interrupt, Response};

/// Says yes to everything that can be said yes to.
///
/// A question cannot, and an agent that gets no answer would ask for ever, so it is told
/// to decide by itself; what takes neither is turned down.
#[derive(Clone, Copy, Debug, Default)]
pub struct AcceptAll;

/// Turns down everything that can be turned down; what cannot is refused in words.
#[derive(Clone, Copy, Debug, Default)]
pub struct RejectAll;

impl AcceptAll {
    pub(super) const NAME: &str = "accept-all";

    pub(super) fn choose(interrupt: &Interrupt) -> Result<Response, HumanError> {
        let allowed = interrupt.allowed;
        if allowed.accept {
            Ok(Response::Accept)
        } else if allowed.respond {
            Ok(Response::Respond("Please decide yourself.".to_owned()))
        } else if allowed.ignore {
            Ok(Response::Ignore)
        } else {
            Err(HumanError::no_answer(Self::NAME, interrupt))
        }
    }
}

impl RejectAll {
    pub(super) const NAME: &str = "reject-all";

    fn choose(interrupt: &Interrupt) -> Result<Response, HumanError> {
        refuse(interrupt, Self::NAME, "No. Please leave it.")
    }
}

/// The answer of nobody: when no answer came in time, the action is not run. Whoever
/// resumes with it says that [`TIMED_OUT`] answered.
///
/// # Errors
/// [`HumanError::NoAnswer`] where the interrupt can only be agreed to.
pub fn timed_out(interrupt: &Interrupt) -> Result<Response, HumanError> {
    refuse(interrupt, TIMED_OUT, "Nobody answered in time.")
}

fn refuse(interrupt: &Interrupt, by: &'static str, words: &str) -> Result<Response, HumanError> {
    if interrupt.allowed.ignore {
        Ok(Response::Ignore)
    } else if interrupt.allowed.respond {
        Ok(Response::Respond(words.to_owned()))
    } else {
        Err(HumanError::no_answer(by, interrupt))
    }
}

impl Human for AcceptAll {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(ready(Self::choose(interrupt)))
    }
}

impl Human for RejectAll {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(ready(Self::choose(interrupt)))
    }
}
