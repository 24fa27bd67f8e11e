//! Scores: what a run was worth, one question at a time.

mod key;

pub use key::{Feedback, Key, Score, ScoreOutOfRange};
