//! Experiments: a plan, carried out and kept.

mod record;

pub use record::{
    Attempt, CaseKey, DatasetInfo, FORMAT, Header, Limits, Selection, Suite, TriageCosts, Variant,
};
