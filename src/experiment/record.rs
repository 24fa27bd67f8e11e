//! What the journal keeps: the header that fixes a plan, and one record an attempt.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::email::Triage;
use crate::run::{Outcome, Usage};
use crate::score::{Feedback, Suite, TriageCosts};

/// Format of the journal; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.journal/1";

/// Everything that decides what an experiment does. Two plans with equal headers, the
/// fields of `created` and `experiment` apart, do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    pub experiment: String,
    pub tool_version: String,
    pub created: Timestamp,
    /// The day that prompts name; a resumed experiment keeps it.
    pub date: Date,
    pub seed: u64,
    pub suites: Vec<Suite>,
    /// In the order of the reports.
    pub variants: Vec<Variant>,
    pub repeat: u32,
    pub dataset: DatasetInfo,
    pub selection: Selection,
    /// Examples selected, out of [`DatasetInfo::examples`].
    pub examples: usize,
    /// SHA-256 over the ids selected, in plan order.
    pub examples_hash: String,
    pub limits: Limits,
    pub triage_costs: TriageCosts,
    /// The simple gate, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pass_rate: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// `<agent>@<model>`.
    pub name: String,
    pub agent: String,
    pub model: String,
    /// The router's model, where it differs from the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router_model: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    pub name: String,
    pub hash: String,
    /// Examples in the dataset.
    pub examples: usize,
    /// Where it was loaded from; empty for the embedded one.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Who set the expectations: how many examples each.
    #[serde(default)]
    pub labelled_by: BTreeMap<String, usize>,
}

/// Which examples of the dataset take part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A case's own time limit in milliseconds.
    pub timeout_ms: u64,
    /// Model calls a case may make.
    pub max_steps: u32,
}

/// One line of the journal: an attempt that ended.
///
/// What aggregation needs stands here; the trajectory (`run`) is of type `R`, so that a
/// reader which only counts can skip it ([`serde::de::IgnoredAny`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt<R> {
    pub case: CaseKey,
    /// What the example says about itself, so that a report needs the journal alone.
    pub split: Option<String>,
    pub cluster: Option<String>,
    pub tags: Vec<String>,
    pub expected: Triage,
    pub found: Option<Triage>,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Empty where the outcome is an infrastructure error.
    pub feedback: Vec<Feedback>,
    pub usage: Usage,
    pub latency_ms: f64,
    pub run: R,
}

/// Which case: indices into the header's variants and the plan's examples.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaseKey {
    /// Index into [`Header::variants`].
    pub variant: u32,
    /// Position of the example in the plan.
    pub position: u32,
    /// Which repetition, from 0.
    pub repeat: u32,
    pub example: String,
}
