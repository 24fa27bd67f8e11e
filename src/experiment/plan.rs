//! Decides what an experiment will do, before any of it costs money.
//!
//! [`Plan::resolve`] turns the user's choices into items × variants × repeats, where an item
//! is an example, a scenario, or an episode. What can be wrong with a request is found here, so [`execute`](super::execute) meets only
//! failures of the outside world. A plan is plain data: `--dry-run` prints it, and the
//! journal's header keeps it, which is how a resumed experiment knows which cases are left.

mod error;
pub mod judges;
mod suites;

pub use error::PlanError;
pub(super) use error::quoted;
pub use judges::Judging;
pub use suites::{Idle, LeftOut, WhyNot};

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use self::suites::Suites;
use super::gate::Gates;
use super::grid::{Case, Done, Grid, Items};
use super::record::{
    AskedModel, CaseKey, CaseKind, DatasetInfo, FORMAT, FORMAT_IN_LOOKS, Header, JudgePlan, Limits,
    Looks, Selection, Variant,
};
use super::select::{Selected, select};
use super::shard::{Shard, ShardPlan};
use crate::agent::{AgentKind, Behaviour};
use crate::dataset::{Dataset, Episode, Example, Scenario};
use crate::email::Triage;
use crate::model::catalog::Catalog;
use crate::model::rules;
use crate::model::settings::Settings;
use crate::run::ModelRole;
use crate::score::{Suite, TriageCosts, keys_for};
use crate::target::Until;

/// What the user asked for, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// Empty stands for all that apply.
    pub suites: Vec<Suite>,
    /// Names of [`AgentKind`]s.
    pub agents: Vec<String>,
    /// Crossed with the agents.
    pub models: Vec<String>,
    /// For agents with a router; the agent's model where absent.
    pub router_model: Option<String>,
    /// For agents that remember; the agent's model where absent.
    pub memory_model: Option<String>,
    /// Plays the person where nobody scripted one; the agent's model where absent.
    pub simulator_model: Option<String>,
    /// Who judges what no exact match can score.
    pub judging: Judging,
    /// What aliases stand for, and how models are asked.
    pub catalog: Catalog,
    /// Attempts per item and variant, from 1; in looks, those made before the first.
    pub repeat: u32,
    /// How the plan grows, where it does.
    pub looks: Option<Looks>,
    pub seed: u64,
    pub selection: Selection,
    pub limits: Limits,
    pub behaviour: Behaviour,
    pub triage_costs: TriageCosts,
    pub min_pass_rate: Option<f64>,
    pub gates: Gates,
    /// Which part of all that to do; the whole where absent.
    pub shard: Option<Shard>,
    /// Where the dataset was loaded from; empty for the embedded one.
    pub dataset_paths: Vec<String>,
}

impl Choices {
    /// The choices that led to a journal, for `--resume` to start from.
    pub fn of(header: &Header) -> Choices {
        let mut agents = Vec::new();
        let mut models = Vec::new();
        for variant in &header.variants {
            if !agents.contains(&variant.agent) {
                agents.push(variant.agent.clone());
            }
            if !models.contains(&variant.model) {
                models.push(variant.model.clone());
            }
        }
        let chosen = |of: fn(&Variant) -> &Option<String>| {
            header.variants.iter().find_map(|it| of(it).clone())
        };
        Choices {
            suites: header.suites.clone(),
            agents,
            models,
            router_model: chosen(|variant| &variant.router_model),
            memory_model: chosen(|variant| &variant.memory_model),
            simulator_model: chosen(|variant| &variant.simulator_model),
            judging: Judging::of(header),
            // The configuration's, which is to say the same again.
            catalog: Catalog::default(),
            repeat: header.repeat,
            looks: header.looks.clone(),
            seed: header.seed,
            selection: header.selection.clone(),
            limits: header.limits.clone(),
            behaviour: header.behaviour.clone(),
            triage_costs: header.triage_costs,
            min_pass_rate: header.min_pass_rate,
            gates: header.gates.clone(),
            shard: header.shard.as_ref().map(|shard| shard.part),
            dataset_paths: header.dataset.paths.clone(),
        }
    }
}

/// What an experiment does: everything but its name and its day.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Those that have cases.
    pub suites: Vec<Suite>,
    /// Those that have cases.
    pub variants: Vec<Variant>,
    /// Those that have something to look at.
    pub judges: Vec<JudgePlan>,
    /// The models behind an endpoint that they ask, by name.
    pub models: BTreeMap<String, AskedModel>,
    pub repeat: u32,
    pub looks: Option<Looks>,
    pub seed: u64,
    pub selection: Selection,
    pub limits: Limits,
    pub behaviour: Behaviour,
    pub triage_costs: TriageCosts,
    pub min_pass_rate: Option<f64>,
    pub gates: Gates,
    pub dataset: DatasetInfo,
    /// Indices into the dataset's examples, of those selected, in its order.
    pub examples: Vec<u32>,
    /// The same of its scenarios.
    pub scenarios: Vec<u32>,
    /// The same of its episodes.
    pub episodes: Vec<u32>,
    /// SHA-256 over the ids selected, in plan order.
    pub examples_hash: String,
    /// Examples that passed the filters, but that no suite asks anything of.
    pub unasked: usize,
    /// What was asked for and is not done.
    pub left_out: Vec<LeftOut>,
    /// Which part of it this is, where it is not the whole.
    pub shard: Option<ShardPlan>,
    grid: Grid,
    /// The cases of the shard, by their places in the grid.
    part: Option<Done>,
}

/// What a case is about, out of the dataset.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    Example(&'a Example),
    Scenario(&'a Scenario),
    Episode(&'a Episode),
}

impl<'a> Item<'a> {
    pub fn kind(self) -> CaseKind {
        match self {
            Item::Example(_) => CaseKind::Example,
            Item::Scenario(_) => CaseKind::Scenario,
            Item::Episode(_) => CaseKind::Episode,
        }
    }

    pub fn id(self) -> &'a str {
        match self {
            Item::Example(example) => &example.id,
            Item::Scenario(scenario) => &scenario.id,
            Item::Episode(episode) => &episode.id,
        }
    }
}

impl Plan {
    /// # Errors
    /// Every mistake that can be found without running anything.
    pub fn resolve(choices: &Choices, dataset: &Dataset) -> Result<Plan, PlanError> {
        check_numbers(choices)?;
        let agents = agents(choices)?;
        let mut variants = variants(choices, &agents)?;
        let dataset_items = Items {
            examples: dataset.examples.len(),
            scenarios: dataset.scenarios.len(),
            episodes: dataset.episodes.len(),
        };
        // Nobody asked for the suites that are only considered.
        let told = |skipped| match choices.suites[..] {
            [] => Vec::new(),
            _ => skipped,
        };
        let mut suites = Suites::that_apply(&choices.suites, &agents, dataset_items);
        let Selected {
            examples,
            scenarios,
            episodes,
            unasked,
        } = select(
            &choices.selection,
            choices.seed,
            dataset,
            |kind| suites.look_at(kind),
            |example| asked(example, &suites.running),
        )?;
        let items = Items {
            examples: examples.len(),
            scenarios: scenarios.len(),
            episodes: episodes.len(),
        };
        if items.count() == 0 {
            let looked_at = |kind| suites.look_at(kind).then(|| dataset_items.get(kind));
            return Err(PlanError::Nothing {
                of: Items::from_fn(|kind| looked_at(kind).unwrap_or(0)),
                unasked,
                left_out: told(suites.skipped),
            });
        }
        suites.skip_unselected(items);
        let mut left_out = told(suites.skipped);
        let idle = variants.extract_if(.., |variant| items.of(variant) == 0);
        let idle: Vec<String> = idle.map(|variant| variant.name).collect();
        if !idle.is_empty() {
            left_out.push(LeftOut::Variants(idle));
        }
        choices.gates.fit(&variants, dataset)?;
        let takes: Vec<usize> = variants.iter().map(|variant| items.of(variant)).collect();
        let most = choices.looks.as_ref().map_or(0, |looks| looks.most);
        let most = most.max(choices.repeat);
        let too_many = || PlanError::TooManyAttempts {
            variants: variants.len(),
            items: items.count(),
            repeat: most,
        };
        Grid::new(&takes, most).ok_or_else(too_many)?;
        let grid = Grid::new(&takes, choices.repeat).ok_or_else(too_many)?;
        let mut plan = Plan {
            repeat: choices.repeat,
            looks: choices.looks.clone(),
            seed: choices.seed,
            selection: choices.selection.clone(),
            limits: choices.limits.clone(),
            behaviour: choices.behaviour.clone(),
            triage_costs: choices.triage_costs,
            min_pass_rate: choices.min_pass_rate,
            gates: choices.gates.clone(),
            dataset: DatasetInfo {
                name: dataset.name.clone(),
                hash: dataset.hash.clone(),
                examples: dataset_items.examples,
                scenarios: dataset_items.scenarios,
                episodes: dataset_items.episodes,
                paths: choices.dataset_paths.clone(),
                labelled_by: labellers(&dataset.examples),
            },
            examples_hash: String::new(),
            examples,
            scenarios,
            episodes,
            suites: suites.running,
            judges: Vec::new(),
            models: BTreeMap::new(),
            variants,
            unasked,
            left_out,
            shard: None,
            grid,
            part: None,
        };
        if let Some(shard) = choices.shard {
            plan.divide(shard, dataset);
        }
        plan.examples_hash = hash(plan.selected(dataset).map(Item::id));
        choices
            .judging
            .resolve(&mut plan, dataset, &choices.catalog);
        plan.models = models(&choices.catalog, &plan);
        Ok(plan)
    }

    /// All cases of the experiment, those of other shards among them.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The same plan with so many attempts at each item.
    ///
    /// # Panics
    /// With more of them than its looks, and for a shard.
    pub fn grown(&self, repeat: u32) -> Plan {
        let most = self.looks.as_ref().map_or(self.repeat, |looks| looks.most);
        assert!(repeat <= most, "a plan in looks grows by looks");
        assert!(self.part.is_none(), "a shard is a part of a fixed plan");
        let takes: Vec<usize> = self.variants.iter().map(|it| self.items().of(it)).collect();
        Plan {
            repeat,
            grid: Grid::new(&takes, repeat).expect("there is room for all looks"),
            ..self.clone()
        }
    }

    /// How many cases are to be carried out here.
    pub fn planned(&self) -> u64 {
        match &self.part {
            Some(part) => part.count(),
            None => self.grid.cases(),
        }
    }

    /// Whether the case at a place in the grid is to be carried out here.
    pub fn is_planned(&self, index: u64) -> bool {
        match &self.part {
            Some(part) => part.contains(index),
            None => index < self.grid.cases(),
        }
    }

    /// How many of the repeats of an item are to be carried out here for a variant.
    pub fn repeats(&self, variant: u32, position: u32) -> u32 {
        let is_planned = |repeat: &u32| {
            let case = Case {
                variant,
                position,
                repeat: *repeat,
            };
            let index = self.grid.index(case);
            index.is_some_and(|index| self.is_planned(index))
        };
        (0..self.repeat).filter(is_planned).count() as u32
    }

    /// Leaves the cases of other shards to them.
    fn divide(&mut self, shard: Shard, dataset: &Dataset) {
        let mut part = Done::default();
        let mut cases = vec![0; self.variants.len()];
        for index in 0..self.grid.cases() {
            let case = self.grid.case(index).expect("an index of the grid");
            let variant = &self.variants[case.variant as usize];
            let item = self.item(case.position, dataset);
            if shard.holds(&variant.name, item.kind(), item.id(), case.repeat) {
                part.insert(index);
                cases[case.variant as usize] += 1;
            }
        }
        self.shard = Some(ShardPlan { part: shard, cases });
        self.part = Some(part);
    }

    /// How many items are selected.
    pub fn items(&self) -> Items {
        Items {
            examples: self.examples.len(),
            scenarios: self.scenarios.len(),
            episodes: self.episodes.len(),
        }
    }

    /// All cases that are to be carried out here, in the order they are started.
    pub fn cases(&self) -> impl Iterator<Item = Case> + '_ {
        let planned = (0..self.grid.cases()).filter(|&index| self.is_planned(index));
        planned.map(|index| self.grid.case(index).expect("an index of the grid"))
    }

    /// The item at a position of this plan; `dataset` is the one it was resolved with.
    pub fn item<'a>(&self, position: u32, dataset: &'a Dataset) -> Item<'a> {
        let position = position as usize;
        let Items {
            examples,
            scenarios,
            ..
        } = self.items();
        if position < examples {
            Item::Example(&dataset.examples[self.examples[position] as usize])
        } else if position < examples + scenarios {
            let index = self.scenarios[position - examples];
            Item::Scenario(&dataset.scenarios[index as usize])
        } else {
            let index = self.episodes[position - examples - scenarios];
            Item::Episode(&dataset.episodes[index as usize])
        }
    }

    /// All items, in order.
    fn selected<'a>(&self, dataset: &'a Dataset) -> impl Iterator<Item = Item<'a>> {
        let positions = 0..self.items().count() as u32;
        positions.map(|position| self.item(position, dataset))
    }

    pub fn key(&self, case: Case, dataset: &Dataset) -> CaseKey {
        CaseKey {
            variant: case.variant,
            position: case.position,
            repeat: case.repeat,
            example: self.item(case.position, dataset).id().to_owned(),
        }
    }

    /// Where runs stop: those of examples at the decision, where no suite asks for more. It
    /// is the same for every example, because what is expected of one must not show in how
    /// it is run.
    pub fn until(&self, kind: CaseKind) -> Until {
        match kind {
            CaseKind::Example if !self.suites.contains(&Suite::Response) => Until::Triage,
            _ => Until::End,
        }
    }

    /// The first line of this plan's journal.
    pub fn header(&self, experiment: &str, created: Timestamp, date: Date) -> Header {
        Header {
            format: match self.looks {
                Some(_) => FORMAT_IN_LOOKS.to_owned(),
                None => FORMAT.to_owned(),
            },
            experiment: experiment.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            created,
            date,
            seed: self.seed,
            suites: self.suites.clone(),
            variants: self.variants.clone(),
            models: self.models.clone(),
            judges: self.judges.clone(),
            repeat: self.repeat,
            looks: self.looks.clone(),
            dataset: self.dataset.clone(),
            selection: self.selection.clone(),
            examples: self.examples.len(),
            scenarios: self.scenarios.len(),
            episodes: self.episodes.len(),
            examples_hash: self.examples_hash.clone(),
            limits: self.limits.clone(),
            behaviour: self.behaviour.clone(),
            triage_costs: self.triage_costs,
            min_pass_rate: self.min_pass_rate,
            gates: self.gates.clone(),
            shard: self.shard.clone(),
        }
    }
}

fn check_numbers(choices: &Choices) -> Result<(), PlanError> {
    for (what, value) in [
        ("`--repeat`", u64::from(choices.repeat)),
        ("`--max-steps`", u64::from(choices.limits.max_steps)),
        ("`--timeout`", choices.limits.timeout_ms),
    ] {
        if value == 0 {
            return Err(PlanError::Zero { what });
        }
    }
    match choices.min_pass_rate {
        Some(rate) if !(0.0..=1.0).contains(&rate) => Err(PlanError::PassRate(rate)),
        _ => Ok(()),
    }
}

fn agents(choices: &Choices) -> Result<Vec<AgentKind>, PlanError> {
    let agents = choices.agents.iter().map(|agent| Ok(agent.parse()?));
    match agents.collect::<Result<Vec<_>, PlanError>>()?.as_slice() {
        [] => Err(PlanError::NoAgent),
        agents => Ok(agents.to_vec()),
    }
}

fn variants(choices: &Choices, agents: &[AgentKind]) -> Result<Vec<Variant>, PlanError> {
    if choices.models.is_empty() {
        return Err(PlanError::NoModel);
    }
    let mut variants: Vec<Variant> = Vec::new();
    for &agent in agents {
        for model in &choices.models {
            let other = |role: &Option<String>, plays: bool| {
                role.clone().filter(|name| plays && name != model)
            };
            let variant = Variant {
                name: format!("{agent}@{model}"),
                agent: agent.name().to_owned(),
                model: model.clone(),
                router_model: other(&choices.router_model, agent.has_router()),
                memory_model: other(&choices.memory_model, agent.remembers()),
                simulator_model: other(&choices.simulator_model, agent.interrupts()),
                judge_models: Vec::new(),
            };
            let file_name = variant.file_name();
            if let Some(other) = variants.iter().find(|v| v.file_name() == file_name) {
                return Err(if other.name == variant.name {
                    PlanError::VariantTwice(variant.name)
                } else {
                    PlanError::VariantFileName {
                        one: other.name.clone(),
                        other: variant.name,
                        file_name,
                    }
                });
            }
            variants.push(variant);
        }
    }
    Ok(variants)
}

/// How the variants' models are asked in the roles that they play.
fn models(catalog: &Catalog, plan: &Plan) -> BTreeMap<String, AskedModel> {
    let mut models = BTreeMap::new();
    for variant in &plan.variants {
        let is_judged = plan
            .judges
            .iter()
            .any(|judge| judge.panel(variant).is_some());
        let plays = |role| role != ModelRole::Judge || is_judged;
        let roles = variant.roles().filter(|(role, _)| plays(*role));
        for (role, name) in roles.filter(|(_, name)| *name != rules::NAME) {
            let model = models.entry(name.to_owned()).or_insert_with(|| AskedModel {
                model: catalog.full_name(name),
                settings: BTreeMap::new(),
            });
            model.settings.insert(role, catalog.settings(name, role));
        }
    }
    // The embedded model goes by what is not embedded: then it is another one.
    if let Some(hash) = catalog.rulebook.hash() {
        let roles = plan.variants.iter().flat_map(Variant::roles);
        let played = roles
            .filter(|(role, name)| *name == rules::NAME && *role != ModelRole::Judge)
            .map(|(role, _)| (role, Settings::default()));
        let model = AskedModel {
            model: format!("{}#{}", rules::NAME, &hash[..12]),
            settings: played.collect(),
        };
        if !model.settings.is_empty() {
            models.insert(rules::NAME.to_owned(), model);
        }
    }
    models
}

fn labellers(examples: &[Example]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for labelled_by in examples
        .iter()
        .filter_map(|example| example.labelled_by.as_ref())
    {
        *counts.entry(labelled_by.clone()).or_default() += 1;
    }
    counts
}

fn hash<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for id in ids {
        // The length keeps `ab`, `c` apart from `a`, `bc`.
        hash.update((id.len() as u64).to_le_bytes());
        hash.update(id);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether the suites ask anything of an example.
///
/// Without `triage`, only emails that want an answer enter: their decision is what leads to
/// the rest (FEATURES F15).
fn asked(example: &Example, suites: &[Suite]) -> bool {
    suites.contains(&Suite::Triage)
        || (example.expect.triage == Triage::Respond && !keys_for(example, suites).is_empty())
}

#[cfg(test)]
mod tests;
