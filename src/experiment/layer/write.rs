//! Writes a layer: one process, one line at a time.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::{End, FOLDER, Header, LayerError, Line, Scores, list, path};
use crate::experiment::journal::{JournalError, json_line};
use crate::judge::canary::Canaries;
use crate::redact::Redactor;

/// A layer being made. It counts once [`Writer::end`] was called.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    number: u32,
    file: BufWriter<File>,
    redactor: Arc<Redactor>,
    attempts: u64,
}

impl Writer {
    /// Begins the next layer of the experiment in `folder`. Its number is found here,
    /// whatever the header says.
    ///
    /// # Errors
    /// Those of writing.
    pub fn create(
        folder: &Path,
        header: &Header,
        redactor: Arc<Redactor>,
    ) -> Result<Writer, LayerError> {
        let layers = folder.join(FOLDER);
        fs::create_dir_all(&layers).map_err(JournalError::io("create", &layers))?;
        let mut number = list(folder)?.last().map_or(1, |last| last + 1);
        let (path, file) = loop {
            let path = path(folder, number);
            match File::create_new(&path) {
                Ok(file) => break (path, file),
                // Somebody else makes one, too.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(JournalError::io("create", &path)(error).into()),
            }
        };
        let mut writer = Writer {
            path,
            number,
            file: BufWriter::with_capacity(256 * 1024, file),
            redactor,
            attempts: 0,
        };
        let header = Header {
            number,
            ..header.clone()
        };
        writer.line::<()>(&Line::Header(Box::new(header)))?;
        writer.flush()?;
        Ok(writer)
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Attempts whose scores were added.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Adds what became of the canaries of a judge.
    ///
    /// # Errors
    /// Those of writing; likewise of the next two.
    pub fn canaries(&mut self, canaries: Canaries) -> Result<(), LayerError> {
        self.line::<()>(&Line::Canaries(canaries))
    }

    /// Adds the scores of the journal's next attempt.
    pub fn add(&mut self, scores: &Scores) -> Result<(), LayerError> {
        self.attempts += 1;
        self.line(&Line::Attempt(scores))
    }

    /// Says that the layer is complete; it is on the disk when this returns.
    pub fn end(mut self, end: End) -> Result<(), LayerError> {
        self.flush()?;
        // What the last line promises must not be lost where the line is not.
        self.sync()?;
        self.line::<()>(&Line::End(end))?;
        self.flush()?;
        self.sync()
    }

    fn line<A: Serialize>(&mut self, line: &Line<A>) -> Result<(), LayerError> {
        let text = json_line(line, &self.redactor);
        let written = self.file.write_all(text.as_bytes());
        Ok(written.map_err(JournalError::io("write", &self.path))?)
    }

    fn flush(&mut self) -> Result<(), LayerError> {
        let flushed = self.file.flush();
        Ok(flushed.map_err(JournalError::io("write", &self.path))?)
    }

    fn sync(&self) -> Result<(), LayerError> {
        let synced = self.file.get_ref().sync_data();
        Ok(synced.map_err(JournalError::io("write", &self.path))?)
    }
}
