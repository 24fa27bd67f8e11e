//! `mailproof pull`: examples and labels from where others keep theirs.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::json;
use tokio::runtime::Runtime;

use super::REPORTS;
use super::args::{PullArgs, PullFrom, PullLangsmithArgs, Talk};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::push::{failure, settings};
use super::rescore;
use super::results::replace;
use super::run::stop_asked;
use super::talk::{print, say, warn};
use crate::dataset::Limits;
use crate::experiment::journal::{FILE, Reader};
use crate::experiment::{ExperimentName, Header};
use crate::judge::calibration::items::Reading;
use crate::judge::definition::Definitions;
use crate::langsmith::Client;
use crate::langsmith::humans::{self, Labels, LabelsError};
use crate::langsmith::pull::{self, PullError, Pulled};
use crate::redact::Redactor;
use crate::report::escape;

pub fn run(talk: &Talk, args: PullArgs) -> Result<Exit, Failure> {
    let PullFrom::Langsmith(mut args) = args.from;
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    config.reach(&mut args.reach);
    args.max_retries = args.max_retries.or(config.max_retries);
    let environment = args.reach.environment(&config)?;
    // `exists` would call a link to nowhere free.
    if !args.force && fs::symlink_metadata(&args.output).is_ok() {
        return Err(Failure::usage(format!(
            "`{}` exists: name another file, or write over it with --force",
            args.output.display()
        )));
    }
    match (&args.feedback, &args.name) {
        (Some(named), _) => labels(talk, &args, named, &environment),
        (None, Some(name)) => dataset(talk, &args, name, &environment),
        (None, None) => unreachable!("the command line has one of the two"),
    }
}

fn client(environment: &Environment, args: &PullLangsmithArgs) -> Result<Client, Failure> {
    let settings = settings(environment, args.reach.offline, args.max_retries)?;
    Client::new(settings, environment.redactor()).map_err(failure)
}

/// What comes of asking, unless somebody wants it to stop.
pub(super) fn carry_out<T>(asking: impl Future<Output = T>) -> Result<Option<T>, Failure> {
    let runtime = Runtime::new().map_err(Failure::internal)?;
    Ok(runtime.block_on(async {
        tokio::select! {
            biased;
            () = stop_asked() => {
                warn("stopped");
                None
            }
            done = asking => Some(done),
        }
    }))
}

fn dataset(
    talk: &Talk,
    args: &PullLangsmithArgs,
    name: &str,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let client = client(environment, args)?;
    let wanted = pull::Wanted {
        as_of: args.as_of.as_deref(),
        split: args.split.as_deref(),
    };
    let limits = Limits::default();
    let asking = async {
        let Some(remote) = client.dataset(name).await? else {
            return Ok(None);
        };
        let pulled = pull::pull(&client, remote.id, wanted, &args.output, &limits).await?;
        Ok::<_, PullError>(Some(pulled))
    };
    let pulled = match carry_out(asking)? {
        None => return Ok(Exit::Interrupted),
        Some(Err(PullError::Service(error))) => return Err(failure(error)),
        Some(Err(PullError::Import(error))) => return Err(Failure::from_error(error)),
        Some(Ok(None)) => {
            return Err(Failure::usage(format!(
                "LangSmith has no dataset `{}` that this key may see",
                escape::line(name)
            )));
        }
        Some(Ok(Some(pulled))) => pulled,
    };
    if pulled.report.records == 0 {
        let name = escape::line(name);
        let at = match &args.as_of {
            Some(version) => format!(" as of {}", escape::line(version)),
            None => String::new(),
        };
        return Err(Failure::nothing_selected(match &args.split {
            Some(split) => format!(
                "no example of `{name}`{at} is in the split `{}`: nothing written",
                escape::line(split)
            ),
            None => format!("`{name}`{at} has no examples: nothing written"),
        }));
    }
    print(&match talk.json {
        true => dataset_json(&pulled),
        false => dataset_lines(&pulled, &args.output),
    })?;
    Ok(match pulled.report.is_complete() {
        true => Exit::Ok,
        false => Exit::Usage,
    })
}

fn dataset_json(pulled: &Pulled) -> String {
    let report = &pulled.report;
    let unmapped: Vec<_> = pulled
        .unmapped
        .iter()
        .map(|unmapped| json!({"id": unmapped.id, "reasons": unmapped.reasons}))
        .collect();
    let report = json!({
        "examples": report.records, "mapped": report.mapped, "ours": pulled.ours,
        "in_other_splits": pulled.elsewhere, "unmapped": unmapped,
        "left_out_keys": report.left_out_keys, "notes": report.notes,
    });
    format!("{report:#}\n")
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn dataset_lines(pulled: &Pulled, output: &Path) -> String {
    let report = &pulled.report;
    let mut text = String::new();
    let mut line = |content: String| {
        writeln!(text, "{}", escape::line(&content)).expect("a string takes all");
    };
    match report.mapped {
        0 => line(format!(
            "none of {} could be mapped: nothing written",
            plural(report.records, "example")
        )),
        mapped => line(format!(
            "{mapped} of {} written to {}: {} as pushed, {} mapped",
            plural(report.records, "example"),
            output.display(),
            pulled.ours,
            mapped - pulled.ours
        )),
    }
    for (note, count) in &report.notes {
        line(format!("  {note}: {}", plural(*count, "example")));
    }
    for (key, count) in &report.left_out_keys {
        line(format!(
            "  left out, no place for it: `{key}` of {}",
            plural(*count, "example")
        ));
    }
    for unmapped in &pulled.unmapped {
        line(format!(
            "  not mapped: {}: {}",
            unmapped.id,
            unmapped.reasons.join("; ")
        ));
    }
    let told = report.mapped + pulled.unmapped.len();
    if told < report.records {
        line(format!(
            "  … and {} more that were not mapped",
            report.records - told
        ));
    }
    text
}

fn labels(
    talk: &Talk,
    args: &PullLangsmithArgs,
    named: &str,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let (name, variant) = match named.split_once('/') {
        Some((name, variant)) => (name, Some(variant)),
        None => (named, None),
    };
    let name: ExperimentName = name.parse().map_err(Failure::usage)?;
    let folder = name.folder(Path::new(REPORTS));
    let reader = Reader::open(&folder.join(FILE)).map_err(Failure::from_error)?;
    let header = reader.header().clone();
    let variants = variants(&header, variant)?;
    let client = client(environment, args)?;
    let dataset = rescore::dataset(&header, &args.dataset)?;
    let definitions = Definitions::embedded();
    let wanted = humans::Wanted {
        folder: &folder,
        variants: &variants,
        pushed_as: args.pushed_as.as_deref().unwrap_or(name.as_str()),
        dataset: &dataset,
        definitions: &definitions,
    };
    let labels = match carry_out(humans::labels(&client, wanted))? {
        None => return Ok(Exit::Interrupted),
        Some(Err(LabelsError::Service(error))) => return Err(failure(error)),
        Some(Err(LabelsError::Journal(error))) => return Err(Failure::from_error(error)),
        // What the service calls it is in it.
        Some(Err(error @ LabelsError::Forgotten(_))) => {
            return Err(Failure::usage(escape::lines(&error.to_string())));
        }
        Some(Ok(labels)) => labels,
    };
    if labels.not_pushed.len() == variants.len() {
        return Err(Failure::usage(format!(
            "`{name}` is not there, or was pushed under another name: `mailproof push langsmith {name}` pushes it, and `--as NAME` says the name it was pushed under"
        )));
    }
    for variant in &labels.not_pushed {
        let variant = escape::line(variant);
        say(
            talk,
            &format!("`{variant}` is not there: it was not pushed"),
        );
    }
    if !labels.items.is_empty() {
        write(&args.output, &labels, &environment.redactor())?;
    }
    print(&match talk.json {
        true => labels_json(&labels),
        false => labels_lines(&labels, &name, &args.output),
    })?;
    Ok(match labels.items.is_empty() {
        true => Exit::NothingSelected,
        false => Exit::Ok,
    })
}

/// The variants that are meant: the one named, or all.
fn variants(header: &Header, named: Option<&str>) -> Result<Vec<usize>, Failure> {
    let Some(named) = named else {
        return Ok((0..header.variants.len()).collect());
    };
    let found = header
        .variants
        .iter()
        .position(|variant| variant.name == named);
    found.map(|index| vec![index]).ok_or_else(|| {
        let names: Vec<_> = header
            .variants
            .iter()
            .map(|variant| escape::line(&variant.name))
            .collect();
        Failure::usage(format!(
            "`{}` has no variant `{}`; its variants are {}",
            escape::line(&header.experiment),
            escape::line(named),
            names.join(", ")
        ))
    })
}

/// Writes the items, once they were read as `calibrate` reads them.
fn write(output: &Path, labels: &Labels, redactor: &Redactor) -> Result<(), Failure> {
    let mut text = String::new();
    for item in &labels.items {
        let json = serde_json::to_string(item).map_err(Failure::internal)?;
        text.push_str(&redactor.json(&json));
        text.push('\n');
    }
    let mut reading = Reading::new(&[]);
    reading.text(&output.display().to_string(), text.as_bytes());
    reading.finish().map_err(Failure::usage)?;
    replace(output, &text)
        .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", output.display())))
}

fn labels_json(labels: &Labels) -> String {
    let unmapped: Vec<_> = labels
        .unmapped
        .iter()
        .map(|unmapped| {
            json!({
                "feedback": unmapped.feedback, "key": unmapped.key, "case": unmapped.case,
                "reason": unmapped.why.to_string(),
            })
        })
        .collect();
    let report = json!({
        "labels": labels.items.len(), "said_again": labels.said_again,
        "not_pushed": labels.not_pushed, "unmapped": unmapped,
        "unmapped_total": labels.unmapped_total,
    });
    format!("{report:#}\n")
}

fn labels_lines(labels: &Labels, name: &ExperimentName, output: &Path) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        writeln!(text, "{}", escape::line(&content)).expect("a string takes all");
    };
    match labels.items.len() {
        0 => line(format!(
            "nobody labelled a statement about `{name}`: nothing written"
        )),
        count => line(format!(
            "{} written to {}",
            plural(count, "label"),
            output.display()
        )),
    }
    if labels.said_again > 0 {
        line(format!(
            "  said more than once, the newest counts: {}",
            labels.said_again
        ));
    }
    for unmapped in &labels.unmapped {
        let case = match &unmapped.case {
            Some(case) => format!(" of {case}"),
            None => String::new(),
        };
        line(format!(
            "  no label: `{}`{case} ({}): {}",
            unmapped.key, unmapped.feedback, unmapped.why
        ));
    }
    let more = labels.unmapped_total - labels.unmapped.len() as u64;
    if more > 0 {
        line(format!("  … and {more} more"));
    }
    text
}
