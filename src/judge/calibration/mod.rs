//! How often a judge is right: its verdicts on items that people labelled.
//!
//! A calibration holds for one judge as it was asked: another model, other words in its
//! rubric or in the frame around it, another reader of its answers, other numbers of votes,
//! and it says nothing ([`Standing::Stale`]).

pub mod items;

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::JudgeKey;

/// Format of a record; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.calibration/1";

/// What decides how a judge judges. Equal bindings judge alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    pub judge: JudgeKey,
    /// The panel's models as `PROVIDER:NAME`, in order.
    pub models: Vec<String>,
    /// Votes of each.
    pub votes: u32,
    /// SHA-256 over what the definition says, hexadecimal.
    pub rubric_hash: String,
    /// SHA-256 over the texts around it that all judges share, hexadecimal.
    pub prompt_hash: String,
    /// Of the reader of answers.
    pub parser_version: u32,
}

/// What was measured of a judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    pub binding: Binding,
    #[schemars(with = "String")]
    pub date: Date,
    /// SHA-256 over the items and their labels, hexadecimal.
    pub items_hash: String,
    /// Items, those without a usable verdict included.
    pub items: u64,
    /// Items that the judge gave no usable verdict on.
    pub unscored: u64,
    /// How many items each person labelled.
    pub labelled_by: BTreeMap<String, u64>,
    /// Verdicts against labels, one entry for each email: what is said of one email is no
    /// independent evidence.
    pub clusters: Vec<Outcomes>,
}

/// How verdicts fell on items of either label. A verdict that cannot tell is no pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// Labelled pass, judged pass.
    pub true_pass: u64,
    /// Labelled pass, not judged pass.
    pub false_fail: u64,
    /// Labelled fail, not judged pass.
    pub true_fail: u64,
    /// Labelled fail, judged pass.
    pub false_pass: u64,
}

/// What is known of a judge as it is about to be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Calibrated(Box<Calibration>),
    /// There is a record, of the judge as it was.
    Stale {
        #[schemars(with = "String")]
        date: Date,
        /// What differs: "the rubric", "the model".
        because: String,
    },
    Uncalibrated,
}
