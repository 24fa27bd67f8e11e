//! What is wrong with a request.

use super::suites::LeftOut;
use crate::agent::UnknownAgent;
use crate::experiment::gate::Misfit;
use crate::experiment::grid::{Grid, Items};
use crate::experiment::record::CaseKind;

/// Why nothing can be run as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("no agent is chosen: name one with `-a`")]
    NoAgent,
    #[error("no model is chosen: name one with `-m`, as in `-m rules`")]
    NoModel,
    #[error(transparent)]
    UnknownAgent(#[from] UnknownAgent),
    #[error(transparent)]
    Gate(#[from] Misfit),
    #[error("variant `{0}` is planned twice: name each agent and each model once")]
    VariantTwice(String),
    #[error(
        "variants `{one}` and `{other}` would share the file name `{file_name}`: run them as two experiments"
    )]
    VariantFileName {
        one: String,
        other: String,
        file_name: String,
    },
    #[error("{what} must be at least 1, not 0")]
    Zero { what: &'static str },
    #[error("a pass rate is from 0 to 1, not {0}")]
    PassRate(f64),
    #[error(
        "no example, scenario, or episode has the {}: {}",
        ids_are(ids),
        did_you_mean(near)
    )]
    UnknownIds { ids: Vec<String>, near: Vec<String> },
    #[error("nothing has the tag `{tag}`: {}", existing_are("tags", existing))]
    UnknownTag { tag: String, existing: Vec<String> },
    #[error(
        "nothing is in the split `{split}`: {}",
        existing_are("splits", existing)
    )]
    UnknownSplit {
        split: String,
        existing: Vec<String>,
    },
    /// Exit code 4.
    #[error("{}", nothing(*of, *unasked, left_out))]
    Nothing {
        /// What there was to select from, for the suites that apply.
        of: Items,
        unasked: usize,
        left_out: Vec<LeftOut>,
    },
    #[error("a dataset may have at most 4294967295 {}", kind.noun(0))]
    TooMany { kind: CaseKind },
    #[error(
        "{variants} variants × {items} examples, scenarios, and episodes × {repeat} repeats are more than the {} attempts an experiment may have: repeat less or select fewer",
        Grid::MOST
    )]
    TooManyAttempts {
        variants: usize,
        items: usize,
        repeat: u32,
    },
}

fn nothing(of: Items, unasked: usize, left_out: &[LeftOut]) -> String {
    let mut text = match of.count() {
        0 => "nothing is left to run".to_owned(),
        _ => format!("nothing is selected out of {of}{}", what_to_loosen(unasked)),
    };
    for left_out in left_out {
        text.push_str(&format!("; {left_out}"));
    }
    text
}

fn what_to_loosen(unasked: usize) -> String {
    match unasked {
        0 => ": loosen the filters".to_owned(),
        _ => format!(
            "; {unasked} fit the filters, but no suite asks anything of them: name other suites"
        ),
    }
}

pub(in crate::experiment) fn quoted(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut text = String::new();
    for (index, name) in names.iter().take(MOST).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("`{name}`"));
    }
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

fn ids_are(ids: &[String]) -> String {
    let plural = if ids.len() == 1 { "id" } else { "ids" };
    format!("{plural} {}", quoted(ids))
}

fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => "`mailproof validate` counts what the dataset has".to_owned(),
        near => format!("did you mean {}?", quoted(near)),
    }
}

fn existing_are(what: &str, existing: &[String]) -> String {
    match existing {
        [] => format!("the dataset has no {what}"),
        existing => format!("the {what} are {}", quoted(existing)),
    }
}
