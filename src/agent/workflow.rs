//! The workflow: a router decides, and an agent answers what wants an answer.

use super::state::AgentState;
use super::tools::Tool;
use super::{Attempt, steps};
use crate::email::Triage;
use crate::graph::{END, Graph, START};

pub const TOOLS: [Tool; 4] = [
    Tool::WriteEmail,
    Tool::ScheduleMeeting,
    Tool::CheckCalendarAvailability,
    Tool::Done,
];

pub fn graph() -> Graph<AgentState, Attempt> {
    Graph::new()
        .node("triage", &[END], steps::triage)
        .node("respond", &[END], steps::respond)
        .node("act", &[], steps::act)
        .edge(START, "triage")
        .conditional_edge("triage", &["respond", END], |state| match state.triage {
            Some(Triage::Respond) => vec!["respond"],
            _ => vec![END],
        })
        .edge("respond", "act")
        .conditional_edge("act", &["respond", END], steps::what_is_left)
}
