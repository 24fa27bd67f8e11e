//! The few attempts that a report tells about one by one.

use crate::experiment::Attempt;
use crate::run::Outcome;
use crate::score::{Key, Score};

use super::escape::bounded;
use super::learning::First;
use super::{CaseNotes, Comment, INCIDENTS_SHOWN, Incident};

/// The most characters of one comment or error; a report is not the journal.
const TEXT_SHOWN: usize = 400;
/// The most notes of one attempt.
const NOTES_SHOWN: usize = 8;

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
#[derive(Debug)]
pub(super) struct Incidents(First<Incident>);

impl Default for Incidents {
    fn default() -> Self {
        Incidents(First::new(INCIDENTS_SHOWN))
    }
}

impl Incidents {
    pub fn record<R>(&mut self, attempt: &Attempt<R>) {
        self.0.record(attempt, || Incident {
            example: attempt.case.example.clone(),
            repeat: attempt.case.repeat,
            outcome: attempt.outcome,
            error: shown(&attempt.error),
        });
    }

    pub fn report(&self) -> Vec<Incident> {
        self.0.report()
    }
}

impl CaseNotes {
    pub(super) fn of<R>(attempt: &Attempt<R>) -> CaseNotes {
        let notes = attempt.notes.iter().take(NOTES_SHOWN);
        CaseNotes {
            example: attempt.case.example.clone(),
            repeat: attempt.case.repeat,
            notes: notes
                .map(|note| bounded(note, TEXT_SHOWN).into_owned())
                .collect(),
        }
    }
}
