//! How a model is asked, beside what it is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Parameters of a model, as a configuration gives them for a model or a role. What is not
/// given is not sent, apart from the temperature, which is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Sampling temperature; `none` leaves it to the provider, which some reasoning models
    /// want.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Temperature>,
    /// The most tokens of a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Where the provider knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// As the provider calls it: `low`, `medium`, `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// Further fields of the request's body, over those of ours.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra_body: Map<String, Value>,
}

/// A temperature, or that none is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Value", into = "Value")]
#[schemars(with = "Value")]
pub enum Temperature {
    /// Nothing is sent.
    Provider,
    /// From 0 on.
    Of(f64),
}

impl TryFrom<Value> for Temperature {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = value
            .as_f64()
            .filter(|number| (0.0..=10.0).contains(number));
        match (number, value.as_str()) {
            (Some(number), _) => Ok(Temperature::Of(number)),
            (None, Some("none")) => Ok(Temperature::Provider),
            _ => Err("use a temperature from 0 on, or `none` to send none".to_owned()),
        }
    }
}

impl From<Temperature> for Value {
    fn from(temperature: Temperature) -> Value {
        match temperature {
            Temperature::Provider => "none".into(),
            Temperature::Of(number) => number.into(),
        }
    }
}

impl Settings {
    /// What is sent as the temperature; `None` where nothing is.
    pub fn sent_temperature(&self) -> Option<f64> {
        match self.temperature {
            None => Some(0.0),
            Some(Temperature::Of(number)) => Some(number),
            Some(Temperature::Provider) => None,
        }
    }

    /// These, with those of `over` in their place where it has any.
    pub fn with(&self, over: &Settings) -> Settings {
        let mut extra_body = self.extra_body.clone();
        extra_body.extend(over.extra_body.clone());
        Settings {
            temperature: over.temperature.or(self.temperature),
            max_tokens: over.max_tokens.or(self.max_tokens),
            seed: over.seed.or(self.seed),
            reasoning_effort: over
                .reasoning_effort
                .clone()
                .or_else(|| self.reasoning_effort.clone()),
            extra_body,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(value: Value) -> Settings {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_role_s_settings_stand_over_the_model_s() {
        let model = settings(json!({"max_tokens": 100, "seed": 1, "extra_body": {"a": 1, "b": 1}}));
        let role = settings(json!({"temperature": 0.7, "max_tokens": 50, "extra_body": {"b": 2}}));
        let both = json!({
            "temperature": 0.7, "max_tokens": 50, "seed": 1, "extra_body": {"a": 1, "b": 2},
        });
        assert_eq!(serde_json::to_value(model.with(&role)).unwrap(), both);
    }

    #[test]
    fn the_temperature_is_zero_unless_it_is_said_otherwise() {
        for (given, sent) in [
            (json!({}), Some(0.0)),
            (json!({"temperature": 1}), Some(1.0)),
            (json!({"temperature": "none"}), None),
        ] {
            assert_eq!(settings(given).sent_temperature(), sent);
        }
        for wrong in [json!(-1), json!("hot"), json!([]), json!(1e9)] {
            let given = json!({ "temperature": wrong });
            serde_json::from_value::<Settings>(given).unwrap_err();
        }
    }
}
