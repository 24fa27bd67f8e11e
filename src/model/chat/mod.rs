//! Models behind an endpoint that speaks OpenAI's chat completions: OpenAI itself, Ollama,
//! and most servers of local models.
//!
//! Two pure halves, [`encode`](encode::encode) and [`decode`](decode::decode), around one
//! call. Nothing is tried again here, and the one limit is on the time to connect: how long
//! an answer may take is for the attempt to say, which drops the call when its time is over.

mod decode;
mod encode;
mod endpoint;

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, Response, redirect, retry};

use self::decode::{Fault, decode};
use self::encode::encode;
pub use self::endpoint::{BadUrl, Endpoint};
use super::{Allowance, Answer, ErrorKind, ModelError, Provider, Reply, Request};
use crate::redact::Redactor;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read. The longest reply a model can give is a fraction of it.
const MAX_BODY: usize = 8 << 20;

/// Characters of an error that are kept.
const MAX_REASON: usize = 400;

/// A model, where it is, and with what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub provider: &'static str,
    /// As the provider calls the model.
    pub model: String,
    pub endpoint: Endpoint,
    /// The environment variable that moves the endpoint.
    pub base_variable: &'static str,
    pub key: Option<Key>,
    /// The environment variable of the key, where the provider knows keys.
    pub key_variable: Option<&'static str>,
}

/// A provider's key: printable ASCII, without spaces around it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// `None` where `text` cannot stand in a header.
    pub fn new(text: &str) -> Option<Key> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Key(text.to_owned()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Asks an [`Account`]'s model.
pub struct Chat {
    name: String,
    account: Account,
    client: Client,
    /// Providers quote keys in their errors.
    redactor: Redactor,
}

impl Chat {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// What the machine lacks for a connection, such as certificates it trusts.
    pub fn new(account: Account) -> Result<Chat, String> {
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .user_agent(concat!("mailproof/", env!("CARGO_PKG_VERSION")));
        if account.endpoint.is_loopback() {
            // A proxy would look for the server on its own machine.
            client = client.no_proxy();
        }
        if !account.endpoint.is_encrypted() {
            // A machine without certificates can still ask a server of its own.
            client = client.tls_certs_only([] as [Certificate; 0]);
        }
        let client = client.build().map_err(|error| causes(&error))?;
        Ok(Chat {
            name: format!("{}:{}", account.provider, account.model),
            redactor: Redactor::new(account.key.iter().map(|key| key.0.clone())),
            account,
            client,
        })
    }

    async fn post(&self, request: &Request) -> Result<Reply, String> {
        let body = encode(request, &self.account.model).to_string();
        let mut call = self
            .client
            .post(self.account.endpoint.completions())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(Key(key)) = &self.account.key {
            let bearer = HeaderValue::from_str(&format!("Bearer {key}"));
            let mut bearer = bearer.expect("a key is printable ASCII");
            bearer.set_sensitive(true);
            call = call.header(AUTHORIZATION, bearer);
        }
        let response = call.send().await.map_err(|error| self.unsent(error))?;
        let status = response.status().as_u16();
        let body = read(response).await?;
        decode(status, &body).map_err(|fault| self.told(&fault))
    }

    /// Why there was no answer.
    fn unsent(&self, error: reqwest::Error) -> String {
        let endpoint = &self.account.endpoint;
        let connects = error.is_connect();
        let cause = causes(&error.without_url());
        if connects {
            let variable = self.account.base_variable;
            format!(
                "cannot connect to {endpoint} (is the server running, and is `{variable}` right?): {cause}"
            )
        } else {
            format!("no answer from {endpoint}: {cause}")
        }
    }

    /// Why an answer is of no use.
    fn told(&self, fault: &Fault) -> String {
        match (fault, self.account.key_variable) {
            (Fault::Denied { .. }, Some(variable)) => match self.account.key {
                Some(_) => format!("{fault}; is `{variable}` the right key?"),
                None => format!("{fault}; `{variable}` is not set"),
            },
            _ => fault.to_string(),
        }
    }
}

impl Provider for Chat {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let sent = Instant::now();
            let result = self.post(request).await;
            let latency = Some(sent.elapsed());
            let result = result.map(|reply| Reply { latency, ..reply });
            Answer {
                result: result.map_err(|reason| {
                    // Redacted first: a key that was cut in two would not be known.
                    let reason = one_line(&self.redactor.text(&reason));
                    ModelError::new(&self.name, ErrorKind::Server, reason)
                }),
                allowance: Allowance::default(),
            }
        })
    }
}

/// The body, if it is not longer than [`MAX_BODY`].
async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_BODY => body.extend(chunk),
            Ok(Some(_)) => {
                let (status, limit) = (response.status().as_u16(), MAX_BODY >> 20);
                return Err(format!(
                    "the answer is longer than {limit} MiB (HTTP {status})"
                ));
            }
            Ok(None) => return Ok(body),
            Err(error) => {
                let cause = causes(&error.without_url());
                return Err(format!("the answer broke off: {cause}"));
            }
        }
    }
}

/// An error and what it came from, one after the other.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// At most [`MAX_REASON`] characters, with single spaces for all space and control
/// characters. The middle is what is left out: the end says what to do.
fn one_line(text: &str) -> String {
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
    fn a_key_is_what_a_header_can_carry_and_is_never_shown() {
        let key = Key::new(" sk-1234 ").unwrap();
        assert_eq!(key, Key("sk-1234".to_owned()));
        assert_eq!(format!("{key:?}"), "Key(..)");
        for none in ["", " ", "two words", "line\nbreak", "ключ"] {
            assert_eq!(Key::new(none), None, "{none:?}");
        }
    }
}
