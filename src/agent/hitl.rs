//! The workflow with a person in the loop: notices are shown, and what is felt outside is
//! reviewed before it happens.

use super::state::AgentState;
use super::tools::Tool;
use super::{Attempt, steps};
use crate::graph::{END, Graph, START};

pub const TOOLS: [Tool; 5] = [
    Tool::WriteEmail,
    Tool::ScheduleMeeting,
    Tool::CheckCalendarAvailability,
    Tool::Question,
    Tool::Done,
];

pub fn graph() -> Graph<AgentState, Attempt> {
    Graph::new()
        .node("triage", &[END], steps::triage)
        .node("notice", &[], steps::notice)
        .node("respond", &[END], steps::respond)
        .node("ask", &[], steps::ask)
        .node("act", &[], steps::act)
        .edge(START, "triage")
        .conditional_edge("triage", &["respond", "notice", END], steps::by_decision)
        .conditional_edge("notice", &["respond", END], steps::what_is_left)
        .edge("respond", "ask")
        .edge("ask", "act")
        .conditional_edge("act", &["ask", "respond", END], steps::what_is_left)
}
