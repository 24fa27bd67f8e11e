//! Whether gates ask about what there is.

use std::collections::BTreeSet;

use super::super::plan::quoted;
use super::super::record::Variant;
use super::super::select::candidates;
use super::{Condition, Gates, Group, Rule, Threshold};
use crate::dataset::Dataset;

/// A gate that asks about what there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gate `{gate}`: {problem}")]
pub struct Misfit {
    /// Which of [`Gates::conditions`].
    pub index: usize,
    pub gate: String,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "nothing in the dataset has the tag `{tag}`; {}",
        known("tags", existing)
    )]
    Tag { tag: String, existing: Vec<String> },
    #[error(
        "nothing in the dataset is in the split `{split}`; {}",
        known("splits", existing)
    )]
    Split {
        split: String,
        existing: Vec<String>,
    },
    #[error(
        "no example, scenario, or episode has the id `{0}`: `mailproof validate` counts what the dataset has"
    )]
    Id(String),
    #[error("no variant is called `{name}`; {}", known("variants", existing))]
    Variant { name: String, existing: Vec<String> },
}

fn known(what: &str, names: &[String]) -> String {
    match names {
        [] => format!("there are no {what}"),
        names => format!("the {what} are {}", quoted(names)),
    }
}

impl Gates {
    /// # Errors
    /// The first gate that names a tag, a split, or an id that the dataset does not have, or
    /// a variant that is not planned.
    pub fn fit(&self, variants: &[Variant], dataset: &Dataset) -> Result<(), Misfit> {
        self.each(|condition| {
            condition.fits_variants(variants)?;
            condition.fits_dataset(dataset)
        })
    }

    /// # Errors
    /// The first gate that names a variant that there is not.
    pub fn fit_variants(&self, variants: &[Variant]) -> Result<(), Misfit> {
        self.each(|condition| condition.fits_variants(variants))
    }

    fn each(&self, check: impl Fn(&Condition) -> Result<(), Problem>) -> Result<(), Misfit> {
        for (index, condition) in self.conditions.iter().enumerate() {
            check(condition).map_err(|problem| Misfit {
                index,
                gate: condition.to_string(),
                problem,
            })?;
        }
        Ok(())
    }
}

impl Condition {
    fn fits_variants(&self, variants: &[Variant]) -> Result<(), Problem> {
        let Some(name) = &self.variant else {
            return Ok(());
        };
        match variants.iter().any(|variant| variant.name == *name) {
            true => Ok(()),
            false => Err(Problem::Variant {
                name: name.clone(),
                existing: variants.iter().map(|it| it.name.clone()).collect(),
            }),
        }
    }

    fn fits_dataset(&self, dataset: &Dataset) -> Result<(), Problem> {
        let tag = |wanted: &String| {
            let mut tags = candidates(dataset).flat_map(|it| it.tags);
            match tags.any(|tag| tag == wanted) {
                true => Ok(()),
                false => Err(Problem::Tag {
                    tag: wanted.clone(),
                    existing: sorted(candidates(dataset).flat_map(|it| it.tags).cloned()),
                }),
            }
        };
        let split = |wanted: &String| {
            let mut splits = candidates(dataset).filter_map(|it| it.split);
            match splits.any(|split| split == wanted) {
                true => Ok(()),
                false => Err(Problem::Split {
                    split: wanted.clone(),
                    existing: sorted(
                        candidates(dataset)
                            .filter_map(|it| it.split)
                            .map(str::to_owned),
                    ),
                }),
            }
        };
        match &self.rule {
            Rule::Threshold {
                threshold: Threshold { group, .. },
                ..
            }
            | Rule::Cases { group, .. } => match group {
                None => Ok(()),
                Some(Group::Tag(name)) => tag(name),
                Some(Group::Split(name)) => split(name),
            },
            Rule::Critical { ids, tags } => {
                for id in ids {
                    if !candidates(dataset).any(|it| it.id == id) {
                        return Err(Problem::Id(id.clone()));
                    }
                }
                tags.iter().try_for_each(tag)
            }
            Rule::Forbidden { .. } => Ok(()),
        }
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}
