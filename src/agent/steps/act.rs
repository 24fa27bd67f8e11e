//! Running what the agent's model called.

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{Answer, Turn};
use crate::agent::Attempt;
use crate::agent::state::AgentState;
use crate::agent::tools::Tool;
use crate::email::Triage;
use crate::graph::{NodeContext, NodeResult};
use crate::message::{ToolCall, ToolStatus};

/// Runs every call of the last message in order and answers each once.
///
/// When one of them is `done`, at whatever place, the others run all the same and the run
/// ends after them. It also ends after a decision, where no more was asked for.
pub fn act<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        for call in state.last_calls() {
            turn.run(call);
        }
        let done = state
            .last_calls()
            .iter()
            .any(|call| call.is(Tool::Done.name()));
        let decided = turn.attempt().limits.until_triage && turn.update.triage.is_some();
        Ok(if done || decided {
            turn.end()
        } else {
            turn.go_on()
        })
    })
}

impl Turn<'_> {
    /// Runs one call and answers it.
    pub fn run(&mut self, call: &ToolCall) {
        let agent = &self.attempt().agent;
        // Days in an email are meant from the day it was written.
        let today = self.state.email.date.unwrap_or(agent.settings.date);
        let started = Instant::now();
        let result = agent.toolbox.run(call, today);
        let latency = started.elapsed();
        if result.status == ToolStatus::Executed && Tool::of(call) == Some(Tool::TriageEmail) {
            self.decide(call);
        }
        let answer = Answer {
            status: result.status,
            content: result.content,
            latency,
        };
        self.answer(call, call.arguments.clone(), answer);
    }

    /// The last decision counts. Its reason is what the model said beside the call, if
    /// anything.
    fn decide(&mut self, call: &ToolCall) {
        let category = call.arguments["category"].as_str().unwrap_or_default();
        let triage: Triage = category.parse().expect("checked against the specification");
        self.update.triage = Some(triage);
        let said = self
            .state
            .messages
            .iter()
            .rfind(|message| message.tool_calls.iter().any(|known| known.id == call.id))
            .map(|message| message.content.trim());
        self.update.reasoning = said.filter(|text| !text.is_empty()).map(str::to_owned);
    }
}
