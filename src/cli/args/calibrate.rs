//! What `mailproof calibrate` is told.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use super::{Reach, parse_budget, parse_concurrency, parse_votes};
use crate::judge::JudgeKey;
use crate::run::Cost;

#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Which judge: `response_criteria`, `feedback_honoured`, `memory_update`
    #[arg(value_name = "JUDGE")]
    pub judge: JudgeKey,
    /// Model of the judge, `PROVIDER:NAME` or `rules`; repeatable: a panel that votes together
    #[arg(
        long,
        env = "MAILPROOF_JUDGE_MODEL",
        value_name = "PROVIDER:NAME",
        value_delimiter = ','
    )]
    pub judge_model: Vec<String>,
    /// Votes of each model on every statement [default: what the judge's definition says: 1]
    #[arg(long, env = "MAILPROOF_JUDGE_VOTES", value_name = "N", value_parser = parse_votes)]
    pub judge_votes: Option<u32>,
    /// The judge's definition, in the place of the built-in one
    #[arg(long, env = "MAILPROOF_JUDGE_FILE", value_name = "FILE")]
    pub judge_file: Vec<PathBuf>,
    /// Labelled items, JSONL; repeatable; default: those that come with the program
    #[arg(long, env = "MAILPROOF_ITEMS", value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// Dataset of the examples that the items name; default: the built-in emails
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
    /// Folder to write the record to [default: judges/calibration/records beside the
    /// configuration]
    #[arg(short, long, env = "MAILPROOF_RECORDS", value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Items in flight [default: 16]
    #[arg(short = 'j', long, env = "MAILPROOF_MAX_CONCURRENCY", value_name = "N", value_parser = parse_concurrency, help_heading = "Limits")]
    pub max_concurrency: Option<NonZeroUsize>,
    /// How often a model call is sent again after failures that may pass [default: 5]
    #[arg(
        long,
        env = "MAILPROOF_MAX_RETRIES",
        value_name = "N",
        help_heading = "Limits"
    )]
    pub max_retries: Option<u32>,
    /// Requests in a minute, at each provider account
    #[arg(long, env = "MAILPROOF_RPM", value_name = "N", help_heading = "Limits")]
    pub rpm: Option<NonZeroU32>,
    /// Tokens in a minute, at each provider account
    #[arg(long, env = "MAILPROOF_TPM", value_name = "N", help_heading = "Limits")]
    pub tpm: Option<NonZeroU64>,
    /// The most US dollars that it may spend; where it would spend more it stops, with exit code
    /// 102, and nothing is recorded
    #[arg(long, env = "MAILPROOF_BUDGET_USD", value_name = "USD", value_parser = parse_budget, help_heading = "Limits")]
    pub budget_usd: Option<Cost>,
    #[command(flatten)]
    pub reach: Reach,
}
