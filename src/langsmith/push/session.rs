//! What an experiment of the service says of itself: written once, when it is made.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::survey::{Extent, Survey};
use crate::experiment::{Header, JudgePlan, Variant};
use crate::judge::calibration::Standing;
use crate::langsmith::ids;
use crate::langsmith::runs::moved;
use crate::langsmith::scores::evaluator_keys;
use crate::langsmith::wire::{Extra, NewSession, Object, Session};

/// Under it stands by how much all times were moved, in milliseconds.
const SHIFT: &str = "mailproof_time_shift_ms";

/// Under it stands the number of the layer whose scores were pushed first.
const LAYER: &str = "mailproof_layer";

/// The service takes runs of about a day: what began longer ago is moved.
/// Source: its migration tool, which moves what is older than 24 hours.
const OLDEST: SignedDuration = SignedDuration::from_hours(20);

/// What it was made with stands in an experiment of the service no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "experiment {id} (`{name}`) has no `{key}` in its metadata any more, and without it nobody knows what is there: push as another with `--as NAME`"
)]
pub struct Forgotten {
    pub id: Uuid,
    pub name: String,
    pub key: &'static str,
}

/// The state of a working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Git {
    pub commit: String,
    pub branch: Option<String>,
    /// Whether there is what was not committed; `None` where that is not known.
    pub dirty: Option<bool>,
}

/// What all experiments of one push share.
#[derive(Clone, Debug)]
pub struct Shared<'a> {
    pub survey: &'a Survey,
    /// What ids are made of.
    pub pushed_as: &'a str,
    /// What names start with.
    pub prefix: &'a str,
    pub dataset: Uuid,
    /// Of its examples: when the last of them was changed.
    pub dataset_version: Option<Timestamp>,
    /// Of the examples that the runs are of.
    pub splits: Vec<String>,
    pub git: Option<Git>,
    /// What the user wants in the metadata, over what is there by itself.
    pub metadata: &'a Object,
    pub now: Timestamp,
}

impl Shared<'_> {
    /// The experiment of a variant, of which there are attempts; an index into the header's.
    pub fn of(&self, variant: usize) -> NewSession {
        let header = &self.survey.header;
        let named = &header.variants[variant];
        let id = ids::session(self.pushed_as, header.created, &named.name);
        let shift = shift(self.survey.whole(), self.now);
        let began = self.survey.variants[variant].time;
        let began = began.map_or(header.created, |(began, _)| began.min(header.created));
        NewSession {
            id,
            name: name(self.prefix, &named.name, id, 0),
            reference_dataset_id: self.dataset,
            description: description(header, named),
            start_time: moved(began, shift),
            extra: Extra {
                metadata: self.metadata(named, shift),
            },
            num_examples: header.items().of(named) as u64,
            num_repetitions: header.repeat,
            evaluator_keys: evaluator_keys(header, &header.judges, named),
        }
    }

    fn metadata(&self, variant: &Variant, shift_ms: i64) -> Object {
        let header = &self.survey.header;
        let mut models: Object = Object::new();
        for (role, model) in variant.roles() {
            let judges = header.judges.is_empty() && role == crate::run::ModelRole::Judge;
            if judges {
                continue;
            }
            let role = serde_json::to_value(role).expect("a role is JSON");
            let role = role.as_str().expect("a role is a name").to_owned();
            match models.get_mut(&role) {
                // A panel.
                Some(Value::Array(all)) => all.push(model.into()),
                Some(one) => *one = json!([one.clone(), model]),
                None => {
                    models.insert(role, model.into());
                }
            }
        }
        let judges: Vec<Value> = header
            .judges
            .iter()
            .filter(|judge| judge.judge.looks_at(variant))
            .map(|judge| told(judge, variant))
            .collect();
        let git = self.git.as_ref().map(|git| {
            let mut told = Object::from_iter([("commit".to_owned(), json!(git.commit))]);
            let branch = git
                .branch
                .as_ref()
                .map(|branch| ("branch".to_owned(), json!(branch)));
            told.extend(branch);
            told.extend(git.dirty.map(|dirty| ("dirty".to_owned(), json!(dirty))));
            Value::Object(told)
        });
        let mut metadata = Object::new();
        let mut set = |key: &str, value: Value| {
            if !value.is_null() && value != json!([]) {
                metadata.insert(key.to_owned(), value);
            }
        };
        set("experiment", self.pushed_as.into());
        set("variant", variant.name.as_str().into());
        set("agent", variant.agent.as_str().into());
        set("model", variant.model.as_str().into());
        set("models", models.into());
        set("judges", judges.into());
        set("dataset", header.dataset.name.as_str().into());
        set("dataset_hash", header.dataset.hash.as_str().into());
        let version = self.dataset_version.map(|version| version.to_string());
        set("dataset_version", version.into());
        set("dataset_splits", self.splits.clone().into());
        set("git", git.unwrap_or_default());
        set("num_repetitions", header.repeat.into());
        set("seed", header.seed.into());
        set("date", header.date.to_string().into());
        set("created", header.created.to_string().into());
        set("mailproof_version", header.tool_version.as_str().into());
        for (key, value) in self.metadata {
            set(key, value.clone());
        }
        // What a later push relies on.
        set(LAYER, self.survey.layer.into());
        set(SHIFT, shift_ms.into());
        metadata
    }
}

/// A name that no other experiment should have; where one does all the same, `attempt` says which
/// part of the id makes the next.
pub fn name(prefix: &str, variant: &str, id: Uuid, attempt: usize) -> String {
    let hex = id.simple().to_string();
    let part = (attempt % 4) * 8;
    format!("{prefix}-{variant}-{}", &hex[part..part + 8])
}

/// By how much times are moved so that the service takes them: nothing, or so that the last is
/// `now`. Whole milliseconds.
fn shift(whole: Extent, now: Timestamp) -> i64 {
    match whole.time {
        Some((began, ended)) if now.duration_since(began) > OLDEST => {
            now.duration_since(ended).as_millis() as i64
        }
        _ => 0,
    }
}

/// What the push that made an experiment has kept in it: by how much its times are moved, and the
/// layer whose scores it has.
///
/// # Errors
/// [`Forgotten`]: nobody can tell what ids its runs have.
pub fn kept(session: &Session) -> Result<(i64, u32), Forgotten> {
    let metadata = session.extra.as_ref().map(|extra| &extra.metadata);
    let forgotten = |key| Forgotten {
        id: session.id,
        name: session.name.clone(),
        key,
    };
    let number = |key: &'static str| {
        let value = metadata.and_then(|metadata| metadata.get(key));
        value.and_then(Value::as_i64).ok_or_else(|| forgotten(key))
    };
    let layer = u32::try_from(number(LAYER)?).map_err(|_| forgotten(LAYER))?;
    // More would leave the calendar.
    let shift = number(SHIFT)?;
    let most = SignedDuration::from_hours(24 * 366 * 100).as_millis() as i64;
    if !(-most..=most).contains(&shift) {
        return Err(forgotten(SHIFT));
    }
    Ok((shift, layer))
}

fn description(header: &Header, variant: &Variant) -> String {
    format!(
        "{} on {} of {}, {} attempt{} each, by mailproof {}",
        variant.name,
        header.items(),
        header.dataset.name,
        header.repeat,
        if header.repeat == 1 { "" } else { "s" },
        header.tool_version,
    )
}

/// A judge, and what is known of how often it is right.
fn told(judge: &JudgePlan, variant: &Variant) -> Value {
    let panel = judge.panel(variant);
    let standing = panel.map(|panel| match &panel.standing {
        Standing::Calibrated(calibration) => json!({
            "standing": "calibrated",
            "date": calibration.date.to_string(),
            "items": calibration.items,
            "items_hash": calibration.items_hash,
        }),
        Standing::Stale { date, because } => {
            json!({"standing": "stale", "date": date.to_string(), "because": because})
        }
        Standing::Uncalibrated => json!({"standing": "uncalibrated"}),
    });
    json!({
        "judge": judge.judge.name(),
        "models": panel.map(|panel| &panel.models),
        "votes": judge.votes,
        "rubric_hash": judge.rubric_hash,
        "prompt_hash": judge.prompt_hash,
        "calibration": standing,
    })
}

#[cfg(test)]
mod tests;
