//! The words that agents, models, and tools exchange.
//!
//! A conversation is a log of [`Message`]s. A message whose id was seen before replaces
//! the earlier one when the log is read ([`visible`]), which is how a person's edit of a
//! proposed call becomes part of the conversation while the log keeps both.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Assistant,
    Tool,
}

/// What became of a tool call, as its tool message tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolStatus {
    /// The tool ran and the content is its result.
    #[default]
    Executed,
    /// The tool could not run: unknown, bad arguments, or an error of its own.
    Failed,
    /// A person turned the call down or asked for changes; it did not run.
    Denied,
    /// A person answered in the tool's place (`question`).
    Answered,
}

impl ToolStatus {
    fn is_executed(&self) -> bool {
        *self == ToolStatus::Executed
    }
}

/// One entry of a conversation. System text is not among them: it is the [`Prompt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Unique within a thread; a later message with the same id replaces this one.
    pub id: String,
    pub role: Role,
    pub content: String,
    /// Calls proposed by the assistant, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The tool that a tool message speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "ToolStatus::is_executed")]
    pub status: ToolStatus,
}

impl Message {
    pub fn user(id: impl Into<String>, content: impl Into<String>) -> Self {
        Message::new(id, Role::User, content)
    }

    pub fn assistant(
        id: impl Into<String>,
        content: impl Into<String>,
        tool_calls: Vec<ToolCall>,
    ) -> Self {
        Message {
            tool_calls,
            ..Message::new(id, Role::Assistant, content)
        }
    }

    /// The one answer to `call`.
    pub fn tool(
        id: impl Into<String>,
        call: &ToolCall,
        status: ToolStatus,
        content: impl Into<String>,
    ) -> Self {
        Message {
            tool_call_id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            status,
            ..Message::new(id, Role::Tool, content)
        }
    }

    fn new(id: impl Into<String>, role: Role, content: impl Into<String>) -> Self {
        Message {
            id: id.into(),
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
            status: ToolStatus::Executed,
        }
    }
}

/// A call that an assistant proposes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// Usually an object; whatever the model wrote otherwise, so that it can be reported.
    pub arguments: Value,
}

impl ToolCall {
    /// Tool names are compared without regard to case (`Done` is `done`).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// A tool as it is offered to a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments object.
    pub parameters: Value,
}

/// The part of a request that many attempts share: the system text and the tools offered.
///
/// Kept apart from the messages so that the journal can store it once, by hash.
#[derive(Debug, PartialEq)]
pub struct Prompt {
    hash: String,
    content: PromptContent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptContent {
    pub system: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
}

impl Prompt {
    pub fn new(system: String, tools: Vec<ToolSpec>) -> Arc<Self> {
        let content = PromptContent { system, tools };
        let json = serde_json::to_vec(&content).expect("a prompt has string keys only");
        let digest = Sha256::digest(json);
        let hash = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Arc::new(Prompt { hash, content })
    }

    /// The first 64 bits of the SHA-256 of the content, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub fn system(&self) -> &str {
        &self.content.system
    }

    pub fn tools(&self) -> &[ToolSpec] {
        &self.content.tools
    }

    pub fn content(&self) -> &PromptContent {
        &self.content
    }
}

/// The conversation that a log stands for: in order of first appearance, each message in
/// its last version.
pub fn visible<'a>(log: impl IntoIterator<Item = &'a Message>) -> Vec<&'a Message> {
    let mut messages: Vec<&Message> = Vec::new();
    for message in log {
        // Logs hold a dozen messages; a map would cost more than it saves.
        match messages.iter_mut().find(|seen| seen.id == message.id) {
            Some(seen) => *seen = message,
            None => messages.push(message),
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_known_id_replaces_the_earlier_one_in_its_place() {
        let log = [
            Message::user("1", "first"),
            Message::user("2", "second"),
            Message::user("1", "edited"),
        ];
        let contents: Vec<_> = visible(&log).iter().map(|m| m.content.as_str()).collect();
        assert_eq!(contents, ["edited", "second"]);
    }

    #[test]
    fn equal_prompts_have_equal_hashes() {
        let tool = ToolSpec {
            name: "done".into(),
            description: String::new(),
            parameters: serde_json::json!({}),
        };
        let one = Prompt::new("a".into(), vec![tool.clone()]);
        assert_eq!(one.hash(), Prompt::new("a".into(), vec![tool]).hash());
        assert_ne!(one.hash(), Prompt::new("a".into(), vec![]).hash());
    }
}
