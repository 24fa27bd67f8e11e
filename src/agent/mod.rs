//! Our own email agents.
//!
//! They share the [`steps`], the [`tools`], and the [`prompts`]; a variant is a file of
//! wiring, such as [`workflow`]. An [`Agent`] is told the email and nothing of what is
//! expected, and what happens to it is kept in an [`AgentState`].

mod baseline;
mod hitl;
mod hitl_memory;
pub mod memory;
pub mod prompts;
pub mod state;
pub mod steps;
pub mod tools;
mod workflow;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::memory::Namespace;
use self::prompts::Preferences;
use self::state::{AgentState, Setup};
use self::tools::calendar::Calendar;
use self::tools::{Tool, Toolbox};
use crate::email::Email;
use crate::graph::{CompiledGraph, Graph, Store};
use crate::message::Prompt;
use crate::model::{Mark, Model, Origin};
use crate::run::ModelRole;

/// The variants, in the order of the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentKind {
    Baseline,
    Workflow,
    Hitl,
    HitlMemory,
}

impl AgentKind {
    pub const ALL: [AgentKind; 4] = [
        AgentKind::Baseline,
        AgentKind::Workflow,
        AgentKind::Hitl,
        AgentKind::HitlMemory,
    ];

    pub fn name(self) -> &'static str {
        match self {
            AgentKind::Baseline => "baseline",
            AgentKind::Workflow => "workflow",
            AgentKind::Hitl => "hitl",
            AgentKind::HitlMemory => "hitl-memory",
        }
    }

    /// One line about how it works.
    pub fn description(self) -> &'static str {
        match self {
            AgentKind::Baseline => "one loop of tool calls, triage among them",
            AgentKind::Workflow => "a router decides, then a loop of tool calls answers",
            AgentKind::Hitl => "the workflow, and a person reviews what it proposes",
            AgentKind::HitlMemory => "the same, and it learns from what the person answers",
        }
    }

    /// The tools it offers its model, in the order of its prompt.
    pub fn tools(self) -> &'static [Tool] {
        match self {
            AgentKind::Baseline => &baseline::TOOLS,
            AgentKind::Workflow => &workflow::TOOLS,
            AgentKind::Hitl => &hitl::TOOLS,
            AgentKind::HitlMemory => &hitl_memory::TOOLS,
        }
    }

    pub(crate) fn wiring(self) -> Graph<AgentState, Attempt> {
        match self {
            AgentKind::Baseline => baseline::graph(),
            AgentKind::Workflow => workflow::graph(),
            AgentKind::Hitl => hitl::graph(),
            AgentKind::HitlMemory => hitl_memory::graph(),
        }
    }

    /// The wiring, checked: what `show --graph` draws.
    pub fn graph(self) -> CompiledGraph<AgentState, Attempt> {
        let graph = self.wiring().compile();
        graph.expect("the wiring of every variant is sound")
    }

    /// Whether it decides by a router, with a prompt and a model of its own.
    pub fn has_router(self) -> bool {
        self != AgentKind::Baseline
    }

    /// Whether it may stop to ask a person, and so must run on a thread.
    pub fn interrupts(self) -> bool {
        match self {
            AgentKind::Baseline | AgentKind::Workflow => false,
            AgentKind::Hitl | AgentKind::HitlMemory => true,
        }
    }

    /// Whether what people answer is kept for later emails.
    pub fn remembers(self) -> bool {
        match self {
            AgentKind::Baseline | AgentKind::Workflow | AgentKind::Hitl => false,
            AgentKind::HitlMemory => true,
        }
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no variant has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown agent `{name}`: known are {}", AgentKind::ALL.map(AgentKind::name).join(", "))]
pub struct UnknownAgent {
    pub name: String,
}

impl FromStr for AgentKind {
    type Err = UnknownAgent;

    /// Reads a name as people write it: `hitl_memory` is `hitl-memory`.
    fn from_str(text: &str) -> Result<Self, UnknownAgent> {
        let name = text.trim().to_ascii_lowercase().replace('_', "-");
        AgentKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownAgent {
                name: text.to_owned(),
            })
    }
}

/// What an agent is set up with, beside its models.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The day its prompts call today.
    pub date: Date,
    /// The calendar is drawn from it.
    pub seed: u64,
    /// What a memory that was never written to holds.
    pub preferences: Preferences,
    pub behaviour: Behaviour,
}

/// What may be chosen about agents that ask a person or remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Behaviour {
    /// Tools whose calls a person reviews before they run; `question` always asks.
    pub review: Vec<String>,
    /// Whether a notice may be accepted, which ends the run like ignoring it, without
    /// teaching anything.
    pub notify_accept: bool,
    pub memory: MemoryAccess,
    pub background: Background,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            review: vec!["write_email".to_owned(), "schedule_meeting".to_owned()],
            notify_accept: true,
            memory: MemoryAccess::default(),
            background: Background::default(),
        }
    }
}

/// How an agent with a memory comes to know what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemoryAccess {
    /// Its prompts hold the profiles.
    #[default]
    Inline,
    /// It searches them by tools.
    Tools,
}

/// When facts about the person's world are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// From every email that was handled and not ignored.
    #[default]
    Extract,
    /// From actions that the person accepted.
    Accept,
    Off,
}

/// Who answers, by role.
#[derive(Clone)]
pub struct Models {
    pub agent: Arc<dyn Model>,
    pub router: Arc<dyn Model>,
    /// Writes what is remembered.
    pub memory: Arc<dyn Model>,
}

impl Models {
    /// One model for every role.
    pub fn one(model: Arc<dyn Model>) -> Self {
        Models {
            agent: Arc::clone(&model),
            router: Arc::clone(&model),
            memory: model,
        }
    }
}

/// A variant with its models, ready for any number of attempts at once.
pub struct Agent {
    kind: AgentKind,
    models: Models,
    settings: Settings,
    toolbox: Toolbox,
    prompts: Prompts,
}

/// Built once; attempts share them.
struct Prompts {
    agent: Arc<Prompt>,
    router: Arc<Prompt>,
}

impl Agent {
    pub fn new(kind: AgentKind, models: Models, settings: Settings) -> Self {
        let (toolbox, prompts) = furnish(kind, &settings);
        Agent {
            kind,
            models,
            settings,
            toolbox,
            prompts,
        }
    }

    pub fn kind(&self) -> AgentKind {
        self.kind
    }

    /// What a memory that was never written to holds.
    pub fn preferences(&self) -> &Preferences {
        &self.settings.preferences
    }

    /// The same agent made anew, as another process would make it.
    pub fn again(&self) -> Agent {
        Agent::new(self.kind, self.models.clone(), self.settings.clone())
    }

    /// Where an attempt at `email` begins.
    pub fn begin(&self, email: &Email, limits: Limits) -> AgentState {
        let mut state = AgentState::new(self.setup(limits), Arc::new(email.clone()));
        if self.kind == AgentKind::Baseline {
            baseline::begin(&mut state);
        }
        state
    }

    fn setup(&self, limits: Limits) -> Setup {
        let name = |model: &Arc<dyn Model>| model.name().to_owned();
        Setup {
            agent: self.kind,
            model: name(&self.models.agent),
            router_model: name(&self.models.router),
            memory_model: name(&self.models.memory),
            date: self.settings.date,
            seed: self.settings.seed,
            behaviour: self.settings.behaviour.clone(),
            max_model_calls: limits.max_model_calls,
            timeout: limits.timeout,
        }
    }

    /// Whether a person reviews calls of `tool` before they run.
    fn reviews(&self, tool: Tool) -> bool {
        let chosen = &self.settings.behaviour.review;
        let chosen = || chosen.iter().any(|name| tool.is_called(name));
        self.kind.interrupts() && tool.is_reviewable() && (tool == Tool::Question || chosen())
    }
}

/// What an agent works with, whichever model works.
fn furnish(kind: AgentKind, settings: &Settings) -> (Toolbox, Prompts) {
    let mut tools = kind.tools().to_vec();
    let searches = kind.remembers() && settings.behaviour.memory == MemoryAccess::Tools;
    if searches {
        tools.extend(Namespace::ALL.map(Tool::Search));
    }
    let toolbox = Toolbox::new(&tools, Calendar::new(settings.seed));
    let Settings {
        date, preferences, ..
    } = settings;
    let system = match kind {
        AgentKind::Baseline => prompts::triaging_agent(kind.tools(), preferences, *date),
        _ if searches => prompts::searching_agent(&tools, *date),
        AgentKind::Workflow => prompts::agent(kind.tools(), preferences, *date),
        AgentKind::Hitl | AgentKind::HitlMemory => {
            prompts::asking_agent(kind.tools(), preferences, *date)
        }
    };
    let prompts = Prompts {
        agent: Prompt::new(system, toolbox.specs()),
        router: Prompt::new(prompts::router(preferences), Vec::new()),
    };
    (toolbox, prompts)
}

/// How many bytes of text the models of an agent are sent beside the email and what comes of
/// it, by role: what is in prompts before anything was learnt, and tools.
pub fn prompt_bytes(kind: AgentKind, behaviour: &Behaviour) -> BTreeMap<ModelRole, u64> {
    let settings = Settings {
        date: Date::default(),
        seed: 0,
        preferences: Preferences::default(),
        behaviour: behaviour.clone(),
    };
    let (_, prompts) = furnish(kind, &settings);
    let tools = |prompt: &Prompt| -> usize {
        let specs = prompt.tools().iter().map(|tool| {
            serde_json::to_string(tool)
                .expect("a specification has string keys only")
                .len()
        });
        specs.sum()
    };
    let bytes = |prompt: &Prompt| (prompt.system().len() + tools(prompt)) as u64;
    let mut by_role = BTreeMap::from([(ModelRole::Agent, bytes(&prompts.agent))]);
    if kind.has_router() {
        by_role.insert(ModelRole::Router, bytes(&prompts.router));
    }
    if kind.remembers() {
        let Preferences {
            background,
            triage_preferences,
            response_preferences,
            cal_preferences,
        } = &settings.preferences;
        let profiles = [triage_preferences, response_preferences, cal_preferences];
        let rewrite = profiles.iter().map(|profile| profile.len()).max();
        let rewrite = prompts::memory::remember().len() + rewrite.expect("there are three");
        let extract = prompts::memory::extract(memory::MAX_FACTS, memory::MAX_FACT_CHARS).len();
        let longest = rewrite.max(extract + background.len());
        by_role.insert(ModelRole::Memory, longest as u64);
    }
    by_role
}

/// What the steps of one attempt share: the agent, and how far they may go.
pub struct Attempt {
    pub agent: Arc<Agent>,
    /// What an agent with a memory reads and writes.
    pub store: Arc<dyn Store>,
    pub limits: Limits,
    /// Time that it took before `since`, where it goes on after a pause.
    pub spent: Duration,
    /// When it began, or went on.
    pub since: Mark,
    /// What its model calls come from, and the clock of `since`.
    pub origin: Origin,
}

/// How far an attempt may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whether it is over when the email is triaged.
    pub until_triage: bool,
    pub max_model_calls: u32,
    /// For the whole attempt, waiting for people excluded.
    pub timeout: Duration,
}

impl Attempt {
    /// The same attempt, going on now after it took `spent`.
    pub fn again(&self, spent: Duration) -> Attempt {
        Attempt {
            agent: Arc::clone(&self.agent),
            store: Arc::clone(&self.store),
            limits: self.limits,
            spent,
            since: self.origin.clock().mark(),
            origin: self.origin.clone(),
        }
    }

    /// How long it took, waiting for people and for providers excluded.
    pub fn time_spent(&self) -> Duration {
        self.spent + self.origin.clock().since(&self.since)
    }

    pub fn time_left(&self) -> Duration {
        self.limits.timeout.saturating_sub(self.time_spent())
    }
}

#[cfg(test)]
mod tests;
