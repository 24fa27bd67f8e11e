//! `mailproof doctor`: is everything that a run needs there?

mod live;
mod models;
mod servers;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::json;
use tokio::runtime::Runtime;

use super::REPORTS;
use super::args::{Choices, DoctorArgs, Talk};
use super::config::{self, Config};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::talk::print;
use super::validate::load;
use crate::dataset::Dataset;

/// One thing looked at.
struct Check {
    what: String,
    passed: bool,
    found: String,
    /// What to do about it, where what was found does not say it.
    advice: Option<String>,
}

impl Check {
    fn pass(what: impl Into<String>, found: impl Into<String>) -> Check {
        Check {
            what: what.into(),
            passed: true,
            found: found.into(),
            advice: None,
        }
    }

    fn fail(what: impl Into<String>, found: impl Into<String>) -> Check {
        Check {
            passed: false,
            ..Check::pass(what, found)
        }
    }

    fn advise(self, advice: impl Into<String>) -> Check {
        Check {
            advice: Some(advice.into()),
            ..self
        }
    }
}

pub fn run(talk: &Talk, args: DoctorArgs) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let config = Config::read(args.config.as_deref());
    checks.push(match &config {
        Ok(config) if *config == Config::default() => Check::pass(
            "configuration",
            format!("nothing set ({} is optional)", config::DEFAULT_PATH),
        ),
        Ok(_) => Check::pass("configuration", "valid"),
        Err(error) => Check::fail("configuration", error.to_string()),
    });
    let config = config.unwrap_or_default();
    let mut asked = Choices {
        model: args.model,
        reach: args.reach,
        ..Choices::default()
    };
    let named = !asked.model.is_empty();
    config.complete(&mut asked);
    let environment = match asked.reach.environment(&config) {
        Ok(environment) => environment,
        Err(failure) => {
            checks.push(Check::fail("env file", failure.to_string()));
            Environment::process()
        }
    };

    let runtime = Runtime::new().map_err(Failure::internal)?;
    runtime.block_on(async {
        let models = models::Models::find(&asked, named, &config, &environment);
        checks.extend(models.checks());
        if args.live {
            checks.extend(live::checks(&models).await);
        }
        checks.extend(servers::checkpointer(&config, &environment, asked.reach.offline).await);
        checks.extend(servers::langsmith(&environment, asked.reach.offline).await);
    });

    let paths = config.dataset.map(|many| many.0).unwrap_or_default();
    checks.push(match load(&paths) {
        Ok(Dataset { name, examples, .. }) => {
            Check::pass("dataset", format!("`{name}`, {} examples", examples.len()))
        }
        Err(failure) => Check::fail("dataset", failure.to_string()),
    });
    checks.push(match writable(Path::new(REPORTS)) {
        Ok(()) => Check::pass("results", format!("./{REPORTS} can be written")),
        Err(error) => Check::fail("results", format!("./{REPORTS} cannot be written: {error}")),
    });

    let passed = checks.iter().all(|check| check.passed);
    let redactor = environment.redactor();
    print(&match talk.json {
        true => redactor.json(&as_json(&checks)).into_owned(),
        false => redactor.text(&as_lines(&checks)).into_owned(),
    })?;
    Ok(if passed { Exit::Ok } else { Exit::Usage })
}

/// Whether a folder takes a new file; where it does not exist, whether the one above does.
fn writable(folder: &Path) -> std::io::Result<()> {
    let existing = match folder.parent() {
        _ if folder.is_dir() => folder,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let probe = existing.join(format!(".mailproof-doctor-{}", std::process::id()));
    fs::File::create_new(&probe)?;
    fs::remove_file(&probe)
}

fn as_json(checks: &[Check]) -> String {
    let checks: Vec<_> = checks
        .iter()
        .map(|check| {
            json!({
                "check": check.what, "passed": check.passed, "found": check.found,
                "advice": check.advice,
            })
        })
        .collect();
    format!("{:#}\n", json!(checks))
}

fn as_lines(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = if check.passed { "pass" } else { "FAIL" };
        writeln!(text, "{mark}  {}: {}", check.what, check.found).expect("a string takes all");
        if let Some(advice) = &check.advice {
            writeln!(text, "      {advice}").expect("a string takes all");
        }
    }
    text
}
