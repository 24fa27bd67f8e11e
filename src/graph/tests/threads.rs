use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join;
use jiff::Timestamp;

use super::checkpoint::{Cause, Checkpoint, ThreadSummary};
use super::*;

fn asking() -> Fixture {
    Fixture::new(Graph::new().node("a", &[], ask).edge(START, "a"))
}

#[tokio::test]
async fn a_finished_thread_has_nothing_to_resume_and_stays_as_it_is() {
    let fixture = asking();
    paused(fixture.start().await);
    finished(fixture.answer("yes").await);
    let length = fixture.history_length().await;
    for resume in [Resume::Continue, Resume::Answer(json!("again"))] {
        let (error, state) = failed(fixture.resume(resume).await);
        assert_eq!(
            error.to_string(),
            "nothing to resume: thread `t` is finished; give it a new input, or start another one"
        );
        assert_eq!(state, Some(log(&["a=\"yes\""])));
    }
    assert_eq!(fixture.history_length().await, length);
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!((state.status, state.next), (Status::Finished, vec![]));
}

#[tokio::test]
async fn a_thread_nobody_started_is_named() {
    let fixture = asking();
    paused(fixture.start().await);
    let other = fixture.graph.thread(&fixture.checkpointer, "typo");
    let expected = "no state to resume: nobody started thread `typo` here; check its name and the checkpointer, or start it";
    let resumed = other.resume(Resume::Continue, Arc::default(), &OPTIONS);
    let (error, state) = failed(resumed.await);
    assert_eq!((error.to_string().as_str(), state), (expected, None));
    for error in [
        other.get_state().await.unwrap_err(),
        other.history().await.unwrap_err(),
        other.update_state("x".to_owned(), None).await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_thread_starts_once() {
    let fixture = asking();
    paused(fixture.start().await);
    let (error, _) = failed(fixture.start().await);
    assert!(matches!(error, RunError::ThreadExists { thread } if thread == "t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_do_not_influence_each_other() {
    let graph = Graph::new()
        .node("a", &[], ask)
        .edge(START, "a")
        .conditional_edge("a", &["a", END], |state: &Log| {
            vec![if state.0.len() < 4 { "a" } else { END }]
        });
    let graph = Arc::new(graph.compile().unwrap());
    let checkpointer = Arc::new(MemoryCheckpointer::new());
    let threads = (0..50).map(|number| {
        let (graph, checkpointer) = (graph.clone(), checkpointer.clone());
        tokio::spawn(async move {
            let id = format!("t-{number}");
            let thread = graph.thread(&*checkpointer, &id);
            let start = Log(vec![id.clone()]);
            let mut run = thread.start(start, Arc::default(), &OPTIONS).await.unwrap();
            for answer in 0.. {
                match run {
                    Progress::Finished(log) => return log.0,
                    Progress::Paused(_) => tokio::task::yield_now().await,
                }
                let answer = Resume::Answer(json!([number, answer]));
                run = thread
                    .resume(answer, Arc::default(), &OPTIONS)
                    .await
                    .unwrap();
            }
            unreachable!("the graph ends after three answers")
        })
    });
    for (number, thread) in futures_util::future::join_all(threads)
        .await
        .iter()
        .enumerate()
    {
        let said = thread.as_ref().unwrap();
        let answers = (0..3).map(|answer| format!("a=[{number},{answer}]"));
        let expected: Vec<_> = std::iter::once(format!("t-{number}"))
            .chain(answers)
            .collect();
        assert_eq!(*said, expected);
    }
}

/// Lets others run between every reading and writing.
struct Yielding<'a>(&'a MemoryCheckpointer);

type Stored<'a, T> = BoxFuture<'a, std::result::Result<T, CheckpointError>>;

impl Checkpointer for Yielding<'_> {
    fn put(&self, checkpoint: Checkpoint) -> Stored<'_, ()> {
        async {
            tokio::task::yield_now().await;
            self.0.put(checkpoint).await
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

#[tokio::test]
async fn of_two_answers_to_one_pause_the_second_is_refused_before_it_runs() {
    let fixture = asking();
    paused(fixture.start().await);
    fixture.effects.take();
    let checkpointer = Yielding(&fixture.checkpointer);
    let thread = fixture.graph.thread(&checkpointer, "t");
    let answer = |answer: &str| {
        let answer = Resume::Answer(json!(answer));
        thread.resume(answer, fixture.effects.clone(), &OPTIONS)
    };
    let (first, second) = join(answer("one"), answer("two")).await;
    assert_eq!(finished(first), ["a=\"one\""]);
    let (error, _) = failed(second);
    assert!(matches!(
        error,
        RunError::Checkpoint(CheckpointError::Conflict { .. })
    ));
    assert_eq!(fixture.effects.take(), ["a asks", "a acts"], "acted once");
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.values, log(&["a=\"one\""]));
}

#[tokio::test]
async fn a_run_that_lost_its_thread_to_another_writer_stops_with_what_was_committed() {
    let graph = Graph::new()
        .node("a", &[], say)
        .node("slow", &[], |_, _| {
            async {
                tokio::task::yield_now().await;
                Ok(Command::new().update("slow".to_owned()))
            }
            .boxed()
        })
        .edge(START, "a")
        .edge("a", "slow");
    let fixture = Fixture::new(graph);
    let intruder = async {
        let thread = fixture.thread();
        thread.update_state("from outside".to_owned(), None).await
    };
    let (run, update) = join(fixture.start(), intruder).await;
    update.unwrap();
    let (error, state) = failed(run);
    assert!(matches!(error, RunError::Checkpoint(_)), "{error:?}");
    assert_eq!(state, Some(log(&["a"])));
    // Nothing is lost: the thread goes on from what the other writer left.
    let said = finished(fixture.resume(Resume::Continue).await);
    assert_eq!(said, ["a", "from outside", "slow"]);
}

/// A state whose entries have keys, so that an update can replace one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Draft {
    recipient: String,
    sent: Option<String>,
}

impl State for Draft {
    type Update = Draft;
    fn apply(&mut self, update: Draft) {
        *self = update;
    }
}

#[tokio::test]
async fn an_edit_before_resuming_is_what_the_node_works_with() {
    let graph = Graph::<Draft, ()>::new()
        .node("send", &[], |draft, context| {
            async {
                context.interrupt(json!({ "to": draft.recipient }))?;
                Ok(Command::new().update(Draft {
                    sent: Some(draft.recipient.clone()),
                    ..draft.clone()
                }))
            }
            .boxed()
        })
        .edge(START, "send")
        .compile()
        .unwrap();
    let checkpointer = MemoryCheckpointer::new();
    let thread = graph.thread(&checkpointer, "t");
    let draft = |recipient: &str| Draft {
        recipient: recipient.to_owned(),
        sent: None,
    };
    let start = thread.start(draft("wrong"), Arc::new(()), &OPTIONS).await;
    assert!(matches!(start, Ok(Progress::Paused(_))));
    thread.update_state(draft("right"), None).await.unwrap();
    let state = thread.get_state().await.unwrap();
    assert_eq!(state.status, Status::Interrupted);
    assert_eq!(state.interrupts.len(), 1, "the question is still open");
    let answer = Resume::Answer(json!(true));
    let run = thread.resume(answer, Arc::new(()), &OPTIONS).await.unwrap();
    let Progress::Finished(draft) = run else {
        panic!("{run:?}");
    };
    assert_eq!(draft.sent.as_deref(), Some("right"));
}

#[tokio::test]
async fn an_update_in_a_nodes_name_withdraws_its_question_and_goes_on_after_it() {
    let graph = Graph::new()
        .node("a", &[], ask)
        .node("b", &[], say)
        .edge(START, "a")
        .edge("a", "b");
    let fixture = Fixture::new(graph);
    paused(fixture.start().await);
    fixture.effects.take();
    let thread = fixture.thread();
    let update = thread.update_state("cancelled".to_owned(), Some("a"));
    update.await.unwrap();
    let state = thread.get_state().await.unwrap();
    assert_eq!(
        (state.next, state.interrupts),
        (vec!["b".to_owned()], vec![])
    );
    let said = finished(fixture.resume(Resume::Continue).await);
    assert_eq!(said, ["cancelled", "b"]);
    assert_eq!(fixture.effects.take(), ["b"]);

    let update = thread.update_state("x".to_owned(), Some("nobody"));
    let error = update.await.unwrap_err();
    assert!(matches!(error, RunError::UnknownNode { node, .. } if node == "nobody"));
}

#[tokio::test]
async fn a_new_input_begins_the_graph_again_on_the_same_thread() {
    let fixture = Fixture::new(Graph::new().node("a", &[], say).edge(START, "a"));
    finished(fixture.start().await);
    for _ in 0..100 {
        let input = fixture
            .thread()
            .update_state("input".to_owned(), Some(START))
            .await;
        input.unwrap();
        // The limit counts from the input, not from the thread's beginning.
        finished(fixture.resume(Resume::Continue).await);
    }
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.values.0.len(), 201);
    assert_eq!(state.step, 101);
}

#[tokio::test]
async fn an_approval_loop_without_a_way_out_ends_at_the_step_limit() {
    let graph = Graph::new()
        .node("review", &[], ask)
        .node("draft", &[], say)
        .edge(START, "draft")
        .edge("draft", "review")
        .edge("review", "draft");
    let fixture = Fixture::new(graph);
    paused(fixture.start().await);
    let error = loop {
        match fixture.answer("accept").await {
            Ok(Progress::Paused(_)) => {}
            other => break failed(other).0,
        }
    };
    let text = error.to_string();
    let RunError::StepLimit {
        limit, node, runs, ..
    } = error
    else {
        panic!("{error:?}");
    };
    // A node that asks runs twice a round.
    assert_eq!((limit, node.as_str(), runs), (25, "review", 24));
    insta::assert_snapshot!(text, @"step limit of 25 super-steps reached on thread `t`: `review` keeps repeating (24 runs); give the loop a way out, or raise the limit");
}

#[tokio::test]
async fn updates_in_a_nodes_name_do_not_escape_the_step_limit() {
    let graph = Graph::new()
        .node("draft", &[], say)
        .node("review", &[], ask)
        .edge(START, "draft")
        .edge("draft", "review")
        .edge("review", "draft");
    let fixture = Fixture::new(graph);
    paused(fixture.start().await);
    let thread = fixture.thread();
    let mut rounds = 0;
    let error = loop {
        let update = thread.update_state("redo".to_owned(), Some("review"));
        update.await.unwrap();
        match fixture.resume(Resume::Continue).await {
            Ok(Progress::Paused(_)) => rounds += 1,
            other => break failed(other).0,
        }
        assert!(rounds < 30, "it never ends");
    };
    assert!(matches!(error, RunError::StepLimit { node, .. } if node == "review"));
}

#[tokio::test]
async fn a_failed_thread_may_be_mended_and_tried_again() {
    let graph = Graph::new()
        .node("a", &[], |state: &Log, _| {
            async {
                match state.0.as_slice() {
                    [] => Err(NodeError::message("nothing to work on")),
                    entries => Ok(Command::new().update(entries.concat())),
                }
            }
            .boxed()
        })
        .edge(START, "a");
    let fixture = Fixture::new(graph);
    failed(fixture.start().await);
    let thread = fixture.thread();
    thread.update_state("work".to_owned(), None).await.unwrap();
    let state = thread.get_state().await.unwrap();
    let failure = Some("node `a` failed: nothing to work on".to_owned());
    assert_eq!((state.status, state.failure), (Status::Failed, failure));
    assert_eq!(
        finished(fixture.resume(Resume::Continue).await),
        ["work", "work"]
    );
}

#[tokio::test]
async fn a_thread_at_its_step_limit_goes_on_with_a_higher_one() {
    let graph = Graph::new()
        .node("a", &[], say)
        .edge(START, "a")
        .conditional_edge("a", &["a", END], |state: &Log| {
            vec![if state.0.len() < 30 { "a" } else { END }]
        });
    let fixture = Fixture::new(graph);
    let (error, state) = failed(fixture.start().await);
    assert!(matches!(error, RunError::StepLimit { .. }));
    assert_eq!(state.unwrap().0.len(), 25);
    let (error, _) = failed(fixture.resume(Resume::Continue).await);
    assert!(matches!(error, RunError::StepLimit { .. }));
    let thread = fixture.thread();
    let more = RunOptions::new(30);
    let run = thread.resume(Resume::Continue, Arc::default(), &more).await;
    assert_eq!(finished(run).len(), 30);
}

#[tokio::test]
async fn the_history_tells_why_and_when_in_order() {
    let fixture = asking();
    let clock = AtomicI64::new(0);
    let tick = move || Timestamp::from_second(clock.fetch_add(1, Ordering::Relaxed)).unwrap();
    let thread = fixture.thread().with_clock(Arc::new(tick));
    let effects = fixture.effects.clone();
    let pause = paused(
        thread
            .start(Log::default(), effects.clone(), &OPTIONS)
            .await,
    );
    let answer = Resume::Answer(json!("yes"));
    finished(thread.resume(answer, effects, &OPTIONS).await);
    let history = thread.history().await.unwrap();
    let answers = [(pause.interrupts[0].id.clone(), json!("yes"))].into();
    let expected = [
        (Cause::Started, Status::Running, 0),
        (Cause::Interrupted, Status::Interrupted, 0),
        (Cause::Resumed { answers }, Status::Running, 0),
        (Cause::Stepped, Status::Finished, 1),
    ];
    assert_eq!(history.len(), expected.len());
    for (second, (snapshot, (cause, status, step))) in history.iter().zip(expected).enumerate() {
        assert_eq!(
            (&snapshot.cause, snapshot.status, snapshot.step),
            (&cause, status, step)
        );
        assert_eq!(
            snapshot.created_at,
            Timestamp::from_second(second as i64).unwrap()
        );
    }
}

#[tokio::test]
async fn a_thread_of_another_graph_is_refused() {
    let fixture = asking();
    paused(fixture.start().await);
    let other = Graph::new()
        .node("renamed", &[], ask)
        .edge(START, "renamed");
    let other: CompiledGraph<Log, Effects> = other.compile().unwrap();
    let thread = other.thread(&fixture.checkpointer, "t");
    let answer = Resume::Answer(json!(1));
    let (error, _) = failed(thread.resume(answer, Arc::default(), &OPTIONS).await);
    assert_eq!(
        error.to_string(),
        "the thread's state names `a`, which is not declared; known: renamed"
    );
}

/// A state that JSON cannot hold once it is spoiled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Spoilable(std::collections::BTreeMap<Key, u8>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key(Vec<u8>);

impl State for Spoilable {
    type Update = ();
    fn apply(&mut self, (): ()) {
        self.0.insert(Key(vec![1]), 1);
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_stored_is_an_error_with_the_last_that_could() {
    let graph = Graph::<Spoilable, ()>::new()
        .node("a", &[], |_, _| {
            async { Ok(Command::new().update(())) }.boxed()
        })
        .edge(START, "a")
        .compile()
        .unwrap();
    let checkpointer = MemoryCheckpointer::new();
    let thread = graph.thread(&checkpointer, "t");
    let run = thread
        .start(Spoilable::default(), Arc::new(()), &OPTIONS)
        .await;
    let failure = run.unwrap_err();
    assert!(matches!(
        failure.error,
        RunError::State {
            what: "serialised",
            ..
        }
    ));
    assert_eq!(failure.state.as_deref(), Some(&Spoilable::default()));
}
