//! Attempts of our own agents, for tests.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Trace;
use crate::agent::prompts::Preferences;
use crate::agent::{Agent, AgentKind, Behaviour, Models, Settings};
use crate::dataset::Dataset;
use crate::experiment::execute::{Cast, Execution, Recorded, WallClock, execute};
use crate::experiment::journal::{self, Journal, Reader};
use crate::experiment::{Attempt, Choices, Header, Judging, Limits, Plan, Selection, TriageCosts};
use crate::message::PromptContent;
use crate::model::Model;
use crate::model::catalog::Catalog;
use crate::model::halt::Halt;
use crate::model::rules::Rules;
use crate::redact::Redactor;
use crate::run::{ModelRole, ReplyRef, Run, Sent, Step, TokenUsage};

/// A mail that wants an answer, a person who talks and then edits, and an episode of a lesson
/// that an edit teaches.
pub(crate) const ITEMS: [&str; 3] = [
    "meridian-security-questionnaire",
    "cc-sandbox-budget/respond-then-edit",
    "learns-length-from-an-edit",
];

/// What was read from a journal.
pub(crate) struct Told {
    pub header: Header,
    /// In the order of the plan.
    pub attempts: Vec<Attempt<Run>>,
    pub prompts: BTreeMap<String, PromptContent>,
}

impl Told {
    pub fn trace(&self, attempt: &Attempt<Run>) -> Trace {
        Trace::of(&self.header, attempt, &self.prompts)
    }

    /// The attempt of an agent at an item.
    pub fn attempt(&self, agent: AgentKind, item: &str) -> &Attempt<Run> {
        let of = |attempt: &&Attempt<Run>| {
            let variant = &self.header.variants[attempt.case.variant as usize];
            variant.agent == agent.name() && attempt.case.example == item
        };
        self.attempts.iter().find(of).expect("it takes part")
    }
}

/// Every agent at [`ITEMS`], on the offline model.
fn plan(dataset: &Dataset) -> Plan {
    let choices = Choices {
        suites: Vec::new(),
        agents: AgentKind::ALL.iter().map(ToString::to_string).collect(),
        models: vec!["rules".into()],
        router_model: None,
        memory_model: None,
        simulator_model: None,
        judging: Judging::default(),
        catalog: Catalog::default(),
        repeat: 1,
        looks: None,
        seed: 0,
        selection: Selection {
            ids: ITEMS.map(str::to_owned).into(),
            ..Selection::default()
        },
        limits: Limits {
            timeout_ms: 300_000,
            max_steps: 25,
        },
        behaviour: Behaviour::default(),
        triage_costs: TriageCosts::default(),
        min_pass_rate: None,
        gates: Default::default(),
        shard: None,
        dataset_paths: Vec::new(),
    };
    Plan::resolve(&choices, dataset).unwrap()
}

fn created() -> Timestamp {
    "2026-03-02T10:15:00Z".parse().unwrap()
}

/// That of [`told`].
pub(crate) fn header() -> Header {
    plan(&Dataset::embedded()).header("told", created(), date(2026, 3, 2))
}

/// An attempt of the first variant at an example, of these steps.
pub(crate) fn attempt(steps: Vec<Step>) -> Attempt<Run> {
    let run = json!({
        "outcome": "finished", "triage": "respond", "messages": [], "steps": [],
        "usage": {}, "latency_ms": 0.0,
    });
    let run = Run {
        steps,
        ..serde_json::from_value(run).unwrap()
    };
    let attempt = json!({
        "case": { "variant": 0, "position": 0, "repeat": 0, "example": "e" },
        "split": null, "cluster": null, "tags": [], "expected": "respond",
        "found": "respond", "outcome": "finished", "feedback": [], "usage": {},
        "latency_ms": 0.0, "runs": [],
    });
    Attempt {
        runs: vec![run],
        ..serde_json::from_value(attempt).unwrap()
    }
}

/// A call of the router.
pub(crate) fn asks(node: &str, latency_ms: f64) -> Step {
    Step::Model {
        node: node.to_owned(),
        role: ModelRole::Router,
        prompt: "none".to_owned(),
        sent: Sent::Log(3),
        reply: ReplyRef::Text("{}".to_owned()),
        usage: TokenUsage::default(),
        stop: None,
        latency_ms,
    }
}

/// The attempts of every agent at [`ITEMS`], on the offline model. A model call takes 10 ms, a
/// tool 0.25 ms, and all around them half a millisecond.
pub(crate) async fn told() -> Told {
    let dataset = Dataset::embedded();
    let plan = plan(&dataset);
    let model: Arc<dyn Model> = Arc::new(Rules::new());
    let day = date(2026, 3, 2);
    let cast = |agent: &str| {
        let settings = Settings {
            date: day,
            seed: 0,
            preferences: Preferences::default(),
            behaviour: Behaviour::default(),
        };
        let kind = agent.parse().unwrap();
        let agent = Agent::new(kind, Models::one(Arc::clone(&model)), settings);
        Cast {
            target: Arc::new(crate::target::local::Local::new(agent)),
            simulator: Arc::clone(&model),
            judges: Arc::default(),
        }
    };
    let reports = tempfile::tempdir().unwrap();
    let header = plan.header("told", created(), day);
    let journal = Journal::create(reports.path(), &header, Arc::new(Redactor::new([]))).unwrap();
    let path = journal::path(reports.path(), &"told".parse().unwrap());
    let casts = plan.variants.iter().map(|it| cast(&it.agent)).collect();
    let execution = Execution {
        plan: Arc::new(plan),
        dataset: Arc::new(dataset),
        casts,
        journal: Arc::new(journal),
        clock: WallClock::stopped("2026-03-02T10:15:01.25Z".parse().unwrap()),
        concurrency: NonZeroUsize::MIN,
        max_failures: None,
        cancel: CancellationToken::new(),
        halt: Halt::default(),
        run_timeout: None,
        elapsed: std::time::Duration::ZERO,
        recorded: Recorded::default(),
        progress: watch::Sender::default(),
    };
    execute(execution).await.unwrap();

    let mut reader = Reader::open(&path).unwrap();
    let mut attempts: Vec<Attempt<Run>> = reader
        .attempts()
        .map(|entry| entry.unwrap().attempt)
        .collect();
    attempts.iter_mut().for_each(takes);
    attempts.sort_by_key(|attempt| (attempt.case.variant, attempt.case.position));
    let hashes = attempts.iter().flat_map(Trace::prompts);
    let content = |hash: &str| reader.prompt(hash).unwrap().expect("it is in the journal");
    let prompts = hashes
        .map(|hash| (hash.to_owned(), content(hash)))
        .collect();
    Told {
        header: reader.header().clone(),
        attempts,
        prompts,
    }
}

/// Gives the attempt times that are the same on every machine.
fn takes(attempt: &mut Attempt<Run>) {
    for run in attempt.runs.iter_mut().chain(&mut attempt.ablation) {
        run.latency_ms = 0.5;
        for step in &mut run.steps {
            run.latency_ms += match step {
                Step::Model { latency_ms, .. } => {
                    *latency_ms = 10.0;
                    *latency_ms
                }
                Step::Tool { latency_ms, .. } => {
                    *latency_ms = 0.25;
                    *latency_ms
                }
                Step::Interrupt { .. } | Step::Memory { .. } => 0.0,
            };
        }
    }
    attempt.latency_ms = attempt.runs.iter().map(|run| run.latency_ms).sum();
}
