//! People who answer everything in one way.

use futures_util::future::{BoxFuture, ready};

use super::{Human, HumanError};
use crate::run::{Interrupt, Response};

/// Says yes to everything that can be said yes to.
///
/// A question cannot, and an agent that gets no answer would ask for ever, so it is told
/// to decide by itself; what takes neither is turned down.
#[derive(Clone, Copy, Debug, Default)]
pub struct AcceptAll;

impl AcceptAll {
    const NAME: &str = "accept-all";

    fn choose(interrupt: &Interrupt) -> Result<Response, HumanError> {
        let allowed = interrupt.allowed;
        if allowed.accept {
            Ok(Response::Accept)
        } else if allowed.respond {
            Ok(Response::Respond("Please decide yourself.".to_owned()))
        } else if allowed.ignore {
            Ok(Response::Ignore)
        } else {
            Err(HumanError::NoAnswer {
                action: interrupt.action.clone(),
                human: Self::NAME,
                allowed: allowed.kinds(),
            })
        }
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
