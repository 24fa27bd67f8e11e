//! One batch of spans over OTLP/HTTP.
//!
//! Source: OpenTelemetry Protocol specification 1.9, "OTLP/HTTP": which answers are worth
//! asking again for, and what a collector says where it took only a part.

use std::fmt;
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
        415 => "; it may read the other of `http/protobuf` and `http/json` (`OTEL_EXPORTER_OTLP_PROTOCOL`)",
        _ => "",
    }
}

/// Sends batches to one collector.
pub struct Exporter {
    settings: Settings,
    client: Client,
    /// What is in the headers; collectors quote keys in their errors.
    secrets: Redactor,
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
        let mut wait = FIRST_WAIT;
        for tries in 1.. {
            let missed = match self.try_once(body.clone()).await {
                Ok(taken) => return Ok(taken),
                Err(missed) => missed,
            };
            let Some(after) = missed.again.filter(|_| tries < TRIES) else {
                return Err(missed.error);
            };
            if let Some(after) = after.filter(|after| *after > LONGEST_WAIT) {
                let endpoint = self.endpoint();
                return Err(ExportError::Busy {
                    endpoint,
                    wait: after,
                });
            }
            // Those that failed together are not to come back together.
            let jittered = wait.mul_f64(0.5 + 0.5 * fastrand::f64());
            sleep(after.unwrap_or(jittered)).await;
            wait *= 2;
        }
        unreachable!("the last try returns")
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
        let status = response.status();
        let headers = response.headers().clone();
        let answer = read(response).await.map_err(|error| self.unsent(error))?;
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
            again: Some(None),
        }
    }

    /// One short line without secrets.
    fn told(&self, text: &str) -> String {
        one_line(&self.secrets.text(text))
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
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
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
