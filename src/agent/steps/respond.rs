//! Asking the agent's model what to do next.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Turn;
use crate::agent::state::{AgentState, Failure, name_calls};
use crate::agent::{Attempt, prompts};
use crate::graph::{NodeContext, NodeResult};
use crate::message::{Message, Prompt};
use crate::model::{Request, ToolChoice};
use crate::run::{ModelRole, Outcome, ReplyRef, Sent, Stop};

/// Asks the agent's model for tool calls. A reply without one is answered with a reminder,
/// once; two in a row end the run.
pub fn respond<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        let prompt = turn.agent_prompt().await?;
        let mut cut_off = false;
        for reminded in [false, true] {
            if reminded {
                turn.say(Message::user(turn.next_id(), prompts::remind_tool()));
            }
            match turn.ask_agent(&prompt).await {
                Err(failure) => return Ok(turn.fail(failure)),
                Ok(Asked::Called) => return Ok(turn.go_on()),
                Ok(Asked::Spoke { stop }) => cut_off = stop == Some(Stop::Length),
            }
        }
        let mut error = "the model called no tool, and after a reminder again none".to_owned();
        if cut_off {
            error.push_str(": its reply was cut off at its limit of tokens");
        }
        Ok(turn.fail(Failure::new(Outcome::Protocol, error)))
    })
}

/// What an agent's model did with its turn.
enum Asked {
    /// It called tools.
    Called,
    /// It called none.
    Spoke { stop: Option<Stop> },
}

impl Turn<'_> {
    /// Adds the model's reply to the conversation.
    async fn ask_agent(&mut self, prompt: &Arc<Prompt>) -> Result<Asked, Failure> {
        let agent = &self.attempt().agent;
        let request = Request {
            role: ModelRole::Agent,
            prompt: Arc::clone(prompt),
            messages: self.conversation(),
            tool_choice: ToolChoice::Required,
            output: None,
            origin: self.attempt().origin.clone(),
        };
        let mut answered = self.ask(&agent.models.agent, &request).await?;
        let id = self.next_id();
        let sent = Sent::Log(self.log_len());
        self.record_model(&request, sent, &answered, ReplyRef::Message(id.clone()));
        let mut calls = std::mem::take(&mut answered.reply.tool_calls);
        name_calls(&mut calls, &id, self.log());
        let asked = match calls.is_empty() {
            true => Asked::Spoke {
                stop: answered.reply.stop,
            },
            false => Asked::Called,
        };
        self.say(Message::assistant(id, answered.reply.content, calls));
        Ok(asked)
    }
}
