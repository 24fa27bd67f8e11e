//! `mailproof validate`: is this a dataset, and what is in it?

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::json;

use super::args::{Talk, ValidateArgs};
use super::exit::{Exit, Failure};
use super::talk::print;
use crate::dataset::{Dataset, Limits, Summary};
use crate::report::escape;

pub fn run(talk: &Talk, args: &ValidateArgs) -> Result<Exit, Failure> {
    let paths = match args.paths.is_empty() {
        true => &args.dataset,
        false => &args.paths,
    };
    let dataset = load(paths)?;
    let summary = dataset.summary();
    print(&if talk.json {
        let Summary {
            examples,
            scenarios,
            episodes,
            labels,
            splits,
            tags,
            labelled_by,
        } = &summary;
        let counts = json!({
            "dataset": dataset.name, "hash": dataset.hash, "examples": examples,
            "scenarios": scenarios, "episodes": episodes, "labels": labels, "splits": splits, "tags": tags, "labelled_by": labelled_by,
        });
        format!("{counts:#}\n")
    } else {
        describe(&dataset, &summary)
    })?;
    Ok(Exit::Ok)
}

/// The dataset of these paths, or the embedded one where there are none.
pub fn load(paths: &[PathBuf]) -> Result<Dataset, Failure> {
    if paths.is_empty() {
        return Ok(Dataset::embedded());
    }
    Dataset::load(paths, &Limits::default()).map_err(|errors| {
        let (count, plural) = (errors.total, if errors.total == 1 { "" } else { "s" });
        Failure::usage(format!("{count} mistake{plural} in the dataset\n{errors}"))
    })
}

fn describe(dataset: &Dataset, summary: &Summary) -> String {
    let mut text = String::new();
    let line = |text: &mut String, name: &str, counts: String| {
        writeln!(text, "{name:12} {counts}").expect("a string takes all");
    };
    line(
        &mut text,
        "dataset",
        escape::line(&dataset.name).into_owned(),
    );
    line(&mut text, "hash", dataset.hash.clone());
    line(&mut text, "examples", summary.examples.to_string());
    for (name, records) in [
        ("scenarios", summary.scenarios),
        ("episodes", summary.episodes),
    ] {
        if records > 0 {
            line(&mut text, name, records.to_string());
        }
    }
    line(&mut text, "labels", counts(&summary.labels));
    for (name, by_name) in [
        ("splits", &summary.splits),
        ("tags", &summary.tags),
        ("labelled by", &summary.labelled_by),
    ] {
        if !by_name.is_empty() {
            line(&mut text, name, counts(by_name));
        }
    }
    text
}

fn counts<K: ToString>(counts: &BTreeMap<K, usize>) -> String {
    let all: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{} {count}", escape::line(&name.to_string())))
        .collect();
    all.join(", ")
}
