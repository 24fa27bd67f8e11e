//! Chooses the examples, scenarios, and episodes that take part.
//!
//! Filters come first and must all hold (split, every tag, any of the ids, the rerun's
//! list, and that the suites ask something of an example); then the sample is drawn; then
//! the limit cuts, both for each kind by itself. What is left keeps the order of the
//! dataset.

use std::collections::{BTreeSet, HashSet};

use sha2::{Digest, Sha256};

use super::plan::PlanError;
use super::record::{CaseKind, Selection};
use crate::dataset::{Dataset, Episode, Example, Scenario};

/// What takes part, as indices into the dataset.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selected {
    pub examples: Vec<u32>,
    pub scenarios: Vec<u32>,
    pub episodes: Vec<u32>,
    /// Examples that passed the filters, but that no suite asks anything of.
    pub unasked: usize,
}

/// What filters see of an example, a scenario, or an episode.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub id: &'a str,
    pub split: Option<&'a str>,
    pub tags: &'a [String],
}

impl<'a> From<&'a Example> for Candidate<'a> {
    fn from(example: &'a Example) -> Self {
        Candidate {
            id: &example.id,
            split: example.split.as_deref(),
            tags: &example.tags,
        }
    }
}

impl<'a> From<&'a Scenario> for Candidate<'a> {
    fn from(scenario: &'a Scenario) -> Self {
        Candidate {
            id: &scenario.id,
            split: scenario.split.as_deref(),
            tags: &scenario.tags,
        }
    }
}

impl<'a> From<&'a Episode> for Candidate<'a> {
    fn from(episode: &'a Episode) -> Self {
        Candidate {
            id: &episode.id,
            split: episode.split.as_deref(),
            tags: &episode.tags,
        }
    }
}

/// All that can be named, of every kind.
pub fn candidates(dataset: &Dataset) -> impl Iterator<Item = Candidate<'_>> {
    let examples = dataset.examples.iter().map(Candidate::from);
    let scenarios = dataset.scenarios.iter().map(Candidate::from);
    examples
        .chain(scenarios)
        .chain(dataset.episodes.iter().map(Candidate::from))
}

/// Chooses among the kinds that `look_at` is true of; of the examples, those that are
/// `asked` something. There may be nothing left.
///
/// # Errors
/// [`PlanError::UnknownIds`], [`PlanError::UnknownTag`], and [`PlanError::UnknownSplit`] for
/// names that nothing in the dataset has.
pub fn select(
    selection: &Selection,
    seed: u64,
    dataset: &Dataset,
    look_at: impl Fn(CaseKind) -> bool,
    asked: impl Fn(&Example) -> bool,
) -> Result<Selected, PlanError> {
    check_names(selection, dataset)?;
    let filter = Filter::new(selection, seed);
    let mut selected = Selected::default();
    if look_at(CaseKind::Example) {
        let (mut fitting, all) = (Vec::new(), &dataset.examples);
        for index in filter.fitting(CaseKind::Example, all)? {
            match asked(&all[index as usize]) {
                true => fitting.push(index),
                false => selected.unasked += 1,
            }
        }
        selected.examples = filter.cut(fitting, all);
    }
    if look_at(CaseKind::Scenario) {
        let all = &dataset.scenarios;
        selected.scenarios = filter.cut(filter.fitting(CaseKind::Scenario, all)?, all);
    }
    if look_at(CaseKind::Episode) {
        let all = &dataset.episodes;
        selected.episodes = filter.cut(filter.fitting(CaseKind::Episode, all)?, all);
    }
    Ok(selected)
}

struct Filter<'a> {
    selection: &'a Selection,
    seed: u64,
    ids: Option<HashSet<&'a str>>,
    rerun: Option<HashSet<&'a str>>,
}

impl<'a> Filter<'a> {
    fn new(selection: &'a Selection, seed: u64) -> Self {
        let set = |ids: &'a Vec<String>| ids.iter().map(String::as_str).collect();
        Filter {
            selection,
            seed,
            ids: (!selection.ids.is_empty()).then(|| set(&selection.ids)),
            rerun: selection.rerun.as_ref().map(|rerun| set(&rerun.ids)),
        }
    }

    fn wants(&self, candidate: Candidate<'_>) -> bool {
        let Candidate { id, split, tags } = candidate;
        let wanted = self.selection.split.as_deref();
        (wanted.is_none() || wanted == split)
            && self.selection.tags.iter().all(|tag| tags.contains(tag))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(id))
            && self.rerun.as_ref().is_none_or(|ids| ids.contains(id))
    }

    /// Indices of those that the filters want.
    fn fitting<'d, T>(&self, kind: CaseKind, all: &'d [T]) -> Result<Vec<u32>, PlanError>
    where
        Candidate<'d>: From<&'d T>,
    {
        let mut indices = Vec::new();
        for (index, one) in all.iter().enumerate() {
            if self.wants(one.into()) {
                indices.push(u32::try_from(index).map_err(|_| PlanError::TooMany { kind })?);
            }
        }
        Ok(indices)
    }

    /// What the sample and the limit leave.
    fn cut<'d, T>(&self, mut indices: Vec<u32>, all: &'d [T]) -> Vec<u32>
    where
        Candidate<'d>: From<&'d T>,
    {
        if let Some(sample) = self.selection.sample
            && sample < indices.len()
        {
            indices = draw(sample, self.seed, indices, |index| {
                Candidate::from(&all[index as usize]).id
            });
        }
        indices.truncate(self.selection.limit.unwrap_or(usize::MAX));
        indices
    }
}

/// The `count` members whose seeded hashes are lowest, in their old order.
///
/// A hash per id instead of a shuffle: an example added to the dataset changes at most one
/// member of the sample, and the order of the file changes none.
fn draw<'d>(count: usize, seed: u64, indices: Vec<u32>, id: impl Fn(u32) -> &'d str) -> Vec<u32> {
    let mut ranked: Vec<([u8; 32], u32)> = indices
        .into_iter()
        .map(|index| {
            let mut hash = Sha256::new();
            hash.update(seed.to_le_bytes());
            hash.update(id(index));
            (hash.finalize().into(), index)
        })
        .collect();
    ranked.sort_unstable();
    ranked.truncate(count);
    let mut drawn: Vec<u32> = ranked.into_iter().map(|(_, index)| index).collect();
    drawn.sort_unstable();
    drawn
}

fn check_names(selection: &Selection, dataset: &Dataset) -> Result<(), PlanError> {
    let mut unknown: BTreeSet<&str> = selection.ids.iter().map(String::as_str).collect();
    if let Some(rerun) = &selection.rerun {
        unknown.extend(rerun.ids.iter().map(String::as_str));
    }
    if !unknown.is_empty() {
        for candidate in candidates(dataset) {
            unknown.remove(candidate.id);
        }
    }
    if let Some(first) = unknown.first() {
        return Err(PlanError::UnknownIds {
            near: nearest(first, candidates(dataset).map(|candidate| candidate.id)),
            ids: unknown.into_iter().map(str::to_owned).collect(),
        });
    }
    for tag in &selection.tags {
        if !candidates(dataset).any(|candidate| candidate.tags.contains(tag)) {
            let existing = candidates(dataset).flat_map(|candidate| candidate.tags);
            return Err(PlanError::UnknownTag {
                tag: tag.clone(),
                existing: distinct(existing.map(String::as_str)),
            });
        }
    }
    let split = selection.split.as_deref();
    if let Some(name) = split
        && !candidates(dataset).any(|candidate| candidate.split == split)
    {
        let existing = candidates(dataset).filter_map(|candidate| candidate.split);
        return Err(PlanError::UnknownSplit {
            split: name.to_owned(),
            existing: distinct(existing),
        });
    }
    Ok(())
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Up to three ids that the user may have meant.
fn nearest<'a>(id: &str, ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let id: Vec<char> = id.to_lowercase().chars().take(80).collect();
    let furthest = 2.max(id.len() / 3);
    let mut near: Vec<(usize, &str)> = ids
        .filter_map(|known| {
            let other: Vec<char> = known.to_lowercase().chars().take(80).collect();
            let starts = other.starts_with(&id) || id.starts_with(&other);
            let distance = match starts {
                true => 1,
                false if other.len().abs_diff(id.len()) > furthest => return None,
                false => edits(&id, &other),
            };
            (distance <= furthest).then_some((distance, known))
        })
        .collect();
    // Stable: among equals, the dataset's order.
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter()
        .take(3)
        .map(|(_, id)| id.to_owned())
        .collect()
}

/// Levenshtein's distance: insertions, deletions, and substitutions.
fn edits(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
