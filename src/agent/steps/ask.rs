//! Asking the person about what the agent's model called.

use futures_util::future::BoxFuture;

use super::{Turn, describe};
use crate::agent::Attempt;
use crate::agent::state::{AgentState, Review};
use crate::agent::tools::Tool;
use crate::graph::{NodeContext, NodeResult};
use crate::message::ToolCall;
use crate::run::{Allowed, Interrupt, Response};

/// Asks about the first call of the last message that is not dealt with, if it is one that a
/// person reviews. Nothing runs here: the answer waits in the state for `act`.
pub fn ask<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        let call = state.open_calls().next();
        if let Some((call, interrupt)) = call.and_then(|call| Some((call, turn.question(call)?))) {
            let (agent, today) = (&turn.attempt().agent, turn.today());
            let said = turn.ask_person(interrupt, |response| {
                let Response::Edit(arguments) = response else {
                    return Ok(response);
                };
                let edited = agent.toolbox.edited(call, arguments, today)?;
                let arguments = edited.arguments.as_object().cloned();
                Ok(Response::Edit(arguments.expect("checked to be an object")))
            })?;
            turn.update.review = Some(Review {
                call: call.id.clone(),
                response: said.response,
                answered_by: said.answered_by,
            });
        }
        Ok(turn.go_on())
    })
}

impl Turn<'_> {
    /// What a person is asked about `call`; `None` where nobody is. A call that cannot run
    /// is the model's to mend.
    pub fn question(&self, call: &ToolCall) -> Option<Interrupt> {
        let agent = &self.attempt().agent;
        let (tool, arguments) = agent.toolbox.check(call, self.today()).ok()?;
        let is_question = tool == Tool::Question;
        if !agent.reviews(tool) {
            return None;
        }
        Some(Interrupt {
            id: String::new(),
            action: tool.name().to_owned(),
            args: arguments.clone(),
            allowed: Allowed {
                accept: !is_question,
                edit: !is_question,
                ignore: true,
                respond: true,
            },
            description: Some(describe::call(&self.state.email, tool, arguments)),
        })
    }
}
