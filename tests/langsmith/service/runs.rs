//! Runs as they are taken in and read again.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Service;
use super::sessions::time;
use crate::request::{
    Answer, Answered, Object, Request, answer, id, id_of, object, objects, readable, refuse,
    required_id, text,
};

const HEAD: [&str; 14] = [
    "id",
    "trace_id",
    "parent_run_id",
    "dotted_order",
    "name",
    "run_type",
    "start_time",
    "end_time",
    "session_id",
    "session_name",
    "reference_example_id",
    "tags",
    "status",
    "events",
];

/// Of a run, what is sent in parts of its own.
const FIELDS: [&str; 5] = ["inputs", "outputs", "error", "extra", "events"];

const TYPES: [&str; 7] = [
    "tool",
    "chain",
    "llm",
    "retriever",
    "embedding",
    "prompt",
    "parser",
];

const QUERY: [&str; 9] = [
    "session",
    "is_root",
    "select",
    "limit",
    "cursor",
    "filter",
    "reference_example",
    "id",
    "trace",
];

const QUERY_V2: [&str; 9] = [
    "project_ids",
    "is_root",
    "selects",
    "page_size",
    "cursor",
    "min_start_time",
    "max_start_time",
    "filter",
    "ids",
];

/// How far from now a run may lie.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

impl Service {
    pub(super) fn take_multipart(&mut self, request: &Request) -> Answered {
        let mut runs: BTreeMap<Uuid, Object> = BTreeMap::new();
        let mut feedback = Vec::new();
        for part in request.parts()? {
            part.announced()?;
            let value = part.json()?;
            readable(&value)?;
            let names: Vec<&str> = part.name.split('.').collect();
            match names.as_slice() {
                ["post", run] => {
                    let run = id(run)?;
                    let head = object("run", value, &HEAD)?;
                    if required_id(&head, "id")? != run {
                        return Err(refuse(422, format!("part {} has another id", part.name)));
                    }
                    runs.entry(run).or_default().extend(head);
                }
                ["post", run, field] if FIELDS.contains(field) => {
                    runs.entry(id(run)?)
                        .or_default()
                        .insert((*field).to_owned(), value);
                }
                ["feedback", named] => feedback.push((id(named)?, value)),
                _ => return Err(refuse(422, format!("invalid part name {}", part.name))),
            }
        }
        let mut scores = Vec::new();
        for (named, value) in feedback {
            let score = self.feedback(value)?;
            // The documents say that a part is named by its run, clients name it by itself.
            if ![&score["id"], &score["run_id"]].contains(&&json!(named)) {
                return Err(refuse(422, format!("feedback.{named} has another id")));
            }
            if id_of(&score, "trace_id")?.is_none() {
                return Err(refuse(422, "feedback part must include trace_id"));
            }
            scores.push(score);
        }
        self.take(runs.into_values().collect())?;
        for score in scores {
            self.keep_feedback(score);
        }
        answer(202, json!({ "message": "Runs batch ingested" }))
    }

    pub(super) fn take_batch(&mut self, request: &Request) -> Answered {
        let mut body = request.object(&["post", "patch"])?;
        if body
            .get("patch")
            .is_some_and(|patches| patches != &json!([]))
        {
            return Err(refuse(422, "a finished run needs no patch"));
        }
        let Some(Value::Array(runs)) = body.remove("post") else {
            return Err(refuse(422, "empty batch"));
        };
        let fields = [&HEAD[..], &FIELDS].concat();
        let runs: Result<_, _> = runs
            .into_iter()
            .map(|run| object("run", run, &fields))
            .collect();
        self.take(runs?)?;
        answer(202, json!({ "message": "Runs batch ingested" }))
    }

    /// All of them or, where one is bad, none.
    fn take(&mut self, mut runs: Vec<Object>) -> Result<(), Answer> {
        if runs.len() > self.settings.size_limit {
            return Err(refuse(413, "too many runs in a request"));
        }
        for run in &mut runs {
            run.retain(|_, value| !value.is_null());
            self.check(run).map_err(|mut refused| {
                let reason = refused.body["error"].as_str().expect("a reason").to_owned();
                let ids = format!(
                    "{reason} for run_id:{} trace_id:{}",
                    run["id"], run["trace_id"]
                );
                refused.body = json!({ "error": ids.replace('"', "") });
                refused
            })?;
        }
        let ids = runs.iter().map(|run| required_id(run, "id"));
        let ids: Vec<Uuid> = ids.collect::<Result<_, _>>()?;
        let known = ids.iter().filter(|id| self.runs.contains_key(id)).count();
        let refused = match self.settings.refuses_mixtures {
            true => known > 0,
            false => known > 0 && known == ids.len(),
        };
        if refused {
            return Err(refuse(409, "Conflict: payload already received"));
        }
        for (id, run) in ids.into_iter().zip(runs) {
            self.runs.entry(id).or_insert(run);
        }
        Ok(())
    }

    fn check(&self, run: &Object) -> Result<(), Answer> {
        let (id, trace) = (required_id(run, "id")?, required_id(run, "trace_id")?);
        let parent = id_of(run, "parent_run_id")?;
        text(run, "name")?;
        if !TYPES.contains(&text(run, "run_type")?) {
            return Err(refuse(
                422,
                format!("run_type must be one of {}", TYPES.join(", ")),
            ));
        }
        objects(run, &["inputs", "outputs", "extra"])?;
        if !matches!(run.get("error"), None | Some(Value::String(_))) {
            return Err(refuse(422, "error must be a string"));
        }
        let started =
            time(run, "start_time")?.ok_or_else(|| refuse(422, "start_time is required"))?;
        let ended = time(run, "end_time")?.ok_or_else(|| refuse(422, "the run has no end"))?;
        if ended < started {
            return Err(refuse(422, "end_time is before start_time"));
        }
        let now = Timestamp::now();
        if started.duration_since(now).abs() > WINDOW || ended.duration_since(now).abs() > WINDOW {
            return Err(refuse(422, "start_time is outside the 24h ingest window"));
        }
        // A run is looked for at the time that its id says.
        let millis = (id.as_u128() >> 80) as i64;
        if id.get_version_num() != 7 || millis != started.as_millisecond() {
            return Err(refuse(422, "the id is not of the run's start_time"));
        }
        self.check_place(run, started, id, trace, parent)?;
        self.check_session(run, parent)
    }

    fn check_place(
        &self,
        run: &Object,
        started: Timestamp,
        id: Uuid,
        trace: Uuid,
        parent: Option<Uuid>,
    ) -> Result<(), Answer> {
        let bad = |why: &str| refuse(400, format!("invalid 'dotted_order': {why}"));
        let order = text(run, "dotted_order")?;
        let parts: Option<Vec<(&str, Uuid)>> = order
            .split('.')
            .map(|part| {
                let (time, id) = part.split_once('Z')?;
                let shaped = time.len() == "20261121T234818719325".len() && id.len() == 36;
                Some((time, Uuid::try_parse(id).ok()?)).filter(|_| shaped)
            })
            .collect();
        let parts = parts.ok_or_else(|| bad("malformed part"))?;
        let ids: Vec<Uuid> = parts.iter().map(|(_, id)| *id).collect();
        let times: Vec<&str> = parts.iter().map(|(time, _)| *time).collect();
        match parent {
            None if ids.len() > 1 => return Err(bad("root runs have a single part")),
            Some(_) if ids.len() < 2 => return Err(bad("child runs have at least two parts")),
            Some(parent) if ids[ids.len() - 2] != parent => return Err(bad("another parent")),
            _ => {}
        }
        if ids[0] != trace {
            return Err(bad("trace_id does not match the first part"));
        }
        if ids.last() != Some(&id) {
            return Err(bad("run_id does not match the last part"));
        }
        if !times.is_sorted() {
            return Err(bad("a timestamp earlier than its parent's"));
        }
        let own = started
            .to_zoned(TimeZone::UTC)
            .strftime("%Y%m%dT%H%M%S%6f")
            .to_string();
        match times.last() == Some(&own.as_str()) {
            true => Ok(()),
            false => Err(bad("another time than start_time")),
        }
    }

    fn check_session(&self, run: &Object, parent: Option<Uuid>) -> Result<(), Answer> {
        let named = required_id(run, "session_id")?;
        let Some(session) = self.sessions.get(&named) else {
            return Err(refuse(422, format!("session_id {named} does not exist")));
        };
        if run
            .get("session_name")
            .is_some_and(|name| name != &session["name"])
        {
            // The true one would make a project of this name, or put the run into another.
            return Err(refuse(422, "session_name is not the session's"));
        }
        match (id_of(run, "reference_example_id")?, parent) {
            (None, Some(_)) => Ok(()),
            (Some(_), Some(_)) => Err(refuse(422, "reference_example_id of a child run")),
            // A run without one is taken, and is not in the experiment's table.
            (None, None) => Err(refuse(422, "a root run without reference_example_id")),
            (Some(example), None) => {
                let found = self.examples.get(&example);
                let dataset = found.map(|example| json!(example.dataset));
                match dataset.as_ref() == session.get("reference_dataset_id") {
                    true => Ok(()),
                    false => Err(refuse(422, "reference_example_id is not of the dataset")),
                }
            }
        }
    }

    /// Runs whose parent never came.
    pub fn orphans(&self) -> Vec<Uuid> {
        let orphans = self.runs.iter().filter(|(_, run)| {
            let parent = id_of(run, "parent_run_id").expect("it was checked");
            parent.is_some_and(|parent| !self.runs.contains_key(&parent))
        });
        orphans.map(|(id, _)| *id).collect()
    }

    fn select(&self, body: &Object, sessions: &str, ids: &str) -> Result<Vec<&Object>, Answer> {
        let list = |field: &str| -> Result<Vec<Uuid>, Answer> {
            let list = body.get(field).cloned().unwrap_or(json!([]));
            serde_json::from_value(list).map_err(|error| refuse(422, format!("{field}: {error}")))
        };
        let (sessions, ids) = (list(sessions)?, list(ids)?);
        if sessions.is_empty() && ids.is_empty() && !body.contains_key("trace") {
            return Err(refuse(400, "At least one of the filters must be specified"));
        }
        if body.contains_key("filter") {
            return Err(refuse(400, "filters are not known here"));
        }
        let examples = list("reference_example")?;
        let is_root = body.get("is_root").and_then(Value::as_bool);
        let mut found: Vec<&Object> = Vec::new();
        for run in self.runs.values().filter(|_| !self.settings.lags) {
            let (id, session) = (required_id(run, "id")?, required_id(run, "session_id")?);
            let example = id_of(run, "reference_example_id")?;
            let holds = (sessions.is_empty() || sessions.contains(&session))
                && (ids.is_empty() || ids.contains(&id))
                && is_root.is_none_or(|root| root != run.contains_key("parent_run_id"))
                && body
                    .get("trace")
                    .is_none_or(|trace| trace == &run["trace_id"])
                && (examples.is_empty() || example.is_some_and(|it| examples.contains(&it)));
            if holds {
                found.push(run);
            }
        }
        found.sort_by_key(|run| std::cmp::Reverse(run["dotted_order"].to_string()));
        Ok(found)
    }

    /// A page, and where the next one begins.
    fn page(
        runs: Vec<&Object>,
        body: &Object,
        size: usize,
    ) -> Result<(Vec<Object>, Option<String>), Answer> {
        let from: usize = match body.get("cursor").and_then(Value::as_str) {
            None => 0,
            Some(cursor) => cursor
                .strip_prefix("from-")
                .and_then(|cursor| cursor.parse().ok())
                .ok_or_else(|| refuse(400, "a cursor that was not given"))?,
        };
        let next = (from + size < runs.len()).then(|| format!("from-{}", from + size));
        Ok((
            runs.into_iter().skip(from).take(size).cloned().collect(),
            next,
        ))
    }

    pub(super) fn query_runs(&self, request: &Request) -> Answered {
        if !self.settings.runs_v1 {
            return Err(refuse(
                410,
                "This endpoint is not available on this deployment",
            ));
        }
        let body = request.object(&QUERY)?;
        let limit = body.get("limit").and_then(Value::as_u64).unwrap_or(100);
        if !(1..=100).contains(&limit) {
            return Err(refuse(422, "limit is from 1 to 100"));
        }
        let (page, next) =
            Service::page(self.select(&body, "session", "id")?, &body, limit as usize)?;
        let runs: Vec<Value> = page.into_iter().map(|run| self.run_view(run)).collect();
        let mut answered = answer(200, json!({ "runs": runs, "cursors": { "next": next } }))?;
        answered.headers = "Deprecation: true\r\nSunset: Sun, 31 Jan 2027 00:00:00 GMT\r\n".into();
        Ok(answered)
    }

    fn run_view(&self, mut run: Object) -> Value {
        let error = run.get("error").cloned();
        let status = if error.is_some() { "error" } else { "success" };
        run.insert("status".into(), json!(status));
        let feedback = self
            .feedback
            .values()
            .filter(|it| it["run_id"] == run["id"]);
        run.insert(
            "feedback_stats".into(),
            super::feedback::statistics(feedback),
        );
        Value::Object(run)
    }

    pub(super) fn query_runs_again(&self, request: &Request) -> Answered {
        if !self.settings.runs_v2 {
            return Err(refuse(501, "no V2 backend configured"));
        }
        let body = request.object(&QUERY_V2)?;
        let size = body.get("page_size").and_then(Value::as_u64).unwrap_or(100);
        if !(1..=1000).contains(&size) {
            return Err(refuse(422, "page_size is from 1 to 1000"));
        }
        let day_ago = Timestamp::now() - WINDOW;
        let earliest = time(&body, "min_start_time")?.unwrap_or(day_ago);
        let latest = time(&body, "max_start_time")?.unwrap_or(Timestamp::MAX);
        let mut runs = self.select(&body, "project_ids", "ids")?;
        let mut hidden = false;
        runs.retain(|run| {
            let time_of = |object: &Object, field| time(object, field).expect("it was checked");
            let started = time_of(run, "start_time").expect("it was checked");
            let session = &self.sessions[&required_id(run, "session_id").expect("it was checked")];
            let within = time_of(session, "start_time").is_none_or(|start| start <= started)
                && time_of(session, "end_time").is_none_or(|end| started <= end);
            hidden |= !within;
            within && (earliest..=latest).contains(&started)
        });
        if hidden {
            // The true one says nothing.
            return Err(refuse(
                400,
                "a run outside of its session's times is never found",
            ));
        }
        let (page, next) = Service::page(runs, &body, size as usize)?;
        let selects: Vec<String> = match body.get("selects") {
            None => Vec::new(),
            Some(selects) => serde_json::from_value(selects.clone())
                .map_err(|error| refuse(422, format!("selects: {error}")))?,
        };
        let items = page.into_iter().map(|mut run| {
            if let Some(session) = run.remove("session_id") {
                run.insert("project_id".into(), session);
            }
            if let Some(Value::String(kind)) = run.get_mut("run_type") {
                *kind = kind.to_uppercase();
            }
            run.retain(|field, _| {
                field == "id" || selects.iter().any(|select| *select == field.to_uppercase())
            });
            Value::Object(run)
        });
        let items: Vec<Value> = items.collect();
        answer(200, json!({ "items": items, "next_cursor": next }))
    }
}
