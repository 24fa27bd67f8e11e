//! All attempts of an experiment to a collector, as its journal has them.
//!
//! Nothing is kept of what was sent: pushing again sends all of it again, under the same ids.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::export::{ExportError, Exporter};
use super::telling::Telling;
use crate::experiment::journal::JournalError;
use crate::experiment::layer::{LayerError, Scored};
use crate::message::PromptContent;
use crate::run::Run;
use crate::trace::Trace;

/// Spans of a batch at most, as exporters commonly send.
const MOST_SPANS: usize = 512;
/// Bytes of a batch after which no more is put into it. As JSON it is about twice that.
/// Collectors take 4 MiB and more.
const MOST_BYTES: usize = 1 << 20;
/// What collectors said is kept so many times.
const MOST_SAID: usize = 3;

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Of which all spans were sent.
    pub attempts: u64,
    /// Spans that were taken.
    pub spans: u64,
    /// Spans that the collector would not have, alone or in a batch that it took in part.
    pub rejected: u64,
    /// What it said, each once, the first few.
    pub said: Vec<String>,
}

/// Why not all was sent, and what was: one of both reasons at least.
#[derive(Debug)]
pub struct Stopped {
    /// The journal could be read no further.
    pub unread: Option<ReadError>,
    /// The collector takes no more.
    pub unsent: Option<ExportError>,
    pub pushed: Pushed,
    /// Spans that were read, and not sent.
    pub left: u64,
}

/// Why attempts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Prompt(#[from] JournalError),
}

/// Sends the attempts that `scored` is yet to read; `on_attempt` is told of each.
///
/// A batch that is too large for the collector is halved; of what remains, each span that is
/// too large alone is rejected. What was read before the journal could be read no further is
/// sent.
///
/// # Errors
/// [`Stopped`]: the journal cannot be read, or the collector takes no more.
pub async fn push(
    scored: &mut Scored,
    telling: &Telling<'_>,
    exporter: &Exporter,
    on_attempt: impl FnMut(),
) -> Result<Pushed, Stopped> {
    let mut queue = Queue {
        telling,
        exporter,
        batch: Batch::default(),
        pushed: Pushed::default(),
        stopped: None,
        left: 0,
    };
    let read = queue.fill(scored, on_attempt).await;
    queue.flush().await;
    let Queue {
        pushed,
        stopped: unsent,
        left,
        ..
    } = queue;
    match (read.err(), unsent) {
        (None, None) => Ok(pushed),
        (unread, unsent) => Err(Stopped {
            unread,
            unsent,
            pushed,
            left,
        }),
    }
}

/// Makes `prompts` those that an attempt names. Others are forgotten: prompts that hold what
/// an agent remembers are as many as attempts.
fn recall(
    scored: &Scored,
    named: &BTreeSet<&str>,
    prompts: &mut BTreeMap<String, PromptContent>,
) -> Result<(), JournalError> {
    prompts.retain(|hash, _| named.contains(hash.as_str()));
    for &hash in named {
        if prompts.contains_key(hash) {
            continue;
        }
        if let Some(content) = scored.journal().prompt(hash)? {
            prompts.insert(hash.to_owned(), content);
        }
    }
    Ok(())
}

/// Spans on their way.
struct Queue<'a> {
    telling: &'a Telling<'a>,
    exporter: &'a Exporter,
    batch: Batch,
    pushed: Pushed,
    /// Why nothing more is sent.
    stopped: Option<ExportError>,
    left: u64,
}

/// Spans with the variant of each.
#[derive(Default)]
struct Batch {
    spans: Vec<(u32, Span)>,
    bytes: usize,
}

impl Queue<'_> {
    /// Takes in all attempts, and sends what fills a batch.
    async fn fill(
        &mut self,
        scored: &mut Scored,
        mut on_attempt: impl FnMut(),
    ) -> Result<(), ReadError> {
        let mut prompts = BTreeMap::new();
        while let Some(entry) = scored.next_attempt::<Run>()? {
            let attempt = entry.attempt;
            if self.stopped.is_none() {
                recall(scored, &Trace::prompts(&attempt), &mut prompts)?;
            }
            let trace = Trace::of(self.telling.header, &attempt, &prompts);
            match self.stopped {
                // Only counted from here on.
                Some(_) => self.left += trace.spans.len() as u64,
                None => {
                    for span in self.telling.spans(&trace, &attempt) {
                        self.add(attempt.case.variant, span).await;
                    }
                    self.pushed.attempts += 1;
                }
            }
            on_attempt();
        }
        Ok(())
    }

    async fn add(&mut self, variant: u32, span: Span) {
        let bytes = span.encoded_len();
        let spans = self.batch.spans.len();
        if spans == MOST_SPANS || (spans > 0 && self.batch.bytes + bytes > MOST_BYTES) {
            self.flush().await;
        }
        if self.stopped.is_some() {
            self.left += 1;
            return;
        }
        self.batch.bytes += bytes;
        self.batch.spans.push((variant, span));
    }

    /// Sends what there is.
    async fn flush(&mut self) {
        let mut waiting = vec![mem::take(&mut self.batch).spans];
        // The last is the next, so that spans travel in their order.
        while let Some(mut spans) = waiting.pop() {
            if spans.is_empty() {
                continue;
            }
            if self.stopped.is_some() {
                self.left += spans.len() as u64;
                continue;
            }
            let count = spans.len() as u64;
            let request = request(self.telling, &spans);
            match self.exporter.send(&request).await {
                Ok(taken) => {
                    let rejected = taken.rejected.min(count);
                    self.pushed.rejected += rejected;
                    self.pushed.spans += count - rejected;
                    self.say(taken.said);
                }
                Err(ExportError::TooLarge { .. }) if spans.len() > 1 => {
                    let later = spans.split_off(spans.len() / 2);
                    waiting.extend([later, spans]);
                }
                Err(error @ ExportError::TooLarge { .. }) => {
                    self.pushed.rejected += 1;
                    self.say(Some(error.to_string()));
                }
                Err(error) => {
                    self.left += count;
                    self.stopped = Some(error);
                }
            }
        }
    }

    fn say(&mut self, said: Option<String>) {
        let all = &mut self.pushed.said;
        if let Some(said) = said.filter(|said| all.len() < MOST_SAID && !all.contains(said)) {
            all.push(said);
        }
    }
}

/// The spans of each variant under a resource of its own.
fn request(telling: &Telling<'_>, spans: &[(u32, Span)]) -> ExportTraceServiceRequest {
    let mut variants: BTreeMap<u32, Vec<Span>> = BTreeMap::new();
    for (variant, span) in spans {
        variants.entry(*variant).or_default().push(span.clone());
    }
    let variants = variants.into_iter();
    let resources = variants.map(|(variant, spans)| telling.resource(variant, spans));
    ExportTraceServiceRequest {
        resource_spans: resources.collect(),
    }
}
