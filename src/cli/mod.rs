//! The shell: the edge where clock, environment, files, and signals enter.

mod accept;
mod against;
mod args;
mod ask;
mod bench;
mod calibrate;
mod ci;
mod clock;
mod compare;
mod completions;
mod config;
mod doctor;
mod environment;
mod exit;
mod gate;
mod history;
mod import;
mod init;
mod label;
mod list;
mod looks;
mod merge;
mod models;
mod objects;
mod progress;
mod pull;
mod push;
mod push_otel;
mod reference;
mod report;
mod rescore;
mod respond;
mod results;
mod review_changes;
mod run;
mod show;
mod snapshots;
mod talk;
mod threads;
mod validate;

use std::process::ExitCode;

use args::{Cli, Verb};
use environment::Environment;

/// Where experiments are kept, under the working directory.
const REPORTS: &str = "reports";

/// Reads the command line, carries out its verb, and says how that went.
///
/// clap ends the process itself for `--help`, `--version`, and mistakes (exit code 2).
pub fn main() -> ExitCode {
    let (Cli { talk, verb }, overruled) = Cli::read();
    talk::configure(&talk);
    for line in overruled {
        talk::say(&talk, &line);
    }
    talk::guard_panics(Environment::process());
    let result = match verb {
        Verb::Run(args) => run::run(&talk, *args),
        Verb::Report(args) => report::run(&talk, &args),
        Verb::Compare(args) => compare::run(&talk, &args),
        Verb::Reference(args) => reference::run(&talk, &args),
        Verb::Gate(args) => gate::run(&talk, &args),
        Verb::Rescore(args) => rescore::run(&talk, &args),
        Verb::Merge(args) => merge::run(&talk, &args),
        Verb::Pull(args) => pull::run(&talk, *args),
        Verb::Push(args) => push::run(&talk, args),
        Verb::Show(args) => show::run(&talk, &args),
        Verb::Threads(args) => threads::run(&talk, &args),
        Verb::Respond(args) => respond::run(&talk, &args),
        Verb::Label(args) => label::run(&talk, &args),
        Verb::Accept(args) => accept::run(&talk, &args),
        Verb::ReviewChanges(args) => review_changes::run(&talk, &args),
        Verb::History(args) => history::run(&talk, &args),
        Verb::List => list::run(&talk),
        Verb::Validate(args) => validate::run(&talk, &args),
        Verb::Import(args) => import::run(&talk, &args),
        Verb::Calibrate(args) => calibrate::run(&talk, *args),
        Verb::Doctor(args) => doctor::run(&talk, args),
        Verb::Init(args) => init::run(&talk, &args),
        Verb::Completions { shell } => completions::run(shell),
    };
    let exit = result.unwrap_or_else(|failure| {
        // A key that was written in the place of a name is repeated to nobody.
        let redactor = Environment::process().redactor();
        talk::warn(&format!("error: {}", redactor.text(&failure.to_string())));
        failure.exit
    });
    ExitCode::from(exit.code())
}
