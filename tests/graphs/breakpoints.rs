//! Breakpoints drawn into a graph, beside questions that nodes ask.

use std::sync::Arc;

use futures_util::FutureExt;
use mailproof::graph::{
    Command, CompiledGraph, Graph, MemoryCheckpointer, NodeContext, NodeResult, Resume, RunError,
    START, State, Status,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{answer, finished, options, paused, refused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Trip(Vec<String>);

impl State for Trip {
    type Update = String;

    fn apply(&mut self, done: String) {
        self.0.push(done);
    }
}

fn done(context: &NodeContext<()>) -> NodeResult<Trip> {
    Ok(Command::new().update(context.node().to_owned()))
}

/// `search`, then `book`, then `pay`.
fn row() -> Graph<Trip, ()> {
    let mut graph = Graph::new();
    for node in ["search", "book", "pay"] {
        graph = graph.node(node, &[], |_, context| async { done(context) }.boxed());
    }
    graph
        .edge(START, "search")
        .edge("search", "book")
        .edge("book", "pay")
}

fn compiled(graph: Graph<Trip, ()>) -> CompiledGraph<Trip, ()> {
    graph.compile().unwrap()
}

#[tokio::test]
async fn before_a_node_the_run_stops_with_it_as_next_and_unrun() {
    let (graph, threads) = (
        compiled(row().interrupt_before("book")),
        MemoryCheckpointer::new(),
    );
    let thread = graph.thread(&threads, "t");
    let pause = paused(
        thread
            .start(Trip::default(), Arc::new(()), &options())
            .await,
    );
    assert_eq!(
        (pause.next, pause.state.0),
        (vec!["book".to_owned()], vec!["search".to_owned()])
    );
    let state = thread.get_state().await.unwrap();
    assert_eq!(
        (state.status, state.next),
        (Status::Interrupted, vec!["book".to_owned()])
    );
    let end = finished(
        thread
            .resume(Resume::Continue, Arc::new(()), &options())
            .await,
    );
    assert_eq!(end.0, ["search", "book", "pay"]);
    assert_eq!(thread.get_state().await.unwrap().next, [""; 0]);
}

#[tokio::test]
async fn after_a_node_the_run_stops_when_it_has_run() {
    let (graph, threads) = (
        compiled(row().interrupt_after("book")),
        MemoryCheckpointer::new(),
    );
    let thread = graph.thread(&threads, "t");
    let pause = paused(
        thread
            .start(Trip::default(), Arc::new(()), &options())
            .await,
    );
    assert_eq!(
        (pause.next, pause.state.0.len()),
        (vec!["pay".to_owned()], 2)
    );
    finished(
        thread
            .resume(Resume::Continue, Arc::new(()), &options())
            .await,
    );
}

#[tokio::test]
async fn breakpoints_need_a_checkpointer_before_anything_runs() {
    let graph = compiled(row().interrupt_before("book"));
    let run = graph.run(Trip::default(), Arc::new(()), &options()).await;
    let failure = run.unwrap_err();
    assert!(matches!(
        failure.error,
        RunError::CheckpointerRequired { .. }
    ));
    assert_eq!(failure.state.as_deref(), Some(&Trip::default()));
}

#[tokio::test]
async fn a_breakpoint_has_no_payload_no_condition_and_no_answer_and_a_question_has_all_three() {
    let threads = MemoryCheckpointer::new();
    let fixed = compiled(row().interrupt_before("pay"));
    let thread = fixed.thread(&threads, "fixed");
    let pause = paused(
        thread
            .start(Trip::default(), Arc::new(()), &options())
            .await,
    );
    assert_eq!(pause.interrupts, []);
    let error = refused(
        thread
            .resume(answer(json!(1)), Arc::new(()), &options())
            .await,
    );
    assert!(
        matches!(error, RunError::NothingToResume { .. }),
        "{error:?}"
    );
    finished(
        thread
            .resume(Resume::Continue, Arc::new(()), &options())
            .await,
    );

    let asking = Graph::new()
        .node("pay", &[], |trip: &Trip, context| {
            async {
                // Only what is expensive is asked about.
                if trip.0.is_empty() {
                    return done(context);
                }
                let card = context.interrupt(json!({ "pay for": trip.0 }))?;
                Ok(Command::new().update(format!("paid with {card}")))
            }
            .boxed()
        })
        .edge(START, "pay");
    let asking = compiled(asking);
    let cheap = asking.thread(&threads, "cheap");
    finished(cheap.start(Trip::default(), Arc::new(()), &options()).await);
    let dear = asking.thread(&threads, "dear");
    let trip = Trip(vec!["flight".to_owned()]);
    let pause = paused(dear.start(trip, Arc::new(()), &options()).await);
    assert_eq!(
        pause.interrupts[0].payload,
        json!({ "pay for": ["flight"] })
    );
    // Nothing is no answer: it goes on waiting.
    paused(
        dear.resume(Resume::Continue, Arc::new(()), &options())
            .await,
    );
    let end = finished(
        dear.resume(answer(json!(4242)), Arc::new(()), &options())
            .await,
    );
    assert_eq!(end.0, ["flight", "paid with 4242"]);
}
