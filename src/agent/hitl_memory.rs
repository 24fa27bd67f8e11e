//! The agent of [`hitl`](super::hitl) with a memory: what the person answers is kept for
//! later emails before the run goes on or ends.

use super::state::AgentState;
use super::{Attempt, steps};
use crate::graph::{END, Graph, START};

pub use super::hitl::TOOLS;

pub fn graph() -> Graph<AgentState, Attempt> {
    Graph::new()
        .node("triage", &[END], steps::triage)
        .node("notice", &[], steps::notice)
        .node("respond", &[END], steps::respond)
        .node("ask", &[], steps::ask)
        .node("act", &[], steps::act)
        .node("remember", &[END], steps::remember)
        .edge(START, "triage")
        .conditional_edge("triage", &["respond", "notice", END], steps::by_decision)
        .edge("notice", "remember")
        .edge("respond", "ask")
        .edge("ask", "act")
        .edge("act", "remember")
        .conditional_edge("remember", &["ask", "respond", END], steps::what_is_left)
}
