//! `mailproof push otel`: attempts as spans, for a tool that shows traces.

#[cfg(feature = "otel")]
mod send;

use std::path::Path;

use super::REPORTS;
use super::args::{OtelArgs, Talk};
use super::config::Config;
use super::exit::{Exit, Failure};
use crate::experiment::ExperimentName;

#[cfg(feature = "otel")]
pub use send::Spans;

pub fn run(talk: &Talk, args: OtelArgs) -> Result<Exit, Failure> {
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let mut reach = args.reach;
    config.reach(&mut reach);
    let environment = reach.environment(&config)?;
    let spans = Spans::prepare(&environment, args.content, reach.offline)?;
    spans.push(talk, &name.folder(Path::new(REPORTS)), args.layer)
}

/// Stands in where the build has no OpenTelemetry: there is no such value.
#[cfg(not(feature = "otel"))]
pub enum Spans {}

#[cfg(not(feature = "otel"))]
impl Spans {
    pub fn prepare(
        _: &super::environment::Environment,
        _: bool,
        _: bool,
    ) -> Result<Spans, Failure> {
        Err(Failure::usage(
            "OpenTelemetry is not in this build; build with `--features otel`",
        ))
    }

    pub fn push(&self, _: &Talk, _: &Path, _: Option<u32>) -> Result<Exit, Failure> {
        match *self {}
    }
}
