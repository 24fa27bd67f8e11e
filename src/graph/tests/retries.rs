use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// Fails so many times, with an error of its kind, before it succeeds.
fn flaky(failures: u32, fault: Fault) -> Graph<Log, Effects> {
    let tried = Arc::new(AtomicU32::new(0));
    Graph::new()
        .node("a", &[], move |_, context: &Context| {
            let (tried, fault) = (tried.clone(), fault.clone());
            async move {
                context.context().add("tried");
                if tried.fetch_add(1, Ordering::Relaxed) < failures {
                    return Err(fault.into());
                }
                Ok(Command::new().update("done".to_owned()))
            }
            .boxed()
        })
        .edge(START, "a")
}

fn without_jitter() -> RetryPolicy {
    RetryPolicy {
        jitter: false,
        ..RetryPolicy::default()
    }
}

fn connection() -> Fault {
    Fault::Connection("reset by peer".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_node_is_tried_three_times_in_all_with_half_a_second_and_a_second_between() {
    let fixture = Fixture::new(flaky(u32::MAX, connection()).retry("a", without_jitter()));
    let begin = Instant::now();
    let (error, _) = failed(fixture.start().await);
    assert_eq!(begin.elapsed(), Duration::from_millis(1500));
    assert_eq!(fixture.effects.take().len(), 3);
    let cause = error.source().unwrap().to_string();
    assert_eq!(cause, "the connection failed: reset by peer");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_succeeds_in_the_end_leaves_no_trace_of_its_failures() {
    let fixture = Fixture::new(flaky(2, Fault::Http(502)).retry("a", without_jitter()));
    assert_eq!(finished(fixture.start().await), ["done"]);
    assert_eq!(fixture.effects.take().len(), 3);
    assert_eq!(fixture.history_length().await, 2);
    let lean = Fixture::new(flaky(2, Fault::Http(502)).retry("a", without_jitter()));
    assert_eq!(lean.run().await.unwrap(), log(&["done"]));
}

#[tokio::test(start_paused = true)]
async fn what_trying_again_cannot_help_fails_at_once() {
    for fault in [Fault::Invalid("no amount".to_owned()), Fault::Http(422)] {
        let fixture = Fixture::new(flaky(1, fault).retry("a", without_jitter()));
        let begin = Instant::now();
        failed(fixture.start().await);
        assert_eq!(
            (begin.elapsed(), fixture.effects.take().len()),
            (Duration::ZERO, 1)
        );
    }
    let only_invalid =
        without_jitter().retry_on(|error| matches!(error.downcast_ref(), Some(Fault::Invalid(_))));
    let invalid = Fault::Invalid("not yet".to_owned());
    let fixture = Fixture::new(flaky(1, invalid).retry("a", only_invalid.clone()));
    finished(fixture.start().await);
    let fixture = Fixture::new(flaky(1, connection()).retry("a", only_invalid));
    failed(fixture.start().await);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_policy_is_tried_once() {
    let fixture = Fixture::new(flaky(1, connection()));
    failed(fixture.start().await);
    assert_eq!(fixture.effects.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn jitter_is_drawn_from_what_the_run_was_given() {
    let fixture = Fixture::new(flaky(u32::MAX, connection()).retry("a", RetryPolicy::default()));
    let draws = Mutex::new(vec![0.25, 1.0]);
    let options = OPTIONS.random(Arc::new(move || draws.lock().unwrap().pop().unwrap()));
    let begin = Instant::now();
    let thread = fixture.thread();
    failed(
        thread
            .start(Log::default(), fixture.effects.clone(), &options)
            .await,
    );
    assert_eq!(
        begin.elapsed(),
        Duration::from_millis(500 + 1000 + 1000 + 250)
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_asks_is_not_tried_again_and_its_answer_survives_a_retry() {
    let tried = Arc::new(AtomicU32::new(0));
    let graph = Graph::new()
        .node("a", &[], move |_, context| {
            let tried = tried.clone();
            async move {
                let answer = context.interrupt(json!("?"))?;
                if tried.fetch_add(1, Ordering::Relaxed) == 0 {
                    return Err(connection().into());
                }
                Ok(Command::new().update(answer.to_string()))
            }
            .boxed()
        })
        .edge(START, "a")
        .retry("a", without_jitter());
    let fixture = Fixture::new(graph);
    let begin = Instant::now();
    paused(fixture.start().await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(finished(fixture.answer(1).await), ["1"]);
    assert_eq!(begin.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn retries_are_told_as_they_happen() {
    let fixture = Fixture::new(flaky(1, Fault::Http(503)).retry("a", without_jitter()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let seen = seen.clone();
        Arc::new(move |event| seen.lock().unwrap().push(event))
    };
    let options = OPTIONS.events(sink);
    let thread = fixture.thread();
    finished(
        thread
            .start(Log::default(), fixture.effects.clone(), &options)
            .await,
    );
    let expected = Event::Retried {
        step: 0,
        node: "a".to_owned(),
        task: None,
        attempt: 1,
        wait: Duration::from_millis(500),
        error: "the answer was HTTP 503".to_owned(),
    };
    assert_eq!(seen.lock().unwrap()[1], expected);
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[test]
fn a_policy_belongs_to_a_node_of_the_graph() {
    let inner = Graph::<Log, Effects>::new()
        .node("a", &[], say)
        .edge(START, "a");
    let graph = |node: &str| {
        let inner = Graph::<Log, Effects>::new()
            .node("a", &[], say)
            .edge(START, "a");
        let graph = Graph::new().subgraph("inner", inner).edge(START, "inner");
        graph.retry(node, RetryPolicy::default()).compile().err()
    };
    assert!(inner.retry("a", RetryPolicy::default()).compile().is_ok());
    assert_eq!(
        graph("inner"),
        Some(CompileError::OnSubgraph("inner".to_owned()))
    );
    assert!(matches!(graph("b"), Some(CompileError::UnknownNode { node, .. }) if node == "b"));
}
