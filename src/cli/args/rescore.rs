//! The flags of `mailproof rescore`.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use super::{Choices, JudgeChoice, Reach, parse_budget, parse_concurrency, parse_votes};
use crate::experiment::layer::Scorers;
use crate::run::Cost;

#[derive(Debug, Args)]
pub struct RescoreArgs {
    /// An experiment under ./reports
    pub experiment: String,
    /// Which scores are made anew: `rules`, `judges`, or `all`; the others stay the run's own
    #[arg(long, env = "MAILPROOF_SCORERS", value_name = "WHICH", value_parser = parse_scorers, default_value = "all")]
    pub scorers: Scorers,
    /// The dataset that the experiment ran on; repeatable; default: where it was then
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Who judges; repeatable; `none` for nobody; default: those of the run, or where it had none
    /// every judge that has something to ask
    #[arg(
        long,
        env = "MAILPROOF_JUDGE",
        value_name = "NAME",
        value_delimiter = ',',
        help_heading = "Judges"
    )]
    pub judge: Vec<JudgeChoice>,
    /// Model of the judges; repeatable: a panel that votes together; default: as in the run
    #[arg(
        long,
        env = "MAILPROOF_JUDGE_MODEL",
        value_name = "PROVIDER:NAME",
        value_delimiter = ',',
        help_heading = "Judges"
    )]
    pub judge_model: Vec<String>,
    /// Votes of each model on every statement; default: as in the run
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
    /// Attempts that are looked at at once [default: 16]
    #[arg(short = 'j', long, env = "MAILPROOF_MAX_CONCURRENCY", value_name = "N", value_parser = parse_concurrency, help_heading = "Limits")]
    pub max_concurrency: Option<NonZeroUsize>,
    /// The most US dollars that this may spend; where more would be, it stops with exit code 102
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
    #[command(flatten)]
    pub reach: Reach,
    /// Write a report; the format by extension: .json, .md, .svg; repeatable
    #[arg(short, long, env = "MAILPROOF_OUTPUT", value_name = "FILE")]
    pub output: Vec<PathBuf>,
}

impl RescoreArgs {
    /// What a run could have been told, too. The dataset is not among it: what the
    /// configuration says of it is about the next run.
    pub fn choices(&self) -> Choices {
        Choices {
            config: self.config.clone(),
            judge: self.judge.clone(),
            judge_model: self.judge_model.clone(),
            judge_votes: self.judge_votes,
            judge_file: self.judge_file.clone(),
            max_concurrency: self.max_concurrency,
            budget_usd: self.budget_usd,
            max_retries: self.max_retries,
            rpm: self.rpm,
            tpm: self.tpm,
            reach: self.reach.clone(),
            output: self.output.clone(),
            ..Choices::default()
        }
    }
}

fn parse_scorers(text: &str) -> Result<Scorers, String> {
    let known = Scorers::ALL.into_iter().find(|it| it.name() == text);
    known.ok_or_else(|| {
        let names = Scorers::ALL.map(|it| format!("`{}`", it.name()));
        format!("use one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scorers_are_some_or_all() {
        for scorers in Scorers::ALL {
            assert_eq!(parse_scorers(scorers.name()), Ok(scorers));
        }
        for text in ["", "rule", "Rules", "rules,judges"] {
            let error = parse_scorers(text).unwrap_err();
            assert_eq!(error, "use one of `rules`, `judges`, `all`", "{text}");
        }
    }
}
