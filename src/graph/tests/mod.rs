//! Facts about whole graphs, one file a subject.

mod breakpoints;
mod crashes;
mod interrupts;
mod retries;
mod routing;
mod tasks;
mod thousand;
mod threads;

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;

/// A state that keeps what every node had to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Log(Vec<String>);

impl State for Log {
    type Update = String;
    fn apply(&mut self, update: String) {
        self.0.push(update);
    }
}

/// What nodes did, where no state tells of it.
#[derive(Default)]
struct Effects(Mutex<Vec<String>>);

impl Effects {
    fn add(&self, effect: impl Into<String>) {
        self.0.lock().unwrap().push(effect.into());
    }

    /// What happened since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

type Context = NodeContext<Effects>;
type Result<'a> = BoxFuture<'a, NodeResult<Log>>;
type Run = std::result::Result<Progress<Log>, Failure<Log>>;

const OPTIONS: RunOptions = RunOptions {
    step_limit: 25,
    events: None,
    random: None,
};

/// Says its name, and has the effect of that name.
fn say<'a>(_: &'a Log, context: &'a Context) -> Result<'a> {
    async {
        context.context().add(context.node());
        Ok(Command::new().update(context.node().to_owned()))
    }
    .boxed()
}

/// Asks its name, and says name and answer; has an effect before and one after asking.
fn ask<'a>(_: &'a Log, context: &'a Context) -> Result<'a> {
    async {
        let node = context.node();
        context.context().add(format!("{node} asks"));
        let answer = context.interrupt(json!(node))?;
        context.context().add(format!("{node} acts"));
        Ok(Command::new().update(format!("{node}={answer}")))
    }
    .boxed()
}

fn log(entries: &[&str]) -> Log {
    Log(entries.iter().map(|entry| (*entry).to_owned()).collect())
}

/// A thread of its own, and what its nodes do.
struct Fixture {
    graph: CompiledGraph<Log, Effects>,
    checkpointer: MemoryCheckpointer,
    effects: Arc<Effects>,
}

impl Fixture {
    fn new(graph: Graph<Log, Effects>) -> Self {
        Fixture {
            graph: graph.compile().unwrap(),
            checkpointer: MemoryCheckpointer::new(),
            effects: Arc::default(),
        }
    }

    fn thread(&self) -> Thread<'_, Log, Effects> {
        self.graph.thread(&self.checkpointer, "t")
    }

    async fn start(&self) -> Run {
        let effects = self.effects.clone();
        self.thread().start(Log::default(), effects, &OPTIONS).await
    }

    async fn resume(&self, resume: Resume) -> Run {
        let effects = self.effects.clone();
        self.thread().resume(resume, effects, &OPTIONS).await
    }

    async fn answer(&self, answer: impl Into<Value>) -> Run {
        self.resume(Resume::Answer(answer.into())).await
    }

    /// A run that keeps nothing.
    async fn run(&self) -> std::result::Result<Log, Failure<Log>> {
        let effects = self.effects.clone();
        self.graph.run(Log::default(), effects, &OPTIONS).await
    }

    async fn history_length(&self) -> usize {
        self.thread().history().await.unwrap().len()
    }
}

#[track_caller]
fn paused(run: Run) -> Pause<Log> {
    match run {
        Ok(Progress::Paused(pause)) => pause,
        other => panic!("not paused: {other:?}"),
    }
}

#[track_caller]
fn finished(run: Run) -> Vec<String> {
    match run {
        Ok(Progress::Finished(log)) => log.0,
        other => panic!("not finished: {other:?}"),
    }
}

#[track_caller]
fn failed<T: std::fmt::Debug>(
    run: std::result::Result<T, Failure<Log>>,
) -> (RunError, Option<Log>) {
    let failure = run.expect_err("the run fails");
    (failure.error, failure.state.map(|state| *state))
}
