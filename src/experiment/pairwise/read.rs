//! Reads what came of comparing two experiments, one pair in memory at a time.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{End, FORMAT, Header, Pair};
use crate::experiment::journal::{JournalError, Lines};

/// A file of pairs being read.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    header: Header,
    pairs: u64,
    ended: bool,
}

/// Why a file of pairs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PairwiseError {
    #[error("{} does not exist: `mailproof rescore` with `--against` makes it", path.display())]
    Missing { path: PathBuf },
    #[error("{} is not whole: `mailproof rescore` with `--against` makes it again", path.display())]
    Incomplete { path: PathBuf },
    #[error(
        "{} has the format `{found}`, and this version reads `{FORMAT}`: use the version that wrote it",
        path.display()
    )]
    Format { path: PathBuf, found: String },
    #[error(transparent)]
    File(#[from] JournalError),
}

/// One line of the file.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header(Box<Header>),
    Canaries(IgnoredAny),
    Pair(Box<Pair>),
    End(End),
}

impl Reader {
    /// Opens the file at `path`, which is [`super::path`]'s, and reads its header.
    ///
    /// # Errors
    /// See [`PairwiseError`].
    pub fn open(path: &Path) -> Result<Reader, PairwiseError> {
        let mut lines = Lines::open(path).map_err(|error| match error {
            JournalError::Missing { path } => PairwiseError::Missing { path },
            error => error.into(),
        })?;
        let incomplete = || PairwiseError::Incomplete {
            path: path.to_owned(),
        };
        lines.advance()?.ok_or_else(incomplete)?;
        if let Some(found) = lines.other_format(&[FORMAT])? {
            let path = path.to_owned();
            return Err(PairwiseError::Format { path, found });
        }
        let header = match lines.parse()? {
            Line::Header(header) => *header,
            _ => unreachable!("its only key is `header`"),
        };
        Ok(Reader {
            lines,
            header,
            pairs: 0,
            ended: false,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next pair; `None` at the end, which says that nothing is missing.
    ///
    /// # Errors
    /// See [`PairwiseError`].
    pub fn next_pair(&mut self) -> Result<Option<Pair>, PairwiseError> {
        while !self.ended && self.lines.advance()?.is_some() {
            match self.lines.parse()? {
                Line::Header(_) => return Err(self.lines.corrupt("a second header").into()),
                Line::Canaries(_) => {}
                Line::Pair(pair) if (pair.variants as usize) < self.header.variants.len() => {
                    self.pairs += 1;
                    return Ok(Some(*pair));
                }
                Line::Pair(_) => {
                    let reason = "a pair of variants that the header does not have";
                    return Err(self.lines.corrupt(reason).into());
                }
                Line::End(end) if end.pairs != self.pairs => {
                    let reason = format!("the end of {} pairs, after {}", end.pairs, self.pairs);
                    return Err(self.lines.corrupt(&reason).into());
                }
                Line::End(_) => self.ended = true,
            }
        }
        match self.ended {
            true => Ok(None),
            false => Err(PairwiseError::Incomplete {
                path: self.lines.path().to_owned(),
            }),
        }
    }
}
