//! The tool-calling agent: one loop, and triage is one of its tools.

use super::state::AgentState;
use super::tools::Tool;
use super::{Attempt, prompts, steps};
use crate::graph::{END, Graph, START};
use crate::message::Message;

pub const TOOLS: [Tool; 5] = [
    Tool::TriageEmail,
    Tool::WriteEmail,
    Tool::ScheduleMeeting,
    Tool::CheckCalendarAvailability,
    Tool::Done,
];

pub fn graph() -> Graph<AgentState, Attempt> {
    Graph::new()
        .node("respond", &[END], steps::respond)
        .node("act", &[], steps::act)
        .edge(START, "respond")
        .edge("respond", "act")
        .conditional_edge("act", &["respond", END], steps::what_is_left)
}

/// The conversation begins with one request for everything.
pub fn begin(state: &mut AgentState) {
    let request = prompts::triage_and_respond(&state.email.to_prompt());
    state.messages.push(Message::user("m0", request));
}
