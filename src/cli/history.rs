//! `mailproof history`: how a figure went, experiment by experiment.

use std::path::Path;

use super::REPORTS;
use super::args::{HistoryArgs, Talk};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results;
use super::talk::{color, print, say, warn, width};
use crate::experiment::journal::{self, Progress};
use crate::report::history::{History, HistoryOptions, Past, Series, figure, figure_keys, render};
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
    let Progress {
        header,
        attempts,
        planned,
        ..
    } = progress;
    let past = Past {
        experiment: name.to_owned(),
        created: header.created,
        attempts: *attempts,
        planned: *planned,
        dataset: header.dataset.name.clone(),
        dataset_hash: header.dataset.hash.clone(),
        selection: header.selection.clone(),
        seed: header.seed,
        suites: header.suites.clone(),
    };
    let report = match attempts >= planned {
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
    let values = |name: &str| -> Vec<Option<f64>> {
        let of = |report: &Report| {
            let variant = report.variants.iter().find(|it| it.name == name)?;
            figure(variant, &args.key)
        };
        told.iter()
            .map(|(_, report)| of(report.as_ref()?))
            .collect()
    };
    let variants: Vec<Series> = names
        .iter()
        .map(|name| Series {
            variant: (*name).to_owned(),
            values: values(name),
        })
        .filter(|series| series.values.iter().any(Option::is_some))
        .collect();
    if variants.is_empty() && !names.is_empty() {
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
    Ok(History {
        key: args.key.clone(),
        experiments: told.into_iter().map(|(past, _)| past).collect(),
        variants,
    })
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
