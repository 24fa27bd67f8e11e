//! Episodes: what an agent learnt from the answers, and whether it made a difference.

use std::collections::BTreeMap;

use super::questions::{against, questions};
use super::tool_calls::argument::{describe, show};
use super::{
    Check, CheckName, Feedback, Key, Learning, Score, StepLearning, failed, failure, held,
    tool_calls, triage,
};
use crate::dataset::{ArgumentMatcher, Episode, Example, Expect, StatedExpect};
use crate::email::Triage;
use crate::run::{Memory, Run};

#[cfg(test)]
mod tests;

/// Whether an episode went as it must: 1 where every condition that applies held, and
/// what its steps came to with memory and without. `docs/scoring.md` explains the
/// conditions.
///
/// `examples` are those of the dataset. `runs` has one run a step, and `ablation` the same
/// steps on memories that know nothing of each other. `None` where nothing can be said:
/// an infrastructure error in any run, a step without a run, or nothing asked. An agent
/// that failed to finish a step earns 0, whatever came of the others.
pub fn score(
    episode: &Episode,
    examples: &[Example],
    runs: &[Run],
    ablation: &[Run],
) -> Option<(Feedback, Learning)> {
    if runs
        .iter()
        .chain(ablation)
        .any(|run| run.outcome.is_error())
    {
        return None;
    }
    let case = Case {
        episode,
        examples,
        runs,
        ablation,
    };
    let learning = case.learning();
    let unfinished = runs.iter().position(|run| run.outcome.is_agent_failure());
    if let Some(step) = unfinished {
        let comment = format!("{}: {}", case.name(step), failure(&runs[step]));
        return Some((failed(Key::MemoryPass, comment), learning));
    }
    if runs.len() < episode.steps.len() {
        return None;
    }
    let checks: Vec<Check> = [
        (CheckName::Remembered, case.remembered()),
        (CheckName::Unchanged, case.unchanged()),
        (CheckName::Behaviour, case.behaviour(&learning)),
    ]
    .into_iter()
    .filter_map(|(name, problems)| Some(Check::new(name, &problems?)))
    .collect();
    (!checks.is_empty()).then(|| (held(Key::MemoryPass, checks), learning))
}

struct Case<'a> {
    episode: &'a Episode,
    examples: &'a [Example],
    runs: &'a [Run],
    ablation: &'a [Run],
}

/// What is wrong, one line each; `None` where the question does not arise.
type Problems = Option<Vec<String>>;

impl Case<'_> {
    /// `step 2 (newsletter-9)`.
    fn name(&self, step: usize) -> String {
        let example = self.episode.steps[step].example as usize;
        let id = self
            .examples
            .get(example)
            .map_or("?", |example| &example.id);
        format!("step {} ({id})", step + 1)
    }

    fn remembered(&self) -> Problems {
        let before = &self.runs.first()?.memory.as_ref();
        let mut problems = Vec::new();
        let mut asked = false;
        for (at, (step, run)) in self.episode.steps.iter().zip(self.runs).enumerate() {
            for (namespace, matcher) in &step.memory {
                asked = true;
                let problem = match (before, &run.memory) {
                    (Some(before), Some(record)) => {
                        not_learnt(namespace, matcher, &before.before, &record.after)
                    }
                    _ => Some(format!("{namespace}: the run tells of no memory")),
                };
                problems.extend(problem.map(|problem| format!("{}: {problem}", self.name(at))));
            }
        }
        asked.then_some(problems)
    }

    fn unchanged(&self) -> Problems {
        if self.episode.unchanged.is_empty() {
            return None;
        }
        let first = self.runs.first()?.memory.as_ref();
        let last = self.runs.last()?.memory.as_ref();
        let (Some(first), Some(last)) = (first, last) else {
            return Some(vec!["the runs tell of no memory".to_owned()]);
        };
        let is_changed = |namespace: &&String| {
            entries(&first.before, namespace) != entries(&last.after, namespace)
        };
        let changed = self.episode.unchanged.iter().filter(is_changed);
        Some(
            changed
                .map(|namespace| format!("{namespace} changed"))
                .collect(),
        )
    }

    /// What the steps after the first show: before it, there was nothing to learn from. A
    /// control asks for no more than that memory does no harm.
    fn behaviour(&self, learning: &Learning) -> Problems {
        let asked: Vec<(usize, Vec<Condition>)> = self
            .episode
            .steps
            .iter()
            .zip(self.runs)
            .map(|(step, run)| conditions(&step.expect, run))
            .enumerate()
            .skip(1)
            .filter(|(_, conditions)| !conditions.is_empty())
            .collect();
        if asked.is_empty() {
            return None;
        }
        if !self.episode.control {
            let problems = asked.into_iter().flat_map(|(at, conditions)| {
                let failed = conditions.into_iter().filter_map(Result::err);
                failed.map(move |problem| format!("{}: {problem}", self.name(at)))
            });
            return Some(problems.collect());
        }
        let problem = |(at, step): (usize, &StepLearning)| {
            let (with, without) = (step.with?.get(), step.without?.get());
            (with < without).then(|| {
                format!(
                    "{}: {:.0} % of what is asked held with memory, {:.0} % without",
                    self.name(at),
                    with * 100.0,
                    without * 100.0
                )
            })
        };
        let later = learning.steps.iter().enumerate().skip(1);
        Some(later.filter_map(problem).collect())
    }

    fn learning(&self) -> Learning {
        let share = |at: usize, runs: &[Run]| {
            let conditions = conditions(&self.episode.steps[at].expect, runs.get(at)?);
            let held = conditions.iter().filter(|held| held.is_ok()).count();
            (!conditions.is_empty()).then(|| {
                let share = held as f64 / conditions.len() as f64;
                Score::try_from(share).expect("a part is at most the whole")
            })
        };
        Learning {
            control: self.episode.control,
            steps: (0..self.episode.steps.len())
                .map(|at| StepLearning {
                    with: share(at, self.runs),
                    without: share(at, self.ablation),
                })
                .collect(),
        }
    }
}

/// What keeps a namespace from having learnt what it must: the new text holds what is
/// asked, and the old one did not, or nothing would be shown.
fn not_learnt(
    namespace: &str,
    matcher: &ArgumentMatcher,
    before: &Memory,
    after: &Memory,
) -> Option<String> {
    let holds = |memory: &Memory| {
        let text = memory.text(namespace);
        // A namespace that is empty is as good as one that is not there.
        matcher.holds_of_text(Some(text.as_str()).filter(|text| !text.is_empty()))
    };
    if !holds(after) {
        return Some(format!(
            "{namespace}: expected {}, got {}",
            describe(matcher),
            show(Some(&after.text(namespace).into()))
        ));
    }
    if entries(before, namespace) == entries(after, namespace) {
        return Some(format!("{namespace} did not change"));
    }
    holds(before).then(|| format!("{namespace}: {} held before", describe(matcher)))
}

/// The entries of a namespace; nothing where it is not there.
fn entries<'a>(memory: &'a Memory, namespace: &str) -> Vec<(&'a String, &'a String)> {
    let entries = memory.0.get(namespace).into_iter();
    entries.flat_map(BTreeMap::iter).collect()
}

/// Something asked of a step's behaviour: whether it held, or how not.
type Condition = Result<(), String>;

/// What a step states, and nothing else; none of it holds where the agent did not finish.
fn conditions(expect: &StatedExpect, run: &Run) -> Vec<Condition> {
    let StatedExpect {
        triage,
        tool_calls,
        mode,
        forbidden,
        // These are about the reply, and judges look at them.
        criteria: _,
        interrupts,
    } = expect;
    let calls = || {
        let expect = Expect {
            // The decision is a condition of its own.
            triage: Triage::Respond,
            tool_calls: tool_calls.clone(),
            mode: mode.unwrap_or_default(),
            forbidden: forbidden.clone().unwrap_or_default(),
            criteria: Vec::new(),
        };
        tool_calls::check(&expect, run)
    };
    let mut conditions = Vec::new();
    if let Some(triage) = triage {
        conditions.push(condition(triage::feedback(*triage, run)));
    }
    if tool_calls.is_some() {
        conditions.push(condition(calls().exact()));
    }
    if forbidden.is_some() {
        conditions.push(condition(calls().forbidden()));
    }
    if let Some(expected) = interrupts {
        conditions.push(asked(expected, run));
    }
    if run.outcome.is_agent_failure() {
        conditions.fill(Err(failure(run)));
    }
    conditions
}

fn condition(feedback: Feedback) -> Condition {
    match feedback.score == Score::BEST {
        true => Ok(()),
        false => Err(feedback.comment.unwrap_or_default()),
    }
}

/// The questions that must come up, these and no others, in this order.
fn asked(expected: &[crate::dataset::CallPattern], run: &Run) -> Condition {
    let questions = questions(run);
    let asked: Vec<_> = questions
        .iter()
        .map(|question| (question.interrupt.action.as_str(), &question.interrupt.args))
        .collect();
    let found = against(expected, &asked);
    let needless = found
        .needless
        .iter()
        .map(|at| format!("{} was asked", questions[*at].name()));
    let moved = found
        .out_of_order
        .iter()
        .map(|action| format!("{action} was asked out of order"));
    let problems: Vec<String> = found
        .missing
        .into_iter()
        .chain(needless)
        .chain(moved)
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join(", ")),
    }
}
