//! Live models against servers on loopback that accept what a provider's documentation
//! allows, and nothing else.
//!
//! One file a family says how it is written; `contract` holds what all of them must do, and
//! `failures` what becomes of a call that fails, row by row of the table in
//! `docs/providers.md`.

mod anthropic;
mod budget;
mod commands;
mod configured;
mod contract;
mod doctor;
mod failures;
mod family;
mod google;
mod judges;
mod ollama;
mod openai;
mod rescoring;
mod secrets;
mod server;
