//! `mailproof show`: one trajectory to read, or an agent's graph to see.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use super::REPORTS;
use super::args::{Drawing, ShowArgs, Talk};
use super::exit::{Exit, Failure};
use super::results;
use super::talk::{color, print, width};
use crate::agent::AgentKind;
use crate::experiment::journal::{FILE, read_attempt};
use crate::experiment::layer::Scores;
use crate::experiment::{Attempt, ExperimentName};
use crate::report::{self, TrajectoryOptions};
use crate::run::{Run, Step};

pub fn run(talk: &Talk, args: &ShowArgs) -> Result<Exit, Failure> {
    match (&args.graph, &args.variant, &args.example) {
        (Some(agent), _, _) => graph(agent, args.format),
        (None, Some(variant), Some(example)) => trajectory(talk, args, variant, example),
        // clap asks for one or the other.
        _ => Err(Failure::usage(
            "name EXPERIMENT/VARIANT and EXAMPLE, or --graph AGENT",
        )),
    }
}

fn graph(agent: &str, format: Drawing) -> Result<Exit, Failure> {
    let agent: AgentKind = agent.parse().map_err(Failure::usage)?;
    let graph = agent.graph();
    print(&match format {
        Drawing::Mermaid => graph.mermaid(),
        Drawing::Dot => graph.dot(),
    })?;
    Ok(Exit::Ok)
}

fn trajectory(talk: &Talk, args: &ShowArgs, variant: &str, example: &str) -> Result<Exit, Failure> {
    // A variant's name may hold a slash (`workflow@openrouter:a/b`), an experiment's not.
    let (experiment, variant) = variant.split_once('/').ok_or_else(|| {
        Failure::usage(format!(
            "`{variant}` names no variant: write EXPERIMENT/VARIANT"
        ))
    })?;
    let experiment: ExperimentName = experiment.parse().map_err(Failure::usage)?;
    let folder = experiment.folder(Path::new(REPORTS));
    let mut scored = results::open(&folder, args.layer)?;
    let names: Vec<_> = scored
        .header()
        .variants
        .iter()
        .map(|v| v.name.clone())
        .collect();
    let index = names
        .iter()
        .position(|name| name == variant)
        .ok_or_else(|| {
            let known = names.join("`, `");
            Failure::usage(format!(
                "`{experiment}` has no variant `{variant}`; it has `{known}`"
            ))
        })?;

    let mut found = None;
    while let Some(entry) = scored
        .next_attempt::<IgnoredAny>()
        .map_err(Failure::from_error)?
    {
        let case = &entry.attempt.case;
        if case.variant as usize == index
            && case.example == example
            && case.repeat == args.attempt - 1
        {
            found = Some((entry.offset, Scores::of(&entry.attempt)));
            break;
        }
    }
    let (offset, scores) = found.ok_or_else(|| {
        Failure::usage(format!(
            "`{experiment}/{variant}` has no attempt {} at `{example}`: \
             report.json and `mailproof validate` name examples",
            args.attempt
        ))
    })?;
    let path = folder.join(FILE);
    let mut attempt: Attempt<Run> = read_attempt(&path, offset).map_err(Failure::from_error)?;
    scores.apply(&mut attempt);
    if talk.json {
        let json = serde_json::to_string_pretty(&attempt).map_err(Failure::internal)?;
        print(&format!("{json}\n"))?;
        return Ok(Exit::Ok);
    }

    let mut prompts = BTreeMap::new();
    if args.prompts {
        for step in attempt.runs.iter().flat_map(|run| &run.steps) {
            if let Step::Model { prompt, .. } = step
                && !prompts.contains_key(prompt)
                && let Some(content) = scored
                    .journal()
                    .prompt(prompt)
                    .map_err(Failure::from_error)?
            {
                prompts.insert(prompt.clone(), content);
            }
        }
    }
    let options = TrajectoryOptions {
        width: width(),
        color: color(talk),
        full: args.full,
        prompts: args.prompts.then_some(&prompts),
    };
    let header = scored.header();
    let text = report::trajectory(&attempt, &header.variants[index], &header.judges, options);
    print(&text)?;
    Ok(Exit::Ok)
}
