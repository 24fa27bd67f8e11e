//! Experiments: a plan, carried out and kept.
//!
//! [`Plan::resolve`] decides what will be done and finds every mistake of the user's;
//! [`execute`](execute::execute) does it, case by case, and a [`Journal`](journal::Journal)
//! keeps what happened. Whatever comes later (reports, comparisons, resuming) reads the
//! journal and nothing else.

mod canaries;
mod case;
pub mod execute;
pub mod forecast;
pub mod gate;
mod grid;
mod held;
pub mod journal;
pub mod layer;
pub mod merge;
mod name;
mod opinion;
pub mod pairwise;
pub mod plan;
mod record;
pub mod rerun;
pub mod rescore;
pub mod resume;
mod select;
mod shard;
pub mod statement;

pub use crate::score::{Suite, TriageCosts};
pub use grid::{Case, Done, Grid, Items};
pub use name::{ExperimentName, NameError};
pub use opinion::opinion;
pub use plan::{Choices, Idle, Item, Judging, LeftOut, Plan, PlanError, WhyNot};
pub use record::{
    AskedModel, Attempt, CaseKey, CaseKind, DatasetInfo, EndReason, Ended, FORMAT, Grown, Header,
    JudgePlan, Limits, Looks, Panel, RecordingUse, Rerun, RerunWhich, Selection, Session, Variant,
    Verdict,
};
pub use shard::{Shard, ShardError, ShardPlan};

#[cfg(test)]
mod judged;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;
