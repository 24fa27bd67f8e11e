//! Scores of runs.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Service;
use super::sessions::time;
use crate::request::{
    Answer, Answered, Object, Request, answer, id_of, object, objects, refuse, required_id, text,
};

const FEEDBACK: [&str; 19] = [
    "id",
    "key",
    "score",
    "value",
    "comment",
    "correction",
    "run_id",
    "trace_id",
    "session_id",
    "start_time",
    "created_at",
    "modified_at",
    "feedback_source",
    "feedback_config",
    "error",
    "extra",
    "comparative_experiment_id",
    "feedback_group_id",
    "extend_trace_retention",
];

/// Of each key how many there are, and the mean of their scores.
pub(super) fn statistics<'a>(feedback: impl Iterator<Item = &'a Object>) -> Value {
    let mut keys: BTreeMap<&str, (u64, Vec<f64>)> = BTreeMap::new();
    for item in feedback {
        let key = item["key"].as_str().expect("it was checked");
        let (count, scores) = keys.entry(key).or_default();
        *count += 1;
        scores.extend(item.get("score").and_then(Value::as_f64));
    }
    let keys = keys.into_iter().map(|(key, (count, scores))| {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        (
            key.to_owned(),
            json!({ "n": count, "avg": mean.is_finite().then_some(mean) }),
        )
    });
    Value::Object(keys.collect())
}

impl Service {
    /// What it is, where it may be kept.
    pub(super) fn feedback(&self, value: Value) -> Result<Object, Answer> {
        let feedback = object("feedback", value, &FEEDBACK)?;
        required_id(&feedback, "id")?;
        if text(&feedback, "key")?.chars().count() > 180 {
            return Err(refuse(422, "key has more than 180 characters"));
        }
        match feedback.get("score") {
            None | Some(Value::Null | Value::Bool(_)) => {}
            Some(Value::Number(score)) => {
                let score = score.as_f64().expect("every number of JSON is one");
                if (score * 1e4).round() / 1e4 != score {
                    return Err(refuse(422, "score has more than 4 decimal places"));
                }
            }
            Some(_) => return Err(refuse(422, "score is no number")),
        }
        objects(&feedback, &["feedback_source", "feedback_config", "extra"])?;
        if let Some(source) = feedback.get("feedback_source") {
            let source = object("feedback_source", source.clone(), &["type", "metadata"])?;
            if !["app", "api", "model", "auto_eval"].contains(&text(&source, "type")?) {
                return Err(refuse(422, "an unknown type of feedback_source"));
            }
        }
        let named = required_id(&feedback, "session_id")?;
        if !self.sessions.contains_key(&named) {
            return Err(refuse(404, "Session not found"));
        }
        let Some(run) = id_of(&feedback, "run_id")? else {
            return Ok(feedback);
        };
        let run = self
            .runs
            .get(&run)
            .ok_or_else(|| refuse(404, "Run not found"))?;
        if required_id(run, "session_id")? != named {
            return Err(refuse(422, "session_id is not the run's"));
        }
        let trace = id_of(&feedback, "trace_id")?;
        if trace.is_some() && trace != id_of(run, "trace_id")? {
            return Err(refuse(422, "trace_id is not the run's"));
        }
        let started = time(&feedback, "start_time")?;
        if started.is_some() && started != time(run, "start_time")? {
            return Err(refuse(422, "start_time is not the run's"));
        }
        if let Some(comparative) = id_of(&feedback, "comparative_experiment_id")? {
            let Some(comparative) = self.comparative.get(&comparative) else {
                return Err(refuse(404, "Comparative experiment not found"));
            };
            let compared = comparative["experiments_info"]
                .as_array()
                .expect("it was made here");
            if !compared.iter().any(|session| session["id"] == json!(named)) {
                return Err(refuse(422, "session_id is not compared"));
            }
            required_id(&feedback, "feedback_group_id")?;
        }
        Ok(feedback)
    }

    pub(super) fn keep_feedback(&mut self, mut feedback: Object) -> Uuid {
        let now = json!(self.now());
        let id = required_id(&feedback, "id").expect("it was checked");
        feedback.insert("created_at".into(), now.clone());
        feedback.insert("modified_at".into(), now);
        self.feedback.insert(id, feedback);
        id
    }

    pub(super) fn create_feedback(&mut self, request: &Request) -> Answered {
        let feedback = self.feedback(request.json()?)?;
        let id = self.keep_feedback(feedback);
        answer(200, Value::Object(self.feedback[&id].clone()))
    }

    fn feedback_view(&self, mut feedback: Object) -> Value {
        if let Some(user) = self.settings.user {
            let source = feedback.entry("feedback_source").or_insert(json!({}));
            source["user_name"] = json!(user);
        }
        Value::Object(feedback)
    }

    pub(super) fn list_feedback(&self, request: &Request) -> Answered {
        request.only(&["run", "session", "key", "source", "limit", "offset"])?;
        let (runs, sessions) = (request.all("run"), request.all("session"));
        let (keys, sources) = (request.all("key"), request.all("source"));
        let chosen = |names: &[&str], value: &Value| {
            names.is_empty() || names.iter().any(|name| value == name)
        };
        let mut found: Vec<&Object> = match self.settings.lags {
            true => Vec::new(),
            false => self.feedback.values().collect(),
        };
        found.retain(|it| {
            chosen(&sessions, &it["session_id"])
                && chosen(&keys, &it["key"])
                && (runs.is_empty() || it.get("run_id").is_some_and(|run| chosen(&runs, run)))
                && (sources.is_empty()
                    || it
                        .get("feedback_source")
                        .is_some_and(|it| chosen(&sources, &it["type"])))
        });
        found.sort_by_key(|it| Reverse((it["created_at"].to_string(), it["id"].to_string())));
        request.page(
            found
                .into_iter()
                .map(|it| self.feedback_view(it.clone()))
                .collect(),
        )
    }
}
