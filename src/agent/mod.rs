//! Our own email agents.

pub mod prompts;
pub mod tools;
