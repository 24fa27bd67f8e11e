//! The service: what it holds, and its routes.
//!
//! Stricter than the true one, which ignores what it does not know: fields and parameters that
//! its documents do not list are refused, and so is what it would take and lose.

mod datasets;
mod feedback;
mod runs;
mod sessions;

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use uuid::Uuid;

use super::request::{Answer, Answered, Object, Request, answer, refuse};

/// What every key of these tests belongs to.
pub const TENANT: Uuid = Uuid::from_u128(0xaa);

/// What a service can do, and whom it serves.
#[derive(Clone, Debug)]
pub struct Settings {
    pub key: String,
    /// The key is one of an organisation: requests name this workspace.
    pub workspace: Option<Uuid>,
    pub multipart: bool,
    pub zstd: bool,
    pub examples_multipart: bool,
    pub runs_v1: bool,
    pub runs_v2: bool,
    pub sessions_v1: bool,
    /// Runs in a request.
    pub size_limit: usize,
    pub size_limit_bytes: usize,
    /// Whether one run that is there already makes the service take none of a request; else a
    /// request is only refused where all of them are there. Which of the two is nowhere said.
    pub refuses_mixtures: bool,
    /// Whose the key is: feedback that comes with it has their name.
    pub user: Option<&'static str>,
    /// Whether runs and feedback are taken and not found again yet.
    pub lags: bool,
}

impl Settings {
    pub fn new(key: &str) -> Settings {
        Settings {
            key: key.to_owned(),
            workspace: None,
            multipart: true,
            zstd: true,
            examples_multipart: true,
            runs_v1: true,
            runs_v2: true,
            sessions_v1: true,
            size_limit: 100,
            size_limit_bytes: 20 * 1024 * 1024,
            refuses_mixtures: false,
            user: None,
            lags: false,
        }
    }
}

/// An example, and what became of it: `None` where it was deleted.
#[derive(Clone, Debug)]
struct Example {
    dataset: Uuid,
    created: Timestamp,
    versions: Vec<(Timestamp, Option<Object>)>,
}

pub struct Service {
    pub settings: Settings,
    /// The service's clock never stands still, and counts microseconds.
    clock: Timestamp,
    datasets: BTreeMap<Uuid, Object>,
    examples: BTreeMap<Uuid, Example>,
    sessions: BTreeMap<Uuid, Object>,
    runs: BTreeMap<Uuid, Object>,
    feedback: BTreeMap<Uuid, Object>,
    comparative: BTreeMap<Uuid, Object>,
}

impl Service {
    pub fn new(settings: Settings) -> Service {
        Service {
            settings,
            clock: Timestamp::UNIX_EPOCH,
            datasets: BTreeMap::new(),
            examples: BTreeMap::new(),
            sessions: BTreeMap::new(),
            runs: BTreeMap::new(),
            feedback: BTreeMap::new(),
            comparative: BTreeMap::new(),
        }
    }

    fn now(&mut self) -> Timestamp {
        let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond());
        let now = now.expect("the calendar has room");
        self.clock = now.max(self.clock + 1.microsecond());
        self.clock
    }

    pub fn answer(&mut self, request: Request) -> Answer {
        match self.route(request) {
            Ok(answer) | Err(answer) => answer,
        }
    }

    fn route(&mut self, request: Request) -> Answered {
        let sent_to = request.path.clone();
        let (version, path) = canonical(&sent_to);
        if path != "/info" {
            self.admit(&request, path)?;
        }
        let request = request.decoded(self.settings.zstd && path == "/runs/multipart")?;
        if request.body.len() > self.settings.size_limit_bytes {
            return Err(refuse(413, "Payload Too Large"));
        }
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (version, request.method.as_str(), segments.as_slice()) {
            (1, "GET", ["info"]) => self.info(),
            (1, "POST", ["datasets"]) => self.create_dataset(&request),
            (1, "GET", ["datasets"]) => self.list_datasets(&request),
            (1, "POST", ["datasets", "comparative"]) => self.create_comparative(&request),
            (1, "GET", ["datasets", id]) => self.read_dataset(id),
            (1, "GET", ["datasets", id, "comparative"]) => self.list_comparative(&request, id),
            (1, "GET", ["examples"]) => self.list_examples(&request),
            (1, "DELETE", ["examples"]) => self.delete_examples(&request),
            (1, "POST", ["examples", "bulk"]) => self.create_examples_bulk(&request),
            (1, "PATCH", ["examples", "bulk"]) => self.update_examples_bulk(&request),
            (1, "POST", ["platform", "datasets", id, "examples"]) => {
                self.create_examples(&request, id)
            }
            (1, "PATCH", ["platform", "datasets", id, "examples"]) => {
                self.update_examples(&request, id)
            }
            (1, "POST", ["sessions"]) => self.create_session(&request, version),
            (1, "GET", ["sessions"]) => self.list_sessions(&request),
            (1, "GET", ["sessions", id]) => self.read_session(&request, id, version),
            (1, "PATCH", ["sessions", id]) => self.update_session(&request, id, version),
            (2, "POST", ["sessions"]) => self.create_session(&request, version),
            (2, "GET", ["sessions", id]) => self.read_session(&request, id, version),
            (2, "PATCH", ["sessions", id]) => self.update_session(&request, id, version),
            (1, "POST", ["runs", "multipart"]) if self.settings.multipart => {
                self.take_multipart(&request)
            }
            (1, "POST", ["runs", "batch"]) => self.take_batch(&request),
            (1, "POST", ["runs", "query"]) => self.query_runs(&request),
            (2, "POST", ["runs", "query"]) => self.query_runs_again(&request),
            (1, "POST", ["feedback"]) => self.create_feedback(&request),
            (1, "GET", ["feedback"]) => self.list_feedback(&request),
            _ => Err(refuse(404, "Not Found")),
        }
    }

    fn admit(&self, request: &Request, path: &str) -> Result<(), Answer> {
        if request.header("x-api-key") != Some(&self.settings.key) {
            return Err(match path.starts_with("/runs") {
                true => refuse(403, "Forbidden"),
                false => refuse(401, "Invalid token"),
            });
        }
        let Some(workspace) = self.settings.workspace else {
            return Ok(());
        };
        match request.header("x-tenant-id") {
            Some(named) if named == workspace.to_string() => Ok(()),
            Some(_) => Err(refuse(403, "Forbidden")),
            None => Err(refuse(403, "org_scoped_key_requires_workspace")),
        }
    }

    fn info(&self) -> Answered {
        let Settings {
            multipart,
            zstd,
            examples_multipart,
            runs_v1,
            runs_v2,
            size_limit,
            size_limit_bytes,
            ..
        } = self.settings;
        answer(
            200,
            json!({
                "version": "0.18.0",
                "batch_ingest_config": {
                    "use_multipart_endpoint": multipart,
                    "size_limit": size_limit,
                    "size_limit_bytes": size_limit_bytes,
                },
                "instance_flags": {
                    "dataset_examples_multipart_enabled": examples_multipart,
                    "zstd_compression_enabled": zstd,
                    "ch_query_enabled": runs_v1,
                    "sdb_query_enabled": runs_v2,
                },
            }),
        )
    }

    /// All that is there, without when it came: what two ways of sending the same must agree on.
    pub fn state(&self) -> Value {
        let plain = |objects: &BTreeMap<Uuid, Object>| -> Value {
            let objects = objects.iter().map(|(id, object)| {
                let mut object = object.clone();
                object.remove("created_at");
                object.remove("modified_at");
                (id.to_string(), Value::Object(object))
            });
            Value::Object(objects.collect())
        };
        let examples = self.examples.iter().filter_map(|(id, example)| {
            let (_, latest) = example.versions.last()?;
            Some((id.to_string(), Value::Object(latest.clone()?)))
        });
        let mut sessions = plain(&self.sessions);
        for session in sessions.as_object_mut().expect("an object").values_mut() {
            let version = session.pointer_mut("/extra/metadata/dataset_version");
            if let Some(version) = version.filter(|version| version.is_string()) {
                *version = json!(self.at_version(version));
            }
        }
        json!({
            "datasets": plain(&self.datasets),
            "examples": Value::Object(examples.collect()),
            "sessions": sessions,
            "runs": plain(&self.runs),
            "feedback": plain(&self.feedback),
            "comparative": plain(&self.comparative),
        })
    }

    /// The ids of the examples that a version holds, which two versions may be compared by.
    fn at_version(&self, version: &Value) -> Vec<String> {
        let at: Timestamp = serde_json::from_value(version.clone()).expect("a version is a time");
        let there = self
            .examples
            .iter()
            .filter(|(_, example)| example.at(Some(at)).is_some());
        there.map(|(id, _)| id.to_string()).collect()
    }
}

/// The version of the interface that a path belongs to, and the path without what stands
/// before it. The endpoint is the host alone, so bare paths are those of version 1.
fn canonical(path: &str) -> (u8, &str) {
    if let Some(rest) = path.strip_prefix("/api/v2") {
        return (2, rest);
    }
    let rest = path.strip_prefix("/api/v1").unwrap_or(path);
    match rest.strip_prefix("/v1/platform") {
        Some(_) => (1, &rest["/v1".len()..]),
        // Platform paths have a version wherever the base has none.
        None if rest.starts_with("/platform") && rest.len() == path.len() => (0, rest),
        None => (1, rest),
    }
}
