//! Asking the person the agent acts for.

use serde::{Deserialize, Serialize};

use super::Turn;
use crate::graph::NodeError;
use crate::run::{Interrupt, Response, Step};

/// What a paused graph is resumed with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumption {
    /// Id of the interrupt that is answered.
    pub interrupt: String,
    pub response: Response,
    /// Who or what answered.
    pub answered_by: String,
}

impl Turn<'_> {
    /// Stops to ask, and keeps the answer in the record. The caller resumes with a
    /// [`Resumption`]; the id of `interrupt` is the graph's to give.
    ///
    /// # Errors
    /// While there is no answer, or one that is not allowed: hand it on with `?`.
    pub fn ask_person(&mut self, interrupt: Interrupt) -> Result<Response, NodeError> {
        let payload = serde_json::to_value(&interrupt)?;
        let allowed = interrupt.allowed;
        let answer = self.node.interrupt_with(payload, |answer| {
            let answer: Resumption =
                serde_json::from_value(answer).map_err(|error| error.to_string())?;
            match allowed.allows(&answer.response) {
                true => Ok(answer),
                false => Err(format!(
                    "`{}` is not allowed; allowed: {}",
                    answer.response.kind(),
                    allowed.kinds().join(", ")
                )),
            }
        })?;
        self.update.steps.push(Step::Interrupt {
            node: self.node.node().to_owned(),
            interrupt: Interrupt {
                id: answer.interrupt,
                ..interrupt
            },
            response: answer.response.clone(),
            answered_by: answer.answered_by,
        });
        Ok(answer.response)
    }
}
