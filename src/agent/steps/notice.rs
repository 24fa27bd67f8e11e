//! Showing the person an email that wants no answer.

use futures_util::future::BoxFuture;
use serde_json::Map;

use super::{Turn, describe};
use crate::agent::memory::lessons;
use crate::agent::state::AgentState;
use crate::agent::{Attempt, prompts};
use crate::email::Triage;
use crate::graph::{NodeContext, NodeError, NodeResult};
use crate::message::Message;
use crate::run::{Allowed, Interrupt, Response};

/// Asks what becomes of the email. Accepting and ignoring end the run; feedback becomes part
/// of the conversation, and the agent answers.
pub fn notice<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        let interrupt = Interrupt {
            id: String::new(),
            action: Triage::Notify.name().to_owned(),
            args: Map::new(),
            allowed: Allowed {
                accept: turn.attempt().agent.settings.behaviour.notify_accept,
                edit: false,
                ignore: true,
                respond: true,
            },
            description: Some(describe::notice(&state.email, state.reasoning.as_deref())),
        };
        let said = turn.ask_person(interrupt, Ok)?;
        if !said.is_timeout() {
            turn.teach(lessons::of_notice(&said.response));
        }
        match said.response {
            Response::Accept | Response::Ignore => turn.update.over = true,
            Response::Respond(feedback) => {
                turn.hand_over();
                turn.say(Message::user(turn.next_id(), prompts::notice(&feedback)));
            }
            Response::Edit(_) => {
                return Err(NodeError::message("an edit was taken that is not allowed"));
            }
        }
        Ok(turn.go_on())
    })
}
