//! As many attempts of the one side as of the other.
//!
//! Where nothing changed, it must be a matter of chance which side a result is on: all tests of
//! a comparison rely on that. A mean of several attempts against a single one has no such
//! symmetry. Of ten examples that pass nine times in ten, a reference of single attempts passed
//! all with a chance of 35 %, and a candidate of five at each is then lower at most of them,
//! by next to nothing and yet for sure; where they pass once in ten, the reference of more
//! attempts has the same chance of being higher. So both sides are compared by as many.

use std::collections::BTreeMap;

use super::pairing::{CompareError, Pairing};
use super::results::{Cell, Results};
use crate::statistics::draw;

/// How many attempts at each example both sides of a comparison have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Even {
    of: BTreeMap<String, u32>,
}

impl Even {
    /// `None` where what is compared has as many on both sides anyway.
    ///
    /// # Errors
    /// [`CompareError`] where nothing is compared.
    pub fn of(
        reference: &Results,
        candidate: &Results,
        pairing: &Pairing,
    ) -> Result<Option<Even>, CompareError> {
        let mut is_even = true;
        let mut of: BTreeMap<String, u32> = BTreeMap::new();
        for (was, is) in pairing.pairs(reference, candidate)? {
            for (id, cell) in &candidate.variants[is].cells {
                if let Some(other) = reference.variants[was].cells.get(id) {
                    let both = cell.attempts.min(other.attempts);
                    is_even &= cell.attempts == other.attempts;
                    of.entry(id.clone())
                        .and_modify(|least| *least = both.min(*least))
                        .or_insert(both);
                }
            }
        }
        Ok((!is_even).then_some(Even { of }))
    }

    /// Of an example that only one side has, as of those that both have.
    pub(super) fn at(&self, id: &str) -> u32 {
        self.of.get(id).copied().unwrap_or_else(|| self.most())
    }

    pub(super) fn most(&self) -> u32 {
        self.of.values().copied().max().unwrap_or(0)
    }

    /// So many attempts of results whose journal is not at hand, as of a reference file, which
    /// counts those that passed and does not say which came first: they are drawn from `seed`.
    /// Their scores stay the means of all, which [`Cell::drawn`] tells.
    pub fn draw(&self, results: &Results, seed: u64) -> Results {
        let mut results = results.clone();
        let mut stream = 0;
        for of in &mut results.variants {
            for (id, cell) in &mut of.cells {
                stream += 1;
                if cell.attempts > self.at(id) {
                    of.planned -= u64::from(cell.attempts - self.at(id)).min(of.planned);
                    *cell = drawn(cell, self.at(id), seed, stream);
                }
            }
        }
        results
    }
}

fn drawn(cell: &Cell, attempts: u32, seed: u64, stream: u64) -> Cell {
    let kinds = [
        cell.passed,
        cell.scored - cell.passed,
        cell.attempts - cell.scored,
    ];
    let [passed, failed, _] = draw(kinds, attempts, seed, stream);
    Cell {
        attempts,
        scored: passed + failed,
        passed,
        drawn: true,
        ..cell.clone()
    }
}
