//! Bytes to records, within stated limits.

use std::io::{self, BufRead, BufReader, Read};

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
pub(super) type Sink<'a> = dyn FnMut(Position, Result<Node, Problem>) + 'a;

/// Reads all records of a file. At most one line (JSONL) or the file's text and one record
/// (YAML, JSON) are in memory at a time.
///
/// # Errors
/// When reading fails; every other mistake goes to the sink.
pub(super) fn records(
    reader: impl Read,
    format: Format,
    limits: &Limits,
    sink: &mut Sink,
) -> io::Result<()> {
    match format {
        Format::Jsonl => return jsonl(BufReader::with_capacity(1 << 16, reader), limits, sink),
        Format::Yaml | Format::Json => {}
    }
    match text(reader, limits.file_bytes)? {
        Ok(text) if format == Format::Yaml => yaml::read(&text, limits, sink),
        Ok(text) => json::read_list(&text, limits, sink),
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

fn jsonl(mut reader: impl BufRead, limits: &Limits, sink: &mut Sink) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut read = 0;
    for number in 1.. {
        let start = Position::new(number, 1);
        bytes.clear();
        let line = read_line(&mut reader, &mut bytes, limits, &mut read)?;
        if read > limits.jsonl_bytes {
            let limit = limits.jsonl_bytes;
            sink(start, Err(Problem::FileTooLarge { limit }));
            return Ok(());
        }
        match line {
            Line::End => return Ok(()),
            Line::TooLong => {
                let limit = limits.line_bytes;
                sink(start, Err(Problem::LineTooLong { limit }));
                continue;
            }
            Line::Complete => {}
        }
        if number == 1 && bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
        }
        // A record that is cut off ends on its own line.
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = decode(std::mem::take(&mut bytes), number).and_then(|text| {
            let record = json::read_value(&text, start, limits);
            bytes = text.into_bytes();
            record
        });
        match record {
            Ok(node) => sink(node.at, Ok(node)),
            Err((at, problem)) => sink(at, Err(problem)),
        }
    }
    Ok(())
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
