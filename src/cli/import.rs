//! `mailproof import`: other people's records to a dataset.

use std::fmt::Write;

use serde_json::json;

use super::args::{ImportArgs, Talk};
use super::exit::{Exit, Failure};
use super::talk::print;
use crate::dataset::Limits;
use crate::dataset::import::{ImportReport, import_file};
use crate::report::escape;

pub fn run(talk: &Talk, args: &ImportArgs) -> Result<Exit, Failure> {
    let report = import_file(&args.file, args.from, &args.output, &Limits::default())
        .map_err(Failure::usage)?;
    print(&if talk.json {
        as_json(&report)
    } else {
        as_lines(&report, args)
    })?;
    Ok(if report.is_complete() && report.mapped > 0 {
        Exit::Ok
    } else {
        Exit::Usage
    })
}

fn as_json(report: &ImportReport) -> String {
    let unmapped: Vec<_> = report
        .unmapped
        .iter()
        .map(|unmapped| {
            json!({"record": unmapped.record, "line": unmapped.at.line, "reasons": unmapped.reasons})
        })
        .collect();
    let report = json!({
        "records": report.records, "mapped": report.mapped, "unmapped": unmapped,
        "left_out_keys": report.left_out_keys, "notes": report.notes,
    });
    format!("{report:#}\n")
}

fn plural(records: usize) -> String {
    format!("{records} record{}", if records == 1 { "" } else { "s" })
}

/// What was mapped, what was not and why, and what the format has no place for.
fn as_lines(report: &ImportReport, args: &ImportArgs) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        writeln!(text, "{}", escape::line(&content)).expect("a string takes all");
    };
    match report.mapped {
        0 => line(format!(
            "none of {} records could be mapped: nothing written",
            report.records
        )),
        mapped => line(format!(
            "{mapped} of {} records written to {}",
            report.records,
            args.output.display()
        )),
    }
    for (note, records) in &report.notes {
        line(format!("  {note}: {}", plural(*records)));
    }
    for (key, records) in &report.left_out_keys {
        line(format!(
            "  left out, no place for it: `{key}` of {}",
            plural(*records)
        ));
    }
    for unmapped in &report.unmapped {
        line(format!("  not mapped: {unmapped}"));
    }
    let told = report.mapped + report.unmapped.len();
    if told < report.records {
        line(format!(
            "  … and {} more that were not mapped",
            report.records - told
        ));
    }
    text
}
