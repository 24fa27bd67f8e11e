//! The flags of `mailproof push`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;

use super::{OtelArgs, Reach};

#[derive(Debug, Args)]
pub struct PushArgs {
    #[command(subcommand)]
    pub to: PushTo,
}

/// Where results can be sent.
#[derive(Debug, Subcommand)]
pub enum PushTo {
    /// To LangSmith: the dataset by what differs, and each variant as an experiment on it
    ///
    /// Pushing again, from another machine too, adds what is not there, and nothing else.
    #[command(
        after_help = "Examples:\n  mailproof push langsmith before-change\n  mailproof push langsmith before-change --dry-run\n  mailproof push langsmith before-change --dataset-name support-emails --as before-change-2\n  mailproof push langsmith before-change --against after-change\n\nReads LANGSMITH_API_KEY, LANGSMITH_ENDPOINT, LANGSMITH_WORKSPACE_ID; docs/langsmith.md has them all."
    )]
    Langsmith(LangsmithArgs),
    /// To a collector of OpenTelemetry: each attempt as a trace, with its scores
    ///
    /// Pushing again sends all of it again, under the same ids.
    #[command(
        after_help = "Examples:\n  mailproof push otel before-change\n  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:6006 mailproof push otel before-change --content\n\nReads OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, and others; docs/opentelemetry.md has them all."
    )]
    Otel(OtelArgs),
}

#[derive(Clone, Debug, Args)]
pub struct LangsmithArgs {
    /// An experiment under ./reports
    pub experiment: String,
    /// The dataset that the experiment ran on; repeatable; default: where it was then
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
    /// What the dataset is called there [default: as here]
    #[arg(long, env = "MAILPROOF_DATASET_NAME", value_name = "NAME")]
    pub dataset_name: Option<String>,
    /// Push as another experiment: one that was pushed before stays as it is
    #[arg(long = "as", env = "MAILPROOF_PUSH_AS", value_name = "NAME")]
    pub pushed_as: Option<String>,
    /// Delete examples there that came from this dataset, and are no longer in it
    #[arg(long, env = "MAILPROOF_PUSH_PRUNE", value_parser = FalseyValueParser::new())]
    pub prune: bool,
    /// What people decided with `mailproof label`, to send as their feedback; repeatable
    #[arg(long, env = "MAILPROOF_LABELS", value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    /// Which scores: those of `rescore` by their number, or 0 for the run's own; default: the
    /// newest
    #[arg(long, env = "MAILPROOF_LAYER", value_name = "N")]
    pub layer: Option<u32>,
    /// Say what there is to send; send nothing, and ask no server
    #[arg(long, env = "MAILPROOF_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// Push which of two a judge prefers, as `rescore --against` found; both experiments are
    /// there already, and this one under the name of --as
    #[arg(long, value_name = "EXPERIMENT[/VARIANT]", conflicts_with_all = ["prune", "dry_run", "labels"])]
    pub against: Option<String>,
    /// Tries after the first of a request that failed and may yet succeed [default: 7]
    #[arg(long, env = "MAILPROOF_MAX_RETRIES", value_name = "N")]
    pub max_retries: Option<u32>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
}

impl LangsmithArgs {
    /// An experiment as it is, with nothing chosen.
    pub fn of(experiment: &str) -> LangsmithArgs {
        LangsmithArgs {
            experiment: experiment.to_owned(),
            dataset: Vec::new(),
            dataset_name: None,
            pushed_as: None,
            prune: false,
            labels: Vec::new(),
            layer: None,
            dry_run: false,
            against: None,
            max_retries: None,
            config: None,
            reach: Reach::default(),
        }
    }
}

/// Where `run` sends its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    Langsmith,
    Otel,
}
