//! `models:` and `roles:`: which models there are, and how they are asked.
//!
//! ```yaml
//! models:
//!   openai:gpt-4o: { max_tokens: 1024 }
//!   precise: { model: "openai:gpt-4o", temperature: 0, seed: 7 }
//! roles:
//!   memory: { max_tokens: 400 }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::value::{Concurrency, Positive, Requests, Time, Tokens};
use crate::model::catalog::{BaseUrl, Catalog, Definition, FullName, NotFull, Rates};
use crate::model::rules;
use crate::model::settings::{Settings, Temperature};
use crate::run::ModelRole;

/// Models by the name they are chosen by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Models(pub BTreeMap<String, Definition>);

/// Settings by role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roles(pub BTreeMap<ModelRole, Settings>);

/// What `models` and `roles` say together.
pub fn catalog(models: Option<&Models>, roles: Option<&Roles>) -> Catalog {
    Catalog {
        models: models.cloned().unwrap_or_default().0,
        roles: roles.cloned().unwrap_or_default().0,
        ..Catalog::default()
    }
}

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Models;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("models by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Models, A::Error> {
                let mut models = BTreeMap::new();
                while let Some(name) = map.next_key::<Name>()? {
                    let definition = map.next_value_seed(&name)?;
                    let (Name::Full(name) | Name::Alias(name)) = name;
                    models.insert(name, definition);
                }
                Ok(Models(models))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let roles = BTreeMap::<ModelRole, Asked>::deserialize(deserializer)?;
        let roles = roles.into_iter();
        Ok(Roles(
            roles
                .map(|(role, asked)| (role, asked.settings()))
                .collect(),
        ))
    }
}

/// What an entry of `models` is called.
enum Name {
    /// `PROVIDER:NAME`.
    Full(String),
    Alias(String),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == rules::NAME {
            return Err(de::Error::custom(
                "`rules` is the embedded offline model, which takes no settings",
            ));
        }
        match text.parse::<FullName>() {
            Ok(_) => Ok(Name::Full(text)),
            Err(NotFull::Form) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                match !text.is_empty() && text.chars().all(fits) {
                    true => Ok(Name::Alias(text)),
                    false => Err(de::Error::custom(
                        "a model is named `PROVIDER:NAME`, or by a word of letters, digits, `.`, `_`, and `-`",
                    )),
                }
            }
            Err(error) => Err(de::Error::custom(error)),
        }
    }
}

/// Reads what stands under the name.
impl<'de> DeserializeSeed<'de> for &Name {
    type Value = Definition;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Definition, D::Error> {
        let entry = Entry::deserialize(deserializer)?;
        match (self, &entry.model) {
            (Name::Alias(name), None) => Err(de::Error::custom(format!(
                "`{name}` says no `model: PROVIDER:NAME`"
            ))),
            (Name::Full(_), Some(_)) => Err(de::Error::custom(
                "`model` belongs under a name without a colon; this name says the model already",
            )),
            _ => Ok(entry.definition()),
        }
    }
}

/// `PROVIDER:NAME` where a value is wanted.
#[derive(Debug)]
struct Target(FullName);

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Target).map_err(|error| match error {
            NotFull::Form => de::Error::custom(format!("this is {error}")),
            error => de::Error::custom(error),
        })
    }
}

/// `env:NAME`. A key that stands here as it is would be in a repository before long, so it
/// is refused; the message does not repeat it.
#[derive(Debug)]
struct KeyVariable(String);

impl<'de> Deserialize<'de> for KeyVariable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match text.strip_prefix("env:") {
            Some(name) if !name.is_empty() && name.chars().all(fits) => {
                Ok(KeyVariable(name.to_owned()))
            }
            _ => Err(de::Error::custom(
                "a key is not written here: name the environment variable that holds it, as in `env:OPENAI_API_KEY`",
            )),
        }
    }
}

struct Address(BaseUrl);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let address = BaseUrl::new(&text).map(Address);
        address.map_err(|error| de::Error::custom(format!("the address {error}")))
    }
}

/// `flatten` would lose where a mistake is, so the keys that several maps share are
/// written into each.
macro_rules! map {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct $name {
            $($key: Option<$type>,)*
            temperature: Option<Temperature>,
            max_tokens: Option<Positive>,
            seed: Option<u64>,
            reasoning_effort: Option<String>,
            extra_body: Option<Map<String, Value>>,
        }

        impl $name {
            fn settings(&self) -> Settings {
                Settings {
                    temperature: self.temperature,
                    max_tokens: self.max_tokens.as_ref().map(|most| most.0),
                    seed: self.seed,
                    reasoning_effort: self.reasoning_effort.clone(),
                    extra_body: self.extra_body.clone().unwrap_or_default(),
                }
            }
        }
    };
}

map! {
    /// How a model is asked in a role.
    Asked {}
}

map! {
    /// A model.
    Entry {
        model: Target,
        base_url: Address,
        api_key: KeyVariable,
        request_timeout: Time,
        rpm: Requests,
        tpm: Tokens,
        max_concurrency: Concurrency,
    }
}

impl Entry {
    fn definition(self) -> Definition {
        Definition {
            settings: self.settings(),
            model: self.model.map(|target| target.0),
            base_url: self.base_url.map(|address| address.0),
            key_variable: self.api_key.map(|variable| variable.0),
            request_timeout: self.request_timeout.map(|time| time.0),
            rates: Rates {
                requests_per_minute: self.rpm.map(|most| most.0),
                tokens_per_minute: self.tpm.map(|most| most.0),
                max_concurrency: self.max_concurrency.map(|most| most.0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Config;
    use crate::run::ModelRole;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, "c.yaml".as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mistake_about_models_is_located_and_no_key_is_repeated() {
        let named = "name the environment variable that holds it";
        for (text, wrong) in [
            (
                "models:\n  openai:m: { api_key: canary }\n",
                "2:24: a key is not written here",
            ),
            ("models:\n  openai:m:\n    api_key: \"env:\"\n", named),
            (
                "models:\n  openai:m:\n    api_key: \"env:a canary\"\n",
                "3:14: a key is not",
            ),
            (
                "models:\n  rules: { max_tokens: 1 }\n",
                "2:3: `rules` is the embedded",
            ),
            (
                "models:\n  nobody:m: {}\n",
                "2:3: unknown provider `nobody`: known are openai,",
            ),
            (
                "models:\n  two words: { model: \"openai:m\" }\n",
                "2:3: a model is named",
            ),
            (
                "models:\n  precise:\n    max_tokens: 1\n",
                "3:5: `precise` says no `model: PROV",
            ),
            (
                "models:\n  precise: { model: other }\n",
                "2:21: this is no `PROVIDER:NAME`",
            ),
            (
                "models:\n  precise: { model: \"nobody:m\" }\n",
                "2:21: unknown provider",
            ),
            (
                "models:\n  openai:m: { model: \"openai:n\" }\n",
                "2:13: `model` belongs under",
            ),
            (
                "models:\n  openai:m: { max_tokens: 0 }\n",
                "2:27: use a number of at least 1",
            ),
            (
                "models:\n  openai:m: { temprature: 0 }\n",
                "2:15: unknown field `temprature`",
            ),
            (
                "models:\n  openai:m:\n    temperature: -1\n",
                "3:18: use a temperature from 0",
            ),
            (
                "models:\n  openai:m:\n    temperature: hot\n",
                "3:18: use a temperature",
            ),
            (
                "models:\n  openai:m: { base_url: \"http://u:canary@h\" }\n",
                "2:25: the address holds",
            ),
            (
                "models:\n  openai:m: { base_url: canary }\n",
                "2:25: the address starts with neither",
            ),
            (
                "models:\n  openai:m: { request_timeout: 5 }\n",
                "2:32: use a time such as",
            ),
            (
                "models:\n  openai:m: { rpm: 0 }\n",
                "2:20: use a number of at least 1",
            ),
            (
                "models:\n  openai:m: { extra_body: [1] }\n",
                "2:27: expected mapping",
            ),
            (
                "models:\n  openai:m: {}\n  openai:m: {}\n",
                "3:3: duplicate mapping key",
            ),
            ("models: [1]\n", "1:9: "),
            (
                "roles:\n  agnet: { max_tokens: 1 }\n",
                "2:3: unknown variant `agnet`",
            ),
            (
                "roles:\n  agent: { model: \"openai:m\" }\n",
                "2:12: unknown field `model`",
            ),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.starts_with("c.yaml:"), "{text}: {message}");
            assert!(message.contains(wrong), "{text}: {message}");
            assert!(!message.contains("canary"), "{text}: {message}");
        }
    }

    #[test]
    fn a_model_is_read_with_all_that_is_said_of_it() {
        let config = parse(
            "models:
  openai:gpt-4o: { max_tokens: 9 }
  gemini:flash: {}
  precise:
    model: openai:gpt-4o
    api_key: env:TEAM
    temperature: none
    extra_body: { on: true, yes: no, top_p: 0.5 }
    tpm: 5000000000
    max_concurrency: 3
roles:
  judge: { temperature: 0.3 }
",
        );
        let catalog = config.unwrap().catalog();
        assert_eq!(catalog.models["openai:gpt-4o"].settings.max_tokens, Some(9));
        assert_eq!(catalog.models["gemini:flash"], Default::default());
        let precise = &catalog.models["precise"];
        assert_eq!(precise.model.as_ref().unwrap().to_string(), "openai:gpt-4o");
        assert_eq!(precise.key_variable.as_deref(), Some("TEAM"));
        let settings = serde_json::to_value(&precise.settings).unwrap();
        let extra_body = json!({ "on": true, "yes": "no", "top_p": 0.5 });
        assert_eq!(
            settings,
            json!({ "temperature": "none", "extra_body": extra_body })
        );
        assert_eq!(
            precise.rates.tokens_per_minute.unwrap().get(),
            5_000_000_000
        );
        assert_eq!(precise.rates.max_concurrency.unwrap().get(), 3);
        assert!(catalog.roles.contains_key(&ModelRole::Judge));
    }
}
