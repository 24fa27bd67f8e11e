//! Small graphs that stop and ask, as people write them: what they may rely on.

mod assistance;
mod breakpoints;
mod destructive;
mod expense;
mod order;
mod pitfalls;
mod plan;
mod stages;
mod tools;

use std::fmt::Debug;

use mailproof::graph::{Failure, Pause, Progress, Resume, RunError, RunOptions};
use serde_json::Value;

fn options() -> RunOptions {
    RunOptions::new(25)
}

fn answer(value: Value) -> Resume {
    Resume::Answer(value)
}

#[track_caller]
fn paused<S: Debug>(run: Result<Progress<S>, Failure<S>>) -> Pause<S> {
    match run {
        Ok(Progress::Paused(pause)) => pause,
        other => panic!("not paused: {other:?}"),
    }
}

#[track_caller]
fn finished<S: Debug>(run: Result<Progress<S>, Failure<S>>) -> S {
    match run {
        Ok(Progress::Finished(state)) => state,
        other => panic!("not finished: {other:?}"),
    }
}

#[track_caller]
fn refused<S: Debug>(run: Result<Progress<S>, Failure<S>>) -> RunError {
    run.expect_err("the run is refused").error
}
