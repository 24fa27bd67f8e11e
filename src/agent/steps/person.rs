//! Asking the person the agent acts for.

use super::Turn;
use crate::graph::NodeError;
use crate::inbox::{self, TIMEOUT};
use crate::run::{Interrupt, Response, Step};

/// Who answered, where the answer does not say.
const SOMEBODY: &str = "person";

/// What the person said, and who it was.
pub struct Said {
    pub response: Response,
    pub answered_by: String,
}

impl Said {
    /// Whether nobody answered in time, and this stands for it.
    pub fn is_timeout(&self) -> bool {
        self.answered_by == TIMEOUT
    }
}

impl Turn<'_> {
    /// Stops to ask, and keeps the answer in the record. Question and answer have the form
    /// of [`inbox`]; the id of `interrupt` is the graph's to give. `check` turns an allowed
    /// answer into what is followed.
    ///
    /// # Errors
    /// While there is no answer, or one that is not taken: hand it on with `?`.
    pub fn ask_person(
        &mut self,
        interrupt: Interrupt,
        check: impl FnOnce(Response) -> Result<Response, String>,
    ) -> Result<Said, NodeError> {
        let payload = inbox::write_interrupt(&interrupt);
        let allowed = interrupt.allowed;
        let answer = self.node.interrupt_with(payload, |answer| {
            let answer = inbox::read_answer(&answer).map_err(|error| error.to_string())?;
            if !allowed.allows(&answer.response) {
                return Err(format!(
                    "`{}` is not allowed; allowed: {}",
                    answer.response.kind(),
                    allowed.kinds().join(", ")
                ));
            }
            let response = check(answer.response)?;
            Ok(inbox::Answer { response, ..answer })
        })?;
        let said = Said {
            response: answer.response,
            answered_by: answer.answered_by.unwrap_or_else(|| SOMEBODY.to_owned()),
        };
        self.update.steps.push(Step::Interrupt {
            node: self.node.node().to_owned(),
            interrupt: Interrupt {
                id: answer.id.unwrap_or_default(),
                ..interrupt
            },
            response: said.response.clone(),
            answered_by: said.answered_by.clone(),
        });
        Ok(said)
    }
}
