//! Checks arguments against a tool's JSON Schema.
//!
//! Covers what our own specifications use: an object of required properties which are
//! text, numbers, truth values, lists of these, or one of a list of words.

use serde_json::{Map, Value};

/// The arguments as an object in which the required properties of `parameters` stand, each
/// well-typed, and no others but its properties; or what is wrong, as a clause without a full stop.
pub fn check<'a>(
    parameters: &Value,
    arguments: &'a Value,
) -> Result<&'a Map<String, Value>, String> {
    let properties = parameters["properties"]
        .as_object()
        .expect("a specification has properties");
    let names = || {
        let names: Vec<String> = properties.keys().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let Some(given) = arguments.as_object() else {
        let kind = kind(arguments);
        return Err(format!(
            "its arguments must be a JSON object with {}, not {kind}",
            names()
        ));
    };
    for (name, schema) in properties {
        let Some(value) = given.get(name) else {
            // What is not required has a default.
            if schema.get("default").is_some() {
                continue;
            }
            return Err(format!(
                "the argument `{name}` is missing; it takes {}",
                names()
            ));
        };
        if !fits(schema, value) {
            return Err(format!(
                "`{name}` must be {}, not {}",
                wanted(schema),
                found(schema, value)
            ));
        }
    }
    match given.keys().find(|name| !properties.contains_key(*name)) {
        Some(unknown) => {
            let unknown = super::echo(unknown);
            Err(format!(
                "it has no argument `{unknown}`; it takes {}",
                names()
            ))
        }
        None => Ok(given),
    }
}

/// `arguments` in the types that `parameters` want, where a form has turned them into text:
/// numbers, truth values, lists (as JSON, or separated by commas), objects (as JSON). What
/// cannot be read so stays as it is, for [`check`] to name.
pub fn coerce(parameters: &Value, arguments: Map<String, Value>) -> Map<String, Value> {
    let schema = |name: &String| &parameters["properties"][name];
    arguments
        .into_iter()
        .map(|(name, value)| {
            let value = coerced(schema(&name), value);
            (name, value)
        })
        .collect()
}

fn coerced(schema: &Value, value: Value) -> Value {
    let wanted = schema["type"].as_str();
    let text = match value {
        Value::String(text) => text,
        Value::Array(items) if wanted == Some("array") => {
            let items = items
                .into_iter()
                .map(|item| coerced(&schema["items"], item));
            return items.collect();
        }
        other => return other,
    };
    let trimmed = text.trim();
    let json = || serde_json::from_str::<Value>(trimmed).ok();
    let meant = match wanted {
        Some("integer" | "number") => json().filter(Value::is_number),
        Some("boolean") => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Some("array") => {
            let list = json().filter(Value::is_array);
            let list = list.unwrap_or_else(|| split(trimmed).into_iter().collect());
            let Value::Array(items) = list else {
                unreachable!("both are lists");
            };
            let items = items
                .into_iter()
                .map(|item| coerced(&schema["items"], item));
            Some(items.collect())
        }
        Some("object") => json().filter(Value::is_object),
        _ => None,
    };
    meant.unwrap_or(Value::String(text))
}

/// The parts between commas, without those that are empty. A comma within quotes, as in
/// `"Lee, Sam" <sam@acme.example>`, separates nothing.
fn split(text: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = text.split(|symbol: char| {
        quoted ^= symbol == '"';
        symbol == ',' && !quoted
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn fits(schema: &Value, value: &Value) -> bool {
    if let Some(choices) = schema["enum"].as_array() {
        let text = value.as_str().unwrap_or_default().trim();
        return choices
            .iter()
            .filter_map(Value::as_str)
            .any(|choice| choice.eq_ignore_ascii_case(text));
    }
    match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        // JSON does not tell 30 from 30.0, and some models write the latter.
        Some("integer") => value.as_f64().is_some_and(|number| {
            number.fract() == 0.0
                && schema["minimum"]
                    .as_f64()
                    .is_none_or(|least| number >= least)
                && schema["maximum"].as_f64().is_none_or(|most| number <= most)
        }),
        Some("array") => value
            .as_array()
            .is_some_and(|items| items.iter().all(|item| fits(&schema["items"], item))),
        other => unreachable!("no specification of ours has the type {other:?}"),
    }
}

fn wanted(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", choices.join(", "));
    }
    match schema["type"].as_str() {
        Some("string") => "a text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
            _ => "a whole number".to_owned(),
        },
        Some("array") => "a list of texts".to_owned(),
        other => unreachable!("no specification of ours has the type {other:?}"),
    }
}

/// What stands where `schema` wanted something else.
fn found(schema: &Value, value: &Value) -> String {
    match value.as_array() {
        Some(items) if schema["type"] == "array" => {
            let misfit = items.iter().find(|item| !fits(&schema["items"], item));
            format!(
                "a list with {}",
                kind(misfit.expect("a list whose items fit is wanted"))
            )
        }
        _ => kind(value),
    }
}

/// What a value is, short enough to be shown whatever it holds.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("the text \"{}\"", super::echo(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::agent::tools::Tool;

    /// Values that are near to what some argument wants.
    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            (-10..600_i64).prop_map(Value::from),
            prop_oneof![Just(json!(30.0)), Just(json!(9.5)), Just(json!(u64::MAX))],
            prop_oneof![
                Just(json!("ignore")),
                Just(json!("reply")),
                Just(json!("2026-03-03"))
            ],
            prop_oneof![
                Just(json!([])),
                Just(json!(["a", "b"])),
                Just(json!(["a", 1]))
            ],
            Just(json!({})),
        ]
    }

    #[test]
    fn what_a_form_turned_into_text_is_read_as_what_the_tool_wants() {
        let integer = json!({ "type": "integer" });
        let boolean = json!({ "type": "boolean" });
        let list = json!({ "type": "array", "items": { "type": "string" } });
        let numbers = json!({ "type": "array", "items": { "type": "integer" } });
        let object = json!({ "type": "object" });
        let string = json!({ "type": "string" });
        for (schema, text, value) in [
            (&integer, "45", json!(45)),
            (&integer, " -3 ", json!(-3)),
            (&integer, "30.0", json!(30.0)),
            (&integer, "45 minutes", json!("45 minutes")),
            (&integer, "", json!("")),
            (&integer, "[1]", json!("[1]")),
            (&boolean, "True", json!(true)),
            (&boolean, "false", json!(false)),
            (&boolean, "no", json!("no")),
            (&list, "[\"a\", \"b, c\"]", json!(["a", "b, c"])),
            (
                &list,
                "a@x.example, b@x.example,",
                json!(["a@x.example", "b@x.example"]),
            ),
            (
                &list,
                "\"Lee, Sam\" <s@x.example>, Ana",
                json!(["\"Lee, Sam\" <s@x.example>", "Ana"]),
            ),
            (&list, "Ana", json!(["Ana"])),
            (&list, " ", json!([])),
            (&numbers, "1, 2", json!([1, 2])),
            (&numbers, "1, two", json!([1, "two"])),
            (&object, "{\"a\": 1}", json!({ "a": 1 })),
            (&object, "a", json!("a")),
            (&string, "45", json!("45")),
            (&string, "[\"a\"]", json!("[\"a\"]")),
        ] {
            assert_eq!(coerced(schema, json!(text)), value, "{schema} {text:?}");
        }
        // What is not text was meant as it is, except within a list.
        assert_eq!(coerced(&integer, json!(null)), json!(null));
        assert_eq!(coerced(&numbers, json!(["1", 2])), json!([1, 2]));
    }

    /// Arguments that fit.
    fn fitting(schema: &Value, seed: u64) -> Value {
        match schema["type"].as_str().unwrap() {
            _ if schema["enum"].is_array() => schema["enum"][0].clone(),
            "integer" => json!(schema["minimum"].as_u64().unwrap_or(0) + seed % 10),
            "boolean" => json!(seed.is_multiple_of(2)),
            "array" => json!(vec![format!("a{seed}"); seed as usize % 3]),
            _ => json!(format!("text, {seed}")),
        }
    }

    proptest! {
        #[test]
        fn fitting_arguments_survive_a_form_that_turns_them_into_text(
            tool in 0..Tool::ALL.len(),
            seed in 0..100_u64,
        ) {
            let parameters = Tool::ALL[tool].spec().parameters;
            let properties = parameters["properties"].as_object().unwrap();
            let arguments: Map<String, Value> = properties
                .iter()
                .map(|(name, schema)| (name.clone(), fitting(schema, seed)))
                .collect();
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let form: Map<String, Value> = arguments
                .iter()
                .map(|(name, value)| (name.clone(), Value::String(text(value))))
                .collect();
            prop_assert_eq!(coerce(&parameters, form), arguments.clone());
            prop_assert_eq!(coerce(&parameters, arguments.clone()), arguments);
        }

        #[test]
        fn arguments_fit_as_a_json_schema_validator_says(
            tool in 0..Tool::ALL.len(),
            values in proptest::collection::vec(proptest::option::weighted(0.95, value()), 5),
            extra in proptest::bool::weighted(0.1),
        ) {
            let parameters = Tool::ALL[tool].spec().parameters;
            let names = parameters["properties"].as_object().unwrap().keys();
            let mut arguments: Map<String, Value> = names
                .zip(values)
                .filter_map(|(name, value)| Some((name.clone(), value?)))
                .collect();
            if extra {
                arguments.insert("extra".to_owned(), json!(1));
            }
            let arguments = Value::Object(arguments);
            prop_assert_eq!(
                check(&parameters, &arguments).is_ok(),
                jsonschema::is_valid(&parameters, &arguments),
                "{}", arguments
            );
        }
    }
}
