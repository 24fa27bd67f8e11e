//! The run loop: super-steps until nothing is left to run.
//!
//! In one super-step the nodes of the frontier run at the same time on the same state.
//! When all of them are done their updates are applied in frontier order, and the next
//! frontier follows from their `goto`s and edges. When some of them stop to ask, or fail,
//! the step stays open: what the others returned is kept, and they do not run again when
//! the step is tried once more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use serde_json::Value;

use super::checkpoint::{Cause, Status};
use super::compiled::CompiledGraph;
use super::event::{Event, EventSink};
use super::failure::{Failure, RunError};
use super::interrupt::Interrupt;
use super::node::{NodeContext, NodeError, Stop};
use super::state::{Command, Goto, State};
use super::thread::Recorder;

/// How to run.
#[derive(Clone)]
pub struct RunOptions {
    /// The most super-steps that one input may take, pauses and resumes included.
    pub step_limit: u64,
    pub events: Option<EventSink>,
}

impl RunOptions {
    pub fn new(step_limit: u64) -> Self {
        RunOptions {
            step_limit,
            events: None,
        }
    }

    pub fn events(mut self, sink: EventSink) -> Self {
        self.events = Some(sink);
        self
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
            runs: vec![0; nodes],
        }
    }
}

/// What one attempt at a step came to, beside the writes in the cursor.
enum Attempt {
    Done,
    Interrupted,
    /// An answer was refused, and its interrupt is pending again.
    Refused(RunError, Cause),
    Failed(RunError),
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
                let error = self.step_limit(&cursor, options.step_limit);
                return Err(self.fail(error, state, &cursor, recorder).await);
            }
            let thread = recorder.as_ref().map(Recorder::thread);
            let attempt = self.attempt(&state, &mut cursor, &context, options, thread);
            let (cause, refused) = match attempt.await {
                Attempt::Done => (Cause::Stepped, None),
                Attempt::Interrupted => (Cause::Interrupted, None),
                Attempt::Refused(error, cause) => (cause, Some(error)),
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

    /// Runs those nodes of the frontier that are neither done nor waiting for an answer.
    async fn attempt(
        &self,
        state: &S,
        cursor: &mut Cursor<S::Update>,
        context: &Arc<C>,
        options: &RunOptions,
        thread: Option<Arc<str>>,
    ) -> Attempt {
        let step = cursor.step;
        let contexts: Vec<(usize, NodeContext<C>)> = self
            .runnable(cursor)
            .map(|index| {
                let context = NodeContext {
                    context: context.clone(),
                    node: self.nodes[index].name.clone(),
                    thread: thread.clone(),
                    step,
                    answers: cursor.answers.get(&index).cloned().unwrap_or_default(),
                    asked: Mutex::default(),
                };
                (index, context)
            })
            .collect();
        let results = join_all(contexts.iter().map(|(index, context)| async {
            let node = || context.node.to_string();
            options.emit(|| Event::Started { step, node: node() });
            let command = (self.nodes[*index].run)(state, context).await?;
            if options.events.is_some() && context.is_settled() {
                let update = command.update.as_ref().map(serde_json::to_value);
                let update = update.transpose()?;
                let node = node();
                options.emit(|| Event::Updated { step, node, update });
            }
            Ok::<_, NodeError>(command)
        }))
        .await;

        let mut failed = None;
        let mut refused = None;
        for ((index, context), result) in contexts.into_iter().zip(results) {
            cursor.runs[index] += 1;
            let name = context.node;
            let asked = context.asked.into_inner();
            let asked = asked.unwrap_or_else(PoisonError::into_inner);
            let stopped = !asked.pending.is_empty() || asked.refused.is_some();
            let error = match result.map_err(|error| error.0) {
                Ok(command) if !stopped => match self.check_goto(index, &command.goto) {
                    Ok(()) => {
                        cursor.writes.insert(index, command);
                        continue;
                    }
                    Err(error) => Some(error),
                },
                Ok(_) => None,
                Err(Stop::Interrupted) if stopped => None,
                Err(Stop::Interrupted) => Some(RunError::node(
                    &name,
                    "it returned an interrupt that another node reached".into(),
                )),
                Err(Stop::Failed(source)) => Some(RunError::node(&name, source)),
            };
            if let Some(error) = error {
                options.emit(|| Event::Failed {
                    step,
                    node: name.to_string(),
                    error: error.with_causes(),
                });
                failed.get_or_insert(error);
                continue;
            }
            // A run without a thread ends here, so its interrupts need no lasting name.
            let thread = thread.as_deref().unwrap_or_default();
            let ask = |position, payload| {
                let interrupt = Interrupt::new(thread, step, &name, position, payload);
                options.emit(|| Event::Interrupted {
                    step,
                    interrupt: interrupt.clone(),
                });
                interrupt
            };
            if let Some((position, payload, reason)) = asked.refused {
                let interrupt = ask(position, payload);
                let id = interrupt.id.clone();
                if let Some(answers) = cursor.answers.get_mut(&index) {
                    answers.remove(&position);
                }
                cursor.interrupts.push(interrupt);
                refused.get_or_insert_with(|| {
                    let cause = Cause::Refused {
                        interrupt: id.clone(),
                        reason: reason.clone(),
                    };
                    let node = name.to_string();
                    (RunError::AnswerRefused { node, id, reason }, cause)
                });
                continue;
            }
            for (position, payload) in asked.pending {
                cursor.interrupts.push(ask(position, payload));
            }
        }
        if let Some(error) = failed {
            Attempt::Failed(error)
        } else if let Some((error, cause)) = refused {
            Attempt::Refused(error, cause)
        } else if cursor.interrupts.is_empty() {
            Attempt::Done
        } else {
            Attempt::Interrupted
        }
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

    fn step_limit(&self, cursor: &Cursor<S::Update>, limit: u64) -> RunError {
        let runs = |node: &usize| cursor.runs[*node];
        // The one that ran most; the first of them, where several did.
        let node = cursor.frontier.iter().rev().copied().max_by_key(runs);
        let node = node.expect("a run without next nodes is finished");
        RunError::StepLimit {
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
