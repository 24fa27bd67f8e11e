//! Which of two attempts at one email is better.
//!
//! Models favour what they see first, most of all where two answers are close. So both
//! orders are asked, and a win counts only where they agree.

pub mod canary;

use futures_util::future::join;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ask::Decision;
use super::bench::{Judge, Ruled};
use super::definition::Scale;
use super::shown;
use super::subject::Question;
use super::{Verdict, Vote};
use crate::model::Origin;
use crate::run::Usage;

/// What a judge is asked about two attempts, or where it grades, about each of them.
pub fn statement(scale: Scale) -> &'static str {
    match scale {
        Scale::Binary => "What the first did about the email is better than what the second did",
        Scale::Graded => "What was done about the email leaves nothing to be wished for",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    A,
    B,
    /// Neither is better, or the two orders disagree.
    Tie,
    /// The judge gave no answer that can be used.
    Unscored,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub preference: Preference,
    /// What was said of A before B, and of B before A: in the judge's words, or why nothing
    /// was.
    pub reasons: [String; 2],
    /// Whether the one that stood first is better, in the same order; `None` where the judge
    /// gave no verdict, and of a graded judge.
    pub verdicts: [Option<Verdict>; 2],
    /// The votes for these; none of a graded judge.
    pub votes: [Vec<Vote>; 2],
    pub usage: Usage,
    /// As in [`Ruled::halted`] and [`Ruled::outage`].
    pub halted: bool,
    pub outage: bool,
}

/// Has a judge compare what it is shown of two attempts, without fences.
///
/// `statement` is about the first of two that are shown, as in "The first reply is better";
/// of a graded judge, which sees one at a time, about that one.
pub async fn compare(
    judge: &Judge,
    statement: &str,
    shown_a: &str,
    shown_b: &str,
    origin: &Origin,
) -> Compared {
    let question = |shown: String| Question {
        statement: shown::statement(statement),
        weight: 1.0,
        critical: false,
        shown,
        decided: None,
    };
    match judge.definition.scale {
        Scale::Binary => {
            let in_order = question(shown::both(shown_a, shown_b));
            let swapped = question(shown::both(shown_b, shown_a));
            let (in_order, swapped) =
                join(judge.rule(&in_order, origin), judge.rule(&swapped, origin)).await;
            agreed(in_order, swapped)
        }
        Scale::Graded => {
            let (a, b) = (question(shown_a.to_owned()), question(shown_b.to_owned()));
            let (a, b) = join(grade(judge, &a, origin), grade(judge, &b, origin)).await;
            higher(a, b)
        }
    }
}

fn agreed(in_order: Ruled, swapped: Ruled) -> Compared {
    let preference = match (in_order.ruling.verdict, swapped.ruling.verdict) {
        (None, _) | (_, None) => Preference::Unscored,
        (Some(Verdict::Pass), Some(Verdict::Fail)) => Preference::A,
        (Some(Verdict::Fail), Some(Verdict::Pass)) => Preference::B,
        _ => Preference::Tie,
    };
    let mut usage = in_order.usage;
    usage.add(&swapped.usage);
    Compared {
        preference,
        verdicts: [in_order.ruling.verdict, swapped.ruling.verdict],
        reasons: [in_order.ruling.reason, swapped.ruling.reason],
        votes: [in_order.ruling.votes, swapped.ruling.votes],
        usage,
        halted: in_order.halted || swapped.halted,
        outage: in_order.outage || swapped.outage,
    }
}

/// The mean of the grades that can be used, where at least half can.
struct Graded {
    mean: Option<f64>,
    reason: String,
    usage: Usage,
    halted: bool,
    outage: bool,
}

async fn grade(judge: &Judge, question: &Question, origin: &Origin) -> Graded {
    let poll = judge.poll(question, origin).await;
    let votes = poll.asked.len();
    let (mut grades, mut reasons) = (Vec::new(), Vec::new());
    for (_, _, asked) in poll.asked {
        match asked.result {
            Ok(judgement) => {
                reasons.push(judgement.reasoning);
                if let Decision::Grade(grade) = judgement.decision {
                    grades.push(f64::from(grade));
                }
            }
            Err(unscored) => reasons.push(unscored.to_string()),
        }
    }
    let usable = !grades.is_empty() && grades.len() * 2 >= votes;
    Graded {
        mean: usable.then(|| grades.iter().sum::<f64>() / grades.len() as f64),
        reason: reasons.into_iter().next().unwrap_or_default(),
        usage: poll.usage,
        halted: poll.halted,
        outage: poll.outage,
    }
}

fn higher(a: Graded, b: Graded) -> Compared {
    let preference = match (a.mean, b.mean) {
        (Some(a), Some(b)) if a > b => Preference::A,
        (Some(a), Some(b)) if a < b => Preference::B,
        (Some(_), Some(_)) => Preference::Tie,
        _ => Preference::Unscored,
    };
    let mut usage = a.usage;
    usage.add(&b.usage);
    Compared {
        preference,
        reasons: [a.reason, b.reason],
        verdicts: [None; 2],
        votes: Default::default(),
        usage,
        halted: a.halted || b.halted,
        outage: a.outage || b.outage,
    }
}

#[cfg(test)]
mod tests;
