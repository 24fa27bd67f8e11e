//! The flags of `mailproof pull`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Reach;

#[derive(Debug, Args)]
pub struct PullArgs {
    #[command(subcommand)]
    pub from: PullFrom,
}

/// Where examples and labels can be fetched from.
#[derive(Debug, Subcommand)]
pub enum PullFrom {
    /// From LangSmith: a dataset as a dataset file, or what people said of runs as labels
    ///
    /// Examples that were pushed come back as they were. Others are mapped as `import` maps
    /// them; what cannot be mapped is listed.
    #[command(
        after_help = "Examples:\n  mailproof pull langsmith support-emails -o support.yaml\n  mailproof pull langsmith support-emails --split test --as-of 2026-03-02T10:00:00Z -o then.jsonl\n  mailproof pull langsmith --feedback before-change -o judges/calibration/theirs.jsonl\n\nReads LANGSMITH_API_KEY, LANGSMITH_ENDPOINT, LANGSMITH_WORKSPACE_ID; docs/langsmith.md has them all."
    )]
    Langsmith(PullLangsmithArgs),
}

#[derive(Debug, Args)]
pub struct PullLangsmithArgs {
    /// The name of a dataset there
    #[arg(
        value_name = "DATASET",
        required_unless_present = "feedback",
        conflicts_with = "feedback"
    )]
    pub name: Option<String>,
    /// The file to write: .yaml or .jsonl; with --feedback, JSONL
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The dataset as it was: a time, or the tag of a version
    #[arg(long, value_name = "VERSION", conflicts_with = "feedback")]
    pub as_of: Option<String>,
    /// Only examples of this split; `base` is LangSmith's name for none
    #[arg(long, value_name = "NAME", conflicts_with = "feedback")]
    pub split: Option<String>,
    /// Fetch what people said there of an experiment that was pushed, as items for `calibrate`
    #[arg(long, value_name = "EXPERIMENT[/VARIANT]")]
    pub feedback: Option<String>,
    /// With --feedback, the name it was pushed under [default: its own]
    #[arg(long = "as", env = "MAILPROOF_PUSH_AS", value_name = "NAME")]
    pub pushed_as: Option<String>,
    /// With --feedback, the dataset that it ran on; repeatable; default: where it was then
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
    /// Write over the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Tries after the first of a request that failed and may yet succeed [default: 7]
    #[arg(long, env = "MAILPROOF_MAX_RETRIES", value_name = "N")]
    pub max_retries: Option<u32>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
}
