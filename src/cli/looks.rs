//! `--looks`: a run that is compared with a reference while it grows, and stops when enough is
//! known. What it decided is decided again, by the same looks, whenever the two are compared.

use std::path::Path;

use super::REPORTS;
use super::against::{Against, Place, Reference};
use super::args::RuleArgs;
use super::compare::rule;
use super::exit::Failure;
use crate::compare::{Comparison, LooksTaken, Pairing, Results, Rule, compare_in_looks};
use crate::experiment::gate::Gates;
use crate::experiment::journal::{FILE, Reader};
use crate::experiment::{Looks, Plan};
use crate::report::{escape, looks_taken};

/// What an experiment is looked at by.
#[derive(Debug)]
pub struct Looking {
    looks: Looks,
    /// What each look knows of the reference.
    reference: Vec<Results>,
    rule: Rule,
}

/// What a look comes to.
pub struct Look {
    pub comparison: Comparison,
    /// Whether it was the last.
    pub is_last: bool,
}

impl Look {
    /// One line.
    pub fn told(&self) -> String {
        let keys = self.comparison.pairs.iter().flat_map(|pair| {
            let gating = pair.keys.iter().filter(|key| key.gates);
            gating.map(move |key| (pair, key))
        });
        let worst = keys.min_by(|(_, one), (_, other)| {
            one.difference.effect.total_cmp(&other.difference.effect)
        });
        let figure = worst.map(|(pair, key)| {
            let points = format!("{:+.1}", key.difference.effect * 100.0);
            format!(
                "; worst is {} of {}, {} points",
                key.measure,
                escape::line(&pair.candidate),
                points.replace('-', "−")
            )
        });
        let taken = self.comparison.looks.as_ref().map(looks_taken);
        format!(
            "{}{}{}",
            taken.unwrap_or_default(),
            figure.unwrap_or_default(),
            match self.is_last {
                true => ": the last",
                false => ": another attempt each",
            }
        )
    }
}

impl Looking {
    /// Reads the reference of looks, whose results are held to `gates`.
    ///
    /// # Errors
    /// It cannot be read, or is not the one that was looked at first.
    pub fn open(looks: &Looks, gates: &Gates, seed: u64) -> Result<Looking, Failure> {
        let folder = Path::new(REPORTS).join(&looks.reference);
        let header = Reader::open(&folder.join(FILE)).map_err(Failure::from_error)?;
        if header.header().created != looks.created {
            return Err(Failure::usage(format!(
                "`{}` is another experiment than the one that the looks were begun with, of {}: start a new experiment",
                escape::line(&looks.reference),
                looks.created
            )));
        }
        let (reference, _) = Results::read_looks(&folder, Some(looks.layer), looks.most)?;
        Ok(Looking {
            rule: rule(&RuleArgs::default(), gates, seed),
            looks: looks.clone(),
            reference,
        })
    }

    /// Takes all looks at the experiment in `folder` that its attempts are enough for, with the
    /// scores of a layer.
    ///
    /// # Errors
    /// Those of reading and of comparing.
    pub fn take(&self, folder: &Path, layer: Option<u32>, across: bool) -> Result<Look, Failure> {
        let (candidate, whole) = Results::read_looks(folder, layer, self.looks.most)?;
        let pairing = Pairing {
            reference: self.looks.variant.clone(),
            candidate: None,
            across,
        };
        let whole = (whole, self.looks.most);
        let comparison =
            compare_in_looks(&self.reference, &candidate, whole, &pairing, &self.rule)?;
        let is_last = comparison.looks.as_ref().is_some_and(|it| it.decided);
        Ok(Look {
            comparison,
            is_last,
        })
    }

    /// What counts as worse, since the first look.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}

/// The looks that `asked` has a new experiment taken at.
///
/// # Errors
/// What it is compared with cannot be looked at attempt by attempt.
pub fn plan(asked: u32, reference: Option<&Reference>) -> Result<Looks, Failure> {
    let Some(reference) = reference else {
        return Err(Failure::usage(
            "`--looks` compares while it runs: say with what (`--reference EXPERIMENT`), and run the whole plan, not a shard or what failed",
        ));
    };
    if let Place::File(path) = &reference.against.place {
        return Err(Failure::usage(format!(
            "`{}` holds the mean of all attempts at an example, and `--looks` compares attempt by attempt: name the experiment it was made of",
            path.display()
        )));
    }
    let facts = &reference.results.facts;
    Ok(Looks {
        most: asked,
        reference: facts.experiment.clone(),
        created: facts.created,
        variant: reference.against.variant.clone(),
        layer: facts.layer.unwrap_or(0),
    })
}

/// The reference that an experiment in looks is gone on with; `named` is what was asked for now.
///
/// # Errors
/// It is another one.
pub fn reference(looks: &Looks, named: Option<&str>) -> Result<Reference, Failure> {
    let name = match &looks.variant {
        Some(variant) => format!("{}/{variant}", looks.reference),
        None => looks.reference.clone(),
    };
    if let Some(named) = named.filter(|named| *named != name) {
        return Err(Failure::usage(format!(
            "the experiment is looked at in comparison with `{}`, not with `{}`: leave `--reference` out, or start a new experiment",
            escape::line(&name),
            escape::line(named)
        )));
    }
    let against = Against::parse(&name)?;
    let results = against.read(Some(looks.layer))?;
    Ok(Reference { against, results })
}

/// The looks of the experiment in `folder`, where they were in comparison with `reference`.
///
/// They were taken at scores that do not change, and are taken again at the same. Where the
/// experiment was scored again since, as `layer` says, its reference counts by its newest scores
/// too: what two layers say may be two measures.
///
/// # Errors
/// Those of reading.
pub fn of(folder: &Path, reference: &Reference, layer: u32) -> Result<Option<Looking>, Failure> {
    let reader = Reader::open(&folder.join(FILE)).map_err(Failure::from_error)?;
    let header = reader.header();
    let Some(looks) = &header.looks else {
        return Ok(None);
    };
    let facts = &reference.results.facts;
    let is_it = matches!(reference.against.place, Place::Experiment(_))
        && facts.experiment == looks.reference
        && facts.created == looks.created;
    if !is_it {
        return Ok(None);
    }
    let looks = Looks {
        layer: match layer {
            0 => looks.layer,
            _ => facts.layer.unwrap_or(0),
        },
        ..looks.clone()
    };
    Looking::open(&looks, &header.gates, header.seed).map(Some)
}

/// The plan as far as it may come.
pub fn at_most(plan: &Plan) -> Option<Plan> {
    let looks = plan.looks.as_ref()?;
    Some(plan.grown(looks.most))
}

/// The plan after a look that was not the last.
pub fn next(plan: &Plan, taken: Option<&LooksTaken>) -> Option<Plan> {
    let taken = taken.filter(|taken| !taken.decided && plan.repeat < taken.of)?;
    debug_assert_eq!(taken.taken, plan.repeat, "a look was taken at all attempts");
    Some(plan.grown(plan.repeat + 1))
}
