//! Asks LangSmith, and asks again where that helps.
//!
//! Everything is one request, however often it must be sent. A caller hears of it when the
//! service has answered, or when no further try can help; the limits of the service are kept
//! here, by all clones of a client together. No request makes a second thing when it is sent
//! twice, so a lost answer costs one more request and nothing else.

mod comparative;
mod datasets;
mod error;
mod examples;
mod feedback;
mod info;
mod listing;
mod multipart;
pub mod pace;
mod retry;
mod runs;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::sleep;

pub use self::error::Error;
pub use self::info::{Info, Limits};
use self::multipart::Form;
use self::pace::{Class, Pace};
use self::retry::{Backoff, Tries, Verdict, Why};
pub use self::runs::{weight, weight_of_feedback};
pub use self::sessions::Created;
use super::environment::Settings;
use crate::model::http::{CONNECT_TIMEOUT, Connections, causes, retry_after};
use crate::redact::Redactor;

/// Bytes of an answer that are read.
const MOST_BYTES: usize = 16 << 20;

/// How long an answer may take, beside what sending the request takes.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes a second that a connection is believed to carry at least.
const SLOWEST: u64 = 64 << 10;

/// A server that takes requests. Clones share what they know of it, and its limits.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    http: reqwest::Client,
    headers: HeaderMap,
    redactor: Redactor,
    /// Hides the key in what is shown, whether or not the environment knows that it is one.
    key: Redactor,
    pace: Pace,
    backoff: Backoff,
    info: OnceCell<Info>,
    ways: Ways,
    notices: Mutex<BTreeMap<&'static str, String>>,
}

/// Which of two ways a server takes, as far as it has told.
#[derive(Debug, Default)]
struct Ways {
    /// It could not read what was compressed.
    plain: AtomicBool,
    /// It takes no forms of runs.
    batches: AtomicBool,
    sessions: Way,
    runs: Way,
}

#[derive(Debug, Default)]
struct Way(AtomicU8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Way {
    fn known(&self) -> Option<Version> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Version::V1),
            2 => Some(Version::V2),
            _ => None,
        }
    }

    fn learn(&self, version: Version) {
        let version = match version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        self.0.store(version, Ordering::Relaxed);
    }
}

/// What became of runs or feedback that were sent in one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingest {
    Taken,
    /// Some of it, or all, was taken before: of a request with several attempts that says of
    /// none of them whether it is there.
    AlreadyThere,
    /// Fewer a request may be taken.
    TooLarge,
    /// Something in it is wrong, and nothing of it was taken.
    Refused {
        reason: String,
    },
}

/// One request.
struct Call {
    /// Follows "LangSmith did not".
    doing: &'static str,
    class: Class,
    method: Method,
    url: Url,
    body: Option<Body>,
    /// Whether what is missing may still come.
    early: bool,
}

struct Body {
    content_type: String,
    bytes: Vec<u8>,
    /// Whether the route knows compression.
    compressible: bool,
}

/// What the service answered, good or bad.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// Why there is no answer.
enum Silence {
    /// Nobody answered, or not to the end; in words.
    Lost(String),
    /// It would be as long again.
    TooLong,
}

/// An answer before anybody judged it.
struct Heard {
    answer: Answer,
    retry_after: Option<Duration>,
    compressed: bool,
}

impl Client {
    /// Nothing is sent yet. `redactor` hides what must not leave in all that is sent.
    ///
    /// # Errors
    /// [`Error::NoKey`]; [`Error::Offline`]; [`Error::Unreachable`] where the machine lacks
    /// what a connection takes, such as certificates it trusts.
    pub fn new(settings: Settings, redactor: Redactor) -> Result<Client, Error> {
        Client::with_backoff(settings, redactor, Backoff::default())
    }

    fn with_backoff(
        settings: Settings,
        redactor: Redactor,
        backoff: Backoff,
    ) -> Result<Client, Error> {
        let Some(key) = &settings.key else {
            return Err(Error::NoKey);
        };
        if settings.offline && !settings.endpoint.is_loopback() {
            let endpoint = settings.endpoint.to_string();
            return Err(Error::Offline { endpoint });
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut value = HeaderValue::from_str(key.secret()).expect("a key is printable ASCII");
        value.set_sensitive(true);
        headers.insert("x-api-key", value);
        if let Some(workspace) = settings.workspace {
            let id = workspace.to_string();
            let id = HeaderValue::from_str(&id).expect("an id is printable ASCII");
            headers.insert("x-tenant-id", id);
        }
        let http = Connections::default()
            .client(&settings.endpoint, CONNECT_TIMEOUT)
            .map_err(|reason| Error::Unreachable { reason })?;
        Ok(Client(Arc::new(Inner {
            key: Redactor::new([key.secret().to_owned()]),
            http,
            headers,
            redactor,
            pace: Pace::default(),
            backoff,
            info: OnceCell::new(),
            ways: Ways::default(),
            notices: Mutex::default(),
            settings,
        })))
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What the server says of itself, asked for once. One that says nothing, or nothing that
    /// can be read, is what the service is by default.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::RateLimited`]: no other request would fare better.
    pub async fn info(&self) -> Result<&Info, Error> {
        self.0
            .info
            .get_or_try_init(async || {
                let call = self.call("say what it can do", Class::Other, Method::GET, &["info"]);
                match self.send(call).await {
                    Ok(answer) if answer.is_success() => {
                        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
                    }
                    Err(error @ (Error::Unreachable { .. } | Error::RateLimited { .. })) => {
                        Err(error)
                    }
                    Ok(_) | Err(_) => Ok(Info::default()),
                }
            })
            .await
    }

    /// How much one request of runs may hold.
    ///
    /// # Errors
    /// Those of [`Client::info`].
    pub async fn limits(&self) -> Result<Limits, Error> {
        Ok(self.info().await?.limits(self.0.settings.size_limit))
    }

    /// What the server has said of routes that it will take away, a line a route.
    pub fn notices(&self) -> Vec<String> {
        self.notes().values().cloned().collect()
    }

    fn notes(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // A panic leaves the lines whole.
        let notices = self.0.notices.lock();
        notices.unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, doing: &'static str, class: Class, method: Method, path: &[&str]) -> Call {
        Call {
            doing,
            class,
            method,
            url: self.0.settings.endpoint.below(path),
            body: None,
            early: false,
        }
    }

    /// Below `/v1/platform`, where newer routes are.
    fn platform(&self, path: &[&str]) -> Url {
        let endpoint = &self.0.settings.endpoint;
        let versioned = endpoint.segments().last() == Some("v1");
        let above: &[&str] = if versioned {
            &["platform"]
        } else {
            &["v1", "platform"]
        };
        endpoint.below(&[above, path].concat())
    }

    /// Below `/api/v2`, beside the `/api/v1` that the base may name.
    fn v2(&self, path: &[&str]) -> Url {
        let endpoint = &self.0.settings.endpoint;
        let mut base: Vec<&str> = endpoint.segments().collect();
        let mut cut = base.len();
        if base[..cut].ends_with(&["api", "v1"]) {
            cut -= 2;
        } else if base[..cut].ends_with(&["api"]) {
            cut -= 1;
        }
        base.truncate(cut);
        let mut url = endpoint.below(&[]);
        url.set_path("");
        let mut segments = url.path_segments_mut().expect("an http URL has a path");
        segments.pop_if_empty().extend(base).extend(["api", "v2"]);
        segments.extend(path);
        drop(segments);
        url
    }

    fn json(&self, value: &impl Serialize) -> Body {
        Body {
            content_type: "application/json".to_owned(),
            bytes: multipart::text(value, &self.0.redactor).into_bytes(),
            compressible: false,
        }
    }

    fn form(&self, form: Form, compressible: bool) -> Body {
        Body {
            content_type: Form::content_type(),
            bytes: form.finish(),
            compressible,
        }
    }

    /// Sends a request until there is an answer for the one who asked.
    async fn send(&self, call: Call) -> Result<Answer, Error> {
        let Inner {
            settings,
            pace,
            ways,
            backoff,
            ..
        } = &*self.0;
        let zstd = match &call.body {
            Some(body) if body.compressible && settings.compression => {
                self.info_known().is_some_and(Info::reads_zstd)
            }
            _ => false,
        };
        let mut tries = Tries::new(*backoff, settings.max_retries);
        loop {
            pace.wait(call.class).await;
            let compress = zstd && !ways.plain.load(Ordering::Relaxed);
            let (why, asked, error) = match self.exchange(&call, compress).await {
                Err(Silence::Lost(reason)) => (Why::Lost, None, Error::Unreachable { reason }),
                Err(Silence::TooLong) => return Err(Error::TooLong { doing: call.doing }),
                Ok(heard) => {
                    let status = heard.answer.status;
                    if heard.compressed && self.cannot_read(&heard.answer) {
                        // It took nothing, so this is no second try of the same.
                        ways.plain.store(true, Ordering::Relaxed);
                        continue;
                    }
                    match retry::verdict(status, || heard.answer.is_json(), call.early) {
                        Verdict::Answer => return Ok(heard.answer),
                        Verdict::Denied => {
                            return Err(Error::denied(status, self.reason(&heard.answer)));
                        }
                        Verdict::Again(why) => {
                            let error = self.failed(&call, why, &heard);
                            (why, heard.retry_after, error)
                        }
                    }
                }
            };
            let Some(wait) = tries.next(why, asked, fastrand::f64()) else {
                return Err(error);
            };
            if why == Why::Limited {
                pace.hold(call.class, wait);
            } else if !wait.is_zero() {
                sleep(wait).await;
            }
        }
    }

    /// What it is where no further try helps.
    fn failed(&self, call: &Call, why: Why, heard: &Heard) -> Error {
        let status = heard.answer.status;
        let reason = self.reason(&heard.answer);
        match why {
            Why::Limited => Error::RateLimited {
                retry_after: heard.retry_after,
                reason,
            },
            Why::Firewall => Error::Unreachable {
                reason: format!(
                    "what answers is not LangSmith but a proxy or firewall (HTTP {status}): {reason}"
                ),
            },
            Why::Lost | Why::Server | Why::Early => Error::Refused {
                doing: call.doing,
                status,
                reason,
            },
        }
    }

    /// One try: an answer, or why there is none.
    async fn exchange(&self, call: &Call, compress: bool) -> Result<Heard, Silence> {
        let Inner {
            settings,
            http,
            headers,
            ..
        } = &*self.0;
        let mut request = http
            .request(call.method.clone(), call.url.clone())
            .headers(headers.clone());
        let mut length = 0;
        let mut compressed = false;
        if let Some(body) = &call.body {
            let whole = body.bytes.as_slice();
            request = request.header(CONTENT_TYPE, &body.content_type);
            compressed = compress;
            let bytes = match compress {
                true => compress_to_vec(whole, CompressionLevel::Fastest),
                false => whole.to_vec(),
            };
            if compress {
                request = request
                    .header(CONTENT_ENCODING, "zstd")
                    .header("x-pre-compressed-size", whole.len())
                    .header("x-post-compressed-size", bytes.len());
            }
            length = bytes.len();
            request = request.body(bytes);
        }
        let limit = READ_TIMEOUT + Duration::from_secs(length as u64 / SLOWEST);
        let response = match request.timeout(limit).send().await {
            Ok(response) => response,
            Err(error) => {
                let endpoint = &settings.endpoint;
                let reason = match (error.is_connect(), error.is_timeout()) {
                    (true, _) => format!(
                        "cannot connect to {endpoint} (is `LANGSMITH_ENDPOINT` right, and is a proxy needed?)"
                    ),
                    (_, true) => {
                        format!("no answer from {endpoint} within {} s", limit.as_secs())
                    }
                    (false, false) => format!("no answer from {endpoint}"),
                };
                let cause = causes(&error.without_url());
                return Err(Silence::Lost(format!("{reason}: {cause}")));
            }
        };
        let retry_after = retry_after(response.headers(), Timestamp::now());
        self.note(call, response.headers());
        let status = response.status().as_u16();
        let body = read(response).await?;
        Ok(Heard {
            answer: Answer { status, body },
            retry_after,
            compressed,
        })
    }

    /// Keeps what is said of a route's end, once.
    fn note(&self, call: &Call, headers: &HeaderMap) {
        let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (deprecation, sunset) = (said("deprecation"), said("sunset"));
        if deprecation.is_none() && sunset.is_none() {
            return;
        }
        let mut notices = self.notes();
        notices.entry(call.doing).or_insert_with(|| {
            let until = sunset.map_or(String::new(), |date| format!(" after {date}"));
            let (doing, method, path) = (call.doing, &call.method, call.url.path());
            let line = format!(
                "LangSmith will not {doing} by {method} {path} any more{until}: a newer mailproof may be needed"
            );
            crate::model::http::one_line(&line)
        });
    }

    /// Whether it is the compression that the server cannot take.
    fn cannot_read(&self, answer: &Answer) -> bool {
        match answer.status {
            415 => true,
            400 => {
                let reason = self.reason(answer).to_ascii_lowercase();
                ["zstd", "encoding", "compress"]
                    .iter()
                    .any(|word| reason.contains(word))
            }
            _ => false,
        }
    }

    /// What the server has said of itself, if it was asked.
    fn info_known(&self) -> Option<&Info> {
        self.0.info.get()
    }

    fn reason(&self, answer: &Answer) -> String {
        if (300..400).contains(&answer.status) {
            return "the address leads elsewhere, and redirects are not followed; is `LANGSMITH_ENDPOINT` right?".to_owned();
        }
        let reason = error::reason(&answer.body, &self.0.key);
        self.0.redactor.text(&reason).into_owned()
    }

    fn refused(&self, doing: &'static str, answer: &Answer) -> Error {
        Error::Refused {
            doing,
            status: answer.status,
            reason: self.reason(answer),
        }
    }

    /// What a good answer holds.
    fn read<T: DeserializeOwned>(&self, doing: &'static str, answer: &Answer) -> Result<T, Error> {
        if !answer.is_success() {
            return Err(self.refused(doing, answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let start = answer.body.trim_ascii_start();
            let reason = match start.starts_with(b"<") {
                true => "it is a web page; is `LANGSMITH_ENDPOINT` the address of the API?".into(),
                false => error.to_string(),
            };
            let reason = crate::model::http::one_line(&self.0.redactor.text(&reason));
            Error::Unreadable { doing, reason }
        })
    }
}

impl Answer {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn is_json(&self) -> bool {
        serde_json::from_slice::<Value>(&self.body).is_ok()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

/// A body that is not longer than [`MOST_BYTES`].
async fn read(mut response: Response) -> Result<Vec<u8>, Silence> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MOST_BYTES => body.extend(chunk),
            Ok(Some(_)) => return Err(Silence::TooLong),
            Ok(None) => return Ok(body),
            Err(error) => {
                let cause = causes(&error.without_url());
                let reason = format!("the answer broke off: {cause}");
                return Err(Silence::Lost(reason));
            }
        }
    }
}
