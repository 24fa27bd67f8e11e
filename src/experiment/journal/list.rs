//! The experiments of a reports folder.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use super::read::Reader;
use super::{FILE, JournalError, LONGEST_LINE, Line};
use crate::experiment::record::{EndReason, Ended, Header};

/// One folder that holds a journal.
#[derive(Debug)]
pub struct Listed {
    /// The folder's name.
    pub name: String,
    /// The journal.
    pub path: PathBuf,
    /// What the journal says, or why it cannot be read.
    pub progress: Result<Progress, JournalError>,
}

/// How far an experiment has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub header: Header,
    /// Attempts recorded.
    pub attempts: u64,
    /// Attempts planned, in looks by now.
    pub planned: u64,
    /// How the last sitting ended, where that is the last line.
    pub ended: Option<EndReason>,
}

impl Progress {
    pub fn is_finished(&self) -> bool {
        // Until a look has said that it is enough, the plan may grow.
        let is_decided = self.header.looks.is_none() || self.ended == Some(EndReason::Complete);
        self.attempts >= self.planned && is_decided
    }
}

/// The experiments kept in `reports`, newest first, those that cannot be read last.
///
/// Folders without a journal are not experiments and are passed over; a missing `reports`
/// has none.
///
/// # Errors
/// [`JournalError::Io`] where `reports` itself cannot be read.
pub fn list(reports: &Path) -> Result<Vec<Listed>, JournalError> {
    let entries = match fs::read_dir(reports) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("read", reports)(error)),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(JournalError::io("read", reports))?;
        let path = entry.path().join(FILE);
        if path.is_file() {
            listed.push(Listed {
                name: entry.file_name().to_string_lossy().into_owned(),
                progress: progress(&path),
                path,
            });
        }
    }
    listed.sort_by(|one, other| {
        let created = |l: &Listed| l.progress.as_ref().ok().map(|p| p.header.created);
        let newest_first = created(other).cmp(&created(one));
        newest_first.then_with(|| one.name.cmp(&other.name))
    });
    Ok(listed)
}

/// The experiment started last, finished or not.
///
/// # Errors
/// As for [`list`].
pub fn newest(reports: &Path) -> Result<Option<Listed>, JournalError> {
    newest_where(reports, |_| true)
}

/// The experiment started last among those with cases left that `wanted` is true of.
///
/// # Errors
/// As for [`list`].
pub fn newest_unfinished(
    reports: &Path,
    wanted: impl Fn(&Header) -> bool,
) -> Result<Option<Listed>, JournalError> {
    newest_where(reports, |progress| {
        !progress.is_finished() && wanted(&progress.header)
    })
}

fn newest_where(
    reports: &Path,
    wanted: impl Fn(&Progress) -> bool,
) -> Result<Option<Listed>, JournalError> {
    Ok(list(reports)?
        .into_iter()
        .find(|listed| listed.progress.as_ref().is_ok_and(&wanted)))
}

fn progress(path: &Path) -> Result<Progress, JournalError> {
    let header = Reader::open(path)?.header().clone();
    let (attempts, ended) = count(path).map_err(JournalError::io("read", path))?;
    let planned = header.planned().unwrap_or(0);
    Ok(Progress {
        header,
        attempts,
        planned,
        ended,
    })
}

/// The attempts of a journal, without reading what is in them, and how it ends.
fn count(path: &Path) -> io::Result<(u64, Option<EndReason>)> {
    let mut file = File::open(path)?;
    if let Some(ended) = ended(&mut file)? {
        return Ok((ended.attempts, Some(ended.because)));
    }
    file.rewind()?;
    let mut input = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    let mut attempts = 0;
    loop {
        line.clear();
        let read = (&mut input)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok((attempts, None));
        }
        let whole = line.last() == Some(&b'\n');
        attempts += u64::from(whole && line.starts_with(br#"{"attempt":"#));
    }
}

/// What an orderly end left in the last line.
fn ended(file: &mut File) -> io::Result<Option<Ended>> {
    const TAIL: u64 = 64 * 1024;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let Some(lines) = tail.strip_suffix(b"\n") else {
        return Ok(None);
    };
    let last = lines.rsplit(|&byte| byte == b'\n').next().unwrap_or(lines);
    match serde_json::from_slice(last) {
        Ok(Line::<IgnoredAny, IgnoredAny>::Ended(ended)) => Ok(Some(ended)),
        // Another record, or the end of one that is longer than the tail.
        Ok(_) | Err(_) => Ok(None),
    }
}
