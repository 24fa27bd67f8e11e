use super::*;

/// `a`, then `b`, then `c`.
fn row() -> Graph<Log, Effects> {
    Graph::new()
        .node("a", &[], say)
        .node("b", &[], say)
        .node("c", &[], say)
        .edge(START, "a")
        .edge("a", "b")
        .edge("b", "c")
}

#[tokio::test]
async fn a_breakpoint_before_a_node_stops_with_it_as_next() {
    let fixture = Fixture::new(row().interrupt_before("b"));
    let pause = paused(fixture.start().await);
    assert_eq!(pause.next, ["b"]);
    assert_eq!(pause.interrupts, []);
    assert_eq!(pause.state, log(&["a"]));
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.status, Status::Interrupted);
    assert_eq!((state.next, state.values), (pause.next, pause.state));
    assert_eq!(fixture.effects.take(), ["a"], "b has not run");
    let said = finished(fixture.resume(Resume::Continue).await);
    assert_eq!(said, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_breakpoint_after_a_node_stops_when_it_has_run() {
    let fixture = Fixture::new(row().interrupt_after("b"));
    let pause = paused(fixture.start().await);
    assert_eq!(pause.next, ["c"]);
    assert_eq!(pause.state, log(&["a", "b"]));
    let said = finished(fixture.resume(Resume::Continue).await);
    assert_eq!(said, ["a", "b", "c"]);
}

#[tokio::test]
async fn breakpoints_after_one_node_and_before_the_next_are_one_pause() {
    let graph = row().interrupt_after("a").interrupt_before("b");
    let fixture = Fixture::new(graph);
    assert_eq!(paused(fixture.start().await).next, ["b"]);
    finished(fixture.resume(Resume::Continue).await);
}

#[tokio::test]
async fn a_breakpoint_before_the_first_node_stops_before_anything_runs() {
    let fixture = Fixture::new(row().interrupt_before("a"));
    assert_eq!(paused(fixture.start().await).next, ["a"]);
    assert_eq!(fixture.effects.take(), [""; 0]);
    finished(fixture.resume(Resume::Continue).await);
}

#[tokio::test]
async fn a_breakpoint_after_the_last_node_has_nothing_to_wait_for() {
    let fixture = Fixture::new(row().interrupt_after("c"));
    finished(fixture.start().await);
}

#[tokio::test]
async fn a_breakpoint_stops_every_time_its_node_comes_round() {
    let graph = Graph::new()
        .node("a", &[], say)
        .edge(START, "a")
        .conditional_edge("a", &["a", END], |state: &Log| {
            vec![if state.0.len() < 3 { "a" } else { END }]
        })
        .interrupt_before("a");
    let fixture = Fixture::new(graph);
    paused(fixture.start().await);
    for said in 1..3 {
        let pause = paused(fixture.resume(Resume::Continue).await);
        assert_eq!(pause.state.0.len(), said);
    }
    finished(fixture.resume(Resume::Continue).await);
}

#[tokio::test]
async fn a_breakpoint_asks_nothing_so_takes_no_answer() {
    let fixture = Fixture::new(row().interrupt_before("b"));
    paused(fixture.start().await);
    let (error, _) = failed(fixture.answer("yes").await);
    assert_eq!(
        error.to_string(),
        "nothing to resume: thread `t` stands at a breakpoint and asks nothing; continue without an answer"
    );
    finished(fixture.resume(Resume::Continue).await);
}

#[tokio::test]
async fn a_node_past_its_breakpoint_may_still_ask() {
    let graph = Graph::new()
        .node("a", &[], ask)
        .edge(START, "a")
        .interrupt_before("a");
    let fixture = Fixture::new(graph);
    assert_eq!(paused(fixture.start().await).interrupts, []);
    let asked = paused(fixture.resume(Resume::Continue).await);
    assert_eq!(asked.interrupts.len(), 1);
    assert_eq!(finished(fixture.answer(1).await), ["a=1"]);
}

#[tokio::test]
async fn a_breakpoint_inside_a_subgraph_names_the_node_in_full() {
    let graph = Graph::new()
        .subgraph("inner", row().interrupt_before("b"))
        .edge(START, "inner");
    let fixture = Fixture::new(graph);
    assert_eq!(paused(fixture.start().await).next, ["inner/b"]);
    finished(fixture.resume(Resume::Continue).await);
}
