//! A comparison in looks: decided at each of them, by all that were taken until then.
//!
//! A look is at as many attempts of the reference as of the candidate. Only then is it a matter
//! of chance, where nothing changed, which side an attempt is on, and that is all that the
//! boundary relies on ([`Sequential`]). So the reference has to have as many attempts at each
//! example as there are looks ([`check_attempts`]), and what it has beyond those of a look is
//! left out of it.

use std::collections::BTreeMap;

use super::comparison::{Comparison, LooksTaken, Pair, Rule, Verdict};
use super::pair::Gated;
use super::pairing::{CompareError, Pairing};
use super::results::{Measure, Results};
use super::verdict::Compared;
use crate::statistics::{Decision, Paired, Sequential, decide_together};

/// A reference that looks would run out of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{reference}` has {found} of the {looks} attempts at `{example}` that {looks} looks compare with: make a reference that has them (`mailproof run --repeat {looks} -e NAME`), or take fewer looks"
)]
pub struct TooFewAttempts {
    reference: String,
    example: String,
    found: u32,
    looks: u32,
}

/// Whether a reference has an attempt for each look, at each of the examples of `ids` that it
/// knows. `variants` are those of the reference that are compared with.
///
/// # Errors
/// [`TooFewAttempts`].
pub fn check_attempts<'a>(
    reference: &Results,
    variants: &[usize],
    ids: impl Iterator<Item = &'a str>,
    looks: u32,
) -> Result<(), TooFewAttempts> {
    for id in ids {
        let cells = variants
            .iter()
            .filter_map(|index| reference.variants[*index].cells.get(id));
        if let Some(found) = cells.map(|cell| cell.attempts).find(|it| *it < looks) {
            return Err(TooFewAttempts {
                reference: reference.facts.experiment.clone(),
                example: id.to_owned(),
                found,
                looks,
            });
        }
    }
    Ok(())
}

/// What became of a candidate that grew from look to look, of which `whole` can be taken and
/// `of` were planned. Both sides are what [`Results::read_looks`] reads; the figures are those of the look
/// that decided, or else of the last.
///
/// All looks are taken again, so that the same attempts decide the same whenever they are
/// compared.
///
/// # Errors
/// [`CompareError`], as of [`compare`](super::compare).
///
/// # Panics
/// Where a side has no results.
pub fn compare_in_looks(
    reference: &[Results],
    candidate: &[Results],
    (whole, of): (u32, u32),
    pairing: &Pairing,
    rule: &Rule,
) -> Result<Comparison, CompareError> {
    let mut looks = Vec::new();
    let whole = whole as usize;
    let taken = candidate.iter().take(whole.max(1));
    for (reference, candidate) in reference.iter().zip(taken) {
        looks.push(Compared::new(reference, candidate, pairing, rule)?);
    }
    let whole = whole.min(looks.len());
    let last = looks.last().expect("a look at something");
    let gates = last.sides.iter().enumerate().flat_map(|(pair, sides)| {
        let gates = sides.gates();
        gates.map(move |measure| (pair, measure))
    });
    // What only a later look has an example of is asked at those before too, and keeps them from
    // calling all fine: whoever goes on finds the looks before as undecided as they were.
    let gates: Vec<(usize, Measure)> = gates.collect();
    let mut sequence = Sequence::new(&gates, of, rule);
    while (sequence.taken as usize) < whole && !sequence.decided {
        sequence.look(&looks[sequence.taken as usize], rule);
    }
    let at = (sequence.taken as usize).max(1) - 1;
    let compared = looks.swap_remove(at);
    let measured = compared.measured();
    let gated = sequence.gated(compared.sides.len(), rule);
    let mut comparison = compared.tell(measured, &gated);
    let a_look: u64 = candidate[at].variants.iter().map(|it| it.planned).sum();
    let a_look = a_look / (at as u64 + 1);
    comparison.looks = Some(LooksTaken {
        taken: sequence.taken,
        of,
        decided: sequence.decided,
        spent: sequence.spent(),
        level: sequence.level(rule),
        saved: match sequence.decided {
            true => a_look * u64::from(of - sequence.taken),
            false => 0,
        },
    });
    Ok(comparison)
}

impl Comparison {
    /// Keeps these pairs of variants alone, the reference's first, and what is said of them.
    /// Returns false where not all of them are compared.
    pub fn keep(&mut self, wanted: &[(String, String)]) -> bool {
        let is_wanted = |pair: &Pair| {
            let mut wanted = wanted.iter();
            wanted.any(|(was, is)| (was, is) == (&pair.reference, &pair.candidate))
        };
        self.pairs.retain(is_wanted);
        let verdicts: Vec<Verdict> = self.pairs.iter().map(|pair| pair.verdict).collect();
        self.verdict = Verdict::of_all(&verdicts);
        self.pairs.len() == wanted.len()
    }
}

/// The looks taken so far.
struct Sequence<'a> {
    gates: &'a [(usize, Measure)],
    /// `None` without anything that gates.
    sequential: Option<Sequential>,
    /// For each that gates, the order in which its examples first had values.
    places: Vec<Vec<String>>,
    of: u32,
    taken: u32,
    decided: bool,
}

impl<'a> Sequence<'a> {
    fn new(gates: &'a [(usize, Measure)], of: u32, rule: &Rule) -> Sequence<'a> {
        let new = || Sequential::new(rule.alpha, of, gates.len(), rule.margin, rule.seed);
        Sequence {
            gates,
            sequential: (!gates.is_empty()).then(new),
            places: vec![Vec::new(); gates.len()],
            of,
            taken: 0,
            decided: false,
        }
    }

    /// Whatever cannot be told is worth another attempt, also where too little was scored so far.
    fn look(&mut self, compared: &Compared<'_>, rule: &Rule) {
        self.taken += 1;
        let values: Vec<_> = self
            .gates
            .iter()
            .zip(&mut self.places)
            .map(|(&(pair, measure), places)| compared.sides[pair].values(measure, places))
            .collect();
        let pairs: Vec<Paired<'_>> = values.iter().map(|values| values.paired()).collect();
        if let Some(sequential) = &mut self.sequential {
            sequential.look(&pairs);
        }
        let gated = self.gated(compared.sides.len(), rule);
        let sides = compared.sides.iter().zip(&gated);
        let decisions: Vec<Decision> = sides.map(|(sides, gated)| sides.decided(gated)).collect();
        self.decided = self.taken == self.of || decide_together(&decisions) != Decision::CannotTell;
    }

    /// What is decided of each measure that gates, by pairs of variants.
    fn gated(&self, pairs: usize, rule: &Rule) -> Vec<BTreeMap<Measure, Gated>> {
        let mut gated = vec![BTreeMap::new(); pairs];
        let decisions = self.sequential.iter().flat_map(Sequential::decisions);
        for (&(pair, measure), &decision) in self.gates.iter().zip(decisions) {
            let of = Gated {
                decision,
                // A chance that was looked at more than once is not what it says.
                p_adjusted: None,
                level: rule.alpha / self.gates.len() as f64,
                bounds: self.level(rule),
            };
            gated[pair].insert(measure, of);
        }
        gated
    }

    fn spent(&self) -> f64 {
        self.sequential.as_ref().map_or(0.0, Sequential::spent)
    }

    fn level(&self, rule: &Rule) -> f64 {
        self.sequential
            .as_ref()
            .map_or(rule.alpha, Sequential::level)
    }
}
