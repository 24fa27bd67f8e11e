//! The flags of every verb that asks models: how fast, for how much, and what is kept of it.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use super::{parse_budget, parse_concurrency, parse_votes};
use crate::run::Cost;

/// How much may be asked at once, in a minute, and in all.
#[derive(Clone, Debug, Default, Args)]
pub struct Limits {
    /// Cases in flight; of `calibrate`, items [default: 16]
    #[arg(short = 'j', long, env = "MAILPROOF_MAX_CONCURRENCY", value_name = "N", value_parser = parse_concurrency, help_heading = "Limits")]
    pub max_concurrency: Option<NonZeroUsize>,
    /// The most US dollars that may be spent, by an experiment over all its sittings; where more
    /// would be, the command stops with exit code 102
    #[arg(long, env = "MAILPROOF_BUDGET_USD", value_name = "USD", value_parser = parse_budget, help_heading = "Limits")]
    pub budget_usd: Option<Cost>,
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
}

/// Where answers are kept, and taken from.
#[derive(Clone, Debug, Default, Args)]
pub struct Recordings {
    /// Keep what models are asked and answer in this folder
    #[arg(
        long,
        env = "MAILPROOF_RECORD",
        value_name = "DIR",
        help_heading = "Recordings"
    )]
    pub record: Option<PathBuf>,
    /// Answer from this recording and ask no model; with --record, ask for what is not in it
    #[arg(
        long,
        env = "MAILPROOF_REPLAY",
        value_name = "DIR",
        help_heading = "Recordings"
    )]
    pub replay: Option<PathBuf>,
}

impl Recordings {
    /// Whether every answer is to come from a recording.
    pub fn asks_nobody(&self) -> bool {
        self.replay.is_some() && self.record.is_none()
    }
}

/// Who sits in judgement, and by which words.
#[derive(Clone, Debug, Default, Args)]
pub struct Panel {
    /// Model of the judges, `PROVIDER:NAME` or `rules`; repeatable: a panel that votes together;
    /// default: that of the run or of the judge's definition, else the agent's
    #[arg(
        long,
        env = "MAILPROOF_JUDGE_MODEL",
        value_name = "PROVIDER:NAME",
        value_delimiter = ',',
        help_heading = "Judges"
    )]
    pub judge_model: Vec<String>,
    /// Votes of each model on every statement; default: as in the run, else what the judge's
    /// definition says: 1
    #[arg(long, env = "MAILPROOF_JUDGE_VOTES", value_name = "N", value_parser = parse_votes, help_heading = "Judges")]
    pub judge_votes: Option<u32>,
    /// A judge's definition, in the place of the built-in one of the same key; repeatable
    #[arg(
        long,
        env = "MAILPROOF_JUDGE_FILE",
        value_name = "FILE",
        help_heading = "Judges"
    )]
    pub judge_file: Vec<PathBuf>,
}
