//! Comparisons made up for tests.

use std::collections::BTreeMap;

use crate::compare::{
    Comparison, Difference, Flip, GroupChange, KeyChange, Measure, Pair, Rule, Side, Verdict,
};
use crate::experiment::CaseKind;

pub fn side(experiment: &str) -> Side {
    Side {
        experiment: experiment.to_owned(),
        file: None,
        created: "2026-03-02T10:15:00Z".parse().unwrap(),
        dataset_hash: "0123456789abcdef".repeat(4),
        repeat: 1,
        layer: None,
        complete: true,
    }
}

pub fn difference(effect: f64) -> Difference {
    Difference {
        effect,
        low: Some(effect - 0.04),
        high: Some(effect + 0.05),
        p_worse: Some(0.001),
        p_adjusted: Some(0.001),
        mde: Some(0.061),
        method: "exact".to_owned(),
        units: 200,
    }
}

pub fn group(effect: f64, pairs: u64) -> GroupChange {
    GroupChange {
        pairs,
        reference: 0.9,
        candidate: 0.9 + effect,
        worse: 5,
        better: 0,
        verdict: Verdict::CannotTell,
        difference: difference(effect),
    }
}

pub fn flip(example: &str, passed: [u32; 2]) -> Flip {
    Flip {
        example: example.to_owned(),
        kind: CaseKind::Example,
        split: None,
        tags: Vec::new(),
        reference_passed: passed[0],
        reference_scored: 1,
        candidate_passed: passed[1],
        candidate_scored: 1,
        changes: BTreeMap::new(),
    }
}

/// One pair of variants, whose pass rate changed by `effect`.
pub fn pair(candidate: &str, verdict: Verdict, effect: f64) -> Pair {
    Pair {
        reference: candidate.to_owned(),
        candidate: candidate.to_owned(),
        verdict,
        shared: 200,
        only_reference: Vec::new(),
        only_candidate: Vec::new(),
        only_reference_count: 0,
        only_candidate_count: 0,
        open: Vec::new(),
        keys: vec![KeyChange {
            measure: Measure::PassRate,
            gates: true,
            verdict,
            reference: 0.84,
            candidate: 0.84 + effect,
            difference: difference(effect),
            pairs: 200,
        }],
        tags: BTreeMap::from([
            ("billing".to_owned(), group(-0.4, 12)),
            ("customer".to_owned(), group(-0.4, 9)),
            ("work".to_owned(), group(0.1, 100)),
        ]),
        splits: BTreeMap::new(),
        flips: vec![
            flip("invoice-1", [1, 0]),
            flip("invoice-2", [1, 0]),
            flip("notice-1", [0, 1]),
        ],
        flaky: Vec::new(),
        noise: Vec::new(),
        resources: Vec::new(),
    }
}

pub fn comparison(pairs: Vec<Pair>) -> Comparison {
    Comparison {
        reference: side("main"),
        candidate: side("change"),
        rule: Rule {
            margin: 0.05,
            alpha: 0.05,
            gates: vec![Measure::PassRate],
            seed: 0,
        },
        verdict: pairs
            .first()
            .map_or(Verdict::CannotTell, |pair| pair.verdict),
        looks: None,
        differences: Vec::new(),
        pairs,
        only_reference: Vec::new(),
        only_candidate: Vec::new(),
    }
}
