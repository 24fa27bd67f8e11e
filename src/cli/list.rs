//! `mailproof list`: the experiments there are.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::REPORTS;
use super::args::Talk;
use super::exit::{Exit, Failure};
use super::talk::{print, say, warn};
use crate::experiment::journal::{self, Listed};
use crate::report::escape;

pub fn run(talk: &Talk) -> Result<Exit, Failure> {
    let listed = journal::list(Path::new(REPORTS)).map_err(Failure::from_error)?;
    print(&if talk.json {
        as_json(&listed)
    } else {
        as_lines(&listed)
    })?;
    for broken in &listed {
        if let Err(error) = &broken.progress {
            let (name, error) = (
                escape::line(&broken.name),
                escape::lines(&error.to_string()),
            );
            warn(&format!("{name}: {error}"));
        }
    }
    if listed.is_empty() {
        say(
            talk,
            "no experiments in ./reports yet: `mailproof run` makes one",
        );
    }
    Ok(Exit::Ok)
}

fn as_json(listed: &[Listed]) -> String {
    let experiments: Vec<_> = listed
        .iter()
        .filter_map(|listed| {
            let progress = listed.progress.as_ref().ok()?;
            let header = &progress.header;
            let variants: Vec<_> = header
                .variants
                .iter()
                .map(|variant| &variant.name)
                .collect();
            Some(json!({
                "experiment": listed.name,
                "created": header.created,
                "dataset": header.dataset.name,
                "variants": variants,
                "attempts": progress.attempts,
                "planned": progress.planned,
                "finished": progress.is_finished(),
            }))
        })
        .collect();
    format!("{:#}\n", json!(experiments))
}

fn as_lines(listed: &[Listed]) -> String {
    let width = listed
        .iter()
        .map(|listed| listed.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for listed in listed {
        let Ok(progress) = &listed.progress else {
            continue;
        };
        let header = &progress.header;
        let variants: Vec<_> = header
            .variants
            .iter()
            .map(|variant| variant.name.as_str())
            .collect();
        let state = match progress.is_finished() {
            true => format!("{} attempts", progress.attempts),
            false => format!(
                "{} of {} attempts, unfinished",
                progress.attempts, progress.planned
            ),
        };
        let line = format!(
            "{:width$}  {}  {}  {state}  {}",
            listed.name,
            header.created.strftime("%Y-%m-%d %H:%M"),
            header.dataset.name,
            variants.join(", "),
        );
        writeln!(text, "{}", escape::line(&line)).expect("a string takes all");
    }
    text
}
