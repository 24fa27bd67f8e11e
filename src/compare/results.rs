//! What comparison needs of one experiment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::agent::Behaviour;
use crate::experiment::{AskedModel, CaseKind, DatasetInfo, JudgePlan, Limits, Variant};
use crate::run::Outcome;
use crate::score::{Key, Suite, TriageCosts};
use crate::statistics::FixedSum;

/// An experiment, or a reference kept in a file, as far as comparison is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub facts: Facts,
    /// In the plan's order.
    pub variants: Vec<VariantResults>,
}

/// What was done, so that what differs between two experiments can be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub experiment: String,
    pub tool_version: String,
    pub created: Timestamp,
    pub date: Date,
    pub seed: u64,
    pub suites: Vec<Suite>,
    pub repeat: u32,
    pub dataset: DatasetInfo,
    /// SHA-256 over the ids selected, in plan order.
    pub examples_hash: String,
    pub limits: Limits,
    pub behaviour: Behaviour,
    pub triage_costs: TriageCosts,
    /// The models behind an endpoint, by the name they were chosen by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, AskedModel>,
    /// Those whose rulings are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judges: Vec<JudgePlan>,
    /// Whose scores these are; absent where they are the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
    /// Whether every attempt of the plan is recorded.
    pub complete: bool,
}

/// One variant's results.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantResults {
    pub variant: Variant,
    /// By the id of the example, the scenario, or the episode.
    pub cells: BTreeMap<String, Cell>,
}

/// One variant's attempts at one example, scenario, or episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    pub kind: CaseKind,
    pub split: Option<String>,
    pub cluster: Option<String>,
    pub tags: Vec<String>,
    /// Attempts that ended, however they did.
    pub attempts: u32,
    /// Attempts that say anything about the agent.
    pub scored: u32,
    /// Scored attempts that every scorer with a say was satisfied with.
    pub passed: u32,
    /// By how attempts ended.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// What scorers and judges said; keys that were not scored are absent.
    pub scores: BTreeMap<Key, FixedSum>,
    /// Of scored attempts together, in milliseconds.
    pub latency_ms: f64,
    /// Of all attempts together; `None` where the price of any call is not known.
    pub cost_usd: Option<f64>,
    /// Of all attempts together, prompts and answers.
    pub tokens: u64,
}

impl Cell {
    /// The mean over attempts, from 0 to 1; `None` where nothing was scored.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::PassRate => {
                (self.scored > 0).then(|| f64::from(self.passed) / f64::from(self.scored))
            }
            Measure::Key(key) => self.scores.get(&key).and_then(|sum| sum.mean()),
        }
    }
}

/// What of two variants can be compared: the share of attempts that passed, or one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Measure {
    /// Of examples; scenarios and episodes have `hitl.pass` and `memory.pass`.
    PassRate,
    Key(Key),
}

impl Measure {
    pub fn name(self) -> &'static str {
        match self {
            Measure::PassRate => "pass_rate",
            Measure::Key(key) => key.name(),
        }
    }

    /// `pass_rate`, then the keys in the order of the reports.
    pub fn all() -> impl Iterator<Item = Measure> {
        std::iter::once(Measure::PassRate).chain(Key::ALL.into_iter().map(Measure::Key))
    }
}

impl JsonSchema for Measure {
    fn schema_name() -> Cow<'static, str> {
        "Measure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Measure::all().map(Measure::name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> String {
        measure.name().to_owned()
    }
}

impl TryFrom<String> for Measure {
    type Error = String;

    fn try_from(name: String) -> Result<Measure, String> {
        Measure::all()
            .find(|measure| measure.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Measure::all().map(Measure::name).collect();
                format!("`{name}` is no measure: use one of {}", names.join(", "))
            })
    }
}
