//! Asking the router what becomes of the email.

use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::Turn;
use super::structured::{Wanted, short, string};
use crate::agent::state::{AgentState, Failure};
use crate::agent::{Attempt, prompts};
use crate::email::Triage;
use crate::graph::{NodeContext, NodeResult};
use crate::message::{Message, Prompt};
use crate::model::{OutputSchema, Request, ToolChoice};
use crate::run::ModelRole;

/// Decides by one model call with structured output, and hands an email that wants an
/// answer over to the agent. A reply that is no decision is answered with a reminder,
/// once; two end the run. The router's words do not enter the conversation.
pub fn triage<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut turn = Turn::new(state, node);
        let prompt = turn.router_prompt().await?;
        let decision = match turn.route(prompt).await {
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
    async fn route(&mut self, prompt: Arc<Prompt>) -> Result<Decision, Failure> {
        let request = Request {
            role: ModelRole::Router,
            prompt,
            messages: vec![Message::user("r0", self.state.email.to_prompt())],
            tool_choice: ToolChoice::None,
            output: Some(Arc::clone(&OUTPUT)),
            origin: self.attempt().origin.clone(),
        };
        let wanted = Wanted {
            fault: "the router's reply was no decision",
            keys: KEYS,
            read: Decision::read,
            remind: prompts::remind_router,
        };
        let model = &self.attempt().agent.models.router;
        self.ask_object(model, request, wanted).await
    }

    /// Opens the agent's conversation with the email.
    pub fn hand_over(&mut self) {
        let request = prompts::respond(&self.state.email.to_prompt());
        self.say(Message::user(self.next_id(), request));
    }
}

const KEYS: &[&str] = &["reasoning", "classification"];

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
            "required": KEYS,
            "additionalProperties": false,
        }),
    })
});

#[derive(Debug, PartialEq)]
struct Decision {
    reasoning: String,
    classification: Triage,
}

impl Decision {
    /// Reads an object of [`KEYS`]; or says what is wrong, as a clause.
    fn read(object: &Map<String, Value>) -> Result<Decision, String> {
        let reasoning = string(object, "reasoning")?.to_owned();
        let label = string(object, "classification")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::steps::structured::object;
    use crate::model::{Reply, scripted};

    fn read(reply: &Reply) -> Result<Decision, String> {
        Decision::read(&object(reply, KEYS)?)
    }

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
                read(&scripted::text(content)).as_ref(),
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
                read(&scripted::text(content)),
                Err(problem.to_owned()),
                "{content}"
            );
        }
        let called = scripted::call("done", json!({}));
        assert_eq!(
            read(&called),
            Err("it called a tool, and none was offered".to_owned())
        );
    }
}
