//! What a judge asks, and what it sees: data, in `judges/*.yaml`.

use serde::{Deserialize, Serialize};

use super::JudgeKey;

/// Version of the reader of answers ([`super::ask::read`]): raised whenever it takes
/// another answer for a verdict.
pub const PARSER_VERSION: u32 = 1;

/// A judge as its file describes it. `judges/README.md` specifies the form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub key: JudgeKey,
    /// Of the definition, from 1.
    pub version: u32,
    /// What it looks for, in Markdown: what a pass is, what a fail, and how hard cases go.
    pub rubric: String,
    /// How a statement is put, with `{{statement}}` where it stands.
    pub question: String,
    /// What of an attempt it is shown, in this order.
    pub sees: Vec<Part>,
    #[serde(default)]
    pub scale: Scale,
    /// Votes of each model of the panel.
    #[serde(default = "one")]
    pub votes: u32,
    /// The models, where none are chosen otherwise; empty for the agent's.
    #[serde(default)]
    pub panel: Vec<String>,
    /// The least value of its main key that a gate lets pass.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// A part of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The email that was handled.
    Email,
    /// The mail that was sent in the end, each one.
    FinalMail,
    /// What the tool calls were and what became of them, out of the record.
    ToolCalls,
    /// The whole conversation.
    Trajectory,
    /// What the person was shown, and said.
    Instruction,
    /// The profile before and after.
    Memory,
    /// The decision about the email, and its reasons.
    Decision,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Pass, fail, or cannot tell.
    #[default]
    Binary,
    /// From 1 to 5: for ranking only, no gate and no corrected rate.
    Graded,
}

fn one() -> u32 {
    1
}
