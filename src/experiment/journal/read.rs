//! Reads a journal from its beginning, one line in memory at a time.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::{Digest, Sha256};

use super::{JournalError, LONGEST_LINE, Ledger, Line, StoredPrompt};
use crate::experiment::grid::{Done, Grid};
use crate::experiment::record::{
    Attempt, Ended, FORMAT, FORMAT_IN_LOOKS, Grown, Header, Looks, Session,
};
use crate::judge::canary::Canaries;
use crate::message::PromptContent;

/// A journal being read. Attempts arrive in the order they finished; each is one of the
/// plan's cases, and no case arrives twice.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    header: Header,
    header_hash: String,
    grid: Grid,
    done: Done,
    prompts: HashMap<String, u64>,
    sessions: Vec<Session>,
    canaries: Vec<Canaries>,
    ended: Option<Ended>,
    ledger: Ledger,
}

/// An attempt and where it stands, for [`read_attempt`].
#[derive(Debug)]
pub struct Entry<R> {
    /// Bytes from the beginning of the file.
    pub offset: u64,
    pub attempt: Attempt<R>,
}

/// What a line after the header is of. Sittings and canaries the [`Reader`] keeps.
#[derive(Debug)]
pub(in crate::experiment) enum Record<R> {
    Session,
    /// By its hash.
    Prompt(String),
    Attempt(Box<Entry<R>>),
    Canaries,
    Grown,
    Ended(Ended),
}

impl Reader {
    /// Opens the journal at `path` and reads its header.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::NoHeader`], [`JournalError::Format`], and
    /// those of reading.
    pub fn open(path: &Path) -> Result<Reader, JournalError> {
        Reader::of(open(path)?, path)
    }

    /// The same, and as long as the reader lives nobody writes.
    ///
    /// # Errors
    /// Those of [`Reader::open`], and [`JournalError::Locked`] where somebody is writing.
    pub fn open_at_rest(path: &Path) -> Result<Reader, JournalError> {
        let file = open(path)?;
        // Shared: others may read likewise, and a writer wants the file to itself.
        file.try_lock_shared().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::Locked {
                path: path.to_owned(),
            },
            TryLockError::Error(error) => JournalError::io("lock", path)(error),
        })?;
        Reader::of(file, path)
    }

    /// Reads an open file, which must stand at its beginning.
    pub(super) fn of(file: File, path: &Path) -> Result<Reader, JournalError> {
        let mut lines = Lines::of(file, path);
        if lines.advance()?.is_none() {
            return Err(JournalError::NoHeader {
                path: path.to_owned(),
            });
        }
        if let Some(found) = lines.other_format(&[FORMAT, FORMAT_IN_LOOKS])? {
            let path = path.to_owned();
            return Err(JournalError::Format { path, found });
        }
        let mut header = match lines.parse::<Line<IgnoredAny, IgnoredAny>>()? {
            Line::Header(header) => *header,
            _ => unreachable!("its only key is `header`"),
        };
        let digest = Sha256::digest(&lines.buffer);
        if let Some(looks) = &header.looks {
            header.repeat = lines.grown()?.unwrap_or(header.repeat);
            if !(2..=Looks::MOST).contains(&looks.most)
                || !(1..=looks.most).contains(&header.repeat)
            {
                return Err(lines.corrupt("the plan takes more or fewer looks than can be"));
            }
        }
        let grid = Grid::of(&header)
            .ok_or_else(|| lines.corrupt("the header plans more attempts than can be"))?;
        if let Some(shard) = &header.shard
            && (shard.cases.len() != header.variants.len() || shard.planned() > grid.cases())
        {
            return Err(lines.corrupt("the header's shard is no part of its plan"));
        }
        Ok(Reader {
            lines,
            header,
            header_hash: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            grid,
            done: Done::default(),
            prompts: HashMap::new(),
            sessions: Vec::new(),
            canaries: Vec::new(),
            ended: None,
            ledger: Ledger::default(),
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// SHA-256 over the first line without its end, hexadecimal: tells journals apart, those
    /// of equal plans too.
    pub fn header_hash(&self) -> &str {
        &self.header_hash
    }

    /// The next attempt, its trajectory read as `R`: [`IgnoredAny`] to count,
    /// [`Run`](crate::run::Run) to show. `None` at the end, or at a torn last line; of a journal
    /// that is being written there may be more later.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] for a line that is no record of this plan.
    pub fn next_attempt<R: DeserializeOwned>(&mut self) -> Result<Option<Entry<R>>, JournalError> {
        while let Some(record) = self.next_record()? {
            if let Record::Attempt(entry) = record {
                return Ok(Some(*entry));
            }
        }
        Ok(None)
    }

    /// The next record after the header, whatever it is of; [`Reader::line`] is its text.
    ///
    /// # Errors
    /// As for [`Reader::next_attempt`].
    pub(in crate::experiment) fn next_record<R: DeserializeOwned>(
        &mut self,
    ) -> Result<Option<Record<R>>, JournalError> {
        let Some(offset) = self.lines.advance()? else {
            return Ok(None);
        };
        let record = match self.lines.parse::<Line<IgnoredAny, Attempt<R>>>()? {
            Line::Header(_) => return Err(self.lines.corrupt("a second header")),
            Line::Session(session) => {
                self.ledger.begin();
                self.sessions.push(session);
                self.ended = None;
                Record::Session
            }
            Line::Canaries(canaries) => {
                self.canaries.push(canaries);
                Record::Canaries
            }
            Line::Prompt(prompt) => {
                self.prompts.insert(prompt.hash.clone(), offset);
                Record::Prompt(prompt.hash)
            }
            Line::Grown(grown) => {
                self.grow(&grown)?;
                Record::Grown
            }
            Line::Ended(ended) => {
                self.ledger.end(&ended);
                self.ended = Some(ended.clone());
                Record::Ended(ended)
            }
            Line::Attempt(attempt) => {
                let index = self.grid.index(attempt.case.case()).ok_or_else(|| {
                    self.lines
                        .corrupt("an attempt at a case that is not planned")
                })?;
                if !self.done.insert(index) {
                    return Err(self.lines.corrupt("a second record of the same attempt"));
                }
                self.ledger.attempt(&attempt.usage);
                Record::Attempt(Box::new(Entry { offset, attempt }))
            }
        };
        Ok(Some(record))
    }

    /// The plan is at least what a line says: more than was known where somebody writes.
    fn grow(&mut self, grown: &Grown) -> Result<(), JournalError> {
        let most = self.header.looks.as_ref().map_or(0, |looks| looks.most);
        if grown.repeat > most {
            return Err(self.lines.corrupt("a plan that grows beyond its looks"));
        }
        if grown.repeat > self.header.repeat {
            self.header.repeat = grown.repeat;
            self.grid = Grid::of(&self.header)
                .ok_or_else(|| self.lines.corrupt("more attempts than can be"))?;
        }
        Ok(())
    }

    /// The line read last, without its end.
    pub(in crate::experiment) fn line(&self) -> &[u8] {
        &self.lines.buffer
    }

    /// All cases that attempts may be of.
    pub(in crate::experiment) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The attempts that are left, as an iterator that ends after the first error.
    pub fn attempts<R: DeserializeOwned>(&mut self) -> Attempts<'_, R> {
        Attempts {
            reader: Some(self),
            run: PhantomData,
        }
    }

    /// Which cases were met so far.
    pub fn done(&self) -> &Done {
        &self.done
    }

    /// What became of the canaries of each judge and panel, as far as was read.
    pub fn canaries(&self) -> &[Canaries] {
        &self.canaries
    }

    /// The sittings met so far.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// How the last sitting met so far ended; `None` where it was killed or still goes on.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// What the sittings met so far came to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The text of a prompt that an attempt read so far has named.
    ///
    /// # Errors
    /// Those of reading the file a second time.
    pub fn prompt(&self, hash: &str) -> Result<Option<PromptContent>, JournalError> {
        let Some(&offset) = self.prompts.get(hash) else {
            return Ok(None);
        };
        let path = &self.lines.path;
        let mut lines = Lines::open(path)?;
        match lines.at::<Line<PromptContent, IgnoredAny>>(offset)? {
            Line::Prompt(StoredPrompt { content, .. }) => Ok(Some(content)),
            _ => Err(not_there(path, offset)),
        }
    }

    /// Hashes of the prompts met so far.
    pub(super) fn prompts(&self) -> impl Iterator<Item = &String> {
        self.prompts.keys()
    }

    /// Bytes up to the end of the last whole line that was read.
    pub(super) fn end(&self) -> u64 {
        self.lines.next
    }

    /// The error for something wrong with the line read last.
    pub(in crate::experiment) fn corrupt(&self, reason: &str) -> JournalError {
        self.lines.corrupt(reason)
    }
}

fn open(path: &Path) -> Result<File, JournalError> {
    File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => JournalError::Missing {
            path: path.to_owned(),
        },
        _ => JournalError::io("open", path)(error),
    })
}

/// See [`Reader::attempts`].
#[derive(Debug)]
pub struct Attempts<'a, R> {
    reader: Option<&'a mut Reader>,
    run: PhantomData<R>,
}

impl<R: DeserializeOwned> Iterator for Attempts<'_, R> {
    type Item = Result<Entry<R>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.reader.as_mut()?.next_attempt().transpose();
        if !matches!(entry, Some(Ok(_))) {
            self.reader = None;
        }
        entry
    }
}

/// Reads one attempt again, at the offset that a [`Reader`] found it at.
///
/// # Errors
/// [`JournalError::Corrupt`] where no attempt stands there, and those of reading.
pub fn read_attempt<R: DeserializeOwned>(
    path: &Path,
    offset: u64,
) -> Result<Attempt<R>, JournalError> {
    Picker::open(path)?.attempt(offset)
}

/// Reads attempts again, each at the offset that a [`Reader`] found it at. Neighbours are
/// best asked for one after the other.
#[derive(Debug)]
pub struct Picker {
    lines: Lines,
}

impl Picker {
    /// # Errors
    /// Those of opening the journal.
    pub fn open(path: &Path) -> Result<Picker, JournalError> {
        let lines = Lines::open(path)?;
        Ok(Picker { lines })
    }

    /// # Errors
    /// [`JournalError::Corrupt`] where no attempt stands there, and those of reading.
    pub fn attempt<R: DeserializeOwned>(
        &mut self,
        offset: u64,
    ) -> Result<Attempt<R>, JournalError> {
        match self.lines.at::<Line<IgnoredAny, Attempt<R>>>(offset)? {
            Line::Attempt(attempt) => Ok(attempt),
            _ => Err(not_there(&self.lines.path, offset)),
        }
    }
}

fn not_there(path: &Path, offset: u64) -> JournalError {
    JournalError::Corrupt {
        path: path.to_owned(),
        line: 0,
        reason: format!("no such record at byte {offset}"),
    }
}

/// Lines of a bounded length, and where they stand.
#[derive(Debug)]
pub(in crate::experiment) struct Lines {
    input: BufReader<File>,
    path: PathBuf,
    /// The line read last, without its end.
    buffer: Vec<u8>,
    /// Whether it has no end so far, and is read on from where it broke off.
    torn: bool,
    /// Its number, from 1.
    number: u64,
    /// Offset of the line after it.
    next: u64,
}

impl Lines {
    /// Those of an open file, which must stand at its beginning.
    pub fn of(file: File, path: &Path) -> Lines {
        Lines {
            input: BufReader::with_capacity(256 * 1024, file),
            path: path.to_owned(),
            buffer: Vec::new(),
            torn: false,
            number: 0,
            next: 0,
        }
    }

    /// Those of the file at `path`.
    pub fn open(path: &Path) -> Result<Lines, JournalError> {
        Ok(Lines::of(open(path)?, path))
    }

    /// Reads the next whole line and returns its offset; `None` where there is none.
    pub fn advance(&mut self) -> Result<Option<u64>, JournalError> {
        // One huge line must not cost its size for the rest of the file.
        if !self.torn {
            self.buffer.clear();
            self.buffer.shrink_to(4 * 1024 * 1024);
        }
        (&mut self.input)
            .take(LONGEST_LINE + 1 - self.buffer.len() as u64)
            .read_until(b'\n', &mut self.buffer)
            .map_err(JournalError::io("read", &self.path))?;
        let read = self.buffer.len() as u64;
        self.torn = self.buffer.last() != Some(&b'\n');
        if !self.torn {
            self.buffer.pop();
            let offset = self.next;
            self.next += read;
            self.number += 1;
            return Ok(Some(offset));
        }
        if read > LONGEST_LINE {
            self.number += 1;
            return Err(self.corrupt("a line of more than 64 MiB"));
        }
        Ok(None)
    }

    /// The format that the header, which is the line read last, has if it is none of `known`:
    /// the beginning of its name.
    pub fn other_format(&self, known: &[&str]) -> Result<Option<String>, JournalError> {
        /// As much of a header as every version of every format has.
        #[derive(Deserialize)]
        struct AnyHeader {
            header: AnyFormat,
        }
        #[derive(Deserialize)]
        struct AnyFormat {
            format: String,
        }
        let AnyHeader { header } = self.parse()?;
        let other = !known.contains(&header.format.as_str());
        Ok(other.then(|| header.format.chars().take(80).collect()))
    }

    /// What the last line that says so among those left has the plan grow to; then they are to
    /// be read still.
    fn grown(&mut self) -> Result<Option<u32>, JournalError> {
        let (next, number, buffer) = (self.next, self.number, self.buffer.clone());
        let mut repeat = None;
        while self.advance()?.is_some() {
            if self.buffer.starts_with(br#"{"grown":"#)
                && let Line::Grown(grown) = self.parse::<Line<IgnoredAny, IgnoredAny>>()?
            {
                repeat = Some(grown.repeat);
            }
        }
        self.input
            .seek(SeekFrom::Start(next))
            .map_err(JournalError::io("read", &self.path))?;
        (self.next, self.number, self.buffer, self.torn) = (next, number, buffer, false);
        Ok(repeat)
    }

    /// The line that begins at `offset`, as it was found there before. Line numbers are lost.
    pub fn at<T: DeserializeOwned>(&mut self, offset: u64) -> Result<T, JournalError> {
        let position = self.next
            + if self.torn {
                self.buffer.len() as u64
            } else {
                0
            };
        // What is buffered stays where the line is near.
        self.input
            .seek_relative(offset.wrapping_sub(position).cast_signed())
            .map_err(JournalError::io("read", &self.path))?;
        self.torn = false;
        self.next = offset;
        match self.advance()? {
            Some(_) => self.parse().map_err(|_| not_there(&self.path, offset)),
            None => Err(not_there(&self.path, offset)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The line read last.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JournalError> {
        serde_json::from_slice(&self.buffer).map_err(|error| {
            // The position within the line is worth telling, its line (always 1) is not.
            let text = error.to_string();
            let reason = text.replace(" at line 1 column", " at byte");
            self.corrupt(&reason)
        })
    }

    /// The error for something wrong with it.
    pub fn corrupt(&self, reason: &str) -> JournalError {
        JournalError::Corrupt {
            path: self.path.clone(),
            line: self.number,
            reason: reason.to_owned(),
        }
    }
}
