//! Experiments, which the service calls sessions.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Service, TENANT};
use crate::request::{Answer, Answered, Object, Request, answer, id, id_of, objects, refuse, text};

const CREATE: [&str; 12] = [
    "id",
    "name",
    "description",
    "start_time",
    "end_time",
    "extra",
    "default_dataset_id",
    "reference_dataset_id",
    "trace_tier",
    "num_examples",
    "num_repetitions",
    "evaluator_keys",
];

const UPDATE: [&str; 6] = [
    "name",
    "description",
    "default_dataset_id",
    "end_time",
    "extra",
    "trace_tier",
];

pub(super) fn time(object: &Object, field: &str) -> Result<Option<Timestamp>, Answer> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| refuse(422, format!("{field} must be an ISO 8601 timestamp"))),
    }
}

/// As the service says times of experiments: to the microsecond, and without an offset.
fn without_offset(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

impl Service {
    pub(super) fn session(&self, named: &str) -> Result<&Object, Answer> {
        let session = self.sessions.get(&id(named)?);
        session.ok_or_else(|| refuse(404, "Session not found"))
    }

    fn sessions_answer(&self, version: u8) -> Result<(), Answer> {
        match version == 2 || self.settings.sessions_v1 {
            true => Ok(()),
            false => Err(refuse(410, "This endpoint was removed")),
        }
    }

    pub(super) fn create_session(&mut self, request: &Request, version: u8) -> Answered {
        self.sessions_answer(version)?;
        request.only(&["upsert"])?;
        let mut body = match version {
            1 => request.object(&CREATE)?,
            _ => request.object(&[&CREATE[..], &["type"]].concat())?,
        };
        if version == 2 && body.remove("type") != Some(json!("EXPERIMENT")) {
            return Err(refuse(422, "type must be EXPERIMENT"));
        }
        objects(&body, &["extra"])?;
        let name = text(&body, "name")?;
        if self
            .sessions
            .values()
            .any(|session| session["name"] == name)
        {
            return Err(refuse(409, "Session already exists."));
        }
        let id = id_of(&body, "id")?.ok_or_else(|| refuse(422, "id is required"))?;
        if self.sessions.contains_key(&id) {
            return Err(refuse(409, "Session already exists."));
        }
        let dataset = id_of(&body, "reference_dataset_id")?;
        if dataset.is_none_or(|dataset| !self.datasets.contains_key(&dataset)) {
            return Err(refuse(404, "Dataset not found"));
        }
        let start =
            time(&body, "start_time")?.ok_or_else(|| refuse(422, "start_time is missing"))?;
        body.insert("start_time".into(), json!(start));
        body.insert("tenant_id".into(), json!(TENANT));
        body.entry("end_time").or_insert(Value::Null);
        self.sessions.insert(id, body);
        answer(200, self.session_view(id, false))
    }

    pub(super) fn update_session(
        &mut self,
        request: &Request,
        named: &str,
        version: u8,
    ) -> Answered {
        self.sessions_answer(version)?;
        let body = request.object(&UPDATE)?;
        objects(&body, &["extra"])?;
        let start = time(self.session(named)?, "start_time")?;
        let end = time(&body, "end_time")?;
        if end.is_some() && end < start {
            return Err(refuse(422, "end_time is before start_time"));
        }
        let id = id(named)?;
        let session = self.sessions.get_mut(&id).expect("looked up above");
        for (field, value) in body {
            if !value.is_null() {
                session.insert(field, value);
            }
        }
        if let Some(end) = end {
            session.insert("end_time".into(), json!(end));
        }
        answer(200, self.session_view(id, false))
    }

    pub(super) fn read_session(&self, request: &Request, named: &str, version: u8) -> Answered {
        self.sessions_answer(version)?;
        request.only(&["include_stats", "limit"])?;
        self.session(named)?;
        answer(
            200,
            self.session_view(id(named)?, request.flag("include_stats")),
        )
    }

    pub(super) fn list_sessions(&self, request: &Request) -> Answered {
        self.sessions_answer(1)?;
        request.only(&[
            "name",
            "id",
            "reference_dataset",
            "include_stats",
            "limit",
            "offset",
        ])?;
        let ids = request.ids("id")?;
        let datasets = request.all("reference_dataset");
        let name = request.one("name");
        let found = self.sessions.iter().filter(|(id, session)| {
            (ids.is_empty() || ids.contains(id))
                && name.is_none_or(|name| session["name"] == name)
                && (datasets.is_empty()
                    || datasets
                        .iter()
                        .any(|it| session["reference_dataset_id"] == *it))
        });
        let stats = request.flag("include_stats");
        request.page(found.map(|(id, _)| self.session_view(*id, stats)).collect())
    }

    fn session_view(&self, id: Uuid, stats: bool) -> Value {
        let mut view = self.sessions[&id].clone();
        for hint in ["num_examples", "num_repetitions", "evaluator_keys"] {
            view.remove(hint);
        }
        for field in ["start_time", "end_time"] {
            let said = time(&view, field).expect("it was checked");
            view.insert(field.into(), json!(said.map(without_offset)));
        }
        if stats {
            let roots = self
                .runs
                .values()
                .filter(|run| run["session_id"] == json!(id) && !run.contains_key("parent_run_id"));
            let roots: Vec<&Object> = roots.collect();
            let failed = roots.iter().filter(|run| run.contains_key("error")).count();
            view.insert("run_count".into(), json!(roots.len()));
            let rate = (!roots.is_empty()).then(|| failed as f64 / roots.len() as f64);
            view.insert("error_rate".into(), json!(rate));
            let feedback = self.feedback.values();
            let feedback = feedback.filter(|it| it["session_id"] == json!(id));
            view.insert(
                "feedback_stats".into(),
                super::feedback::statistics(feedback),
            );
        }
        Value::Object(view)
    }
}
