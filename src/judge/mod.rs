//! Judges: what no exact match can score, decided statement by statement by models.
//!
//! A [`Definition`](definition::Definition) says what a judge asks and what it sees. It
//! decides one statement at a time, by the votes of a panel of models; what comes of a
//! statement is a [`Ruling`], and figures are made of rulings in code. A judge that fails
//! has said nothing about the agent: the statement is then unscored, never failed.
//!
//! How often a judge is right is a measurement of its own
//! ([`calibration`]). What is said of an attempt by a judge nobody measured is shown, and
//! decides nothing.

pub mod ask;
pub mod attack;
pub mod bench;
pub mod calibration;
pub mod canary;
pub mod definition;
pub mod pairwise;
mod ruling;
pub mod shown;
pub mod subject;

pub use ruling::{JudgeKey, Judged, Ruling, Verdict, Vote};
