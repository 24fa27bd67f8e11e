//! The command line: verbs, flags, and the environment variable behind each flag.

mod behaviour;
mod asking;
mod calibrate;
mod compare;
mod merge;
mod gate;
mod overruled;
mod pull;
mod push;
mod push_otel;
mod rescore;
mod run;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::asking::{Limits, Panel, Recordings};
pub use self::behaviour::{AcceptArgs, HistoryArgs, LookedAt, ReviewChangesArgs};
pub use self::calibrate::CalibrateArgs;
pub use self::compare::{CompareArgs, Flips, ReferenceArgs, ReferenceVerb, RuleArgs};
pub use self::gate::{GateArgs, parse_gate};
pub use self::merge::MergeArgs;
pub use self::pull::{PullArgs, PullFrom, PullLangsmithArgs};
pub use self::push::{Destination, LangsmithArgs, PushArgs, PushTo};
pub use self::push_otel::OtelArgs;
pub use self::rescore::RescoreArgs;
pub use self::run::{Choices, JudgeChoice, RunArgs, ShardChoice, parse_looks, parse_votes};
use crate::dataset::import::{Shape, UnknownShape};
use crate::judge::JudgeKey;
use crate::run::Cost;

/// Batch evaluation and regression testing for LLM email agents.
#[derive(Debug, Parser)]
#[command(
    name = "mailproof",
    version,
    propagate_version = true,
    after_help = "Example:\n  mailproof run                 evaluate the built-in agents on the built-in emails, offline\n  mailproof show NAME/workflow@rules EXAMPLE    read one trajectory"
)]
pub struct Cli {
    #[command(flatten)]
    pub talk: Talk,
    #[command(subcommand)]
    pub verb: Verb,
}

/// How much is said, and in what form. Data goes to stdout, talk to stderr.
#[derive(Debug, Args)]
pub struct Talk {
    /// Say only what went wrong
    #[arg(short, long, global = true, env = "MAILPROOF_QUIET", value_parser = FalseyValueParser::new(), conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Say more: each failed attempt as it ends
    #[arg(short, long, global = true, env = "MAILPROOF_VERBOSE", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub verbose: bool,
    /// Print data as JSON
    #[arg(long, global = true, env = "MAILPROOF_JSON", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub json: bool,
    /// When to use colour (`NO_COLOR` and `FORCE_COLOR` are honoured)
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, env = "MAILPROOF_COLOR", value_name = "WHEN", help_heading = "Output")]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run agents over a dataset, score what they did, and report
    #[command(
        visible_alias = "eval",
        after_help = "Examples:\n  mailproof run\n  mailproof run triage -a workflow --split dev --limit 20\n  mailproof run -d mine.yaml -e before-change --repeat 3\n  mailproof run --resume\n  mailproof run --email message.eml -a workflow\n  mailproof run --email message.eml -a hitl --thread invoice-7"
    )]
    Run(Box<RunArgs>),
    /// Make an experiment's report again from its journal, and print it
    #[command(
        after_help = "Examples:\n  mailproof report before-change -o report.md\n  mailproof report before-change --open"
    )]
    Report(ReportArgs),
    /// Say whether anything got worse from one experiment to another
    #[command(
        after_help = "Examples:\n  mailproof compare before-change after-change\n  mailproof compare mailproof-reference.jsonl after-change --flips\n  mailproof compare tuned/workflow@rules tuned/baseline@rules\n  mailproof compare before-change after-change --example invoice-question"
    )]
    Compare(Box<CompareArgs>),
    /// Keep an experiment's scores in a file, in git, for others to be compared with
    #[command(
        after_help = "Examples:\n  mailproof reference set before-change\n  mailproof reference show\n  mailproof reference accept"
    )]
    Reference(ReferenceArgs),
    /// Hold an experiment to its gates, or to others, without running it
    #[command(
        after_help = "Examples:\n  mailproof gate before-change\n  mailproof gate before-change --gate 'triage.accuracy[test] >= 0.9' --gate 'cost_usd <= 2'"
    )]
    Gate(GateArgs),
    /// Score an experiment's attempts again, without running any agent, as a new layer
    #[command(
        after_help = "Examples:\n  mailproof rescore before-change --judge-model openai:gpt-5-mini\n  mailproof rescore before-change --scorers rules\n  mailproof rescore before-change --against after-change --judge-model openai:gpt-5-mini\n  mailproof report before-change --layer 0"
    )]
    Rescore(Box<RescoreArgs>),
    /// Put the shards of an experiment together, and report on all of it
    #[command(
        after_help = "Examples:\n  mailproof merge -e nightly\n  mailproof merge artifacts -e nightly -o report.md\n  mailproof merge reports/nightly.*-of-4 -e nightly\n  mailproof merge s3://bucket/evaluations -e nightly"
    )]
    Merge(MergeArgs),
    /// Fetch examples, and people's labels, from where others keep theirs
    #[command(after_help = "Example:\n  mailproof pull langsmith support-emails -o support.yaml")]
    Pull(Box<PullArgs>),
    /// Send results to where others keep theirs
    #[command(after_help = "Example:\n  mailproof push langsmith before-change")]
    Push(PushArgs),
    /// Read one trajectory, or see an agent's graph
    #[command(
        after_help = "Examples:\n  mailproof show before-change/workflow@rules invoice-question\n  mailproof show --graph workflow"
    )]
    Show(ShowArgs),
    /// See which threads wait for an answer, what people decided, and what was learnt
    #[command(
        after_help = "Examples:\n  mailproof threads\n  mailproof threads invoice-7\n  mailproof threads --history invoice-7 --json\n  mailproof threads --memory"
    )]
    Threads(ThreadsArgs),
    /// Answer what a thread waits for, and go on with it
    #[command(
        after_help = "Examples:\n  mailproof respond --thread invoice-7 accept\n  mailproof respond --thread invoice-7 respond \"Shorter, please\"\n  mailproof respond --thread invoice-7 edit subject=\"Invoice 1042\""
    )]
    Respond(RespondArgs),
    /// Decide yourself what a judge decides, blind to what it said, to measure it by
    #[command(
        after_help = "Examples:\n  mailproof label before-change\n  mailproof label before-change --by ana --limit 50 -o judges/calibration/ours.jsonl\n  mailproof calibrate response_criteria --items judges/calibration/ours.jsonl"
    )]
    Label(LabelArgs),
    /// Accept what an experiment did as the right behaviour, kept in ./snapshots
    #[command(
        after_help = "Examples:\n  mailproof accept before-change\n  mailproof accept before-change -a workflow@rules --example invoice-question"
    )]
    Accept(AcceptArgs),
    /// Walk through what an experiment did otherwise than accepted
    #[command(
        after_help = "Examples:\n  mailproof review-changes\n  mailproof review-changes after-change --check"
    )]
    ReviewChanges(ReviewChangesArgs),
    /// Show a figure over the experiments under ./reports
    #[command(
        after_help = "Examples:\n  mailproof history\n  mailproof history triage.accuracy -a workflow@rules -n 50"
    )]
    History(HistoryArgs),
    /// List the experiments under ./reports
    #[command(after_help = "Example:\n  mailproof list --json")]
    List,
    /// Check a dataset and count what is in it; runs nothing
    #[command(after_help = "Example:\n  mailproof validate datasets/mine.yaml")]
    Validate(ValidateArgs),
    /// Turn emails and labels of another format into a dataset
    #[command(
        after_help = "Example:\n  mailproof import export.jsonl --from langsmith -o mine.yaml"
    )]
    Import(ImportArgs),
    /// Measure how often a judge is right, on labelled items
    #[command(
        after_help = "Examples:\n  mailproof calibrate response_criteria\n  mailproof calibrate response_criteria --judge-model anthropic:claude-x --judge-votes 3\n  mailproof calibrate response_criteria --items labels.jsonl --json"
    )]
    Calibrate(Box<CalibrateArgs>),
    /// Check the set-up: models, keys, dataset, and where results go
    #[command(after_help = "Example:\n  mailproof doctor")]
    Doctor(DoctorArgs),
    /// Write a commented mailproof.yaml
    #[command(after_help = "Example:\n  mailproof init && mailproof run")]
    Init(InitArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  mailproof completions bash > ~/.local/share/bash-completion/completions/mailproof"
    )]
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// What a verb needs to reach servers, and may.
#[derive(Clone, Debug, Default, Args)]
pub struct Reach {
    /// Keys and addresses, NAME=VALUE a line; variables that are set win; repeatable
    #[arg(long, env = "MAILPROOF_ENV_FILE", value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Refuse every server that is not on this machine
    #[arg(long, env = "MAILPROOF_OFFLINE", value_parser = FalseyValueParser::new())]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// An experiment under ./reports; default: the newest
    pub experiment: Option<String>,
    /// Which scores: those of `rescore` by their number, or 0 for the run's own; default: the
    /// newest
    #[arg(long, env = "MAILPROOF_LAYER", value_name = "N")]
    pub layer: Option<u32>,
    /// Compare with it: EXPERIMENT, EXPERIMENT/VARIANT, a reference file, or FILE#VARIANT
    #[arg(long, env = "MAILPROOF_REFERENCE", value_name = "REFERENCE")]
    pub reference: Option<String>,
    /// What counts as worse than the reference; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Also write it here; the format by extension: .json, .md, .html, .svg, .csv,
    /// .junit.xml, .codequality.json, .comment.md; repeatable
    #[arg(short, long, env = "MAILPROOF_OUTPUT", value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Write report.html beside the journal, and show it in the browser
    #[arg(long)]
    pub open: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which variant of which experiment
    #[arg(value_name = "EXPERIMENT/VARIANT", required_unless_present = "graph")]
    pub variant: Option<String>,
    /// Which example
    #[arg(value_name = "EXAMPLE", required_unless_present = "graph")]
    pub example: Option<String>,
    /// Which attempt at it, from 1
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: u32,
    /// Which scores: those of `rescore` by their number, or 0 for the run's own; default: the
    /// newest
    #[arg(long, env = "MAILPROOF_LAYER", value_name = "N")]
    pub layer: Option<u32>,
    /// Show the system prompts too
    #[arg(long)]
    pub prompts: bool,
    /// Show long texts whole
    #[arg(long)]
    pub full: bool,
    /// Draw an agent's graph instead
    #[arg(long, value_name = "AGENT", conflicts_with_all = ["variant", "example"])]
    pub graph: Option<String>,
    /// Language of the drawing
    #[arg(long, value_enum, default_value_t = Drawing::Mermaid, requires = "graph", value_name = "LANGUAGE")]
    pub format: Drawing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    Mermaid,
    Dot,
}

#[derive(Debug, Args)]
pub struct ThreadsArgs {
    /// Show what this thread asks, whole
    #[arg(value_name = "THREAD")]
    pub thread: Option<String>,
    /// Threads that wait for nobody too
    #[arg(long, conflicts_with = "thread")]
    pub all: bool,
    /// What people decided on this thread, in order
    #[arg(long, value_name = "THREAD", conflicts_with_all = ["thread", "all"])]
    pub history: Option<String>,
    /// What is remembered, by namespace
    #[arg(long, conflicts_with_all = ["thread", "all", "history"])]
    pub memory: bool,
    /// Where threads live: `sqlite:PATH`, `postgres://…`, `mongodb://…` [default: `MONGODB_URI`
    /// where set, else sqlite:mailproof-threads.db]
    #[arg(
        long,
        env = "MAILPROOF_CHECKPOINTER",
        value_name = "URL",
        hide_env_values = true
    )]
    pub checkpointer: Option<String>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct RespondArgs {
    /// The thread to answer
    #[arg(long, env = "MAILPROOF_THREAD", value_name = "NAME")]
    pub thread: String,
    /// The answer; `continue` answers nothing and goes on with a thread whose process died
    #[arg(value_enum, value_name = "ANSWER")]
    pub kind: AnswerKind,
    /// What to say (`respond`), or the arguments to change (`edit`): NAME=VALUE
    #[arg(value_name = "TEXT|NAME=VALUE")]
    pub words: Vec<String>,
    /// Arguments to change, as a JSON object in a file (`-` reads stdin)
    #[arg(long, value_name = "FILE")]
    pub json_args: Option<PathBuf>,
    /// The question to answer, where the thread asks several, or to be sure which it is
    #[arg(long, value_name = "ID")]
    pub interrupt: Option<String>,
    /// Who answers; default: the user of this machine
    #[arg(long = "as", env = "MAILPROOF_AS", value_name = "NAME")]
    pub who: Option<String>,
    /// Where threads live: `sqlite:PATH`, `postgres://…`, `mongodb://…` [default: `MONGODB_URI`
    /// where set, else sqlite:mailproof-threads.db]
    #[arg(
        long,
        env = "MAILPROOF_CHECKPOINTER",
        value_name = "URL",
        hide_env_values = true
    )]
    pub checkpointer: Option<String>,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerKind {
    /// Do it as proposed
    Accept,
    /// Do it with other arguments
    Edit,
    /// Do not do it, and end
    Ignore,
    /// Answer a question, or say what to do instead
    Respond,
    /// Go on with a thread whose process died
    Continue,
}

impl AnswerKind {
    pub fn name(self) -> &'static str {
        match self {
            AnswerKind::Accept => "accept",
            AnswerKind::Edit => "edit",
            AnswerKind::Ignore => "ignore",
            AnswerKind::Respond => "respond",
            AnswerKind::Continue => "continue",
        }
    }
}

#[derive(Debug, Args)]
pub struct LabelArgs {
    /// An experiment under ./reports
    pub experiment: String,
    /// The judge whose statements to decide: `response_criteria` or `feedback_honoured`
    #[arg(long, value_name = "NAME", default_value_t = JudgeKey::ResponseCriteria)]
    pub judge: JudgeKey,
    /// Who labels; default: git's `user.name`, or the user of this machine
    #[arg(long, env = "MAILPROOF_BY", value_name = "NAME")]
    pub by: Option<String>,
    /// The items to add to, as JSONL [default: judges/calibration/JUDGE.EXPERIMENT.jsonl]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The first N statements in the order drawn, those labelled before included
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The order is drawn by it; a second person with the same sees the same first
    #[arg(long, env = "MAILPROOF_SEED", value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// YAML, JSONL, or folders; default: the built-in emails
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The same, as `run` takes it; PATH wins over it
    #[arg(short, long, env = "MAILPROOF_DATASET", value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What to read
    pub file: PathBuf,
    /// Its shape: auto, workshop, langsmith, openai-chat, csv
    #[arg(long, value_parser = parse_shape, default_value_t = Shape::Auto, value_name = "SHAPE")]
    pub from: Shape,
    /// The dataset to write: .yaml or .jsonl
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Models to check; default: those of the configuration
    #[arg(
        short,
        long,
        env = "MAILPROOF_MODEL",
        value_name = "PROVIDER:NAME",
        value_delimiter = ','
    )]
    pub model: Vec<String>,
    /// Ask each model that has an endpoint three short questions, which costs a little
    #[arg(long, env = "MAILPROOF_LIVE", value_parser = FalseyValueParser::new())]
    pub live: bool,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to write it
    #[arg(default_value = "mailproof.yaml")]
    pub path: PathBuf,
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    text.parse()
        .map_err(|error: UnknownShape| error.to_string())
}

/// More workers than this only cost memory: each holds a whole trajectory.
const MOST_CONCURRENCY: usize = 10_000;

pub fn parse_concurrency(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(n) if n.get() <= MOST_CONCURRENCY => Ok(n),
        _ => Err(format!("use a whole number from 1 to {MOST_CONCURRENCY}")),
    }
}

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "use a time such as `90s`, `5m`, or `1h 30m`, longer than nothing".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(wrong()),
    }
}

pub fn parse_budget(text: &str) -> Result<Cost, String> {
    let wrong = || "use an amount of US dollars from 0 to a million, such as `2.50`".to_owned();
    let usd: f64 = text.parse().map_err(|_| wrong())?;
    Cost::try_from(usd).map_err(|_| wrong())
}

pub fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("use a share from 0 to 1, such as `0.9`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example() {
        for verb in Cli::command().get_subcommands() {
            let help = verb
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("mailproof "), "{}", verb.get_name());
        }
    }

    #[test]
    fn every_flag_of_run_has_an_environment_variable() {
        let command = Cli::command();
        let run = command.find_subcommand("run").expect("run is a verb");
        for argument in run.get_opts() {
            assert!(argument.get_env().is_some(), "{}", argument.get_id());
        }
    }

    #[test]
    fn durations_are_positive_times() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h 30m", 5400)] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "0s", "-5s", "five", "5"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_budget_is_an_amount_of_money() {
        assert_eq!(
            parse_budget("0.01"),
            Ok(Cost::of_trillionths(10_000_000_000))
        );
        assert_eq!(parse_budget("0"), Ok(Cost::ZERO));
        for text in ["-1", "NaN", "inf", "1e7", "$5", "5 USD", ""] {
            assert!(parse_budget(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pass_rate_is_a_share() {
        assert_eq!(parse_rate("0.9"), Ok(0.9));
        for text in ["90", "-0.1", "NaN", "x"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
