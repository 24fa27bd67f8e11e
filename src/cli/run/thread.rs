//! `mailproof run --email FILE --thread NAME`: one email, until the first question.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::super::args::{RunArgs, Talk};
use super::super::config::Config;
use super::super::exit::{Exit, Failure};
use super::super::models::Models;
use super::super::threads::place::Chosen;
use super::super::threads::stop::{conclude, hook};
use super::email;
use super::settings;
use crate::cli::clock;
use crate::target::local::Local;
use crate::target::{Start, Target, Until};

pub fn run(
    talk: &Talk,
    file: &Path,
    thread: &str,
    args: &RunArgs,
    config: &Config,
) -> Result<Exit, Failure> {
    if args.choices.agent.len() != 1 || args.choices.model.len() > 1 {
        return Err(Failure::usage(
            "a thread is one agent's, with one model: name them, as in `-a hitl -m rules`",
        ));
    }
    let mut choices = settings::choices(settings::defaults(), args, config)?;
    let kind = settings::agents(&mut choices.agents)?[0];
    let environment = args.choices.reach.environment(config)?;
    let [parts] = &settings::parts(&choices)[..] else {
        unreachable!("at most one model was named, and there is a default");
    };
    let model = &parts.agent;
    let catalog = &choices.catalog;
    let models = Models::open([parts], catalog, &args.choices, config, &environment)?;
    let agent = settings::agent(kind, models.of_agent(parts), &choices, clock::now().date());
    let hook = hook(config, &environment)?;
    let place = Chosen::new(args.checkpointer.as_deref(), config, &environment)?;
    let email = email::read(file)?;
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let lasting = runtime.block_on(place.open())?;
    let there = runtime.block_on(lasting.checkpointer.latest(thread));
    if there.map_err(Failure::from_error)?.is_some() {
        let flag = &lasting.flag;
        return Err(Failure::usage(format!(
            "thread `{thread}` was started before: `mailproof threads{flag}` shows what it waits for, `mailproof respond{flag}` goes on with it; for a new one, choose another name"
        )));
    }
    let (checkpointer, store) = (lasting.checkpointer.clone(), lasting.store.clone());
    let target = Local::on(agent, checkpointer, store);
    let start = Start {
        thread: thread.to_owned(),
        until: Until::End,
        timeout: Duration::from_millis(choices.limits.timeout_ms),
        max_steps: choices.limits.max_steps,
        store: None,
        restart: false,
        origin: Default::default(),
    };
    let progress = runtime.block_on(target.start(start, &email));
    let variant = format!("{kind}@{model}");
    conclude(
        talk,
        &runtime,
        &lasting,
        hook.as_ref(),
        thread,
        &variant,
        progress,
    )
}
