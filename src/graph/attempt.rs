//! One try at a super-step: its nodes, their retries, and their tasks.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{join, join_all};
use tokio::sync::mpsc;

use super::checkpoint::{Cause, Status};
use super::compiled::CompiledGraph;
use super::event::Event;
use super::failure::RunError;
use super::interrupt::Interrupt;
use super::node::{Asked, NodeContext, NodeError, NodeResult, Stop};
use super::run::{Cursor, RunOptions};
use super::state::State;
use super::task::{Desk, Reply, Request, TaskRecord, Wish};
use super::thread::Recorder;

/// What a try came to, beside the writes, interrupts, and tasks in the cursor.
pub(super) enum Attempt {
    Done,
    Interrupted,
    /// An answer was refused, and its interrupt is pending again.
    Refused(RunError, Cause),
    Failed(RunError),
    /// A task could not be recorded, so nothing more can be.
    Unrecorded(RunError),
}

/// What one node left behind.
struct Ran<S: State> {
    index: usize,
    name: Arc<str>,
    asked: Asked,
    result: NodeResult<S>,
}

/// What the tasks of a try met that ends the run.
#[derive(Default)]
struct Halts {
    /// By node.
    unknown: Vec<(usize, RunError)>,
    unrecorded: Option<RunError>,
}

impl<S: State, C: Send + Sync + 'static> CompiledGraph<S, C> {
    /// Runs those nodes of the frontier that are neither done nor waiting for an answer.
    pub(super) async fn attempt(
        &self,
        state: &S,
        cursor: &mut Cursor<S::Update>,
        context: &Arc<C>,
        options: &RunOptions,
        recorder: Option<&mut Recorder<'_>>,
    ) -> Attempt {
        let step = cursor.step;
        let thread = recorder.as_deref().map(Recorder::thread);
        let (requests, received) = mpsc::unbounded_channel();
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
                    root: Arc::default(),
                    desk: thread.is_some().then(|| Desk {
                        node: index,
                        requests: requests.clone(),
                    }),
                    options: options.clone(),
                };
                (index, context)
            })
            .collect();
        // The nodes hold the other ends: when all of them are done, no request is left.
        drop(requests);
        let nodes = contexts
            .into_iter()
            .map(|(index, context)| self.run_node(index, state, context));
        let (ran, halts) = match recorder {
            Some(recorder) => {
                let tasks = self.record_tasks(recorder, cursor, received);
                join(join_all(nodes), tasks).await
            }
            None => (join_all(nodes).await, Halts::default()),
        };
        match halts.unrecorded {
            Some(error) => Attempt::Unrecorded(error),
            None => self.judge(ran, halts.unknown, cursor, options, thread.as_deref()),
        }
    }

    /// Runs one node until it is done, stops, or has failed for good.
    async fn run_node(&self, index: usize, state: &S, mut context: NodeContext<C>) -> Ran<S> {
        let node = &self.nodes[index];
        let (step, options) = (context.step, context.options.clone());
        let name = || node.name.to_string();
        options.emit(|| Event::Started { step, node: name() });
        let mut attempt = 1;
        let result = loop {
            let error = match (node.run)(state, &context).await {
                Err(NodeError(Stop::Failed(error))) if !context.root.is_halted() => error,
                result => break result,
            };
            let policy = node.retry.as_ref();
            let wait = policy.and_then(|policy| policy.wait(attempt, &*error, || options.draw()));
            let Some(wait) = wait else {
                break Err(NodeError(Stop::Failed(error)));
            };
            options.emit(|| Event::Retried {
                step,
                node: name(),
                task: None,
                attempt,
                wait,
                error: error.to_string(),
            });
            tokio::time::sleep(wait).await;
            context.begin_again();
            attempt += 1;
        };
        let result = result.and_then(|command| {
            if options.events.is_some() && context.is_settled() {
                let update = command.update.as_ref().map(serde_json::to_value);
                let update = update.transpose()?;
                options.emit(|| Event::Updated {
                    step,
                    node: name(),
                    update,
                });
            }
            Ok(command)
        });
        let asked = context.asked.into_inner();
        Ran {
            index,
            name: context.node,
            asked: asked.unwrap_or_else(PoisonError::into_inner),
            result,
        }
    }

    /// Records tasks as they start and end, until no node is left that could run any.
    async fn record_tasks(
        &self,
        recorder: &mut Recorder<'_>,
        cursor: &mut Cursor<S::Update>,
        mut requests: mpsc::UnboundedReceiver<Request>,
    ) -> Halts {
        let mut halts = Halts::default();
        while let Some(request) = requests.recv().await {
            let Request {
                node, task, wish, ..
            } = request;
            let reply = if halts.unrecorded.is_some() {
                Reply::Halted
            } else {
                self.record_task(recorder, cursor, (node, task), wish, &mut halts)
                    .await
            };
            // A node that gave up waiting finds what was recorded when it runs again.
            let _ = request.reply.send(reply);
        }
        halts
    }

    async fn record_task(
        &self,
        recorder: &mut Recorder<'_>,
        cursor: &mut Cursor<S::Update>,
        (node, task): (usize, String),
        wish: Wish,
        halts: &mut Halts,
    ) -> Reply {
        let tasks = cursor.tasks.entry(node).or_default();
        let name = self.nodes[node].name.to_string();
        let (reply, cause) = match wish {
            Wish::Start { key } => match tasks.get(&task) {
                Some(TaskRecord::Done(result)) => return Reply::Done(result.clone()),
                Some(TaskRecord::Started { key: Some(key) }) => {
                    let key = Some(key.clone());
                    return Reply::Run { key };
                }
                Some(TaskRecord::Started { key: None }) => {
                    let thread = recorder.thread().to_string();
                    let error = RunError::OutcomeUnknown {
                        thread,
                        node: name,
                        task,
                    };
                    halts.unknown.push((node, error));
                    return Reply::Halted;
                }
                None => {
                    let record = TaskRecord::Started { key: key.clone() };
                    tasks.insert(task.clone(), record);
                    (Reply::Run { key }, Cause::TaskStarted { node: name, task })
                }
            },
            Wish::Keep(result) => {
                // Nobody will ask again for what it was made of.
                let inside = format!("{task}/");
                tasks.retain(|known, _| !known.starts_with(&inside));
                tasks.insert(task.clone(), TaskRecord::Done(result.clone()));
                (Reply::Done(result), Cause::TaskDone { node: name, task })
            }
            Wish::Fail(error) => {
                tasks.remove(&task);
                let node = name;
                (Reply::Failed, Cause::TaskFailed { node, task, error })
            }
        };
        let head = recorder.head(self, cursor, Status::Running, cause);
        match recorder.put(head).await {
            Ok(()) => reply,
            Err(error) => {
                halts.unrecorded = Some(error);
                Reply::Halted
            }
        }
    }

    /// Sorts what the nodes left behind into the cursor.
    fn judge(
        &self,
        ran: Vec<Ran<S>>,
        mut unknown: Vec<(usize, RunError)>,
        cursor: &mut Cursor<S::Update>,
        options: &RunOptions,
        thread: Option<&str>,
    ) -> Attempt {
        let step = cursor.step;
        let mut failed = None;
        let mut refused = None;
        for Ran {
            index,
            name,
            asked,
            result,
        } in ran
        {
            cursor.runs[index] += 1;
            let stopped = !asked.pending.is_empty() || asked.refused.is_some();
            let halted = unknown.iter().position(|(node, _)| *node == index);
            let error = match (halted, result.map_err(|error| error.0)) {
                (Some(halted), _) => Some(unknown.remove(halted).1),
                (None, Ok(command)) if !stopped => match self.check_goto(index, &command.goto) {
                    Ok(()) => {
                        cursor.writes.insert(index, command);
                        cursor.tasks.remove(&index);
                        continue;
                    }
                    Err(error) => Some(error),
                },
                (None, Ok(_)) => None,
                (None, Err(Stop::Interrupted)) if stopped => None,
                (None, Err(Stop::Interrupted | Stop::Halted)) => Some(RunError::node(
                    &name,
                    "it returned an interrupt or a halt that another node met".into(),
                )),
                (None, Err(Stop::Failed(source))) => Some(RunError::node(&name, source)),
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
            let thread = thread.unwrap_or_default();
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
}
