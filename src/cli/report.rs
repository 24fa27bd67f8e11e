//! `mailproof report`: the report of an experiment, made again from its journal.

use super::args::{ReportArgs, Talk};
use super::exit::{Exit, Failure};
use super::results::{self, Outputs};

pub fn run(talk: &Talk, args: &ReportArgs) -> Result<Exit, Failure> {
    let outputs = Outputs::parse(&args.output)?;
    let folder = results::folder(args.experiment.as_deref())?;
    let report = results::make(&folder)?;
    results::write(talk, &folder, &report, &outputs)?;
    results::show(talk, &report)?;
    Ok(results::exit(&report))
}
