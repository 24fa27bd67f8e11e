//! One attempt as the page shows it: what it came to, and step by step how.

use serde::Serialize;

use super::diff::{self, Line};
use super::trajectory::Told;
use crate::experiment::{Attempt, Verdict};
use crate::judge::{Judged, Ruling};
use crate::report::{figures, judges, people};
use crate::run::Run;
use crate::score::{Feedback, MemoryChange};

/// What an attempt came to.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    pub variant: u32,
    /// From 1.
    pub attempt: u32,
    pub verdict: &'static str,
    pub found: Option<&'static str>,
    pub outcome: &'static str,
    pub error: Option<&'a str>,
    pub took: String,
    /// Of the agent, judges left out.
    pub calls: u64,
    pub cost: Option<String>,
    pub scores: Vec<Scored<'a>>,
    pub notes: &'a [String],
}

#[derive(Debug, Serialize)]
pub struct Scored<'a> {
    key: &'static str,
    score: f64,
    diagnostic: bool,
    comment: Option<&'a str>,
    /// Conditions that did not hold.
    broken: Vec<Broken<'a>>,
    held: usize,
}

#[derive(Debug, Serialize)]
struct Broken<'a> {
    /// In words.
    condition: &'static str,
    comment: Option<&'a str>,
}

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unscored => "unscored",
    }
}

impl<'a> Summary<'a> {
    pub fn new<R>(attempt: &'a Attempt<R>) -> Summary<'a> {
        let cost = attempt.usage.cost().filter(|cost| cost.trillionths() > 0);
        Summary {
            variant: attempt.case.variant,
            attempt: attempt.case.repeat + 1,
            verdict: verdict(attempt.verdict()),
            found: attempt.found.map(|found| found.name()),
            outcome: attempt.outcome.name(),
            error: attempt.error.as_deref(),
            took: figures::duration(attempt.latency_ms),
            calls: figures::own_calls(&attempt.usage),
            cost: cost.map(|cost| format!("{} USD", crate::report::usd(cost))),
            scores: attempt.feedback.iter().map(Scored::new).collect(),
            notes: &attempt.notes,
        }
    }
}

impl<'a> Scored<'a> {
    fn new(feedback: &'a Feedback) -> Scored<'a> {
        let checks = &feedback.checks;
        let broken = checks.iter().filter(|check| !check.passed);
        Scored {
            key: feedback.key.name(),
            score: feedback.score.get(),
            diagnostic: feedback.key.is_diagnostic(),
            comment: feedback.comment.as_deref(),
            held: checks.iter().filter(|check| check.passed).count(),
            broken: broken
                .map(|check| Broken {
                    condition: people::check_words(check.name),
                    comment: check.comment.as_deref(),
                })
                .collect(),
        }
    }
}

/// All that happened in an attempt.
#[derive(Debug, Serialize)]
pub struct Whole<'a> {
    pub judged: Vec<JudgedWhole<'a>>,
    pub memory: Vec<Changed<'a>>,
    pub learning: Vec<Learnt>,
    pub runs: Vec<Told<'a>>,
}

#[derive(Debug, Serialize)]
pub struct JudgedWhole<'a> {
    judge: &'static str,
    rulings: Vec<Ruled<'a>>,
}

#[derive(Debug, Serialize)]
struct Ruled<'a> {
    statement: &'a str,
    verdict: &'static str,
    /// Critical, its weight, decided by code.
    facts: Vec<String>,
    reason: &'a str,
    quotes: &'a [String],
    /// Those of a panel; one alone says what the ruling says.
    votes: Vec<Voted<'a>>,
}

#[derive(Debug, Serialize)]
struct Voted<'a> {
    model: &'a str,
    verdict: &'static str,
    /// Where it is not the ruling's.
    reason: Option<&'a str>,
}

/// An entry of a memory, line by line.
#[derive(Debug, Serialize)]
pub struct Changed<'a> {
    namespace: &'a str,
    key: &'a str,
    lines: Vec<Line>,
}

/// Shares of what an email of an episode asks that held.
#[derive(Debug, Serialize)]
pub struct Learnt {
    with: Option<f64>,
    without: Option<f64>,
}

impl<'a> Whole<'a> {
    pub fn new(attempt: &'a Attempt<Run>) -> Whole<'a> {
        let learning = attempt.learning.iter().flat_map(|learning| &learning.steps);
        Whole {
            judged: attempt.judged.iter().map(JudgedWhole::new).collect(),
            memory: attempt.memory.iter().map(Changed::new).collect(),
            learning: learning
                .map(|step| Learnt {
                    with: step.with.map(|score| score.get()),
                    without: step.without.map(|score| score.get()),
                })
                .collect(),
            runs: attempt.runs.iter().map(Told::new).collect(),
        }
    }
}

impl<'a> JudgedWhole<'a> {
    fn new(judged: &'a Judged) -> JudgedWhole<'a> {
        JudgedWhole {
            judge: judged.judge.name(),
            rulings: judged.rulings.iter().map(Ruled::new).collect(),
        }
    }
}

impl<'a> Ruled<'a> {
    fn new(ruling: &'a Ruling) -> Ruled<'a> {
        let mut facts = Vec::new();
        if ruling.critical {
            facts.push("critical".to_owned());
        }
        if ruling.weight != 1.0 {
            facts.push(format!("weight {}", ruling.weight));
        }
        if ruling.is_by_code() {
            facts.push("decided by code".to_owned());
        }
        let votes = match &ruling.votes[..] {
            [_] => &[],
            votes => votes,
        };
        Ruled {
            statement: &ruling.statement,
            verdict: judges::words::verdict_word(ruling.verdict),
            facts,
            reason: &ruling.reason,
            quotes: &ruling.quotes,
            votes: votes
                .iter()
                .map(|vote| Voted {
                    model: &vote.model,
                    verdict: judges::words::verdict_word(vote.verdict),
                    reason: (vote.reason != ruling.reason).then_some(vote.reason.as_str()),
                })
                .collect(),
        }
    }
}

impl<'a> Changed<'a> {
    fn new(change: &'a MemoryChange) -> Changed<'a> {
        let text = |side: &'a Option<String>| side.as_deref().unwrap_or_default();
        Changed {
            namespace: &change.namespace,
            key: &change.key,
            lines: diff::lines(text(&change.before), text(&change.after)),
        }
    }
}
