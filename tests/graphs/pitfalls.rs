//! Mistakes in using threads: each says what, on which thread, and what to do.

use std::sync::Arc;

use futures_util::FutureExt;
use mailproof::graph::{
    Command, CompiledGraph, END, Graph, MemoryCheckpointer, Resume, RunError, START, State, Status,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{answer, finished, options, paused, refused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Drafts(u32);

impl State for Drafts {
    type Update = ();

    fn apply(&mut self, (): ()) {
        self.0 += 1;
    }
}

/// Drafts until the reviewer is content, or, if there `is_an_end`, rejects.
fn graph(is_an_end: bool) -> CompiledGraph<Drafts, ()> {
    Graph::new()
        .node("draft", &[], |_, _| {
            async { Ok(Command::new().update(())) }.boxed()
        })
        .node("review", &["draft", END], move |_, context| {
            async move {
                let reply = context.interrupt(json!("Good?"))?;
                let done = reply == "accept" || is_an_end && reply == "reject";
                Ok(Command::new().goto(if done { END } else { "draft" }))
            }
            .boxed()
        })
        .edge(START, "draft")
        .edge("draft", "review")
        .compile()
        .unwrap()
}

#[tokio::test]
async fn resuming_a_finished_thread_says_so_and_changes_nothing() {
    let (graph, threads) = (graph(true), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "ticket-7");
    paused(
        thread
            .start(Drafts::default(), Arc::new(()), &options())
            .await,
    );
    finished(
        thread
            .resume(answer(json!("accept")), Arc::new(()), &options())
            .await,
    );
    let before = thread.history().await.unwrap();
    for resume in [answer(json!("accept")), Resume::Continue] {
        let error = refused(thread.resume(resume, Arc::new(()), &options()).await);
        assert_eq!(
            error.to_string(),
            "nothing to resume: thread `ticket-7` is finished; give it a new input, or start another one"
        );
    }
    assert_eq!(thread.history().await.unwrap(), before);
}

#[tokio::test]
async fn resuming_another_thread_names_the_one_that_is_not_there() {
    let (graph, threads) = (graph(true), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "ticket-7");
    paused(
        thread
            .start(Drafts::default(), Arc::new(()), &options())
            .await,
    );
    let typo = graph.thread(&threads, "ticket-8");
    let error = refused(
        typo.resume(answer(json!("accept")), Arc::new(()), &options())
            .await,
    );
    assert_eq!(
        error.to_string(),
        "no state to resume: nobody started thread `ticket-8` here; check its name and the checkpointer, or start it"
    );
    assert_eq!(thread.get_state().await.unwrap().interrupts.len(), 1);
}

#[tokio::test]
async fn an_approval_that_never_comes_ends_at_the_step_limit() {
    let (graph, threads) = (graph(false), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "ticket-7");
    paused(
        thread
            .start(Drafts::default(), Arc::new(()), &options())
            .await,
    );
    let mut rounds = 0;
    let error = loop {
        rounds += 1;
        let run = thread
            .resume(answer(json!("reject")), Arc::new(()), &options())
            .await;
        match run {
            Ok(progress) => paused(Ok(progress)),
            Err(failure) => break failure.error,
        };
        assert!(rounds < 100, "it never ends");
    };
    assert_eq!(
        error.to_string(),
        "step limit of 25 super-steps reached on thread `ticket-7`: `review` keeps repeating (24 runs); give the loop a way out, or raise the limit"
    );
    assert_eq!(thread.get_state().await.unwrap().status, Status::Failed);
}

#[tokio::test]
async fn a_rejection_with_a_way_out_leaves_nothing_paused() {
    let (graph, threads) = (graph(true), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "t");
    paused(
        thread
            .start(Drafts::default(), Arc::new(()), &options())
            .await,
    );
    paused(
        thread
            .resume(answer(json!("again")), Arc::new(()), &options())
            .await,
    );
    let done = finished(
        thread
            .resume(answer(json!("reject")), Arc::new(()), &options())
            .await,
    );
    assert_eq!(done, Drafts(2));
    let state = thread.get_state().await.unwrap();
    assert_eq!((state.status, state.next), (Status::Finished, vec![]));
}

#[tokio::test]
async fn a_graph_that_pauses_needs_a_checkpointer() {
    let run = graph(true)
        .run(Drafts::default(), Arc::new(()), &options())
        .await;
    let error = run.unwrap_err().error;
    assert!(matches!(error, RunError::CheckpointerRequired { .. }));
    assert_eq!(
        error.to_string(),
        "node `review` cannot pause without a checkpointer; run the graph on a thread"
    );
}
