//! What changed between two experiments, and whether anything got worse.
//!
//! [`Results`] is what comparison needs of one experiment, folded from its journal or read from
//! a reference file; [`compare`] says what two of them come to, as a [`Comparison`]. Examples
//! are paired by id, and whatever is claimed is claimed of examples, never of attempts.
//! `docs/statistics.md` has the rule in words.

pub mod behaviour;
mod beside;
mod comparison;
mod covered;
mod differences;
mod even;
mod gather;
mod looks;
mod noise;
mod pair;
mod pairing;
mod reference;
mod results;
mod verdict;

#[cfg(test)]
mod tests;

pub use beside::{Beside, Besides, Journal, Wanted};
pub use comparison::{
    Comparison, Difference, Flaky, Flip, GroupChange, KeyChange, LooksTaken, Noise, NoiseChange,
    Pair, Resource, ResourceChange, Rule, Side, Verdict, worst_first,
};
pub use covered::REQUIRED_COVERAGE;
pub use even::Even;
pub use gather::ReadError;
pub use looks::{TooFewAttempts, check_attempts, compare_in_looks};
pub use pairing::{CompareError, Pairing};
pub use reference::{FORMAT as REFERENCE_FORMAT, ReferenceError};
pub use results::{Cell, CellNoise, ExampleFacts, Facts, Measure, Results, Spent, VariantResults};
pub use verdict::compare;
