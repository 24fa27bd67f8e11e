//! The providers that are known by name, as data.

use std::fmt;
use std::str::FromStr;

use super::super::http::Endpoint;

/// What is known of a provider before anybody has an account there.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// What stands before the colon of a model's name.
    pub name: &'static str,
    /// Where it is. Azure gives every customer an address of their own.
    pub url: Option<&'static str>,
    /// The variable that says another address, where there is a usual one.
    pub url_variable: Option<&'static str>,
    /// Variables that may hold its key; the first that is set counts.
    pub key_variables: &'static [&'static str],
    pub wants_key: WantsKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantsKey {
    Always,
    /// Servers elsewhere that speak the same may want none.
    AtItsOwnAddress,
    Never,
}

/// Providers by another name.
const ALIASES: [(&str, &str); 1] = [("gemini", "google")];

static PROVIDERS: [Known; 10] = [
    Known {
        name: "openai",
        url: Some("https://api.openai.com/v1"),
        url_variable: Some("OPENAI_BASE_URL"),
        key_variables: &["OPENAI_API_KEY"],
        wants_key: WantsKey::AtItsOwnAddress,
    },
    Known {
        name: "azure",
        url: None,
        url_variable: Some("AZURE_OPENAI_ENDPOINT"),
        key_variables: &["AZURE_OPENAI_API_KEY"],
        wants_key: WantsKey::Always,
    },
    Known {
        name: "anthropic",
        url: Some("https://api.anthropic.com"),
        url_variable: Some("ANTHROPIC_BASE_URL"),
        key_variables: &["ANTHROPIC_API_KEY"],
        wants_key: WantsKey::AtItsOwnAddress,
    },
    Known {
        name: "google",
        url: Some("https://generativelanguage.googleapis.com"),
        url_variable: None,
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        wants_key: WantsKey::AtItsOwnAddress,
    },
    Known {
        name: "ollama",
        url: Some("http://127.0.0.1:11434"),
        url_variable: Some("OLLAMA_HOST"),
        key_variables: &["OLLAMA_API_KEY"],
        wants_key: WantsKey::Never,
    },
    service(
        "openrouter",
        "https://openrouter.ai/api/v1",
        &["OPENROUTER_API_KEY"],
    ),
    service("groq", "https://api.groq.com/openai/v1", &["GROQ_API_KEY"]),
    service("mistral", "https://api.mistral.ai/v1", &["MISTRAL_API_KEY"]),
    service(
        "deepseek",
        "https://api.deepseek.com/v1",
        &["DEEPSEEK_API_KEY"],
    ),
    service(
        "together",
        "https://api.together.xyz/v1",
        &["TOGETHER_API_KEY"],
    ),
];

/// One that is at one address.
const fn service(
    name: &'static str,
    url: &'static str,
    key_variables: &'static [&'static str],
) -> Known {
    Known {
        name,
        url: Some(url),
        url_variable: None,
        key_variables,
        wants_key: WantsKey::AtItsOwnAddress,
    }
}

impl Known {
    pub fn all() -> &'static [Known] {
        &PROVIDERS
    }

    pub fn named(name: &str) -> Option<&'static Known> {
        let alias = ALIASES.into_iter().find(|(alias, _)| *alias == name);
        let name = alias.map_or(name, |(_, name)| name);
        PROVIDERS.iter().find(|provider| provider.name == name)
    }

    /// Whether nothing is answered at `endpoint` without a key.
    pub fn wants_key_at(&self, endpoint: &Endpoint) -> bool {
        match self.wants_key {
            WantsKey::Always => true,
            WantsKey::Never => false,
            WantsKey::AtItsOwnAddress => self.is_at(endpoint),
        }
    }

    /// Whether it is the provider itself that answers at `endpoint`.
    pub fn is_at(&self, endpoint: &Endpoint) -> bool {
        let own = self
            .url
            .map(|url| Endpoint::parse(url).expect("a constant"));
        own.is_none_or(|own| endpoint.is_at(own.host()))
    }
}

/// A model of a provider that is known by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullName {
    pub provider: &'static Known,
    /// As the provider calls it.
    pub model: String,
}

/// Why a text is no `PROVIDER:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFull {
    #[error("no `PROVIDER:NAME`, such as `openai:gpt-4o` or `ollama:llama3.2`")]
    Form,
    #[error(
        "unknown provider `{0}`: known are {known}; `openai` with a base URL asks any server that speaks chat completions",
        known = names()
    )]
    Provider(String),
}

impl FromStr for FullName {
    type Err = NotFull;

    fn from_str(text: &str) -> Result<FullName, NotFull> {
        let (provider, model) = text.split_once(':').ok_or(NotFull::Form)?;
        if model.trim().is_empty() || model.chars().any(char::is_control) {
            return Err(NotFull::Form);
        }
        let known = Known::named(provider);
        Ok(FullName {
            provider: known.ok_or_else(|| NotFull::Provider(provider.to_owned()))?,
            model: model.to_owned(),
        })
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider.name, self.model)
    }
}

fn names() -> String {
    let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
    names.join(", ")
}
