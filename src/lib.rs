//! The map: modules in reading order. A module imports only from those above it
//! (`tests/architecture.rs` holds this true).

// The words.
pub mod email;
pub mod message;
pub mod run;
pub mod inbox;
pub mod redact;

// What is under test.
pub mod graph;
pub mod model;
pub mod agent;
pub mod target;

// The test.
pub mod dataset;
pub mod statistics;
pub mod human;
pub mod score;
pub mod judge;
pub mod experiment;

// Reading the result.
pub mod compare;
pub mod report;

// The outside.
pub mod trace;
pub mod langsmith;
#[cfg(feature = "otel")]
pub mod otel;
pub mod cli;
