//! The flags of `mailproof gate`.

use std::path::PathBuf;

use clap::Args;

use crate::experiment::gate::{Condition, ParseError};

#[derive(Debug, Args)]
pub struct GateArgs {
    /// An experiment under ./reports; default: the newest
    pub experiment: Option<String>,
    /// A figure and its limit, such as `triage.accuracy[test] >= 0.9`; repeatable; default: the
    /// gates of the configuration, or else those that the experiment was run with
    #[arg(long, env = "MAILPROOF_GATE", value_name = "EXPR", value_parser = parse_gate)]
    pub gate: Vec<Condition>,
    /// Compare with it: EXPERIMENT, EXPERIMENT/VARIANT, a reference file, or FILE#VARIANT; default:
    /// that of the configuration
    #[arg(long, env = "MAILPROOF_REFERENCE", value_name = "REFERENCE")]
    pub reference: Option<String>,
    /// Which scores: those of `rescore` by their number, or 0 for the run's own; default: the
    /// newest
    #[arg(long, env = "MAILPROOF_LAYER", value_name = "N")]
    pub layer: Option<u32>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

pub fn parse_gate(text: &str) -> Result<Condition, ParseError> {
    text.parse()
}
