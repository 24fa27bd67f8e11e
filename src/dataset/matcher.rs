//! Whether a call, an argument, or a text is as a pattern describes it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::address::addresses;
use super::{ArgumentMatcher, CallPattern};

/// Arguments that hold addresses: compared as sets, by address alone.
const ADDRESSES: [&str; 4] = ["to", "cc", "bcc", "attendees"];

impl CallPattern {
    /// Whether a call has the pattern's name, case aside, and all arguments it names are as
    /// it describes them.
    pub fn fits(&self, name: &str, arguments: &Map<String, Value>) -> bool {
        self.name.eq_ignore_ascii_case(name)
            && self
                .arguments
                .iter()
                .all(|(argument, matcher)| matcher.holds(argument, arguments.get(argument)))
    }
}

impl ArgumentMatcher {
    /// Whether everything that the matcher gives holds of the argument `name`, which
    /// decides whether its value is people.
    pub fn holds(&self, name: &str, found: Option<&Value>) -> bool {
        let ArgumentMatcher {
            equals,
            contains,
            matches,
            any_of,
            absent,
        } = self;
        // An argument that is null says as much as one that is not there.
        let found = found.unwrap_or(&Value::Null);
        (!absent || found.is_null())
            && equals
                .as_ref()
                .is_none_or(|value| equal(name, value, found))
            && (any_of.is_empty() || any_of.iter().any(|value| equal(name, value, found)))
            && contains.as_ref().is_none_or(|part| {
                let part = part.to_lowercase();
                texts(found)
                    .iter()
                    .any(|text| text.to_lowercase().contains(&part))
            })
            && matches
                .as_ref()
                .is_none_or(|pattern| texts(found).iter().any(|text| pattern.is_match(text)))
    }

    /// The same of a text that is no argument, such as a memory profile; `None` where
    /// there is none.
    pub fn holds_of_text(&self, found: Option<&str>) -> bool {
        self.holds("", found.map(Value::from).as_ref())
    }
}

/// The addresses that the argument `name` holds; `None` where it is not one that holds
/// people, or holds something else.
pub(crate) fn people(name: &str, value: &Value) -> Option<BTreeSet<String>> {
    let mut known = ADDRESSES.iter();
    let is_people = known.any(|known| name.eq_ignore_ascii_case(known));
    is_people.then(|| addresses(value)).flatten()
}

fn equal(name: &str, expected: &Value, found: &Value) -> bool {
    if let (Some(expected), Some(found)) = (people(name, expected), people(name, found)) {
        return expected == found;
    }
    same(expected, found)
}

/// Equality as people mean it: numbers by value, texts without the space around them, null
/// like a missing key, and what should not be a text also as JSON in a text, since models
/// and edit forms quote numbers and lists.
pub(crate) fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(expected), Value::String(found)) => expected.trim() == found.trim(),
        (Value::Number(expected), Value::Number(found)) => {
            expected == found || expected.as_f64() == found.as_f64()
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(expected, found)| same(expected, found))
        }
        (Value::Object(expected), Value::Object(found)) => {
            let covers = |one: &Map<String, Value>, other: &Map<String, Value>| {
                one.iter()
                    .all(|(key, value)| value.is_null() || other.contains_key(key))
            };
            covers(found, expected)
                && expected
                    .iter()
                    .all(|(key, value)| same(value, found.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Null, Value::Null) => true,
        (Value::Bool(expected), Value::Bool(found)) => expected == found,
        (
            Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_),
            Value::String(text),
        ) => serde_json::from_str::<Value>(text)
            .is_ok_and(|found| !found.is_string() && same(expected, &found)),
        _ => false,
    }
}

/// The texts that `contains` and `matches` look at: the value, or the elements of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(elements) => elements.iter().map(shown_whole).collect(),
        other => vec![other.to_string()],
    }
}

fn shown_whole(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;
    use serde_json::json;

    fn equals(value: Value) -> ArgumentMatcher {
        ArgumentMatcher {
            equals: Some(value),
            ..ArgumentMatcher::default()
        }
    }

    fn contains(part: &str) -> ArgumentMatcher {
        ArgumentMatcher {
            contains: Some(part.into()),
            ..ArgumentMatcher::default()
        }
    }

    fn matches(pattern: &str) -> ArgumentMatcher {
        ArgumentMatcher {
            matches: Some(Regex::new(pattern).unwrap().into()),
            ..ArgumentMatcher::default()
        }
    }

    fn any_of(values: Value) -> ArgumentMatcher {
        let Value::Array(any_of) = values else {
            panic!("a list of values")
        };
        ArgumentMatcher {
            any_of,
            ..ArgumentMatcher::default()
        }
    }

    #[track_caller]
    fn assert_holds(
        rule: &str,
        name: &str,
        matcher: &ArgumentMatcher,
        found: &Value,
        wanted: bool,
    ) {
        assert_eq!(matcher.holds(name, Some(found)), wanted, "{rule}: {found}");
    }

    #[test]
    fn equal_values_are_equal_as_people_mean_it() {
        for (rule, expected, found, equal) in [
            ("numbers by value", json!(30), json!(30.0), true),
            ("numbers by value", json!(30), json!(31), false),
            (
                "large numbers exactly",
                json!(u64::MAX),
                json!(u64::MAX),
                true,
            ),
            ("a quoted number", json!(30), json!("30"), true),
            ("a quoted truth", json!(true), json!("true"), true),
            ("a text is no number", json!("30"), json!(30), false),
            ("a quoted list", json!([1, 2]), json!("[1, 2.0]"), true),
            ("lists in order", json!([1, 2]), json!([2, 1]), false),
            ("a longer list", json!([1]), json!([1, 2]), false),
            ("space around a text", json!("Paid"), json!(" Paid\n"), true),
            ("texts by case", json!("Paid"), json!("paid"), false),
            ("null is absent", json!(null), json!(null), true),
            (
                "null is absent in a map",
                json!({"a": 1}),
                json!({"a": 1, "b": null}),
                true,
            ),
            (
                "null is absent in a map",
                json!({"a": 1, "b": null}),
                json!({"a": 1.0}),
                true,
            ),
            (
                "a map with more",
                json!({"a": 1}),
                json!({"a": 1, "b": 9}),
                false,
            ),
            (
                "a map with less",
                json!({"a": 1, "b": 9}),
                json!({"a": 1}),
                false,
            ),
            (
                "dates stay text",
                json!("2026-03-04"),
                json!("Wednesday"),
                false,
            ),
            (
                "dates stay text",
                json!("2026-03-04"),
                json!("2026-03-04"),
                true,
            ),
            (
                "addresses are texts here",
                json!("a@x.example"),
                json!("A <a@x.example>"),
                false,
            ),
        ] {
            assert_holds(rule, "value", &equals(expected), &found, equal);
        }
        assert!(equals(json!(null)).holds("value", None));
        assert!(!equals(json!("")).holds("value", None));
    }

    #[test]
    fn people_are_equal_by_address_in_any_order() {
        let ana = "Ana Ruiz <ana@x.example>";
        for (rule, expected, found, equal) in [
            (
                "with a name or without",
                json!("ana@x.example"),
                json!(ana),
                true,
            ),
            (
                "with a name or without",
                json!(ana),
                json!("ANA@X.example"),
                true,
            ),
            ("another", json!(ana), json!("eve@evil.example"), false),
            (
                "one more",
                json!(ana),
                json!([ana, "eve@evil.example"]),
                false,
            ),
            (
                "one less",
                json!([ana, "bo@x.example"]),
                json!([ana]),
                false,
            ),
            (
                "in any order",
                json!([ana, "bo@x.example"]),
                json!(["Bo@x.example", ana]),
                true,
            ),
            (
                "twice is once",
                json!([ana]),
                json!([ana, "ana@x.example"]),
                true,
            ),
            (
                "in one text",
                json!([ana, "b@x.example"]),
                json!("B <b@x.example>; ana@x.example"),
                true,
            ),
            (
                "a comma in a name",
                json!("ana@x.example"),
                json!("Ruiz, Ana <ana@x.example>"),
                true,
            ),
            (
                "quoted",
                json!("ana@x.example"),
                json!("\"Ruiz, Ana\" <ana@x.example>"),
                true,
            ),
            (
                "a bracket left open",
                json!("ana@x.example"),
                json!("Ana <ana@x.example"),
                true,
            ),
            (
                "a quoted list",
                json!(["ana@x.example"]),
                json!("[\"ana@x.example\"]"),
                true,
            ),
            (
                "names without address",
                json!(["Ana"]),
                json!([" ana"]),
                true,
            ),
            ("nobody", json!([]), json!(""), true),
            ("no people at all", json!([1]), json!([1.0]), true),
            ("no people at all", json!(ana), json!(1), false),
        ] {
            for name in ["to", "attendees", "Cc", "bcc"] {
                assert_holds(rule, name, &equals(expected.clone()), &found, equal);
            }
        }
    }

    #[test]
    fn parts_and_patterns_are_looked_for_in_texts_and_elements() {
        for (rule, matcher, found, held) in [
            (
                "contains, any case",
                contains("ANA@"),
                json!("Ana <ana@x.example>"),
                true,
            ),
            (
                "contains, in an element",
                contains("ana"),
                json!(["bo@x.example", "Ana"]),
                true,
            ),
            (
                "contains, across elements",
                contains("boana"),
                json!(["bo", "ana"]),
                false,
            ),
            ("contains, in a number", contains("9"), json!(930), true),
            ("contains, in nothing", contains(""), json!(null), false),
            (
                "matches",
                matches(r"\b1042\b"),
                json!("Invoice 1042 is paid"),
                true,
            ),
            (
                "matches, by case",
                matches("invoice"),
                json!("Invoice"),
                false,
            ),
            (
                "matches, in an element",
                matches("^bo@"),
                json!(["ana", "bo@x.example"]),
                true,
            ),
            (
                "any of",
                any_of(json!(["Friday", "2026-03-06"])),
                json!("2026-03-06"),
                true,
            ),
            ("any of", any_of(json!(["Friday"])), json!("Monday"), false),
            (
                "any of, in nothing",
                any_of(json!(["Friday"])),
                json!(null),
                false,
            ),
        ] {
            assert_holds(rule, "content", &matcher, &found, held);
        }
        let person = any_of(json!(["bo@x.example", "ana@x.example"]));
        assert_holds(
            "any person",
            "to",
            &person,
            &json!("Ana <ana@x.example>"),
            true,
        );
    }

    #[test]
    fn everything_that_is_given_must_hold() {
        let both = ArgumentMatcher {
            contains: Some("1042".into()),
            ..matches("paid$")
        };
        for (text, held) in [
            ("1042 is paid", true),
            ("1042 is open", false),
            ("all is paid", false),
        ] {
            assert_holds("both", "content", &both, &json!(text), held);
        }
        let absent = ArgumentMatcher {
            absent: true,
            ..ArgumentMatcher::default()
        };
        assert!(absent.holds("note", None));
        assert_holds("null is absent", "note", &absent, &json!(null), true);
        assert_holds("an empty text is there", "note", &absent, &json!(""), false);
    }

    #[test]
    fn a_call_fits_by_name_and_by_every_argument_the_pattern_names() {
        let pattern = CallPattern {
            name: "write_email".into(),
            arguments: vec![
                ("to".into(), equals(json!("ana@x.example"))),
                ("content".into(), contains("friday")),
            ],
        };
        let arguments =
            json!({"to": "Ana <ana@x.example>", "content": "On Friday.", "subject": "x"});
        for (case, name, change, fits) in [
            ("as described", "write_email", None, true),
            ("the name by another case", "Write_Email", None, true),
            ("another name", "question", None, false),
            (
                "one argument is wrong",
                "write_email",
                Some(("content", json!("On Monday."))),
                false,
            ),
            (
                "one argument is missing",
                "write_email",
                Some(("to", Value::Null)),
                false,
            ),
        ] {
            let Value::Object(mut arguments) = arguments.clone() else {
                unreachable!("written above")
            };
            arguments.extend(change.map(|(key, value)| (key.to_owned(), value)));
            assert_eq!(pattern.fits(name, &arguments), fits, "{case}");
        }
    }

    #[test]
    fn a_text_that_is_no_argument_is_looked_at_whole() {
        let profile = "- Meetings take 30 minutes.\n- Sign off with \"Robin\".";
        for (rule, matcher, found, held) in [
            ("contains", contains("sign off"), Some(profile), true),
            ("contains, in no text", contains("sign off"), None, false),
            (
                "matches, across lines",
                matches(r"(?s)30 minutes.*Robin"),
                Some(profile),
                true,
            ),
            (
                "equals, one of two lines",
                equals(json!("- Meetings take 30 minutes.")),
                Some(profile),
                false,
            ),
        ] {
            assert_eq!(matcher.holds_of_text(found), held, "{rule}");
        }
    }
}
