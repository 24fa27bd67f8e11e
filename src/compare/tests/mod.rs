use std::collections::BTreeMap;

use super::*;
use crate::experiment::{CaseKind, DatasetInfo, Limits, Variant};
use crate::score::{Key, TriageCosts};

mod differences;
mod even;
mod journals;
mod looks;
mod reference;
mod verdict;

/// An experiment of these variants; the date alone tells when.
pub(super) fn experiment(name: &str, variants: &[&str]) -> Results {
    let variant = |name: &&str| {
        let (agent, model) = name.split_once('@').unwrap_or((name, "rules"));
        VariantResults {
            variant: Variant {
                name: (*name).to_owned(),
                agent: agent.to_owned(),
                model: model.to_owned(),
                router_model: None,
                memory_model: None,
                simulator_model: None,
                judge_models: Vec::new(),
            },
            planned: 0,
            cells: BTreeMap::new(),
            spent: None,
        }
    };
    Results {
        facts: Facts {
            experiment: name.to_owned(),
            tool_version: "1.0.0".to_owned(),
            created: "2026-03-03T09:00:00Z".parse().unwrap(),
            date: "2026-03-03".parse().unwrap(),
            seed: 7,
            suites: Vec::new(),
            repeat: 1,
            looks: None,
            dataset: DatasetInfo {
                name: "emails".to_owned(),
                hash: "ab12".repeat(16),
                examples: 0,
                scenarios: 0,
                episodes: 0,
                paths: Vec::new(),
                labelled_by: BTreeMap::new(),
            },
            examples_hash: "cd34".repeat(16),
            limits: Limits {
                timeout_ms: 300_000,
                max_steps: 25,
            },
            behaviour: Default::default(),
            triage_costs: TriageCosts::default(),
            models: BTreeMap::new(),
            judges: Vec::new(),
            layer: None,
            complete: true,
        },
        examples: BTreeMap::new(),
        variants: variants.iter().map(variant).collect(),
    }
}

/// Puts attempts of the variant at `index` at an example, of which so many passed.
pub(super) fn put(results: &mut Results, index: usize, id: &str, passed: u32, scored: u32) {
    results.examples.entry(id.to_owned()).or_default();
    let of = &mut results.variants[index];
    of.planned += u64::from(scored);
    let share = f64::from(passed) / f64::from(scored);
    let cell = Cell {
        attempts: scored,
        scored,
        passed,
        scores: BTreeMap::from([(Key::TriageAccuracy, share)]),
        spent: Some(Spent {
            latency_ms: Some(10.0),
            cost_usd: Some(0.0),
            tokens: 100.0,
        }),
        ..Cell::default()
    };
    of.cells.insert(id.to_owned(), cell);
}

pub(super) fn id(number: usize) -> String {
    format!("e{number:03}")
}

/// One variant, of whose single attempts those that are named failed.
pub(super) fn failing(name: &str, examples: usize, failed: &[usize]) -> Results {
    let mut results = experiment(name, &["workflow@rules"]);
    for number in 0..examples {
        let passed = u32::from(!failed.contains(&number));
        put(&mut results, 0, &id(number), passed, 1);
    }
    results
}

pub(super) fn rule() -> Rule {
    Rule {
        margin: 0.05,
        alpha: 0.05,
        gates: vec![Measure::PassRate],
        seed: 0,
    }
}

pub(super) fn compared(reference: &Results, candidate: &Results) -> Comparison {
    compare(reference, candidate, &Pairing::default(), &rule()).unwrap()
}

pub(super) fn tagged(results: &mut Results, tag: &str, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let facts = results.examples.get_mut(&id(number)).unwrap();
        facts.tags.push(tag.to_owned());
    }
}

pub(super) fn of_kind(results: &mut Results, id: &str, kind: CaseKind) {
    results.examples.get_mut(id).unwrap().kind = kind;
}
