//! Agents that are wrong in one way each, in the scenarios and episodes that are shipped.
//!
//! What is checked shows something only if an agent that is wrong fails it. Each mutant is
//! one of our agents with one step in another's place, or on a store that is wrong, and goes
//! the way of every attempt: plan, person, scorer, journal. Wherever its fault can show, it
//! must not pass; where it cannot, it must be worth what the honest agent is; and in a
//! named case it must fail exactly the checks that are about it.

mod episodes;
mod scenarios;
mod stores;
mod wiring;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::wiring::Wiring;
use super::execute::execute;
use super::record::{Attempt, Verdict};
use super::tests::{Bench, DAY, attempts, choices};
use super::{Choices, Suite};
use crate::agent::prompts::Preferences;
use crate::agent::{Agent, AgentKind, Behaviour, Models, Settings};
use crate::dataset::{Dataset, Person};
use crate::model::Model;
use crate::model::rules::Rules;
use crate::run::Run;
use crate::score::CheckName;
use crate::target::Target;
use crate::target::local::Local;

/// Attempts by the id of what they are at.
type Attempts = BTreeMap<String, Attempt<Run>>;

/// An agent of ours, wired like this and played by `model`.
fn agent(
    kind: AgentKind,
    wiring: Wiring,
    model: Arc<dyn Model>,
    behaviour: Behaviour,
) -> Arc<dyn Target> {
    let settings = Settings {
        date: DAY,
        seed: 0,
        preferences: Preferences::default(),
        behaviour,
    };
    let agent = Agent::new(kind, Models::one(model), settings);
    let graph = wiring.graph(kind).compile();
    Arc::new(Local::wired(agent, graph.expect("a sound wiring")))
}

/// An agent of ours, wired like this, on the embedded model.
fn rules(kind: AgentKind, wiring: Wiring) -> Arc<dyn Target> {
    agent(kind, wiring, Arc::new(Rules::new()), Behaviour::default())
}

/// What is shipped, apart from what the embedded model cannot play. Answers find their run
/// in the process that asked: a restart would put the honest wiring back in place.
fn shipped() -> Dataset {
    let mut dataset = Dataset::embedded();
    dataset
        .scenarios
        .retain(|scenario| matches!(scenario.human, Person::Scripted(_)));
    for scenario in &mut dataset.scenarios {
        scenario.restart = false;
    }
    dataset
}

/// All cases of one suite.
async fn play(
    dataset: Dataset,
    kind: AgentKind,
    suite: Suite,
    target: Arc<dyn Target>,
) -> Attempts {
    let choices = Choices {
        agents: vec![kind.name().to_owned()],
        suites: vec![suite],
        ..choices()
    };
    let bench = Bench::new(&choices, dataset);
    execute(bench.execution(bench.create(), target, 8))
        .await
        .unwrap();
    attempts(&bench.path())
        .into_iter()
        .map(|attempt| (attempt.case.example.clone(), attempt))
        .collect()
}

/// The checks that an attempt failed.
fn failed(attempt: &Attempt<Run>) -> Vec<CheckName> {
    let checks = attempt
        .feedback
        .iter()
        .flat_map(|feedback| &feedback.checks);
    checks
        .filter(|check| !check.passed)
        .map(|check| check.name)
        .collect()
}

/// What is not as it should be in the cases that the honest agent passes: wherever the fault
/// can show, which `shows` tells from what that agent did, the mutant must not pass;
/// elsewhere it must be worth the same; and it must show somewhere.
fn not_told_apart(
    honest: &Attempts,
    mutants: &Attempts,
    shows: impl Fn(&Attempt<Run>) -> bool,
) -> Vec<String> {
    let mut shown = 0;
    let mut problems = Vec::new();
    let passed = honest
        .iter()
        .filter(|(_, honest)| honest.verdict() == Verdict::Passed);
    for (id, honest) in passed {
        let found = &mutants[id];
        if !shows(honest) {
            if found.feedback != honest.feedback {
                problems.push(format!("differs at {id}: {}", comment(found)));
            }
            continue;
        }
        shown += 1;
        if found.verdict() == Verdict::Passed {
            problems.push(format!("passes {id}"));
        }
    }
    if shown == 0 {
        problems.push("shows nowhere".to_owned());
    }
    problems
}

/// What is not as it should be: in a case that the honest agent passes, the mutant must
/// fail these checks and no others.
fn not_failed(
    honest: &Attempts,
    mutants: &Attempts,
    id: &str,
    checks: &[CheckName],
) -> Option<String> {
    let (honest, found) = (&honest[id], &mutants[id]);
    if honest.verdict() != Verdict::Passed {
        return Some(format!(
            "{id} is not passed without it: {}",
            comment(honest)
        ));
    }
    let names = failed(found);
    (names != checks).then(|| format!("fails {names:?} at {id}: {}", comment(found)))
}

/// How an attempt ended, and why it is worth what it is.
fn comment(attempt: &Attempt<Run>) -> String {
    let comments = attempt
        .feedback
        .iter()
        .filter_map(|feedback| feedback.comment.as_deref());
    let comments: Vec<&str> = comments.chain(attempt.error.as_deref()).collect();
    format!("{} {}", attempt.outcome.name(), comments.join("; "))
}
