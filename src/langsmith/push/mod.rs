//! Sends an experiment: the dataset, an experiment for each variant, runs, and scores.

mod survey;

pub use survey::{Extent, Survey};
