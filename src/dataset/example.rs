//! One email with what a good assistant does about it.

use std::sync::Arc;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Episode, Scenario};
use crate::email::{Email, Triage};

/// A named set of examples, validated, in file order.
#[derive(Debug)]
pub struct Dataset {
    /// What reports call it: the file or folder name, or `email` for the embedded one.
    pub name: String,
    pub examples: Vec<Example>,
    pub scenarios: Vec<Scenario>,
    pub episodes: Vec<Episode>,
    /// SHA-256 over the content of the examples, hexadecimal; ignores order and formatting.
    pub hash: String,
}

#[derive(Clone, Debug)]
pub struct Example {
    /// Stable and unique within a dataset.
    pub id: String,
    pub email: Email,
    pub tags: Vec<String>,
    /// `dev` and `test` are ours; any name is allowed.
    pub split: Option<String>,
    /// Examples that share a thread or a template; intervals respect it.
    pub cluster: Option<String>,
    /// Who set the expectations.
    pub labelled_by: Option<String>,
    pub note: Option<String>,
    pub expect: Expect,
}

/// What a good assistant does.
#[derive(Clone, Debug)]
pub struct Expect {
    pub triage: Triage,
    /// `None` where the example does not ask about tool calls.
    pub tool_calls: Option<Vec<CallPattern>>,
    pub mode: MatchMode,
    /// Calls that must not be made.
    pub forbidden: Vec<CallPattern>,
    /// Statements about the reply, each checkable alone.
    pub criteria: Vec<Criterion>,
}

/// A statement about the reply, checkable alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Criterion {
    pub text: String,
    /// What it weighs among the criteria of its example: above 0, 1 where nothing is said.
    pub weight: f64,
    /// Where it is not met, the others count for nothing.
    pub critical: bool,
}

impl From<String> for Criterion {
    fn from(text: String) -> Self {
        Criterion {
            text,
            weight: 1.0,
            critical: false,
        }
    }
}

/// How the calls made must relate to the calls expected, from the agent's view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MatchMode {
    /// Every expected call is made; others may be too.
    #[default]
    AtLeast,
    /// No call is made that is not expected.
    AtMost,
    /// The expected calls and no others, in any order.
    Exactly,
    /// Every expected call is made, in the order given; others may stand between.
    InOrder,
    /// The expected calls and no others, in the order given.
    Strict,
}

impl MatchMode {
    pub const ALL: [MatchMode; 5] = [
        MatchMode::AtLeast,
        MatchMode::AtMost,
        MatchMode::Exactly,
        MatchMode::InOrder,
        MatchMode::Strict,
    ];

    pub fn name(self) -> &'static str {
        match self {
            MatchMode::AtLeast => "at-least",
            MatchMode::AtMost => "at-most",
            MatchMode::Exactly => "exactly",
            MatchMode::InOrder => "in-order",
            MatchMode::Strict => "strict",
        }
    }

    /// Whether the order of the calls matters.
    pub fn is_ordered(self) -> bool {
        matches!(self, MatchMode::InOrder | MatchMode::Strict)
    }
}

/// A tool call as an expectation describes it: the name, and what must hold of arguments.
#[derive(Clone, Debug)]
pub struct CallPattern {
    /// Lower case.
    pub name: String,
    /// Arguments named here must match; others are free.
    pub arguments: Vec<(String, ArgumentMatcher)>,
}

/// What must hold of one argument; everything given must hold together.
#[derive(Clone, Debug, Default)]
pub struct ArgumentMatcher {
    pub equals: Option<Value>,
    /// Part of a text, or of an element of a list, without regard to case.
    pub contains: Option<String>,
    /// A regular expression found in the text, or in an element of a list.
    /// Shared by the examples that have the same.
    pub matches: Option<Arc<Regex>>,
    /// Any one of these.
    pub any_of: Vec<Value>,
    /// The argument must not be given (or be null).
    pub absent: bool,
}
