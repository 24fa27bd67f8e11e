//! What changed between two experiments, and whether anything got worse.
//!
//! [`Results`] is what comparison needs of one experiment, folded from its journal or read from
//! a reference file; [`Comparison`] is what two of them come to. Examples are paired by id, and
//! whatever is claimed is claimed of examples, never of attempts. `docs/statistics.md` has the
//! rule in words.

mod comparison;
mod results;

pub use comparison::{
    Comparison, Difference, Flaky, Flip, GroupChange, KeyChange, Pair, Resource, ResourceChange,
    Rule, Side, Verdict,
};
pub use results::{Cell, Facts, Measure, Results, VariantResults};
