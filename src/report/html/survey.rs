//! What all attempts came to, case by case: known before any trajectory is read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::email::Triage;
use crate::experiment::{Attempt, CaseKind, Verdict};

/// Bins of a spread of latencies.
const BINS: usize = 48;
/// Steps of the scale on which latencies are counted: so many for each doubling.
const STEPS: f64 = 8.0;

/// Reads attempts without their trajectories, in any order, and keeps a few numbers of each
/// case and variant.
#[derive(Debug, Default)]
pub struct Survey {
    cases: BTreeMap<u32, Case>,
    /// By variant, then by step of the logarithm: how many scored attempts took so long.
    latencies: BTreeMap<u32, BTreeMap<i32, u64>>,
}

/// An example, a scenario, or an episode.
#[derive(Debug)]
pub(super) struct Case {
    pub id: String,
    pub kind: CaseKind,
    pub split: Option<String>,
    pub tags: Vec<String>,
    pub expected: Option<Triage>,
    pub cells: BTreeMap<u32, Cell>,
}

/// One variant's attempts at one case.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub passed: u32,
    pub failed: u32,
    pub unscored: u32,
    /// What was decided, or how an attempt ended that decided nothing, and how often.
    found: BTreeMap<&'static str, u32>,
}

impl Cell {
    /// Whether attempts came to different ends.
    pub fn is_flaky(&self) -> bool {
        self.passed > 0 && self.failed > 0
    }

    /// Passed, failed, unscored, and what was found, the commonest first.
    fn row(&self) -> Value {
        let mut found: Vec<(&str, u32)> = self.found.iter().map(|(name, n)| (*name, *n)).collect();
        found.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        let found: Vec<&str> = found.into_iter().map(|(name, _)| name).collect();
        json!([self.passed, self.failed, self.unscored, found.join(", ")])
    }
}

impl Survey {
    pub fn push<R>(&mut self, attempt: &Attempt<R>) {
        let key = &attempt.case;
        let case = self.cases.entry(key.position).or_insert_with(|| Case {
            id: key.example.clone(),
            kind: attempt.kind,
            split: attempt.split.clone(),
            tags: attempt.tags.clone(),
            expected: attempt.expected,
            cells: BTreeMap::new(),
        });
        let cell = case.cells.entry(key.variant).or_default();
        let verdict = attempt.verdict();
        match verdict {
            Verdict::Passed => cell.passed += 1,
            Verdict::Failed => cell.failed += 1,
            Verdict::Unscored => cell.unscored += 1,
        }
        let found = match (attempt.found, attempt.outcome) {
            (Some(found), outcome) if !outcome.is_error() => found.name(),
            (_, outcome) => outcome.name(),
        };
        *cell.found.entry(found).or_default() += 1;
        if verdict != Verdict::Unscored {
            let step = (attempt.latency_ms.max(1e-3).log2() * STEPS).floor() as i32;
            let latencies = self.latencies.entry(key.variant).or_default();
            *latencies.entry(step).or_default() += 1;
        }
    }

    pub(super) fn cases(&self) -> &BTreeMap<u32, Case> {
        &self.cases
    }

    pub(super) fn cell(&self, position: u32, variant: u32) -> Option<&Cell> {
        self.cases.get(&position)?.cells.get(&variant)
    }

    /// One case in the table: what is known of it, and a cell for each of `variants`, `null`
    /// where there was no attempt.
    pub(super) fn row(case: &Case, variants: usize) -> Value {
        let cells: Vec<Option<Value>> = (0..variants as u32)
            .map(|variant| case.cells.get(&variant).map(Cell::row))
            .collect();
        json!({
            "id": case.id,
            "kind": case.kind,
            "split": case.split,
            "tags": case.tags,
            "expected": case.expected,
            "cells": cells,
        })
    }

    /// How latencies are spread; `None` where nothing was scored.
    pub(super) fn latencies(&self) -> Option<Latencies<'_>> {
        let steps = || self.latencies.values().flat_map(BTreeMap::keys);
        let (low, high) = (*steps().min()?, *steps().max()?);
        let width = (high - low) / BINS as i32 + 1;
        Some(Latencies {
            survey: self,
            low,
            width,
            bins: ((high - low) / width + 1) as usize,
        })
    }
}

/// Latencies of all variants on one logarithmic scale.
pub(super) struct Latencies<'a> {
    survey: &'a Survey,
    low: i32,
    /// Steps of a bin.
    width: i32,
    bins: usize,
}

impl Latencies<'_> {
    pub fn counts(&self, variant: u32) -> Vec<u64> {
        let mut counts = vec![0; self.bins];
        for (step, number) in self.survey.latencies.get(&variant).into_iter().flatten() {
            counts[((step - self.low) / self.width) as usize] += number;
        }
        counts
    }

    /// Where a latency in milliseconds stands, from 0 to 1.
    pub fn place(&self, milliseconds: f64) -> f64 {
        let steps = milliseconds.max(1e-3).log2() * STEPS - f64::from(self.low);
        (steps / (f64::from(self.width) * self.bins as f64)).clamp(0.0, 1.0)
    }

    /// The least and the greatest of the scale, in milliseconds.
    pub fn ends(&self) -> (f64, f64) {
        let at = |steps: i32| (f64::from(steps) / STEPS).exp2();
        (at(self.low), at(self.low + self.width * self.bins as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{attempt, attempts, decides, ends};
    use crate::run::Outcome;

    #[test]
    fn a_cell_counts_what_became_of_its_attempts() {
        let mut survey = Survey::default();
        survey.push(&attempt(0, 3, 0));
        survey.push(&decides(attempt(0, 3, 1), Some(Triage::Ignore)));
        survey.push(&attempt(0, 3, 2));
        survey.push(&ends(attempt(0, 3, 3), Outcome::Provider, "503"));
        let cell = survey.cell(3, 0).unwrap();
        assert!(cell.is_flaky());
        assert_eq!(cell.row(), json!([2, 1, 1, "respond, ignore, provider"]));
        let row = Survey::row(&survey.cases()[&3], 2);
        assert_eq!(row["cells"][1], Value::Null);
        assert_eq!(row["expected"], "respond");
    }

    #[test]
    fn attempts_in_any_order_come_to_the_same() {
        let of = |attempts: &mut dyn Iterator<Item = Attempt<()>>| {
            let mut survey = Survey::default();
            attempts.for_each(|attempt| survey.push(&attempt));
            let rows: Vec<Value> = survey
                .cases()
                .values()
                .map(|case| Survey::row(case, 2))
                .collect();
            (rows, survey.latencies().unwrap().counts(0))
        };
        let forwards = of(&mut attempts().into_iter());
        assert_eq!(forwards, of(&mut attempts().into_iter().rev()));
        let scored: u64 = forwards.1.iter().sum();
        assert!(scored > 20, "{scored}");
    }

    #[test]
    fn every_latency_has_its_bin() {
        for (least, most) in [(0.0, 0.0), (1.0, 1.0), (0.2, 1e7)] {
            let mut survey = Survey::default();
            for (position, latency_ms) in [least, most].into_iter().enumerate() {
                let attempt = attempt(0, position as u32, 0);
                survey.push(&Attempt {
                    latency_ms,
                    ..attempt
                });
            }
            let latencies = survey.latencies().unwrap();
            let counts = latencies.counts(0);
            assert!(counts.len() <= BINS, "{}", counts.len());
            assert_eq!(counts.iter().sum::<u64>(), 2);
            let (low, high) = latencies.ends();
            assert!(
                low <= least.max(1e-3) * 1.0001 && high >= most,
                "{low} {high}"
            );
            assert!(latencies.place(most) <= 1.0);
        }
    }
}
