//! `mailproof report`: the report of an experiment, made again from its journal.

use super::args::{ReportArgs, Talk};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results::{self, Outputs};

pub fn run(talk: &Talk, args: &ReportArgs) -> Result<Exit, Failure> {
    let outputs = Outputs::parse(&args.output)?;
    let folder = results::folder(args.experiment.as_deref())?;
    let report = results::make(&folder, args.layer)?;
    let redactor = Environment::process().redactor();
    results::write(talk, &folder, &report, &outputs, &redactor)?;
    results::show(talk, &report, &redactor)?;
    Ok(results::exit(&report))
}
