//! Dealing with what the agent's model called.

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;

use super::{Answer, Turn};
use crate::agent::memory::lessons;
use crate::agent::state::{AgentState, Review};
use crate::agent::tools::Tool;
use crate::agent::{Attempt, prompts};
use crate::email::Triage;
use crate::graph::store::StoreError;
use crate::graph::{NodeContext, NodeError, NodeResult};
use crate::inbox::TIMEOUT;
use crate::message::{ToolCall, ToolStatus};
use crate::run::Response;

/// Does with the reviewed call what the person said, and runs the calls after it in order,
/// up to the next that a person reviews. Each is answered once.
///
/// When a call of the message is `done`, at whatever place, or the person ignored one, the
/// others are dealt with all the same, and the run is over after them. It is also over
/// after a decision, where no more was asked for.
pub fn act<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        let mut open = state.open_calls().peekable();
        if let Some(review) = &state.review {
            let call = open.next_if(|call| call.id == review.call);
            let call = call.ok_or_else(|| {
                let call = &review.call;
                NodeError::message(format!("call `{call}` was reviewed and is not the next"))
            })?;
            // Nobody said anything when no answer came in time.
            if let Some(tool) = Tool::of(call).filter(|_| review.answered_by != TIMEOUT) {
                turn.teach(lessons::of_call(tool, call, &review.response));
            }
            turn.follow(call, review).await?;
            turn.update.reviewed = true;
        }
        while let Some(call) = open.next_if(|call| turn.question(call).is_none()) {
            turn.run(call).await?;
        }
        if open.peek().is_none() {
            let done = |call: &ToolCall| call.is(Tool::Done.name());
            let decided = turn.attempt().limits.until_triage && turn.update.triage.is_some();
            turn.update.over =
                state.last_calls().iter().any(done) || state.was_ignored() || decided;
        }
        Ok(turn.go_on())
    })
}

impl Turn<'_> {
    /// Does with a call what the person said of it.
    async fn follow(&mut self, call: &ToolCall, review: &Review) -> Result<(), StoreError> {
        let answer = |status, content| Answer {
            status,
            content,
            latency: std::time::Duration::ZERO,
        };
        let answer = match &review.response {
            Response::Accept => return self.run(call).await,
            Response::Edit(arguments) => {
                let edited = ToolCall {
                    arguments: Value::Object(arguments.clone()),
                    ..call.clone()
                };
                self.rewrite(&edited);
                return self.run(&edited).await;
            }
            Response::Ignore if review.answered_by == TIMEOUT => {
                answer(ToolStatus::Denied, prompts::nobody_answered())
            }
            Response::Ignore => answer(ToolStatus::Denied, prompts::turned_down()),
            Response::Respond(text) if call.is(Tool::Question.name()) => {
                answer(ToolStatus::Answered, text.clone())
            }
            Response::Respond(text) => answer(ToolStatus::Denied, prompts::feedback(text)),
        };
        self.answer(call, call.arguments.clone(), answer);
        Ok(())
    }

    /// Puts `call` in the place of the proposed one: the message that proposed it is
    /// repeated under its id, so that call and result agree.
    fn rewrite(&mut self, call: &ToolCall) {
        let proposes = |known: &&ToolCall| known.id == call.id;
        let message = self
            .conversation()
            .into_iter()
            .rfind(|message| message.tool_calls.iter().any(|known| proposes(&known)));
        let mut message = message.expect("an open call is part of the conversation");
        for known in &mut message.tool_calls {
            if known.id == call.id {
                *known = call.clone();
            }
        }
        self.say(message);
    }

    /// Runs one call and answers it.
    pub async fn run(&mut self, call: &ToolCall) -> Result<(), StoreError> {
        let agent = &self.attempt().agent;
        let started = Instant::now();
        let store = &*self.attempt().store;
        let result = agent.toolbox.run(call, self.today(), store).await?;
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
        Ok(())
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
