//! The flags of `mailproof compare` and `mailproof reference`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use crate::compare::Measure;

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What to compare with: EXPERIMENT, EXPERIMENT/VARIANT, a reference file, or FILE#VARIANT
    #[arg(value_name = "A")]
    pub reference: String,
    /// What became of it: likewise
    #[arg(value_name = "B")]
    pub candidate: String,
    /// Show what both did with this example, side by side
    #[arg(long, value_name = "ID")]
    pub example: Option<String>,
    /// Show what both did with the N examples of each pair that changed for the worst, side by
    /// side [default of N: 10]
    #[arg(long, value_name = "N|all", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = parse_flips, conflicts_with = "example")]
    pub flips: Option<Flips>,
    /// Compare what judges said although they were not asked the same
    #[arg(long, env = "MAILPROOF_ACROSS", value_parser = FalseyValueParser::new())]
    pub across: bool,
    #[command(flatten)]
    pub rule: RuleArgs,
    /// Configuration; default: ./mailproof.yaml where it exists
    #[arg(short, long, env = "MAILPROOF_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Also write it here; the format by extension: .json, .md, .html; repeatable
    #[arg(short, long, env = "MAILPROOF_OUTPUT", value_name = "FILE")]
    pub output: Vec<PathBuf>,
}

/// What counts as worse, where the configuration's `regression` is not to decide.
#[derive(Clone, Debug, Default, Args)]
pub struct RuleArgs {
    /// The largest drop that nobody minds [default: 0.05]
    #[arg(long, env = "MAILPROOF_MARGIN", value_name = "0..1", value_parser = parse_margin)]
    pub margin: Option<f64>,
    /// The share of false alarms that is put up with [default: 0.05]
    #[arg(long, env = "MAILPROOF_ALPHA", value_name = "0..0.5", value_parser = parse_alpha)]
    pub alpha: Option<f64>,
    /// What decides: `pass_rate`, or a key as reports have it; repeatable [default: pass_rate]
    #[arg(long, env = "MAILPROOF_KEY", value_name = "KEY", value_delimiter = ',', value_parser = parse_measure)]
    pub key: Vec<Measure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flips {
    Worst(NonZeroUsize),
    All,
}

impl Flips {
    /// Of each pair.
    pub fn most(self) -> usize {
        match self {
            Flips::Worst(count) => count.get(),
            Flips::All => usize::MAX,
        }
    }
}

#[derive(Debug, Args)]
pub struct ReferenceArgs {
    #[command(subcommand)]
    pub what: ReferenceVerb,
}

/// Where a reference is kept where nobody says otherwise.
pub const REFERENCE_FILE: &str = "mailproof-reference.jsonl";

#[derive(Debug, Subcommand)]
pub enum ReferenceVerb {
    /// Write an experiment's scores to a file that others can be compared with
    #[command(after_help = "Example:\n  mailproof reference set before-change")]
    Set {
        /// An experiment under ./reports
        experiment: String,
        /// The file to write
        #[arg(short, long, env = "MAILPROOF_REFERENCE_FILE", value_name = "FILE", default_value = REFERENCE_FILE)]
        output: PathBuf,
        /// Which scores: those of `rescore` by their number, or 0 for the run's own; default: the
        /// newest
        #[arg(long, env = "MAILPROOF_LAYER", value_name = "N")]
        layer: Option<u32>,
    },
    /// Say what a reference file holds
    #[command(after_help = "Example:\n  mailproof reference show --json")]
    Show {
        #[arg(env = "MAILPROOF_REFERENCE_FILE", value_name = "FILE", default_value = REFERENCE_FILE)]
        file: PathBuf,
    },
    /// Show what became of the reference, and put the newer results in its place
    #[command(
        after_help = "Examples:\n  mailproof reference accept\n  mailproof reference accept after-change -o mailproof-reference.jsonl"
    )]
    Accept {
        /// An experiment under ./reports; default: the newest that is complete
        experiment: Option<String>,
        /// The file to replace
        #[arg(short, long, env = "MAILPROOF_REFERENCE_FILE", value_name = "FILE", default_value = REFERENCE_FILE)]
        output: PathBuf,
        #[arg(
            long,
            env = "MAILPROOF_LAYER",
            value_name = "N",
            help = "Which scores, as `set` takes it"
        )]
        layer: Option<u32>,
    },
}

fn parse_flips(text: &str) -> Result<Flips, String> {
    match text {
        "all" => Ok(Flips::All),
        _ => text
            .parse()
            .map(Flips::Worst)
            .map_err(|_| "use a whole number from 1, or `all`".to_owned()),
    }
}

pub fn parse_margin(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(margin) if (0.0..1.0).contains(&margin) => Ok(margin),
        _ => Err("use a share from 0 to less than 1, such as `0.05`".to_owned()),
    }
}

pub fn parse_alpha(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(alpha) if alpha > 0.0 && alpha < 0.5 => Ok(alpha),
        _ => Err("use a share above 0 and below a half, such as `0.05`".to_owned()),
    }
}

fn parse_measure(text: &str) -> Result<Measure, String> {
    Measure::try_from(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_worse_is_given_in_shares() {
        for (text, margin, alpha) in [
            ("0.05", Ok(0.05), Ok(0.05)),
            ("0", Ok(0.0), Err(())),
            ("0.5", Ok(0.5), Err(())),
            ("1", Err(()), Err(())),
            ("-0.1", Err(()), Err(())),
            ("NaN", Err(()), Err(())),
            ("5%", Err(()), Err(())),
        ] {
            assert_eq!(parse_margin(text).map_err(drop), margin, "{text}");
            assert_eq!(parse_alpha(text).map_err(drop), alpha, "{text}");
        }
    }

    #[test]
    fn flips_are_some_or_all() {
        let three = NonZeroUsize::new(3).unwrap();
        for (text, flips) in [
            ("all", Ok(Flips::All)),
            ("3", Ok(Flips::Worst(three))),
            ("0", Err(())),
            ("some", Err(())),
        ] {
            assert_eq!(parse_flips(text).map_err(drop), flips, "{text}");
        }
    }
}
