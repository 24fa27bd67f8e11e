//! The decision: right or wrong for one run, and what many of them cost.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Feedback, Key, one_line};
use crate::email::Triage;
use crate::run::{Outcome, Run};
use crate::statistics::{self, ClassScores};

/// Whether a finished run decided as expected; the comment says how not.
pub fn feedback(expected: Triage, run: &Run) -> Feedback {
    let passed = run.triage == Some(expected);
    let comment = match run.triage {
        Some(found) => format!("expected {expected}, got {found}"),
        None => match &run.reasoning {
            Some(reason) => format!(
                "expected {expected}, no decision: {}",
                one_line(reason, 200)
            ),
            None => format!("expected {expected}, no decision"),
        },
    };
    Feedback {
        key: Key::TriageAccuracy,
        score: passed.into(),
        comment: (!passed).then_some(comment),
        checks: Vec::new(),
    }
}

/// The decision that counts: none where the agent failed, whatever it had decided before.
pub fn decision(outcome: Outcome, found: Option<Triage>) -> Option<Triage> {
    found.filter(|_| outcome == Outcome::Finished)
}

/// What a wrong decision costs, from 0 to 1: `costs[expected][found]`. A right one costs 0.
/// No decision costs what the dearest wrong one for that email does.
///
/// The defaults put a price on what the reader loses: somebody who waits in vain (1.0), a
/// fact never learnt (0.6), an answer that the reader still has to write (0.5), a reply to
/// a sender who is better left without one (0.4), a needless reply to one who does not
/// mind (0.3), a glance (0.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TriageCosts {
    #[serde(deserialize_with = "cost")]
    pub respond_as_notify: f64,
    #[serde(deserialize_with = "cost")]
    pub respond_as_ignore: f64,
    #[serde(deserialize_with = "cost")]
    pub notify_as_respond: f64,
    #[serde(deserialize_with = "cost")]
    pub notify_as_ignore: f64,
    #[serde(deserialize_with = "cost")]
    pub ignore_as_respond: f64,
    #[serde(deserialize_with = "cost")]
    pub ignore_as_notify: f64,
}

impl Default for TriageCosts {
    fn default() -> Self {
        TriageCosts {
            respond_as_notify: 0.5,
            respond_as_ignore: 1.0,
            notify_as_respond: 0.3,
            notify_as_ignore: 0.6,
            ignore_as_respond: 0.4,
            ignore_as_notify: 0.1,
        }
    }
}

fn cost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let cost = f64::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&cost) {
        return Err(serde::de::Error::custom(format_args!(
            "a triage cost must be from 0 to 1, not {cost}"
        )));
    }
    Ok(cost)
}

impl TriageCosts {
    /// The cost of one decision about an email of which `expected` is right.
    pub fn of(&self, expected: Triage, found: Option<Triage>) -> f64 {
        let wrong = |found| match (expected, found) {
            (Triage::Respond, Triage::Notify) => self.respond_as_notify,
            (Triage::Respond, Triage::Ignore) => self.respond_as_ignore,
            (Triage::Notify, Triage::Respond) => self.notify_as_respond,
            (Triage::Notify, Triage::Ignore) => self.notify_as_ignore,
            (Triage::Ignore, Triage::Respond) => self.ignore_as_respond,
            (Triage::Ignore, Triage::Notify) => self.ignore_as_notify,
            (Triage::Ignore, Triage::Ignore)
            | (Triage::Notify, Triage::Notify)
            | (Triage::Respond, Triage::Respond) => 0.0,
        };
        match found {
            Some(found) => wrong(found),
            None => Triage::ALL.into_iter().map(wrong).fold(0.0, f64::max),
        }
    }
}

/// What was found for what was expected.
///
/// `weights[expected][found]` in the order of [`Triage::ALL`], the last column for no
/// decision. An example counts 1, however often it was tried: each of its `k` scored
/// attempts is recorded with the weight `1/k`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Confusion {
    pub weights: [[f64; 4]; 3],
}

impl Confusion {
    /// `found` is that of [`decision`].
    pub fn record(&mut self, expected: Triage, found: Option<Triage>, weight: f64) {
        let column = found.map_or(Triage::ALL.len(), |found| found as usize);
        self.weights[expected as usize][column] += weight;
    }

    pub fn add(&mut self, other: &Confusion) {
        for (row, more) in self.weights.iter_mut().zip(&other.weights) {
            for (cell, more) in row.iter_mut().zip(more) {
                *cell += more;
            }
        }
    }

    /// Precision, recall, and F1 of each label, in the order of [`Triage::ALL`].
    pub fn classes(&self) -> [ClassScores; 3] {
        statistics::class_scores(&self.weights)
    }

    /// Mean F1 of the labels that were expected, from 0 to 1; `None` where nothing was
    /// recorded.
    pub fn macro_f1(&self) -> Option<f64> {
        statistics::macro_f1(&self.weights)
    }

    /// Mean cost of a decision, from 0 (best) to 1; `None` where nothing was recorded.
    pub fn cost(&self, costs: &TriageCosts) -> Option<f64> {
        let mut total = 0.0;
        let mut sum = 0.0;
        for (expected, row) in Triage::ALL.into_iter().zip(&self.weights) {
            let found = Triage::ALL.into_iter().map(Some).chain([None]);
            for (found, weight) in found.zip(row) {
                total += weight;
                sum += weight * costs.of(expected, found);
            }
        }
        (total > 0.0).then(|| sum / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::fixture::run;
    use Triage::{Ignore, Notify, Respond};

    #[test]
    fn a_decision_is_right_or_wrong_and_the_comment_says_how() {
        for (case, found, reasoning, score, comment) in [
            ("right", Some(Respond), Some("asks"), 1.0, None),
            (
                "wrong",
                Some(Notify),
                Some("fyi"),
                0.0,
                Some("expected respond, got notify"),
            ),
            (
                "none",
                None,
                None,
                0.0,
                Some("expected respond, no decision"),
            ),
            (
                "none, with a reason of several lines",
                None,
                Some("never called\n\ttriage_email\u{7}"),
                0.0,
                Some("expected respond, no decision: never called triage_email"),
            ),
        ] {
            let run = Run {
                triage: found,
                reasoning: reasoning.map(str::to_owned),
                ..run(Vec::new())
            };
            let feedback = feedback(Respond, &run);
            assert_eq!(feedback.score.get(), score, "{case}");
            assert_eq!(feedback.comment.as_deref(), comment, "{case}");
        }
    }

    #[test]
    fn a_decision_counts_only_where_the_run_finished() {
        assert_eq!(decision(Outcome::Finished, Some(Notify)), Some(Notify));
        assert_eq!(decision(Outcome::Finished, None), None);
        assert_eq!(decision(Outcome::Timeout, Some(Notify)), None);
    }

    #[test]
    fn no_decision_costs_what_the_dearest_wrong_one_does() {
        let costs = TriageCosts::default();
        for (expected, found, cost) in [
            (Respond, Some(Respond), 0.0),
            (Respond, Some(Notify), 0.5),
            (Respond, Some(Ignore), 1.0),
            (Respond, None, 1.0),
            (Notify, Some(Notify), 0.0),
            (Notify, Some(Respond), 0.3),
            (Notify, Some(Ignore), 0.6),
            (Notify, None, 0.6),
            (Ignore, Some(Ignore), 0.0),
            (Ignore, Some(Respond), 0.4),
            (Ignore, Some(Notify), 0.1),
            (Ignore, None, 0.4),
        ] {
            assert_eq!(costs.of(expected, found), cost, "{expected} as {found:?}");
        }
    }

    #[test]
    fn a_missed_respond_costs_more_than_a_needless_notify() {
        let mut missed = Confusion::default();
        let mut needless = Confusion::default();
        for _ in 0..3 {
            missed.record(Respond, Some(Respond), 1.0);
            needless.record(Respond, Some(Respond), 1.0);
        }
        missed.record(Respond, Some(Notify), 1.0);
        needless.record(Ignore, Some(Notify), 1.0);
        let costs = TriageCosts::default();
        assert_eq!(missed.cost(&costs), Some(0.125));
        assert_eq!(needless.cost(&costs), Some(0.025));
        assert_eq!(Confusion::default().cost(&costs), None);
    }

    #[test]
    fn each_example_weighs_the_same_however_often_it_was_tried() {
        let mut once = Confusion::default();
        once.record(Notify, Some(Notify), 1.0);
        once.record(Respond, None, 1.0);
        let mut often = Confusion::default();
        for _ in 0..4 {
            often.record(Notify, Some(Notify), 0.25);
        }
        often.record(Respond, None, 1.0);
        assert_eq!(once, often);
        assert_eq!(once.macro_f1(), Some(0.5));
        let mut both = once;
        both.add(&often);
        assert_eq!(
            both.weights,
            [[0.0; 4], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]
        );
        assert_eq!(both.classes()[1].f1, Some(1.0));
    }

    #[test]
    fn costs_are_read_from_0_to_1_and_the_others_keep_their_defaults() {
        let costs: TriageCosts = serde_json::from_str(r#"{"ignore_as_notify": 0.2}"#).unwrap();
        assert_eq!(
            costs,
            TriageCosts {
                ignore_as_notify: 0.2,
                ..TriageCosts::default()
            }
        );
        for (text, message) in [
            (
                r#"{"ignore_as_notify": 1.5}"#,
                "a triage cost must be from 0 to 1, not 1.5",
            ),
            (
                r#"{"ignore_as_notify": -1}"#,
                "a triage cost must be from 0 to 1, not -1",
            ),
            (
                r#"{"ignore_as_nothing": 0}"#,
                "unknown field `ignore_as_nothing`",
            ),
        ] {
            let error = serde_json::from_str::<TriageCosts>(text).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }
}
