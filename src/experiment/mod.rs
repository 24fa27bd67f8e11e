//! Experiments: a plan, carried out and kept.

mod record;

pub use crate::score::{Suite, TriageCosts};
pub use record::{Attempt, CaseKey, DatasetInfo, FORMAT, Header, Limits, Selection, Variant};
