//! `mailproof run --email FILE`: one email through the chosen agents.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::json;
use tokio::runtime::Runtime;

use super::super::args::{RunArgs, Talk};
use super::super::config::Config;
use super::super::exit::{Exit, Failure};
use super::super::models::Models;
use super::super::talk::{color, print, warn, width};
use super::settings;
use crate::cli::clock;
use crate::dataset::import::email_from_bytes;
use crate::email::Email;
use crate::human::{AcceptAll, drive};
use crate::report::{self, TrajectoryOptions, escape};
use crate::run::Run;
use crate::target::local::Local;
use crate::target::{Start, Until};

/// A mail with large attachments is not what agents are shown.
const MOST_BYTES: u64 = 32 << 20;

pub fn run(talk: &Talk, file: &Path, args: &RunArgs, config: &Config) -> Result<Exit, Failure> {
    let email = read(file)?;
    let mut choices = settings::choices(settings::defaults(), args, config)?;
    let kinds = settings::agents(&mut choices.agents)?;
    let environment = args.choices.reach.environment(config)?;
    let redactor = environment.redactor();
    let parts = settings::parts(&choices);
    let catalog = &choices.catalog;
    let models = Models::open(&parts, catalog, &args.choices, config, &environment)?;
    let date = clock::now().date();
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let mut exit = Exit::Ok;
    let mut all = Vec::new();
    for kind in kinds {
        for parts in &parts {
            let model = &parts.agent;
            let target = Local::new(settings::agent(
                kind,
                models.of_agent(parts),
                &choices,
                date,
            ));
            let start = Start {
                thread: format!("{kind}@{model}"),
                until: Until::End,
                timeout: std::time::Duration::from_millis(choices.limits.timeout_ms),
                max_steps: choices.limits.max_steps,
                store: None,
                restart: false,
                origin: Default::default(),
            };
            let driven = runtime.block_on(drive(&target, start, &email, &mut AcceptAll));
            let run = driven.run;
            if run.outcome.is_error() {
                exit = Exit::Indecisive;
            }
            let variant = format!("{kind}@{model}");
            if talk.json {
                all.push(as_json(&variant, &run));
            } else {
                let options = TrajectoryOptions {
                    width: width(),
                    color: color(talk),
                    full: true,
                    prompts: None,
                };
                let text = report::run(&run, &variant, options);
                print(&redactor.text(&text))?;
            }
        }
    }
    if talk.json {
        let json = format!("{:#}\n", json!(all));
        print(&redactor.json(&json))?;
    }
    if let Some(halted) = models.halt.reason() {
        warn(&format!("stopped: {}", escape::lines(&halted.reason)));
        return Ok(halted.because.into());
    }
    Ok(exit)
}

pub fn read(file: &Path) -> Result<Email, Failure> {
    let unreadable = |error: io::Error| {
        Failure::usage(format!("cannot read email `{}`: {error}", file.display()))
    };
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(file).map_err(unreadable)?),
    };
    source
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!(
            "email `{}` is larger than 32 MiB: leave out its attachments",
            file.display()
        )));
    }
    email_from_bytes(&bytes)
        .map_err(|error| Failure::usage(format!("email `{}`: {error}", file.display())))
}

/// Decision, calls, and transcript.
pub fn as_json(variant: &str, run: &Run) -> serde_json::Value {
    let calls: Vec<_> = crate::message::visible(&run.messages)
        .into_iter()
        .flat_map(|message| &message.tool_calls)
        .map(|call| json!({ "name": call.name, "arguments": call.arguments }))
        .collect();
    json!({
        "variant": variant,
        "triage": run.triage,
        "reasoning": run.reasoning,
        "outcome": run.outcome,
        "error": run.error,
        "tool_calls": calls,
        "messages": run.messages,
        "usage": run.usage,
    })
}
