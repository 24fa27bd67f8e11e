//! The flags of `mailproof push otel`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Reach;

#[derive(Debug, Args)]
pub struct OtelArgs {
    /// An experiment under ./reports
    pub experiment: String,
    /// Send texts too: emails, prompts, replies, arguments, what is remembered
    #[arg(long, env = "MAILPROOF_CONTENT", value_parser = FalseyValueParser::new())]
    pub content: bool,
    /// Which scores: those of `rescore` by their number, or 0 for the run's own; default: the
    /// newest
    #[arg(long, env = "MAILPROOF_LAYER", value_name = "N")]
    pub layer: Option<u32>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
}
