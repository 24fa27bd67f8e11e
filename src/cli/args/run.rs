//! The flags of `mailproof run`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};

use super::{
    Destination, Limits, Panel, Reach, Recordings, parse_duration, parse_gate, parse_rate,
};
use crate::agent::MemoryAccess;
use crate::cli::threads;
use crate::experiment::gate::Condition;
use crate::experiment::{Looks, Shard, ShardError};
use crate::judge::JudgeKey;
use crate::score::Suite;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Suites to run: `triage`, `response`; default: all that apply
    #[arg(value_name = "SUITE", value_parser = parse_suite)]
    pub suites: Vec<Suite>,

    #[command(flatten)]
    pub choices: Choices,

    /// Name the results are kept under, in ./reports/NAME/; default: date, time, and git commit
    #[arg(short, long, env = "MAILPROOF_EXPERIMENT", value_name = "NAME")]
    pub experiment: Option<String>,
    /// Go on with the experiment of -e, or the newest unfinished one; the plan must be the same
    #[arg(long, env = "MAILPROOF_RESUME", value_parser = FalseyValueParser::new(), conflicts_with_all = ["last_failed", "only", "dry_run"])]
    pub resume: bool,
    /// A new experiment over the examples that failed in --reference, or in the newest experiment
    #[arg(long, env = "MAILPROOF_LAST_FAILED", value_parser = FalseyValueParser::new(), conflicts_with = "only", help_heading = "Selection")]
    pub last_failed: bool,
    /// A new experiment over the examples that ended in infrastructure errors there
    #[arg(
        long,
        value_enum,
        env = "MAILPROOF_ONLY",
        value_name = "WHAT",
        help_heading = "Selection"
    )]
    pub only: Option<Only>,
    /// Compare with it, and exit with 101 when something got worse: EXPERIMENT,
    /// EXPERIMENT/VARIANT, a reference file, or FILE#VARIANT; with --last-failed and --only, where
    /// they look
    #[arg(long, env = "MAILPROOF_REFERENCE", value_name = "REFERENCE")]
    pub reference: Option<String>,
    /// The part of the plan to run: `2/4` is the second of four; `auto` where GitLab or Slurm
    /// says which, `auto/N` where Kubernetes does; `merge` puts all parts together
    #[arg(
        long,
        env = "MAILPROOF_SHARD",
        value_name = "I/N",
        help_heading = "Shards"
    )]
    pub shard: Option<ShardChoice>,
    /// Copy the shard's journal to `s3://BUCKET/PREFIX` when it ends, for `merge` to find
    #[arg(
        long,
        env = "MAILPROOF_UPLOAD",
        value_name = "URL",
        help_heading = "Shards"
    )]
    pub upload: Option<String>,
    /// Send the results there when the run is over
    #[arg(
        long,
        env = "MAILPROOF_PUSH",
        value_enum,
        value_name = "WHERE",
        value_delimiter = ',',
        help_heading = "Results"
    )]
    pub push: Vec<Destination>,
    /// With --push: what could not be sent is a failure of the command (exit code 5)
    #[arg(long, env = "MAILPROOF_PUSH_REQUIRED", value_parser = FalseyValueParser::new(), help_heading = "Results")]
    pub push_required: bool,
    /// The day that prompts name [default: today]
    #[arg(long, env = "MAILPROOF_DATE", value_name = "YYYY-MM-DD", value_parser = parse_date, conflicts_with = "email", help_heading = "Shards")]
    pub date: Option<Date>,
    /// Print the plan and the most model calls it can make; run nothing
    #[arg(long, env = "MAILPROOF_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// Stop after the first failed attempt
    #[arg(short = 'x', env = "MAILPROOF_FAIL_FAST", value_parser = FalseyValueParser::new(), conflicts_with = "max_failures", help_heading = "Limits")]
    pub fail_fast: bool,
    /// Stop after N failed attempts
    #[arg(long, env = "MAILPROOF_MAX_FAILURES", value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub max_failures: Option<u64>,
    /// With --replay and --record: drop recorded calls that this run did not use
    #[arg(long, env = "MAILPROOF_PRUNE", value_parser = FalseyValueParser::new(), conflicts_with = "resume", help_heading = "Recordings")]
    pub prune: bool,
    /// Handle one email (JSON or RFC 5322; `-` reads stdin) instead of a dataset
    #[arg(long, env = "MAILPROOF_EMAIL", value_name = "FILE", conflicts_with_all = ["resume", "last_failed", "only", "dry_run", "shard", "dataset", "experiment", "repeat", "looks", "limit", "sample", "example", "tag", "split", "output", "min_pass_rate", "gate", "budget_usd", "record", "replay", "prune", "push", "push_required", "judge", "judge_model", "judge_votes", "judge_file"])]
    pub email: Option<PathBuf>,
    /// Handle it on a lasting thread of this name: stop at the first question, for
    /// `mailproof respond` to answer
    #[arg(long, env = "MAILPROOF_THREAD", value_name = "NAME", value_parser = threads::name, requires = "email", help_heading = "Threads")]
    pub thread: Option<String>,
    /// Where threads live: `sqlite:PATH`, `postgres://…`, `mongodb://…` [default: `MONGODB_URI`
    /// where set, else sqlite:mailproof-threads.db]
    #[arg(
        long,
        env = "MAILPROOF_CHECKPOINTER",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Threads"
    )]
    pub checkpointer: Option<String>,
}

/// Which part of a plan to run, as far as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardChoice {
    One(Shard),
    /// What started this process says which; of how many, where it does not say that.
    Auto(Option<NonZeroU32>),
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<ShardChoice, String> {
        let of = match text.strip_prefix("auto") {
            Some("") => return Ok(ShardChoice::Auto(None)),
            Some(of) => of.strip_prefix('/'),
            None => {
                return text
                    .parse()
                    .map(ShardChoice::One)
                    .map_err(|it: ShardError| it.to_string());
            }
        };
        let count: Option<NonZeroU32> = of.and_then(|of| of.parse().ok());
        let count = count.filter(|count| count.get() <= Shard::MOST);
        let wrong = || format!("after `auto/` say of how many, from 1 to {}", Shard::MOST);
        count
            .map(|count| ShardChoice::Auto(Some(count)))
            .ok_or_else(wrong)
    }
}

pub fn parse_looks(text: &str) -> Result<u32, String> {
    let looks = text.parse().ok();
    looks
        .filter(|looks| (2..=Looks::MOST).contains(looks))
        .ok_or_else(|| format!("use a number from 2 to {}", Looks::MOST))
}

fn parse_date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "use a day such as `2026-03-02`".to_owned())
}

/// What the configuration file can say too; a flag wins over it.
#[derive(Debug, Default, Args)]
pub struct Choices {
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Dataset: YAML, JSONL, or a folder; repeatable; default: the built-in emails
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
    /// Agent; repeatable; default: all
    #[arg(
        short,
        long,
        env = "MAILPROOF_AGENT",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub agent: Vec<String>,
    /// Model of the agents, `PROVIDER:NAME` or `rules`; repeatable, crossed with the agents
    #[arg(
        short,
        long,
        env = "MAILPROOF_MODEL",
        value_name = "PROVIDER:NAME",
        value_delimiter = ','
    )]
    pub model: Vec<String>,
    /// Model of the workflow's router; default: the agent's
    #[arg(long, env = "MAILPROOF_ROUTER_MODEL", value_name = "PROVIDER:NAME")]
    pub router_model: Option<String>,
    /// How `hitl-memory` knows what it remembers: its prompts hold it (`inline`), or it searches
    /// (`tools`) [default: inline]
    #[arg(long, env = "MAILPROOF_MEMORY", value_name = "ACCESS", value_parser = parse_memory)]
    pub memory: Option<MemoryAccess>,
    /// Model that writes what is remembered; default: the agent's
    #[arg(long, env = "MAILPROOF_MEMORY_MODEL", value_name = "PROVIDER:NAME")]
    pub memory_model: Option<String>,
    /// Model that plays the person where nobody scripted one; default: the agent's
    #[arg(long, env = "MAILPROOF_SIMULATOR_MODEL", value_name = "PROVIDER:NAME")]
    pub simulator_model: Option<String>,
    /// Who judges what no exact match can score; repeatable; `none` for nobody; default: every
    /// judge that has something to ask
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
    /// Attempts per example [default: 1]
    #[arg(long, env = "MAILPROOF_REPEAT", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
    /// Compare with --reference after every attempt per example, and make another only while that
    /// cannot tell: N at most. The reference needs N attempts per example
    #[arg(long, env = "MAILPROOF_LOOKS", value_name = "N", value_parser = parse_looks, conflicts_with = "repeat")]
    pub looks: Option<u32>,
    /// Everything random is drawn from it [default: 0]
    #[arg(long, env = "MAILPROOF_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// The first N examples, in dataset order
    #[arg(
        long,
        env = "MAILPROOF_LIMIT",
        value_name = "N",
        help_heading = "Selection"
    )]
    pub limit: Option<usize>,
    /// N examples drawn by the seed
    #[arg(
        long,
        env = "MAILPROOF_SAMPLE",
        value_name = "N",
        help_heading = "Selection"
    )]
    pub sample: Option<usize>,
    /// The example of this id; repeatable
    #[arg(
        long,
        env = "MAILPROOF_EXAMPLE",
        value_name = "ID",
        value_delimiter = ',',
        help_heading = "Selection"
    )]
    pub example: Vec<String>,
    /// Examples with this tag; repeatable: all of them
    #[arg(
        long,
        env = "MAILPROOF_TAG",
        value_name = "TAG",
        value_delimiter = ',',
        help_heading = "Selection"
    )]
    pub tag: Vec<String>,
    /// Examples of this split
    #[arg(
        long,
        env = "MAILPROOF_SPLIT",
        value_name = "NAME",
        help_heading = "Selection"
    )]
    pub split: Option<String>,
    /// A case's own time limit, such as `90s` or `5m` [default: 5m]
    #[arg(long, env = "MAILPROOF_TIMEOUT", value_name = "DURATION", value_parser = parse_duration, help_heading = "Limits")]
    pub timeout: Option<Duration>,
    /// Model calls a case may make [default: 25]
    #[arg(long, env = "MAILPROOF_MAX_STEPS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub max_steps: Option<u32>,
    /// How long the whole run may take; what is left then is for --resume
    #[arg(long, env = "MAILPROOF_RUN_TIMEOUT", value_name = "DURATION", value_parser = parse_duration, help_heading = "Limits")]
    pub run_timeout: Option<Duration>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub recordings: Recordings,
    /// Write a report; the format by extension: .json, .md, .html, .svg, .csv,
    /// .junit.xml, .codequality.json, .comment.md; repeatable
    #[arg(short, long, env = "MAILPROOF_OUTPUT", value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Exit with 100 when a variant passes a smaller share of its scored attempts
    #[arg(long, env = "MAILPROOF_MIN_PASS_RATE", value_name = "0..1", value_parser = parse_rate)]
    pub min_pass_rate: Option<f64>,
    /// Exit with 100 when a figure of a variant does not reach its limit, such as
    /// `triage.accuracy[test] >= 0.9`; repeatable; in the place of the configuration's gates
    #[arg(long, env = "MAILPROOF_GATE", value_name = "EXPR", value_parser = parse_gate)]
    pub gate: Vec<Condition>,
    /// How many processes share the budget, and what accounts allow in a minute; one where
    /// absent.
    #[arg(skip)]
    pub sharers: Option<NonZeroU32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Only {
    Errors,
}

/// A judge by its name, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JudgeChoice {
    Nobody,
    One(JudgeKey),
}

impl FromStr for JudgeChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<JudgeChoice, String> {
        match name {
            "none" => Ok(JudgeChoice::Nobody),
            name => match name.parse() {
                Ok(JudgeKey::Pairwise) => {
                    Err("`pairwise` compares two runs, and does not judge one".to_owned())
                }
                Ok(key) => Ok(JudgeChoice::One(key)),
                Err(error) => Err(format!("{error}; `none` is nobody")),
            },
        }
    }
}

impl<'de> Deserialize<'de> for JudgeChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

fn parse_suite(text: &str) -> Result<Suite, String> {
    Suite::ALL
        .into_iter()
        .find(|suite| suite.name() == text)
        .ok_or_else(|| {
            let known: Vec<_> = Suite::ALL.iter().map(|suite| suite.name()).collect();
            format!("unknown suite; the suites are {}", known.join(", "))
        })
}

fn parse_memory(text: &str) -> Result<MemoryAccess, String> {
    match text {
        "inline" => Ok(MemoryAccess::Inline),
        "tools" => Ok(MemoryAccess::Tools),
        _ => Err("use `inline` or `tools`".to_owned()),
    }
}

/// More tell no more about a statement, and each is a call.
const MOST_VOTES: u32 = 15;

pub fn parse_votes(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(votes) if (1..=MOST_VOTES).contains(&votes) => Ok(votes),
        _ => Err(format!("use a whole number from 1 to {MOST_VOTES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_is_one_of_an_attempt_or_nobody() {
        for (name, found) in [
            ("none", Ok(JudgeChoice::Nobody)),
            (
                "response_criteria",
                Ok(JudgeChoice::One(JudgeKey::ResponseCriteria)),
            ),
            ("pairwise", Err("compares two runs")),
            (
                "critera",
                Err("`critera` is no judge; those are response_criteria"),
            ),
            ("", Err("is no judge")),
        ] {
            match (name.parse::<JudgeChoice>(), found) {
                (Ok(choice), Ok(found)) => assert_eq!(choice, found, "{name}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (parsed, _) => panic!("{name}: {parsed:?}"),
            }
        }
    }

    #[test]
    fn votes_are_a_few() {
        assert_eq!(parse_votes("3"), Ok(3));
        for text in ["0", "16", "-1", "x", ""] {
            assert!(parse_votes(text).is_err(), "{text}");
        }
    }
}
