//! `mailproof doctor`: is everything that a run needs there?

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::REPORTS;
use super::args::{DoctorArgs, Talk};
use super::config::{self, Config};
use super::exit::{Exit, Failure};
use super::talk::print;
use super::validate::load;
use crate::dataset::Dataset;
use crate::model::catalog::{self, Source};
use crate::model::http::{Account, Endpoint};
use crate::model::rules;

/// How long a server may take to accept a connection.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// One thing looked at.
struct Check {
    what: String,
    passed: bool,
    found: String,
}

pub fn run(talk: &Talk, args: DoctorArgs) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let config = Config::read(args.config.as_deref());
    checks.push(match &config {
        Ok(config) if *config == Config::default() => pass(
            "configuration",
            format!("nothing set ({} is optional)", config::DEFAULT_PATH),
        ),
        Ok(_) => pass("configuration", "valid".to_owned()),
        Err(error) => fail("configuration", error.to_string()),
    });
    let config = config.unwrap_or_default();

    let mut models = args.model;
    if models.is_empty() {
        models.extend(config.model.map(|many| many.0).unwrap_or_default());
        models.extend(config.router_model);
        models.extend(config.memory_model);
    }
    if models.is_empty() {
        models.push(rules::NAME.to_owned());
    }
    models.dedup();
    checks.extend(models.iter().map(|name| model_check(name)));

    let paths = config.dataset.map(|many| many.0).unwrap_or_default();
    checks.push(match load(&paths) {
        Ok(Dataset { name, examples, .. }) => {
            pass("dataset", format!("`{name}`, {} examples", examples.len()))
        }
        Err(failure) => fail("dataset", failure.to_string()),
    });
    checks.push(match writable(Path::new(REPORTS)) {
        Ok(()) => pass("results", format!("./{REPORTS} can be written")),
        Err(error) => fail("results", format!("./{REPORTS} cannot be written: {error}")),
    });

    let passed = checks.iter().all(|check| check.passed);
    print(&if talk.json {
        as_json(&checks)
    } else {
        as_lines(&checks)
    })?;
    Ok(if passed { Exit::Ok } else { Exit::Usage })
}

/// Provider, endpoint, model, and whether the key is there; never its value.
fn model_check(name: &str) -> Check {
    let what = format!("model {name}");
    match catalog::find(name, |variable| std::env::var(variable).ok()) {
        Ok(Source::Rules) => pass(&what, "in this process: no endpoint, no key".to_owned()),
        Ok(Source::Chat(account)) => {
            let (reached, passed) = reach(&account.endpoint);
            let found = format!(
                "provider {}, endpoint {}, model {}, {}; {reached}",
                account.provider,
                account.endpoint,
                account.model,
                key(&account),
            );
            Check {
                what,
                passed,
                found,
            }
        }
        Err(error) => fail(&what, error.to_string()),
    }
}

fn key(account: &Account) -> String {
    let variable = &account.key_variable;
    match account.key {
        Some(_) => format!("key in {variable}"),
        None => format!("no key ({variable} is not set)"),
    }
}

/// Whether somebody listens there, as words and as a verdict. A server of one's own may be
/// down; behind `https` stand services that are up, often reached through a proxy.
fn reach(endpoint: &Endpoint) -> (String, bool) {
    if endpoint.is_encrypted() {
        return ("connection not tried".to_owned(), true);
    }
    match endpoint.probe(PROBE_TIMEOUT) {
        Ok(()) => ("reachable".to_owned(), true),
        Err(error) => (format!("cannot be reached: {error}"), false),
    }
}

/// Whether a folder, or the nearest one above it that exists, takes a new file.
fn writable(folder: &Path) -> std::io::Result<()> {
    let existing = if folder.is_dir() {
        folder
    } else {
        Path::new(".")
    };
    let probe = existing.join(format!(".mailproof-doctor-{}", std::process::id()));
    fs::File::create_new(&probe)?;
    fs::remove_file(&probe)
}

fn pass(what: &str, found: String) -> Check {
    Check {
        what: what.to_owned(),
        passed: true,
        found,
    }
}

fn fail(what: &str, found: String) -> Check {
    Check {
        what: what.to_owned(),
        passed: false,
        found,
    }
}

fn as_json(checks: &[Check]) -> String {
    let checks: Vec<_> = checks
        .iter()
        .map(|check| json!({"check": check.what, "passed": check.passed, "found": check.found}))
        .collect();
    format!("{:#}\n", json!(checks))
}

fn as_lines(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = if check.passed { "pass" } else { "FAIL" };
        writeln!(text, "{mark}  {}: {}", check.what, check.found).expect("a string takes all");
    }
    text
}
