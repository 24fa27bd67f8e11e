//! A model whose calls are replayed, or recorded.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::entry::{Answered, Entry, Replied, Said};
use super::index::Index;
use super::key::{self, Key};
use super::miss::{self, Sought};
use super::sink::{Part, output_hash};
use super::{RecordError, Recording, file_name, role_name};
use crate::model::halt::{Because, Halt};
use crate::model::settings::Settings;
use crate::model::{ErrorKind, Mark, Model, ModelError, Reply, Request};
use crate::run::ModelRole;

/// Stands before one model in one role of one variant.
pub struct Recorder {
    pub recording: Arc<Recording>,
    /// `None` where nothing may be asked.
    pub inner: Option<Arc<dyn Model>>,
    pub variant: String,
    pub role: ModelRole,
    pub name: String,
    pub settings: Settings,
    pub halt: Halt,
    /// What is replayed; `None` where nothing is.
    pub index: Option<Index>,
    /// What is recorded into; `None` where nothing is.
    pub part: Option<Arc<Part>>,
}

impl Model for Recorder {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        Box::pin(async move {
            if self.halt.reason().is_some() {
                return Err(self.halted());
            }
            let call = self.call(request);
            let known = match self.known(&call) {
                Ok(known) => known,
                Err(error) => return Err(self.stop(Because::Recording, error)),
            };
            match (known, &self.inner) {
                (Some(entry), _) => self.replay(call, entry),
                (None, Some(inner)) => self.record(call, &**inner).await,
                (None, None) => Err(self.miss(&call)),
            }
        })
    }
}

/// A request, and what it is known by.
struct Call<'a> {
    request: &'a Request,
    messages: Vec<Said>,
    place: u32,
    ordinal: u32,
    key: Key,
}

impl Recorder {
    fn call<'a>(&self, request: &'a Request) -> Call<'a> {
        debug_assert_eq!(request.role, self.role, "a model is opened for one role");
        let origin = &request.origin;
        let messages: Vec<Said> = request.messages.iter().map(Said::from).collect();
        let shapes = &self.recording.shapes;
        let digest = key::digest(&self.name, &self.settings, request, &messages, shapes);
        let ordinal = origin.ordinal(digest);
        Call {
            request,
            messages,
            place: origin.next_call(),
            ordinal,
            key: Key::new(&digest, origin.attempt, ordinal),
        }
    }

    /// The recorded answer, where it stands for one that would be given now.
    fn known(&self, call: &Call) -> Result<Option<Entry>, RecordError> {
        let Some(index) = &self.index else {
            return Ok(None);
        };
        let Some(place) = index.find(call.key, &call.request.origin.case) else {
            return Ok(None);
        };
        let entry = index.entry(place)?;
        let is_transient = match &entry.answer {
            Answered::Reply(_) => false,
            Answered::Error { kind, .. } => kind.is_transient(),
        };
        // A replay repeats what was reported; where asking is allowed, a failure that had
        // nothing to do with the request is worth another try.
        Ok((!is_transient || self.inner.is_none()).then_some(entry))
    }

    fn replay(&self, call: Call, entry: Entry) -> Result<Reply, ModelError> {
        let latency = entry.latency_ms.map(duration);
        let clock = call.request.origin.clock();
        clock.replay(latency.unwrap_or_default());
        let (answer, latency_ms) = (entry.answer, entry.latency_ms);
        self.keep(call, answer.clone(), latency_ms)?;
        let cost = match &answer {
            Answered::Reply(reply) => reply.usage.cost,
            Answered::Error { .. } => None,
        };
        self.recording.count(&self.variant, |traffic| {
            traffic.replayed += 1;
            traffic.replayed_cost = cost.map_or(traffic.replayed_cost, |cost| {
                traffic.replayed_cost.plus(cost)
            });
        });
        match answer {
            Answered::Reply(reply) => Ok(Reply {
                content: reply.content,
                tool_calls: reply.tool_calls,
                usage: reply.usage,
                stop: reply.stop,
                latency,
            }),
            Answered::Error { kind, reason } => Err(ModelError::new(&self.name, kind, reason)),
        }
    }

    async fn record(&self, call: Call<'_>, inner: &dyn Model) -> Result<Reply, ModelError> {
        let request = call.request;
        let mut waiting = Waiting {
            recorder: self,
            since: request.origin.clock().mark(),
            call: Some(call),
        };
        let result = inner.ask(request).await;
        let call = waiting.call.take().expect("taken here only");
        let answer = match &result {
            Ok(reply) => Answered::Reply(Replied {
                content: reply.content.clone(),
                tool_calls: reply.tool_calls.clone(),
                usage: reply.usage,
                stop: reply.stop,
            }),
            // The run's own end, and an account that does not work, say nothing of the request.
            Err(error)
                if matches!(error.kind, ErrorKind::Halted | ErrorKind::Budget)
                    || error.kind.is_of_the_account() =>
            {
                return result;
            }
            Err(error) => Answered::Error {
                kind: error.kind,
                reason: error.reason.clone(),
            },
        };
        let latency = result.as_ref().ok().and_then(|reply| reply.latency);
        self.keep(call, answer, latency.map(milliseconds))?;
        self.recording
            .count(&self.variant, |traffic| traffic.recorded += 1);
        result
    }

    /// Writes an answer down, where there is something to write into.
    fn keep(
        &self,
        call: Call,
        answer: Answered,
        latency_ms: Option<f64>,
    ) -> Result<(), ModelError> {
        let (Some(sink), Some(part)) = (self.recording.sink(), &self.part) else {
            return Ok(());
        };
        let Call {
            request,
            messages,
            place,
            ordinal,
            key,
        } = call;
        let origin = &request.origin;
        let entry = Entry {
            case: origin.case.to_string(),
            attempt: origin.attempt,
            vote: origin.vote,
            call: place,
            ordinal,
            key,
            model: self.name.clone(),
            settings: self.settings.clone(),
            prompt: request.prompt.hash().to_owned(),
            output: request.output.as_deref().map(output_hash),
            tool_choice: request.tool_choice,
            messages,
            answer,
            latency_ms,
        };
        sink.write(part, &entry, request)
            .map_err(|error| self.stop(Because::Recording, error))
    }

    /// Ends the run, and says what would have to be recorded.
    fn miss(&self, call: &Call) -> ModelError {
        self.recording
            .count(&self.variant, |traffic| traffic.missed += 1);
        let origin = &call.request.origin;
        let sought = Sought {
            request: call.request,
            messages: &call.messages,
            model: &self.name,
            settings: &self.settings,
            call: call.place,
            ordinal: call.ordinal,
        };
        let folder = self.recording.replay.as_deref();
        let folder = folder.expect("only a replay is without a model");
        let redactor = &self.recording.redactor;
        let file = file_name(&self.variant, self.role);
        let near = miss::nearest(folder, &file, self.index.as_ref(), &sought, redactor);
        let near = match near {
            Ok(near) => near,
            Err(error) => return self.stop(Because::Recording, error),
        };
        let folder = folder.display();
        let message = format!(
            "no recorded answer: {variant} asks as {role} about `{case}` (attempt {attempt}, call {call}) what is not in {folder}\n{near}`--replay {folder} --record {folder}` asks for what is new, and keeps the rest",
            variant = self.variant,
            role = role_name(self.role),
            case = origin.case,
            attempt = origin.attempt + 1,
            call = call.place + 1,
        );
        let message = redactor.text(&message).into_owned();
        self.halt.stop(Because::ReplayMiss, message);
        self.halted()
    }

    /// Ends the run because the recording is of no use.
    fn stop(&self, because: Because, error: RecordError) -> ModelError {
        self.halt.stop(because, error.with_causes());
        self.halted()
    }

    fn halted(&self) -> ModelError {
        ModelError::new(&self.name, ErrorKind::Halted, "the run ends")
    }
}

/// A call that waits for its answer. Dropped by an attempt whose time is up, it is recorded
/// as cut short.
struct Waiting<'a> {
    recorder: &'a Recorder,
    since: Mark,
    call: Option<Call<'a>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else {
            return;
        };
        let clock = call.request.origin.clock();
        // Anything else that drops a call (the end of the process, a panic) is not of the
        // attempt's doing.
        if !clock.is_cutting_short() {
            return;
        }
        let answer = Answered::Error {
            kind: ErrorKind::CutShort,
            reason: "the attempt's time passed".to_owned(),
        };
        let waited = clock.since(&self.since);
        // A recording that cannot be written ends the run by itself.
        if self
            .recorder
            .keep(call, answer, Some(milliseconds(waited)))
            .is_ok()
        {
            let variant = &self.recorder.variant;
            self.recorder
                .recording
                .count(variant, |traffic| traffic.recorded += 1);
        }
    }
}

/// To the microsecond: what is less is noise.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Bounded by a week, so that nothing a file says can overflow a clock.
fn duration(milliseconds: f64) -> Duration {
    const WEEK: f64 = 7.0 * 24.0 * 3600.0;
    let seconds = (milliseconds / 1000.0).clamp(0.0, WEEK);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
