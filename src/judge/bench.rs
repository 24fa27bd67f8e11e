//! Judges at work: votes become a ruling, and rulings become feedback.
//!
//! A judge asks every model of its panel, as many times as it has votes, all at once. The
//! ruling is what more than half of the votes say that can be used. Feedback is made of
//! rulings in code.

use std::sync::Arc;

use futures_util::future::join_all;

use super::ask::{self, Asked, Decision};
use super::calibration::Binding;
use super::definition::{Definition, PARSER_VERSION, prompt_hash};
use super::subject::{Question, Subject, questions};
use super::{JudgeKey, Judged, Ruling, Verdict, Vote};
use crate::model::{Model, Origin};
use crate::run::Usage;
use crate::score::{Feedback, Key, Score, Suite, one_line};

/// The most statements that a comment names.
const NAMED: usize = 5;

/// A definition, and who answers.
#[derive(Clone)]
pub struct Judge {
    pub definition: Arc<Definition>,
    /// Of each model, at least 1.
    pub votes: u32,
    /// At least one model.
    pub panel: Vec<Arc<dyn Model>>,
}

/// The judges of a variant.
#[derive(Clone, Default)]
pub struct Judges(pub Vec<Judge>);

/// What came of one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruled {
    pub ruling: Ruling,
    /// Of all calls, those that led to no vote too.
    pub usage: Usage,
    /// A call was not answered because the run ends: the ruling is not to be kept.
    pub halted: bool,
    /// A call was not answered at all. Where the run's [`Halt`](crate::model::halt::Halt)
    /// has a reason by then, the ruling is not to be kept either: the failure that opens a
    /// circuit is of its own kind.
    pub outage: bool,
}

/// What judges say of an attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opinion {
    /// In the order of the judges; without those that had nothing to ask.
    pub judged: Vec<Judged>,
    pub feedback: Vec<Feedback>,
    pub usage: Usage,
    /// As in [`Ruled::halted`]: the attempt must not be recorded.
    pub halted: bool,
    /// As in [`Ruled::outage`].
    pub outage: bool,
}

impl Judge {
    /// What decides how it judges; `models` are those of the panel as `PROVIDER:NAME`.
    pub fn binding(&self, models: Vec<String>) -> Binding {
        Binding {
            judge: self.definition.key,
            models,
            votes: self.votes,
            rubric_hash: self.definition.rubric_hash(),
            prompt_hash: prompt_hash().to_owned(),
            parser_version: PARSER_VERSION,
        }
    }

    /// Decides a question by the votes of the panel, unless code has decided it.
    pub async fn rule(&self, question: &Question, origin: &Origin) -> Ruled {
        let ruling = Ruling {
            statement: question.statement.clone(),
            weight: question.weight,
            critical: question.critical,
            verdict: None,
            reason: String::new(),
            quotes: Vec::new(),
            votes: Vec::new(),
        };
        if let Some((verdict, why)) = &question.decided {
            return Ruled {
                ruling: Ruling {
                    verdict: Some(*verdict),
                    reason: why.clone(),
                    ..ruling
                },
                usage: Usage::default(),
                halted: false,
                outage: false,
            };
        }
        let poll = self.poll(question, origin).await;
        let votes: Vec<Vote> = poll.asked.into_iter().map(vote).collect();
        Ruled {
            ruling: decide(ruling, votes),
            usage: poll.usage,
            halted: poll.halted,
            outage: poll.outage,
        }
    }

    /// Every vote of every model, in the order of the panel.
    pub(super) async fn poll(&self, question: &Question, origin: &Origin) -> Poll<'_> {
        let seats = self.panel.iter().enumerate().flat_map(|(seat, model)| {
            (0..self.votes).map(move |vote| (seat as u32 * self.votes + vote, model, vote))
        });
        let asked = join_all(seats.map(|(place, model, vote)| {
            let mut origin = origin.clone();
            // Recordings tell votes apart by it, so it counts over the whole panel.
            origin.vote = place;
            async move {
                let asked = ask::ask(model, &self.definition, question, origin).await;
                (model.name(), vote, asked)
            }
        }))
        .await;
        let mut poll = Poll {
            usage: Usage::default(),
            halted: false,
            outage: false,
            asked: Vec::new(),
        };
        for (model, vote, asked) in asked {
            poll.usage.add(&asked.usage);
            if let Err(unscored) = &asked.result {
                poll.halted |= unscored.ends_the_run();
                poll.outage |= matches!(unscored, ask::Unscored::Unavailable(_));
            }
            poll.asked.push((model, vote, asked));
        }
        poll
    }
}

/// What a panel answered.
pub(super) struct Poll<'a> {
    pub usage: Usage,
    pub halted: bool,
    pub outage: bool,
    /// The model, which of its votes it is, and what came of it.
    pub asked: Vec<(&'a str, u32, Asked)>,
}

fn vote((model, vote, asked): (&str, u32, Asked)) -> Vote {
    let (verdict, reason, quotes) = match asked.result {
        Ok(judgement) => {
            let verdict = match judgement.decision {
                Decision::Verdict(verdict) => Some(verdict),
                // A grade ranks and decides nothing.
                Decision::Grade(_) => None,
            };
            (verdict, judgement.reasoning, judgement.quotes)
        }
        Err(unscored) => (None, one_line(&unscored.to_string(), 1_000), Vec::new()),
    };
    Vote {
        model: model.to_owned(),
        vote,
        verdict,
        reason,
        quotes,
    }
}

/// What the votes come to: the verdict of more than half of those that can be used. Where no
/// verdict has that many, nobody can tell; where fewer than half can be used, there is none.
fn decide(ruling: Ruling, votes: Vec<Vote>) -> Ruling {
    let usable = votes.iter().filter(|vote| vote.verdict.is_some()).count();
    if usable == 0 || usable * 2 < votes.len() {
        let failed = votes.iter().find(|vote| vote.verdict.is_none());
        let cause = failed.map_or("", |vote| &vote.reason);
        let reason = match votes.len() {
            1 => cause.to_owned(),
            all => format!("{} of {all} votes cannot be used: {cause}", all - usable),
        };
        return Ruling {
            reason,
            votes,
            ..ruling
        };
    }
    let count = |verdict| {
        let same = votes.iter().filter(|vote| vote.verdict == Some(verdict));
        same.count()
    };
    let winner = Verdict::ALL
        .into_iter()
        .find(|verdict| count(*verdict) * 2 > usable);
    let (reason, quotes) = match winner {
        Some(winner) => {
            let first = votes.iter().find(|vote| vote.verdict == Some(winner));
            let first = first.expect("the winner has votes");
            (first.reason.clone(), first.quotes.clone())
        }
        None => {
            let counts = Verdict::ALL.map(|verdict| (count(verdict), verdict.name()));
            let named = counts.iter().filter(|(count, _)| *count > 0);
            let named: Vec<String> = named.map(|(n, name)| format!("{n} {name}")).collect();
            let reason = format!(
                "no verdict has more than half of the votes: {}",
                named.join(", ")
            );
            (reason, Vec::new())
        }
    };
    Ruling {
        verdict: Some(winner.unwrap_or(Verdict::CannotTell)),
        reason,
        quotes,
        votes,
        ..ruling
    }
}

impl Judges {
    /// Has every judge of `suites` look at the attempt; all questions at once.
    pub async fn judge(&self, subject: &Subject<'_>, suites: &[Suite], origin: &Origin) -> Opinion {
        let judges = self.0.iter().filter(|judge| {
            let suite = judge.definition.key.suite();
            suite.is_some_and(|suite| suites.contains(&suite))
        });
        let ruled = join_all(judges.map(|judge| async move {
            let questions = questions(&judge.definition, subject);
            let ruled = questions
                .iter()
                .map(|question| judge.rule(question, origin));
            (judge.definition.key, join_all(ruled).await)
        }))
        .await;
        let mut opinion = Opinion::default();
        for (judge, ruled) in ruled {
            let mut rulings = Vec::with_capacity(ruled.len());
            for ruled in ruled {
                opinion.usage.add(&ruled.usage);
                opinion.halted |= ruled.halted;
                opinion.outage |= ruled.outage;
                rulings.push(ruled.ruling);
            }
            if !rulings.is_empty() {
                opinion.judged.push(Judged { judge, rulings });
            }
        }
        opinion.feedback = feedback(&opinion.judged);
        opinion
    }
}

/// The feedback that rulings make, under the keys of their judges. What was not ruled enters
/// no figure; where nothing was, there is no feedback.
pub fn feedback(judged: &[Judged]) -> Vec<Feedback> {
    judged.iter().flat_map(of_judge).collect()
}

fn of_judge(judged: &Judged) -> Vec<Feedback> {
    let rulings = &judged.rulings;
    let key = match judged.judge {
        JudgeKey::ResponseCriteria => Key::ResponseCriteria,
        JudgeKey::FeedbackHonoured => Key::HitlFeedback,
        JudgeKey::MemoryUpdate => Key::MemoryUpdate,
        JudgeKey::TriageReasonable => Key::TriageReasonable,
        // It is about two attempts.
        JudgeKey::Pairwise => return Vec::new(),
    };
    let Some(share) = share(rulings) else {
        return Vec::new();
    };
    let comment = comment(rulings);
    let feedback = |key, score| Feedback {
        key,
        score,
        comment: comment.clone(),
        checks: Vec::new(),
    };
    let mut all = vec![feedback(key, share)];
    let all_ruled = rulings.iter().all(|ruling| ruling.verdict.is_some());
    if key == Key::ResponseCriteria && all_ruled {
        let all_met = rulings.iter().all(is_met);
        all.push(feedback(Key::ResponseAllMet, all_met.into()));
    }
    all
}

fn is_met(ruling: &Ruling) -> bool {
    ruling.verdict == Some(Verdict::Pass)
}

/// The weight of the statements met among those ruled; nothing where a critical one is not.
fn share(rulings: &[Ruling]) -> Option<Score> {
    let ruled = || rulings.iter().filter(|ruling| ruling.verdict.is_some());
    if ruled().any(|ruling| ruling.critical && !is_met(ruling)) {
        return Some(Score::WORST);
    }
    let weight = |rulings: &mut dyn Iterator<Item = &Ruling>| -> f64 {
        // Not `sum`, to which nothing is -0: it would be written as that.
        rulings.fold(0.0, |sum, ruling| sum + ruling.weight)
    };
    let all = weight(&mut ruled());
    let met = weight(&mut ruled().filter(|ruling| is_met(ruling)));
    // Where nothing was ruled there is nothing to divide by; and rounding may take a sum of
    // parts past the sum of all.
    (all > 0.0).then(|| Score::try_from((met / all).min(1.0)).ok())?
}

/// Which statements were not met, or not decided, on one line.
fn comment(rulings: &[Ruling]) -> Option<String> {
    let unmet = rulings
        .iter()
        .filter(|ruling| ruling.verdict.is_some() && !is_met(ruling));
    let unruled = rulings.iter().filter(|ruling| ruling.verdict.is_none());
    let kinds: Vec<String> = [("not met", list(unmet)), ("not decided", list(unruled))]
        .into_iter()
        .filter_map(|(what, list)| Some(format!("{what}: {}", list?)))
        .collect();
    (!kinds.is_empty()).then(|| kinds.join("; "))
}

fn list<'a>(rulings: impl Iterator<Item = &'a Ruling>) -> Option<String> {
    let all: Vec<String> = rulings
        .map(|ruling| one_line(&ruling.statement, 120))
        .collect();
    let more = all.len().saturating_sub(NAMED);
    let mut named = all.into_iter().take(NAMED).collect::<Vec<_>>();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    (!named.is_empty()).then(|| named.join("; "))
}

#[cfg(test)]
mod tests;
