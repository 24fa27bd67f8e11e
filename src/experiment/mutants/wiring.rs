//! The wiring of our agents, with room for steps that are not theirs.

use futures_util::future::BoxFuture;

use crate::agent::state::AgentState;
use crate::agent::{AgentKind, Attempt, steps};
use crate::graph::{END, Graph, NodeContext, NodeResult, START};

/// One step of an agent.
pub type Work =
    for<'a> fn(&'a AgentState, &'a NodeContext<Attempt>) -> BoxFuture<'a, NodeResult<AgentState>>;

/// Where an agent goes from a step.
pub type Way = fn(&AgentState) -> Vec<&'static str>;

/// What an agent is wired from.
#[derive(Clone, Copy)]
pub struct Wiring {
    pub notice: Work,
    pub respond: Work,
    pub ask: Work,
    pub act: Work,
    pub remember: Work,
    /// Where it goes when it has dealt with something.
    pub after: Way,
}

impl Wiring {
    /// As our agents are.
    pub const HONEST: Wiring = Wiring {
        notice: steps::notice,
        respond: steps::respond,
        ask: steps::ask,
        act: steps::act,
        remember: steps::remember,
        after: steps::what_is_left,
    };

    pub fn graph(self, kind: AgentKind) -> Graph<AgentState, Attempt> {
        let graph = Graph::new()
            .node("triage", &[END], steps::triage)
            .node("notice", &[], self.notice)
            .node("respond", &[END], self.respond)
            .node("ask", &[], self.ask)
            .node("act", &[], self.act);
        let graph = match kind.remembers() {
            false => graph
                .edge(START, "triage")
                .conditional_edge("triage", &["respond", "notice", END], steps::by_decision)
                .conditional_edge("notice", &["respond", END], self.after),
            true => graph
                .node("remember", &[END], self.remember)
                .edge(START, "triage")
                .conditional_edge("triage", &["respond", "notice", END], steps::by_decision)
                .edge("notice", "remember"),
        };
        let graph = graph.edge("respond", "ask").edge("ask", "act");
        match kind.remembers() {
            false => graph.conditional_edge("act", &["ask", "respond", END], self.after),
            true => graph.edge("act", "remember").conditional_edge(
                "remember",
                &["ask", "respond", END],
                self.after,
            ),
        }
    }
}

#[test]
fn mutants_are_wired_like_the_agents_they_stand_for() {
    for kind in [AgentKind::Hitl, AgentKind::HitlMemory] {
        let ours = Wiring::HONEST.graph(kind).compile().unwrap();
        assert_eq!(ours.mermaid(), kind.graph().mermaid(), "{kind}");
    }
}
