//! One file of a recording: where in it which call stands.
//!
//! What is kept in memory of an entry is its place, some 60 bytes; texts are read when they
//! are wanted.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::RecordError;
use super::entry::Entry;
use super::key::Key;

/// The longest line that is read, in bytes: a bound on what a broken file can make us hold.
pub const LONGEST_LINE: u64 = 64 << 20;

/// Where an entry stands, and what it is sorted by.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub key: Key,
    /// Index into [`Index::cases`].
    pub case: u32,
    pub attempt: u32,
    pub vote: u32,
    pub call: u32,
    offset: u64,
    bytes: u32,
    /// From 1.
    line: u32,
}

impl Place {
    /// From 1.
    pub fn line(&self) -> u32 {
        self.line
    }
}

/// The entries of one file.
#[derive(Debug)]
pub struct Index {
    pub path: PathBuf,
    file: Mutex<File>,
    /// By key, then in the order of the file.
    places: Vec<Place>,
    cases: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// As much of an entry as its place needs.
#[derive(Deserialize)]
struct Head {
    case: String,
    attempt: u32,
    #[serde(default)]
    vote: u32,
    call: u32,
    key: Key,
}

impl Index {
    /// Reads the file at `path`; `None` where there is none. With `torn`, a last line
    /// without its end is left out: it was being written when its process died.
    pub fn open(path: &Path, torn: bool) -> Result<Option<Index>, RecordError> {
        let Some(mut lines) = Lines::open(path, torn)? else {
            return Ok(None);
        };
        let file = File::open(path).map_err(RecordError::io("open", path))?;
        let mut index = Index {
            path: path.to_owned(),
            file: Mutex::new(file),
            places: Vec::new(),
            cases: Vec::new(),
            numbers: HashMap::new(),
        };
        while let Some(line) = lines.advance()? {
            let head: Head = lines.parse()?;
            let case = index.number(head.case);
            index.places.push(Place {
                key: head.key,
                case,
                attempt: head.attempt,
                vote: head.vote,
                call: head.call,
                offset: line.offset,
                bytes: line.bytes,
                line: line.number,
            });
        }
        // Stable: of equal keys the first in the file stays first.
        index.places.sort_by_key(|place| place.key);
        Ok(Some(index))
    }

    fn number(&mut self, case: String) -> u32 {
        let next = self.cases.len() as u32;
        *self.numbers.entry(case).or_insert_with_key(|case| {
            self.cases.push(case.clone());
            next
        })
    }

    pub fn case(&self, place: &Place) -> &str {
        &self.cases[place.case as usize]
    }

    /// Where an entry stands, for people: `FILE:LINE`.
    pub fn at(&self, place: &Place) -> String {
        format!("{}:{}", self.path.display(), place.line)
    }

    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The entry of this key: the case's own, else the first in the order of the file.
    pub fn find(&self, key: Key, case: &str) -> Option<&Place> {
        let from = self.places.partition_point(|place| place.key < key);
        let same = &self.places[from..];
        let same = &same[..same.partition_point(|place| place.key == key)];
        let own = self.numbers.get(case);
        let own = own.and_then(|own| same.iter().find(|place| place.case == *own));
        own.or(same.first())
    }

    /// # Errors
    /// The line is no entry, or the file was changed since it was opened.
    pub fn entry(&self, place: &Place) -> Result<Entry, RecordError> {
        let entry: Entry = self.parse(&self.line(place)?, place)?;
        if entry.key != place.key {
            let reason = "another entry than when the recording was opened".to_owned();
            return Err(corrupt(&self.path, place.line, reason));
        }
        Ok(entry)
    }

    /// The text of an entry as a value.
    pub fn parse<T: DeserializeOwned>(&self, line: &[u8], place: &Place) -> Result<T, RecordError> {
        parse(line, &self.path, place.line)
    }

    /// The text of an entry, without the end of its line.
    pub fn line(&self, place: &Place) -> Result<Vec<u8>, RecordError> {
        let mut line = vec![0; place.bytes as usize];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut line))
            .map_err(RecordError::io("read", &self.path))?;
        Ok(line)
    }
}

/// Where a line stands.
pub struct Line {
    offset: u64,
    bytes: u32,
    number: u32,
}

/// Reads a file one line in memory at a time.
pub struct Lines {
    input: BufReader<File>,
    path: PathBuf,
    torn: bool,
    buffer: Vec<u8>,
    number: u32,
    next: u64,
}

impl Lines {
    pub fn open(path: &Path, torn: bool) -> Result<Option<Lines>, RecordError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RecordError::io("open", path)(error)),
        };
        Ok(Some(Lines {
            input: BufReader::with_capacity(256 * 1024, file),
            path: path.to_owned(),
            torn,
            buffer: Vec::new(),
            number: 0,
            next: 0,
        }))
    }

    /// Goes to the next line; `None` at the end.
    pub fn advance(&mut self) -> Result<Option<Line>, RecordError> {
        self.buffer.clear();
        let mut limited = (&mut self.input).take(LONGEST_LINE + 1);
        let read = limited
            .read_until(b'\n', &mut self.buffer)
            .map_err(RecordError::io("read", &self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let ended = self.buffer.last() == Some(&b'\n');
        if !ended && self.buffer.len() as u64 > LONGEST_LINE {
            return Err(self.corrupt("the line is longer than 64 MiB".to_owned()));
        }
        if !ended && self.torn {
            return Ok(None);
        }
        if ended {
            self.buffer.pop();
        }
        let offset = self.next;
        self.next += read as u64;
        Ok(Some(Line {
            offset,
            bytes: self.buffer.len() as u32,
            number: self.number,
        }))
    }

    /// The line as a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, RecordError> {
        parse(&self.buffer, &self.path, self.number)
    }

    fn corrupt(&self, reason: String) -> RecordError {
        corrupt(&self.path, self.number, reason)
    }
}

fn parse<T: DeserializeOwned>(line: &[u8], path: &Path, number: u32) -> Result<T, RecordError> {
    serde_json::from_slice(line).map_err(|error| {
        // Every line of ours is one line of JSON: serde's own line number says nothing.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        corrupt(path, number, format!("column {}: {reason}", error.column()))
    })
}

fn corrupt(path: &Path, line: u32, reason: String) -> RecordError {
    RecordError::Corrupt {
        path: path.to_owned(),
        line,
        reason,
    }
}
