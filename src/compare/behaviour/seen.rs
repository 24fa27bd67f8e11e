//! What an experiment did, and what of it is not among what was accepted.

use std::collections::BTreeMap;
use std::path::Path;

use super::Ways;
use super::file::{Snapshots, key};
use super::snapshot::Camera;
use crate::dataset::Dataset;
use crate::experiment::journal::{JournalError, Reader};
use crate::experiment::{Grid, Suite, Variant, Verdict};
use crate::redact::Redactor;
use crate::run::Run;

/// How an experiment's variants handled each example.
#[derive(Debug)]
pub struct Seen {
    pub experiment: String,
    /// In the plan's order.
    pub variants: Vec<SeenVariant>,
    /// Attempts that are recorded.
    pub attempts: u64,
    /// Attempts that are planned.
    pub planned: u64,
}

#[derive(Debug)]
pub struct SeenVariant {
    pub variant: Variant,
    /// Attempts that infrastructure spoiled: they show nothing of the agent.
    pub spoiled: u64,
    /// By the id as the file has it.
    examples: BTreeMap<String, SeenExample>,
}

#[derive(Clone, Debug)]
pub struct SeenExample {
    /// Of the example, the scenario, or the episode.
    pub id: String,
    /// Of the email, or of an episode's first.
    pub subject: String,
    pub ways: Ways,
}

/// An example that a variant handles otherwise than accepted.
#[derive(Clone, Debug)]
pub struct Change {
    pub id: String,
    pub subject: String,
    /// `None` where nothing was accepted for this example so far.
    pub accepted: Option<Ways>,
    pub now: Ways,
}

impl Seen {
    /// Reads the journal at `path` once, one trajectory in memory at a time. `dataset` is the
    /// one that the experiment ran on.
    ///
    /// # Errors
    /// Those of reading the journal.
    pub fn read(path: &Path, dataset: &Dataset, redactor: &Redactor) -> Result<Seen, JournalError> {
        let mut reader = Reader::open(path)?;
        let header = reader.header().clone();
        let stops = !header.suites.contains(&Suite::Response);
        let camera = Camera::new(dataset, header.date, stops, redactor);
        let mut seen = Seen {
            experiment: header.experiment.clone(),
            variants: header.variants.iter().map(SeenVariant::new).collect(),
            attempts: 0,
            planned: Grid::of(&header).map_or(0, |grid| grid.cases()),
        };
        while let Some(entry) = reader.next_attempt::<Run>()? {
            let attempt = entry.attempt;
            seen.attempts += 1;
            let variant = &mut seen.variants[attempt.case.variant as usize];
            // A question that the scenario says is needless is the agent's doing.
            if attempt.outcome.is_error() && attempt.verdict() == Verdict::Unscored {
                variant.spoiled += 1;
                continue;
            }
            let id = &attempt.case.example;
            let example = variant.examples.entry(key(id));
            let example = example.or_insert_with(|| SeenExample {
                id: id.clone(),
                subject: camera
                    .email(id)
                    .map(|email| email.subject.clone())
                    .unwrap_or_default(),
                ways: Ways::default(),
            });
            example.ways.insert(camera.take(&attempt));
        }
        Ok(seen)
    }

    pub fn is_finished(&self) -> bool {
        self.attempts >= self.planned
    }
}

impl SeenVariant {
    fn new(variant: &Variant) -> SeenVariant {
        SeenVariant {
            variant: variant.clone(),
            spoiled: 0,
            examples: BTreeMap::new(),
        }
    }

    /// By id.
    pub fn examples(&self) -> impl Iterator<Item = &SeenExample> {
        self.examples.values()
    }

    /// The examples that were handled in a way that is not accepted, by id.
    pub fn changes(&self, accepted: &Snapshots) -> Vec<Change> {
        let changed = |(key, seen): (&String, &SeenExample)| {
            let before = accepted.get(key);
            (!before.is_some_and(|before| before.cover(&seen.ways))).then(|| Change {
                id: seen.id.clone(),
                subject: seen.subject.clone(),
                accepted: before.cloned(),
                now: seen.ways.clone(),
            })
        };
        self.examples.iter().filter_map(changed).collect()
    }

    /// How many examples have an accepted behaviour and were not seen.
    pub fn unseen(&self, accepted: &Snapshots) -> usize {
        let is_unseen = |key: &&str| !self.examples.contains_key(*key);
        accepted.keys().filter(is_unseen).count()
    }
}

impl Change {
    /// What is accepted once this change is: the new ways, beside the old ones where `keep`.
    pub fn merged(&self, keep: bool) -> Ways {
        match &self.accepted {
            Some(accepted) if keep => accepted.clone().with(&self.now),
            _ => self.now.clone(),
        }
    }
}
