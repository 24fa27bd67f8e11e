//! Gates: what results must be like, so that a pipeline can go on.
//!
//! [`Gates`] are what somebody asked for, in `mailproof.yaml` or in the header of a journal; what
//! becomes of them is the report's. `docs/gates.md` has every form.

mod check;
mod deeds;
mod figure;
mod parse;
mod read;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{Misfit, Problem};
pub use deeds::{Deeds, Pattern};
pub use figure::{Direction, Figure, Spread};
pub use parse::{Group, ParseError, Policy, Threshold};
pub use read::ConditionError;

/// All that results are held to, but for judges, whose thresholds stand with them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// In the order of the reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What counts as worse than a reference; the defaults where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
    /// What becomes of the command where a gate cannot decide.
    #[serde(default, skip_serializing_if = "is_default")]
    pub indecisive: Indecisive,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Gates {
    /// Whether nothing is asked that is not asked anyway.
    pub fn is_default(&self) -> bool {
        is_default(self)
    }

    /// What counts as worse than a reference.
    pub fn regression(&self) -> Regression {
        self.regression.clone().unwrap_or_default()
    }

    /// What becomes of the command where a comparison cannot decide.
    pub fn indecisive_regression(&self) -> Indecisive {
        let own = self.regression.as_ref().and_then(|it| it.indecisive);
        own.unwrap_or(self.indecisive)
    }

    /// Whether trajectories have to be read to decide.
    pub fn look_at_deeds(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|condition| matches!(condition.rule, Rule::Forbidden { .. }))
    }
}

/// One gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub rule: Rule,
    /// The variant it looks at; all of them where absent.
    pub variant: Option<String>,
    /// What becomes of the command where it cannot decide; [`Gates::indecisive`] where absent.
    pub indecisive: Option<Indecisive>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// A figure reaches a limit.
    Threshold {
        threshold: Threshold,
        /// Whether the end of the interval must reach it, and not the value alone.
        bound: bool,
    },
    /// So many of the examples pass as often as the policy wants.
    Cases {
        policy: Policy,
        /// From 0 to 1.
        least: f64,
        group: Option<Group>,
    },
    /// None of these may ever fail.
    Critical { ids: Vec<String>, tags: Vec<String> },
    /// Nothing of this may ever be done.
    Forbidden {
        /// Whom nothing may be sent to.
        recipients: Vec<Pattern>,
        /// Tools that may not be called, by the agents' names.
        tools: Vec<String>,
    },
}

impl fmt::Display for Condition {
    /// What a report calls it: `triage.accuracy[test] >= 0.9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Threshold { threshold, bound } => {
                let bound = if *bound { " (bound)" } else { "" };
                write!(f, "{threshold}{bound}")
            }
            Rule::Cases {
                policy,
                least,
                group,
            } => {
                write!(f, "cases {policy}")?;
                if let Some(group) = group {
                    write!(f, " {group}")?;
                }
                write!(f, " >= {least}")
            }
            Rule::Critical { ids, tags } => {
                let tags = tags.iter().map(|tag| format!("[tag:{tag}]"));
                let named: Vec<String> = ids.iter().cloned().chain(tags).collect();
                write!(f, "critical {}", some(&named))
            }
            Rule::Forbidden { recipients, tools } => {
                let recipients = recipients.iter().map(ToString::to_string);
                let named: Vec<String> = recipients.chain(tools.iter().cloned()).collect();
                write!(f, "forbidden {}", some(&named))
            }
        }
    }
}

/// The first few of many names.
fn some(names: &[String]) -> String {
    const MOST: usize = 3;
    match names.len() {
        0..=MOST => names.join(", "),
        more => format!("{} and {} more", names[..MOST].join(", "), more - MOST),
    }
}

/// What counts as worse than a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Regression {
    /// The largest drop that nobody minds, from 0 to 1.
    #[serde(deserialize_with = "read::share")]
    pub margin: f64,
    /// The share of false alarms that is put up with, between 0 and 1.
    #[serde(deserialize_with = "read::alpha")]
    pub alpha: f64,
    /// The measures that gate: `pass_rate`, or keys.
    #[serde(with = "read::measures")]
    #[schemars(with = "Vec<String>")]
    pub keys: Vec<Figure>,
    /// What becomes of the command where a comparison cannot decide; that of all gates where
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indecisive: Option<Indecisive>,
}

impl Default for Regression {
    fn default() -> Self {
        Regression {
            margin: 0.05,
            alpha: 0.05,
            keys: vec![Figure::PassRate],
            indecisive: None,
        }
    }
}

/// What becomes of a command whose gate cannot decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Indecisive {
    /// It says so, with exit code 3.
    #[default]
    Exit,
    /// It goes on as if the gate had passed.
    Pass,
    /// It ends as if the gate had failed, with exit code 100.
    Fail,
}
