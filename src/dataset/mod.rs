//! Datasets: emails whose right handling is known.
//!
//! `datasets/README.md` specifies the files. [`Dataset::load`] reads them, and returns
//! either all of a dataset or all of its mistakes, so that what follows meets valid
//! examples only.

mod address;
mod embedded;
mod error;
mod example;
mod hash;
pub mod import;
mod json;
mod load;
mod matcher;
mod read;
mod resolve;
mod scenario;
mod summary;
mod tool;
mod tree;
mod validate;
mod write;
mod yaml;

pub use address::addresses;
pub use error::{Found, LoadError, LoadErrors, Place, Problem};
pub use example::{ArgumentMatcher, CallPattern, Criterion, Dataset, Example, Expect, MatchMode};
pub(crate) use matcher::{people, same};
pub use read::Limits;
pub use scenario::{Episode, EpisodeStep, On, Person, Rule, RuleAnswer, Scenario, StatedExpect};
pub use summary::Summary;
pub use tree::Position;
