//! Where a run on a thread stopped: finished, or at a question.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use super::place::Lasting;
use super::{known, print_json, print_text, text};
use crate::agent::prompts::Preferences;
use crate::agent::state::Setup;
use crate::agent::{Agent, Settings};
use crate::cli::args::{Choices, Talk};
use crate::cli::config::{Config, OneOrMany};
use crate::cli::environment::Environment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::models::{Models, Parts};
use crate::cli::run::email::as_json;
use crate::cli::talk::{color, warn, width};
use crate::graph::Status;
use crate::human::approval::{Hook, Pending};
use crate::report::{self, TrajectoryOptions};
use crate::target::Progress;

/// How long the command that is told of a question may take.
const NOTIFY_LIMIT: Duration = Duration::from_secs(60);

/// The agent of a thread, as it was when the thread began.
///
/// # Errors
/// A model is not known here, or lacks its key; nothing was sent anywhere.
pub fn agent(
    setup: &Setup,
    asked: &Choices,
    config: &Config,
    environment: &Environment,
) -> Result<Agent, Failure> {
    let parts = Parts {
        agent: setup.model.clone(),
        router: setup.router_model.clone(),
        memory: setup.memory_model.clone(),
        simulator: setup.model.clone(),
        judges: Vec::new(),
    };
    let models = Models::open([&parts], &config.catalog(), asked, config, environment)?;
    let settings = Settings {
        date: setup.date,
        seed: setup.seed,
        preferences: Preferences::default(),
        behaviour: setup.behaviour.clone(),
    };
    Ok(Agent::new(setup.agent, models.of_agent(&parts), settings))
}

/// The command that is told of new questions, where the configuration names one.
pub fn hook(config: &Config, environment: &Environment) -> Result<Option<Hook>, Failure> {
    let Some(OneOrMany(words)) = &config.notify_command else {
        return Ok(None);
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::usage(
            "the configuration's `notify_command` names no program: write `[PROGRAM, ARGUMENT…]`, or leave it out",
        ));
    };
    let redactor = Arc::new(environment.redactor());
    Ok(Some(Hook::new(
        program,
        arguments.to_vec(),
        NOTIFY_LIMIT,
        redactor,
    )))
}

/// Says where the thread stands after a run on it, and tells of its question if it has a
/// new one.
///
/// # Errors
/// The run ended, but the thread did not: what it was to do did not happen.
pub fn conclude(
    talk: &Talk,
    runtime: &Runtime,
    lasting: &Lasting,
    hook: Option<&Hook>,
    thread: &str,
    variant: &str,
    progress: Progress,
) -> Result<Exit, Failure> {
    let listed = runtime.block_on(known(lasting, thread))?;
    match progress {
        Progress::Finished(run) if listed.summary.status != Status::Finished => {
            let error = run.error.as_deref().unwrap_or("it did not end");
            Err(Failure::usage(format!(
                "{error}; `mailproof threads {}{}` shows where the thread stands",
                super::shell::word(thread),
                lasting.flag
            )))
        }
        Progress::Finished(run) => {
            if talk.json {
                let run = as_json(variant, &run);
                print_json(
                    lasting,
                    &json!({ "thread": thread, "status": "finished", "run": run }),
                )?;
            } else {
                let options = TrajectoryOptions {
                    width: width(),
                    color: color(talk),
                    full: true,
                    prompts: None,
                };
                print_text(lasting, &report::run(&run, variant, options))?;
            }
            Ok(match run.outcome.is_error() {
                true => Exit::Indecisive,
                false => Exit::Ok,
            })
        }
        Progress::Paused(_) => {
            show(talk, lasting, thread, &listed.waiting)?;
            for pending in &listed.waiting {
                if let Some(Err(error)) = hook.map(|hook| hook.tell(pending)) {
                    warn(&format!("{error}; the question waits all the same"));
                }
            }
            Ok(Exit::Ok)
        }
    }
}

fn show(talk: &Talk, lasting: &Lasting, thread: &str, waiting: &[Pending]) -> Result<(), Failure> {
    if talk.json {
        return print_json(
            lasting,
            &json!({
                "thread": thread, "status": Status::Interrupted, "waiting": waiting,
            }),
        );
    }
    let questions = waiting.iter();
    let questions: Vec<_> = questions
        .map(|pending| text::question(pending, &lasting.flag))
        .collect();
    print_text(lasting, &questions.join("\n"))
}
