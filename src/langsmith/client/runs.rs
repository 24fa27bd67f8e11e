//! Runs: sent many at once, and asked for by their ids.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::multipart::{Form, text};
use super::pace::Class;
use super::{Answer, Body, Client, Error, Ingest, Version};
use crate::langsmith::wire::{Extra, Feedback, Object, Run, RunHead, Session};

/// Bytes of a part's own lines.
const PART: usize = 220;

/// Some of the ids asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub ids: Vec<Uuid>,
    /// What to ask with for the next ones.
    pub next: Option<String>,
}

/// Bytes that a run takes of a request, before compression: a little more than it will.
pub fn weight(run: &Run) -> usize {
    let outputs = length(&run.outputs) + length(&run.error);
    length(&run.head) + length(&run.inputs) + outputs + length(&run.extra) + 5 * PART
}

/// The same of feedback.
pub fn weight_of_feedback(feedback: &Feedback) -> usize {
    length(feedback) + PART
}

/// Bytes of a value as JSON.
fn length(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("what is sent is JSON");
    count.0
}

/// A run in one piece, for servers that take no forms.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: &'a RunHead,
    inputs: &'a Object,
    outputs: &'a Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    extra: &'a Extra,
}

#[derive(Deserialize)]
struct Found {
    id: Uuid,
}

#[derive(Deserialize)]
struct FirstPage {
    runs: Vec<Found>,
    #[serde(default)]
    cursors: Option<Cursors>,
}

#[derive(Deserialize)]
struct Cursors {
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct SecondPage {
    items: Vec<Found>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Client {
    /// The ids of an experiment's roots.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn root_ids(&self, session: &Session) -> Result<HashSet<Uuid>, Error> {
        let mut ids = HashSet::new();
        let mut cursor = None;
        loop {
            let page = self.some_root_ids(session, cursor.as_deref()).await?;
            let before = ids.len();
            ids.extend(page.ids);
            cursor = page.next;
            // A server that repeats itself would never come to an end.
            if cursor.is_none() || ids.len() == before {
                return Ok(ids);
            }
        }
    }

    /// Some of them: `cursor` is what the page before says.
    pub(super) async fn some_root_ids(
        &self,
        session: &Session,
        cursor: Option<&str>,
    ) -> Result<Page, Error> {
        const DOING: &str = "list runs";
        let way = &self.0.ways.runs;
        let version = match way.known() {
            Some(version) => version,
            None if self.info().await?.queries_v2() => Version::V2,
            None => Version::V1,
        };
        let mut answer = self.query(DOING, version, session, cursor).await?;
        let mut answered = version;
        if matches!(answer.status, 404 | 405 | 410 | 501) && cursor.is_none() {
            let other = match version {
                Version::V1 => Version::V2,
                Version::V2 => Version::V1,
            };
            let second = self.query(DOING, other, session, None).await?;
            // Where neither answers, the word of the one that was to be asked counts.
            if !matches!(second.status, 404 | 405 | 410 | 501) {
                (answer, answered) = (second, other);
            }
        }
        let page = match answered {
            Version::V1 => {
                let page: FirstPage = self.read(DOING, &answer)?;
                (page.runs, page.cursors.and_then(|cursors| cursors.next))
            }
            Version::V2 => {
                let page: SecondPage = self.read(DOING, &answer)?;
                (page.items, page.next_cursor)
            }
        };
        way.learn(answered);
        let (found, next) = page;
        Ok(Page {
            // A page of nothing that names a next one would be asked for for ever.
            next: next.filter(|next| !next.is_empty() && !found.is_empty()),
            ids: found.into_iter().map(|run| run.id).collect(),
        })
    }

    async fn query(
        &self,
        doing: &'static str,
        version: Version,
        session: &Session,
        cursor: Option<&str>,
    ) -> Result<Answer, Error> {
        let mut call = self.call(doing, Class::Query, Method::POST, &["runs", "query"]);
        let mut body = match version {
            Version::V1 => json!({
                "session": [session.id], "is_root": true, "select": ["id"], "limit": 100,
            }),
            Version::V2 => {
                call.url = self.v2(&["runs", "query"]);
                // Without a start, only the last day is looked through. A run may start a
                // little before its experiment by another clock, and after its end, where
                // the experiment was gone on with.
                let day = SignedDuration::from_hours(24);
                let start = session.start_time.unwrap_or(Timestamp::UNIX_EPOCH);
                let start = start.checked_sub(day).unwrap_or(Timestamp::UNIX_EPOCH);
                let end = Timestamp::now().checked_add(day);
                json!({
                    "project_ids": [session.id], "is_root": true, "selects": ["ID"],
                    "page_size": 1000, "min_start_time": start,
                    "max_start_time": end.unwrap_or(Timestamp::MAX),
                })
            }
        };
        if let Some(cursor) = cursor {
            body["cursor"] = json!(cursor);
        }
        // Ids and the server's own cursor, which must come back as it was: nothing to hide.
        call.body = Some(Body {
            content_type: "application/json".to_owned(),
            bytes: body.to_string().into_bytes(),
            compressible: false,
        });
        self.send(call).await
    }

    /// Sends finished runs in one request, as they are: parents before their children.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send_runs(&self, runs: &[Run]) -> Result<Ingest, Error> {
        const DOING: &str = "take runs";
        let batches = &self.0.ways.batches;
        if self.info().await?.takes_forms() && !batches.load(Ordering::Relaxed) {
            let mut call = self.call(
                DOING,
                Class::Multipart,
                Method::POST,
                &["runs", "multipart"],
            );
            call.body = Some(self.form(self.form_of(runs), true));
            let answer = self.send(call).await?;
            if !matches!(answer.status, 404 | 405) {
                return self.ingested(DOING, &answer);
            }
            batches.store(true, Ordering::Relaxed);
        }
        let whole: Vec<Whole> = runs.iter().map(Whole::of).collect();
        let mut call = self.call(DOING, Class::Batch, Method::POST, &["runs", "batch"]);
        call.body = Some(self.json(&json!({ "post": whole, "patch": [] })));
        let answer = self.send(call).await?;
        self.ingested(DOING, &answer)
    }

    fn form_of(&self, runs: &[Run]) -> Form {
        let redactor = &self.0.redactor;
        let mut form = Form::default();
        for run in runs {
            let name = format!("post.{}", run.head.id);
            form.part(&name, &text(&run.head, redactor));
            form.part(&format!("{name}.inputs"), &text(&run.inputs, redactor));
            form.part(&format!("{name}.outputs"), &text(&run.outputs, redactor));
            if let Some(error) = &run.error {
                form.part(&format!("{name}.error"), &text(error, redactor));
            }
            form.part(&format!("{name}.extra"), &text(&run.extra, redactor));
        }
        form
    }

    /// What became of what was sent.
    ///
    /// # Errors
    /// [`Error::Refused`] where it is not about what was sent.
    pub(super) fn ingested(&self, doing: &'static str, answer: &Answer) -> Result<Ingest, Error> {
        match answer.status {
            200..300 => Ok(Ingest::Taken),
            409 => Ok(Ingest::AlreadyThere),
            413 => Ok(Ingest::TooLarge),
            400 | 422 => Ok(Ingest::Refused {
                reason: self.reason(answer),
            }),
            _ => Err(self.refused(doing, answer)),
        }
    }
}

impl<'a> Whole<'a> {
    fn of(run: &'a Run) -> Whole<'a> {
        Whole {
            head: &run.head,
            inputs: &run.inputs,
            outputs: &run.outputs,
            error: run.error.as_deref(),
            extra: &run.extra,
        }
    }
}
