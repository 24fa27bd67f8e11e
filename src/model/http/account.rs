//! A model, where it is, and with what it is asked.

use std::fmt;
use std::time::Duration;

use super::dialect::Dialect;
use super::endpoint::Endpoint;
use crate::model::settings::Settings;

/// How long a whole answer may take. Shorter than what a case gets, so that a provider that
/// hangs is found out before the agent's time is up.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that it takes to ask one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// What stands before the colon of the model's name.
    pub provider: &'static str,
    /// As the provider calls the model.
    pub model: String,
    pub endpoint: Endpoint,
    /// What moves the endpoint, for errors: an environment variable.
    pub endpoint_variable: String,
    pub key: Option<Key>,
    /// The environment variable that the key is read from, set or not.
    pub key_variable: String,
    pub settings: Settings,
    /// From the first byte sent to the last one read.
    pub request_timeout: Duration,
    pub connect_timeout: Duration,
}

impl Account {
    /// `provider:model`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.provider, self.model)
    }

    pub fn dialect(&self) -> Dialect {
        Dialect::of(self.provider, &self.endpoint)
    }

    /// The most tokens of a reply; `None` where the provider decides.
    pub fn max_tokens(&self) -> Option<u32> {
        let default = self.dialect().default_max_tokens;
        self.settings.max_tokens.or(default)
    }
}

/// A provider's key: printable ASCII, without spaces around it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// `None` where `text` cannot stand in a header.
    pub fn new(text: &str) -> Option<Key> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Key(text.to_owned()))
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn account(provider: &'static str, model: &str, url: &str) -> Account {
        Account {
            provider,
            model: model.to_owned(),
            endpoint: Endpoint::parse(url).unwrap(),
            endpoint_variable: "THE_BASE_URL".to_owned(),
            key: None,
            key_variable: "THE_API_KEY".to_owned(),
            settings: Settings::default(),
            request_timeout: REQUEST_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    #[test]
    fn a_key_is_what_a_header_can_carry_and_is_never_shown() {
        let key = Key::new(" sk-1234 ").unwrap();
        assert_eq!(key.secret(), "sk-1234");
        assert_eq!(format!("{key:?}"), "Key(..)");
        for none in ["", " ", "two words", "line\nbreak", "ключ"] {
            assert_eq!(Key::new(none), None, "{none:?}");
        }
    }
}
