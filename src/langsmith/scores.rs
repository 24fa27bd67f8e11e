//! What an attempt was worth, as the service's feedback on its root run.
//!
//! One for each score, under the score's own key, and one for each statement that a judge
//! decided, under the judge's main key and the statement's number: `response.criteria.1`. What a
//! person labelled goes under the key of the same statement. The same scores make the same
//! feedback, wherever and how often it is sent.

use serde_json::json;
use uuid::Uuid;

use super::ids;
use super::runs::{Place, Root, cut};
use super::wire::{Feedback, FeedbackSource, Object, SourceKind};
use crate::experiment::{Attempt, CaseKind, Header, JudgePlan, Variant};
use crate::judge::calibration::items::{Item, works};
use crate::judge::definition::Definition;
use crate::judge::subject::{Subject, questions};
use crate::judge::{JudgeKey, Judged, Ruling, Verdict};
use crate::score::{self, Key, Suite};

/// Bytes of a comment: a reason, and some quotes.
const COMMENT: usize = 10_000;

/// The feedback on an attempt of `header`'s plan: that of the scores, then that of each judge's
/// statements in their order. Without comments where inputs or outputs are to stay here, since
/// comments repeat them.
pub fn feedback<R>(header: &Header, attempt: &Attempt<R>, place: &Place<'_>) -> Vec<Feedback> {
    let root = Root::of(header, attempt, place);
    let scores = attempt.feedback.iter().map(|score| {
        let judge = judge_of(score.key);
        let judged = attempt.judged.iter().find(|it| Some(it.judge) == judge);
        scored(score, judged)
    });
    let statements = attempt.judged.iter().flat_map(|judged| {
        let rulings = (1..).zip(&judged.rulings);
        rulings.map(|(number, ruling)| ruled(judged.judge, number, ruling))
    });
    let said = scores.chain(statements);
    said.map(|said| said.on(root, place, "")).collect()
}

/// The keys that attempts of a variant can get, statements apart: how many there are of them
/// depends on the example. `judges` are those whose scores are sent.
pub fn evaluator_keys(header: &Header, judges: &[JudgePlan], variant: &Variant) -> Vec<String> {
    let suites = header.suites.iter();
    let suites = suites.filter(|suite| variant.takes_part(CaseKind::of(**suite)));
    let of_suites = suites.flat_map(|suite| match suite {
        Suite::Triage => &[Key::TriageAccuracy][..],
        Suite::Response => &[
            Key::ToolCallsReference,
            Key::ToolCallsRecall,
            Key::ToolCallsPrecision,
            Key::ToolCallsExact,
            Key::ToolCallsForbidden,
        ],
        Suite::Hitl => &[Key::HitlPass],
        Suite::Memory => &[Key::MemoryPass],
    });
    let judges = judges.iter().map(|plan| plan.judge);
    let judges: Vec<JudgeKey> = judges.filter(|judge| judge.looks_at(variant)).collect();
    let asked = |key: &&Key| judge_of(**key).is_some_and(|judge| judges.contains(&judge));
    let of_judges = Key::ALL.iter().filter(asked);
    of_suites.chain(of_judges).map(Key::to_string).collect()
}

/// What a person decided about a statement of an attempt, by its number among those of its judge
/// ([`labelled`]).
pub fn from_label<R>(
    header: &Header,
    attempt: &Attempt<R>,
    place: &Place<'_>,
    item: &Item,
    number: usize,
) -> Feedback {
    let metadata = [
        ("labelled_by", json!(item.labelled_by)),
        ("verdict", json!(item.label)),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
    let said = Said {
        key: statement_key(item.judge(), number),
        score: Some(points(item.label)),
        comment: (!item.reason.is_empty()).then(|| item.reason.clone()),
        source: FeedbackSource {
            kind: SourceKind::App,
            metadata: Some(metadata.into_iter().collect()),
        },
    };
    said.on(Root::of(header, attempt, place), place, &item.labelled_by)
}

/// The number, from 1, of the statement of an attempt that an item is about; `None` where it is
/// about another attempt, or one at which something else was done. An item does not name the
/// attempt that it was made of: it is known by its email, by what was done, and by the statement.
pub fn labelled(item: &Item, definition: &Definition, subject: &Subject<'_>) -> Option<usize> {
    let email = match *subject {
        Subject::Example { example, .. } | Subject::Scenario { example, .. } => &example.email,
        Subject::Episode { .. } => return None,
    };
    if item.judge() != definition.key || item.email != *email {
        return None;
    }
    let works = works(definition, subject);
    let (_, about) = works.iter().find(|(work, _)| *work == item.work)?;
    let statements = questions(definition, subject);
    let place = statements
        .iter()
        .position(|it| it.statement == about.statement);
    place.map(|place| place + 1)
}

fn statement_key(judge: JudgeKey, number: usize) -> String {
    match judge.main_key() {
        Some(key) => format!("{key}.{number}"),
        None => format!("{judge}.{number}"),
    }
}

fn points(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Pass => 1.0,
        Verdict::Fail | Verdict::CannotTell => 0.0,
    }
}

/// Who gives a key; `None` where rules do.
fn judge_of(key: Key) -> Option<JudgeKey> {
    match key {
        Key::ResponseAllMet => Some(JudgeKey::ResponseCriteria),
        key => JudgeKey::ALL
            .into_iter()
            .find(|judge| judge.main_key() == Some(key)),
    }
}

/// The id of what is said of a run under a key. `by` tells apart several who say something under
/// the same: it is the name of a person, and of scores and judges nothing.
pub fn feedback_id(root: Root, session: Uuid, key: &str, by: &str) -> Uuid {
    ids::at(root.started, session, &[&root.id.to_string(), key, by])
}

/// Feedback, before it is known on what.
struct Said {
    key: String,
    score: Option<f64>,
    comment: Option<String>,
    source: FeedbackSource,
}

impl Said {
    /// `by` as of [`feedback_id`].
    fn on(self, root: Root, place: &Place<'_>, by: &str) -> Feedback {
        let comment = self
            .comment
            .filter(|_| !place.hide_inputs && !place.hide_outputs);
        Feedback {
            id: feedback_id(root, place.session, &self.key, by),
            // Nothing could be said, so an average must not count it.
            error: self.score.is_none(),
            score: self.score,
            comment: comment.map(|mut comment| {
                cut(&mut comment, COMMENT);
                comment
            }),
            key: self.key,
            run_id: root.id,
            trace_id: root.id,
            session_id: place.session,
            start_time: root.started,
            feedback_source: self.source,
        }
    }
}

fn scored(feedback: &score::Feedback, judged: Option<&Judged>) -> Said {
    let source = match judged {
        Some(judged) => judge(judged.judge, &judged.rulings, Object::new()),
        None => FeedbackSource {
            kind: SourceKind::Api,
            metadata: None,
        },
    };
    Said {
        key: feedback.key.to_string(),
        // The service refuses more decimals.
        score: Some((feedback.score.get() * 1e4).round() / 1e4),
        comment: feedback.comment.clone(),
        source,
    }
}

fn ruled(judge_key: JudgeKey, number: usize, ruling: &Ruling) -> Said {
    let verdict = match ruling.verdict {
        Some(Verdict::Pass) => "met",
        Some(Verdict::Fail) => "not met",
        Some(Verdict::CannotTell) => "cannot tell, which counts as not met",
        None => "not decided",
    };
    let mut comment = format!("{}\n{verdict}: {}", ruling.statement, ruling.reason);
    for quote in &ruling.quotes {
        comment.push_str("\n> ");
        comment.push_str(quote);
    }
    let mut facts = Object::new();
    facts.insert("verdict".to_owned(), json!(ruling.verdict));
    facts.insert("weight".to_owned(), json!(ruling.weight));
    facts.insert("critical".to_owned(), json!(ruling.critical));
    Said {
        key: statement_key(judge_key, number),
        score: ruling.verdict.map(points),
        comment: Some(comment),
        source: judge(judge_key, std::slice::from_ref(ruling), facts),
    }
}

/// A judge, with the models that voted; a program where code decided, because there was nothing
/// to look at.
fn judge(judge: JudgeKey, rulings: &[Ruling], facts: Object) -> FeedbackSource {
    let mut models: Vec<&str> = Vec::new();
    for vote in rulings.iter().flat_map(|ruling| &ruling.votes) {
        if !models.contains(&vote.model.as_str()) {
            models.push(&vote.model);
        }
    }
    let mut metadata = Object::new();
    metadata.insert("judge".to_owned(), json!(judge.name()));
    metadata.insert("models".to_owned(), json!(models));
    metadata.extend(facts);
    FeedbackSource {
        kind: match models[..] {
            [] => SourceKind::Api,
            _ => SourceKind::Model,
        },
        metadata: Some(metadata),
    }
}

#[cfg(test)]
mod tests;
