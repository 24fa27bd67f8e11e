//! `mailproof reference`: results that live in git, for others to be compared with.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::REPORTS;
use super::against::{Against, Place, Reference};
use super::args::{ReferenceArgs, ReferenceVerb, RuleArgs, Talk};
use super::compare::{self, gates, rule};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results::replace;
use super::talk::{print, say, warn};
use crate::compare::{Measure, Pairing, Results};
use crate::experiment::ExperimentName;
use crate::experiment::journal;
use crate::report::escape;

pub fn run(talk: &Talk, args: &ReferenceArgs) -> Result<Exit, Failure> {
    match &args.what {
        ReferenceVerb::Set {
            experiment,
            output,
            layer,
        } => {
            let results = Results::read(&folder(experiment)?, *layer)?;
            may_replace(output)?;
            write(talk, &results, output)?;
        }
        ReferenceVerb::Show { file } => show(talk, file)?,
        ReferenceVerb::Accept {
            experiment,
            output,
            layer,
        } => accept(talk, experiment.as_deref(), output, *layer)?,
    }
    Ok(Exit::Ok)
}

fn folder(experiment: &str) -> Result<PathBuf, Failure> {
    let name: ExperimentName = experiment.parse().map_err(Failure::usage)?;
    Ok(name.folder(Path::new(REPORTS)))
}

/// Refuses to replace what is no reference.
fn may_replace(path: &Path) -> Result<(), Failure> {
    match path.exists() && !Results::is_reference(path) {
        true => Err(Failure::usage(format!(
            "`{}` exists and is no reference: name another file with `-o`, or remove it",
            path.display()
        ))),
        false => Ok(()),
    }
}

fn write(talk: &Talk, results: &Results, path: &Path) -> Result<(), Failure> {
    let text = results.to_reference()?;
    let redactor = Environment::process().redactor();
    let lines = text.lines().map(|line| redactor.json(line) + "\n");
    replace(path, &lines.collect::<String>())
        .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())))?;
    say(
        talk,
        &format!(
            "{} holds the scores of `{}`: commit it, and compare with `mailproof run --reference {}`",
            path.display(),
            escape::line(&results.facts.experiment),
            escape::shell(&path.display().to_string()),
        ),
    );
    Ok(())
}

/// Says what became of the reference, and replaces it.
fn accept(
    talk: &Talk,
    experiment: Option<&str>,
    path: &Path,
    layer: Option<u32>,
) -> Result<(), Failure> {
    let folder = match experiment {
        Some(name) => folder(name)?,
        None => newest_complete()?,
    };
    let results = Results::read(&folder, layer)?;
    // Before anything is shown as if it were going to be.
    results.to_reference()?;
    may_replace(path)?;
    if path.exists() {
        let against = Against {
            place: Place::File(path.to_owned()),
            variant: None,
        };
        let reference = Reference {
            results: against.read(None)?,
            against,
        };
        let pairing = Pairing {
            // Whoever accepts a new judge's rulings sees that it is new.
            across: true,
            ..Pairing::default()
        };
        let config = Config::read(None).map_err(Failure::usage)?;
        let rule = rule(&RuleArgs::default(), &gates(&config), results.facts.seed);
        match reference.compare(&results, Some(&folder), &pairing, &rule) {
            Ok(comparison) => {
                let redactor = Environment::process().redactor();
                compare::show(talk, &comparison, &redactor)?;
            }
            Err(error) => warn(&format!(
                "not compared with what it replaces: {}",
                escape::lines(&error.to_string())
            )),
        }
    }
    write(talk, &results, path)
}

fn newest_complete() -> Result<PathBuf, Failure> {
    let reports = Path::new(REPORTS);
    let listed = journal::list(reports).map_err(Failure::from_error)?;
    let complete = listed.into_iter().find(|listed| {
        let progress = listed.progress.as_ref();
        progress.is_ok_and(|progress| progress.is_finished())
    });
    match complete {
        Some(listed) => Ok(reports.join(listed.name)),
        None => Err(Failure::usage(
            "no experiment in ./reports is complete: `mailproof run` makes one",
        )),
    }
}

fn show(talk: &Talk, path: &Path) -> Result<(), Failure> {
    let results = Results::read_reference(path)?;
    let redactor = Environment::process().redactor();
    let facts = &results.facts;
    let variants = results.variants.iter().map(|of| {
        let means: Vec<(Measure, f64, usize)> = Measure::all()
            .filter_map(|measure| {
                let (mean, of) = results.mean(of, measure)?;
                Some((measure, mean, of))
            })
            .collect();
        (of, means)
    });
    if talk.json {
        let variants: Vec<_> = variants
            .map(|(of, means)| {
                let metrics: serde_json::Map<String, _> = means
                    .into_iter()
                    .map(|(measure, value, n)| {
                        (measure.name().to_owned(), json!({ "value": value, "n": n }))
                    })
                    .collect();
                json!({ "name": of.variant.name, "attempts": of.attempts(), "scored": of.scored(), "metrics": metrics })
            })
            .collect();
        let text = serde_json::to_string_pretty(&json!({
            "file": path.display().to_string(),
            "experiment": facts.experiment,
            "created": facts.created,
            "tool_version": facts.tool_version,
            "layer": facts.layer,
            "dataset": { "name": facts.dataset.name, "hash": facts.dataset.hash, "examples": results.examples.len() },
            "repeat": facts.repeat,
            "variants": variants,
        }));
        let text = text.map_err(Failure::internal)?;
        return print(&format!("{}\n", redactor.json(&text)));
    }
    let name = |text: &str| escape::line(text).into_owned();
    let mut text = format!(
        "`{}` of {}, by version {}\n",
        name(&facts.experiment),
        facts.created,
        name(&facts.tool_version)
    );
    if let Some(layer) = facts.layer {
        text.push_str(&format!("scores of layer {layer}\n"));
    }
    text.push_str(&format!(
        "dataset `{}` ({}…), {} cases, {} each\n",
        name(&facts.dataset.name),
        name(&facts.dataset.hash.chars().take(12).collect::<String>()),
        results.examples.len(),
        match facts.repeat {
            1 => "1 attempt".to_owned(),
            many => format!("{many} attempts"),
        },
    ));
    for (of, means) in variants {
        text.push_str(&format!("\n{}\n", name(&of.variant.name)));
        for (measure, mean, count) in means {
            text.push_str(&format!(
                "  {measure:<22} {:>5.1}%  of {count}\n",
                mean * 100.0
            ));
        }
    }
    print(&redactor.text(&text))
}
