//! `mailproof history`: how a figure went, experiment by experiment.

use std::path::Path;

use super::REPORTS;
use super::args::{HistoryArgs, Talk};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results;
use super::talk::{color, print, say, warn, width};
use crate::experiment::journal::{self, JournalError, Progress};
use crate::report::history::{
    Earlier, History, HistoryOptions, Past, figure_keys, is_before, render,
};
use crate::report::{Report, escape};

pub fn run(talk: &Talk, args: &HistoryArgs) -> Result<Exit, Failure> {
    let listed = journal::list(Path::new(REPORTS)).map_err(Failure::from_error)?;
    if listed.is_empty() {
        say(
            talk,
            "no experiments in ./reports yet: `mailproof run` makes one",
        );
        if !talk.json {
            return Ok(Exit::Ok);
        }
    }
    let mut told: Vec<(Past, Option<Report>)> = Vec::new();
    // The newest first, those that cannot be read last.
    for listed in &listed {
        match &listed.progress {
            Ok(progress) if told.len() < args.newest as usize => {
                match tell(&listed.name, progress) {
                    Ok(past) => told.push(past),
                    Err(failure) => warn(&unread(&listed.name, &failure)),
                }
            }
            Ok(_) => {}
            Err(error) => warn(&unread(&listed.name, error)),
        }
    }
    told.reverse();
    let history = history(args, told)?;
    let redactor = Environment::process().redactor();
    print(&if talk.json {
        let json = serde_json::to_string_pretty(&history).map_err(Failure::internal)?;
        format!("{}\n", redactor.json(&json))
    } else {
        let options = HistoryOptions {
            width: width(),
            color: color(talk),
            ascii: !knows_utf8(),
        };
        redactor.text(&render(&history, options)).into_owned()
    })?;
    Ok(Exit::Ok)
}

fn unread(name: &str, error: &impl ToString) -> String {
    let error = error.to_string();
    format!("{}: {}", escape::line(name), escape::line(&error))
}

/// What an experiment is, and its report where it is finished: made of the journal, which is
/// never out of date.
fn tell(name: &str, progress: &Progress) -> Result<(Past, Option<Report>), Failure> {
    let past = Past::begun(name, progress);
    let report = match progress.is_finished() {
        true => Some(results::make(&Path::new(REPORTS).join(name), None)?),
        false => None,
    };
    Ok((past, report))
}

/// `told` has the oldest first.
fn history(args: &HistoryArgs, told: Vec<(Past, Option<Report>)>) -> Result<History, Failure> {
    let reports = || told.iter().rev().filter_map(|(_, report)| report.as_ref());
    let mut names: Vec<&str> = Vec::new();
    for variant in reports().flat_map(|report| &report.variants) {
        if !names.contains(&variant.name.as_str()) {
            names.push(&variant.name);
        }
    }
    for name in &args.variant {
        if !names.contains(&name.as_str()) {
            return Err(Failure::nothing_selected(format!(
                "no finished experiment has a variant `{}`; there are {}",
                escape::line(name),
                escape::line(&names.join(", ")),
            )));
        }
    }
    names.retain(|name| args.variant.is_empty() || args.variant.iter().any(|it| it == name));
    let each = told.iter().map(|(past, report)| (past, report.as_ref()));
    let history = History::of(&args.key, &names, each);
    if history.variants.is_empty() && !names.is_empty() {
        let mut keys: Vec<String> = Vec::new();
        for key in reports().flat_map(figure_keys) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        return Err(Failure::usage(format!(
            "nothing has a figure `{}`: there are {}",
            escape::line(&args.key),
            keys.join(", ")
        )));
    }
    Ok(history)
}

/// The most earlier experiments that a page tells of, and attempts that are read for them: a run
/// does not end later for what was long ago.
const EARLIER: usize = 20;
const READ: u64 = 200_000;

/// What is told of the experiments before the one of `report`, which is in `folder`: those under
/// ./reports that are of the same cases, as their journals have them with the newest scores.
/// Nothing of a part of an experiment, and of one that is not finished.
///
/// # Errors
/// The folder of all experiments cannot be read.
pub fn earlier(folder: &Path, report: &Report) -> Result<Option<Earlier>, JournalError> {
    let is_whole = report.coverage.attempts >= report.coverage.planned;
    if report.plan.shard.is_some() || !is_whole {
        return Ok(None);
    }
    let (mut before, mut older, mut unread) = (Vec::new(), 0, 0);
    let mut room = READ;
    for listed in journal::list(Path::new(REPORTS))? {
        let Ok(progress) = &listed.progress else {
            unread += 1;
            continue;
        };
        let other = Path::new(REPORTS).join(&listed.name);
        if other == folder || !is_before(progress, report) {
            continue;
        }
        if older > 0 || before.len() == EARLIER || progress.attempts > room {
            older += 1;
            continue;
        }
        room -= progress.attempts;
        match results::make_quietly(&other) {
            Ok(report) => before.push(report),
            Err(_) => unread += 1,
        }
    }
    before.reverse();
    Ok(Earlier::of(report, &before, older, unread))
}

/// Whether the terminal says that it shows more than ASCII; what reads a file or a pipe does.
fn knows_utf8() -> bool {
    use std::io::{IsTerminal, stdout};
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    let names_utf8 = |locale: String| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    !stdout().is_terminal() || cfg!(windows) || locale.is_some_and(names_utf8)
}
