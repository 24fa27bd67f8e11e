//! Intervals, resampling, and summaries: numbers in, numbers out.
//!
//! Nothing here knows what was measured. Whether a figure is a share of emails or a cost,
//! which formula it gets, and why, is told in `docs/statistics.md`; each function names
//! the source of its formula.

mod bootstrap;
mod classes;
mod interval;
mod quantile;
mod sum;

pub use bootstrap::{bootstrap_interval, resamples};
pub use classes::{ClassScores, class_scores, macro_f1};
pub use interval::{Interval, Z_95, mean_interval, wilson_interval};
pub use quantile::quantile;
pub use sum::FixedSum;
