//! From a name to a model.

use std::sync::Arc;

use super::Model;
use super::rules::{self, Rules};

/// A provider that is known by name, and the variable its key is read from.
struct Provider {
    name: &'static str,
    key: &'static str,
}

/// In alphabetical order.
const PROVIDERS: [Provider; 4] = [
    Provider {
        name: "anthropic",
        key: "ANTHROPIC_API_KEY",
    },
    Provider {
        name: "google",
        key: "GOOGLE_API_KEY",
    },
    Provider {
        name: "openai",
        key: "OPENAI_API_KEY",
    },
    Provider {
        name: "openrouter",
        key: "OPENROUTER_API_KEY",
    },
];

/// Why a model cannot be used. Found before any case runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("unknown model `{0}`: use `rules`, the embedded offline model, or `PROVIDER:NAME`")]
    Unknown(String),
    #[error("model `{model}` needs a key: set `{variable}`, or use `rules`, which needs none")]
    MissingKey {
        model: String,
        variable: &'static str,
    },
    #[error("model `{0}` cannot be asked by this version, which brings `rules` alone")]
    NotBuilt(String),
}

/// Finds the model called `name`, with keys from `environment` (a variable's value by name;
/// empty counts as unset).
///
/// # Errors
/// See [`OpenError`]; nothing was sent anywhere.
pub fn open(
    name: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Arc<dyn Model>, OpenError> {
    if name == rules::NAME {
        return Ok(Arc::new(Rules::new()));
    }
    let provider = name
        .split_once(':')
        .filter(|(_, model)| !model.is_empty())
        .and_then(|(provider, _)| PROVIDERS.iter().find(|known| known.name == provider))
        .ok_or_else(|| OpenError::Unknown(name.to_owned()))?;
    if environment(provider.key).is_none_or(|key| key.trim().is_empty()) {
        return Err(OpenError::MissingKey {
            model: name.to_owned(),
            variable: provider.key,
        });
    }
    Err(OpenError::NotBuilt(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_model_without_its_key_is_refused_by_the_variable_s_name() {
        for (name, keys, wrong) in [
            ("openai:gpt-4o", None, "OPENAI_API_KEY"),
            ("openai:gpt-4o", Some(" "), "OPENAI_API_KEY"),
            ("anthropic:claude", None, "ANTHROPIC_API_KEY"),
            ("openai:gpt-4o", Some("k"), "this version"),
            ("gpt-4o", Some("k"), "unknown model"),
            ("openai:", Some("k"), "unknown model"),
            ("nobody:x", Some("k"), "unknown model"),
        ] {
            let opened = open(name, |_| keys.map(str::to_owned));
            let message = opened.err().expect(name).to_string();
            assert!(message.contains(wrong), "{name}: {message}");
        }
        let rules = open("rules", |_| None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rules.name(), "rules");
    }
}
