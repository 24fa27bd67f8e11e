//! The run loop: super-steps until nothing is left to run.
//!
//! In one super-step the nodes of the frontier run at the same time on the same state.
//! When all of them are done their updates are applied in frontier order, and the next
//! frontier follows from their `goto`s and edges. When some of them stop to ask, or fail,
//! the step stays open: what the others returned is kept, and they do not run again when
//! the step is tried once more.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::attempt::Attempt;
use super::checkpoint::{Cause, Status};
use super::compiled::CompiledGraph;
use super::event::{Event, EventSink};
use super::failure::{Failure, RunError};
use super::interrupt::Interrupt;
use super::retry::Random;
use super::state::{Command, Goto, State};
use super::task::TaskRecord;
use super::thread::Recorder;

/// How to run.
#[derive(Clone)]
pub struct RunOptions {
    /// The most super-steps that one input may take, pauses and resumes included.
    pub step_limit: u64,
    pub events: Option<EventSink>,
    /// Draws the jitter of retries; by chance where there is none.
    pub random: Option<Random>,
}

impl RunOptions {
    pub fn new(step_limit: u64) -> Self {
        RunOptions {
            step_limit,
            events: None,
            random: None,
        }
    }

    pub fn events(mut self, sink: EventSink) -> Self {
        self.events = Some(sink);
        self
    }

    /// Draws the jitter of retries with `random`.
    pub fn random(mut self, random: Random) -> Self {
        self.random = Some(random);
        self
    }

    pub(super) fn draw(&self) -> f64 {
        match &self.random {
            Some(random) => random(),
            None => fastrand::f64(),
        }
    }

    pub(super) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(sink) = &self.events {
            sink(event());
        }
    }
}

/// Where a run on a thread came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress<S> {
    Finished(S),
    Paused(Pause<S>),
}

/// A thread that stands still.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause<S> {
    /// The state as of the last finished super-step.
    pub state: S,
    /// The nodes that run next, or again.
    pub next: Vec<String>,
    /// What is asked; empty at a breakpoint.
    pub interrupts: Vec<Interrupt>,
}

/// How far a run is: everything but the state itself.
pub(super) struct Cursor<U> {
    pub step: u64,
    pub since: u64,
    pub frontier: Vec<usize>,
    pub interrupts: Vec<Interrupt>,
    pub answers: BTreeMap<usize, BTreeMap<usize, Value>>,
    /// Commands of frontier nodes that are done, while others are not.
    pub writes: BTreeMap<usize, Command<U>>,
    /// Tasks of frontier nodes that are not done, by full name.
    pub tasks: BTreeMap<usize, BTreeMap<String, TaskRecord>>,
    /// How often each node ran since the present input.
    pub runs: Vec<u64>,
}

impl<U> Cursor<U> {
    pub fn new(step: u64, frontier: Vec<usize>, nodes: usize) -> Self {
        Cursor {
            step,
            since: step,
            frontier,
            interrupts: Vec::new(),
            answers: BTreeMap::new(),
            writes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            runs: vec![0; nodes],
        }
    }
}

impl<S: State, C: Send + Sync + 'static> CompiledGraph<S, C> {
    /// Runs from the start to the end in one go, keeping nothing: the lean way for graphs
    /// that never pause.
    ///
    /// # Errors
    /// [`RunError::CheckpointerRequired`] if the graph has breakpoints, or when a node
    /// interrupts; [`RunError::Node`], [`RunError::StepLimit`], and the routing errors.
    pub async fn run(
        &self,
        state: S,
        context: Arc<C>,
        options: &RunOptions,
    ) -> Result<S, Failure<S>> {
        if self.has_breakpoints() {
            let what = "a graph with breakpoints".to_owned();
            let error = RunError::CheckpointerRequired { what };
            return Err(Failure::with_state(error, state));
        }
        let frontier = match self.entry(&state) {
            Ok(frontier) => frontier,
            Err(error) => return Err(Failure::with_state(error, state)),
        };
        let cursor = Cursor::new(0, frontier, self.nodes.len());
        match self.drive(state, cursor, context, options, None).await? {
            Progress::Finished(state) => Ok(state),
            // Nothing was recorded, so nobody could ever answer.
            Progress::Paused(pause) => {
                let what = format!("node `{}`", pause.interrupts[0].node);
                let error = RunError::CheckpointerRequired { what };
                Err(Failure::with_state(error, pause.state))
            }
        }
    }

    /// Runs super-steps from `cursor` on, and records each where there is a recorder.
    pub(super) async fn drive(
        &self,
        mut state: S,
        mut cursor: Cursor<S::Update>,
        context: Arc<C>,
        options: &RunOptions,
        mut recorder: Option<Recorder<'_>>,
    ) -> Result<Progress<S>, Failure<S>> {
        while !cursor.frontier.is_empty() {
            if cursor.step - cursor.since >= options.step_limit {
                let thread = recorder.as_ref().map(Recorder::thread);
                let error = self.step_limit(&cursor, options.step_limit, thread.as_deref());
                return Err(self.fail(error, state, &cursor, recorder).await);
            }
            let attempt = self.attempt(&state, &mut cursor, &context, options, recorder.as_mut());
            let (cause, refused) = match attempt.await {
                Attempt::Done => (Cause::Stepped, None),
                Attempt::Interrupted => (Cause::Interrupted, None),
                Attempt::Refused(error, cause) => (cause, Some(error)),
                Attempt::Unrecorded(error) => return Err(Failure::with_state(error, state)),
                Attempt::Failed(error) => {
                    return Err(self.fail(error, state, &cursor, recorder).await);
                }
            };
            if cause != Cause::Stepped {
                if let Some(recorder) = &mut recorder {
                    let head = recorder.head(self, &cursor, Status::Interrupted, cause);
                    if let Err(source) = recorder.put(head).await {
                        let error = match refused {
                            Some(error) => error.unrecorded(source),
                            None => source,
                        };
                        return Err(Failure::with_state(error, state));
                    }
                }
                return match refused {
                    Some(error) => Err(Failure::with_state(error, state)),
                    None => Ok(Progress::Paused(self.pause(state, cursor))),
                };
            }

            let done = apply(&mut state, &mut cursor);
            let next = match self.successors(&done, &state) {
                Ok(next) => next,
                // On a thread the step's updates are lost with it, and its nodes run again.
                Err(error) => {
                    let state = recorder.as_ref().map_or(Ok(state), Recorder::committed);
                    return Err(match state {
                        Ok(state) => self.fail(error, state, &cursor, recorder).await,
                        Err(source) => Failure::new(error.unrecorded(source)),
                    });
                }
            };
            cursor.answers.clear();
            cursor.tasks.clear();
            cursor.step += 1;
            cursor.frontier = next;
            let breakpoint = self.stops_at(&cursor.frontier)
                || !cursor.frontier.is_empty()
                    && (done.iter()).any(|(node, _)| self.nodes[*node].interrupt_after);
            if let Some(recorder) = &mut recorder {
                let status = match (cursor.frontier.is_empty(), breakpoint) {
                    (true, _) => Status::Finished,
                    (false, true) => Status::Interrupted,
                    (false, false) => Status::Running,
                };
                let head = recorder.head(self, &cursor, status, Cause::Stepped);
                let head = head.and_then(|head| head.with_state(&state));
                if let Err(error) = recorder.put(head).await {
                    return Err(match recorder.committed() {
                        Ok(state) => Failure::with_state(error, state),
                        Err(source) => Failure::new(error.unrecorded(source)),
                    });
                }
            }
            if breakpoint {
                options.emit(|| Event::Paused {
                    step: cursor.step,
                    next: self.names(&cursor.frontier),
                });
                return Ok(Progress::Paused(self.pause(state, cursor)));
            }
        }
        options.emit(|| Event::Finished { step: cursor.step });
        Ok(Progress::Finished(state))
    }

    /// The nodes of the frontier that are neither done nor waiting for an answer.
    pub(super) fn runnable(&self, cursor: &Cursor<S::Update>) -> impl Iterator<Item = usize> {
        cursor.frontier.iter().copied().filter(|index| {
            let name = &*self.nodes[*index].name;
            let waits = cursor.interrupts.iter().any(|pending| pending.node == name);
            !waits && !cursor.writes.contains_key(index)
        })
    }

    /// Whether a breakpoint stands before one of these nodes.
    pub(super) fn stops_at(&self, frontier: &[usize]) -> bool {
        frontier
            .iter()
            .any(|node| self.nodes[*node].interrupt_before)
    }

    pub(super) fn names(&self, nodes: &[usize]) -> Vec<String> {
        let names = nodes.iter().map(|node| self.nodes[*node].name.to_string());
        names.collect()
    }

    pub(super) fn pause(&self, state: S, cursor: Cursor<S::Update>) -> Pause<S> {
        Pause {
            state,
            next: self.names(&cursor.frontier),
            interrupts: cursor.interrupts,
        }
    }

    fn step_limit(&self, cursor: &Cursor<S::Update>, limit: u64, thread: Option<&str>) -> RunError {
        let runs = |node: &usize| cursor.runs[*node];
        // The one that ran most; the first of them, where several did.
        let node = cursor.frontier.iter().rev().copied().max_by_key(runs);
        let node = node.expect("a run without next nodes is finished");
        RunError::StepLimit {
            thread: thread.map(str::to_owned),
            limit,
            node: self.nodes[node].name.to_string(),
            runs: cursor.runs[node],
        }
    }

    /// Records that the run stopped at `error`, and hands it on with the state.
    async fn fail(
        &self,
        error: RunError,
        state: S,
        cursor: &Cursor<S::Update>,
        recorder: Option<Recorder<'_>>,
    ) -> Failure<S> {
        let Some(mut recorder) = recorder else {
            return Failure::with_state(error, state);
        };
        let head = recorder.head(self, cursor, Status::Failed, Cause::Failed);
        let head = head.map(|head| head.with_failure(error.with_causes()));
        match recorder.put(head).await {
            Ok(()) => Failure::with_state(error, state),
            Err(source) => Failure::with_state(error.unrecorded(source), state),
        }
    }
}

/// Applies the updates of a whole step in frontier order; returns where its nodes go.
fn apply<S: State>(state: &mut S, cursor: &mut Cursor<S::Update>) -> Vec<(usize, Goto)> {
    let mut done = Vec::with_capacity(cursor.frontier.len());
    for node in &cursor.frontier {
        let command = cursor.writes.remove(node);
        let command = command.expect("a step is whole when every node of it is done");
        if let Some(update) = command.update {
            state.apply(update);
        }
        done.push((*node, command.goto));
    }
    done
}
