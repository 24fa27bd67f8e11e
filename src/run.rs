//! What happened when a target handled an email: the record that everything later reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::email::Triage;
use crate::message::{Message, Prompt, ToolStatus};

/// How a run ended. What is the agent's doing is scored; what is not, is not.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Finished,
    /// The agent used up its model calls without ending. The agent's fault.
    StepLimit,
    /// The model would not call a tool, or answered off the menu, twice. The agent's fault.
    Protocol,
    /// The case's own time limit passed. The agent's fault.
    Timeout,
    /// A model provider failed after all retries.
    Provider,
    /// A defect of this program.
    Harness,
    /// The simulated or scripted person failed, not the agent.
    Simulator,
    /// The agent asked what the script has no answer for.
    Unmatched,
    /// The user stopped the run.
    Cancelled,
    /// The money limit was reached.
    Budget,
}

impl Outcome {
    /// The agent failed to finish: scored 0 on every key that applies.
    pub fn is_agent_failure(self) -> bool {
        matches!(
            self,
            Outcome::StepLimit | Outcome::Protocol | Outcome::Timeout
        )
    }

    /// Nothing can be said about the agent: unscored, counted against coverage.
    pub fn is_error(self) -> bool {
        !(self == Outcome::Finished || self.is_agent_failure())
    }

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::StepLimit => "step_limit",
            Outcome::Protocol => "protocol",
            Outcome::Timeout => "timeout",
            Outcome::Provider => "provider",
            Outcome::Harness => "harness",
            Outcome::Simulator => "simulator",
            Outcome::Unmatched => "unmatched",
            Outcome::Cancelled => "cancelled",
            Outcome::Budget => "budget",
        }
    }
}

/// One attempt at one email, from the first model call to the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub outcome: Outcome,
    /// What went wrong, where the outcome is not `finished`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The decision; `None` when none was made.
    pub triage: Option<Triage>,
    /// Why, in the router's words; or why there is no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The log of the conversation; read it through [`crate::message::visible`].
    pub messages: Vec<Message>,
    pub steps: Vec<Step>,
    pub usage: Usage,
    /// Wall time of the attempt in milliseconds, waiting for people excluded.
    pub latency_ms: f64,
    /// How many entries `steps` had when each question of `steps` came up, in order: where
    /// the number is not the question's own place, something was done before the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<usize>,
    /// What the agent remembered of the person, where it has a memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryRecord>,
    /// The prompts that `steps` name by hash, for the journal to keep once.
    #[serde(skip)]
    pub prompts: Vec<Arc<Prompt>>,
}

/// One thing that was done, in order. Latencies are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Model {
        /// The graph node that asked.
        node: String,
        role: ModelRole,
        /// Hash of the [`Prompt`]; the journal keeps the text once.
        prompt: String,
        sent: Sent,
        /// The id of the reply in the log, or the reply itself where it is not part of
        /// the conversation (the router's).
        reply: ReplyRef,
        usage: TokenUsage,
        /// Why the reply ended, where that was not as it should be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<Stop>,
        latency_ms: f64,
    },
    Tool {
        node: String,
        call_id: String,
        name: String,
        /// What the tool ran with: a person may have edited what the model proposed.
        arguments: Value,
        status: ToolStatus,
        latency_ms: f64,
    },
    Interrupt {
        node: String,
        interrupt: Interrupt,
        response: Response,
        /// Who or what answered: `accept-all`, `scripted`, a person; `timeout` where nobody
        /// did in time.
        answered_by: String,
    },
    /// Something was remembered.
    Memory {
        node: String,
        namespace: String,
        key: String,
        /// `None` where there was nothing under the key.
        before: Option<String>,
        after: String,
        /// Why, in the model's words.
        reason: String,
    },
}

/// A memory before and after a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRecord {
    pub before: Memory,
    pub after: Memory,
}

/// What is remembered: by namespace, by key, as text. A profile is one entry, a collection
/// any number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(pub BTreeMap<String, BTreeMap<String, String>>);

impl Memory {
    /// All of a namespace as one text, in the order of the keys; empty where nothing is.
    pub fn text(&self, namespace: &str) -> String {
        let entries = self.0.get(namespace).into_iter().flat_map(BTreeMap::values);
        let texts: Vec<&str> = entries.map(String::as_str).collect();
        texts.join("\n")
    }
}

/// What a model call was sent, beside its prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// The conversation that the first this many entries of the log stand for.
    Log(usize),
    /// Messages of its own.
    Messages(Vec<Message>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyRef {
    /// A message of the log, by id.
    Message(String),
    /// Structured output or text that does not enter the conversation.
    Text(String),
}

/// What a model call is for. Limits, costs, and recordings are kept by role.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    Agent,
    Router,
    Memory,
    Judge,
    Simulator,
}

/// Why a reply ended before the model was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The most tokens allowed were written: what there is may be cut in two.
    Length,
    /// The model would not answer.
    Refusal,
    /// The provider took the answer away.
    Filtered,
}

/// Tokens of one model call, as the provider counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// All that were sent, cached ones too.
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Of those sent, how many the provider read from its cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_input_tokens: u64,
    /// `None` where the price is not known.
    #[serde(default, rename = "cost_usd", skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// US dollars, in whole trillionths, so that a sum is the same in any order. Written as a
/// number of dollars.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64")]
pub struct Cost(u64);

impl Cost {
    pub const ZERO: Cost = Cost(0);
    /// A million dollars, the most that is told apart: what a provider counts is bounded.
    pub const MOST: Cost = Cost(1_000_000_000_000_000_000);

    /// No more than [`Cost::MOST`].
    pub const fn of_trillionths(trillionths: u64) -> Cost {
        if trillionths < Cost::MOST.0 {
            Cost(trillionths)
        } else {
            Cost::MOST
        }
    }

    pub const fn trillionths(self) -> u64 {
        self.0
    }

    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e12
    }

    /// No less than nothing.
    pub fn minus(self, other: Cost) -> Cost {
        Cost(self.0.saturating_sub(other.0))
    }

    /// No more than [`Cost::MOST`].
    pub fn plus(self, other: Cost) -> Cost {
        Cost::of_trillionths(self.0.saturating_add(other.0))
    }
}

impl TryFrom<f64> for Cost {
    type Error = String;

    fn try_from(usd: f64) -> Result<Cost, String> {
        if !(0.0..=Cost::MOST.usd()).contains(&usd) {
            return Err(format!(
                "`{usd}` is no amount of dollars from 0 to a million"
            ));
        }
        Ok(Cost((usd * 1e12).round() as u64))
    }
}

impl From<Cost> for f64 {
    fn from(cost: Cost) -> f64 {
        cost.usd()
    }
}

/// What a run, or a whole variant, used: by role, so that no role hides another's cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Usage(pub BTreeMap<ModelRole, RoleUsage>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleUsage {
    /// Model calls that were answered.
    pub calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Part of `input_tokens`.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// In US dollars; `null` where the price of any call is not known.
    #[serde(default, rename = "cost_usd")]
    pub cost: Option<Cost>,
}

impl Default for RoleUsage {
    fn default() -> Self {
        RoleUsage {
            calls: 0,
            input_tokens: 0,
            output_tokens: 0,
            cached_input_tokens: 0,
            // Nothing costs nothing.
            cost: Some(Cost::ZERO),
        }
    }
}

impl RoleUsage {
    pub fn add(&mut self, more: &RoleUsage) {
        self.calls += more.calls;
        self.input_tokens += more.input_tokens;
        self.output_tokens += more.output_tokens;
        self.cached_input_tokens += more.cached_input_tokens;
        self.cost = match (self.cost, more.cost) {
            (Some(one), Some(other)) => Some(one.plus(other)),
            _ => None,
        };
    }
}

impl Usage {
    pub fn record(&mut self, role: ModelRole, tokens: TokenUsage) {
        self.0.entry(role).or_default().add(&RoleUsage {
            calls: 1,
            input_tokens: tokens.input_tokens,
            output_tokens: tokens.output_tokens,
            cached_input_tokens: tokens.cached_input_tokens,
            cost: tokens.cost,
        });
    }

    pub fn add(&mut self, other: &Usage) {
        for (role, more) in &other.0 {
            self.0.entry(*role).or_default().add(more);
        }
    }

    pub fn calls(&self) -> u64 {
        self.0.values().map(|usage| usage.calls).sum()
    }

    /// Of all roles; `None` where the price of any call is not known.
    pub fn cost(&self) -> Option<Cost> {
        self.0
            .values()
            .try_fold(Cost::ZERO, |sum, usage| Some(sum.plus(usage.cost?)))
    }
}

/// A pause that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interrupt {
    /// Names this pause among those of its thread.
    pub id: String,
    /// What the agent asks about: a tool's name, or the triage decision.
    pub action: String,
    pub args: Map<String, Value>,
    pub allowed: Allowed,
    /// Markdown for the person who decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Which kinds of answer an interrupt takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    pub accept: bool,
    pub edit: bool,
    pub ignore: bool,
    pub respond: bool,
}

impl Allowed {
    pub fn allows(self, response: &Response) -> bool {
        match response {
            Response::Accept => self.accept,
            Response::Edit(_) => self.edit,
            Response::Ignore => self.ignore,
            Response::Respond(_) => self.respond,
        }
    }

    /// The kinds it takes, by the names of [`Response::kind`].
    pub fn kinds(self) -> Vec<&'static str> {
        let kinds = [
            (self.accept, "accept"),
            (self.edit, "edit"),
            (self.ignore, "ignore"),
            (self.respond, "respond"),
        ];
        let allowed = kinds.into_iter().filter(|(allowed, _)| *allowed);
        allowed.map(|(_, kind)| kind).collect()
    }
}

/// A person's answer to an interrupt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    Accept,
    /// Run it, but with these arguments.
    Edit(Map<String, Value>),
    Ignore,
    /// Free text: feedback on a proposed call, or the answer to a question.
    Respond(String),
}

impl Response {
    pub fn kind(&self) -> &'static str {
        match self {
            Response::Accept => "accept",
            Response::Edit(_) => "edit",
            Response::Ignore => "ignore",
            Response::Respond(_) => "respond",
        }
    }
}
