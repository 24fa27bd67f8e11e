//! What goes over the wire, as the service spells it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// A JSON object.
pub type Object = Map<String, Value>;

/// A dataset, as the service answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Dataset {
    pub id: Uuid,
    pub name: String,
    pub tenant_id: Uuid,
}

/// A dataset that is to be made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewDataset {
    pub name: String,
    pub description: String,
    pub data_type: DataType,
    pub extra: Extra,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// Objects in, objects out.
    Kv,
}

/// Where metadata stands in datasets, sessions, and runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    #[serde(default)]
    pub metadata: Object,
}

/// An example as the service answers; `outputs` are what is expected.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Example {
    pub id: Uuid,
    #[serde(default)]
    pub inputs: Object,
    #[serde(default)]
    pub outputs: Option<Object>,
    /// With the splits, as `dataset_split`.
    #[serde(default)]
    pub metadata: Option<Object>,
    #[serde(default, deserialize_with = "time")]
    pub modified_at: Option<Timestamp>,
}

/// An example that is to be made, or to become this.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleWrite {
    pub id: Uuid,
    pub inputs: Object,
    pub outputs: Object,
    /// Without `dataset_split`.
    pub metadata: Object,
    /// Never empty: the service's own is `base`.
    pub split: Vec<String>,
}

/// An experiment, which the service calls a session.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Session {
    pub id: Uuid,
    pub name: String,
    #[serde(default)]
    pub reference_dataset_id: Option<Uuid>,
    #[serde(default, deserialize_with = "time")]
    pub start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    pub end_time: Option<Timestamp>,
    #[serde(default)]
    pub extra: Option<Extra>,
    /// Only where asked for, like the following; it lags by seconds.
    #[serde(default)]
    pub run_count: Option<u64>,
    #[serde(default)]
    pub feedback_stats: Option<Object>,
}

/// An experiment that is to be made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewSession {
    pub id: Uuid,
    pub name: String,
    pub reference_dataset_id: Uuid,
    pub description: String,
    pub start_time: Timestamp,
    pub extra: Extra,
    pub num_examples: u64,
    pub num_repetitions: u32,
    /// Keys of feedback.
    pub evaluator_keys: Vec<String>,
}

/// What an experiment becomes; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SessionUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
}

/// A finished run, the service's word for a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub head: RunHead,
    pub inputs: Object,
    pub outputs: Object,
    pub error: Option<String>,
    pub extra: Extra,
}

/// The part of a run that is not in parts of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunHead {
    pub id: Uuid,
    pub trace_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<Uuid>,
    pub dotted_order: String,
    pub name: String,
    pub run_type: RunType,
    /// To the microsecond.
    pub start_time: Timestamp,
    pub end_time: Timestamp,
    pub session_id: Uuid,
    /// The experiment's name.
    pub session_name: String,
    /// Of the root alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_example_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunType {
    Chain,
    Llm,
    Tool,
}

/// A score of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feedback {
    pub id: Uuid,
    /// At most 180 characters.
    pub key: String,
    /// At most four decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Nobody could decide it, and the comment says why; then there is no score.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub error: bool,
    pub run_id: Uuid,
    pub trace_id: Uuid,
    pub session_id: Uuid,
    /// The run's.
    pub start_time: Timestamp,
    pub feedback_source: FeedbackSource,
}

/// Who says so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedbackSource {
    #[serde(rename = "type")]
    pub kind: SourceKind,
    pub metadata: Option<Object>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A program.
    Api,
    /// A judge that is a model.
    Model,
    /// A person.
    App,
    AutoEval,
    /// What later versions of the service call theirs.
    #[serde(untagged)]
    Other(String),
}

/// A score as the service answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FeedbackRead {
    pub id: Uuid,
    pub key: String,
    /// A yes is 1, a no is 0.
    #[serde(default, deserialize_with = "number")]
    pub score: Option<f64>,
    #[serde(default)]
    pub value: Option<Value>,
    #[serde(default)]
    pub comment: Option<String>,
    #[serde(default)]
    pub correction: Option<Value>,
    /// `None` where it is of a whole experiment.
    #[serde(default)]
    pub run_id: Option<Uuid>,
    #[serde(default)]
    pub feedback_source: Option<SourceRead>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    pub modified_at: Option<Timestamp>,
}

/// Who said so, as the service answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SourceRead {
    #[serde(rename = "type", default)]
    pub kind: Option<SourceKind>,
    #[serde(default)]
    pub user_id: Option<Uuid>,
    #[serde(default)]
    pub user_name: Option<String>,
    #[serde(default)]
    pub metadata: Option<Object>,
}

/// A time in any form of ISO 8601. The service says some of them without an offset, and means UTC.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if let Ok(time) = text.parse() {
        return Ok(Some(time));
    }
    let time: DateTime = text.parse().map_err(D::Error::custom)?;
    let zoned = time.to_zoned(TimeZone::UTC).map_err(D::Error::custom)?;
    Ok(Some(zoned.timestamp()))
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(yes) => Some(f64::from(u8::from(yes))),
        value => value.as_f64(),
    })
}

/// Experiments that are to be compared by pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewComparative {
    pub id: Uuid,
    pub name: String,
    /// At least two, of one dataset.
    pub experiment_ids: Vec<Uuid>,
    pub reference_dataset_id: Uuid,
    pub description: String,
    pub created_at: Timestamp,
    pub extra: Extra,
}

/// What a comparison says of one of the runs it compares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparativeFeedback {
    pub id: Uuid,
    pub key: String,
    pub score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    pub run_id: Uuid,
    /// The run's own experiment.
    pub session_id: Uuid,
    /// The run's.
    pub start_time: Timestamp,
    pub comparative_experiment_id: Uuid,
    /// The same for all runs that were compared with each other.
    pub feedback_group_id: Uuid,
    pub feedback_source: FeedbackSource,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_without_an_offset_is_in_utc() {
        let meant: Timestamp = "2026-03-03T20:15:03.650083Z".parse().unwrap();
        for (said, time) in [
            ("2026-03-03T20:15:03.650083", Some(meant)),
            ("2026-03-03 20:15:03.650083", Some(meant)),
            ("2026-03-03T20:15:03.650083Z", Some(meant)),
            ("2026-03-03T20:15:03.650083+00:00", Some(meant)),
            ("2026-03-03T21:15:03.650083+01:00", Some(meant)),
            ("yesterday", None),
            ("", None),
        ] {
            let session = json!({
                "id": Uuid::nil(), "name": "s", "start_time": said, "end_time": said,
            });
            let session = serde_json::from_value::<Session>(session);
            let read = session.map(|it| [it.start_time, it.end_time]);
            assert_eq!(read.ok(), time.map(|it| [Some(it); 2]), "{said}");
            let example = json!({"id": Uuid::nil(), "modified_at": said});
            let example = serde_json::from_value::<Example>(example);
            assert_eq!(
                example.ok().map(|it| it.modified_at),
                time.map(Some),
                "{said}"
            );
            let feedback = json!({
                "id": Uuid::nil(), "key": "k", "created_at": said, "modified_at": said,
            });
            let feedback = serde_json::from_value::<FeedbackRead>(feedback);
            let read = feedback.map(|it| [it.created_at, it.modified_at]);
            assert_eq!(read.ok(), time.map(|it| [Some(it); 2]), "{said}");
        }
        let session = json!({"id": Uuid::nil(), "name": "s", "end_time": null});
        let session: Session = serde_json::from_value(session).unwrap();
        assert_eq!([session.start_time, session.end_time], [None; 2]);
    }
}
