//! Where the attempts of a journal stand that may be compared.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::email::Triage;
use crate::experiment::journal::{FILE, JournalError, Reader};
use crate::experiment::record::{CaseKind, Header};

/// Which of a variant's attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub position: u32,
    pub repeat: u32,
}

/// Attempts at emails that want a reply, by where they stand in their journal. As long as it
/// lives nobody writes there.
#[derive(Debug)]
pub struct Places {
    path: PathBuf,
    reader: Reader,
    /// By variant, in the order of the plan: bytes from the beginning of the file.
    attempts: Vec<BTreeMap<Place, u64>>,
    examples: BTreeMap<u32, String>,
    positions: HashMap<String, u32>,
}

impl Places {
    /// Goes through the journal in `folder`.
    ///
    /// # Errors
    /// Those of reading, and [`JournalError::Locked`] where somebody is writing.
    pub fn read(folder: &Path) -> Result<Places, JournalError> {
        let path = folder.join(FILE);
        let mut reader = Reader::open_at_rest(&path)?;
        let mut attempts = vec![BTreeMap::new(); reader.header().variants.len()];
        let (mut examples, mut positions) = (BTreeMap::new(), HashMap::new());
        while let Some(entry) = reader.next_attempt::<IgnoredAny>()? {
            let attempt = entry.attempt;
            // No mail where none was wanted is no loss.
            let wants_reply = attempt.expected == Some(Triage::Respond);
            if attempt.kind != CaseKind::Example || !wants_reply {
                continue;
            }
            let case = attempt.case;
            let place = Place {
                position: case.position,
                repeat: case.repeat,
            };
            // Where ids are alike once their secrets are gone, the first has the name.
            let position = *positions
                .entry(case.example.clone())
                .or_insert(case.position);
            if position == case.position {
                examples.insert(position, case.example);
                attempts[case.variant as usize].insert(place, entry.offset);
            }
        }
        Ok(Places {
            path,
            reader,
            attempts,
            examples,
            positions,
        })
    }

    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// As of [`Reader::header_hash`].
    pub fn header_hash(&self) -> &str {
        self.reader.header_hash()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Those of one variant, in the order of the plan, and where they stand.
    pub(super) fn attempts(&self, variant: u32) -> impl Iterator<Item = (Place, u64)> {
        let attempts = self.attempts[variant as usize].iter();
        attempts.map(|(place, offset)| (*place, *offset))
    }

    /// The example at a position that an attempt was made at.
    pub(super) fn example(&self, position: u32) -> &str {
        &self.examples[&position]
    }

    pub(super) fn offset(&self, variant: u32, example: &str, repeat: u32) -> Option<u64> {
        let position = *self.positions.get(example)?;
        let place = Place { position, repeat };
        self.attempts[variant as usize].get(&place).copied()
    }

    pub(super) fn unknown(&self, example: &str) -> JournalError {
        let reason = format!("an attempt at `{example}`, which is no example of the dataset");
        self.reader.corrupt(&reason)
    }
}
