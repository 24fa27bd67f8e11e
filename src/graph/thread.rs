//! One run that lasts: started, paused, resumed, inspected, and changed by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};

use super::build::START;
use super::checkpoint::{Cause, Checkpoint, Checkpointer, FORMAT, Status};
use super::compiled::CompiledGraph;
use super::event::Event;
use super::failure::{Failure, RunError};
use super::interrupt::{Interrupt, Resume};
use super::run::{Cursor, Progress, RunOptions};
use super::state::{Command, Goto, State};
use super::task::{TaskOutcome, TaskRecord, TaskState};

/// Tells the time that checkpoints are stamped with.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A thread of a graph: a name in a checkpointer. Holding one locks nothing; every call
/// reads the thread anew.
pub struct Thread<'g, S: State, C> {
    graph: &'g CompiledGraph<S, C>,
    checkpointer: &'g dyn Checkpointer,
    id: Arc<str>,
    clock: Clock,
}

/// A thread at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot<S> {
    pub values: S,
    /// The nodes that run next, or again; empty when finished.
    pub next: Vec<String>,
    /// Questions without an answer.
    pub interrupts: Vec<Interrupt>,
    /// Tasks of nodes that are not done.
    pub tasks: Vec<TaskState>,
    pub status: Status,
    /// What went wrong, where `status` is failed.
    pub failure: Option<String>,
    /// Super-steps finished.
    pub step: u64,
    /// Why this moment was recorded.
    pub cause: Cause,
    pub created_at: Timestamp,
}

impl<S: State, C: Send + Sync + 'static> CompiledGraph<S, C> {
    /// The thread called `id`, which may not exist yet. Keep to one graph per thread:
    /// names of nodes are what is stored.
    pub fn thread<'g>(&'g self, checkpointer: &'g dyn Checkpointer, id: &str) -> Thread<'g, S, C> {
        Thread {
            graph: self,
            checkpointer,
            id: id.into(),
            clock: Arc::new(Timestamp::now),
        }
    }
}

impl<S: State, C: Send + Sync + 'static> Thread<'_, S, C> {
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Begins the thread with `state` and runs until it ends or must pause.
    ///
    /// # Errors
    /// [`RunError::ThreadExists`]; and whatever stops the run.
    pub async fn start(
        &self,
        state: S,
        context: Arc<C>,
        options: &RunOptions,
    ) -> Result<Progress<S>, Failure<S>> {
        let latest = self.checkpointer.latest(&self.id).await;
        if latest.map_err(Failure::new)?.is_some() {
            let thread = self.id.to_string();
            return Err(Failure::new(RunError::ThreadExists { thread }));
        }
        let frontier = self.graph.entry(&state).map_err(Failure::new)?;
        let cursor = Cursor::new(0, frontier, self.graph.nodes.len());
        let mut recorder = Recorder {
            checkpointer: self.checkpointer,
            thread: self.id.clone(),
            clock: self.clock.clone(),
            sequence: 0,
            state: serialised(&state).map_err(Failure::new)?,
        };
        let stops = self.graph.stops_at(&cursor.frontier);
        let status = match (cursor.frontier.is_empty(), stops) {
            (true, _) => Status::Finished,
            (false, true) => Status::Interrupted,
            (false, false) => Status::Running,
        };
        let head = recorder.head(self.graph, &cursor, status, Cause::Started);
        recorder.put(head).await.map_err(Failure::new)?;
        if stops {
            options.emit(|| Event::Paused {
                step: 0,
                next: self.graph.names(&cursor.frontier),
            });
            return Ok(Progress::Paused(self.graph.pause(state, cursor)));
        }
        let recorder = Some(recorder);
        let run = self.graph.drive(state, cursor, context, options, recorder);
        run.await
    }

    /// Goes on where the thread stands, until it ends or must pause again.
    ///
    /// The answers are recorded before any node runs: they outlive a crash, after which
    /// [`Resume::Continue`] goes on without asking again; and of two callers that answer
    /// the same pause, one runs.
    ///
    /// # Errors
    /// [`RunError::UnknownThread`], [`RunError::NothingToResume`],
    /// [`RunError::AnswerIdsRequired`], [`RunError::UnknownInterrupt`], all of which leave
    /// the thread as it was; and whatever stops the run.
    pub async fn resume(
        &self,
        resume: Resume,
        context: Arc<C>,
        options: &RunOptions,
    ) -> Result<Progress<S>, Failure<S>> {
        let head = self.head().await.map_err(Failure::new)?;
        let state: S = deserialised(&head.state).map_err(Failure::new)?;
        let (cursor, recorder) = match self.claim(head, resume).await {
            Ok(Claim::Go(cursor, recorder)) => (cursor, recorder),
            Ok(Claim::Wait(cursor)) => {
                return Ok(Progress::Paused(self.graph.pause(state, cursor)));
            }
            Err(error) => return Err(Failure::with_state(error, state)),
        };
        let run = self
            .graph
            .drive(state, cursor, context, options, Some(recorder));
        run.await
    }

    /// Checks that `resume` fits where the thread stands, and records it.
    async fn claim(
        &self,
        head: Checkpoint,
        resume: Resume,
    ) -> Result<Claim<'_, S::Update>, RunError> {
        let thread = || self.id.to_string();
        let nothing = |why| RunError::NothingToResume {
            thread: thread(),
            why,
        };
        let pending = || head.interrupts.iter().map(|pending| pending.id.clone());
        let answers = match resume {
            _ if head.status == Status::Finished => {
                return Err(nothing(
                    "is finished; give it a new input, or start another one",
                ));
            }
            Resume::Continue => BTreeMap::new(),
            _ if head.interrupts.is_empty() => {
                return Err(nothing(match head.status {
                    Status::Interrupted => {
                        "stands at a breakpoint and asks nothing; continue without an answer"
                    }
                    _ => "asks nothing; continue without an answer",
                }));
            }
            Resume::Answer(answer) if head.interrupts.len() == 1 => {
                pending().map(|id| (id, answer.clone())).collect()
            }
            Resume::Answers(answers) if !answers.is_empty() => answers,
            Resume::Answer(_) | Resume::Answers(_) => {
                return Err(RunError::AnswerIdsRequired {
                    thread: thread(),
                    pending: pending().collect(),
                });
            }
        };
        if let Some(id) = answers
            .keys()
            .find(|id| pending().all(|known| known != **id))
        {
            return Err(RunError::UnknownInterrupt {
                thread: thread(),
                id: id.clone(),
                pending: pending().collect(),
            });
        }

        let mut cursor = self.cursor(&head)?;
        for (id, answer) in &answers {
            cursor.interrupts.retain(|pending| {
                if pending.id == *id {
                    let node = self.graph.node_index(&pending.node);
                    let node = node.expect("`cursor` looked every node up");
                    let given = cursor.answers.entry(node).or_default();
                    given.insert(pending.position, answer.clone());
                }
                pending.id != *id
            });
        }
        let runnable = self.graph.runnable(&cursor).next().is_some();
        let ready = runnable || cursor.interrupts.is_empty();
        if !ready && answers.is_empty() {
            return Ok(Claim::Wait(cursor));
        }
        let status = match ready {
            true => Status::Running,
            false => Status::Interrupted,
        };
        let mut recorder = self.recorder(&head);
        let claim = recorder.head(self.graph, &cursor, status, Cause::Resumed { answers });
        recorder.put(claim).await?;
        Ok(match ready {
            true => Claim::Go(cursor, recorder),
            false => Claim::Wait(cursor),
        })
    }

    /// Where the thread stands now.
    ///
    /// # Errors
    /// [`RunError::UnknownThread`]; [`RunError::State`] if the state's type has changed.
    pub async fn get_state(&self) -> Result<Snapshot<S>, RunError> {
        snapshot(self.head().await?)
    }

    /// Where the thread stood, oldest first.
    ///
    /// # Errors
    /// As [`get_state`](Self::get_state).
    pub async fn history(&self) -> Result<Vec<Snapshot<S>>, RunError> {
        let history = self.checkpointer.history(&self.id).await?;
        if history.is_empty() {
            let thread = self.id.to_string();
            return Err(RunError::UnknownThread { thread });
        }
        history.into_iter().map(snapshot).collect()
    }

    /// Changes the state from outside, between steps.
    ///
    /// Without `as_node` the thread stands where it stood: an interrupted node is still
    /// asking, and runs on the changed state when it is answered. With `as_node` the
    /// update counts as that node's: its edges say what comes next, and open questions are
    /// withdrawn. As [`START`] it is a new input, and the graph begins again. After it,
    /// [`Resume::Continue`] goes on.
    ///
    /// # Errors
    /// [`RunError::UnknownThread`]; [`RunError::UnknownNode`] for `as_node`; the routing
    /// errors of its edges.
    pub async fn update_state(
        &self,
        update: S::Update,
        as_node: Option<&str>,
    ) -> Result<(), RunError> {
        let head = self.head().await?;
        let mut state: S = deserialised(&head.state)?;
        let mut cursor = self.cursor(&head)?;
        let mut status = head.status;
        state.apply(update);
        if let Some(node) = as_node {
            let next = match node {
                START => self.graph.entry(&state)?,
                node => {
                    let node = self.graph.node_index(node)?;
                    self.graph.successors(&[(node, Goto::Edges)], &state)?
                }
            };
            let mut fresh = Cursor::new(cursor.step, next, self.graph.nodes.len());
            if node != START {
                fresh.since = cursor.since;
                fresh.runs = cursor.runs;
            }
            cursor = fresh;
            status = match cursor.frontier.is_empty() {
                true => Status::Finished,
                false => Status::Interrupted,
            };
        }
        let mut recorder = self.recorder(&head);
        let checkpoint = recorder.head(self.graph, &cursor, status, Cause::Updated);
        let mut checkpoint = checkpoint.and_then(|checkpoint| checkpoint.with_state(&state))?;
        if as_node.is_none() {
            checkpoint.failure = head.failure;
        }
        recorder.put(Ok(checkpoint)).await
    }

    /// Records what a person found out about a task that had started, without an
    /// idempotency key, when its process ended. [`Resume::Continue`] goes on from there:
    /// the task has its result, or runs again.
    ///
    /// # Errors
    /// [`RunError::UnknownThread`]; [`RunError::UnknownTask`] unless the task, by its full
    /// name, is one that has started.
    pub async fn settle_task(
        &self,
        node: &str,
        task: &str,
        outcome: TaskOutcome,
    ) -> Result<(), RunError> {
        let head = self.head().await?;
        let mut cursor = self.cursor(&head)?;
        let open = |record: &TaskRecord| matches!(record, TaskRecord::Started { .. });
        let tasks = self.graph.node_index(node).ok();
        let tasks = tasks.and_then(|node| cursor.tasks.get_mut(&node));
        let tasks = tasks.filter(|tasks| tasks.get(task).is_some_and(open));
        let Some(tasks) = tasks else {
            return Err(RunError::UnknownTask {
                thread: self.id.to_string(),
                node: node.to_owned(),
                task: task.to_owned(),
            });
        };
        let done = match outcome {
            TaskOutcome::Done(result) => {
                let result = TaskRecord::Done(serialised(&result)?);
                tasks.insert(task.to_owned(), result);
                true
            }
            TaskOutcome::NotDone => {
                tasks.remove(task);
                false
            }
        };
        let mut recorder = self.recorder(&head);
        let (node, task) = (node.to_owned(), task.to_owned());
        let cause = Cause::TaskSettled { node, task, done };
        let mut checkpoint = recorder.head(self.graph, &cursor, head.status, cause)?;
        checkpoint.failure = head.failure;
        recorder.put(Ok(checkpoint)).await
    }

    async fn head(&self) -> Result<Checkpoint, RunError> {
        let head = self.checkpointer.latest(&self.id).await?;
        head.ok_or_else(|| RunError::UnknownThread {
            thread: self.id.to_string(),
        })
    }

    fn recorder(&self, head: &Checkpoint) -> Recorder<'_> {
        Recorder {
            checkpointer: self.checkpointer,
            thread: self.id.clone(),
            clock: self.clock.clone(),
            sequence: head.sequence + 1,
            state: head.state.clone(),
        }
    }

    /// The position a checkpoint tells of, with names looked up in this graph.
    fn cursor(&self, head: &Checkpoint) -> Result<Cursor<S::Update>, RunError> {
        let index = |name: &String| self.graph.node_index(name);
        let frontier = head.next.iter().map(index).collect::<Result<_, _>>()?;
        let mut cursor = Cursor::new(head.step, frontier, self.graph.nodes.len());
        cursor.since = head.since;
        cursor.interrupts = head.interrupts.clone();
        for interrupt in &head.interrupts {
            index(&interrupt.node)?;
        }
        for (node, answers) in &head.answers {
            cursor.answers.insert(index(node)?, answers.clone());
        }
        for (node, command) in &head.writes {
            let (node, command): (_, Command<S::Update>) = (index(node)?, deserialised(command)?);
            self.graph.check_goto(node, &command.goto)?;
            cursor.writes.insert(node, command);
        }
        for (node, tasks) in &head.tasks {
            cursor.tasks.insert(index(node)?, tasks.clone());
        }
        for (node, runs) in &head.runs {
            cursor.runs[index(node)?] = *runs;
        }
        Ok(cursor)
    }
}

/// What became of the wish to resume.
enum Claim<'g, U> {
    Go(Cursor<U>, Recorder<'g>),
    /// Everything that is left to run waits for an answer.
    Wait(Cursor<U>),
}

/// Writes a thread's checkpoints, each the child of the one before.
pub(super) struct Recorder<'g> {
    checkpointer: &'g dyn Checkpointer,
    thread: Arc<str>,
    clock: Clock,
    /// Of the next checkpoint.
    sequence: u64,
    /// As of the last checkpoint.
    state: Arc<RawValue>,
}

impl Recorder<'_> {
    pub fn thread(&self) -> Arc<str> {
        self.thread.clone()
    }

    /// The state of the last checkpoint.
    pub fn committed<S: State>(&self) -> Result<S, RunError> {
        deserialised(&self.state)
    }

    /// The next checkpoint, with the state of the last one.
    pub fn head<S: State, C: Send + Sync + 'static>(
        &self,
        graph: &CompiledGraph<S, C>,
        cursor: &Cursor<S::Update>,
        status: Status,
        cause: Cause,
    ) -> Result<Checkpoint, RunError> {
        let name = |node: usize| graph.nodes[node].name.to_string();
        let writes = cursor.writes.iter();
        let answers = cursor.answers.iter();
        let tasks = cursor.tasks.iter().filter(|(_, tasks)| !tasks.is_empty());
        let runs = cursor.runs.iter().enumerate();
        Ok(Checkpoint {
            format: FORMAT,
            thread: self.thread.to_string(),
            sequence: self.sequence,
            step: cursor.step,
            since: cursor.since,
            cause,
            status,
            failure: None,
            state: self.state.clone(),
            next: graph.names(&cursor.frontier),
            interrupts: cursor.interrupts.clone(),
            answers: answers
                .map(|(node, answers)| (name(*node), answers.clone()))
                .collect(),
            writes: writes
                .map(|(node, command)| Ok((name(*node), serialised(command)?)))
                .collect::<Result<_, RunError>>()?,
            tasks: tasks
                .map(|(node, tasks)| (name(*node), tasks.clone()))
                .collect(),
            runs: runs
                .filter(|(_, runs)| **runs > 0)
                .map(|(node, runs)| (name(node), *runs))
                .collect(),
            created_at: (self.clock)(),
        })
    }

    /// Stores a checkpoint made by [`head`](Self::head).
    pub async fn put(&mut self, checkpoint: Result<Checkpoint, RunError>) -> Result<(), RunError> {
        let checkpoint = checkpoint?;
        let state = checkpoint.state.clone();
        self.checkpointer.put(checkpoint).await?;
        self.state = state;
        self.sequence += 1;
        Ok(())
    }
}

impl Checkpoint {
    pub(super) fn with_state<S: State>(mut self, state: &S) -> Result<Self, RunError> {
        self.state = serialised(state)?;
        Ok(self)
    }

    pub(super) fn with_failure(mut self, failure: String) -> Self {
        self.failure = Some(failure);
        self
    }
}

fn snapshot<S: State>(checkpoint: Checkpoint) -> Result<Snapshot<S>, RunError> {
    Ok(Snapshot {
        values: deserialised(&checkpoint.state)?,
        next: checkpoint.next,
        interrupts: checkpoint.interrupts,
        tasks: checkpoint
            .tasks
            .into_iter()
            .flat_map(|(node, tasks)| {
                let state = move |(task, record)| TaskState::new(node.clone(), task, record);
                tasks.into_iter().map(state)
            })
            .collect::<Result<_, _>>()?,
        status: checkpoint.status,
        failure: checkpoint.failure,
        step: checkpoint.step,
        cause: checkpoint.cause,
        created_at: checkpoint.created_at,
    })
}

fn serialised(value: &impl serde::Serialize) -> Result<Arc<RawValue>, RunError> {
    let raw = to_raw_value(value).map_err(|source| RunError::State {
        what: "serialised",
        source,
    })?;
    Ok(raw.into())
}

fn deserialised<T: serde::de::DeserializeOwned>(raw: &RawValue) -> Result<T, RunError> {
    serde_json::from_str(raw.get()).map_err(|source| RunError::State {
        what: "read from the checkpoint",
        source,
    })
}
