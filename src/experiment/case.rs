//! One case: run it, score it, have it judged, make its record.
//!
//! Whatever happens in a case ends in its record, a panic of ours too: one broken case must
//! not cost the experiment the others. Cases share nothing that changes: each scenario, and
//! each episode, has a memory of its own, which is dropped with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::grid::Case;
use super::opinion::opinion;
use super::plan::{Item, Plan};
use super::record::{Attempt, CaseKind};
use crate::dataset::{Dataset, Episode, EpisodeStep, Example, Person, Scenario};
use crate::email::{Email, Triage};
use crate::graph::{MemoryStore, Store};
use crate::human::{AcceptAll, Driven, Human, Scripted, Simulated, drive};
use crate::judge::bench::{Judges, Opinion};
use crate::model::{Model, Origin};
use crate::run::{Outcome, Run, Usage};
use crate::score::{self, Feedback, Learning, MemoryChange, Suite, memory_changes};
use crate::target::{Start, Target};

/// Who takes part in the cases of a variant.
#[derive(Clone)]
pub struct Cast {
    pub target: Arc<dyn Target>,
    /// Plays the people that scenarios describe.
    pub simulator: Arc<dyn Model>,
    pub judges: Arc<Judges>,
}

/// An attempt, and what became of the calls of its judges.
pub struct Tried {
    pub attempt: Attempt<Run>,
    pub heard: Heard,
}

/// What became of the calls of an attempt's judges, the worst that did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// None was made.
    Nothing,
    /// All were answered, in whatever way.
    Answers,
    /// One was not answered at all: what it was about is unscored.
    Silence,
    /// One was not answered because the run ends.
    TheEnd,
}

/// Carries out one case of a plan that was resolved with `dataset`, with the cast of its
/// variant.
pub async fn attempt(cast: &Cast, plan: &Plan, dataset: &Dataset, case: Case) -> Tried {
    let key = plan.key(case, dataset);
    let item = plan.item(case.position, dataset);
    let variant = &plan.variants[case.variant as usize];
    let stage = Stage {
        cast,
        plan,
        kind: item.kind(),
        examples: &dataset.examples,
        origin: Origin::new(&key.example, case.repeat),
        // Without the experiment's name: equal plans have equal records.
        thread: format!("{}/{}/{}", variant.name, key.example, case.repeat),
    };
    let mut played = match item {
        Item::Example(example) => stage.example(example).await,
        Item::Scenario(scenario) => stage.scenario(scenario).await,
        Item::Episode(episode) => stage.episode(episode).await,
    };
    let scoring = || {
        let (runs, ablation) = (&played.runs, &played.ablation);
        scores(item, &dataset.examples, &plan.suites, runs, ablation)
    };
    let scored = catch_unwind(AssertUnwindSafe(scoring));
    let opinion = match &scored {
        // Nothing can be said about the agent, so nobody is asked.
        Ok(_) if played.outcome.is_error() => Ok(Opinion::default()),
        Ok(_) => {
            let runs = &played.runs;
            let asking = opinion(
                &cast.judges,
                item,
                &dataset.examples,
                runs,
                case.repeat,
                &plan.suites,
            );
            AssertUnwindSafe(asking).catch_unwind().await
        }
        Err(_) => Ok(Opinion::default()),
    };
    // What broke in us says nothing about the agent either.
    let both = scored.and_then(|scored| Ok((scored, opinion?)));
    let ((mut feedback, learning), opinion) = both.unwrap_or_else(|panic| {
        played.outcome = Outcome::Harness;
        played.error = Some(panicked(&*panic));
        Default::default()
    });
    let heard = heard(&opinion);
    feedback.extend(opinion.feedback);
    let mut usage = played.usage();
    usage.add(&opinion.usage);
    let facts = facts(item);
    let attempt = Attempt {
        case: key,
        kind: item.kind(),
        split: facts.split.clone(),
        cluster: facts.cluster.clone(),
        tags: facts.tags.to_vec(),
        expected: facts.expected,
        // Each step of an episode makes a decision of its own.
        found: match item {
            Item::Example(_) | Item::Scenario(_) => played.runs[0].triage,
            Item::Episode(_) => None,
        },
        outcome: played.outcome,
        error: played.error.take(),
        feedback,
        judged: opinion.judged,
        memory: played.memory_changes(),
        learning,
        usage,
        latency_ms: played.runs.iter().map(|run| run.latency_ms).sum(),
        started: None,
        notes: played.notes,
        runs: played.runs,
        ablation: played.ablation,
    };
    Tried { attempt, heard }
}

fn heard(opinion: &Opinion) -> Heard {
    if opinion.halted {
        Heard::TheEnd
    } else if opinion.outage {
        Heard::Silence
    } else if opinion.usage.calls() > 0 {
        Heard::Answers
    } else {
        Heard::Nothing
    }
}

/// What an item's record says about itself.
struct Facts<'a> {
    split: &'a Option<String>,
    cluster: &'a Option<String>,
    tags: &'a [String],
    expected: Option<Triage>,
}

fn facts(item: Item<'_>) -> Facts<'_> {
    match item {
        Item::Example(example) => Facts {
            split: &example.split,
            cluster: &example.cluster,
            tags: &example.tags,
            expected: Some(example.expect.triage),
        },
        Item::Scenario(scenario) => Facts {
            split: &scenario.split,
            cluster: &scenario.cluster,
            tags: &scenario.tags,
            expected: Some(scenario.expect.triage),
        },
        Item::Episode(episode) => Facts {
            split: &episode.split,
            cluster: &episode.cluster,
            tags: &episode.tags,
            expected: None,
        },
    }
}

/// What the runs of a case were worth, by the records alone. `examples` are the dataset's;
/// of an example and of a scenario there is one run.
pub(super) fn scores(
    item: Item<'_>,
    examples: &[Example],
    suites: &[Suite],
    runs: &[Run],
    ablation: &[Run],
) -> (Vec<Feedback>, Option<Learning>) {
    match item {
        Item::Example(example) => (score::score(example, &runs[0], suites), None),
        Item::Scenario(scenario) => {
            let example = &examples[scenario.example as usize];
            let feedback = score::hitl::score(scenario, example, &runs[0]);
            (feedback.into_iter().collect(), None)
        }
        Item::Episode(episode) => match score::memory::score(episode, examples, runs, ablation) {
            Some((feedback, learning)) => (vec![feedback], Some(learning)),
            None => (Vec::new(), None),
        },
    }
}

/// What the runs of one case have in common.
struct Stage<'a> {
    cast: &'a Cast,
    plan: &'a Plan,
    kind: CaseKind,
    /// The dataset's.
    examples: &'a [Example],
    /// Of a case of several runs, how their threads begin.
    thread: String,
    /// What all model calls of the case come from.
    origin: Origin,
}

impl Stage<'_> {
    /// What the target stops to ask is accepted.
    async fn example(&self, example: &Example) -> Played {
        let start = self.start(self.thread.clone(), None);
        let driven = self.drive(start, &example.email, &mut AcceptAll).await;
        Played::one(driven)
    }

    async fn scenario(&self, scenario: &Scenario) -> Played {
        let example = &self.examples[scenario.example as usize];
        let mut human: Box<dyn Human> = match &scenario.human {
            Person::Scripted(rules) => Box::new(Scripted::new(rules.clone(), None)),
            Person::Simulated { description, turns } => {
                let simulator = Arc::clone(&self.cast.simulator);
                Box::new(Simulated::new(
                    simulator,
                    description,
                    *turns,
                    self.origin.clone(),
                ))
            }
        };
        let start = Start {
            restart: scenario.restart,
            ..self.start(self.thread.clone(), Some(Arc::new(MemoryStore::new())))
        };
        let driven = self.drive(start, &example.email, &mut *human).await;
        Played::one(driven)
    }

    /// The steps in order on one memory, and then each once more on a memory of its own. An
    /// infrastructure error is the end: nothing could be said about what comes after.
    async fn episode(&self, episode: &Episode) -> Played {
        let mut played = Played::new();
        let memory: Arc<dyn Store> = Arc::new(MemoryStore::new());
        for (number, step) in (1..).zip(&episode.steps) {
            let thread = format!("{}/step-{number}", self.thread);
            let driven = self.step(step, thread, Arc::clone(&memory)).await;
            let name = self.name(number, step);
            let notes = driven.notes.into_iter();
            played
                .notes
                .extend(notes.map(|note| format!("{name}: {note}")));
            played.ended(&driven.run, &name);
            played.runs.push(driven.run);
            if played.outcome.is_error() {
                return played;
            }
        }
        for (number, step) in (1..).zip(&episode.steps) {
            let thread = format!("{}/alone-{number}", self.thread);
            // Its notes would only say again what the script is like.
            let Driven { run, .. } = self.step(step, thread, Arc::new(MemoryStore::new())).await;
            // An agent that does not finish here is what the steps with memory are compared
            // with, and nothing that went wrong with them.
            if run.outcome.is_error() {
                played.ended(
                    &run,
                    &format!("{}, without memory", self.name(number, step)),
                );
            }
            played.ablation.push(run);
            if played.outcome.is_error() {
                return played;
            }
        }
        played
    }

    async fn step(&self, step: &EpisodeStep, thread: String, memory: Arc<dyn Store>) -> Driven {
        let example = &self.examples[step.example as usize];
        let mut human = Scripted::new(step.human.clone(), Some(AcceptAll));
        let start = self.start(thread, Some(memory));
        self.drive(start, &example.email, &mut human).await
    }

    /// As the comments of scorers have it: `step 2 (newsletter-9)`.
    fn name(&self, number: usize, step: &EpisodeStep) -> String {
        let example = &self.examples[step.example as usize];
        format!("step {number} ({})", example.id)
    }

    fn start(&self, thread: String, store: Option<Arc<dyn Store>>) -> Start {
        let limits = &self.plan.limits;
        Start {
            thread,
            until: self.plan.until(self.kind),
            timeout: Duration::from_millis(limits.timeout_ms),
            max_steps: limits.max_steps,
            store,
            restart: false,
            origin: self.origin.clone(),
        }
    }

    async fn drive(&self, start: Start, email: &Email, human: &mut dyn Human) -> Driven {
        let running = async { drive(&*self.cast.target, start, email, human).await };
        // What a panic leaves behind is dropped with the case, so nobody sees it half changed.
        let driven = AssertUnwindSafe(running).catch_unwind().await;
        driven.unwrap_or_else(|panic| Driven {
            run: broken(panicked(&*panic)),
            notes: Vec::new(),
        })
    }
}

/// The runs of a case, and how it ended.
#[derive(Debug)]
struct Played {
    outcome: Outcome,
    error: Option<String>,
    runs: Vec<Run>,
    ablation: Vec<Run>,
    notes: Vec<String>,
}

impl Played {
    fn new() -> Self {
        Played {
            outcome: Outcome::Finished,
            error: None,
            runs: Vec::new(),
            ablation: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn one(driven: Driven) -> Self {
        Played {
            outcome: driven.run.outcome,
            error: driven.run.error.clone(),
            runs: vec![driven.run],
            ablation: Vec::new(),
            notes: driven.notes,
        }
    }

    /// Takes note of how a step of an episode ended. The first that did not finish says how
    /// the episode did, unless an error leaves nothing to say.
    fn ended(&mut self, run: &Run, step: &str) {
        if run.outcome.is_error() || self.outcome == Outcome::Finished {
            self.outcome = run.outcome;
            self.error = run.error.as_ref().map(|error| format!("{step}: {error}"));
        }
    }

    /// From before the first run to after the last that tells.
    fn memory_changes(&self) -> Vec<MemoryChange> {
        let mut told = self.runs.iter().filter_map(|run| run.memory.as_ref());
        match told.next() {
            None => Vec::new(),
            Some(first) => memory_changes(&first.before, &told.next_back().unwrap_or(first).after),
        }
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for run in self.runs.iter().chain(&self.ablation) {
            usage.add(&run.usage);
        }
        usage
    }
}

/// The run that stands for a panic.
fn broken(error: String) -> Run {
    Run {
        outcome: Outcome::Harness,
        error: Some(error),
        triage: None,
        reasoning: None,
        messages: Vec::new(),
        steps: Vec::new(),
        usage: Usage::default(),
        latency_ms: 0.0,
        pauses: Vec::new(),
        memory: None,
        prompts: Vec::new(),
    }
}

pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    format!("panicked: {message}")
}

#[cfg(test)]
mod tests;
