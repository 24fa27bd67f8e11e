//! A person who is asked only where it matters.

use futures_util::future::{BoxFuture, ready};

use crate::human::{Human, HumanError};
use crate::run::{Interrupt, Response, Usage};

/// What the record says accepted a proposal that nobody had to be asked about.
pub const AUTO_APPROVED: &str = "auto-approved";

/// Asks the person where a condition holds, and accepts otherwise, under the name
/// [`AUTO_APPROVED`]. What cannot be accepted is always asked.
pub struct Conditional {
    human: Box<dyn Human>,
    asks: Box<dyn Fn(&Interrupt) -> bool + Send>,
    asked: bool,
}

impl Conditional {
    pub fn new(
        human: Box<dyn Human>,
        asks: impl Fn(&Interrupt) -> bool + Send + 'static,
    ) -> Conditional {
        Conditional {
            human,
            asks: Box::new(asks),
            asked: true,
        }
    }
}

impl Human for Conditional {
    fn name(&self) -> &str {
        match self.asked {
            true => self.human.name(),
            false => AUTO_APPROVED,
        }
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        self.asked = !interrupt.allowed.accept || (self.asks)(interrupt);
        match self.asked {
            true => self.human.respond(interrupt),
            false => Box::pin(ready(Ok(Response::Accept))),
        }
    }

    fn usage(&self) -> Usage {
        self.human.usage()
    }

    fn notes(&self) -> Vec<String> {
        self.human.notes()
    }
}
