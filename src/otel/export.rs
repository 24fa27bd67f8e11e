//! One batch of spans over OTLP/HTTP.
//!
//! Source: OpenTelemetry Protocol specification 1.9, "OTLP/HTTP": which answers are worth
//! asking again for, and what a collector says where it took only a part.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use super::settings::{Protocol, Settings};
use crate::model::http::{CONNECT_TIMEOUT, Connections, causes, one_line, retry_after};
use crate::redact::Redactor;

/// Bytes of an answer that are read: it holds a number and a sentence.
const MAX_ANSWER: usize = 64 << 10;

/// Times that a batch is sent at most.
const TRIES: u32 = 6;
/// Before the second time; each later wait is twice the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A collector that wants more is asked another day.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What became of a batch that the collector answered for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Spans that it did not take, and will never.
    pub rejected: u64,
    /// What it said of that, or a warning.
    pub said: Option<String>,
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error(
        "cannot reach the collector at {endpoint} (is it running, and is `{variable}` right?): {reason}"
    )]
    Unreachable {
        endpoint: String,
        variable: &'static str,
        reason: String,
    },
    #[error(
        "{endpoint} let nobody in ({status}): {reason}; a key goes into `OTEL_EXPORTER_OTLP_HEADERS`, as in `Authorization=Bearer%20KEY`"
    )]
    Denied {
        endpoint: String,
        status: u16,
        reason: String,
    },
    /// Even for a batch of one span no more can be done.
    #[error("{endpoint} finds a batch too large ({status})")]
    TooLarge { endpoint: String, status: u16 },
    #[error("{endpoint} asks to wait {}, and that is too long; push again later", seconds(.wait))]
    Busy { endpoint: String, wait: Duration },
    #[error("{endpoint} answered {status}: {reason}{}", advice(*status))]
    Refused {
        endpoint: String,
        status: u16,
        reason: String,
    },
}

fn seconds(wait: &Duration) -> String {
    format!("{} s", wait.as_secs())
}

fn advice(status: u16) -> &'static str {
    match status {
        404 | 405 => {
            "; is the path right? `OTEL_EXPORTER_OTLP_ENDPOINT` is what `/v1/traces` is put behind"
        }
        415 => {
            "; it may read the other of `http/protobuf` and `http/json` (`OTEL_EXPORTER_OTLP_PROTOCOL`)"
        }
        _ => "",
    }
}

/// Sends batches to one collector.
pub struct Exporter {
    settings: Settings,
    client: Client,
    /// What is in the headers; collectors quote keys in their errors.
    secrets: Redactor,
    /// Whether there was ever an answer.
    reached: AtomicBool,
}

impl fmt::Debug for Exporter {
    /// Says nothing of headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("endpoint", &self.settings.endpoint)
            .finish_non_exhaustive()
    }
}

/// One try: what is to be told, and after what time another may help.
struct Missed {
    error: ExportError,
    again: Option<Option<Duration>>,
}

impl Exporter {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// What the machine lacks for a connection, such as certificates it trusts.
    pub fn new(settings: Settings) -> Result<Exporter, String> {
        let client = Connections::default().client(&settings.endpoint, CONNECT_TIMEOUT)?;
        let values = settings.headers.values();
        let values = values.filter_map(|value| value.to_str().ok());
        // `Basic cGs6c2s=`: the scheme is no secret, and what follows may be quoted alone.
        let secrets = values.flat_map(|value| value.split(' ').map(str::to_owned));
        Ok(Exporter {
            secrets: Redactor::new(secrets),
            reached: AtomicBool::new(false),
            client,
            settings,
        })
    }

    /// Where it sends to.
    pub fn endpoint(&self) -> String {
        self.settings.endpoint.to_string()
    }

    /// Sends a batch until it is taken, or it is clear that it will not be.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub async fn send(&self, batch: &ExportTraceServiceRequest) -> Result<Taken, ExportError> {
        let body = match self.settings.protocol {
            Protocol::Protobuf => batch.encode_to_vec(),
            Protocol::Json => {
                serde_json::to_vec(batch).expect("spans have nothing that JSON has not")
            }
        };
        persist(&self.endpoint(), || self.try_once(body.clone())).await
    }

    async fn try_once(&self, body: Vec<u8>) -> Result<Taken, Missed> {
        let settings = &self.settings;
        let request = self
            .client
            .post(settings.url.clone())
            .headers(settings.headers.clone())
            .header(CONTENT_TYPE, settings.protocol.content_type())
            .timeout(settings.timeout)
            .body(body);
        let response = request.send().await.map_err(|error| self.unsent(error))?;
        self.reached.store(true, Ordering::Relaxed);
        let status = response.status();
        let headers = response.headers().clone();
        // The status says what became of the batch; one that breaks off says no more than that.
        let answer = read(response).await.unwrap_or_default();
        if status.is_success() {
            return Ok(self.taken(&headers, &answer));
        }
        let endpoint = self.endpoint();
        let reason = self.told(&reason(&headers, &answer));
        let code = status.as_u16();
        let (error, again) = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let denied = ExportError::Denied {
                    endpoint,
                    status: code,
                    reason,
                };
                (denied, None)
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                let status = code;
                (ExportError::TooLarge { endpoint, status }, None)
            }
            _ => {
                let again = matches!(code, 429 | 502 | 503 | 504);
                let refused = ExportError::Refused {
                    endpoint,
                    status: code,
                    reason,
                };
                let after = retry_after(&headers, Timestamp::now());
                (refused, again.then_some(after))
            }
        };
        Err(Missed { error, again })
    }

    /// The batch was taken: an answer that cannot be read says nothing against it.
    fn taken(&self, headers: &HeaderMap, answer: &[u8]) -> Taken {
        let (rejected, said) = match is_json(headers) {
            true => partial_json(answer),
            false => partial_protobuf(answer),
        }
        .unwrap_or_default();
        let said = self.told(&said);
        Taken {
            rejected,
            said: (!said.is_empty()).then_some(said),
        }
    }

    fn unsent(&self, error: reqwest::Error) -> Missed {
        // Where nobody ever answered, nobody is there to be waited for.
        let hopeless = error.is_connect() && !self.reached.load(Ordering::Relaxed);
        let late = error.is_timeout() && !error.is_connect();
        let reason = match late {
            true => format!("no answer within {} ms", self.settings.timeout.as_millis()),
            false => self.told(&causes(&error.without_url())),
        };
        Missed {
            error: ExportError::Unreachable {
                endpoint: self.endpoint(),
                variable: self.settings.said_by,
                reason,
            },
            again: (!hopeless).then_some(None),
        }
    }

    /// One short line without secrets.
    fn told(&self, text: &str) -> String {
        one_line(&self.secrets.text(text))
    }
}

/// Tries until it works out, a try says that no other will, or there were [`TRIES`].
async fn persist(
    endpoint: &str,
    mut once: impl AsyncFnMut() -> Result<Taken, Missed>,
) -> Result<Taken, ExportError> {
    let mut wait = FIRST_WAIT;
    let mut tries = 1;
    loop {
        let missed = match once().await {
            Ok(taken) => return Ok(taken),
            Err(missed) => missed,
        };
        let Some(after) = missed.again.filter(|_| tries < TRIES) else {
            return Err(missed.error);
        };
        if let Some(wait) = after.filter(|after| *after > LONGEST_WAIT) {
            let endpoint = endpoint.to_owned();
            return Err(ExportError::Busy { endpoint, wait });
        }
        // Those that failed together are not to come back together.
        let jittered = wait.mul_f64(0.5 + 0.5 * fastrand::f64());
        sleep(after.unwrap_or(jittered)).await;
        wait *= 2;
        tries += 1;
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_ANSWER - answer.len();
        answer.extend(chunk.iter().take(room));
        if chunk.len() > room {
            break;
        }
    }
    Ok(answer)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// How many spans were rejected, and what is said of it.
fn partial_protobuf(answer: &[u8]) -> Option<(u64, String)> {
    let answer = ExportTraceServiceResponse::decode(answer).ok()?;
    let partial = answer.partial_success?;
    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
    Some((rejected, partial.error_message))
}

/// The same. A 64-bit number is a string in the JSON of protobuf, and with some a number.
fn partial_json(answer: &[u8]) -> Option<(u64, String)> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let partial = answer.get("partialSuccess")?;
    let rejected = &partial["rejectedSpans"];
    let text = rejected.as_str().and_then(|text| text.parse().ok());
    let rejected = rejected.as_u64().or(text).unwrap_or(0);
    let said = partial["errorMessage"].as_str().unwrap_or_default();
    Some((rejected, said.to_owned()))
}

/// Why it was refused: a `google.rpc.Status` by the specification, and often plain text.
fn reason(headers: &HeaderMap, answer: &[u8]) -> String {
    if is_json(headers) {
        let parsed: Option<Value> = serde_json::from_slice(answer).ok();
        let said = parsed.as_ref().and_then(|answer| {
            let names = ["message", "error", "detail"].into_iter();
            names.filter_map(|name| answer.get(name)?.as_str()).next()
        });
        if let Some(said) = said {
            return said.to_owned();
        }
    }
    if let Ok(Status { message, .. }) = Status::decode(answer)
        && !message.is_empty()
    {
        return message;
    }
    match String::from_utf8_lossy(answer).trim() {
        "" => "it gave no reason".to_owned(),
        said => said.to_owned(),
    }
}

/// `google.rpc.Status`, as far as it is read.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn missed(again: Option<Option<Duration>>) -> Missed {
        let error = ExportError::Refused {
            endpoint: "e".to_owned(),
            status: 503,
            reason: "r".to_owned(),
        };
        Missed { error, again }
    }

    /// What comes of tries that all miss in the same way, how many there were, and how long
    /// they took.
    async fn missing(
        again: Option<Option<Duration>>,
    ) -> (Result<Taken, ExportError>, u32, Duration) {
        let tries = Cell::new(0);
        let began = Instant::now();
        let once = async || {
            tries.set(tries.get() + 1);
            Err(missed(again))
        };
        let result = persist("e", once).await;
        (result, tries.get(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_with_growing_waits() {
        let (result, tries, took) = missing(Some(None)).await;
        assert_eq!(result, Err(missed(None).error));
        assert_eq!(tries, TRIES);
        // 1 + 2 + 4 + 8 + 16 seconds, each shortened by half at most.
        let seconds = took.as_secs_f64();
        assert!((15.5..=31.1).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_collector_says_of_waiting_is_believed_up_to_a_bound() {
        let (_, tries, took) = missing(Some(Some(Duration::from_secs(7)))).await;
        assert_eq!((tries, took.as_secs()), (TRIES, 7 * 5));
        let hour = Duration::from_secs(3600);
        let (result, tries, took) = missing(Some(Some(hour))).await;
        let endpoint = "e".to_owned();
        assert_eq!(
            result,
            Err(ExportError::Busy {
                endpoint,
                wait: hour
            })
        );
        assert_eq!((tries, took), (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_tried_once() {
        let (result, tries, took) = missing(None).await;
        assert_eq!(result, Err(missed(None).error));
        assert_eq!((tries, took), (1, Duration::ZERO));
    }

    #[test]
    fn what_was_rejected_is_read_in_both_forms() {
        let answer = ExportTraceServiceResponse {
            partial_success: Some(
                opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess {
                    rejected_spans: 3,
                    error_message: "too old".to_owned(),
                },
            ),
        };
        let partial = Some((3, "too old".to_owned()));
        assert_eq!(partial_protobuf(&answer.encode_to_vec()), partial);
        for (json, expected) in [
            (
                r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#,
                partial.clone(),
            ),
            (
                r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}"#,
                partial,
            ),
            (r#"{"partialSuccess":{}}"#, Some((0, String::new()))),
            (
                r#"{"partialSuccess":{"rejectedSpans":-1}}"#,
                Some((0, String::new())),
            ),
            ("{}", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(partial_json(json.as_bytes()), expected, "{json}");
        }
        for nothing in [&b""[..], b"\xff\xff"] {
            assert_eq!(partial_protobuf(nothing), None);
        }
    }

    #[test]
    fn a_reason_is_found_in_whatever_form_it_comes() {
        let json = HeaderMap::from_iter([(CONTENT_TYPE, "application/json; x".parse().unwrap())]);
        let none = HeaderMap::new();
        let status = Status {
            code: 3,
            message: "no such project".to_owned(),
        };
        let status = status.encode_to_vec();
        for (headers, answer, expected) in [
            (
                &json,
                &br#"{"code":3,"message":"no such project"}"#[..],
                "no such project",
            ),
            (&json, br#"{"error":"Invalid key"}"#, "Invalid key"),
            (&json, br#"{"other":1}"#, r#"{"other":1}"#),
            (&none, &status, "no such project"),
            (
                &none,
                b"Unsupported content type\n",
                "Unsupported content type",
            ),
            (&none, b"", "it gave no reason"),
        ] {
            assert_eq!(reason(headers, answer), expected);
        }
    }
}
