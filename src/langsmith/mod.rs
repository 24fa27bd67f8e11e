//! LangSmith: a place that results can be sent to, and examples and feedback be fetched from.
//!
//! Nothing here runs an agent, and nothing of the harness needs it. What is sent is made of the
//! journal and the dataset alone, and every id of them ([`ids`]), so that sending again, from
//! another machine or after a crash, finds what is there and adds what is not.

pub mod client;
pub mod comparative;
pub mod difference;
pub mod environment;
pub mod examples;
pub mod humans;
pub mod ids;
pub mod pull;
pub mod push;
pub mod runs;
pub mod scores;
pub mod wire;

pub use client::{Client, Error};
pub use environment::Settings;
