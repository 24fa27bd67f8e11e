//! A thousand threads at once, whose processes die between any two writes.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::checkpoint::{Cause, Checkpoint, SqliteCheckpointer, ThreadSummary};
use super::*;

const THREADS: usize = 1000;
/// Processes that run at the same time.
const PROCESSES: u64 = 64;
/// Every thread asks this often, and runs this many tasks with and without a key.
const QUESTIONS: usize = 3;

/// What is so whatever becomes of processes.
#[derive(Default)]
struct World {
    /// Effects by thread and task; those under a key count once.
    effects: Mutex<BTreeMap<String, u64>>,
    /// Tasks whose results are stored.
    committed: Mutex<BTreeSet<String>>,
    /// Answers that threads have taken, by thread.
    accepted: Mutex<BTreeMap<String, BTreeSet<u64>>>,
    mistakes: Mutex<Vec<String>>,
    answers: AtomicU64,
    deaths: AtomicU64,
    settled: AtomicU64,
    conflicts: AtomicU64,
}

type At = NodeContext<World>;

/// Runs a task that has an effect on the world.
async fn act(
    context: &At,
    name: &'static str,
    key: bool,
) -> std::result::Result<String, NodeError> {
    let thread = context.thread().expect("the run has a checkpointer");
    let id = format!("{thread} {} {name}", context.node());
    let mut task = Task::new(name);
    if key {
        task = task.key(id.clone());
    }
    let world = context.context();
    let act = context.task(task, |task| {
        let id = id.clone();
        async move {
            tokio::task::yield_now().await;
            if world.committed.lock().unwrap().contains(&id) {
                world
                    .mistakes
                    .lock()
                    .unwrap()
                    .push(format!("{id} is run again"));
            }
            let mut effects = world.effects.lock().unwrap();
            let effect = effects.entry(id.clone()).or_default();
            if task.key.is_none() || *effect == 0 {
                *effect += 1;
            }
            Ok(id)
        }
    });
    act.await
}

/// Acts, asks, and acts on the answer.
fn step<'a>(_: &'a Log, context: &'a At) -> Result<'a> {
    async move {
        act(context, "prepare", true).await?;
        let answer = context.interrupt(json!(context.node()))?;
        let done = act(context, "act", false).await?;
        Ok(Command::new().update(format!("{done}={answer}")))
    }
    .boxed()
}

fn graph() -> CompiledGraph<Log, World> {
    Graph::new()
        .node("left", &[], step)
        .node("right", &[], step)
        .node("last", &[], step)
        .edge(START, "left")
        .edge(START, "right")
        .edge("left", "last")
        .edge("right", "last")
        .compile()
        .unwrap()
}

/// The checkpointer of one process, which dies before or after some write.
struct Mortal<'w> {
    kept: &'w dyn Checkpointer,
    world: &'w World,
    left: AtomicI64,
    dead: Notify,
}

impl Mortal<'_> {
    async fn live(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.dead.notify_one();
            pending().await
        }
    }
}

type Stored<'a, T> = BoxFuture<'a, std::result::Result<T, CheckpointError>>;

impl Checkpointer for Mortal<'_> {
    fn put(&self, checkpoint: Checkpoint) -> Stored<'_, ()> {
        async move {
            self.live().await;
            let (thread, cause) = (checkpoint.thread.clone(), checkpoint.cause.clone());
            self.kept.put(checkpoint).await?;
            match cause {
                Cause::TaskDone { node, task } => {
                    let mut committed = self.world.committed.lock().unwrap();
                    committed.insert(format!("{thread} {node} {task}"));
                }
                Cause::Resumed { answers } => {
                    let mut accepted = self.world.accepted.lock().unwrap();
                    let accepted = accepted.entry(thread).or_default();
                    accepted.extend(answers.values().map(|answer| answer.as_u64().unwrap()));
                }
                _ => {}
            }
            self.live().await;
            Ok(())
        }
        .boxed()
    }
    fn latest<'a>(&'a self, thread: &'a str) -> Stored<'a, Option<Checkpoint>> {
        self.kept.latest(thread)
    }
    fn history<'a>(&'a self, thread: &'a str) -> Stored<'a, Vec<Checkpoint>> {
        self.kept.history(thread)
    }
    fn list(&self, status: Option<Status>) -> Stored<'_, Vec<ThreadSummary>> {
        self.kept.list(status)
    }
}

/// One process: looks at the thread, does what there is to do, and dies or does not.
/// Whether the thread is finished.
async fn live(
    graph: &CompiledGraph<Log, World>,
    kept: &dyn Checkpointer,
    world: &Arc<World>,
    id: &str,
    seed: u64,
) -> bool {
    let mut random = fastrand::Rng::with_seed(seed);
    let lives = match random.u8(..) {
        0..180 => random.i64(0..20),
        _ => i64::MAX,
    };
    let mortal = Mortal {
        kept,
        world,
        left: AtomicI64::new(lives),
        dead: Notify::new(),
    };
    let thread = graph.thread(&mortal, id);
    let run = async {
        let resume = match thread.get_state().await {
            Err(RunError::UnknownThread { .. }) => {
                return thread.start(Log::default(), world.clone(), &OPTIONS).await;
            }
            Err(error) => panic!("{error:?}"),
            Ok(state) if state.status == Status::Finished => {
                return Ok(Progress::Finished(state.values));
            }
            Ok(state) => {
                let mut answers = BTreeMap::new();
                for pending in state.interrupts {
                    if random.bool() {
                        let answer = world.answers.fetch_add(1, Ordering::Relaxed);
                        answers.insert(pending.id, json!(answer));
                    }
                }
                match answers.is_empty() {
                    true => Resume::Continue,
                    false => Resume::Answers(answers),
                }
            }
        };
        thread.resume(resume, world.clone(), &OPTIONS).await
    };
    let run = tokio::select! {
        biased;
        () = mortal.dead.notified() => {
            world.deaths.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        run = run => run,
    };
    match run {
        Ok(progress) => return matches!(progress, Progress::Finished(_)),
        Err(failure) => match failure.error {
            RunError::Checkpoint(CheckpointError::Conflict { .. }) => {
                world.conflicts.fetch_add(1, Ordering::Relaxed);
            }
            // Found so, and settled when nobody is at it.
            RunError::OutcomeUnknown { .. }
            // The other process was here since this one looked.
            | RunError::ThreadExists { .. }
            | RunError::NothingToResume { .. }
            | RunError::UnknownInterrupt { .. } => {}
            RunError::Unrecorded { error, .. }
                if matches!(*error, RunError::OutcomeUnknown { .. }) => {}
            error => panic!("{error:?}"),
        },
    }
    false
}

/// A person looks up whether a task was done, and says so.
async fn settle(
    graph: &CompiledGraph<Log, World>,
    kept: &dyn Checkpointer,
    world: &World,
    id: &str,
) {
    let thread = graph.thread(kept, id);
    let Ok(state) = thread.get_state().await else {
        return;
    };
    // Not before a run has met it: otherwise it would not show that runs stop there.
    let failure = state.failure.unwrap_or_default();
    if !failure.contains("outcome unknown") {
        return;
    }
    for task in state.tasks {
        if task.result.is_some() || task.key.is_some() {
            continue;
        }
        let id = format!("{id} {} {}", task.node, task.task);
        let outcome = match world.effects.lock().unwrap().contains_key(&id) {
            true => TaskOutcome::Done(json!(id)),
            false => TaskOutcome::NotDone,
        };
        thread
            .settle_task(&task.node, &task.task, outcome)
            .await
            .unwrap();
        world.settled.fetch_add(1, Ordering::Relaxed);
    }
}

async fn no_answer_is_lost_and_nothing_is_done_twice(kept: Arc<dyn Checkpointer>) {
    let world = Arc::new(World::default());
    let graph = Arc::new(graph());
    let open: Arc<Mutex<Vec<usize>>> = Arc::new(Mutex::new((0..THREADS).collect()));
    let processes = (0..PROCESSES).map(|process| {
        let (kept, world, graph) = (kept.clone(), world.clone(), graph.clone());
        let open = open.clone();
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(process);
            loop {
                // Taken from the list, so that no third process is at it.
                let thread = {
                    let mut open = open.lock().unwrap();
                    match open.len() {
                        0 => break,
                        length => open.swap_remove(random.usize(..length)),
                    }
                };
                let id = format!("thread-{thread}");
                let mut run = || live(&graph, &*kept, &world, &id, random.u64(..));
                let finished = match thread % 4 {
                    0 => {
                        let (one, other) = (run(), run());
                        let (one, other) = tokio::join!(one, other);
                        one || other
                    }
                    _ => run().await,
                };
                settle(&graph, &*kept, &world, &id).await;
                if !finished {
                    open.lock().unwrap().push(thread);
                }
            }
        })
    });
    for process in join_all(processes).await {
        process.unwrap();
    }

    let mistake = world.mistakes.lock().unwrap().pop();
    assert_eq!(mistake, None);
    let finished = kept.list(Some(Status::Finished)).await.unwrap();
    assert_eq!(finished.len(), THREADS);
    let effects = world.effects.lock().unwrap().clone();
    assert_eq!(effects.len(), THREADS * QUESTIONS * 2);
    assert!(effects.values().all(|times| *times == 1), "done twice");
    let accepted = std::mem::take(&mut *world.accepted.lock().unwrap());
    for thread in 0..THREADS {
        let id = format!("thread-{thread}");
        let state = graph.thread(&*kept, &id).get_state().await.unwrap();
        let mut said = Vec::new();
        let mut applied = BTreeSet::new();
        for entry in &state.values.0 {
            let (done, answer) = entry.split_once('=').unwrap();
            said.push(done.to_owned());
            applied.insert(answer.parse().unwrap());
        }
        let expected = ["left", "right", "last"].map(|node| format!("{id} {node} act"));
        assert_eq!(said, expected);
        assert_eq!(
            applied.len(),
            QUESTIONS,
            "{id}: an answer was applied twice"
        );
        assert_eq!(accepted[&id], applied, "{id}: an answer was lost");
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    // The test would show nothing without these.
    assert!(count(&world.deaths) > THREADS as u64);
    assert!(count(&world.settled) > 20);
    assert!(count(&world.conflicts) > 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_threads_in_memory_lose_nothing() {
    no_answer_is_lost_and_nothing_is_done_twice(Arc::new(MemoryCheckpointer::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_threads_in_sqlite_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("threads.db");
    let checkpointer = SqliteCheckpointer::open(path).await.unwrap();
    no_answer_is_lost_and_nothing_is_done_twice(Arc::new(checkpointer)).await;
}
