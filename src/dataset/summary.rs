//! What is in a dataset, counted.

use std::collections::BTreeMap;

use super::Dataset;
use crate::email::Triage;

/// How many records there are, and how many examples carry what. An example without a split, or without a labeller, is
/// not in those counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub examples: usize,
    pub scenarios: usize,
    pub episodes: usize,
    /// All three labels, in the order of the reports, those without examples included.
    pub labels: BTreeMap<Triage, usize>,
    pub splits: BTreeMap<String, usize>,
    pub tags: BTreeMap<String, usize>,
    pub labelled_by: BTreeMap<String, usize>,
}

impl Dataset {
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            examples: self.examples.len(),
            scenarios: self.scenarios.len(),
            episodes: self.episodes.len(),
            labels: Triage::ALL.into_iter().map(|label| (label, 0)).collect(),
            ..Summary::default()
        };
        for example in &self.examples {
            *summary.labels.entry(example.expect.triage).or_default() += 1;
            count(&mut summary.splits, &example.split);
            count(&mut summary.labelled_by, &example.labelled_by);
            // A tag given twice is one tag.
            for (index, tag) in example.tags.iter().enumerate() {
                if !example.tags[..index].contains(tag) {
                    count(&mut summary.tags, Some(tag));
                }
            }
        }
        summary
    }
}

fn count<'a>(counts: &mut BTreeMap<String, usize>, name: impl Into<Option<&'a String>>) {
    let Some(name) = name.into() else { return };
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.clone(), 1);
        }
    }
}
