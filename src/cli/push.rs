//! `mailproof push`: results sent to where others keep theirs.

use std::path::Path;

use super::REPORTS;
use super::args::{LangsmithArgs, PushArgs, PushTo, Talk};
use super::exit::{Exit, Failure};
use super::talk::print;
use crate::experiment::ExperimentName;
use crate::langsmith::push::{Extent, Survey};

pub fn run(talk: &Talk, args: PushArgs) -> Result<Exit, Failure> {
    match args.to {
        PushTo::Langsmith(args) => langsmith(talk, &args),
    }
}

fn langsmith(_talk: &Talk, args: &LangsmithArgs) -> Result<Exit, Failure> {
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let folder = name.folder(Path::new(REPORTS));
    let survey = Survey::read(&folder, args.layer).map_err(Failure::from_error)?;
    if let Some(shard) = &survey.header.shard {
        return Err(Failure::usage(format!(
            "`{name}` is shard {} of an experiment: put all of them together with `mailproof merge`, and push what comes of it",
            shard.part
        )));
    }
    print(&format!("{}\n", counted(survey.whole(), survey.variants.len())))?;
    Ok(Exit::Ok)
}

fn counted(whole: Extent, variants: usize) -> String {
    format!(
        "{} attempts ({} runs, {} scores) of {variants} variants",
        whole.attempts, whole.runs, whole.scores
    )
}
