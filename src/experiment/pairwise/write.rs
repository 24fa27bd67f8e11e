//! Writes what came of comparing two experiments.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{End, Header, Line, Pair};
use crate::experiment::journal::{JournalError, json_line};
use crate::judge::canary::Canaries;
use crate::redact::Redactor;

/// A file being made, under a name of its own; [`Writer::end`] puts it in its place.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    /// `None` once it is in its place.
    beside: Option<PathBuf>,
    file: BufWriter<File>,
    redactor: Arc<Redactor>,
    pairs: u64,
}

impl Writer {
    /// Begins the file that is to stand at `path`.
    ///
    /// # Errors
    /// Those of writing; likewise of the rest.
    pub fn create(
        path: &Path,
        header: &Header,
        redactor: Arc<Redactor>,
    ) -> Result<Writer, JournalError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(JournalError::io("create", folder))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = File::create(&beside).map_err(JournalError::io("create", &beside))?;
        let mut writer = Writer {
            path: path.to_owned(),
            beside: Some(beside),
            file: BufWriter::with_capacity(64 * 1024, file),
            redactor,
            pairs: 0,
        };
        writer.line(&Line::Header(header))?;
        Ok(writer)
    }

    /// Adds what became of the canaries.
    pub fn canaries(&mut self, canaries: &Canaries) -> Result<(), JournalError> {
        self.line(&Line::Canaries(canaries))
    }

    pub fn add(&mut self, pair: &Pair) -> Result<(), JournalError> {
        self.pairs += 1;
        self.line(&Line::Pair(pair))
    }

    /// Pairs that were added.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Says that nothing is missing, and puts the file in its place, on the disk.
    pub fn end(mut self, end: &End) -> Result<(), JournalError> {
        self.line(&Line::End(end))?;
        let path = self.path.clone();
        let wrong = |error| JournalError::io("write", &path)(error);
        self.file.flush().map_err(wrong)?;
        self.file.get_ref().sync_data().map_err(wrong)?;
        let beside = self.beside.take().expect("a writer ends once");
        fs::rename(&beside, &self.path).map_err(wrong)
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), JournalError> {
        let text = json_line(line, &self.redactor);
        let written = self.file.write_all(text.as_bytes());
        written.map_err(JournalError::io("write", &self.path))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Half of it is none; where it cannot be removed, nobody reads it either.
            let _ = fs::remove_file(beside);
        }
    }
}
