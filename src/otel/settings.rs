//! Where spans are sent, and how, as OpenTelemetry's own variables say it.
//!
//! Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter" and "Environment
//! Variable Specification". A variable that is empty says nothing.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::model::http::{BadUrl, Endpoint};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];
const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const CONTENT: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

/// What the specification sends to where nothing is said.
const DEFAULT: &str = "http://localhost:4318";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How spans are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The one that every collector reads.
    Protobuf,
    Json,
}

impl Protocol {
    pub fn content_type(self) -> &'static str {
        match self {
            Protocol::Protobuf => "application/x-protobuf",
            Protocol::Json => "application/json",
        }
    }
}

#[derive(Clone)]
pub struct Settings {
    pub endpoint: Endpoint,
    /// All of the address.
    pub url: Url,
    /// The variable that said so, or where it would have.
    pub said_by: &'static str,
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub protocol: Protocol,
    /// Whether texts are sent too.
    pub content: bool,
    /// What is to stand on every resource.
    pub resource: Vec<(String, String)>,
}

/// What a variable says wrongly. Its value is not repeated: it may hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("`{variable}` {wrong}")]
    Endpoint {
        variable: &'static str,
        wrong: BadUrl,
    },
    #[error("`{variable}` is no list such as `name=value,other=value`, with `%2C` for a comma")]
    List { variable: &'static str },
    #[error("`{variable}` names a header that HTTP does not allow")]
    Header { variable: &'static str },
    #[error("`{variable}` is no time in milliseconds, such as `10000`")]
    Timeout { variable: &'static str },
    #[error(
        "`{variable}` asks for gRPC, which is not spoken here: use `http/protobuf` or `http/json`, and the collector's address for HTTP (often port 4318)"
    )]
    Grpc { variable: &'static str },
    #[error("`{variable}` is neither `http/protobuf` nor `http/json`")]
    Protocol { variable: &'static str },
    #[error("`{CONTENT}` is neither `true` nor `false`")]
    Content,
}

impl Settings {
    /// `get` says what a variable is.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let get = |name: &str| {
            let value = get(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let first = |names: [&'static str; 2]| {
            let mut names = names.into_iter();
            names.find_map(|name| Some((name, get(name)?)))
        };

        let (said_by, text) = match (get(TRACES_ENDPOINT), get(ENDPOINT)) {
            (Some(text), _) => (TRACES_ENDPOINT, text),
            (None, Some(text)) => (ENDPOINT, text),
            (None, None) => (ENDPOINT, DEFAULT.to_owned()),
        };
        let wrong = |wrong| SettingsError::Endpoint {
            variable: said_by,
            wrong,
        };
        let endpoint = Endpoint::parse(&text).map_err(wrong)?;
        let url = match said_by {
            // Of this signal: as it is.
            TRACES_ENDPOINT => Url::parse(&text).expect("it was just parsed"),
            _ => endpoint.below(&["v1", "traces"]),
        };

        let headers = match first(HEADERS) {
            Some((variable, text)) => headers(variable, &text)?,
            None => HeaderMap::new(),
        };
        let timeout = match first(TIMEOUT) {
            Some((variable, text)) => match text.parse() {
                Ok(milliseconds @ 1..) => Duration::from_millis(milliseconds),
                _ => return Err(SettingsError::Timeout { variable }),
            },
            None => DEFAULT_TIMEOUT,
        };
        let protocol = match first(PROTOCOL) {
            None => Protocol::Protobuf,
            Some((variable, text)) => match &*text.to_ascii_lowercase() {
                "http/protobuf" => Protocol::Protobuf,
                "http/json" => Protocol::Json,
                "grpc" => return Err(SettingsError::Grpc { variable }),
                _ => return Err(SettingsError::Protocol { variable }),
            },
        };
        // The names with `span` in them are those of instrumentations that can also write
        // events, or both.
        let content = match get(CONTENT)
            .map(|text| text.to_ascii_lowercase())
            .as_deref()
        {
            Some("true" | "1" | "span_only" | "span_and_event") => true,
            None | Some("false" | "0" | "no_content" | "event_only") => false,
            Some(_) => return Err(SettingsError::Content),
        };
        let mut resource = match get(RESOURCE) {
            Some(text) => list(RESOURCE, &text)?,
            None => Vec::new(),
        };
        if let Some(service) = get(SERVICE) {
            resource.retain(|(name, _)| name != "service.name");
            resource.push(("service.name".to_owned(), service));
        }
        Ok(Settings {
            endpoint,
            url,
            said_by,
            headers,
            timeout,
            protocol,
            content,
            resource,
        })
    }
}

fn headers(variable: &'static str, text: &str) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::new();
    for (name, value) in list(variable, text)? {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(&value);
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(SettingsError::Header { variable });
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// `name=value`, separated by commas; signs that would mean something are percent-encoded.
/// Source: W3C Baggage, which the specification refers to; properties behind a `;` are left
/// to be part of the value, as everybody who writes a header expects.
fn list(variable: &'static str, text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let wrong = || SettingsError::List { variable };
    let entries = text.split(',').map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        let (name, value) = entry.split_once('=')?;
        let name = decoded(name.trim())?;
        (!name.is_empty()).then_some((name, decoded(value.trim())?))
    };
    entries.map(|entry| pair(entry).ok_or_else(wrong)).collect()
}

/// Without percent encoding; a `%` that begins none is a `%`. `None` where that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|_| *first == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_address_of_traces_is_taken_as_it_is_and_the_common_one_has_a_path_below_it() {
        for (variables, url) in [
            (&[][..], "http://localhost:4318/v1/traces"),
            (&[(ENDPOINT, " ")], "http://localhost:4318/v1/traces"),
            (&[(ENDPOINT, "http://c:1")], "http://c:1/v1/traces"),
            (
                &[(ENDPOINT, "https://c/api/public/otel/")],
                "https://c/api/public/otel/v1/traces",
            ),
            (&[(TRACES_ENDPOINT, "http://c:1/x/")], "http://c:1/x/"),
            (&[(TRACES_ENDPOINT, "http://c:1")], "http://c:1/"),
            (
                &[(ENDPOINT, "http://c:1"), (TRACES_ENDPOINT, "http://t:2/y")],
                "http://t:2/y",
            ),
        ] {
            assert_eq!(read(variables).unwrap().url.as_str(), url, "{variables:?}");
        }
    }

    #[test]
    fn what_is_said_of_traces_wins_over_what_is_said_of_all() {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                "Authorization=Basic%20cGs6c2s=, x-version = 4,",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=x,openinference.project.name=mail%2C too",
            ),
            ("OTEL_SERVICE_NAME", "emails"),
            (CONTENT, "SPAN_ONLY"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.headers.len(), 2);
        assert_eq!(settings.headers["authorization"], "Basic cGs6c2s=");
        assert_eq!(settings.headers["x-version"], "4");
        assert!(!format!("{:?}", settings.headers).contains("cGs6"));
        assert_eq!(settings.timeout, Duration::from_millis(2500));
        assert_eq!(settings.protocol, Protocol::Json);
        assert!(settings.content);
        let resource = [
            ("openinference.project.name", "mail, too"),
            ("service.name", "emails"),
        ];
        let resource = resource.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings.resource, resource);
        let nothing = read(&[]).unwrap();
        assert_eq!(nothing.protocol, Protocol::Protobuf);
        assert_eq!(nothing.timeout, Duration::from_secs(10));
        assert!(!nothing.content && nothing.headers.is_empty());
    }

    #[test]
    fn a_mistake_names_its_variable_and_repeats_no_value() {
        for (variable, value, says) in [
            (ENDPOINT, "localhost:4318", "starts with neither"),
            (TRACES_ENDPOINT, "http://u:secret@c", "user name"),
            (HEADERS[1], "secret", "no list"),
            (HEADERS[0], "=secret", "no list"),
            (HEADERS[1], "a=%ffsecret", "no list"),
            (HEADERS[1], "a b=secret", "does not allow"),
            (HEADERS[1], "a=secret%0A", "does not allow"),
            (TIMEOUT[1], "10s", "milliseconds"),
            (TIMEOUT[0], "0", "milliseconds"),
            (PROTOCOL[1], "grpc", "gRPC"),
            (PROTOCOL[0], "http", "neither"),
            (RESOURCE, "secret", "no list"),
            (CONTENT, "secret", "neither"),
        ] {
            let error = read(&[(variable, value)]).err().expect(value).to_string();
            assert!(error.contains(says) && error.contains(variable), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read_or_refused(text in "(?s).{0,80}") {
            let _ = list(RESOURCE, &text);
        }

        #[test]
        fn what_is_percent_encoded_comes_back(value in "(?s).{0,20}") {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let read = list(RESOURCE, &format!("name={encoded}")).unwrap();
            prop_assert_eq!(&read, &[("name".to_owned(), value)]);
        }
    }
}
