use std::collections::BTreeMap;

use serde::Deserializer;
use serde::Serializer;

use super::*;

fn sees<'a>(state: &'a Log, context: &'a Context) -> Result<'a> {
    async {
        // The first node of a step is the last to end.
        if context.node() == "a" {
            tokio::task::yield_now().await;
        }
        let node = context.node();
        Ok(Command::new().update(format!("{node} sees {}", state.0.len())))
    }
    .boxed()
}

#[tokio::test]
async fn nodes_of_a_step_see_one_state_and_their_updates_come_in_order() {
    let graph = Graph::new()
        .node("a", &[], sees)
        .node("b", &[], sees)
        .node("joined", &[], sees)
        .edge(START, "a")
        .edge(START, "b")
        .edge("a", "joined")
        .edge("b", "joined");
    let state = Fixture::new(graph).run().await.unwrap();
    assert_eq!(state, log(&["a sees 0", "b sees 0", "joined sees 2"]));
}

#[tokio::test]
async fn a_node_that_leads_nowhere_ends_the_run() {
    let graph = Graph::new().node("a", &[], say).edge(START, "a");
    assert_eq!(Fixture::new(graph).run().await.unwrap(), log(&["a"]));
}

#[tokio::test]
async fn a_goto_is_taken_instead_of_the_edges() {
    let graph = Graph::new()
        .node("a", &["c"], |_, _| {
            async { Ok(Command::new().update("a".to_owned()).goto("c")) }.boxed()
        })
        .node("b", &[], say)
        .node("c", &[], say)
        .edge(START, "a")
        .edge("a", "b");
    assert_eq!(Fixture::new(graph).run().await.unwrap(), log(&["a", "c"]));
}

#[tokio::test]
async fn a_goto_may_name_several_nodes_and_the_end() {
    let graph = Graph::new()
        .node("a", &["b", "c"], |_, _| {
            async { Ok(Command::new().goto_all(["c".into(), END.into(), "b".into()])) }.boxed()
        })
        .node("b", &[], say)
        .node("c", &[], say)
        .edge(START, "a");
    assert_eq!(Fixture::new(graph).run().await.unwrap(), log(&["c", "b"]));
}

#[tokio::test]
async fn a_goto_that_was_not_declared_names_the_node_and_what_is_known() {
    for (name, expected) in [
        (
            "elsewhere",
            "`goto` of `a` names `elsewhere`, which is not declared; known: c, __end__",
        ),
        (
            "b",
            "`goto` of `a` names `b`, which is not declared; known: c, __end__",
        ),
    ] {
        let graph = Graph::new()
            .node("a", &["c", END], move |_, _| {
                async move { Ok(Command::new().update("lost".to_owned()).goto(name)) }.boxed()
            })
            .node("b", &[], say)
            .node("c", &[], say)
            .edge(START, "a")
            .edge("a", "b");
        let (error, state) = failed(Fixture::new(graph).run().await);
        assert!(matches!(error, RunError::UnknownNode { .. }), "{error:?}");
        assert_eq!(error.to_string(), expected);
        assert_eq!(state, Some(Log::default()));
    }
}

#[tokio::test]
async fn a_route_chooses_among_its_targets_on_the_updated_state() {
    let graph = Graph::new()
        .node("a", &[], say)
        .node("b", &[], say)
        .edge(START, "a")
        .conditional_edge("a", &["a", "b"], |state: &Log| {
            vec![if state.0.len() < 3 { "a" } else { "b" }]
        });
    let state = Fixture::new(graph).run().await.unwrap();
    assert_eq!(state, log(&["a", "a", "a", "b"]));
}

#[tokio::test]
async fn an_edge_to_the_end_beside_a_route_ends_nothing_that_goes_on() {
    let graph = Graph::new()
        .node("a", &[], say)
        .node("b", &[], say)
        .edge(START, "a")
        .edge("a", END)
        .conditional_edge("a", &["b", END], |state: &Log| {
            vec![if state.0.len() < 2 { "b" } else { END }]
        })
        .edge("b", "a");
    let state = Fixture::new(graph).run().await.unwrap();
    assert_eq!(state, log(&["a", "b", "a"]));
}

#[tokio::test]
async fn a_route_must_name_one_of_its_targets() {
    for (route, expected) in [
        (
            vec!["b"],
            "the conditional edge from `a` names `b`, which is not declared; known: __end__",
        ),
        (
            vec![],
            "the conditional edge from `a` names no node; name `__end__` to end",
        ),
    ] {
        let graph = Graph::new()
            .node("a", &["b"], say)
            .node("b", &[], say)
            .edge(START, "a")
            .conditional_edge("a", &[END], move |_: &Log| route.clone());
        let fixture = Fixture::new(graph);
        let (error, _) = failed(fixture.run().await);
        assert_eq!(error.to_string(), expected);
        // On a thread, the step is not committed.
        let (error, state) = failed(fixture.start().await);
        assert_eq!(error.to_string(), expected);
        assert_eq!(state, Some(Log::default()));
        let state = fixture.thread().get_state().await.unwrap();
        assert_eq!(
            (state.status, state.next),
            (Status::Failed, vec!["a".to_owned()])
        );
        assert_eq!(state.failure.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn the_end_of_a_subgraph_leads_on_in_its_parent() {
    let innermost = Graph::new().node("deep", &[], say).edge(START, "deep");
    let inner = Graph::new()
        .node("a", &[], say)
        .subgraph("innermost", innermost)
        .edge(START, "a")
        .edge("a", "innermost")
        .edge("innermost", END);
    let graph = Graph::new()
        .node("a", &["inner"], |_, _| {
            async { Ok(Command::new().goto("inner")) }.boxed()
        })
        .subgraph("inner", inner)
        .node("last", &[], say)
        .edge(START, "a")
        .edge("inner", "last");
    let state = Fixture::new(graph).run().await.unwrap();
    assert_eq!(state, log(&["inner/a", "inner/innermost/deep", "last"]));
}

#[tokio::test]
async fn a_subgraph_is_left_when_its_last_branch_ends() {
    let inner = Graph::new()
        .node("short", &[], say)
        .node("long", &[], say)
        .node("longer", &[], say)
        .edge(START, "short")
        .edge(START, "long")
        .edge("short", END)
        .edge("long", "longer");
    let graph = Graph::new()
        .subgraph("inner", inner)
        .node("last", &[], say)
        .edge(START, "inner")
        .edge("inner", "last");
    let state = Fixture::new(graph).run().await.unwrap();
    assert_eq!(
        state,
        log(&["inner/short", "inner/long", "inner/longer", "last"])
    );
}

#[tokio::test]
async fn a_subgraph_goes_on_when_leaving_an_inner_one_leads_on_inside() {
    let innermost = Graph::new().node("deep", &[], say).edge(START, "deep");
    let inner = Graph::new()
        .node("a", &[], say)
        .subgraph("innermost", innermost)
        .node("after", &[], say)
        .edge(START, "a")
        .edge(START, "innermost")
        .edge("innermost", "after");
    let graph = Graph::new()
        .subgraph("inner", inner)
        .node("last", &[], say)
        .edge(START, "inner")
        .edge("inner", "last");
    let state = Fixture::new(graph).run().await.unwrap();
    let said = ["inner/a", "inner/innermost/deep", "inner/after", "last"];
    assert_eq!(state, log(&said));
}

#[tokio::test]
async fn a_subgraph_that_ends_may_be_entered_again_in_the_same_step() {
    for first in ["left", "right"] {
        let side = || Graph::new().node("a", &[], say).edge(START, "a");
        // Whatever the order they were added in: both end at once, `left` leads into
        // `right`, and `right` leads on twice.
        let mut graph = Graph::new().node("last", &[], say);
        graph = match first {
            "left" => graph.subgraph("left", side()).subgraph("right", side()),
            _ => graph.subgraph("right", side()).subgraph("left", side()),
        };
        let graph = graph
            .edge(START, "left")
            .edge(START, "right")
            .edge("left", "right")
            .edge("right", "last");
        let mut state = Fixture::new(graph).run().await.unwrap();
        state.0[2..4].sort();
        let said = ["left/a", "right/a", "last", "right/a", "last"];
        assert_eq!(state, log(&said), "{first}");
    }
}

#[tokio::test]
async fn an_end_inside_a_subgraph_does_not_end_its_parent() {
    let inner = Graph::new()
        .node("stop", &[], |_, _| {
            async { Ok(Command::new().end()) }.boxed()
        })
        .node("never", &[], say)
        .edge(START, "stop")
        .edge("stop", "never");
    let graph = Graph::new()
        .subgraph("inner", inner)
        .node("last", &[], say)
        .edge(START, "inner")
        .conditional_edge("inner", &["last", END], |_| vec!["last"]);
    assert_eq!(Fixture::new(graph).run().await.unwrap(), log(&["last"]));
}

#[tokio::test]
async fn the_step_limit_names_the_repeating_node_and_keeps_the_state() {
    let graph = Graph::new()
        .node("once", &[], say)
        .node("ping", &[], say)
        .node("pong", &[], say)
        .edge(START, "once")
        .edge("once", "ping")
        .edge("ping", "pong")
        .edge("pong", "ping");
    let fixture = Fixture::new(graph);
    let (error, state) = failed(fixture.run().await);
    let RunError::StepLimit {
        limit, node, runs, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*limit, node.as_str(), *runs), (25, "ping", 12));
    assert_eq!(
        error.to_string(),
        "step limit of 25 super-steps reached: `ping` keeps repeating (12 runs); give the loop a way out, or raise the limit"
    );
    assert_eq!(state.unwrap().0.len(), 25);
}

#[tokio::test]
async fn a_run_of_just_as_many_steps_as_allowed_is_no_loop() {
    let graph = Graph::new()
        .node("a", &[], say)
        .node("b", &[], say)
        .edge(START, "a")
        .edge("a", "b");
    let fixture = Fixture::new(graph);
    let run = |limit| {
        let options = RunOptions::new(limit);
        let effects = fixture.effects.clone();
        let graph = &fixture.graph;
        async move { graph.run(Log::default(), effects, &options).await }
    };
    assert_eq!(run(2).await.unwrap(), log(&["a", "b"]));
    let (error, state) = failed(run(1).await);
    assert!(matches!(error, RunError::StepLimit { limit: 1, .. }));
    assert_eq!(state, Some(log(&["a"])));
}

#[tokio::test]
async fn a_failing_node_is_named_with_its_error_and_the_state_before_it() {
    let graph = Graph::new()
        .node("a", &[], say)
        .node("bad", &[], |_, _| {
            async { Ok(Command::new().update("x".parse::<u8>()?.to_string())) }.boxed()
        })
        .node("good", &[], say)
        .edge(START, "a")
        .edge("a", "bad")
        .edge("a", "good");
    let (error, state) = failed(Fixture::new(graph).run().await);
    let RunError::Node { node, source } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(node, "bad");
    assert!(source.is::<std::num::ParseIntError>());
    assert_eq!(error.to_string(), "node `bad` failed");
    assert_eq!(state, Some(log(&["a"])));
}

#[tokio::test]
async fn without_a_checkpointer_nothing_can_pause() {
    let graph = || Graph::new().node("a", &[], ask).edge(START, "a");
    let fixture = Fixture::new(graph());
    let (error, _) = failed(fixture.run().await);
    assert_eq!(
        error.to_string(),
        "node `a` cannot pause without a checkpointer; run the graph on a thread"
    );
    assert_eq!(fixture.effects.take(), ["a asks"]);
    for graph in [graph().interrupt_before("a"), graph().interrupt_after("a")] {
        let fixture = Fixture::new(graph);
        let (error, _) = failed(fixture.run().await);
        assert!(matches!(error, RunError::CheckpointerRequired { .. }));
        assert_eq!(fixture.effects.take(), [""; 0], "nothing runs");
    }
}

/// A state that cannot be copied or stored without a test failing.
struct Untouchable(u64);

impl Clone for Untouchable {
    fn clone(&self) -> Self {
        panic!("cloned")
    }
}

impl Serialize for Untouchable {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        panic!("serialised")
    }
}

impl<'de> Deserialize<'de> for Untouchable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("deserialised")
    }
}

impl State for Untouchable {
    type Update = u64;
    fn apply(&mut self, update: u64) {
        self.0 += update;
    }
}

#[tokio::test]
async fn a_run_that_keeps_nothing_neither_copies_nor_stores_the_state() {
    let graph = Graph::<Untouchable, ()>::new()
        .node("add", &[], |_, _| {
            async { Ok(Command::new().update(1)) }.boxed()
        })
        .edge(START, "add")
        .conditional_edge("add", &["add", END], |state: &Untouchable| {
            vec![if state.0 < 20 { "add" } else { END }]
        })
        .compile()
        .unwrap();
    let run = graph.run(Untouchable(0), Arc::new(()), &OPTIONS).await;
    assert_eq!(run.unwrap().0, 20);
}

#[test]
fn mistakes_in_a_drawing_are_named() {
    fn a() -> Graph<Log, Effects> {
        Graph::new().node("a", &[], say).edge(START, "a")
    }
    let cases = BTreeMap::from([
        (
            "edge `a` → `b` names `b`, which is no node; known: a",
            a().edge("a", "b"),
        ),
        (
            "edge `b` → `a` names `b`, which is no node; known: a",
            a().edge("b", "a"),
        ),
        (
            "edge `__end__` → `a` names `__end__`, which is no node; known: a",
            a().edge(END, "a"),
        ),
        (
            "edge `a` → `__start__` names `__start__`, which is no node; known: a",
            a().edge("a", START),
        ),
        (
            "conditional edge from `a` names `b`, which is no node; known: a",
            a().conditional_edge("a", &["a", "b"], |_| vec!["a"]),
        ),
        (
            "the declaration of `c` names `b`, which is no node; known: a, c",
            a().node("c", &["b"], say).edge("a", "c"),
        ),
        (
            "interrupt_before names `b`, which is no node; known: a",
            a().interrupt_before("b"),
        ),
        (
            "interrupt_after names `__end__`, which is no node; known: a",
            a().interrupt_after(END),
        ),
        ("two nodes are called `a`", a().node("a", &[], say)),
        (
            "two nodes are called `sub/a`",
            a().subgraph("sub", a().node("a", &[], say))
                .edge("a", "sub"),
        ),
        (
            "`a/b` cannot be a node's name: names are not empty, hold no `/`, and are neither `__start__` nor `__end__`",
            a().node("a/b", &[], say),
        ),
        (
            "no edge leaves `__start__`",
            Graph::new().node("a", &[], say),
        ),
        (
            "no edge leaves `__start__` of sub-graph `sub`",
            a().subgraph("sub", Graph::new().node("a", &[], say))
                .edge("a", "sub"),
        ),
        (
            "`__start__` leads to `__end__` in sub-graph `sub`; decide before entering it",
            a().subgraph("sub", a().conditional_edge(START, &[END], |_| vec![END]))
                .edge("a", "sub"),
        ),
        (
            "node `b` cannot be reached: no edge and no declared target leads to it",
            a().node("b", &[], say),
        ),
        (
            "node `sub/b` cannot be reached: no edge and no declared target leads to it",
            a().subgraph("sub", a().node("b", &[], say))
                .edge("a", "sub"),
        ),
        (
            "a breakpoint or a retry policy names sub-graph `sub`; set it on a node inside",
            a().subgraph("sub", a())
                .edge("a", "sub")
                .interrupt_before("sub"),
        ),
    ]);
    for (expected, graph) in cases {
        let error = graph.compile().err().expect(expected);
        assert_eq!(error.to_string(), expected);
    }
}
