//! Attributes: what a span, an event, or a resource says.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use serde_json::Value;

use crate::redact::Redactor;

/// A list of them, in the order in which they were added, without secrets.
pub struct Attributes<'a> {
    redactor: &'a Redactor,
    all: Vec<KeyValue>,
}

impl<'a> Attributes<'a> {
    pub fn new(redactor: &'a Redactor) -> Attributes<'a> {
        Attributes {
            redactor,
            all: Vec::new(),
        }
    }

    pub fn text(&mut self, key: &str, value: &str) {
        let value = Any::StringValue(text(self.redactor, value));
        self.add(key, value);
    }

    pub fn texts<T: AsRef<str>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values = values.into_iter().map(|value| AnyValue {
            value: Some(Any::StringValue(text(self.redactor, value.as_ref()))),
        });
        let values = values.collect();
        self.add(key, Any::ArrayValue(ArrayValue { values }));
    }

    /// As JSON text: spans of most languages have no other way to say an object, and that is
    /// what tools have learned to read.
    pub fn json(&mut self, key: &str, value: &Value) {
        let json = value.to_string();
        // `\u0000` is all that a string of JSON text has of it. A backslash that is a sign of
        // its own stands there twice.
        let json = match json.contains("\\u0000") {
            true => without_nul(value).to_string(),
            false => json,
        };
        let json = self.redactor.json(&json).into_owned();
        self.add(key, Any::StringValue(json));
    }

    pub fn whole(&mut self, key: &str, value: u64) {
        // More than that is no count of anything that a model does.
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.add(key, Any::IntValue(value));
    }

    pub fn number(&mut self, key: &str, value: f64) {
        self.add(key, Any::DoubleValue(value));
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.add(key, Any::BoolValue(value));
    }

    pub fn into_list(self) -> Vec<KeyValue> {
        self.all
    }

    fn add(&mut self, key: &str, value: Any) {
        self.all.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }
}

/// A text without secrets, and without U+0000, which databases behind collectors refuse.
pub fn text(redactor: &Redactor, text: &str) -> String {
    redactor.text(&text.replace('\0', "")).into_owned()
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(values) => values.iter().map(without_nul).collect(),
        Value::Object(map) => {
            let fields = map.iter();
            fields
                .map(|(key, value)| (key.replace('\0', ""), without_nul(value)))
                .collect()
        }
        other => other.clone(),
    }
}
