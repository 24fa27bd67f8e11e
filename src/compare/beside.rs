//! An example as both sides handled it, read from their journals once it is known which.

use std::collections::HashMap;
use std::path::PathBuf;
use std::vec;

use serde::de::IgnoredAny;

use super::comparison::{Comparison, Flip};
use super::gather::ReadError;
use crate::experiment::journal::{FILE, read_attempt};
use crate::experiment::layer::{LayerError, Scored, Scores};
use crate::experiment::{Attempt, JudgePlan, Variant, Verdict};
use crate::run::Run;

/// One example as both sides handled it.
#[derive(Clone, Debug)]
pub struct Beside {
    pub example: String,
    /// The variants, by the names that [`Pair`](super::Pair)s have them by.
    pub reference_variant: String,
    pub candidate_variant: String,
    /// Of an example that flipped, the first attempt that shows it. `None` where nothing of the
    /// reference is kept but a file of scores, and where it made no attempt.
    pub reference: Option<Attempt<Run>>,
    pub candidate: Option<Attempt<Run>>,
}

/// Where an experiment's trajectories are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The experiment's.
    pub folder: PathBuf,
    /// Whose scores: 0 for the run's own, `None` for the newest.
    pub layer: Option<u32>,
}

/// An example that is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub example: String,
    pub reference_variant: String,
    pub candidate_variant: String,
    /// What is to be seen of either side, where an attempt shows it.
    pub reference: Option<Verdict>,
    pub candidate: Option<Verdict>,
}

impl Wanted {
    fn flip(pair: (&str, &str), flip: &Flip) -> Wanted {
        let (reference, candidate) = match flip.effect() < 0.0 {
            true => (Verdict::Passed, Verdict::Failed),
            false => (Verdict::Failed, Verdict::Passed),
        };
        Wanted {
            example: flip.example.clone(),
            reference_variant: pair.0.to_owned(),
            candidate_variant: pair.1.to_owned(),
            reference: Some(reference),
            candidate: Some(candidate),
        }
    }
}

impl Comparison {
    /// The examples that flipped, the worst of each pair first, at most `most` of each.
    pub fn wanted_flips(&self, most: usize) -> Vec<Wanted> {
        let of = |pair: &super::Pair| {
            let names = (pair.reference.as_str(), pair.candidate.as_str());
            let flips = pair.flips.iter().take(most);
            flips
                .map(|flip| Wanted::flip(names, flip))
                .collect::<Vec<_>>()
        };
        self.pairs.iter().flat_map(of).collect()
    }

    /// One example, in every pair that has it.
    pub fn wanted_example(&self, id: &str) -> Vec<Wanted> {
        let of = |pair: &super::Pair| {
            let names = (pair.reference.as_str(), pair.candidate.as_str());
            match pair.flips.iter().find(|flip| flip.example == id) {
                Some(flip) => Wanted::flip(names, flip),
                None => Wanted {
                    example: id.to_owned(),
                    reference_variant: pair.reference.clone(),
                    candidate_variant: pair.candidate.clone(),
                    reference: None,
                    candidate: None,
                },
            }
        };
        self.pairs.iter().map(of).collect()
    }
}

/// Examples side by side, one at a time in memory.
#[derive(Debug)]
pub struct Besides {
    wanted: vec::IntoIter<Wanted>,
    reference: Option<Places>,
    candidate: Places,
}

/// Where the attempts of one side stand.
#[derive(Debug)]
struct Places {
    journal: PathBuf,
    judges: Vec<JudgePlan>,
    variants: Vec<Variant>,
    /// By variant and example.
    found: HashMap<(String, String), Place>,
}

#[derive(Debug)]
struct Place {
    /// Whether it does not show what was wanted, and which attempt it is.
    rank: (bool, u32),
    offset: u64,
    scores: Scores,
}

impl Besides {
    /// Finds the attempts at `wanted`, in their order. Reads each journal once, and keeps of it
    /// only where these stand.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find(
        reference: Option<&Journal>,
        candidate: &Journal,
        wanted: Vec<Wanted>,
    ) -> Result<Besides, ReadError> {
        let of_reference = |one: &Wanted| (one.reference_variant.clone(), one.reference);
        let of_candidate = |one: &Wanted| (one.candidate_variant.clone(), one.candidate);
        let reference = match reference {
            Some(journal) => Some(Places::find(journal, &wanted, of_reference)?),
            None => None,
        };
        Ok(Besides {
            candidate: Places::find(candidate, &wanted, of_candidate)?,
            reference,
            wanted: wanted.into_iter(),
        })
    }

    /// The judges of the candidate, whose rulings are among what is shown.
    pub fn judges(&self) -> &[JudgePlan] {
        &self.candidate.judges
    }
}

impl Iterator for Besides {
    type Item = Result<Beside, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let wanted = self.wanted.next()?;
        let reference = match &mut self.reference {
            Some(places) => places.take(&wanted.reference_variant, &wanted.example),
            None => Ok(None),
        };
        let candidate = self
            .candidate
            .take(&wanted.candidate_variant, &wanted.example);
        Some(reference.and_then(|reference| {
            Ok(Beside {
                reference,
                candidate: candidate?,
                example: wanted.example,
                reference_variant: wanted.reference_variant,
                candidate_variant: wanted.candidate_variant,
            })
        }))
    }
}

impl Places {
    fn find(
        journal: &Journal,
        wanted: &[Wanted],
        of: impl Fn(&Wanted) -> (String, Option<Verdict>),
    ) -> Result<Places, ReadError> {
        let mut scored = Scored::open(&journal.folder, journal.layer)?;
        let mut places = Places {
            journal: journal.folder.join(FILE),
            judges: scored.header().judges.clone(),
            variants: scored.header().variants.clone(),
            found: HashMap::new(),
        };
        let wanted: HashMap<(String, String), Option<Verdict>> = wanted
            .iter()
            .map(|one| {
                let (variant, verdict) = of(one);
                ((variant, one.example.clone()), verdict)
            })
            .collect();
        while let Some(entry) = scored.next_attempt::<IgnoredAny>()? {
            let attempt = &entry.attempt;
            let Some(variant) = places.variants.get(attempt.case.variant as usize) else {
                continue;
            };
            let key = (variant.name.clone(), attempt.case.example.clone());
            let Some(verdict) = wanted.get(&key) else {
                continue;
            };
            let is_other = verdict.is_some_and(|verdict| verdict != attempt.verdict());
            let rank = (is_other, attempt.case.repeat);
            if places.found.get(&key).is_none_or(|place| rank < place.rank) {
                let place = Place {
                    rank,
                    offset: entry.offset,
                    scores: Scores::of(attempt),
                };
                places.found.insert(key, place);
            }
        }
        Ok(places)
    }

    fn take(&mut self, variant: &str, example: &str) -> Result<Option<Attempt<Run>>, ReadError> {
        let key = (variant.to_owned(), example.to_owned());
        let Some(place) = self.found.get(&key) else {
            return Ok(None);
        };
        let mut attempt = read_attempt(&self.journal, place.offset).map_err(LayerError::Journal)?;
        place.scores.clone().apply(&mut attempt);
        Ok(Some(attempt))
    }
}
