//! A person whose first answers are written down.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;

use super::{AcceptAll, Human, HumanError};
use crate::run::{Interrupt, Response};

/// Gives the answers of a list, one an interrupt, then those of [`AcceptAll`].
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    first: VecDeque<Response>,
    then: AcceptAll,
    scripted_last: bool,
}

impl Scripted {
    pub fn new(first: impl IntoIterator<Item = Response>) -> Self {
        Scripted {
            first: first.into_iter().collect(),
            then: AcceptAll,
            scripted_last: true,
        }
    }
}

impl Human for Scripted {
    /// Of the last answer: an answer of the policy is recorded as the policy's.
    fn name(&self) -> &str {
        match self.scripted_last {
            true => "scripted",
            false => self.then.name(),
        }
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        match self.first.pop_front() {
            Some(response) => Box::pin(async { Ok(response) }),
            None => {
                self.scripted_last = false;
                self.then.respond(interrupt)
            }
        }
    }
}
