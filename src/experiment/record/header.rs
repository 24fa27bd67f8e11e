//! What fixes a plan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CaseKind;
use crate::agent::{AgentKind, Behaviour};
use crate::experiment::gate::Gates;
use crate::experiment::grid::{Grid, Items};
use crate::experiment::shard::ShardPlan;
use crate::judge::JudgeKey;
use crate::judge::calibration::Standing;
use crate::model::settings::Settings;
use crate::run::ModelRole;
use crate::score::{Suite, TriageCosts};

/// Everything that decides what an experiment does. Two plans with equal headers, the
/// fields of `created` and `experiment` apart, do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`](super::FORMAT).
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
    /// The models behind an endpoint, by the name they were chosen by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, AskedModel>,
    /// Who judges what no exact match can score; empty where nobody does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judges: Vec<JudgePlan>,
    /// Attempts at each item. In looks it is what the plan has grown to by now: the line itself
    /// says 1.
    pub repeat: u32,
    /// How it is looked at while it grows, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
    pub dataset: DatasetInfo,
    pub selection: Selection,
    /// Examples selected, out of [`DatasetInfo::examples`].
    pub examples: usize,
    /// Scenarios selected; their cases come after those of the examples.
    #[serde(default)]
    pub scenarios: usize,
    /// Episodes selected; their cases come last.
    #[serde(default)]
    pub episodes: usize,
    /// SHA-256 over the ids selected, those of scenarios and episodes too, in plan order.
    pub examples_hash: String,
    pub limits: Limits,
    #[serde(default)]
    pub behaviour: Behaviour,
    pub triage_costs: TriageCosts,
    /// The simple gate, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pass_rate: Option<f64>,
    /// What else results are held to. It changes no run: a resumed experiment keeps it, and
    /// `mailproof gate` judges by others.
    #[serde(default, skip_serializing_if = "Gates::is_default")]
    pub gates: Gates,
    /// Which part of the plan it is, where it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardPlan>,
}

impl Header {
    /// Attempts that are to be made; `None` where the plan has more than there can be.
    pub fn planned(&self) -> Option<u64> {
        match &self.shard {
            Some(shard) => Some(shard.planned()),
            None => Some(Grid::of(self)?.cases()),
        }
    }

    /// What is selected.
    pub fn items(&self) -> Items {
        Items {
            examples: self.examples,
            scenarios: self.scenarios,
            episodes: self.episodes,
        }
    }
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
    /// The model that writes what is remembered, where it differs from the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_model: Option<String>,
    /// The model that plays the person, where it differs from the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulator_model: Option<String>,
    /// The panel that judges it, where that is not the agent's model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judge_models: Vec<String>,
}

impl Variant {
    /// Whether cases of a kind are planned for it. An agent of another version may do all.
    pub fn takes_part(&self, kind: CaseKind) -> bool {
        self.agent.parse().map_or(true, |agent| kind.is_for(agent))
    }

    /// The roles that models play for it, each with the name of its model; several judge it
    /// where there is a panel, and none where nobody judges ([`Header::judges`]). An agent
    /// of another version may have all.
    pub fn roles(&self) -> impl Iterator<Item = (ModelRole, &str)> {
        let agent: Option<AgentKind> = self.agent.parse().ok();
        let has = |role: fn(AgentKind) -> bool| agent.is_none_or(role);
        let roles = [
            (ModelRole::Agent, true, &None),
            (
                ModelRole::Router,
                has(AgentKind::has_router),
                &self.router_model,
            ),
            (
                ModelRole::Memory,
                has(AgentKind::remembers),
                &self.memory_model,
            ),
            (
                ModelRole::Simulator,
                has(AgentKind::interrupts),
                &self.simulator_model,
            ),
        ];
        let roles = roles.into_iter().filter(|(_, plays, _)| *plays);
        let roles =
            roles.map(|(role, _, other)| (role, other.as_ref().unwrap_or(&self.model).as_str()));
        let judges = match &self.judge_models[..] {
            [] => std::slice::from_ref(&self.model),
            models => models,
        };
        roles.chain(judges.iter().map(|name| (ModelRole::Judge, name.as_str())))
    }

    /// The name with every character outside `[A-Za-z0-9._-]` replaced by `-`.
    pub fn file_name(&self) -> String {
        let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        self.name
            .chars()
            .map(|c| if safe(c) { c } else { '-' })
            .collect()
    }
}

/// A judge that looks at attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgePlan {
    pub judge: JudgeKey,
    /// Of its definition.
    pub version: u32,
    /// SHA-256 over what its definition says, hexadecimal.
    pub rubric_hash: String,
    /// SHA-256 over the texts around it that all judges share, hexadecimal.
    pub prompt_hash: String,
    /// Of the reader of its answers.
    pub parser_version: u32,
    /// Votes of each model.
    pub votes: u32,
    /// The least value of its main key that the gate lets pass, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Whether a gate may rely on it although nobody measured it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
    /// The panels that it works with: one, or one for each model that judges itself.
    pub panels: Vec<Panel>,
}

impl JudgePlan {
    /// The panel that judges a variant of the same plan; `None` where the judge does not look
    /// at it.
    pub fn panel(&self, variant: &Variant) -> Option<&Panel> {
        if !self.judge.looks_at(variant) {
            return None;
        }
        match &self.panels[..] {
            [panel] => Some(panel),
            panels => panels
                .iter()
                .find(|panel| panel.models == [variant.model.as_str()]),
        }
    }
}

impl JudgeKey {
    /// Whether there are attempts of a variant that it looks at.
    pub fn looks_at(self, variant: &Variant) -> bool {
        let suite = self.suite();
        suite.is_some_and(|suite| variant.takes_part(CaseKind::of(suite)))
    }
}

/// The models that judge together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Panel {
    /// By the names they were chosen by, in order.
    pub models: Vec<String>,
    pub standing: Standing,
}

/// A model behind an endpoint. Where that is may change from one sitting to the next, and
/// is no part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AskedModel {
    /// `PROVIDER:NAME`.
    pub model: String,
    /// How it is asked, by the roles it plays: what is not here is not sent.
    pub settings: BTreeMap<ModelRole, Settings>,
}

/// A plan that grows: after each attempt at every item it is compared with a reference, and it
/// grows by another until enough is known.
///
/// What counts as worse is [`Header::gates`]' regression: it is fixed with the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looks {
    /// The most there are, and so the most attempts at an item.
    pub most: u32,
    /// The experiment that is compared with.
    pub reference: String,
    /// When that was begun: another may bear its name by now.
    pub created: Timestamp,
    /// The variant of it that all are compared with; those of the same name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Whose scores of it; 0 for the run's own.
    pub layer: u32,
}

impl Looks {
    /// The most that make sense: a level spent in more parts buys nothing.
    pub const MOST: u32 = 100;
}

/// A plan in looks has grown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grown {
    /// Attempts at each item that are planned from here on.
    pub repeat: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    pub name: String,
    pub hash: String,
    /// Examples in the dataset.
    pub examples: usize,
    #[serde(default)]
    pub scenarios: usize,
    #[serde(default)]
    pub episodes: usize,
    /// Where it was loaded from; empty for the embedded one.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Who set the expectations: how many examples each.
    #[serde(default)]
    pub labelled_by: BTreeMap<String, usize>,
}

impl DatasetInfo {
    /// What there is to select from.
    pub fn items(&self) -> Items {
        Items {
            examples: self.examples,
            scenarios: self.scenarios,
            episodes: self.episodes,
        }
    }
}

/// Which examples, scenarios, and episodes of the dataset take part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Selection {
    /// The most of each kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How many of each kind are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Examples taken over from an earlier experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
}

/// Examples of an earlier experiment that are to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rerun {
    /// The earlier experiment.
    pub of: String,
    pub which: RerunWhich,
    /// In the earlier plan's order.
    pub ids: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RerunWhich {
    /// An attempt of any variant was scored and did not pass.
    Failed,
    /// An attempt of any variant ended in an infrastructure error.
    Errors,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// A case's own time limit in milliseconds.
    pub timeout_ms: u64,
    /// Model calls a case may make.
    pub max_steps: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_takes_part_in_the_first_kinds_of_items() {
        let items = Items {
            examples: 100,
            scenarios: 10,
            episodes: 1,
        };
        for agent in AgentKind::ALL {
            let variant = Variant {
                name: format!("{agent}@rules"),
                agent: agent.to_string(),
                model: "rules".into(),
                router_model: None,
                memory_model: None,
                simulator_model: None,
                judge_models: Vec::new(),
            };
            let most = match (agent.interrupts(), agent.remembers()) {
                (false, false) => 100,
                (true, false) => 110,
                (true, true) => 111,
                // Would leave a gap before the episodes.
                (false, true) => panic!("`{agent}` remembers, but what nobody ever said"),
            };
            assert_eq!(items.of(&variant), most, "{agent}");
        }
    }
}
