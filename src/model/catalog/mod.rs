//! From a name to a model: what a name stands for, where its provider is, and how it is
//! asked in each role.
//!
//! A name is `rules`, `PROVIDER:NAME`, or an alias that a configuration gives to one of the
//! latter. What needs no environment ([`Catalog::find`], [`Catalog::settings`]) is told
//! apart from what does ([`Catalog::account`]): a recorded run replays without a key.

mod open;
mod provider;

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

pub use self::open::{Connected, Terms, Worth, open};
pub use self::provider::{FullName, Known, NotFull, WantsKey};
use super::http::{Account, BadUrl, CONNECT_TIMEOUT, Endpoint, Key, REQUEST_TIMEOUT};
use super::rules::{self, Rulebook};
use super::settings::{Settings, Temperature};
use crate::run::ModelRole;

/// What a configuration says about models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// By the name a model is chosen by.
    pub models: BTreeMap<String, Definition>,
    /// Stand over the settings of whichever model plays the role.
    pub roles: BTreeMap<ModelRole, Settings>,
    /// What the embedded model goes by where it does not judge.
    pub rulebook: Rulebook,
}

/// One model of a configuration. What is not given is as the provider's variables say, or
/// as it is for every model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// What an alias stands for.
    pub model: Option<FullName>,
    pub base_url: Option<BaseUrl>,
    /// The environment variable that holds the key.
    pub key_variable: Option<String>,
    pub settings: Settings,
    /// How long one answer may take.
    pub request_timeout: Option<Duration>,
    pub rates: Rates,
}

/// What one account may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub requests_per_minute: Option<NonZeroU32>,
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Requests in flight.
    pub max_concurrency: Option<NonZeroUsize>,
}

/// An address as it was written down. Never shown: gateways carry keys in queries.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// # Errors
    /// See [`BadUrl`], which does not repeat the text.
    pub fn new(text: &str) -> Result<BaseUrl, BadUrl> {
        Endpoint::parse(text)?;
        Ok(BaseUrl(text.trim().to_owned()))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BaseUrl(..)")
    }
}

/// What moves an endpoint, where it is not a variable.
const BASE_URL: &str = "base_url";

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded offline model.
    Rules,
    Live(FullName),
}

/// Why a model cannot be used. Found before any case runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(
        "unknown model `{0}`: use `rules`, the embedded offline model, `PROVIDER:NAME`, such as `openai:gpt-4o` or `ollama:llama3.2`, or a name under `models` of the configuration"
    )]
    Unknown(String),
    #[error("model `{model}`: {error}")]
    Provider { model: String, error: NotFull },
    #[error("model `{model}` needs a key: set `{variable}`, or use `rules`, which needs none")]
    MissingKey { model: String, variable: String },
    #[error(
        "model `{model}` needs an address: set `{variable}`, or `base_url` in the configuration"
    )]
    MissingUrl {
        model: String,
        variable: &'static str,
    },
    #[error("`{0}` holds no key: spaces, line breaks, and letters beyond ASCII cannot be sent")]
    BadKey(String),
    #[error("`{variable}` {error}")]
    BadUrl {
        variable: &'static str,
        error: BadUrl,
    },
    #[error("model `{model}` cannot be asked from this machine: {reason}")]
    NoClient { model: String, reason: String },
    #[error("model `{model}` is at {endpoint}, and `--offline` allows this machine alone")]
    Offline { model: String, endpoint: String },
}

impl Catalog {
    /// What `name` stands for.
    ///
    /// # Errors
    /// [`OpenError::Unknown`], [`OpenError::Provider`].
    pub fn find(&self, name: &str) -> Result<Source, OpenError> {
        if name == rules::NAME {
            return Ok(Source::Rules);
        }
        if let Some(full) = self.definition(name).model {
            return Ok(Source::Live(full));
        }
        match name.parse() {
            Ok(full) => Ok(Source::Live(full)),
            Err(NotFull::Form) => Err(OpenError::Unknown(name.to_owned())),
            Err(error) => Err(OpenError::Provider {
                model: name.to_owned(),
                error,
            }),
        }
    }

    /// `name`, or what it is an alias of.
    pub fn full_name(&self, name: &str) -> String {
        let target = self.models.get(name).and_then(|it| it.model.as_ref());
        target.map_or_else(|| name.to_owned(), ToString::to_string)
    }

    /// What the configuration says about the model chosen as `name`.
    pub fn definition(&self, name: &str) -> Definition {
        self.models.get(name).cloned().unwrap_or_default()
    }

    /// Where `model`, chosen as `name`, is asked in a role, and with what; `environment` tells
    /// a variable's value by its name, empty counting as unset.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was sent anywhere.
    pub fn account(
        &self,
        name: &str,
        full: &FullName,
        role: ModelRole,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Account, OpenError> {
        let FullName { provider, model } = full;
        let definition = self.definition(name);
        let set = |variable: &str| {
            let value = environment(variable)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let (url, endpoint_variable) = match (definition.base_url, provider.url_variable) {
            (Some(BaseUrl(url)), _) => (Some(url), BASE_URL),
            (None, Some(variable)) => (set(variable), variable),
            (None, None) => (None, BASE_URL),
        };
        let url = url.or_else(|| provider.url.map(str::to_owned));
        let url = url.ok_or_else(|| OpenError::MissingUrl {
            model: name.to_owned(),
            variable: endpoint_variable,
        })?;
        let endpoint = match provider.name {
            "ollama" => Endpoint::ollama(&url),
            "azure" => Endpoint::azure(&url, model, set("OPENAI_API_VERSION").as_deref()),
            _ => Endpoint::parse(&url),
        };
        let endpoint = endpoint.map_err(|error| OpenError::BadUrl {
            variable: endpoint_variable,
            error,
        })?;
        let variables = match &definition.key_variable {
            Some(variable) => &[variable.as_str()][..],
            None => provider.key_variables,
        };
        let key = variables.iter().find_map(|it| Some((*it, set(it)?)));
        // Who names a variable means it to be used.
        let wanted = definition.key_variable.is_some() || provider.wants_key_at(&endpoint);
        if key.is_none() && wanted {
            return Err(OpenError::MissingKey {
                model: name.to_owned(),
                variable: variables.join("` or `"),
            });
        }
        let key_variable = key.as_ref().map_or(variables[0], |(variable, _)| variable);
        let bad_key = || OpenError::BadKey(key_variable.to_owned());
        Ok(Account {
            provider: provider.name,
            model: model.clone(),
            endpoint,
            endpoint_variable: endpoint_variable.to_owned(),
            key: match &key {
                Some((_, key)) => Some(Key::new(key).ok_or_else(bad_key)?),
                None => None,
            },
            key_variable: key_variable.to_owned(),
            settings: self.settings(name, role),
            request_timeout: definition.request_timeout.unwrap_or(REQUEST_TIMEOUT),
            connect_timeout: CONNECT_TIMEOUT,
        })
    }

    /// How the model chosen as `name` is asked in a role, with what is sent where nothing
    /// else is said. `rules` takes no settings.
    pub fn settings(&self, name: &str, role: ModelRole) -> Settings {
        if name == rules::NAME {
            return Settings::default();
        }
        let model = self.definition(name).settings;
        let settings = match self.roles.get(&role) {
            Some(over) => model.with(over),
            None => model,
        };
        Settings {
            temperature: settings.temperature.or(Some(Temperature::Of(0.0))),
            ..settings
        }
    }
}

#[cfg(test)]
mod tests;
