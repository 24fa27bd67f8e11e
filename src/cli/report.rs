//! `mailproof report`: the report of an experiment, made again from its journal.

use std::path::Path;
use std::process::{Command, Stdio};

use super::against::Reference;
use super::args::{ReportArgs, Talk};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results::{self, Outputs};
use super::talk::warn;

/// The program that shows a file in whatever the person prefers, with its first arguments.
const OPENER: (&str, &[&str]) = if cfg!(target_os = "macos") {
    ("open", &[])
} else if cfg!(windows) {
    ("cmd", &["/C", "start", ""])
} else {
    ("xdg-open", &[])
};

/// Shows a page in the browser, and goes on: some browsers end only when their window does.
fn open(page: &Path) {
    let (program, arguments) = OPENER;
    // A relative path could be taken for an address or a flag.
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let started = Command::new(program)
        .args(arguments)
        .arg(&page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    if let Err(error) = started {
        warn(&format!(
            "cannot start `{program}` ({error}): open {} in a browser",
            page.display()
        ));
    }
}

pub fn run(talk: &Talk, args: &ReportArgs) -> Result<Exit, Failure> {
    let mut outputs = Outputs::parse(&args.output)?;
    let folder = results::folder(args.experiment.as_deref())?;
    let page = args.open.then(|| folder.join("report.html"));
    outputs.extend(page.clone());
    let reference = args.reference.as_deref().map(Reference::read).transpose()?;
    let mut report = results::make(&folder, args.layer)?;
    let compared = match reference {
        Some(reference) => {
            let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
            let gates = config.gates(&[], report.plan.gates.clone());
            reference.judge(&mut report, &folder, args.layer, &gates)?
        }
        None => Exit::Ok,
    };
    let redactor = Environment::process().redactor();
    results::write(talk, &folder, &report, &outputs, &redactor)?;
    results::show(talk, &report, &redactor)?;
    if let Some(page) = page {
        open(&page);
    }
    Ok(results::exit(&report).min(compared))
}
