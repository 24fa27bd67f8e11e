//! The few attempts that a report tells about one by one.

use std::collections::BTreeMap;

use crate::experiment::Attempt;
use crate::run::Outcome;
use crate::score::{Key, Score};

use super::escape::bounded;
use super::{Comment, INCIDENTS_SHOWN, Incident};

/// The most characters of one comment or error; a report is not the journal.
const TEXT_SHOWN: usize = 400;

fn shown(text: &Option<String>) -> Option<String> {
    text.as_deref()
        .map(|text| bounded(text, TEXT_SHOWN).into_owned())
}

/// How an attempt failed.
#[derive(Debug)]
pub(super) struct Lapse {
    pub repeat: u32,
    pub outcome: Outcome,
    pub error: Option<String>,
    pub comments: Vec<Comment>,
}

impl Lapse {
    /// Diagnostic keys are left out: what they lack, the others say under their own rule.
    pub fn of<R>(attempt: &Attempt<R>) -> Lapse {
        let comments = Key::ALL
            .into_iter()
            .filter(|key| !key.is_diagnostic())
            .flat_map(|key| {
                attempt
                    .feedback
                    .iter()
                    .filter(move |feedback| feedback.key == key)
            })
            .filter(|feedback| feedback.score < Score::BEST)
            .map(|feedback| Comment {
                key: feedback.key.name().to_owned(),
                score: feedback.score.get(),
                comment: shown(&feedback.comment),
            });
        Lapse {
            repeat: attempt.case.repeat,
            outcome: attempt.outcome,
            error: shown(&attempt.error),
            comments: comments.collect(),
        }
    }
}

/// The first attempts of a kind in plan order, whatever order they come in.
#[derive(Debug, Default)]
pub(super) struct Incidents(BTreeMap<(u32, u32), Incident>);

impl Incidents {
    pub fn record<R>(&mut self, attempt: &Attempt<R>) {
        let place = (attempt.case.position, attempt.case.repeat);
        let full = self.0.len() >= INCIDENTS_SHOWN;
        if full
            && self
                .0
                .last_key_value()
                .is_some_and(|(last, _)| *last < place)
        {
            return;
        }
        self.0.insert(
            place,
            Incident {
                example: attempt.case.example.clone(),
                repeat: attempt.case.repeat,
                outcome: attempt.outcome,
                error: shown(&attempt.error),
            },
        );
        if self.0.len() > INCIDENTS_SHOWN {
            self.0.pop_last();
        }
    }

    pub fn report(&self) -> Vec<Incident> {
        self.0.values().cloned().collect()
    }
}
