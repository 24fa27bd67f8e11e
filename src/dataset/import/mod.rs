//! Other tools' records to examples.
//!
//! Every record is mapped as a whole or listed as unmapped with the reasons; what the
//! format has no place for is listed by key. What is written has passed the validator
//! that loads it again.

mod assemble;
mod calls;
mod chat;
mod criteria;
mod csv;
mod email;
mod record;
mod source;

use std::collections::{BTreeMap, HashMap};
use std::convert::identity;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;
use thiserror::Error;

use super::error::{LoadErrors, Problem};
use super::read::{self, Format, Limits};
use super::resolve::Record;
use super::tree::{Node, Position};
use super::validate::Validator;
use super::{hash, json, write};

pub use assemble::Assembly;
pub use email::{EmailError, email_from_bytes};
use record::Mapped;

/// Which tool's records a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Each record by its own keys.
    #[default]
    Auto,
    /// One map with the email's keys, its label, and what is expected.
    Workshop,
    /// `inputs`, `outputs`, `metadata`, `split`.
    Langsmith,
    /// `messages`, the email in the first of the user's.
    OpenaiChat,
    /// A table whose header has the keys.
    Csv,
}

impl Shape {
    pub const ALL: [Shape; 5] = [
        Shape::Auto,
        Shape::Workshop,
        Shape::Langsmith,
        Shape::OpenaiChat,
        Shape::Csv,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Auto => "auto",
            Shape::Workshop => "workshop",
            Shape::Langsmith => "langsmith",
            Shape::OpenaiChat => "openai-chat",
            Shape::Csv => "csv",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown shape `{0}`: use `auto`, `workshop`, `langsmith`, `openai-chat`, or `csv`")]
pub struct UnknownShape(pub String);

impl FromStr for Shape {
    type Err = UnknownShape;

    fn from_str(text: &str) -> Result<Self, UnknownShape> {
        Shape::ALL
            .into_iter()
            .find(|shape| shape.name() == text)
            .ok_or_else(|| UnknownShape(text.to_owned()))
    }
}

/// What became of the records of a file.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// Records met.
    pub records: usize,
    /// Records written as examples.
    pub mapped: usize,
    /// Records that could not be mapped: the first [`UNMAPPED_KEPT`] of them.
    pub unmapped: Vec<Unmapped>,
    /// Keys that the format has no place for, with the number of mapped records that had them.
    pub left_out_keys: BTreeMap<String, usize>,
    /// What was filled in or changed, with the number of mapped records it happened to.
    pub notes: BTreeMap<String, usize>,
}

impl ImportReport {
    pub fn is_complete(&self) -> bool {
        self.mapped == self.records
    }
}

/// The numbers, then a line for each record, key, and change that a reader should know of.
impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} records mapped", self.mapped, self.records)?;
        for unmapped in &self.unmapped {
            write!(f, "\nnot mapped: {unmapped}")?;
        }
        let more = self.records - self.mapped - self.unmapped.len();
        if more > 0 {
            write!(f, "\nnot mapped: {more} more records")?;
        }
        for (key, count) in &self.left_out_keys {
            write!(f, "\nleft out: {key} ({count})")?;
        }
        for (note, count) in &self.notes {
            write!(f, "\nnote: {note} ({count})")?;
        }
        Ok(())
    }
}

/// How many unmapped records a report describes; beyond that it only counts.
pub const UNMAPPED_KEPT: usize = 1000;

/// How many different keys a report tells apart.
const KEYS_KEPT: usize = 1000;

/// Values that a JSON map which holds the list of records may have in all.
const FILE_VALUES: usize = 10_000_000;

/// A record that is not in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Counts from 1, in the order of the file.
    pub record: usize,
    pub at: Position,
    pub reasons: Vec<String>,
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.at.line;
        let reasons = self.reasons.join("; ");
        write!(f, "record {} (line {line}): {reasons}", self.record)
    }
}

/// Why nothing could be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "cannot write {0}: the output's name must end in `.yaml`, `.yml`, `.jsonl`, or `.ndjson`"
    )]
    OutputExtension(PathBuf),
    #[error("{path}:{line}: {problem}", line = at.line)]
    Unreadable {
        path: PathBuf,
        at: Position,
        problem: Problem,
    },
    #[error("what was mapped is no dataset\n{0}")]
    Invalid(LoadErrors),
}

/// Maps the records of one file and writes those that could be mapped, as YAML or JSONL by
/// the output's extension. The output appears complete or not at all; it is not written
/// when no record could be mapped.
///
/// # Errors
/// When a file cannot be read or written, or the input has no records to speak of. A record that
/// cannot be mapped is no error: see [`ImportReport::is_complete`].
pub fn import_file(
    input: &Path,
    shape: Shape,
    output: &Path,
    limits: &Limits,
) -> Result<ImportReport, ImportError> {
    let format = format_of(output)?;
    let unread = |source| ImportError::Read {
        path: input.to_owned(),
        source,
    };
    let unwritten = |source| ImportError::Write {
        path: output.to_owned(),
        source,
    };
    let file = File::open(input).map_err(unread)?;

    let unfinished = unfinished(output);
    let written = File::create_new(&unfinished).map_err(unwritten)?;
    let mut importing = Importing::new(limits, format, BufWriter::new(written));
    let result = importing
        .file(input, file, shape)
        .and_then(|()| importing.finish().map_err(unwritten))
        .and_then(|report| {
            if report.mapped > 0 {
                fs::rename(&unfinished, output).map_err(unwritten)?;
            }
            Ok(report)
        });
    // There is nothing left to remove after the renaming, and nothing to do about a failure.
    let _ = fs::remove_file(&unfinished);
    result
}

/// The format of a dataset that is to be written.
fn format_of(output: &Path) -> Result<Format, ImportError> {
    output
        .extension()
        .and_then(|extension| Format::of_extension(&extension.to_string_lossy()))
        .filter(|format| *format != Format::Json)
        .ok_or_else(|| ImportError::OutputExtension(output.to_owned()))
}

/// The output's name while it is written: in the same folder, so that renaming is atomic.
fn unfinished(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    output.with_file_name(name)
}

struct Importing<'a, W> {
    limits: &'a Limits,
    format: Format,
    output: W,
    /// The first failure to write; nothing is written after it.
    failed: Option<io::Error>,
    validator: Validator,
    /// With the last number put behind each.
    ids: HashMap<String, usize>,
    report: ImportReport,
}

impl<'a, W: Write> Importing<'a, W> {
    fn new(limits: &'a Limits, format: Format, output: W) -> Self {
        Importing {
            limits,
            format,
            output,
            failed: None,
            validator: Validator::default(),
            ids: HashMap::new(),
            report: ImportReport::default(),
        }
    }

    fn finish(&mut self) -> io::Result<ImportReport> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => {
                self.output.flush()?;
                Ok(std::mem::take(&mut self.report))
            }
        }
    }

    fn file(&mut self, path: &Path, reader: impl Read, shape: Shape) -> Result<(), ImportError> {
        let unread = |source| ImportError::Read {
            path: path.to_owned(),
            source,
        };
        let unreadable = |(at, problem)| ImportError::Unreadable {
            path: path.to_owned(),
            at,
            problem,
        };
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let limits = self.limits;
        let table = shape == Shape::Csv || matches!(extension.as_str(), "csv" | "tsv");
        match Format::of_extension(&extension) {
            Some(format @ (Format::Yaml | Format::Jsonl)) if !table => {
                read::records(reader, format, limits, identity, &mut |at, record| {
                    self.node(at, record, shape);
                })
                .map_err(unread)?;
            }
            _ => {
                let text = read::text(reader, limits.file_bytes)
                    .map_err(unread)?
                    .map_err(unreadable)?;
                if table {
                    let shape = if shape == Shape::Csv {
                        Shape::Auto
                    } else {
                        shape
                    };
                    csv::rows(&text, &mut |at, row| self.value(at, row, shape))
                        .map_err(unreadable)?;
                } else {
                    self.json(&text, shape).map_err(unreadable)?;
                }
            }
        }
        if self.report.records == 0 {
            return Err(unreadable((Position::START, Problem::NoRecords)));
        }
        Ok(())
    }

    /// JSON of any kind: a list, a map that holds the list, one record, or one a line.
    fn json(&mut self, text: &str, shape: Shape) -> Result<(), (Position, Problem)> {
        let limits = self.limits;
        if !text.trim_start().starts_with('{') {
            json::read_list(text, limits, &mut |at, record| self.node(at, record, shape));
            return Ok(());
        }
        let (first, rest) = text.trim().split_once('\n').unwrap_or((text, ""));
        let a_record_a_line =
            !rest.is_empty() && json::read_value(first, Position::START, limits).is_ok();
        if a_record_a_line {
            let mut one = |at, record| self.node(at, record, shape);
            let read = read::records(text.as_bytes(), Format::Jsonl, limits, identity, &mut one);
            read.expect("memory can be read");
            return Ok(());
        }
        let whole = Limits {
            record_values: FILE_VALUES,
            ..limits.clone()
        };
        match source::wrapped(json::read_value(text, Position::START, &whole)?) {
            Ok(nodes) => {
                for node in nodes {
                    self.node(node.at, Ok(node), shape);
                }
            }
            Err(node) => self.node(node.at, Ok(node), shape),
        }
        Ok(())
    }

    fn node(&mut self, at: Position, record: Result<Node, Problem>, shape: Shape) {
        let value = record
            .map(Node::into_json)
            .map_err(|problem| vec![problem.to_string()]);
        self.value(at, value, shape);
    }

    fn value(&mut self, at: Position, record: Result<Value, Vec<String>>, shape: Shape) {
        self.report.records += 1;
        let mapped = record.and_then(|record| self.map(at, record, shape));
        if let Err(reasons) = mapped
            && self.report.unmapped.len() < UNMAPPED_KEPT
        {
            let record = self.report.records;
            self.report.unmapped.push(Unmapped {
                record,
                at,
                reasons,
            });
        }
    }

    fn map(&mut self, at: Position, record: Value, shape: Shape) -> Result<(), Vec<String>> {
        let mapped = record::map(record, shape)?;
        self.write(at, mapped)
    }

    fn write(&mut self, at: Position, mut mapped: Mapped) -> Result<(), Vec<String>> {
        let id = match mapped.id.take() {
            Some(id) => self.free_id(id, &mut mapped.notes),
            None => {
                mapped.notes.push("id made from the content".to_owned());
                let id = format!(
                    "email-{}",
                    &hash::of_json(&mapped.record.clone().into())[..12]
                );
                self.free_id(id, &mut Vec::new())
            }
        };
        mapped
            .record
            .shift_insert(0, "id".to_owned(), id.clone().into());
        let checked = self
            .validator
            .check(Node::from_json(mapped.record.into(), at));
        let Some(Record::Example(example)) = checked.record else {
            let problems = checked.problems.iter();
            return Err(problems.map(|(_, problem)| problem.to_string()).collect());
        };
        self.ids.insert(id, 1);
        self.put(&example.to_json());
        self.count(mapped.left_out, mapped.notes);
        Ok(())
    }

    fn put(&mut self, record: &Value) {
        let written = match self.format {
            Format::Yaml => self.output.write_all(write::yaml(record).as_bytes()),
            Format::Json | Format::Jsonl => writeln!(self.output, "{record}"),
        };
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    /// Counts a record that was mapped, and what was done to map it.
    fn count(&mut self, left_out: Vec<String>, notes: Vec<String>) {
        self.report.mapped += 1;
        for note in notes {
            *self.report.notes.entry(note).or_default() += 1;
        }
        for key in left_out {
            let keys = &mut self.report.left_out_keys;
            let key = key.escape_debug().to_string();
            let key = if keys.len() < KEYS_KEPT || keys.contains_key(&key) {
                key
            } else {
                "other keys".to_owned()
            };
            *keys.entry(key).or_default() += 1;
        }
    }

    /// The id, with a number behind it if an earlier record has it.
    fn free_id(&mut self, id: String, notes: &mut Vec<String>) -> String {
        let Some(mut number) = self.ids.get(&id).copied() else {
            return id;
        };
        notes.push("id taken by an earlier record, numbered".to_owned());
        let free = loop {
            number += 1;
            let free = format!("{id}-{number}");
            if !self.ids.contains_key(&free) {
                break free;
            }
        };
        self.ids.insert(id, number);
        free
    }
}

#[cfg(test)]
mod tests;
