//! Rules of somebody's own, in the place of embedded ones.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::book::{Book, BookError, Cue, Fact, FactRule, Points, book};

/// A file of rules larger than this is something else.
const MOST_BYTES: u64 = 1 << 20;

/// What the embedded model goes by: its own rules, or these with some replaced by a file.
///
/// Judges go by the embedded rules whatever a file says, so that the measure does not move with
/// what it measures.
#[derive(Clone, Default)]
pub struct Rulebook(Option<Replaced>);

#[derive(Clone)]
struct Replaced {
    book: &'static Book,
    /// SHA-256 over the file, hexadecimal.
    hash: String,
}

/// What a file may say; all else stays as it is embedded.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Replacements {
    pub bias: Option<Points>,
    pub damping: Option<f64>,
    pub facts: BTreeMap<Fact, FactRule>,
    /// Each takes the place of the embedded one of its name, or joins them.
    pub cues: Vec<Cue>,
}

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulebookError {
    #[error("cannot read rules `{}`: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("rules `{}` are larger than 1 MiB", path.display())]
    TooLarge { path: PathBuf },
    #[error("rules `{}`: {reason}", path.display())]
    Invalid { path: PathBuf, reason: String },
}

impl Rulebook {
    /// The embedded rules with those of a file in their place.
    ///
    /// # Errors
    /// [`RulebookError`].
    pub fn read(path: &Path) -> Result<Rulebook, RulebookError> {
        let unreadable = |source| RulebookError::Read {
            path: path.to_owned(),
            source,
        };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
            return Err(RulebookError::TooLarge {
                path: path.to_owned(),
            });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Rulebook::parse(&text).map_err(|error| RulebookError::Invalid {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    fn parse(text: &str) -> Result<Rulebook, BookError> {
        let replaced = Book::replaced(text)?;
        let digest = Sha256::digest(text);
        Ok(Rulebook(Some(Replaced {
            // A process reads one, and models that go by it live as long.
            book: Box::leak(Box::new(replaced)),
            hash: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })))
    }

    /// Tells what a file said, hexadecimal; `None` for the embedded rules.
    pub fn hash(&self) -> Option<&str> {
        self.0.as_ref().map(|replaced| replaced.hash.as_str())
    }

    pub(super) fn book(&self) -> &'static Book {
        self.0.as_ref().map_or_else(book, |replaced| replaced.book)
    }
}

impl PartialEq for Rulebook {
    fn eq(&self, other: &Rulebook) -> bool {
        self.hash() == other.hash()
    }
}

impl fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rulebook({})", self.hash().unwrap_or("embedded"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_takes_the_place_of_what_is_embedded() {
        let embedded = book();
        let text = "bias: { notify: 2 }\nfacts:\n  question: { says: asks, points: { respond: 0 } }\ncues:\n  - { name: group address, says: went to many, in: [to], phrases: [all] }\n  - { name: own, says: is ours, phrases: [ours] }\n";
        let book = Rulebook::parse(text).unwrap();
        let replaced = book.book();
        assert_eq!(replaced.bias.notify, 2.0);
        assert_eq!(replaced.damping, embedded.damping);
        assert_eq!(replaced.facts[&Fact::Question].points.respond, 0.0);
        assert_eq!(replaced.facts.len(), embedded.facts.len());
        let says =
            |book: &Book| -> Vec<String> { book.cues.iter().map(|cue| cue.says.clone()).collect() };
        let mut expected = says(embedded);
        for says in &mut expected {
            if says == "went to a group" {
                *says = "went to many".to_owned();
            }
        }
        expected.push("is ours".to_owned());
        assert_eq!(says(replaced), expected);
        assert_ne!(book, Rulebook::default());
        assert_eq!(book, Rulebook::parse(text).unwrap());
        assert_ne!(book, Rulebook::parse("damping: 0.25").unwrap());
    }

    #[test]
    fn a_mistake_in_rules_is_told() {
        for (text, wrong) in [
            ("cue: []", "unknown field `cue`"),
            ("facts: { questoin: { says: x, points: {} } }", "questoin"),
            ("cues: [{ name: x, says: y, phrases: [\"\"] }]", ""),
            (
                "cues: [{ name: x, says: y }, { name: x, says: y }]",
                "two cues `x`",
            ),
            ("damping: much", ""),
        ] {
            let error = Rulebook::parse(text).expect_err(text).to_string();
            assert!(error.contains(wrong), "{text}: {error}");
        }
        let missing = Rulebook::read(Path::new("nowhere.yaml")).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("cannot read rules `nowhere.yaml`")
        );
    }
}
