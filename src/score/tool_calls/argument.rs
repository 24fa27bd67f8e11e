//! How arguments, and what is expected of them, are shown.

use serde_json::Value;

use crate::dataset::ArgumentMatcher;
use crate::score::one_line;

/// The most characters of an argument that a comment shows.
const SHOWN: usize = 60;

/// What a matcher asks for, in words.
pub(in crate::score) fn describe(matcher: &ArgumentMatcher) -> String {
    let mut parts = Vec::new();
    if matcher.absent {
        parts.push("nothing".to_owned());
    }
    if let Some(value) = &matcher.equals {
        parts.push(show(Some(value)));
    }
    if !matcher.any_of.is_empty() {
        let values: Vec<String> = matcher
            .any_of
            .iter()
            .map(|value| show(Some(value)))
            .collect();
        parts.push(format!("one of {}", values.join(", ")));
    }
    if let Some(part) = &matcher.contains {
        parts.push(format!("a text with `{part}`"));
    }
    if let Some(pattern) = &matcher.matches {
        parts.push(format!("a text that matches `{pattern}`"));
    }
    one_line(&parts.join(" and "), 2 * SHOWN)
}

/// An argument as a comment shows it: bounded, on one line.
pub(in crate::score) fn show(found: Option<&Value>) -> String {
    match found {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) if text.trim().is_empty() => "an empty text".to_owned(),
        Some(Value::String(text)) => one_line(text, SHOWN),
        Some(value) => one_line(&value.to_string(), SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::fixture::equals;
    use regex::Regex;
    use serde_json::json;

    #[test]
    fn matchers_and_values_are_shown_in_a_few_words() {
        let both = ArgumentMatcher {
            contains: Some("1042".into()),
            matches: Some(Regex::new("paid$").unwrap().into()),
            ..ArgumentMatcher::default()
        };
        let any_of = ArgumentMatcher {
            any_of: vec![json!("Friday"), json!(5)],
            ..ArgumentMatcher::default()
        };
        for (matcher, words) in [
            (equals(json!("Friday")), "Friday"),
            (equals(json!([30])), "[30]"),
            (equals(json!(null)), "nothing"),
            (any_of, "one of Friday, 5"),
            (both, "a text with `1042` and a text that matches `paid$`"),
        ] {
            assert_eq!(describe(&matcher), words);
        }
        for (found, words) in [
            (json!("two\nlines"), "two lines"),
            (json!(" "), "an empty text"),
            (json!({"a": [1]}), r#"{"a":[1]}"#),
        ] {
            assert_eq!(show(Some(&found)), words);
        }
        assert_eq!(show(None), "nothing");
    }
}
