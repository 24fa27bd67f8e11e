//! `mailproof.yaml`: what the flags say, kept in a file.
//!
//! A key is the long name of a flag with `_` for `-`. A flag, or its environment variable,
//! wins over the file. Unknown keys are errors.

mod gates;
mod models;
mod value;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::gates::Conditions;
use self::models::{Models, Roles};
pub use self::value::OneOrMany;
use self::value::{
    Concurrency, Dollars, LookCount, Positive, Rate, Requests, Thresholds, Time, Tokens, Votes,
};
use super::args::{Choices, Destination, JudgeChoice, Reach};
use crate::agent::{Background, MemoryAccess};
use crate::experiment::gate::{Indecisive, Regression};
use crate::model::catalog::Catalog;
use crate::model::price::Table;
use crate::model::rules::{Rulebook, RulebookError};
use crate::score::{Suite, TriageCosts};

/// Read where no file is named.
pub const DEFAULT_PATH: &str = "mailproof.yaml";

/// The file `mailproof init` writes: every key, commented out, with its default.
pub const TEMPLATE: &str = include_str!("../mailproof.yaml");

/// A configuration larger than this is a mistake.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub suite: Option<OneOrMany<Suite>>,
    pub dataset: Option<OneOrMany<PathBuf>>,
    pub agent: Option<OneOrMany<String>>,
    pub model: Option<OneOrMany<String>>,
    pub router_model: Option<String>,
    pub memory: Option<MemoryAccess>,
    pub memory_model: Option<String>,
    pub simulator_model: Option<String>,
    pub judge: Option<OneOrMany<JudgeChoice>>,
    pub judge_model: Option<OneOrMany<String>>,
    pub judge_votes: Option<Votes>,
    pub judge_file: Option<OneOrMany<PathBuf>>,
    pub judge_thresholds: Option<Thresholds>,
    pub trust_uncalibrated_judges: Option<bool>,
    models: Option<Models>,
    roles: Option<Roles>,
    /// Rules for the embedded model, in the place of its own.
    pub rules_file: Option<PathBuf>,
    #[serde(skip)]
    rulebook: Rulebook,
    pub env_file: Option<OneOrMany<PathBuf>>,
    pub offline: Option<bool>,
    pub background: Option<Background>,
    pub review_tools: Option<OneOrMany<String>>,
    pub notify_accept: Option<bool>,
    pub checkpointer: Option<String>,
    /// Who may answer what agents ask; anybody where it is not set.
    pub approvers: Option<OneOrMany<String>>,
    /// A program and its arguments, told of every new question.
    pub notify_command: Option<OneOrMany<String>>,
    pub repeat: Option<Positive>,
    /// Attempts are made until looks at them say enough, so many at most.
    pub looks: Option<LookCount>,
    pub seed: Option<u64>,
    pub max_concurrency: Option<Concurrency>,
    pub limit: Option<usize>,
    pub sample: Option<usize>,
    pub example: Option<OneOrMany<String>>,
    pub tag: Option<OneOrMany<String>>,
    pub split: Option<String>,
    pub timeout: Option<Time>,
    pub max_steps: Option<Positive>,
    pub max_failures: Option<Positive>,
    pub max_retries: Option<u32>,
    pub rpm: Option<Requests>,
    pub tpm: Option<Tokens>,
    pub run_timeout: Option<Time>,
    pub budget_usd: Option<Dollars>,
    /// What models cost where nobody publishes it, or other than what is published.
    pub prices: Option<Table>,
    pub record: Option<PathBuf>,
    pub replay: Option<PathBuf>,
    pub output: Option<OneOrMany<PathBuf>>,
    /// Where results are sent when a run is over.
    pub push: Option<OneOrMany<Destination>>,
    pub push_required: Option<bool>,
    /// What results are compared with.
    pub reference: Option<String>,
    pub min_pass_rate: Option<Rate>,
    gates: Option<Conditions>,
    regression: Option<Regression>,
    indecisive: Option<Indecisive>,
    pub triage_costs: Option<TriageCosts>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read configuration `{}`: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Rules(#[from] RulebookError),
    #[error("configuration `{}` is larger than 1 MiB", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Invalid {
        path: PathBuf,
        line: u64,
        column: u64,
        reason: String,
    },
}

impl Config {
    /// Reads `path`, or [`DEFAULT_PATH`] where it exists, or nothing.
    ///
    /// # Errors
    /// A file that was named cannot be read; any file is invalid.
    pub fn read(path: Option<&Path>) -> Result<Config, ConfigError> {
        let named = path.is_some();
        let path = path.unwrap_or(Path::new(DEFAULT_PATH));
        let unreadable = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        match std::fs::metadata(path) {
            Ok(file) if file.len() > MOST_BYTES => {
                return Err(ConfigError::TooLarge {
                    path: path.to_owned(),
                });
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {
                return Ok(Config::default());
            }
            Err(error) => return Err(unreadable(error)),
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let mut config = Config::parse(&text, path)?;
        if let Some(rules) = &config.rules_file {
            config.rulebook = Rulebook::read(rules)?;
        }
        Ok(config)
    }

    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let text = text.trim_start_matches('\u{feff}');
        let only_comments = text
            .lines()
            .map(str::trim)
            .all(|line| line.is_empty() || line.starts_with('#') || line == "---");
        if only_comments {
            return Ok(Config::default());
        }
        let options = serde_yaml::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        serde_yaml::from_str_with_options(text, options).map_err(|error| {
            let location = error.location();
            ConfigError::Invalid {
                path: path.to_owned(),
                line: location.map_or(1, |at| at.line()),
                column: location.map_or(1, |at| at.column()),
                reason: first_line(&error.without_snippet().to_string()),
            }
        })
    }

    /// Fills what `choices` leave open.
    pub fn complete(&self, choices: &mut Choices) {
        fn many<T: Clone>(choice: &mut Vec<T>, from: &Option<OneOrMany<T>>) {
            if let (true, Some(OneOrMany(values))) = (choice.is_empty(), from) {
                choice.clone_from(values);
            }
        }
        fn one<T: Clone>(choice: &mut Option<T>, from: Option<T>) {
            *choice = choice.take().or(from);
        }
        many(&mut choices.dataset, &self.dataset);
        many(&mut choices.agent, &self.agent);
        many(&mut choices.model, &self.model);
        many(&mut choices.judge, &self.judge);
        many(&mut choices.panel.judge_model, &self.judge_model);
        many(&mut choices.panel.judge_file, &self.judge_file);
        one(
            &mut choices.panel.judge_votes,
            self.judge_votes.as_ref().map(|votes| votes.0),
        );
        many(&mut choices.example, &self.example);
        many(&mut choices.tag, &self.tag);
        many(&mut choices.output, &self.output);
        one(&mut choices.router_model, self.router_model.clone());
        one(&mut choices.memory, self.memory);
        one(&mut choices.memory_model, self.memory_model.clone());
        one(&mut choices.simulator_model, self.simulator_model.clone());
        // A flag for the one wins over the other, too.
        let attempts = (choices.repeat, choices.looks);
        if attempts == (None, None) {
            choices.repeat = self.repeat.as_ref().map(|n| n.0);
            choices.looks = self.looks.as_ref().map(|n| n.0);
        }
        one(&mut choices.seed, self.seed);
        one(
            &mut choices.limits.max_concurrency,
            self.max_concurrency.as_ref().map(|n| n.0),
        );
        one(&mut choices.limit, self.limit);
        one(&mut choices.sample, self.sample);
        one(&mut choices.split, self.split.clone());
        one(
            &mut choices.timeout,
            self.timeout.as_ref().map(|time| time.0),
        );
        one(
            &mut choices.run_timeout,
            self.run_timeout.as_ref().map(|time| time.0),
        );
        one(&mut choices.limits.max_retries, self.max_retries);
        one(
            &mut choices.limits.budget_usd,
            self.budget_usd.as_ref().map(|usd| usd.0),
        );
        self.reach(&mut choices.reach);
        one(&mut choices.max_steps, self.max_steps.as_ref().map(|n| n.0));
        one(&mut choices.recordings.record, self.record.clone());
        one(&mut choices.recordings.replay, self.replay.clone());
        one(
            &mut choices.min_pass_rate,
            self.min_pass_rate.as_ref().map(|rate| rate.0),
        );
    }
}

impl Config {
    /// Fills what `reach` leaves open. What the file refuses, no flag allows.
    pub fn reach(&self, reach: &mut Reach) {
        if let (true, Some(OneOrMany(files))) = (reach.env_file.is_empty(), &self.env_file) {
            reach.env_file.clone_from(files);
        }
        reach.offline |= self.offline.unwrap_or(false);
    }

    /// What it says about models.
    pub fn catalog(&self) -> Catalog {
        Catalog {
            rulebook: self.rulebook.clone(),
            ..models::catalog(self.models.as_ref(), self.roles.as_ref())
        }
    }
}

/// The first line of a message: the parser's own pictures of the source are not wanted, nor
/// that it says once more where it is.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let told = line.rfind(" at line ").map(|at| line.split_at(at));
    match told {
        Some((line, place)) if place.contains(", column ") => line.to_owned(),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("mailproof.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_repeatable_key_takes_one_value_or_a_list() {
        let one = parse("agent: workflow\nsuite: triage\n").unwrap();
        assert_eq!(one.agent, Some(OneOrMany(vec!["workflow".to_owned()])));
        assert_eq!(one.suite, Some(OneOrMany(vec![Suite::Triage])));
        let many = parse("agent: [workflow, baseline]\ntimeout: 90s\n").unwrap();
        assert_eq!(many.agent.unwrap().0.len(), 2);
        assert_eq!(many.timeout, Some(Time(Duration::from_secs(90))));
    }

    #[test]
    fn a_mistake_is_located() {
        for (text, at, word) in [
            (
                "repeat: 2\nagnet: workflow\n",
                "mailproof.yaml:2:1",
                "agnet",
            ),
            ("repeat: 0\n", "mailproof.yaml:1:9", "at least 1"),
            (
                "seed: 1\ntimeout: soon\n",
                "mailproof.yaml:2:10",
                "use a time",
            ),
            (
                "min_pass_rate: 90\n",
                "mailproof.yaml:1:16",
                "share from 0 to 1",
            ),
            ("suite: [triag]\n", "mailproof.yaml:1:9", "triag"),
            (
                "judge: [response_critera]\n",
                "mailproof.yaml:1:9",
                "is no judge; those are",
            ),
            ("judge_votes: 99\n", "mailproof.yaml:1:14", "from 1 to 15"),
            (
                "judge_thresholds: { response.criteria: 80 }\n",
                "mailproof.yaml:1:40",
                "share from 0 to 1",
            ),
            (
                "judge_thresholds:\n  response.all_met: 0.8\n",
                "mailproof.yaml:2:3",
                "`response.all_met` takes no threshold; those that do are response.criteria,",
            ),
            ("repeat: [\n", "mailproof.yaml:", ""),
            (
                "gates:\n  - pass_rate >= 0.7\n  - pass_rate >= 70\n",
                "mailproof.yaml:3:5",
                "cannot be held to 70",
            ),
            (
                "gates:\n  - { check: triage.acuracy >= 0.7 }\n",
                "mailproof.yaml:2:14",
                "is no figure",
            ),
            (
                "gates:\n  - { cases: all, at_leats: 1 }\n",
                "mailproof.yaml:2:19",
                "at_leats",
            ),
            (
                "gates:\n  - { forbidden: { tools: [send] } }\n",
                "mailproof.yaml:2:28",
                "is no tool",
            ),
            (
                "gates:\n  - { cases: all }\n",
                "mailproof.yaml:2:",
                "needs `at_least`",
            ),
            (
                "regression: { keys: [triage.macro_f1] }\n",
                "mailproof.yaml:1:22",
                "cannot be compared by",
            ),
            (
                "regression: { margin: 5 }\n",
                "mailproof.yaml:1:23",
                "from 0 to 1",
            ),
            ("indecisive: maybe\n", "mailproof.yaml:1:13", "maybe"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.starts_with(at), "{message}");
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let config = parse("repeat: 3\nseed: 7\nagent: workflow\n").unwrap();
        let mut choices = Choices {
            repeat: Some(5),
            ..Choices::default()
        };
        config.complete(&mut choices);
        assert_eq!((choices.repeat, choices.seed), (Some(5), Some(7)));
        assert_eq!(choices.agent, ["workflow"]);
    }

    #[test]
    fn a_flag_for_attempts_wins_over_looks_in_the_file_and_the_other_way_round() {
        for (text, repeat, looks, found) in [
            ("looks: 4\n", None, None, (None, Some(4))),
            ("looks: 4\n", Some(2), None, (Some(2), None)),
            ("repeat: 3\n", None, Some(5), (None, Some(5))),
        ] {
            let mut choices = Choices {
                repeat,
                looks,
                ..Choices::default()
            };
            parse(text).unwrap().complete(&mut choices);
            assert_eq!((choices.repeat, choices.looks), found, "{text}");
        }
        assert!(parse("looks: 1\n").is_err());
    }

    #[test]
    fn the_template_is_valid_and_says_nothing_until_edited() {
        assert_eq!(parse(TEMPLATE), Ok(Config::default()));
    }

    #[test]
    fn the_template_names_every_key_with_a_value_that_parses() {
        let uncommented: String = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix("#: "))
            .map(|line| format!("{line}\n"))
            .collect();
        let config = parse(&uncommented).unwrap();
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("None"),
            "a key is missing from the template: {shown}"
        );
    }
}
