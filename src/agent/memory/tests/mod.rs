mod across;
mod background;
mod learning;
mod notes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::civil::date;
use serde_json::{Map, Value, json};

use super::*;
use crate::agent::state::{AgentState, Lesson};
use crate::agent::{
    Agent, AgentKind, Attempt, Background, Behaviour, Limits, Models, Settings, steps,
};
use crate::email::{Email, Triage};
use crate::graph::{CompiledGraph, END, Graph, MemoryStore, RunOptions, START};
use crate::message::{Message, ToolCall, ToolStatus};
use crate::model::scripted::{Scripted, text};
use crate::model::{Reply, Request};
use crate::run::{Allowed, Interrupt, Outcome, Response, Step};

fn defaults() -> Preferences {
    Preferences {
        background: "Sam works at Acme.".into(),
        triage_preferences: "Ignore newsletters.\nAnswer questions.".into(),
        response_preferences: "- Be brief.\n- Greet by name.".into(),
        cal_preferences: "- Meetings take 30 minutes.".into(),
    }
}

fn email() -> Email {
    Email {
        from: "Ana Ruiz <ana@northwind.example>".into(),
        to: "Sam Lee <sam@acme.example>".into(),
        subject: "Invoice 1042".into(),
        body: "Was invoice 1042 paid?".into(),
        date: None,
    }
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: "m1.0".into(),
        name: name.into(),
        arguments,
    }
}

fn draft() -> ToolCall {
    call(
        "write_email",
        json!({ "to": "ana@northwind.example", "subject": "Re: Invoice 1042", "content": "Yes." }),
    )
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// An agent with a memory and no more of a wiring than what keeps it.
struct Bench {
    model: Arc<Scripted>,
    store: Arc<dyn Store>,
    attempt: Arc<Attempt>,
}

impl Bench {
    fn new(replies: Vec<Reply>) -> Self {
        Bench::with(replies, Arc::new(MemoryStore::new()), Background::Off, 25)
    }

    fn with(
        replies: Vec<Reply>,
        store: Arc<dyn Store>,
        background: Background,
        max_model_calls: u32,
    ) -> Self {
        let model = Arc::new(Scripted::new(replies));
        let mut models = Models::one(Arc::new(Scripted::new([])));
        models.memory = Arc::clone(&model) as _;
        let settings = Settings {
            date: date(2026, 3, 2),
            seed: 0,
            preferences: defaults(),
            behaviour: Behaviour {
                background,
                ..Behaviour::default()
            },
        };
        let attempt = Attempt {
            agent: Arc::new(Agent::new(AgentKind::Workflow, models, settings)),
            store: Arc::clone(&store),
            limits: Limits {
                until_triage: false,
                max_model_calls,
                timeout: Duration::from_secs(60),
            },
            spent: Duration::ZERO,
            since: crate::model::Origin::default().clock().mark(),
            origin: Default::default(),
        };
        Bench {
            model,
            store,
            attempt: Arc::new(attempt),
        }
    }

    fn state(&self) -> AgentState {
        let mut state = self.attempt.agent.begin(&email(), self.attempt.limits);
        state.triage = Some(Triage::Respond);
        state
    }

    async fn run(&self, state: AgentState) -> AgentState {
        let options = RunOptions::new(10);
        let state = graph()
            .run(state, Arc::clone(&self.attempt), &options)
            .await;
        state.expect("no defect")
    }

    async fn learn(&self, lesson: Lesson) -> AgentState {
        let mut state = self.state();
        state.lessons.push(lesson);
        self.run(state).await
    }

    async fn memory(&self) -> Memory {
        snapshot(&*self.store).await.unwrap()
    }
}

fn graph() -> CompiledGraph<AgentState, Attempt> {
    let graph = Graph::new().node("remember", &[END], steps::remember);
    let graph = graph.edge(START, "remember").edge("remember", END);
    graph.compile().unwrap()
}

fn profile_reply(profile: &str) -> Reply {
    text(json!({ "reasoning": "They said so.", "profile": profile }).to_string())
}

fn facts_reply(facts: &[&str]) -> Reply {
    text(json!({ "reasoning": "It lasts.", "facts": facts }).to_string())
}

/// The last message that a model was sent.
fn last(request: &Request) -> &str {
    &request.messages.last().unwrap().content
}

fn asked(action: &str, response: Response) -> Step {
    Step::Interrupt {
        node: "ask".into(),
        interrupt: Interrupt {
            id: "1".into(),
            action: action.into(),
            args: Map::new(),
            allowed: Allowed::default(),
            description: None,
        },
        response,
        answered_by: "scripted".into(),
    }
}

/// The entries of a run's record about its memory: namespace, key, before, after.
fn changes(state: &AgentState) -> Vec<(String, String, Option<String>, String)> {
    let steps = state.steps.iter();
    steps
        .filter_map(|step| match step {
            Step::Memory {
                namespace,
                key,
                before,
                after,
                ..
            } => Some((
                namespace.clone(),
                key.clone(),
                before.clone(),
                after.clone(),
            )),
            _ => None,
        })
        .collect()
}
