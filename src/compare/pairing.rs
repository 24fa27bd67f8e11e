//! Which variants are compared, and whether two experiments can be.

use std::fmt::Write;

use super::results::{Facts, Results};
use crate::experiment::JudgePlan;
use crate::judge::JudgeKey;

/// Which variants are compared: those of the same name, or as far as they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Of the reference: every variant of the candidate is compared with this one.
    pub reference: Option<String>,
    /// Of the candidate: this one alone is compared.
    pub candidate: Option<String>,
    /// Compare what judges said although they are not the same.
    pub across: bool,
}

/// Why two experiments cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    #[error("`{experiment}` has no variant `{variant}`; it has {}", quoted(known))]
    NoVariant {
        experiment: String,
        variant: String,
        known: Vec<String>,
    },
    #[error(
        "no variant is in both: `{reference}` has {}, and `{candidate}` has {}; name what to compare with, as in `{reference}/{}`",
        quoted(reference_variants),
        quoted(candidate_variants),
        reference_variants.first().map_or("VARIANT", String::as_str)
    )]
    NoSharedVariant {
        reference: String,
        candidate: String,
        reference_variants: Vec<String>,
        candidate_variants: Vec<String>,
    },
    #[error(
        "`{reference}` and `{candidate}` share no example: {of_reference} of the one and {of_candidate} of the other have other ids; run both on the same dataset"
    )]
    NoSharedExample {
        reference: String,
        candidate: String,
        of_reference: usize,
        of_candidate: usize,
    },
    #[error(
        "the judge `{judge}` is not the same: its {what} was {was} in `{reference}`, and is {is}; have both judged alike (`mailproof rescore {reference}`), leave it out (`--judge none`), or compare all the same with `mailproof compare … --across`"
    )]
    Judge {
        judge: JudgeKey,
        what: &'static str,
        reference: String,
        was: String,
        is: String,
    },
}

/// The most names that a message lists.
const NAMES_SHOWN: usize = 8;

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut list = String::new();
    for (index, name) in names.iter().take(NAMES_SHOWN).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(list, "{comma}`{name}`").expect("a string takes all");
    }
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => list,
        more => format!("{list}, and {more} more"),
    }
}

impl Pairing {
    /// Pairs of variants by their names, in the candidate's order.
    ///
    /// # Errors
    /// A variant that was named is not there; none would be compared.
    pub fn names(
        &self,
        (reference, references): (&str, &[String]),
        (candidate, candidates): (&str, &[String]),
    ) -> Result<Vec<(usize, usize)>, CompareError> {
        let find = |experiment: &str, names: &[String], name: &String| {
            let found = names.iter().position(|known| known == name);
            found.ok_or_else(|| CompareError::NoVariant {
                experiment: experiment.to_owned(),
                variant: name.clone(),
                known: names.to_vec(),
            })
        };
        let one = match &self.reference {
            Some(name) => Some(find(reference, references, name)?),
            None => None,
        };
        let wanted = match &self.candidate {
            Some(name) => vec![find(candidate, candidates, name)?],
            None => (0..candidates.len()).collect(),
        };
        let same = |index: &usize| {
            let name = &candidates[*index];
            references.iter().position(|known| known == name)
        };
        let pairs: Vec<(usize, usize)> = wanted
            .into_iter()
            .filter_map(|index| Some((one.or_else(|| same(&index))?, index)))
            .collect();
        if pairs.is_empty() {
            return Err(CompareError::NoSharedVariant {
                reference: reference.to_owned(),
                candidate: candidate.to_owned(),
                reference_variants: references.to_vec(),
                candidate_variants: match &self.candidate {
                    Some(name) => vec![name.clone()],
                    None => candidates.to_vec(),
                },
            });
        }
        Ok(pairs)
    }

    pub(super) fn pairs(
        &self,
        reference: &Results,
        candidate: &Results,
    ) -> Result<Vec<(usize, usize)>, CompareError> {
        let (references, candidates) = (reference.names(), candidate.names());
        self.names(
            (&reference.facts.experiment, &references),
            (&candidate.facts.experiment, &candidates),
        )
    }

    /// Whether judges whose keys both sides have asked the same.
    ///
    /// # Errors
    /// [`CompareError::Judge`], unless they are compared all the same.
    pub fn check_judges(
        &self,
        reference: &Facts,
        judges: &[JudgePlan],
    ) -> Result<(), CompareError> {
        if self.across {
            return Ok(());
        }
        for is in judges {
            let Some(was) = reference.judge(is.judge) else {
                continue;
            };
            if let Some(Differs { what, was, is: now }) = differs(was, is) {
                return Err(CompareError::Judge {
                    judge: is.judge,
                    what,
                    reference: reference.experiment.clone(),
                    was,
                    is: now,
                });
            }
        }
        Ok(())
    }

    /// The same, and that they share an example.
    pub(super) fn check(
        &self,
        reference: &Results,
        candidate: &Results,
    ) -> Result<(), CompareError> {
        self.check_judges(&reference.facts, &candidate.facts.judges)?;
        reference.check_shared(
            &candidate.facts.experiment,
            candidate.examples.keys().map(String::as_str),
        )
    }
}

impl Results {
    /// The names of the variants, in order.
    pub fn names(&self) -> Vec<String> {
        let variants = self.variants.iter();
        variants.map(|it| it.variant.name.clone()).collect()
    }

    /// Whether any of `ids`, which another experiment has, is among the examples.
    ///
    /// # Errors
    /// [`CompareError::NoSharedExample`].
    pub fn check_shared<'a>(
        &self,
        candidate: &str,
        ids: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), CompareError> {
        match ids.clone().any(|id| self.examples.contains_key(id)) {
            true => Ok(()),
            false => Err(CompareError::NoSharedExample {
                reference: self.facts.experiment.clone(),
                candidate: candidate.to_owned(),
                of_reference: self.examples.len(),
                of_candidate: ids.count(),
            }),
        }
    }
}

/// What of a judge is not what it was.
pub(super) struct Differs {
    pub what: &'static str,
    pub was: String,
    pub is: String,
}

/// Whether what two judges said means two things. Who they are may differ.
pub(super) fn differs(was: &JudgePlan, is: &JudgePlan) -> Option<Differs> {
    let head = |hash: &str| format!("`{}…`", hash.chars().take(12).collect::<String>());
    let hashes = [
        ("rubric", &was.rubric_hash, &is.rubric_hash),
        ("prompt", &was.prompt_hash, &is.prompt_hash),
    ];
    for (what, was, is) in hashes {
        if was != is {
            let (was, is) = (head(was), head(is));
            return Some(Differs { what, was, is });
        }
    }
    (was.parser_version != is.parser_version).then(|| Differs {
        what: "reader of answers",
        was: format!("version {}", was.parser_version),
        is: format!("version {}", is.parser_version),
    })
}
