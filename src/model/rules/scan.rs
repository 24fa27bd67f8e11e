//! A part of the email with the phrases found in it.

use std::collections::BTreeSet;

use super::book::{Book, Cue, CueRole, Payload};
use super::phrases::Hit;
use super::text::Text;

pub(super) struct Scanned {
    pub text: Text,
    pub hits: Vec<Hit>,
}

impl Scanned {
    pub fn new(book: &Book, text: &str) -> Scanned {
        let text = Text::new(text.to_owned());
        let hits = book.text.find(&text);
        Scanned { text, hits }
    }

    pub fn sentence_of(&self, token: u32) -> usize {
        self.text.tokens[token as usize].sentence as usize
    }

    /// The cues found: the hit, the cue's index, and the cue.
    pub fn cues<'a>(&'a self, book: &'a Book) -> impl Iterator<Item = (&'a Hit, u16, &'a Cue)> {
        self.hits
            .iter()
            .filter_map(|hit| match book.payloads[hit.payload as usize] {
                Payload::Cue(cue) => Some((hit, cue, &book.cues[cue as usize])),
                _ => None,
            })
    }

    /// The sentences with a cue of this role.
    pub fn sentences_with(&self, book: &Book, role: CueRole) -> BTreeSet<usize> {
        self.cues(book)
            .filter(|(_, _, cue)| cue.role == Some(role))
            .map(|(hit, _, _)| self.sentence_of(hit.first))
            .collect()
    }
}
