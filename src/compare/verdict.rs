//! Compares two experiments, and says whether anything got worse.

use std::collections::BTreeMap;

use super::comparison::{Comparison, Rule, Side, Verdict};
use super::differences::differences;
use super::pair::{Gated, Measured, Sides};
use super::pairing::{CompareError, Pairing};
use super::results::{Measure, Results};
use crate::statistics::{Difference, decide_all, holm, holm_levels};

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
    pairing.check(reference, candidate)?;
    let paired = pairing.pairs(reference, candidate)?;
    let sides: Vec<Sides<'_>> = paired
        .iter()
        .map(|&(was, is)| {
            Sides::new(
                (reference, &reference.variants[was]),
                (candidate, &candidate.variants[is]),
                rule,
            )
        })
        .collect();
    let measured: Vec<Vec<Measured>> = sides.iter().map(Sides::measured).collect();
    let mut gated = gate(&measured, rule).into_iter();
    let pairs: Vec<_> = sides
        .iter()
        .zip(measured)
        .map(|(sides, measured)| {
            let gated = gated.next().expect("one for each pair");
            sides.pair(measured, &gated)
        })
        .collect();
    let verdicts: Vec<Verdict> = pairs.iter().map(|pair| pair.verdict).collect();
    let is_chosen = pairing.reference.is_some() || pairing.candidate.is_some();
    let only = |of: &Results, taken: &dyn Fn(usize) -> bool| {
        // Who names some of all there are knows that there are others.
        if is_chosen {
            return Vec::new();
        }
        let names = of.names().into_iter().enumerate();
        names
            .filter(|(index, _)| !taken(*index))
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
    };
    Ok(Comparison {
        reference: Side::of(reference),
        candidate: Side::of(candidate),
        rule: rule.clone(),
        verdict: Verdict::of_all(&verdicts),
        differences: differences(reference, candidate, &paired),
        only_reference: only(reference, &|index| {
            paired.iter().any(|(was, _)| *was == index)
        }),
        only_candidate: only(candidate, &|index| {
            paired.iter().any(|(_, is)| *is == index)
        }),
        pairs,
    })
}

/// Decides on the measures that gate, of all pairs together.
fn gate(measured: &[Vec<Measured>], rule: &Rule) -> Vec<BTreeMap<Measure, Gated>> {
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
    let mut gated = vec![BTreeMap::new(); measured.len()];
    for (index, (pair, measure)) in places.into_iter().enumerate() {
        let of = Gated {
            decision: decisions[index],
            p_adjusted: adjusted[index],
            level: levels[index],
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
    fn of_all(verdicts: &[Verdict]) -> Verdict {
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
