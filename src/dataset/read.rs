//! Bytes to records, within stated limits.

use std::io::{self, BufRead, BufReader, Read};

use rayon::prelude::*;

use super::error::Problem;
use super::tree::{Node, Position};
use super::{json, yaml};

/// How much of a file is read before it is refused.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a YAML, JSON, or CSV file, which is held in memory while it is read.
    pub file_bytes: u64,
    /// Bytes of a JSONL file, which is read line by line.
    pub jsonl_bytes: u64,
    /// Bytes of a line of JSONL.
    pub line_bytes: u64,
    /// Lists and maps inside one another.
    pub depth: usize,
    /// Values in one record, those that aliases stand for included.
    pub record_values: usize,
    /// Memory that the anchors and aliases of one YAML file may take.
    pub alias_bytes: usize,
    /// Errors kept; the others are only counted.
    pub errors: usize,
    /// Files in one folder, sub-folders included.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes: 256 << 20,
            jsonl_bytes: 4 << 30,
            line_bytes: 8 << 20,
            depth: 64,
            record_values: 100_000,
            alias_bytes: 64 << 20,
            errors: 100,
            files: 10_000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Yaml,
    /// One list.
    Json,
    /// One record a line.
    Jsonl,
}

impl Format {
    pub fn of_extension(extension: &str) -> Option<Format> {
        match extension.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Format::Yaml),
            "json" => Some(Format::Json),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            _ => None,
        }
    }
}

/// Takes each record, or the mistake that stands in its place, in file order.
pub(super) type Sink<'a, T = Node> = dyn FnMut(Position, Result<T, Problem>) + 'a;

/// Reads all records of a file, and makes of each what can be made of it alone: of lines, on
/// all processors. At most some lines (JSONL) or the file's text and one record (YAML, JSON)
/// are in memory at a time.
///
/// # Errors
/// When reading fails; every other mistake goes to the sink.
pub(super) fn records<T: Send>(
    reader: impl Read,
    format: Format,
    limits: &Limits,
    make: impl Fn(Node) -> T + Sync,
    sink: &mut Sink<T>,
) -> io::Result<()> {
    if format == Format::Jsonl {
        return jsonl(reader, limits, make, sink);
    }
    let mut one = |at, record: Result<Node, Problem>| sink(at, record.map(&make));
    match text(reader, limits.file_bytes)? {
        Ok(text) if format == Format::Yaml => yaml::read(&text, limits, &mut one),
        Ok(text) => json::read_list(&text, limits, &mut one),
        Err((at, problem)) => sink(at, Err(problem)),
    }
    Ok(())
}

/// The text of a file of at most `limit` bytes, without its byte order mark.
pub(super) fn text(
    reader: impl Read,
    limit: u64,
) -> io::Result<Result<String, (Position, Problem)>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let at = Position::new(lines + 1, 1);
        return Ok(Err((at, Problem::FileTooLarge { limit })));
    }
    if bytes.starts_with(BOM) {
        bytes.drain(..BOM.len());
    }
    Ok(decode(bytes, 1))
}

const BOM: &[u8] = "\u{feff}".as_bytes();

/// The bytes as text, whose first line is the `line`th of its file.
fn decode(bytes: Vec<u8>, line: usize) -> Result<String, (Position, Problem)> {
    let locate = |bytes: &[u8], index: usize| {
        let lines = bytes[..index].iter().filter(|byte| **byte == b'\n').count();
        let start = bytes[..index]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&bytes[start..index])
            .chars()
            .count()
            + 1;
        (Position::new(line + lines, column), index - start + 1)
    };
    if bytes.contains(&0) {
        let index = bytes.iter().take_while(|byte| **byte != 0).count();
        let (at, byte) = locate(&bytes, index);
        return Err((at, Problem::NulByte { byte }));
    }
    String::from_utf8(bytes).map_err(|error| {
        let index = error.utf8_error().valid_up_to();
        let (at, byte) = locate(error.as_bytes(), index);
        let value = error.as_bytes()[index];
        (at, Problem::NotUtf8 { byte, value })
    })
}

/// Bytes of lines that are read before they are parsed, side by side: enough that to hand them
/// out costs little, and few beside what a program takes.
const BATCH: usize = 128 << 10;

fn jsonl<T: Send>(
    reader: impl Read,
    limits: &Limits,
    make: impl Fn(Node) -> T + Sync,
    sink: &mut Sink<T>,
) -> io::Result<()> {
    let mut lines = Lines {
        reader: BufReader::with_capacity(1 << 16, reader),
        limits,
        number: 0,
        read: 0,
    };
    let parse = |(number, line): (usize, Result<Vec<u8>, Problem>)| {
        let record = match line {
            Ok(line) => record(line, number, limits).transpose()?,
            Err(problem) => Err((Position::new(number, 1), problem)),
        };
        Some(match record {
            Ok(node) => (node.at, Ok(make(node))),
            Err((at, problem)) => (at, Err(problem)),
        })
    };
    loop {
        let mut batch = Vec::new();
        let more = lines.batch(&mut batch);
        let records: Vec<_> = match batch.len() {
            0 | 1 => batch.into_iter().filter_map(parse).collect(),
            _ => batch.into_par_iter().filter_map(parse).collect(),
        };
        for (at, record) in records {
            sink(at, record);
        }
        if !more? {
            return Ok(());
        }
    }
}

/// The record of a line, unless the line is blank.
fn record(
    mut line: Vec<u8>,
    number: usize,
    limits: &Limits,
) -> Result<Option<Node>, (Position, Problem)> {
    if number == 1 && line.starts_with(BOM) {
        line.drain(..BOM.len());
    }
    // A record that is cut off ends on its own line.
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let text = decode(line, number)?;
    json::read_value(&text, Position::new(number, 1), limits).map(Some)
}

/// The lines of a file that are not read yet.
struct Lines<'a, R> {
    reader: R,
    limits: &'a Limits,
    /// Lines read so far.
    number: usize,
    /// Bytes read so far.
    read: u64,
}

impl<R: BufRead> Lines<'_, R> {
    /// Puts the next lines into `batch`, each after its number, or what is wrong with it;
    /// whether there may be more.
    fn batch(&mut self, batch: &mut Vec<(usize, Result<Vec<u8>, Problem>)>) -> io::Result<bool> {
        let mut size = 0;
        while size < BATCH {
            self.number += 1;
            let mut bytes = Vec::new();
            let line = read_line(&mut self.reader, &mut bytes, self.limits, &mut self.read)?;
            if self.read > self.limits.jsonl_bytes {
                let limit = self.limits.jsonl_bytes;
                batch.push((self.number, Err(Problem::FileTooLarge { limit })));
                return Ok(false);
            }
            match line {
                Line::End => return Ok(false),
                Line::TooLong => {
                    let limit = self.limits.line_bytes;
                    batch.push((self.number, Err(Problem::LineTooLong { limit })));
                }
                Line::Complete => {
                    size += bytes.len();
                    batch.push((self.number, Ok(bytes)));
                }
            }
        }
        Ok(true)
    }
}

enum Line {
    Complete,
    /// Passed over.
    TooLong,
    End,
}

/// Reads to the end of the line and no more than the limits allow; `read` counts the bytes
/// of the file.
fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    limits: &Limits,
    read: &mut u64,
) -> io::Result<Line> {
    let taken = reader.take(limits.line_bytes + 1).read_until(b'\n', line)?;
    *read += taken as u64;
    if taken == 0 {
        return Ok(Line::End);
    }
    if taken as u64 <= limits.line_bytes {
        return Ok(Line::Complete);
    }
    if line.last() != Some(&b'\n') {
        let left = limits.jsonl_bytes.saturating_sub(*read) + 1;
        *read += reader.take(left).skip_until(b'\n')? as u64;
    }
    Ok(Line::TooLong)
}
