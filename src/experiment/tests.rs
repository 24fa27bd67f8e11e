//! Examples, plans, and targets that the tests of this folder share.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::execute::{Cast, Execution, Recorded, Summary, WallClock};
use super::journal::Journal;
use super::*;
use crate::agent::Behaviour;
use crate::dataset::{
    Dataset, Episode, EpisodeStep, Example, Expect, MatchMode, On, Person, Rule, RuleAnswer,
    Scenario, StatedExpect,
};
use crate::email::{Email, Triage};
use crate::message::Prompt;
use crate::model::catalog::Catalog;
use crate::model::halt::Halt;
use crate::model::scripted;
use crate::redact::Redactor;
use crate::run::{Allowed, Interrupt, ModelRole, Outcome, Response, Run, TokenUsage, Usage};
use crate::target::{Paused, Progress, Start, Target};

pub fn example(id: &str, triage: Triage) -> Example {
    Example {
        id: id.into(),
        email: Email {
            from: "ana@northwind.example".into(),
            to: "sam@acme.example".into(),
            subject: id.into(),
            body: "Hello.".into(),
            date: None,
        },
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
        expect: Expect {
            triage,
            tool_calls: None,
            mode: MatchMode::AtLeast,
            forbidden: Vec::new(),
            criteria: Vec::new(),
        },
    }
}

/// `e0`, `e1`, …: all to be answered.
pub fn dataset(examples: usize) -> Dataset {
    Dataset {
        name: "test".into(),
        examples: (0..examples)
            .map(|n| example(&format!("e{n}"), Triage::Respond))
            .collect(),
        scenarios: Vec::new(),
        episodes: Vec::new(),
        hash: "cafe".into(),
    }
}

/// A scenario whose person says nothing but what `rules` say, and that expects nothing.
pub fn scenario(id: &str, on: u32, rules: Vec<Rule>) -> Scenario {
    Scenario {
        id: id.into(),
        example: on,
        human: Person::Scripted(rules),
        restart: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
        expect: example(id, Triage::Respond).expect,
        interrupts: None,
    }
}

/// Gives this answer to every proposal to write an email.
pub fn rule(answer: RuleAnswer) -> Rule {
    Rule {
        on: On::Tool("write_email".into()),
        nth: None,
        when: Vec::new(),
        answer,
        then: Vec::new(),
    }
}

/// An episode of these examples that expects nothing.
pub fn episode(id: &str, steps: &[u32]) -> Episode {
    let step = |&example: &u32| EpisodeStep {
        example,
        human: Vec::new(),
        memory: Vec::new(),
        expect: StatedExpect::default(),
    };
    Episode {
        id: id.into(),
        steps: steps.iter().map(step).collect(),
        unchanged: Vec::new(),
        control: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
    }
}

/// Two variants, all suites, every example once.
pub fn choices() -> Choices {
    Choices {
        suites: Vec::new(),
        agents: vec!["baseline".into(), "workflow".into()],
        models: vec!["rules".into()],
        router_model: None,
        memory_model: None,
        simulator_model: None,
        judging: Judging::default(),
        catalog: Catalog::default(),
        repeat: 1,
        looks: None,
        seed: 0,
        selection: Selection::default(),
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
    }
}

/// A run that decided, and did nothing else.
pub fn run(triage: Triage) -> Run {
    let mut usage = Usage::default();
    usage.record(
        ModelRole::Router,
        TokenUsage {
            input_tokens: 10,
            output_tokens: 2,
            ..Default::default()
        },
    );
    Run {
        outcome: Outcome::Finished,
        error: None,
        triage: Some(triage),
        reasoning: Some("because".into()),
        messages: Vec::new(),
        steps: Vec::new(),
        usage,
        latency_ms: 1.5,
        pauses: Vec::new(),
        memory: None,
        prompts: vec![Prompt::new("You sort mail.".into(), Vec::new())],
    }
}

/// A target that answers every email by a function of the example's id.
pub struct Fake<F>(pub F);

impl<F, R> Target for Fake<F>
where
    F: Fn(String, Start) -> R + Send + Sync,
    R: Future<Output = Run> + Send,
{
    fn start<'a>(&'a self, start: Start, email: &'a Email) -> BoxFuture<'a, Progress> {
        Box::pin(async move { Progress::Finished((self.0)(email.subject.clone(), start).await) })
    }
}

/// Answers everything rightly, at once.
pub fn right() -> Arc<dyn Target> {
    Arc::new(Fake(async |_, _| run(Triage::Respond)))
}

pub fn redactor() -> Arc<Redactor> {
    static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(|| Arc::new(Redactor::new([])));
    Arc::clone(&REDACTOR)
}

pub const DAY: Date = Date::constant(2026, 3, 2);

/// A plan under way in a folder of its own.
pub struct Bench {
    pub reports: tempfile::TempDir,
    pub plan: Arc<Plan>,
    pub dataset: Arc<Dataset>,
}

impl Bench {
    pub fn new(choices: &Choices, dataset: Dataset) -> Bench {
        Bench {
            reports: tempfile::tempdir().unwrap(),
            plan: Arc::new(Plan::resolve(choices, &dataset).unwrap()),
            dataset: Arc::new(dataset),
        }
    }

    pub fn header(&self) -> Header {
        self.plan.header("bench", Timestamp::UNIX_EPOCH, DAY)
    }

    pub fn path(&self) -> PathBuf {
        journal::path(self.reports.path(), &"bench".parse().unwrap())
    }

    pub fn create(&self) -> Journal {
        Journal::create(self.reports.path(), &self.header(), redactor()).unwrap()
    }

    pub fn execution(
        &self,
        journal: Journal,
        target: Arc<dyn Target>,
        at_once: usize,
    ) -> Execution {
        let cast = Cast {
            target,
            // Fails when it is asked anything.
            simulator: Arc::new(scripted::Scripted::default()),
            judges: Arc::default(),
        };
        Execution {
            plan: Arc::clone(&self.plan),
            dataset: Arc::clone(&self.dataset),
            casts: vec![cast; self.plan.variants.len()],
            journal: Arc::new(journal),
            clock: WallClock::stopped(Timestamp::UNIX_EPOCH),
            concurrency: NonZeroUsize::new(at_once).unwrap(),
            max_failures: None,
            cancel: CancellationToken::new(),
            halt: Halt::default(),
            run_timeout: None,
            elapsed: std::time::Duration::ZERO,
            recorded: Recorded::default(),
            progress: watch::Sender::default(),
        }
    }

    /// Resumes what is in `path` and runs the rest.
    pub async fn finish(&self, path: &Path, target: Arc<dyn Target>) -> Summary {
        let resumed = resume::resume(path, &self.plan, &self.dataset, redactor()).unwrap();
        let execution = Execution {
            recorded: resumed.recorded,
            ..self.execution(resumed.journal, target, 3)
        };
        execute::execute(execution).await.unwrap()
    }
}

/// Every attempt of a journal, in the order of the plan.
pub fn attempts(path: &Path) -> Vec<Attempt<Run>> {
    let mut reader = journal::Reader::open(path).unwrap();
    let mut attempts: Vec<Attempt<Run>> = reader
        .attempts()
        .map(|entry| entry.unwrap().attempt)
        .collect();
    attempts.sort_by_key(|attempt| {
        let case = attempt.case.case();
        (case.repeat, case.position, case.variant)
    });
    attempts
}

/// Asks one thing, decides rightly, and says who answered what.
pub struct Asks(pub Interrupt);

impl Target for Asks {
    fn start<'a>(&'a self, _: Start, _: &'a Email) -> BoxFuture<'a, Progress> {
        let asked = Asks(self.0.clone());
        Box::pin(async move { Progress::Paused(Box::new(asked)) })
    }
}

impl Paused for Asks {
    fn interrupt(&self) -> &Interrupt {
        &self.0
    }

    fn steps(&self) -> usize {
        0
    }

    fn resume(self: Box<Self>, response: Response, by: &str) -> BoxFuture<'static, Progress> {
        let mut run = run(Triage::Respond);
        run.reasoning = Some(format!("{by}: {}", response.kind()));
        Box::pin(async move { Progress::Finished(run) })
    }

    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run> {
        let mut run = run(Triage::Respond);
        (run.outcome, run.error) = (outcome, Some(error));
        Box::pin(async move { run })
    }
}

/// What [`Asks`] asks: whether to write an email.
pub fn proposal(allowed: Allowed) -> Interrupt {
    Interrupt {
        id: "1".into(),
        action: "write_email".into(),
        args: serde_json::Map::new(),
        allowed,
        description: None,
    }
}
