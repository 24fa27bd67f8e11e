//! The file of what is accepted: one for a variant, one block for an example, line by line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Ways;
use super::argument::shown;
use super::snapshot::Snapshot;

/// Format of the file; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.snapshots/1";

/// The most bytes of a file that are read: a hundred thousand examples need a tenth.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Before a line of a snapshot.
const INDENT: &str = "    ";
/// Between the ways in which an example may be handled.
const OR: &str = "  or";
/// The last of more ways than are told apart.
const OR_OTHERS: &str = "  or others";
/// What git leaves in a file whose merge failed.
const CONFLICT: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// The behaviour of one variant that somebody accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshots {
    /// As [`key`] writes it.
    variant: String,
    /// By the example's [`key`].
    examples: BTreeMap<String, Ways>,
}

/// Why a file of snapshots cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has more than {} MiB: no file of snapshots is that large", path.display(), LARGEST >> 20)]
    TooLarge { path: PathBuf },
    #[error(
        "{} has the format `{found}`, and this version reads `{FORMAT}`: use the version that wrote it",
        path.display()
    )]
    Format { path: PathBuf, found: String },
    #[error("{}:{line}: {reason}; mend it, take it back from git, or let `mailproof accept` write it anew", path.display())]
    Malformed {
        path: PathBuf,
        /// From 1.
        line: usize,
        reason: String,
    },
    #[error("{} holds the behaviour of `{found}`, not of `{wanted}`", path.display())]
    OtherVariant {
        path: PathBuf,
        found: String,
        wanted: String,
    },
}

/// An id, or a variant's name, as the file has it: it begins a line.
pub(super) fn key(name: &str) -> String {
    let key = shown(name, usize::MAX);
    match key.strip_prefix(' ') {
        // Names of another day may begin so; a line that does is no id.
        Some(rest) => format!("\\u{{20}}{rest}"),
        None => key,
    }
}

impl Snapshots {
    /// Nothing accepted so far.
    pub fn new(variant: &str) -> Snapshots {
        Snapshots {
            variant: key(variant),
            examples: BTreeMap::new(),
        }
    }

    /// Those in the file at `path`, which are of `variant`; `None` where there is no file.
    ///
    /// # Errors
    /// [`SnapshotError`]; the file is never passed over.
    pub fn open(path: &Path, variant: &str) -> Result<Option<Snapshots>, SnapshotError> {
        let fails = |source| SnapshotError::Read {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fails(error)),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(fails)?;
        if bytes.len() as u64 > LARGEST {
            return Err(SnapshotError::TooLarge {
                path: path.to_owned(),
            });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            SnapshotError::Malformed {
                path: path.to_owned(),
                line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
                reason: "this line is no UTF-8 text".to_owned(),
            }
        })?;
        let snapshots = Snapshots::parse(path, &text)?;
        if snapshots.variant != key(variant) {
            return Err(SnapshotError::OtherVariant {
                path: path.to_owned(),
                found: snapshots.variant,
                wanted: key(variant),
            });
        }
        Ok(Some(snapshots))
    }

    /// Reads the text of a file; `path` is what errors call it.
    ///
    /// # Errors
    /// [`SnapshotError::Format`] and [`SnapshotError::Malformed`].
    pub fn parse(path: &Path, text: &str) -> Result<Snapshots, SnapshotError> {
        let malformed = |line: usize, reason: &str| SnapshotError::Malformed {
            path: path.to_owned(),
            line,
            reason: reason.to_owned(),
        };
        let mut lines = text.lines().map(str::trim_end).zip(1..);
        let (format, _) = lines.next().unwrap_or_default();
        if format != FORMAT {
            return Err(SnapshotError::Format {
                path: path.to_owned(),
                found: shown(format, 80),
            });
        }
        let (second, at) = lines.next().unwrap_or(("", 2));
        let variant = second.strip_prefix("variant: ");
        let variant = variant.ok_or_else(|| malformed(at, "here should be `variant: `"))?;
        let mut snapshots = Snapshots {
            variant: key(variant),
            examples: BTreeMap::new(),
        };
        let mut block: Option<Block> = None;
        for (line, at) in lines.filter(|(line, _)| !line.is_empty()) {
            if CONFLICT.iter().any(|mark| line.starts_with(mark)) {
                return Err(malformed(at, "a merge has left both sides here"));
            }
            if !line.starts_with(' ') {
                if let Some(block) = block.take() {
                    snapshots
                        .take(block)
                        .map_err(|(at, why)| malformed(at, why))?;
                }
                block = Some(Block::new(line, at));
                continue;
            }
            let Some(block) = &mut block else {
                return Err(malformed(at, "a line that belongs to no example"));
            };
            if line == OR {
                block.end_way().map_err(|why| malformed(at, why))?;
            } else if line == OR_OTHERS {
                block.ways.others = true;
            } else if let Some(line) = line.strip_prefix(INDENT) {
                block.way.push(line);
            } else {
                return Err(malformed(
                    at,
                    "neither an example, nor a line of one, nor `  or`",
                ));
            }
        }
        if let Some(block) = block {
            snapshots
                .take(block)
                .map_err(|(at, why)| malformed(at, why))?;
        }
        Ok(snapshots)
    }

    /// The accepted ways of handling an example, by its [`key`].
    pub(super) fn get(&self, key: &str) -> Option<&Ways> {
        self.examples.get(key)
    }

    /// Accepts these ways of handling an example, in the place of those before.
    pub fn accept(&mut self, id: &str, ways: Ways) {
        self.examples.insert(key(id), ways);
    }

    /// How many examples have an accepted behaviour.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The ids of those examples, as the file has them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.examples.keys().map(String::as_str)
    }

    /// The text of the file.
    pub fn render(&self) -> String {
        let mut text = format!("{FORMAT}\nvariant: {}\n", self.variant);
        for (id, ways) in &self.examples {
            text.push_str(&format!("\n{id}\n"));
            for (number, way) in ways.iter().enumerate() {
                if number > 0 {
                    text.push_str(&format!("{OR}\n"));
                }
                for line in way.as_str().lines() {
                    text.push_str(&format!("{INDENT}{line}\n"));
                }
            }
            if ways.has_others() {
                text.push_str(&format!("{OR_OTHERS}\n"));
            }
        }
        text
    }

    fn take(&mut self, mut block: Block<'_>) -> Result<(), (usize, &'static str)> {
        let at = block.at;
        block.end_way().map_err(|why| (at, why))?;
        match self.examples.insert(key(block.id), block.ways) {
            Some(_) => Err((at, "an example that was there before")),
            None => Ok(()),
        }
    }
}

/// What was read of an example so far.
struct Block<'a> {
    id: &'a str,
    at: usize,
    ways: Ways,
    way: Vec<&'a str>,
}

impl<'a> Block<'a> {
    fn new(id: &'a str, at: usize) -> Block<'a> {
        Block {
            id,
            at,
            ways: Ways::default(),
            way: Vec::new(),
        }
    }

    fn end_way(&mut self) -> Result<(), &'static str> {
        if self.way.is_empty() {
            return Err("an example without what was done about it");
        }
        self.ways.insert(Snapshot::from_lines(&self.way));
        self.way.clear();
        Ok(())
    }
}
