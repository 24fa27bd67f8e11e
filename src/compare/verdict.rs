//! Compares two experiments, and says whether anything got worse.

use std::collections::BTreeMap;

use super::comparison::{Comparison, Rule, Side, Verdict};
use super::differences::differences;
use super::pair::{Gated, Measured, Sides};
use super::pairing::{CompareError, Pairing};
use super::results::{Measure, Results};
use crate::statistics::{Decision, Difference, decide_all, holm, holm_levels};

/// What became of `candidate`, held against `reference`.
///
/// All measures that gate, of all pairs of variants, are asked together: the chance that any
/// of them is called worse although none is, is at most [`Rule::alpha`] (Holm's steps). What
/// is not among them is shown with the verdict it would have by itself.
///
/// # Errors
/// [`CompareError`] where nothing that means the same on both sides is left to compare.
pub fn compare(
    reference: &Results,
    candidate: &Results,
    pairing: &Pairing,
    rule: &Rule,
) -> Result<Comparison, CompareError> {
    let compared = Compared::new(reference, candidate, pairing, rule)?;
    let measured = compared.measured();
    let gated = gate(&compared.sides, &measured, rule);
    Ok(compared.tell(measured, &gated))
}

/// Two experiments of which it is known which variants are compared.
pub(super) struct Compared<'a> {
    reference: &'a Results,
    candidate: &'a Results,
    rule: &'a Rule,
    /// Whether all variants are compared that can be.
    all: bool,
    paired: Vec<(usize, usize)>,
    pub sides: Vec<Sides<'a>>,
}

impl<'a> Compared<'a> {
    pub fn new(
        reference: &'a Results,
        candidate: &'a Results,
        pairing: &Pairing,
        rule: &'a Rule,
    ) -> Result<Compared<'a>, CompareError> {
        pairing.check(reference, candidate)?;
        let paired = pairing.pairs(reference, candidate)?;
        let sides = paired.iter().map(|&(was, is)| {
            Sides::new(
                (reference, &reference.variants[was]),
                (candidate, &candidate.variants[is]),
                rule,
            )
        });
        Ok(Compared {
            reference,
            candidate,
            rule,
            all: pairing.reference.is_none() && pairing.candidate.is_none(),
            sides: sides.collect(),
            paired,
        })
    }

    /// Of each pair, in their order.
    pub fn measured(&self) -> Vec<Vec<Measured>> {
        self.sides.iter().map(Sides::measured).collect()
    }

    /// `gated` has what was decided of each pair.
    pub fn tell(
        self,
        measured: Vec<Vec<Measured>>,
        gated: &[BTreeMap<Measure, Gated>],
    ) -> Comparison {
        let Compared {
            reference,
            candidate,
            rule,
            all,
            paired,
            sides,
        } = self;
        let pairs: Vec<_> = sides
            .iter()
            .zip(measured)
            .zip(gated)
            .map(|((sides, measured), gated)| sides.pair(measured, gated))
            .collect();
        let verdicts: Vec<Verdict> = pairs.iter().map(|pair| pair.verdict).collect();
        let only = |of: &Results, taken: &dyn Fn(usize) -> bool| {
            // Who names some of all there are knows that there are others.
            if !all {
                return Vec::new();
            }
            let names = of.names().into_iter().enumerate();
            names
                .filter(|(index, _)| !taken(*index))
                .map(|(_, name)| name)
                .collect::<Vec<_>>()
        };
        Comparison {
            reference: Side::of(reference),
            candidate: Side::of(candidate),
            rule: rule.clone(),
            verdict: Verdict::of_all(&verdicts),
            looks: None,
            differences: differences(reference, candidate, &paired, &pairs),
            only_reference: only(reference, &|index| {
                paired.iter().any(|(was, _)| *was == index)
            }),
            only_candidate: only(candidate, &|index| {
                paired.iter().any(|(_, is)| *is == index)
            }),
            pairs,
        }
    }
}

/// Decides on the measures that gate, of all pairs together. What one side alone was scored under
/// cannot be told.
fn gate(
    sides: &[Sides<'_>],
    measured: &[Vec<Measured>],
    rule: &Rule,
) -> Vec<BTreeMap<Measure, Gated>> {
    let (mut places, mut differences): (Vec<(usize, Measure)>, Vec<Difference>) =
        Default::default();
    for (pair, measured) in measured.iter().enumerate() {
        for of in measured {
            if rule.gates.contains(&of.measure) {
                places.push((pair, of.measure));
                differences.push(of.difference.clone());
            }
        }
    }
    let p: Vec<f64> = differences.iter().map(|it| it.p_worse).collect();
    let decisions = decide_all(&differences, rule.margin, rule.alpha);
    let (adjusted, levels) = (holm(&p), holm_levels(&p, rule.alpha));
    let unknown = Gated {
        decision: Decision::CannotTell,
        p_adjusted: None,
        level: rule.alpha,
        bounds: rule.alpha,
    };
    let gates = |sides: &Sides<'_>| sides.gates().map(|measure| (measure, unknown)).collect();
    let mut gated: Vec<BTreeMap<Measure, Gated>> = sides.iter().map(gates).collect();
    for (index, (pair, measure)) in places.into_iter().enumerate() {
        let of = Gated {
            decision: decisions[index],
            p_adjusted: Some(adjusted[index]),
            level: levels[index],
            bounds: rule.alpha,
        };
        gated[pair].insert(measure, of);
    }
    gated
}

impl Side {
    fn of(results: &Results) -> Side {
        let facts = &results.facts;
        Side {
            experiment: facts.experiment.clone(),
            file: None,
            created: facts.created,
            dataset_hash: facts.dataset.hash.clone(),
            repeat: facts.repeat,
            layer: facts.layer,
            complete: facts.complete,
        }
    }
}

impl Verdict {
    /// Worse where any is; fine only where all are.
    pub(super) fn of_all(verdicts: &[Verdict]) -> Verdict {
        let has = |verdict| verdicts.contains(&verdict);
        if has(Verdict::Worse) {
            Verdict::Worse
        } else if verdicts.is_empty() || has(Verdict::CannotTell) {
            Verdict::CannotTell
        } else if has(Verdict::Better) {
            Verdict::Better
        } else {
            Verdict::Equivalent
        }
    }
}
