//! What is known of words when mail is judged: `judge.yaml`, compiled once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::model::rules::phrases::{BadPhrase, Builder, Phrases};

/// What a sentence of a mail does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cue {
    /// Something will be done.
    Promise,
    /// It puts off, and says nothing yet.
    Later,
    /// Within hours.
    Soon,
    ThisWeek,
    Morning,
    Afternoon,
    Evening,
    Yes,
    No,
    Not,
    Accept,
    Refuse,
    Neither,
    Propose,
    Ask,
    Thank,
    Sorry,
    Polite,
    Rude,
    Warm,
    Formal,
    Informal,
    /// Says that something was put into the calendar, or sent out.
    Booked,
    PassedOn,
    /// Another does it, or something else is done.
    Instead,
    /// Says that an answer will come.
    Announce,
    /// Speaks to whoever judges.
    Judge,
}

impl Cue {
    pub const ALL: [Cue; 27] = [
        Cue::Promise,
        Cue::Later,
        Cue::Soon,
        Cue::ThisWeek,
        Cue::Morning,
        Cue::Afternoon,
        Cue::Evening,
        Cue::Yes,
        Cue::No,
        Cue::Not,
        Cue::Accept,
        Cue::Refuse,
        Cue::Neither,
        Cue::Propose,
        Cue::Ask,
        Cue::Thank,
        Cue::Sorry,
        Cue::Polite,
        Cue::Rude,
        Cue::Warm,
        Cue::Formal,
        Cue::Informal,
        Cue::Booked,
        Cue::PassedOn,
        Cue::Instead,
        Cue::Announce,
        Cue::Judge,
    ];

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of cues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cues(u32);

impl Cues {
    pub fn add(&mut self, cue: Cue) {
        self.0 |= cue.bit();
    }

    pub fn has(self, cue: Cue) -> bool {
        self.0 & cue.bit() != 0
    }

    pub fn any(self, cues: &[Cue]) -> bool {
        cues.iter().any(|cue| self.has(*cue))
    }
}

/// What a statement demands of a mail, by its verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verb {
    Say,
    Address,
    Name,
    Confirm,
    Accept,
    Decline,
    Propose,
    Promise,
    Ask,
    Thank,
    Sorry,
    Pick,
    Wish,
    Is,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    stop: Vec<String>,
    verbs: BTreeMap<Verb, Vec<String>>,
    groups: Vec<Vec<String>>,
    cues: BTreeMap<Cue, Vec<String>>,
}

pub(super) struct Lexicon {
    stop: HashSet<String>,
    verbs: HashMap<String, Verb>,
    /// A payload is the number of the group.
    pub groups: Phrases,
    /// A payload is an index into [`Cue::ALL`].
    pub cues: Phrases,
}

/// Why the embedded file could not be read: a defect of its own, which a test meets.
#[derive(Debug, thiserror::Error)]
enum LexiconError {
    #[error("judge.yaml cannot be parsed: {0}")]
    Parse(String),
    #[error("judge.yaml has no cue `{0:?}`")]
    Missing(Cue),
    #[error(transparent)]
    Phrase(#[from] BadPhrase),
}

/// The compiled words, made on first use.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| {
        Lexicon::read(include_str!("judge.yaml"))
            .unwrap_or_else(|error| panic!("the embedded words are sound: {error}"))
    })
}

impl Lexicon {
    fn read(text: &str) -> Result<Lexicon, LexiconError> {
        // `no` and `on` are words here, not booleans.
        let options = serde_yaml::options! { strict_booleans: true };
        let file: File = serde_yaml::from_str_with_options(text, options)
            .map_err(|error| LexiconError::Parse(error.to_string()))?;
        let mut groups = Builder::default();
        for (number, phrases) in (0..).zip(&file.groups) {
            for phrase in phrases {
                groups.add(phrase, number)?;
            }
        }
        let mut cues = Builder::default();
        for (number, cue) in (0..).zip(Cue::ALL) {
            let phrases = file.cues.get(&cue).ok_or(LexiconError::Missing(cue))?;
            for phrase in phrases {
                cues.add(phrase, number)?;
            }
        }
        let mut verbs = HashMap::new();
        for (verb, words) in file.verbs {
            for word in words {
                // The first verb that claims a word has it.
                verbs.entry(word).or_insert(verb);
            }
        }
        Ok(Lexicon {
            stop: file.stop.into_iter().collect(),
            verbs,
            groups: groups.build(),
            cues: cues.build(),
        })
    }

    /// Whether a folded word says nothing of what a statement is about.
    pub fn is_stop(&self, word: &str) -> bool {
        self.stop.contains(word)
    }

    pub fn verb(&self, word: &str) -> Option<Verb> {
        self.verbs.get(word).copied()
    }
}

/// A folded word without the endings that inflect it; three letters at least stay.
pub(super) fn stem(word: &str) -> &str {
    const ENDINGS: [&str; 15] = [
        "ations", "ation", "ments", "ment", "ings", "ing", "ions", "ion", "ies", "ed", "es", "ly",
        "s", "e", "y",
    ];
    let ending = ENDINGS.into_iter().find(|ending| {
        word.strip_suffix(ending)
            .is_some_and(|stem| stem.chars().count() >= if ending.len() == 1 { 3 } else { 4 })
    });
    let stem = ending.map_or(word, |ending| &word[..word.len() - ending.len()]);
    // "dropping", "planned"
    let mut last = stem.chars().rev();
    match (last.next(), last.next()) {
        (Some(one), Some(two))
            if one == two && ending.is_some() && one.is_ascii() && stem.len() > 4 =>
        {
            &stem[..stem.len() - 1]
        }
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_words_are_sound() {
        Lexicon::read(include_str!("judge.yaml")).unwrap();
    }

    #[test]
    fn inflected_words_have_one_stem() {
        for (one, other) in [
            ("dropping", "dropped"),
            ("approves", "approved"),
            ("engineer", "engineers"),
            ("answer", "answers"),
            ("delivery", "deliveries"),
            ("integration", "integrations"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} and {other}");
        }
        assert_eq!(stem("bus"), "bus");
        assert_eq!(stem("api"), "api");
    }
}
