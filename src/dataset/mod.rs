//! Datasets: emails whose right handling is known.

mod example;

pub use example::{ArgumentMatcher, CallPattern, Dataset, Example, Expect, MatchMode};
