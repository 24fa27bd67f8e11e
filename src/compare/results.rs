//! What comparison needs of one experiment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::agent::Behaviour;
use crate::email::Triage;
use crate::experiment::{
    AskedModel, CaseKind, DatasetInfo, JudgePlan, Limits, Looks, Rerun, RerunWhich, Variant,
};
use crate::score::{Key, Suite, TriageCosts};
use crate::statistics::FixedSum;

/// An experiment, or a reference kept in a file, as far as comparison is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub facts: Facts,
    /// Examples, scenarios, and episodes with an attempt, by id.
    pub examples: BTreeMap<String, ExampleFacts>,
    /// In the plan's order.
    pub variants: Vec<VariantResults>,
}

/// What was done, so that what differs between two experiments can be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub experiment: String,
    pub tool_version: String,
    pub created: Timestamp,
    pub date: Date,
    pub seed: u64,
    pub suites: Vec<Suite>,
    pub repeat: u32,
    /// Of an experiment that stopped when looks at it had said enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
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

/// What every attempt at an example says about the example.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleFacts {
    #[serde(default, skip_serializing_if = "is_example")]
    pub kind: CaseKind,
    /// `None` for an episode, whose steps expect one each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Triage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

fn is_example(kind: &CaseKind) -> bool {
    *kind == CaseKind::Example
}

/// One variant's results.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantResults {
    pub variant: Variant,
    /// Attempts that it was to make.
    pub planned: u64,
    /// By the id of the example, the scenario, or the episode.
    pub cells: BTreeMap<String, Cell>,
    /// The mean over `cells`; `None` where that is not known.
    pub spent: Option<Spent>,
}

impl Results {
    /// The examples, scenarios, and episodes with an attempt of any variant that failed, or that
    /// was not scored.
    pub fn rerun(&self, which: RerunWhich) -> Rerun {
        let is_wanted = |cell: &Cell| match which {
            RerunWhich::Failed => cell.passed < cell.scored,
            RerunWhich::Errors => cell.scored < cell.attempts,
        };
        let is_any = |id: &&String| {
            let mut cells = self.variants.iter().filter_map(|of| of.cells.get(*id));
            cells.any(is_wanted)
        };
        Rerun {
            of: self.facts.experiment.clone(),
            which,
            ids: self.examples.keys().filter(is_any).cloned().collect(),
        }
    }

    /// The mean of a measure over a variant's examples, and over how many; `None` where none
    /// was scored.
    pub fn mean(&self, of: &VariantResults, measure: Measure) -> Option<(f64, usize)> {
        let mut sum = FixedSum::default();
        for (id, cell) in &of.cells {
            // Scenarios and episodes have keys of their own.
            let is_example = |facts: &ExampleFacts| facts.kind == CaseKind::Example;
            if measure != Measure::PassRate || self.examples.get(id).is_some_and(is_example) {
                sum.extend(cell.value(measure));
            }
        }
        Some((sum.mean()?, sum.count() as usize))
    }
}

impl VariantResults {
    pub fn attempts(&self) -> u64 {
        self.cells
            .values()
            .map(|cell| u64::from(cell.attempts))
            .sum()
    }

    pub fn scored(&self) -> u64 {
        self.cells.values().map(|cell| u64::from(cell.scored)).sum()
    }
}

/// One variant's attempts at one example, scenario, or episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Attempts that ended, however they did.
    pub attempts: u32,
    /// Attempts that say anything about the agent.
    pub scored: u32,
    /// Scored attempts that every scorer with a say was satisfied with.
    pub passed: u32,
    /// The mean over attempts of what scorers and judges said, from 0 to 1; keys that were not
    /// scored are absent.
    pub scores: BTreeMap<Key, f64>,
    /// How much attempts differ, by judged key, where there are two that were voted on.
    pub noise: BTreeMap<Key, CellNoise>,
    /// What one attempt took on average; `None` where a reference file leaves it out.
    pub spent: Option<Spent>,
    /// Whether the attempts were drawn of more, of which `scores` are the means still.
    pub drawn: bool,
}

/// Why the scores of attempts at one example differ, as variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellNoise {
    /// What the agent did otherwise from attempt to attempt.
    pub agent: f64,
    /// That votes on one attempt differ.
    pub judge: f64,
}

/// What an attempt takes, on average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Of those scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// `None` where the price of any call is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Of prompts and answers.
    pub tokens: f64,
}

impl Cell {
    /// The mean over attempts, from 0 to 1; `None` where nothing was scored.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::PassRate => {
                (self.scored > 0).then(|| f64::from(self.passed) / f64::from(self.scored))
            }
            Measure::Key(key) => self.scores.get(&key).copied(),
        }
    }

    /// Whether attempts came to both.
    pub fn is_flaky(&self) -> bool {
        0 < self.passed && self.passed < self.scored
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

    pub fn is_judged(self) -> bool {
        matches!(self, Measure::Key(key) if key.is_judged())
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
        f.pad(self.name())
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
                let name: String = name.chars().take(60).collect();
                format!("`{name}` is no measure: use one of {}", names.join(", "))
            })
    }
}
