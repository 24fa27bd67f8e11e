//! Intervals, tests, resampling, and summaries: numbers in, numbers out.
//!
//! Nothing here knows what was measured. Whether a figure is a share of emails or a cost,
//! which formula it gets, and why, is told in `docs/statistics.md`; each function names
//! the source of its formula.

mod agreement;
mod bootstrap;
mod classes;
mod corrected;
mod decision;
mod difference;
mod draw;
mod holm;
mod interval;
mod paired;
mod passes;
mod power;
mod quantile;
mod score;
mod sequential;
mod signflip;
mod studentized;
mod sum;

pub use agreement::{Level, cohen_kappa, krippendorff_alpha};
pub use bootstrap::{bootstrap_interval, resamples};
pub use classes::{ClassScores, class_scores, macro_f1};
pub use corrected::{Accuracy, Estimate, Share, corrected_interval, rogan_gladen, youden_interval};
pub use decision::{Decision, decide, decide_all, decide_together};
pub use difference::{Difference, Method, difference};
pub use draw::draw;
pub use holm::{holm, holm_levels};
pub use interval::{Interval, Z_95, mean_interval, wilson_interval};
pub use paired::Paired;
pub use passes::{pass_at_k, pass_hat_k};
pub use quantile::quantile;
pub use sequential::{Next, Sequential};
pub use sum::FixedSum;
