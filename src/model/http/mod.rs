//! Models behind HTTP.
//!
//! A family of providers is two pure halves, from a request to a body and from a body to a
//! reply, around the one call that is here. Nothing is tried again here: a failure is given
//! its [`ErrorKind`], and what to do about it is decided by others.

mod account;
mod anthropic;
mod clock;
mod dialect;
mod endpoint;
mod failure;
mod google;
mod headers;
mod ollama;
mod openai;

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Response, Url, redirect, retry};
use serde_json::{Map, Value, json};

pub use self::account::{Account, CONNECT_TIMEOUT, Key, REQUEST_TIMEOUT};
pub use self::clock::Greeting;
pub use self::dialect::{Dialect, Family, KeyHeader, OutputFormat};
pub use self::endpoint::{BadUrl, Endpoint};
pub(crate) use self::failure::causes;
use self::failure::{Fault, refused};
pub(crate) use self::headers::retry_after;
use super::{Allowance, Answer, ErrorKind, ModelError, Provider, Reply, Request};
use crate::redact::Redactor;

/// Bytes of an answer that are read. The longest reply a model can give is a fraction of it.
const MAX_BODY: usize = 8 << 20;

/// Characters of an error that are kept.
const MAX_REASON: usize = 400;

/// The connections of a process. Accounts that are reached in the same way share them.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Vec<(Way, Client)>>);

/// What makes a client of its own necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    loopback: bool,
    encrypted: bool,
    connect_timeout: Duration,
}

impl Connections {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// What the machine lacks for a connection, such as certificates it trusts.
    pub(crate) fn client(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
    ) -> Result<Client, String> {
        let way = Way {
            loopback: endpoint.is_loopback(),
            encrypted: endpoint.is_encrypted(),
            connect_timeout,
        };
        // A panic leaves no client half made.
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == way) {
            return Ok(client.clone());
        }
        let mut client = Client::builder()
            .connect_timeout(way.connect_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .user_agent(concat!("mailproof/", env!("CARGO_PKG_VERSION")));
        if way.loopback {
            // A proxy would look for the server on its own machine.
            client = client.no_proxy();
        }
        if !way.encrypted {
            // A machine without certificates can still ask a server of its own.
            client = client.tls_certs_only([] as [Certificate; 0]);
        }
        let client = client.build().map_err(|error| causes(&error))?;
        clients.push((way, client.clone()));
        Ok(client)
    }
}

/// Asks an [`Account`]'s model.
pub struct Wire {
    name: String,
    account: Account,
    family: Family,
    url: Url,
    headers: HeaderMap,
    client: Client,
    /// Providers quote keys in their errors.
    redactor: Redactor,
}

impl Wire {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// What the machine lacks for a connection, such as certificates it trusts.
    pub fn new(account: Account, connections: &Connections) -> Result<Wire, String> {
        let family = account.dialect().family;
        Ok(Wire {
            name: account.name(),
            family,
            url: match family {
                Family::OpenAi => openai::url(&account),
                Family::Anthropic => anthropic::url(&account),
                Family::Google => google::url(&account),
                Family::Ollama => ollama::url(&account),
            },
            headers: headers_of(&account),
            client: connections.client(&account.endpoint, account.connect_timeout)?,
            redactor: Redactor::new(account.key.iter().map(|key| key.secret().to_owned())),
            account,
        })
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    async fn exchange(&self, request: &Request) -> (Result<Reply, Fault>, Allowance) {
        let body = match self.family {
            Family::OpenAi => openai::encode(request, &self.account),
            Family::Anthropic => anthropic::encode(request, &self.account),
            Family::Google => google::encode(request, &self.account),
            Family::Ollama => ollama::encode(request, &self.account),
        };
        let call = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .timeout(self.account.request_timeout)
            .body(bytes(&body));
        let response = match call.send().await {
            Ok(response) => response,
            Err(error) => return (Err(self.unsent(error)), Allowance::default()),
        };
        let now = Timestamp::now();
        let allowance = headers::allowance(response.headers(), now);
        let retry_after = headers::retry_after(response.headers(), now);
        let status = response.status();
        let result = match self.read(response).await {
            Ok(body) if status.is_success() => self.decode(request, &body),
            Ok(body) => refused(status.as_u16(), &body),
            Err(fault) => Err(fault),
        };
        let result = result.map_err(|fault| Fault {
            retry_after: retry_after.or(fault.retry_after),
            ..self.told(fault)
        });
        (result, allowance)
    }

    fn decode(&self, request: &Request, body: &[u8]) -> Result<Reply, Fault> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| {
            let start = body.trim_ascii_start();
            match start.starts_with(b"<") {
                true => Fault::unreadable("it is a web page; is the base URL right?"),
                false => Fault::unreadable(error),
            }
        })?;
        let error = answer.get("error").or_else(|| answer.get(0)?.get("error"));
        if error.is_some_and(|error| !error.is_null()) {
            return Err(Fault::reported(200, &answer));
        }
        match self.family {
            Family::OpenAi => openai::decode(&answer),
            Family::Anthropic => {
                let output = request.output.as_ref().map(|output| output.name.as_str());
                anthropic::decode(&answer, output)
            }
            Family::Google => google::decode(&answer),
            Family::Ollama => ollama::decode(&answer),
        }
    }

    /// The body, if it is not longer than [`MAX_BODY`].
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Fault> {
        let status = response.status();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_BODY => body.extend(chunk),
                Ok(Some(_)) => {
                    let reason = format!("the answer is longer than {} MiB", MAX_BODY >> 20);
                    // It would be as long again; an error of that length has its status.
                    return Err(if status.is_success() {
                        Fault::new(ErrorKind::BadRequest, reason)
                    } else {
                        Fault::reported(status.as_u16(), &Value::String(reason))
                    });
                }
                Ok(None) => return Ok(body),
                Err(error) if error.is_timeout() => return Err(self.late()),
                Err(error) => {
                    let cause = causes(&error.without_url());
                    let reason = format!("the answer broke off: {cause}");
                    return Err(Fault::new(ErrorKind::Network, reason));
                }
            }
        }
    }

    /// Why there was no answer.
    fn unsent(&self, error: reqwest::Error) -> Fault {
        let endpoint = &self.account.endpoint;
        let connects = error.is_connect();
        if error.is_timeout() && !connects {
            return self.late();
        }
        let cause = causes(&error.without_url());
        let reason = if connects {
            let variable = &self.account.endpoint_variable;
            format!(
                "cannot connect to {endpoint} (is the server running, and is `{variable}` right?): {cause}"
            )
        } else {
            format!("no answer from {endpoint}: {cause}")
        };
        Fault::new(ErrorKind::Network, reason)
    }

    fn late(&self) -> Fault {
        let (endpoint, limit) = (&self.account.endpoint, self.account.request_timeout);
        let reason = format!("no whole answer from {endpoint} within {limit:?}");
        Fault::new(ErrorKind::RequestTimeout, reason)
    }

    /// Says what to look at where it is about the key.
    fn told(&self, mut fault: Fault) -> Fault {
        if fault.kind == ErrorKind::BadKey {
            let variable = &self.account.key_variable;
            fault.reason.push_str(&match self.account.key {
                Some(_) => format!("; is `{variable}` the right key?"),
                None => format!("; `{variable}` is not set"),
            });
        }
        fault
    }
}

impl Provider for Wire {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let sent = Instant::now();
            let (result, allowance) = self.exchange(request).await;
            let latency = Some(sent.elapsed());
            let result = match result {
                Ok(reply) => Ok(Reply { latency, ..reply }),
                Err(fault) => Err(ModelError {
                    model: self.name.clone(),
                    kind: fault.kind,
                    // Redacted first: a key that was cut in two would not be known.
                    reason: one_line(&self.redactor.text(&fault.reason)),
                    retry_after: fault.retry_after,
                }),
            };
            Answer { result, allowance }
        })
    }
}

fn headers_of(account: &Account) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(ACCEPT, json.clone());
    headers.insert(CONTENT_TYPE, json);
    let dialect = account.dialect();
    if dialect.family == Family::Anthropic {
        let version = HeaderValue::from_static(anthropic::VERSION);
        headers.insert("anthropic-version", version);
    }
    if let Some(key) = &account.key {
        let (name, value) = match dialect.key_header {
            KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {}", key.secret())),
            KeyHeader::Plain(name) => (HeaderName::from_static(name), key.secret().to_owned()),
        };
        let mut value = HeaderValue::from_str(&value).expect("a key is printable ASCII");
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

/// The JSON of a body. Most are some thousand bytes; growing up to that would copy each twice.
fn bytes(body: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 << 10);
    serde_json::to_writer(&mut bytes, body).expect("a value is JSON");
    bytes
}

/// Lays `over` over a body: objects are merged, `null` takes a field away, and everything
/// else replaces what was there.
/// Source: RFC 7396, "JSON Merge Patch".
fn merge(body: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (body.get_mut(key), value) {
            (_, Value::Null) => drop(body.shift_remove(key)),
            (Some(Value::Object(inner)), Value::Object(over)) => merge(inner, over),
            (_, Value::Object(over)) => {
                let mut inner = Map::new();
                merge(&mut inner, over);
                body.insert(key.clone(), Value::Object(inner));
            }
            _ => drop(body.insert(key.clone(), value.clone())),
        }
    }
}

/// A whole number as one: `0`, where a float would be `0.0`.
fn number(number: f64) -> Value {
    if number.fract() == 0.0 {
        json!(number as i64)
    } else {
        json!(number)
    }
}

/// A string, or the texts of a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

/// A call's arguments, which a model writes as text.
fn arguments(written: &Value) -> Value {
    match written {
        Value::Null => json!({}),
        // Some servers leave out the braces of a call without arguments.
        Value::String(text) if text.trim().is_empty() => json!({}),
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| written.clone()),
        value => value.clone(),
    }
}

/// A call's arguments as they are sent back. Providers refuse what is no object, and servers
/// that fill chat templates fail on it, so that a model's malformed call would become a
/// failure of its provider.
fn as_object(arguments: &Value) -> Cow<'_, Value> {
    match arguments {
        Value::Object(_) => Cow::Borrowed(arguments),
        other => Cow::Owned(json!({ "malformed": other })),
    }
}

/// At most [`MAX_REASON`] characters, with single spaces for all space and control
/// characters. The middle is what is left out: the end says what to do.
pub(crate) fn one_line(text: &str) -> String {
    let blank = |symbol: char| symbol.is_whitespace() || symbol.is_control();
    let words: Vec<&str> = text.split(blank).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let length = line.chars().count();
    if length <= MAX_REASON {
        return line;
    }
    let half = MAX_REASON / 2;
    let start: String = line.chars().take(half).collect();
    let end: String = line.chars().skip(length - half + 1).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line_with_both_ends() {
        for (text, line) in [
            ("short", "short"),
            (
                "two\r\nlines\tand \u{1b}[31mmore ",
                "two lines and [31mmore",
            ),
            ("", ""),
        ] {
            assert_eq!(one_line(text), line);
        }
        let long = one_line(&format!("first {} last", "ü".repeat(10_000)));
        assert_eq!(long.chars().count(), MAX_REASON);
        assert!(
            long.starts_with("first") && long.ends_with("last"),
            "{long}"
        );
    }

    #[test]
    fn extra_fields_are_laid_over_a_body() {
        let mut body = json!({ "a": 1, "options": { "seed": 1, "temperature": 0 }, "gone": 1 });
        let over = json!({ "options": { "seed": 2, "num_ctx": 8192 }, "gone": null, "new": { "x": null, "y": [null] } });
        merge(body.as_object_mut().unwrap(), over.as_object().unwrap());
        let expected = json!({
            "a": 1,
            "options": { "seed": 2, "temperature": 0, "num_ctx": 8192 },
            "new": { "y": [null] },
        });
        assert_eq!(body, expected);
    }
}
