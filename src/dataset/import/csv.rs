//! Tables with a header, one record a row.

use serde_json::{Map, Value};

use super::criteria;
use super::record::{CALLS, CRITERIA, SPLIT, TAGS};
use super::source::plain;
use crate::dataset::error::Problem;
use crate::dataset::tree::Position;

/// Gives each row as a record. A header `inputs.subject` or `input_subject` is the key
/// `subject` of the map `inputs`; likewise `outputs` and `metadata`. A list is written as JSON
/// or with `;` between its elements. An empty cell is no value.
///
/// # Errors
/// When there is no header.
pub(super) fn rows(
    text: &str,
    sink: &mut dyn FnMut(Position, Result<Value, Vec<String>>),
) -> Result<(), (Position, Problem)> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .trim(::csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| {
        let message = error.to_string();
        (
            Position::START,
            Problem::Syntax {
                format: "CSV",
                message,
            },
        )
    })?;
    let columns: Vec<_> = header.iter().map(column).collect();
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].contains(column) {
            let key = column.1.clone();
            let first = Position::START;
            return Err((Position::START, Problem::RepeatedKey { key, first }));
        }
    }
    let mut rows = reader.records();
    loop {
        let line = rows.reader().position().line();
        let Some(row) = rows.next() else {
            return Ok(());
        };
        let at = |line: u64| Position::new(usize::try_from(line).unwrap_or(usize::MAX), 1);
        match row {
            Ok(row) => {
                let line = row.position().map_or(line, ::csv::Position::line);
                sink(at(line), Ok(record(&columns, &row)));
            }
            Err(error) => {
                let fatal = matches!(error.kind(), ::csv::ErrorKind::Io(_));
                let reason = match error.kind() {
                    ::csv::ErrorKind::UnequalLengths {
                        expected_len, len, ..
                    } => format!("the row has {len} cells, the header {expected_len}"),
                    _ => error.to_string(),
                };
                sink(at(line), Err(vec![reason]));
                if fatal {
                    return Ok(());
                }
            }
        }
    }
}

/// The sign that divides the header line most often.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|sign| header.bytes().filter(|byte| byte == sign).count())
        .unwrap_or(b',')
}

/// The map that a column belongs to, if any, and its key there.
fn column(name: &str) -> (Option<&'static str>, String) {
    for (prefix, map) in [
        ("inputs.", "inputs"),
        ("input.", "inputs"),
        ("inputs_", "inputs"),
        ("input_", "inputs"),
        ("reference_outputs.", "outputs"),
        ("outputs.", "outputs"),
        ("output.", "outputs"),
        ("outputs_", "outputs"),
        ("output_", "outputs"),
        ("metadata.", "metadata"),
        ("metadata_", "metadata"),
    ] {
        if let Some(key) = name.strip_prefix(prefix)
            && !key.is_empty()
        {
            return (Some(map), key.to_owned());
        }
    }
    (None, name.to_owned())
}

fn record(columns: &[(Option<&'static str>, String)], row: &::csv::StringRecord) -> Value {
    let mut record = Map::new();
    for ((map, key), cell) in columns.iter().zip(row) {
        if cell.is_empty() {
            continue;
        }
        let value = value(key, cell);
        match map {
            None => record.insert(key.clone(), value),
            Some(map) => match record
                .entry(*map)
                .or_insert_with(|| Map::new().into())
                .as_object_mut()
            {
                Some(map) => map.insert(key.clone(), value),
                // The table also has a column for the map as a whole.
                None => record.insert(format!("{map}.{key}"), value),
            },
        };
    }
    record.into()
}

fn value(key: &str, cell: &str) -> Value {
    let is = |names: &[&str]| names.iter().any(|name| plain(name) == plain(key));
    if !(is(CALLS) || is(CRITERIA) || is(TAGS) || is(SPLIT)) {
        return cell.into();
    }
    if cell.trim_start().starts_with('[') {
        // What is no JSON after all stays a text, and is reported as one where it is used.
        return serde_json::from_str(cell).unwrap_or_else(|_| cell.into());
    }
    let parts = if is(CRITERIA) && criteria::has_bullets(cell) {
        vec![cell]
    } else {
        cell.split(';').collect()
    };
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}
