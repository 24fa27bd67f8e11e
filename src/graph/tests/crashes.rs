//! Processes that die at any moment, in any number, on one thread.

use std::collections::BTreeMap;

use futures_util::poll;
use proptest::prelude::*;

use super::checkpoint::{Checkpoint, ThreadSummary};
use super::*;

/// Rests before and after storing, so that a run may be dropped on either side of it.
struct Resting(MemoryCheckpointer);

type Stored<'a, T> = BoxFuture<'a, std::result::Result<T, CheckpointError>>;

impl Checkpointer for Resting {
    fn put(&self, checkpoint: Checkpoint) -> Stored<'_, ()> {
        async {
            tokio::task::yield_now().await;
            self.0.put(checkpoint).await?;
            tokio::task::yield_now().await;
            Ok(())
        }
        .boxed()
    }
    fn latest<'a>(&'a self, thread: &'a str) -> Stored<'a, Option<Checkpoint>> {
        self.0.latest(thread)
    }
    fn history<'a>(&'a self, thread: &'a str) -> Stored<'a, Vec<Checkpoint>> {
        self.0.history(thread)
    }
    fn list(&self, status: Option<Status>) -> Stored<'_, Vec<ThreadSummary>> {
        self.0.list(status)
    }
}

/// Asks twice; the number of the round keeps the entries apart.
fn ask_twice<'a>(state: &'a Log, context: &'a Context) -> Result<'a> {
    async {
        let (node, round) = (context.node(), state.0.len());
        let first = context.interrupt(json!([node, 1]))?;
        tokio::task::yield_now().await;
        let second = context.interrupt(json!([node, 2]))?;
        Ok(Command::new().update(format!("{node} {round} {first} {second}")))
    }
    .boxed()
}

/// Two that ask and one that does not, side by side, in two rounds; then one in a
/// sub-graph behind a breakpoint.
fn graph() -> CompiledGraph<Log, Effects> {
    let inner = Graph::new()
        .node("last", &[], ask_twice)
        .edge(START, "last")
        .interrupt_before("last");
    let mut graph = Graph::new().node("join", &[], say).subgraph("inner", inner);
    for node in ["a", "b", "c"] {
        graph = match node {
            "c" => graph.node(node, &[], say),
            node => graph.node(node, &[], ask_twice),
        };
        graph = graph.edge(START, node).edge(node, "join");
    }
    graph
        .conditional_edge(
            "join",
            &["a", "b", "c", "inner"],
            |state: &Log| match state.0.len() {
                4 => vec!["a", "b", "c"],
                _ => vec!["inner"],
            },
        )
        .compile()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Each number is how long one process lives, in polls, and which of the pending
    /// interrupts it answers; when they run out, the last process lives for ever.
    #[test]
    fn no_answer_is_lost_or_applied_twice_however_often_processes_die(
        lives in prop::collection::vec((0usize..12, any::<u8>()), 0..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let graph = graph();
            let checkpointer = Resting(MemoryCheckpointer::new());
            let mut accepted = BTreeMap::new();
            let mut given = 0;
            let mut lives = lives.into_iter();
            let state = loop {
                let (polls, choice) = lives.next().unwrap_or((usize::MAX, 0xFF));
                let thread = graph.thread(&checkpointer, "t");
                let effects = Arc::new(Effects::default());
                let (run, answers): (BoxFuture<'_, Run>, _) = match thread.get_state().await {
                    Err(RunError::UnknownThread { .. }) => {
                        (thread.start(Log::default(), effects, &OPTIONS).boxed(), BTreeMap::new())
                    }
                    Err(error) => panic!("{error:?}"),
                    Ok(state) if state.status == Status::Finished => break state,
                    Ok(state) => {
                        let mut answers = BTreeMap::new();
                        for (index, pending) in state.interrupts.iter().enumerate() {
                            if choice >> (index % 8) & 1 == 1 {
                                given += 1;
                                answers.insert(pending.id.clone(), json!(given));
                            }
                        }
                        let resume = match answers.is_empty() {
                            true => Resume::Continue,
                            false => Resume::Answers(answers.clone()),
                        };
                        (thread.resume(resume, effects, &OPTIONS).boxed(), answers)
                    }
                };
                let mut run = run;
                for _ in 0..polls {
                    if let std::task::Poll::Ready(run) = poll!(&mut run) {
                        run.unwrap();
                        break;
                    }
                }
                drop(run);
                // What the thread no longer asks, it has taken.
                if let Ok(state) = thread.get_state().await {
                    let open = |id: &String| state.interrupts.iter().any(|open| open.id == *id);
                    for (id, answer) in answers.into_iter().filter(|(id, _)| !open(id)) {
                        prop_assert!(accepted.insert(id, answer).is_none(), "asked again");
                    }
                }
            };

            let said = state.values.0;
            let nodes: Vec<_> = said.iter().map(|entry| entry.split(' ').next().unwrap()).collect();
            prop_assert_eq!(nodes, ["a", "b", "c", "join", "a", "b", "c", "join", "inner/last"]);
            let mut applied: Vec<u64> = said
                .iter()
                .flat_map(|entry| entry.split(' ').skip(2))
                .map(|answer| answer.parse().unwrap())
                .collect();
            applied.sort_unstable();
            let mut taken: Vec<u64> = accepted.values().map(|answer| answer.as_u64().unwrap()).collect();
            taken.sort_unstable();
            prop_assert_eq!(applied.len(), 10);
            prop_assert_eq!(applied, taken);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_thread_whose_process_died_with_the_answer_goes_on_without_asking_again() {
    let graph = Graph::new().node("a", &[], ask).edge(START, "a");
    let graph: CompiledGraph<Log, Effects> = graph.compile().unwrap();
    let checkpointer = Resting(MemoryCheckpointer::new());
    let thread = graph.thread(&checkpointer, "t");
    paused(thread.start(Log::default(), Arc::default(), &OPTIONS).await);
    let answer = Resume::Answer(json!("yes"));
    let mut run = thread.resume(answer, Arc::default(), &OPTIONS).boxed();
    // The first rest is before the answer is stored, the second after.
    for _ in 0..2 {
        assert!(poll!(&mut run).is_pending());
    }
    drop(run);
    let state = thread.get_state().await.unwrap();
    assert_eq!((state.status, state.interrupts), (Status::Running, vec![]));
    assert_eq!(state.next, ["a"]);
    let run = thread
        .resume(Resume::Continue, Arc::default(), &OPTIONS)
        .await;
    assert_eq!(finished(run), ["a=\"yes\""]);
}
