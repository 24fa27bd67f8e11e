//! Durable tasks: work inside a node that is not done again once it is done.
//!
//! A node that was interrupted, or whose process died, runs again from its first line.
//! What it does within [`NodeContext::task`] does not: that a task starts is recorded
//! before it runs, and its result before anybody sees it, so the node finds the result
//! where it was. A task that had started when its process ended, and of which nothing more
//! is known, runs again only under the idempotency key it started with. Without one the
//! run stops at [`RunError::OutcomeUnknown`], since
//! nobody here can know whether the money was moved.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};

use super::event::Event;
use super::failure::RunError;
use super::node::{NodeContext, NodeError, Stop};
use super::retry::RetryPolicy;

/// What to call a task, and how to run it.
#[derive(Clone, Debug)]
pub struct Task {
    name: Cow<'static, str>,
    key: Option<String>,
    retry: Option<RetryPolicy>,
}

impl Task {
    /// The name is not empty and holds neither `/` nor `#`. Tasks of one name are told
    /// apart by their order: a node must start them in the same order each time it runs
    /// on the same state and answers.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Task {
            name: name.into(),
            key: None,
            retry: None,
        }
    }

    /// Says that running the task twice under one key has the effect of running it once,
    /// as with the idempotency keys of payment services. The key it first starts with is
    /// kept and given to every later run of it, so it may be drawn at random.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Tries the task again when it fails. An error is taken to mean that nothing was
    /// done, or that doing it again is safe.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }
}

/// One run of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskContext {
    /// The idempotency key to hand on.
    pub key: Option<String>,
    /// From 1; counted within this run of the node.
    pub attempt: u32,
}

/// What a checkpoint keeps of a task of a node that is not done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskRecord {
    Started { key: Option<String> },
    Done(Arc<RawValue>),
}

/// A task of the step under way, for people to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskState {
    pub node: String,
    /// Its name, `#2` for the second of that name, after those of the tasks around it.
    pub task: String,
    /// Under which it started; not kept when it is done.
    pub key: Option<String>,
    /// `None` for a task that has started, or had when its process ended.
    pub result: Option<Value>,
}

/// What a person found out about a task whose outcome was unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutcome {
    /// It was done, with this result.
    Done(Value),
    /// It had no effect, and may run again.
    NotDone,
}

impl TaskState {
    pub(super) fn new(node: String, task: String, record: TaskRecord) -> Result<Self, RunError> {
        let (key, result) = match record {
            TaskRecord::Started { key } => (key, None),
            TaskRecord::Done(result) => {
                let value = serde_json::from_str(result.get()).map_err(|source| {
                    let what = "read from the checkpoint";
                    RunError::State { what, source }
                })?;
                (None, Some(value))
            }
        };
        Ok(TaskState {
            node,
            task,
            key,
            result,
        })
    }
}

/// Why a task could not be run or kept. A mistake in the node, so never tried again.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("`{0}` cannot be a task's name: names are not empty, and hold neither `/` nor `#`")]
    BadName(String),
    #[error("task `{0}` asks a person; interrupt the node before or after the task")]
    Asks(String),
    /// What the task did is done, and its outcome counts as unknown.
    #[error("the result of task `{task}` cannot be stored")]
    Unstorable {
        task: String,
        source: serde_json::Error,
    },
    #[error("the stored result of task `{task}` does not fit its type")]
    Unreadable {
        task: String,
        source: serde_json::Error,
    },
}

tokio::task_local! {
    /// The task that is being run, for tasks and interrupts inside it.
    static AROUND: Arc<Scope>;
}

/// Where tasks are counted: one execution of a node, or one attempt of a task in it.
#[derive(Default)]
pub(super) struct Scope {
    /// Full name of the task; empty for a node.
    path: String,
    /// The node's scope, where this is a task's.
    node: Option<Arc<Scope>>,
    started: Mutex<BTreeMap<String, u64>>,
    /// Whether something in it met what ends the run, which may not be swallowed.
    halted: AtomicBool,
}

impl Scope {
    /// The full name of the next task called `name`.
    fn next(&self, name: &str) -> String {
        // One insertion happens under this lock, so a poisoned one is still whole.
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let count = started.entry(name.to_owned()).or_default();
        *count += 1;
        let mut path = self.path.clone();
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name);
        if *count > 1 {
            path.push_str(&format!("#{count}"));
        }
        path
    }

    pub fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    fn halt(&self) -> NodeError {
        self.halted.store(true, Ordering::Relaxed);
        NodeError(Stop::Halted)
    }
}

/// Where a node's tasks are recorded: a line to the run, which owns the thread.
pub(super) struct Desk {
    pub node: usize,
    pub requests: mpsc::UnboundedSender<Request>,
}

/// A wish of one task, and where it waits for the reply.
pub(super) struct Request {
    pub node: usize,
    pub task: String,
    pub wish: Wish,
    pub reply: oneshot::Sender<Reply>,
}

pub(super) enum Wish {
    Start { key: Option<String> },
    Keep(Arc<RawValue>),
    Fail(String),
}

pub(super) enum Reply {
    /// It is recorded that the task runs, under this key.
    Run { key: Option<String> },
    /// The task has this result.
    Done(Arc<RawValue>),
    /// It is recorded that the task failed.
    Failed,
    /// The run cannot go on, and knows why.
    Halted,
}

impl Desk {
    async fn ask(&self, task: &str, wish: Wish) -> Reply {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            node: self.node,
            task: task.to_owned(),
            wish,
            reply,
        };
        if self.requests.send(request).is_err() {
            return Reply::Halted;
        }
        answer.await.unwrap_or(Reply::Halted)
    }
}

impl<C> NodeContext<C> {
    /// Runs `task` at most once in the life of the thread, however often the node runs:
    /// when it is done, its result is on the disk before it is here, and comes from there
    /// ever after. Tasks may run at the same time, and within one another. In a run
    /// without a checkpointer it is simply run.
    ///
    /// # Errors
    /// Those of `run`, when there is nothing left to try; [`TaskError`]; and, with the
    /// whole run, an unknown outcome or a checkpointer that failed. Hand them on with `?`.
    pub fn task<'a, T, F>(
        &'a self,
        task: Task,
        run: impl Fn(TaskContext) -> F + Send + Sync + 'a,
    ) -> impl Future<Output = Result<T, NodeError>> + Send + 'a
    where
        T: Serialize + DeserializeOwned + Send + 'a,
        F: Future<Output = Result<T, NodeError>> + Send + 'a,
        C: Send + Sync,
    {
        // Counted when it is called, not when it is first polled: futures that are joined
        // are polled in no order that can be relied on.
        let around = self.scope();
        let path = match task.name.is_empty() || task.name.contains(['/', '#']) {
            true => Err(TaskError::BadName(task.name.to_string())),
            false => Ok(around.next(&task.name)),
        };
        async move {
            let path = path?;
            let Some(desk) = &self.desk else {
                let key = task.key.as_ref();
                return self.attempts(&task, &path, key, &around, &run).await;
            };
            let start = Wish::Start {
                key: task.key.clone(),
            };
            let key = match desk.ask(&path, start).await {
                Reply::Run { key } => key,
                Reply::Done(result) => return stored(path, &result),
                Reply::Failed | Reply::Halted => return Err(around.halt()),
            };
            match self
                .attempts(&task, &path, key.as_ref(), &around, &run)
                .await
            {
                Ok(result) => {
                    let kept = to_raw_value(&result).map_err(|source| TaskError::Unstorable {
                        task: path.clone(),
                        source,
                    })?;
                    match desk.ask(&path, Wish::Keep(kept.into())).await {
                        // As stored, so that the first run gets what later ones get.
                        Reply::Done(result) => stored(path, &result),
                        _ => Err(around.halt()),
                    }
                }
                Err(NodeError(Stop::Failed(error))) => {
                    match desk.ask(&path, Wish::Fail(error.to_string())).await {
                        Reply::Failed => Err(NodeError(Stop::Failed(error))),
                        _ => Err(around.halt()),
                    }
                }
                Err(stopped) => Err(stopped),
            }
        }
    }

    async fn attempts<T, F>(
        &self,
        task: &Task,
        path: &str,
        key: Option<&String>,
        around: &Scope,
        run: &(impl Fn(TaskContext) -> F + Sync),
    ) -> Result<T, NodeError>
    where
        F: Future<Output = Result<T, NodeError>>,
    {
        let mut attempt = 1;
        loop {
            let scope = Arc::new(Scope {
                path: path.to_owned(),
                node: Some(self.root.clone()),
                ..Scope::default()
            });
            let context = TaskContext {
                key: key.cloned(),
                attempt,
            };
            let inside = AROUND.scope(scope.clone(), async { run(context).await });
            let result = inside.await;
            if scope.is_halted() {
                return Err(around.halt());
            }
            let error = match result {
                Err(NodeError(Stop::Failed(error))) => error,
                result => return result,
            };
            let policy = task.retry.as_ref();
            let wait =
                policy.and_then(|policy| policy.wait(attempt, &*error, || self.options.draw()));
            let Some(wait) = wait else {
                return Err(NodeError(Stop::Failed(error)));
            };
            self.options.emit(|| Event::Retried {
                step: self.step,
                node: self.node.to_string(),
                task: Some(path.to_owned()),
                attempt,
                wait,
                error: error.to_string(),
            });
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Where the next task is counted.
    fn scope(&self) -> Arc<Scope> {
        self.task_around().unwrap_or_else(|| self.root.clone())
    }

    /// The task of this node that is being run, if the caller is inside one. The nodes of
    /// another graph that a task runs are not.
    fn task_around(&self) -> Option<Arc<Scope>> {
        let around = AROUND.try_with(Arc::clone).ok()?;
        let node = around.node.as_ref()?;
        Arc::ptr_eq(node, &self.root).then_some(around)
    }

    /// A task cannot ask: when it is done, its interrupts are not reached any more, and
    /// those after it would get their answers.
    pub(super) fn check_may_ask(&self) -> Result<(), TaskError> {
        match self.task_around() {
            Some(task) => Err(TaskError::Asks(task.path.clone())),
            None => Ok(()),
        }
    }
}

fn stored<T: DeserializeOwned>(task: String, result: &RawValue) -> Result<T, NodeError> {
    let result = serde_json::from_str(result.get());
    Ok(result.map_err(|source| TaskError::Unreadable { task, source })?)
}
