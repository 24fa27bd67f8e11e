//! Decides what an experiment will do, before any of it costs money.
//!
//! [`Plan::resolve`] turns the user's choices into examples × variants × repeats. What can
//! be wrong with a request is found here, so [`execute`](super::execute) meets only
//! failures of the outside world. A plan is plain data: `--dry-run` prints it, and the
//! journal's header keeps it, which is how a resumed experiment knows which cases are left.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::grid::{Case, Grid};
use super::record::{CaseKey, DatasetInfo, FORMAT, Header, Limits, Selection, Variant};
use super::select::{Selected, select};
use crate::agent::{AgentKind, Behaviour, UnknownAgent};
use crate::dataset::{Dataset, Example};
use crate::email::Triage;
use crate::score::{Suite, TriageCosts, keys_for};
use crate::target::Until;

/// What the user asked for, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// Empty stands for all that exist.
    pub suites: Vec<Suite>,
    /// Names of [`AgentKind`]s.
    pub agents: Vec<String>,
    /// Crossed with the agents.
    pub models: Vec<String>,
    /// For agents with a router; the agent's model where absent.
    pub router_model: Option<String>,
    /// Attempts per example and variant, from 1.
    pub repeat: u32,
    pub seed: u64,
    pub selection: Selection,
    pub limits: Limits,
    pub triage_costs: TriageCosts,
    pub min_pass_rate: Option<f64>,
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
        Choices {
            suites: header.suites.clone(),
            agents,
            models,
            router_model: header
                .variants
                .iter()
                .find_map(|variant| variant.router_model.clone()),
            repeat: header.repeat,
            seed: header.seed,
            selection: header.selection.clone(),
            limits: header.limits.clone(),
            triage_costs: header.triage_costs,
            min_pass_rate: header.min_pass_rate,
            dataset_paths: header.dataset.paths.clone(),
        }
    }
}

/// Why nothing can be run as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("no agent is chosen: name one with `-a`")]
    NoAgent,
    #[error("no model is chosen: name one with `-m`, as in `-m rules`")]
    NoModel,
    #[error(transparent)]
    UnknownAgent(#[from] UnknownAgent),
    #[error("variant `{0}` is planned twice: name each agent and each model once")]
    VariantTwice(String),
    #[error(
        "variants `{one}` and `{other}` would share the file name `{file_name}`: run them as two experiments"
    )]
    VariantFileName {
        one: String,
        other: String,
        file_name: String,
    },
    #[error("{what} must be at least 1, not 0")]
    Zero { what: &'static str },
    #[error("a pass rate is from 0 to 1, not {0}")]
    PassRate(f64),
    #[error("no example has the {}: {}", ids_are(ids), did_you_mean(near))]
    UnknownExamples { ids: Vec<String>, near: Vec<String> },
    #[error("no example has the tag `{tag}`: {}", existing_are("tags", existing))]
    UnknownTag { tag: String, existing: Vec<String> },
    #[error(
        "no example is in the split `{split}`: {}",
        existing_are("splits", existing)
    )]
    UnknownSplit {
        split: String,
        existing: Vec<String>,
    },
    /// Exit code 4.
    #[error(
        "nothing is selected out of {of} examples{}",
        what_to_loosen(*unasked)
    )]
    Nothing { of: usize, unasked: usize },
    #[error("a dataset may have at most 4294967295 examples")]
    TooManyExamples,
    #[error(
        "{variants} variants × {examples} examples × {repeat} repeats are more than the {} attempts an experiment may have: repeat less or select fewer",
        Grid::MOST
    )]
    TooManyAttempts {
        variants: usize,
        examples: usize,
        repeat: u32,
    },
}

fn what_to_loosen(unasked: usize) -> String {
    match unasked {
        0 => ": loosen the filters".to_owned(),
        _ => format!(
            "; {unasked} fit the filters, but no suite asks anything of them: name other suites"
        ),
    }
}

fn quoted(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut text = String::new();
    for (index, name) in names.iter().take(MOST).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("`{name}`"));
    }
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

fn ids_are(ids: &[String]) -> String {
    let plural = if ids.len() == 1 { "id" } else { "ids" };
    format!("{plural} {}", quoted(ids))
}

fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => "`mailproof validate` counts what the dataset has".to_owned(),
        near => format!("did you mean {}?", quoted(near)),
    }
}

fn existing_are(what: &str, existing: &[String]) -> String {
    match existing {
        [] => format!("the dataset has no {what}"),
        existing => format!("the {what} are {}", quoted(existing)),
    }
}

/// What an experiment does: everything but its name and its day.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub suites: Vec<Suite>,
    pub variants: Vec<Variant>,
    pub repeat: u32,
    pub seed: u64,
    pub selection: Selection,
    pub limits: Limits,
    pub triage_costs: TriageCosts,
    pub min_pass_rate: Option<f64>,
    pub dataset: DatasetInfo,
    /// Indices into the dataset of the examples selected, in its order.
    pub examples: Vec<u32>,
    /// SHA-256 over the ids selected, in order.
    pub examples_hash: String,
    /// Examples that passed the filters, but that no suite asks anything of.
    pub unasked: usize,
    grid: Grid,
}

impl Plan {
    /// # Errors
    /// Every mistake that can be found without running anything.
    pub fn resolve(choices: &Choices, dataset: &Dataset) -> Result<Plan, PlanError> {
        for (what, value) in [
            ("`--repeat`", u64::from(choices.repeat)),
            ("`--max-steps`", u64::from(choices.limits.max_steps)),
            ("`--timeout`", choices.limits.timeout_ms),
        ] {
            if value == 0 {
                return Err(PlanError::Zero { what });
            }
        }
        if let Some(rate) = choices.min_pass_rate
            && !(0.0..=1.0).contains(&rate)
        {
            return Err(PlanError::PassRate(rate));
        }
        let suites = suites(&choices.suites);
        let variants = variants(choices)?;
        let Selected { indices, unasked } = select(
            &choices.selection,
            choices.seed,
            &dataset.examples,
            |example| asked(example, &suites),
        )?;
        let grid = Grid::new(variants.len(), indices.len(), choices.repeat).ok_or(
            PlanError::TooManyAttempts {
                variants: variants.len(),
                examples: indices.len(),
                repeat: choices.repeat,
            },
        )?;
        let ids = indices.iter().map(|&i| &dataset.examples[i as usize].id);
        Ok(Plan {
            repeat: choices.repeat,
            seed: choices.seed,
            selection: choices.selection.clone(),
            limits: choices.limits.clone(),
            triage_costs: choices.triage_costs,
            min_pass_rate: choices.min_pass_rate,
            dataset: DatasetInfo {
                name: dataset.name.clone(),
                hash: dataset.hash.clone(),
                examples: dataset.examples.len(),
                scenarios: dataset.scenarios.len(),
                episodes: dataset.episodes.len(),
                paths: choices.dataset_paths.clone(),
                labelled_by: labellers(&dataset.examples),
            },
            examples_hash: hash(ids),
            examples: indices,
            suites,
            variants,
            unasked,
            grid,
        })
    }

    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// All cases, in the order they are started.
    pub fn cases(&self) -> impl Iterator<Item = Case> + '_ {
        (0..self.grid.cases()).map(|index| self.grid.case(index).expect("an index of the grid"))
    }

    /// The example at a position of this plan; `dataset` is the one it was resolved with.
    pub fn example<'a>(&self, position: u32, dataset: &'a Dataset) -> &'a Example {
        &dataset.examples[self.examples[position as usize] as usize]
    }

    pub fn key(&self, case: Case, dataset: &Dataset) -> CaseKey {
        CaseKey {
            variant: case.variant,
            position: case.position,
            repeat: case.repeat,
            example: self.example(case.position, dataset).id.clone(),
        }
    }

    /// Where runs stop: at the decision, where no suite asks for more. It is the same for
    /// every example, because what is expected of one must not show in how it is run.
    pub fn until(&self) -> Until {
        match self.suites[..] {
            [Suite::Triage] => Until::Triage,
            _ => Until::End,
        }
    }

    /// The most model calls that the whole plan can make, retries of the provider apart.
    ///
    /// An agent with a router decides with one call; any other may use all its steps.
    pub fn max_model_calls(&self) -> u64 {
        let steps = u64::from(self.limits.max_steps);
        let routed = self
            .variants
            .iter()
            .filter(|v| has_router(&v.agent))
            .count() as u64;
        let others = self.variants.len() as u64 - routed;
        let calls = match self.until() {
            Until::Triage => routed + others * steps,
            Until::End => (routed + others) * steps,
        };
        calls * self.examples.len() as u64 * u64::from(self.repeat)
    }

    /// The first line of this plan's journal.
    pub fn header(&self, experiment: &str, created: Timestamp, date: Date) -> Header {
        Header {
            format: FORMAT.to_owned(),
            experiment: experiment.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            created,
            date,
            seed: self.seed,
            suites: self.suites.clone(),
            variants: self.variants.clone(),
            repeat: self.repeat,
            dataset: self.dataset.clone(),
            selection: self.selection.clone(),
            examples: self.examples.len(),
            scenarios: 0,
            episodes: 0,
            examples_hash: self.examples_hash.clone(),
            limits: self.limits.clone(),
            behaviour: Behaviour::default(),
            triage_costs: self.triage_costs,
            min_pass_rate: self.min_pass_rate,
        }
    }
}

/// The suites chosen, once each and in the order of the reports.
fn suites(chosen: &[Suite]) -> Vec<Suite> {
    [Suite::Triage, Suite::Response]
        .into_iter()
        .filter(|suite| chosen.is_empty() || chosen.contains(suite))
        .collect()
}

fn variants(choices: &Choices) -> Result<Vec<Variant>, PlanError> {
    if choices.agents.is_empty() {
        return Err(PlanError::NoAgent);
    }
    if choices.models.is_empty() {
        return Err(PlanError::NoModel);
    }
    let mut variants: Vec<Variant> = Vec::new();
    for agent in &choices.agents {
        let agent: AgentKind = agent.parse()?;
        for model in &choices.models {
            let router_model = choices
                .router_model
                .clone()
                .filter(|router| agent.has_router() && router != model);
            let variant = Variant {
                name: format!("{agent}@{model}"),
                agent: agent.name().to_owned(),
                model: model.clone(),
                router_model,
                memory_model: None,
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

/// Whether an agent decides by one call to a router. Plans are made of known agents.
fn has_router(agent: &str) -> bool {
    agent
        .parse()
        .is_ok_and(|agent: AgentKind| agent.has_router())
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

fn hash<'a>(ids: impl Iterator<Item = &'a String>) -> String {
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
