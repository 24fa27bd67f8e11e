//! What `mailproof calibrate` is told.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::{Limits, Panel, Reach, Recordings};
use crate::judge::JudgeKey;

#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Which judge: `response_criteria`, `feedback_honoured`, `memory_update`
    #[arg(value_name = "JUDGE")]
    pub judge: JudgeKey,
    #[command(flatten)]
    pub panel: Panel,
    /// Labelled items, JSONL; repeatable; default: those that come with the program
    #[arg(long, env = "MAILPROOF_ITEMS", value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// Dataset of the examples that the items name; default: the built-in emails
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
    /// Attack it, too: 95 mails more, all but one with a text that tries to steer whoever judges
    #[arg(long, env = "MAILPROOF_ATTACKS", value_parser = FalseyValueParser::new())]
    pub attacks: bool,
    /// Folder to write the record to [default: judges/calibration/records beside the
    /// configuration]
    #[arg(short, long, env = "MAILPROOF_RECORDS", value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub recordings: Recordings,
    #[command(flatten)]
    pub reach: Reach,
}
