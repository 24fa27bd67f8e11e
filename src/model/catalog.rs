//! From a name to a model.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::http::{
    Account, BadUrl, CONNECT_TIMEOUT, Connections, Endpoint, Key, REQUEST_TIMEOUT, Wire,
};
use super::rules::{self, Rules};
use super::settings::Settings;
use super::{Model, ModelError, Provider, Reply, Request};

const OPENAI_URL: &str = "https://api.openai.com/v1";
const OLLAMA_HOST: &str = "127.0.0.1";

/// Providers that are known by name and cannot be asked yet, each with the variable that
/// its key is read from.
const LATER: [(&str, &str); 3] = [
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("google", "GOOGLE_API_KEY"),
    ("openrouter", "OPENROUTER_API_KEY"),
];

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The embedded offline model.
    Rules,
    Chat(Account),
}

/// Why a model cannot be used. Found before any case runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(
        "unknown model `{0}`: use `rules`, the embedded offline model, or `PROVIDER:NAME`, such as `openai:gpt-4o` or `ollama:llama3.2`"
    )]
    Unknown(String),
    #[error("model `{model}` needs a key: set `{variable}`, or use `rules`, which needs none")]
    MissingKey {
        model: String,
        variable: &'static str,
    },
    #[error("`{0}` holds no key: spaces, line breaks, and letters beyond ASCII cannot be sent")]
    BadKey(&'static str),
    #[error("`{variable}` {error}")]
    BadUrl {
        variable: &'static str,
        error: BadUrl,
    },
    #[error(
        "model `{0}` cannot be asked by this version, which asks `rules`, `openai:NAME`, and `ollama:NAME`"
    )]
    NotBuilt(String),
    #[error("model `{model}` cannot be asked from this machine: {reason}")]
    NoClient { model: String, reason: String },
}

/// Finds what `name` stands for, with keys and addresses from `environment` (a variable's
/// value by name; empty counts as unset).
///
/// # Errors
/// See [`OpenError`]; nothing was sent anywhere.
pub fn find(name: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Source, OpenError> {
    if name == rules::NAME {
        return Ok(Source::Rules);
    }
    let set = |variable: &str| {
        let value = environment(variable)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let unknown = || OpenError::Unknown(name.to_owned());
    let (provider, model) = name.split_once(':').ok_or_else(unknown)?;
    if model.trim().is_empty() {
        return Err(unknown());
    }
    match provider {
        "openai" => openai(name, model, set).map(Source::Chat),
        "ollama" => ollama(model, set).map(Source::Chat),
        _ => {
            let later = LATER.into_iter().find(|(known, _)| *known == provider);
            let (_, variable) = later.ok_or_else(unknown)?;
            Err(match set(variable) {
                None => missing(name, variable),
                Some(_) => OpenError::NotBuilt(name.to_owned()),
            })
        }
    }
}

/// Finds the model called `name`, and makes it ready to be asked.
///
/// # Errors
/// See [`OpenError`]; nothing was sent anywhere.
pub fn open(
    name: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Arc<dyn Model>, OpenError> {
    match find(name, environment)? {
        Source::Rules => Ok(Arc::new(Rules::new())),
        Source::Chat(account) => match Wire::new(account, &Connections::default()) {
            Ok(wire) => Ok(Arc::new(Direct(Arc::new(wire)))),
            Err(reason) => Err(OpenError::NoClient {
                model: name.to_owned(),
                reason,
            }),
        },
    }
}

/// Asks its provider once.
struct Direct(Arc<dyn Provider>);

impl Model for Direct {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        Box::pin(async move { self.0.send(request).await.result })
    }
}

/// OpenAI itself wants a key; a server elsewhere may not.
fn openai(
    name: &str,
    model: &str,
    set: impl Fn(&str) -> Option<String>,
) -> Result<Account, OpenError> {
    const KEY: &str = "OPENAI_API_KEY";
    const BASE: &str = "OPENAI_BASE_URL";
    let own = Endpoint::parse(OPENAI_URL).expect("a constant");
    let endpoint = match set(BASE) {
        None => own.clone(),
        Some(url) => Endpoint::parse(&url).map_err(|error| OpenError::BadUrl {
            variable: BASE,
            error,
        })?,
    };
    let key = match set(KEY) {
        Some(key) => Some(Key::new(&key).ok_or(OpenError::BadKey(KEY))?),
        None if endpoint.host() == own.host() => return Err(missing(name, KEY)),
        None => None,
    };
    Ok(Account {
        provider: "openai",
        model: model.to_owned(),
        endpoint,
        endpoint_variable: BASE.to_owned(),
        key,
        key_variable: KEY.to_owned(),
        settings: Settings::default(),
        request_timeout: REQUEST_TIMEOUT,
        connect_timeout: CONNECT_TIMEOUT,
    })
}

fn ollama(model: &str, set: impl Fn(&str) -> Option<String>) -> Result<Account, OpenError> {
    const BASE: &str = "OLLAMA_HOST";
    let host = set(BASE);
    let endpoint = Endpoint::ollama(host.as_deref().unwrap_or(OLLAMA_HOST));
    Ok(Account {
        provider: "ollama",
        model: model.to_owned(),
        endpoint: endpoint.map_err(|error| OpenError::BadUrl {
            variable: BASE,
            error,
        })?,
        endpoint_variable: BASE.to_owned(),
        key: None,
        key_variable: "OLLAMA_API_KEY".to_owned(),
        settings: Settings::default(),
        request_timeout: REQUEST_TIMEOUT,
        connect_timeout: CONNECT_TIMEOUT,
    })
}

fn missing(name: &str, variable: &'static str) -> OpenError {
    OpenError::MissingKey {
        model: name.to_owned(),
        variable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment of these variables alone.
    fn of(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    fn account(name: &str, variables: &[(&str, &str)]) -> Account {
        match find(name, of(variables)) {
            Ok(Source::Chat(account)) => account,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_live_model_without_its_key_is_refused_by_the_variable_s_name() {
        let openai = "https://api.openai.com/v1/";
        for (name, variables, wrong) in [
            ("openai:gpt-4o", &[][..], "set `OPENAI_API_KEY`"),
            (
                "openai:gpt-4o",
                &[("OPENAI_API_KEY", " ")],
                "set `OPENAI_API_KEY`",
            ),
            (
                "openai:gpt-4o",
                &[("OPENAI_BASE_URL", openai)],
                "set `OPENAI_API_KEY`",
            ),
            ("anthropic:claude", &[], "set `ANTHROPIC_API_KEY`"),
            (
                "anthropic:claude",
                &[("ANTHROPIC_API_KEY", "k")],
                "this version",
            ),
            (
                "openai:gpt-4o",
                &[("OPENAI_API_KEY", "a b")],
                "`OPENAI_API_KEY` holds no key",
            ),
            (
                "openai:m",
                &[("OPENAI_BASE_URL", "localhost:1")],
                "`OPENAI_BASE_URL` starts",
            ),
            (
                "ollama:m",
                &[("OLLAMA_HOST", "ftp://h")],
                "`OLLAMA_HOST` starts",
            ),
            ("gpt-4o", &[("OPENAI_API_KEY", "k")], "unknown model"),
            ("openai:", &[("OPENAI_API_KEY", "k")], "unknown model"),
            ("nobody:x", &[("OPENAI_API_KEY", "k")], "unknown model"),
        ] {
            let opened = open(name, of(variables));
            let message = opened.err().expect(name).to_string();
            assert!(message.contains(wrong), "{name}: {message}");
        }
    }

    #[test]
    fn a_name_opens_the_model_of_that_name() {
        let key = [("OPENAI_API_KEY", "k")];
        for name in [
            "rules",
            "openai:gpt-4o",
            "openai:org/model:free",
            "ollama:llama3.2:1b",
        ] {
            let model = open(name, of(&key)).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(model.name(), name);
        }
    }

    #[test]
    fn an_endpoint_is_the_provider_s_own_or_the_one_set() {
        let key = ("OPENAI_API_KEY", "k");
        let local = "http://127.0.0.1:8089/v1";
        for (name, variables, shown, with_key) in [
            ("openai:m", &[key][..], "https://api.openai.com/v1", true),
            (
                "openai:m",
                &[key, ("OPENAI_BASE_URL", " ")],
                "https://api.openai.com/v1",
                true,
            ),
            ("openai:m", &[key, ("OPENAI_BASE_URL", local)], local, true),
            ("openai:m", &[("OPENAI_BASE_URL", local)], local, false),
            (
                "openai:m",
                &[("OPENAI_BASE_URL", "https://llm.test/v1")],
                "https://llm.test/v1",
                false,
            ),
            (
                "ollama:m",
                &[key, ("OPENAI_BASE_URL", local)],
                "http://127.0.0.1:11434",
                false,
            ),
            (
                "ollama:m",
                &[("OLLAMA_HOST", "gpu:1")],
                "http://gpu:1",
                false,
            ),
        ] {
            let account = account(name, variables);
            assert_eq!(account.endpoint.to_string(), shown);
            assert_eq!(account.key.is_some(), with_key, "{variables:?}");
            assert_eq!(account.model, "m");
        }
    }
}
