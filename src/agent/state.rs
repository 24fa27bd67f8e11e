//! What an agent carries from step to step.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::memory::Namespace;
use super::{AgentKind, Behaviour};
use crate::email::{Email, Triage};
use crate::graph::State;
use crate::message::{Message, Prompt, ToolCall, visible};
use crate::run::{Memory, MemoryRecord, ModelRole, Outcome, Response, Run, Step, Usage};

/// An attempt so far. It grows and never forgets: an edited message is appended under the
/// id of the one it replaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentState {
    pub setup: Setup,
    /// What was remembered when it began, where the agent remembers.
    pub memory: Option<Memory>,
    pub email: Arc<Email>,
    /// The log of the conversation; read it through [`visible`].
    pub messages: Vec<Message>,
    pub triage: Option<Triage>,
    /// Why it was decided so, in the model's words.
    pub reasoning: Option<String>,
    pub steps: Vec<Step>,
    /// The prompts that `steps` name, each once.
    #[serde(with = "prompt_contents")]
    pub prompts: Vec<Arc<Prompt>>,
    /// What the person said of a call that is not dealt with yet.
    pub review: Option<Review>,
    /// What the person's answers taught and is not remembered yet.
    pub lessons: Vec<Lesson>,
    /// Whether the run ends as soon as everything is remembered.
    pub over: bool,
    pub failure: Option<Failure>,
}

/// What another process needs to go on with a thread, beside keys and the thread itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    pub agent: AgentKind,
    /// Names of the models, as [`crate::model::catalog::open`] knows them.
    pub model: String,
    pub router_model: String,
    pub memory_model: String,
    /// The day the prompts call today.
    pub date: Date,
    pub seed: u64,
    pub behaviour: Behaviour,
    pub max_model_calls: u32,
    pub timeout: Duration,
}

/// A person's answer to a proposed call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// Id of the call.
    pub call: String,
    pub response: Response,
    /// Who or what answered; `timeout` where nobody did in time.
    pub answered_by: String,
}

/// What a person's answer teaches about one memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    pub namespace: Namespace,
    /// What happened, for the model that writes the memory.
    pub note: String,
    /// Whether the conversation so far is needed to understand it.
    pub conversation: bool,
}

/// Why an attempt ended before it was finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub outcome: Outcome,
    pub error: String,
}

impl Failure {
    pub fn new(outcome: Outcome, error: impl Into<String>) -> Self {
        Failure {
            outcome,
            error: error.into(),
        }
    }
}

/// What one step adds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Update {
    pub messages: Vec<Message>,
    pub triage: Option<Triage>,
    pub reasoning: Option<String>,
    pub steps: Vec<Step>,
    #[serde(with = "prompt_contents")]
    pub prompts: Vec<Arc<Prompt>>,
    pub review: Option<Review>,
    /// The review was dealt with.
    pub reviewed: bool,
    pub lessons: Vec<Lesson>,
    /// All lessons so far were remembered.
    pub remembered: bool,
    pub over: bool,
    pub failure: Option<Failure>,
}

impl State for AgentState {
    type Update = Update;

    fn apply(&mut self, update: Update) {
        self.messages.extend(update.messages);
        // A later decision overrules an earlier one, and its reason too.
        if update.triage.is_some() {
            self.triage = update.triage;
            self.reasoning = update.reasoning;
        }
        self.steps.extend(update.steps);
        for prompt in update.prompts {
            if !self
                .prompts
                .iter()
                .any(|known| known.hash() == prompt.hash())
            {
                self.prompts.push(prompt);
            }
        }
        if update.reviewed {
            self.review = None;
        }
        if update.review.is_some() {
            self.review = update.review;
        }
        if update.remembered {
            self.lessons.clear();
        }
        self.lessons.extend(update.lessons);
        self.over |= update.over;
        if update.failure.is_some() {
            self.failure = update.failure;
        }
    }
}

impl AgentState {
    pub fn new(setup: Setup, email: Arc<Email>) -> Self {
        AgentState {
            setup,
            memory: None,
            email,
            messages: Vec::new(),
            triage: None,
            reasoning: None,
            steps: Vec::new(),
            prompts: Vec::new(),
            review: None,
            lessons: Vec::new(),
            over: false,
            failure: None,
        }
    }

    /// The calls that the assistant proposed last and that are not answered, in order.
    pub fn open_calls(&self) -> impl Iterator<Item = &ToolCall> {
        let answers = || {
            self.messages
                .iter()
                .filter_map(|message| message.tool_call_id.as_ref())
        };
        let answered = move |call: &ToolCall| answers().any(|id| *id == call.id);
        self.last_calls().iter().filter(move |call| !answered(call))
    }

    /// Whether the person ignored something since the agent's model was asked last.
    pub fn was_ignored(&self) -> bool {
        self.steps
            .iter()
            .rev()
            .take_while(|step| {
                !matches!(
                    step,
                    Step::Model {
                        role: ModelRole::Agent,
                        ..
                    }
                )
            })
            .any(|step| {
                matches!(
                    step,
                    Step::Interrupt {
                        response: Response::Ignore,
                        ..
                    }
                )
            })
    }

    /// The calls that the assistant proposed last, as edited since.
    pub fn last_calls(&self) -> &[ToolCall] {
        visible(&self.messages)
            .iter()
            .rev()
            .find(|message| !message.tool_calls.is_empty())
            .map_or(&[], |message| &message.tool_calls)
    }

    /// The record of the attempt. `latency_ms` is its wall time, waiting for people excluded.
    pub fn into_run(self, latency_ms: f64) -> Run {
        let mut usage = Usage::default();
        for step in &self.steps {
            if let Step::Model {
                role,
                usage: tokens,
                ..
            } = step
            {
                usage.record(*role, *tokens);
            }
        }
        let (outcome, error) = match self.failure {
            Some(failure) => (failure.outcome, Some(failure.error)),
            None => (Outcome::Finished, None),
        };
        let reasoning = match (self.triage, &error) {
            (Some(_), _) => self.reasoning,
            (None, None) => Some("the agent ended without a call of `triage_email`".to_owned()),
            (None, Some(error)) => Some(format!("no decision was reached: {error}")),
        };
        Run {
            outcome,
            error,
            triage: self.triage,
            reasoning,
            messages: self.messages,
            steps: self.steps,
            usage,
            latency_ms,
            pauses: Vec::new(),
            memory: self.memory.map(|before| MemoryRecord {
                after: before.clone(),
                before,
            }),
            prompts: self.prompts,
        }
    }
}

/// Gives every call an id that no other call of the thread has, so that each can be
/// answered once. An id that the model gave is kept unless it is empty or was used before;
/// others follow from the id of the message.
pub fn name_calls<'a>(
    calls: &mut [ToolCall],
    message_id: &str,
    log: impl Iterator<Item = &'a Message>,
) {
    let mut used: HashSet<String> = log
        .flat_map(|message| &message.tool_calls)
        .map(|call| call.id.clone())
        .collect();
    for (index, call) in calls.iter_mut().enumerate() {
        if call.id.is_empty() || used.contains(&call.id) {
            call.id = (0..)
                .map(|attempt| match attempt {
                    0 => format!("{message_id}.{index}"),
                    attempt => format!("{message_id}.{index}.{attempt}"),
                })
                .find(|id| !used.contains(id))
                .expect("some number is free");
        }
        used.insert(call.id.clone());
    }
}

/// Prompts are stored as their content; the hash follows from it.
mod prompt_contents {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::message::{Prompt, PromptContent};

    pub fn serialize<S: Serializer>(
        prompts: &[Arc<Prompt>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(prompts.iter().map(|prompt| prompt.content()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Arc<Prompt>>, D::Error> {
        let contents = Vec::<PromptContent>::deserialize(deserializer)?;
        Ok(contents
            .into_iter()
            .map(|content| Prompt::new(content.system, content.tools))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(id: &str) -> ToolCall {
        ToolCall {
            id: id.into(),
            name: "done".into(),
            arguments: json!({ "done": true }),
        }
    }

    #[test]
    fn every_call_of_a_thread_gets_an_id_of_its_own() {
        let log = [Message::assistant("m1", "", vec![call("a"), call("m3.1")])];
        let mut calls = ["b", "", "b", "a", "m3.2"].map(call);
        name_calls(&mut calls, "m3", log.iter());
        let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
        // The last was taken by the third, which came first.
        assert_eq!(ids, ["b", "m3.1.1", "m3.2", "m3.3", "m3.4"]);
    }

    #[test]
    fn the_last_calls_are_those_of_the_edited_message() {
        let mut state = AgentState::new(setup(), Arc::new(email()));
        assert!(state.last_calls().is_empty());
        state.messages = vec![
            Message::assistant("m0", "", vec![call("a")]),
            Message::assistant("m1", "", vec![call("b")]),
            Message::assistant("m1", "", vec![call("c")]),
        ];
        assert_eq!(state.last_calls(), [call("c")]);
    }

    #[test]
    fn a_state_survives_being_stored() {
        let mut state = AgentState::new(setup(), Arc::new(email()));
        state.apply(Update {
            messages: vec![Message::user("m0", "hi")],
            triage: Some(Triage::Notify),
            prompts: vec![Prompt::new("system".into(), Vec::new())],
            failure: Some(Failure::new(Outcome::Timeout, "late")),
            ..Update::default()
        });
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<AgentState>(&json).unwrap(), state);
    }

    fn setup() -> Setup {
        Setup {
            agent: AgentKind::Hitl,
            model: "rules".into(),
            router_model: "rules".into(),
            memory_model: "rules".into(),
            date: jiff::civil::date(2026, 3, 2),
            seed: 0,
            behaviour: Behaviour::default(),
            max_model_calls: 25,
            timeout: Duration::from_secs(300),
        }
    }

    fn email() -> Email {
        Email {
            from: String::new(),
            to: String::new(),
            subject: String::new(),
            body: String::new(),
            date: None,
        }
    }
}
