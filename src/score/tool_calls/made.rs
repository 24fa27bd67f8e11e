//! The calls of a run: what was proposed, and what became of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use crate::message::{Message, Role, ToolCall, ToolStatus, visible};
use crate::run::{Run, Step};

/// Decides, and ends: what an agent must call whatever the email wants. They say nothing
/// about how it was handled, and count only where an example expects them by name.
pub(super) const BOOKKEEPING: [&str; 2] = ["triage_email", "done"];

/// One call as the conversation shows it.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    /// Lower case.
    pub name: String,
    /// Empty where the model wrote no object.
    pub arguments: Cow<'a, Map<String, Value>>,
    /// `None` where no tool message and no step tells.
    pub status: Option<ToolStatus>,
}

impl<'a> Call<'a> {
    fn new(call: &'a ToolCall) -> Self {
        Call {
            name: call.name.to_lowercase(),
            arguments: object(&call.arguments),
            status: None,
        }
    }

    /// It ran, or a person answered in its place. Agents elsewhere end at `done` without
    /// running it; any other call without an answer was dropped.
    pub fn was_made(&self) -> bool {
        match self.status {
            Some(ToolStatus::Executed | ToolStatus::Answered) => true,
            Some(ToolStatus::Failed | ToolStatus::Denied) => false,
            None => self.name == "done",
        }
    }

    pub fn is_bookkeeping(&self) -> bool {
        BOOKKEEPING.contains(&self.name.as_str())
    }
}

/// Some models write the arguments object as a text that holds it.
pub(crate) fn object(arguments: &Value) -> Cow<'_, Map<String, Value>> {
    match arguments {
        Value::Object(map) => Cow::Borrowed(map),
        Value::String(text) => Cow::Owned(serde_json::from_str(text).unwrap_or_default()),
        _ => Cow::Owned(Map::new()),
    }
}

/// The calls of the conversation in order, with the arguments they ran with: those of a
/// person's edit where there was one.
pub(crate) fn calls(run: &Run) -> Vec<Call<'_>> {
    let mut calls: Vec<Call> = Vec::new();
    // Models reuse ids: the oldest call without an answer is the one that is answered.
    let mut unanswered: HashMap<&str, VecDeque<usize>> = HashMap::new();
    let mut not_run: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for message in visible(&run.messages) {
        for call in proposals(message) {
            unanswered
                .entry(&call.id)
                .or_default()
                .push_back(calls.len());
            not_run.entry(&call.id).or_default().push_back(calls.len());
            calls.push(Call::new(call));
        }
        if let (Role::Tool, Some(id)) = (message.role, &message.tool_call_id)
            && let Some(at) = unanswered
                .get_mut(id.as_str())
                .and_then(VecDeque::pop_front)
        {
            calls[at].status = Some(message.status);
        }
    }
    for step in &run.steps {
        if let Step::Tool {
            call_id,
            arguments,
            status,
            ..
        } = step
            && let Some(at) = not_run
                .get_mut(call_id.as_str())
                .and_then(VecDeque::pop_front)
        {
            calls[at].arguments = object(arguments);
            calls[at].status.get_or_insert(*status);
        }
    }
    calls
}

/// The calls as the agent first wrote them, before any person's edit.
pub(super) fn proposed(run: &Run) -> impl Iterator<Item = Call<'_>> {
    let mut seen = HashSet::new();
    run.messages
        .iter()
        .filter(move |message| seen.insert(&message.id))
        .flat_map(proposals)
        .map(Call::new)
}

fn proposals(message: &Message) -> &[ToolCall] {
    match message.role {
        Role::Assistant => &message.tool_calls,
        Role::User | Role::Tool => &[],
    }
}
