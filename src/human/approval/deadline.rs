//! A person who has only so much time.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::human::{APPROVAL_DEADLINE, Human, HumanError, TIMED_OUT, timed_out};
use crate::run::{Interrupt, Response, Usage};

/// Answers in the person's place once the time is over, under the name [`TIMED_OUT`], which
/// keeps an expired question apart from one that was turned down. Nothing else waits: other
/// runs go on meanwhile.
pub struct Deadline {
    human: Box<dyn Human>,
    limit: Duration,
    expired: bool,
}

impl Deadline {
    /// With [`APPROVAL_DEADLINE`] for every answer.
    pub fn new(human: Box<dyn Human>) -> Deadline {
        Deadline {
            human,
            limit: APPROVAL_DEADLINE,
            expired: false,
        }
    }

    pub fn of(self, limit: Duration) -> Deadline {
        Deadline { limit, ..self }
    }
}

impl Human for Deadline {
    fn name(&self) -> &str {
        match self.expired {
            true => TIMED_OUT,
            false => self.human.name(),
        }
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(async move {
            let answer = tokio::time::timeout(self.limit, self.human.respond(interrupt)).await;
            self.expired = answer.is_err();
            answer.unwrap_or_else(|_| timed_out(interrupt))
        })
    }

    fn usage(&self) -> Usage {
        self.human.usage()
    }

    fn notes(&self) -> Vec<String> {
        self.human.notes()
    }
}
