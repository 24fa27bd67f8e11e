//! Asking the router what becomes of the email.

use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::Turn;
use crate::agent::state::{AgentState, Failure};
use crate::agent::{Attempt, prompts};
use crate::email::Triage;
use crate::graph::{NodeContext, NodeResult};
use crate::message::Message;
use crate::model::{OutputSchema, Reply, Request, ToolChoice};
use crate::run::{ModelRole, Outcome, ReplyRef, Sent};

/// Decides by one model call with structured output, and hands an email that wants an
/// answer over to the agent. A reply that is no decision is answered with a reminder,
/// once; two end the run. The router's words do not enter the conversation.
pub fn triage<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        let decision = match turn.route().await {
            Ok(decision) => decision,
            Err(failure) => return Ok(turn.fail(failure)),
        };
        turn.update.triage = Some(decision.classification);
        turn.update.reasoning = Some(decision.reasoning);
        if turn.attempt().limits.until_triage {
            return Ok(turn.end());
        }
        if decision.classification == Triage::Respond {
            turn.hand_over();
        }
        Ok(turn.go_on())
    })
}

impl Turn<'_> {
    /// The decision of the router's model.
    async fn route(&mut self) -> Result<Decision, Failure> {
        let agent = &self.attempt().agent;
        let mut request = Request {
            role: ModelRole::Router,
            prompt: Arc::clone(&agent.prompts.router),
            messages: vec![Message::user("r0", self.state.email.to_prompt())],
            tool_choice: ToolChoice::None,
            output: Some(Arc::clone(&OUTPUT)),
        };
        let unusable = match self.ask_router(&request).await? {
            Ok(decision) => return Ok(decision),
            Err(unusable) => unusable,
        };
        let reminder = prompts::remind_router(&unusable.problem);
        request.messages.extend([
            Message::assistant("r1", unusable.content, Vec::new()),
            Message::user("r2", reminder),
        ]);
        match self.ask_router(&request).await? {
            Ok(decision) => Ok(decision),
            Err(again) => Err(Failure::new(
                Outcome::Protocol,
                format!(
                    "the router's reply was no decision: {}; after a reminder: {}",
                    unusable.problem, again.problem
                ),
            )),
        }
    }

    async fn ask_router(
        &mut self,
        request: &Request,
    ) -> Result<Result<Decision, Unusable>, Failure> {
        let model = &self.attempt().agent.models.router;
        let answered = self.ask(model, request).await?;
        let sent = Sent::Messages(request.messages.clone());
        let content = answered.reply.content.clone();
        self.record_model(request, sent, &answered, ReplyRef::Text(content.clone()));
        Ok(Decision::parse(&answered.reply).map_err(|problem| Unusable { content, problem }))
    }

    /// Opens the agent's conversation with the email.
    pub fn hand_over(&mut self) {
        let request = prompts::respond(&self.state.email.to_prompt());
        self.say(Message::user(self.next_id(), request));
    }
}

/// What the router is asked for.
static OUTPUT: LazyLock<Arc<OutputSchema>> = LazyLock::new(|| {
    Arc::new(OutputSchema {
        name: "triage".to_owned(),
        // The reasoning stands first, so that it is written before the decision.
        schema: json!({
            "type": "object",
            "properties": {
                "reasoning": {
                    "type": "string",
                    "description": "Why, step by step, in a few sentences.",
                },
                "classification": {
                    "type": "string",
                    "enum": Triage::ALL.map(Triage::name),
                },
            },
            "required": ["reasoning", "classification"],
            "additionalProperties": false,
        }),
    })
});

#[derive(Debug, PartialEq)]
struct Decision {
    reasoning: String,
    classification: Triage,
}

/// A reply that is no decision, and why.
struct Unusable {
    content: String,
    problem: String,
}

impl Decision {
    /// Reads the object that [`OUTPUT`] describes and nothing else; or says what is wrong,
    /// as a clause.
    fn parse(reply: &Reply) -> Result<Decision, String> {
        if reply.content.trim().is_empty() {
            return Err(match reply.tool_calls.len() {
                0 => "it was empty".to_owned(),
                _ => "it called a tool, and none was offered".to_owned(),
            });
        }
        let value: Value = serde_json::from_str(&reply.content)
            .map_err(|error| format!("it was not JSON ({error})"))?;
        let object = value.as_object().ok_or("it was not a JSON object")?;
        if let Some(key) = object
            .keys()
            .find(|key| !["reasoning", "classification"].contains(&key.as_str()))
        {
            return Err(format!(
                "it had a key that was not asked for, `{}`",
                short(key)
            ));
        }
        let text = |key: &str| match object.get(key) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(format!("`{key}` was not a string")),
            None => Err(format!("`{key}` was missing")),
        };
        let reasoning = text("reasoning")?.to_owned();
        let label = text("classification")?;
        let classification = label.parse().map_err(|_| {
            format!(
                "`classification` was `{}`, not one of ignore, notify, respond",
                short(label)
            )
        })?;
        Ok(Decision {
            reasoning,
            classification,
        })
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scripted;

    #[test]
    fn only_the_object_asked_for_is_a_decision() {
        let good = Decision {
            reasoning: "A question.".into(),
            classification: Triage::Respond,
        };
        for content in [
            r#"{"reasoning":"A question.","classification":"respond"}"#,
            r#" {"classification":"Respond","reasoning":"A question."} "#,
        ] {
            assert_eq!(
                Decision::parse(&scripted::text(content)).as_ref(),
                Ok(&good),
                "{content}"
            );
        }
        for (content, problem) in [
            ("", "it was empty"),
            (
                "respond",
                "it was not JSON (expected value at line 1 column 1)",
            ),
            (
                "```json\n{}\n```",
                "it was not JSON (expected value at line 1 column 1)",
            ),
            (
                r#"{"reasoning":"","classification":"respond"} ok"#,
                "it was not JSON (trailing characters at line 1 column 45)",
            ),
            ("[]", "it was not a JSON object"),
            (r#"{"classification":"respond"}"#, "`reasoning` was missing"),
            (r#"{"reasoning":"so"}"#, "`classification` was missing"),
            (
                r#"{"reasoning":"so","classification":1}"#,
                "`classification` was not a string",
            ),
            (
                r#"{"reasoning":"so","classification":"reply"}"#,
                "`classification` was `reply`, not one of ignore, notify, respond",
            ),
            (
                r#"{"reasoning":"so","classification":"respond","sure":true}"#,
                "it had a key that was not asked for, `sure`",
            ),
        ] {
            assert_eq!(
                Decision::parse(&scripted::text(content)),
                Err(problem.to_owned()),
                "{content}"
            );
        }
        let called = scripted::call("done", json!({}));
        assert_eq!(
            Decision::parse(&called),
            Err("it called a tool, and none was offered".to_owned())
        );
    }
}
