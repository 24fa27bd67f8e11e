//! Goes on with an experiment that was stopped.
//!
//! What the journal holds is done and is not run again, whatever it came to. The prompts'
//! date and the seed are the journal's ([`Choices::of`](super::Choices::of) starts from it),
//! and a plan that differs is refused: half an experiment under each of two plans says
//! nothing about either.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::execute::{Counts, Recorded};
use super::journal::{Journal, JournalError};
use super::plan::Plan;
use super::record::Header;
use crate::dataset::Dataset;
use crate::redact::Redactor;
use crate::run::Cost;

/// A journal to go on with.
#[derive(Debug)]
pub struct Resumed {
    pub journal: Journal,
    /// As it was written; targets take its date.
    pub header: Header,
    pub recorded: Recorded,
    /// What earlier sittings spent; `None` where the price of any call is not known.
    pub spent: Option<Cost>,
}

/// Why an experiment cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "{} was started with another plan: give the same choices, or start a new experiment{}",
        path.display(),
        lines(differences)
    )]
    OtherPlan {
        path: PathBuf,
        differences: Vec<Difference>,
    },
}

/// One field of the plan that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As it stands in the header: `limits.max_steps`.
    pub field: String,
    pub recorded: String,
    pub asked: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.field, self.recorded, self.asked)
    }
}

pub(super) fn lines(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("\n  {difference}"))
        .collect()
}

/// Opens the journal at `path` to go on with `plan`, which was resolved with `dataset`.
///
/// # Errors
/// [`ResumeError::OtherPlan`], and those of opening and reading the journal.
pub fn resume(
    path: &Path,
    plan: &Plan,
    dataset: &Dataset,
    redactor: Arc<Redactor>,
) -> Result<Resumed, ResumeError> {
    let hide = Arc::clone(&redactor);
    let (journal, (header, recorded, spent)) = Journal::reopen(path, redactor, |reader| {
        let header = reader.header().clone();
        let differences = differences(&header, plan, &hide);
        if !differences.is_empty() {
            return Err(ResumeError::OtherPlan {
                path: path.to_owned(),
                differences,
            });
        }
        let mut counts = Counts::default();
        while let Some(entry) = reader.next_attempt::<IgnoredAny>()? {
            let case = &entry.attempt.case;
            let planned = plan.item(case.position, dataset).id();
            if hide.text(planned) != case.example.as_str() {
                let reason = format!(
                    "an attempt at `{}` where the plan has `{planned}`",
                    case.example
                );
                return Err(reader.corrupt(&reason).into());
            }
            let index = plan.grid().index(case.case());
            if !index.is_some_and(|index| plan.is_planned(index)) {
                let reason = format!("an attempt at `{planned}` that is another shard's");
                return Err(reader.corrupt(&reason).into());
            }
            counts.record(&entry.attempt);
        }
        let done = reader.done().clone();
        let canaries = reader.canaries().to_vec();
        let spent = reader.ledger().spent();
        let recorded = Recorded {
            done,
            counts,
            canaries,
        };
        Ok((header, recorded, spent))
    })?;
    Ok(Resumed {
        journal,
        header,
        recorded,
        spent,
    })
}

/// The fields in which a plan is not the one that a header keeps.
fn differences(recorded: &Header, plan: &Plan, redactor: &Redactor) -> Vec<Difference> {
    let asked = plan.header(&recorded.experiment, recorded.created, recorded.date);
    // Through text, as the recorded one went: what that cost it, it costs both.
    let text = serde_json::to_string(&asked).expect("a header has string keys only");
    let asked = serde_json::from_str(&redactor.json(&text)).expect("it was JSON");
    let mut found = between(recorded, &asked);
    // The same examples may have moved, and a judge may have been calibrated since. What
    // results are held to changes no run.
    found.retain(|d| {
        let is_standing = d.field.starts_with("judges[") && d.field.contains(".standing");
        !d.field.starts_with("dataset.paths")
            && d.field != "dataset.name"
            && !is_standing
            && !is_gate(&d.field)
    });
    found
}

fn is_gate(field: &str) -> bool {
    field == "gates" || field.starts_with("gates.")
}

/// The fields in which two headers differ.
pub(super) fn between(recorded: &Header, asked: &Header) -> Vec<Difference> {
    let value = |header| serde_json::to_value(header).expect("a header has string keys only");
    let mut found = Vec::new();
    compare("", &value(recorded), &value(asked), &mut found);
    found
}

fn compare(field: &str, recorded: &Value, asked: &Value, found: &mut Vec<Difference>) {
    if recorded == asked {
        return;
    }
    if let (Value::Object(one), Value::Object(other)) = (recorded, asked) {
        let more = other.keys().filter(|key| !one.contains_key(*key));
        for key in one.keys().chain(more) {
            let field = match field {
                "" => key.clone(),
                field => format!("{field}.{key}"),
            };
            let part = |object: &serde_json::Map<String, Value>| {
                object.get(key).cloned().unwrap_or_default()
            };
            compare(&field, &part(one), &part(other), found);
        }
        return;
    }
    // Lists of one length differ within: a variant in its router's model, say.
    if let (Value::Array(one), Value::Array(other)) = (recorded, asked)
        && one.len() == other.len()
        && one.iter().chain(other).all(Value::is_object)
    {
        for (index, (one, other)) in one.iter().zip(other).enumerate() {
            compare(&format!("{field}[{index}]"), one, other, found);
        }
        return;
    }
    found.push(Difference {
        field: field.to_owned(),
        recorded: shown(recorded),
        asked: shown(asked),
    });
}

/// A value on one line of a bounded length; of a list of named things, the names.
fn shown(value: &Value) -> String {
    const MOST: usize = 120;
    let text = match value {
        Value::Null => "not given".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let name = |item: &Value| {
                let name = item.get("name").or_else(|| item.get("judge"));
                shown(name.unwrap_or(item))
            };
            items.iter().map(name).collect::<Vec<_>>().join(", ")
        }
        Value::String(text) => text.escape_debug().to_string(),
        value => value.to_string(),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
