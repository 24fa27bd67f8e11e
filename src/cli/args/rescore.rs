//! The flags of `mailproof rescore`.

use std::path::PathBuf;

use clap::Args;

use super::{Choices, JudgeChoice, Limits, Panel, Reach, Recordings};
use crate::experiment::layer::Scorers;

#[derive(Debug, Args)]
pub struct RescoreArgs {
    /// An experiment under ./reports
    pub experiment: String,
    /// Have a judge say which mails are better, this experiment's or those of another: of
    /// variants of one name, or of all with the one that is named
    #[arg(long, env = "MAILPROOF_AGAINST", value_name = "EXPERIMENT[/VARIANT]", conflicts_with_all = ["scorers", "judge", "output"])]
    pub against: Option<String>,
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
    #[command(flatten)]
    pub panel: Panel,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub recordings: Recordings,
    #[command(flatten)]
    pub reach: Reach,
    /// Write a report; the format by extension: .json, .md, .html, .svg, .csv,
    /// .junit.xml, .codequality.json, .comment.md; repeatable
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
            panel: self.panel.clone(),
            limits: self.limits.clone(),
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
