//! What an argument says, its wording apart.
//!
//! People, days, times, numbers, and names of things stay as they are, in one way of writing
//! them; what a model words anew each time is only known to be there.

use std::fmt::Write;

use jiff::civil::{Date, DateTime, Time};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::dataset::{ArgumentMatcher, people};

/// The most characters of a text of others that a snapshot shows.
const LONGEST: usize = 200;

/// A word of more characters is no name of anything.
const LONGEST_NAME: usize = 64;

/// Arguments that hold wording, however short it is.
const WORDING: [&str; 14] = [
    "content",
    "body",
    "text",
    "subject",
    "title",
    "question",
    "message",
    "query",
    "summary",
    "description",
    "reason",
    "reasoning",
    "note",
    "feedback",
];

/// Lists and maps inside one another that are told apart.
const DEPTH: usize = 8;

/// An argument as a snapshot has it; `None` where it is not given. `matcher` is what the
/// expected call asks of it. Days are counted from `from`, where that is the only day that
/// the agent could count from.
pub(super) fn form(
    name: &str,
    value: Option<&Value>,
    matcher: Option<&ArgumentMatcher>,
    from: Option<Date>,
) -> Option<String> {
    let given = value.filter(|value| !value.is_null());
    let says = given.map(|value| says(name, value, from, DEPTH));
    let Some(matcher) = matcher else {
        return says;
    };
    let is_people = given.is_some_and(|value| people(name, value).is_some());
    Some(match (matcher.holds(name, value), says) {
        // A matcher may let pass whoever else an email goes to; a reviewer must not.
        (true, Some(says)) if is_people => format!("{says} (as expected)"),
        (true, _) => "as expected".to_owned(),
        (false, Some(says)) => format!("{says} (not as expected)"),
        (false, None) => "missing".to_owned(),
    })
}

fn says(name: &str, value: &Value, from: Option<Date>, depth: usize) -> String {
    if let Some(people) = people(name, value) {
        let people: Vec<String> = people.into_iter().collect();
        return match &people[..] {
            [] => "nobody".to_owned(),
            people => shown(&people.join(", "), LONGEST),
        };
    }
    match value {
        Value::String(text) => text_says(name, text, from),
        Value::Array(_) | Value::Object(_) if depth == 0 => "…".to_owned(),
        Value::Array(elements) => {
            let said = elements.iter().map(|it| says(name, it, from, depth - 1));
            shown(
                &format!("[{}]", said.collect::<Vec<_>>().join(", ")),
                LONGEST,
            )
        }
        Value::Object(map) => {
            let said = sorted(map).map(|(name, value)| {
                let value = says(name, value, from, depth - 1);
                format!("{}: {value}", shown(name, LONGEST_NAME))
            });
            shown(
                &format!("{{{}}}", said.collect::<Vec<_>>().join(", ")),
                LONGEST,
            )
        }
        Value::Number(_) => number(value),
        Value::Bool(_) | Value::Null => value.to_string(),
    }
}

/// The arguments that are given, by name.
pub(super) fn sorted(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut given: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
    given.sort_by_key(|(name, _)| *name);
    given.into_iter()
}

fn text_says(name: &str, text: &str, from: Option<Date>) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "empty".to_owned();
    }
    if WORDING.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return "text".to_owned();
    }
    if let Some(when) = when(text, from) {
        return when;
    }
    // Models and edit forms quote numbers and truth values.
    if let Ok(value @ (Value::Number(_) | Value::Bool(_))) = serde_json::from_str(text) {
        return number(&value);
    }
    let is_name = text.chars().count() <= LONGEST_NAME && !text.contains(char::is_whitespace);
    match is_name {
        true => shown(&text.to_lowercase(), LONGEST_NAME),
        false => "text".to_owned(),
    }
}

/// Numbers by value: `30.0` is `30`.
fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number:.0}")
        }
        _ => value.to_string(),
    }
}

/// A day, a time, or both; `None` for any other text.
fn when(text: &str, from: Option<Date>) -> Option<String> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let day = |day: Date| match from {
        None => day.to_string(),
        Some(from) => match (day - from).get_days() {
            0 => "the day of the run".to_owned(),
            1 => "1 day after the run".to_owned(),
            days if days > 0 => format!("{days} days after the run"),
            days => format!("{} days before the run", -days),
        },
    };
    let time = |time: Time| time.strftime("%H:%M").to_string();
    if text.contains(':') {
        if let Ok(both) = text.trim_end_matches('Z').parse::<DateTime>() {
            return Some(format!("{} {}", day(both.date()), time(both.time())));
        }
        return text.parse::<Time>().ok().map(time);
    }
    let only = text.len() == 10 && text.is_ascii();
    only.then(|| text.parse::<Date>().ok().map(day)).flatten()
}

/// Text of others as it stands in a snapshot: on one line, of letters, digits, ASCII signs,
/// and spaces; every other character is an escape, so that a diff shows what is there. What
/// is longer than `most` characters is cut, and told apart by a hash.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(most) {
        // Letters of no width, or that look like a space.
        let is_blank = matches!(
            c,
            '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
        );
        if c == ' ' || c.is_ascii_graphic() || c == '…' || (c.is_alphanumeric() && !is_blank) {
            out.push(c);
        } else {
            write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a string takes all");
        }
    }
    if text.chars().nth(most).is_some() {
        let digest = Sha256::digest(text);
        let hash: String = digest[..4].iter().map(|it| format!("{it:02x}")).collect();
        write!(out, "… ({hash})").expect("a string takes all");
    }
    out
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use regex::Regex;
    use serde_json::json;

    use super::*;

    fn plain(name: &str, value: Value) -> String {
        form(name, Some(&value), None, None).unwrap_or_else(|| "absent".into())
    }

    #[test]
    fn wording_is_only_known_to_be_there_and_everything_else_stays() {
        for (name, value, form) in [
            ("content", json!("Hi Ana,\n\nPaid."), "text"),
            ("Subject", json!("Re:Invoice"), "text"),
            ("content", json!("  "), "empty"),
            ("anything", json!("two words"), "text"),
            ("folder", json!("Billing"), "billing"),
            ("to", json!("Ana Ruiz <Ana@x.example>"), "ana@x.example"),
            (
                "attendees",
                json!(["Bo <bo@x.example>", "ana@x.example"]),
                "ana@x.example, bo@x.example",
            ),
            ("cc", json!([]), "nobody"),
            ("day", json!(" 2026-03-04 "), "2026-03-04"),
            ("day", json!("Thursday"), "thursday"),
            ("at", json!("2026-03-04T09:30:00Z"), "2026-03-04 09:30"),
            ("at", json!("9:30"), "9:30"),
            ("at", json!("09:30:00"), "09:30"),
            ("duration_minutes", json!(30.0), "30"),
            ("duration_minutes", json!("30"), "30"),
            ("share", json!(0.5), "0.5"),
            ("done", json!("true"), "true"),
            ("labels", json!(["Urgent", "b"]), "[urgent, b]"),
            (
                "options",
                json!({"z": 1, "a": "x y", "n": null}),
                "{a: text, z: 1}",
            ),
            ("cc", json!(null), "absent"),
            ("folder", json!("a\u{202e}b\u{1b}"), "a\\u{202e}b\\u{1b}"),
        ] {
            assert_eq!(plain(name, value.clone()), form, "{name}: {value}");
        }
    }

    #[test]
    fn days_count_from_the_run_where_the_email_has_none() {
        let from = Some(date(2026, 3, 4));
        for (value, shown) in [
            ("2026-03-04", "the day of the run"),
            ("2026-03-05", "1 day after the run"),
            ("2026-04-05", "32 days after the run"),
            ("2026-03-02", "2 days before the run"),
            ("2026-03-06T14:00", "2 days after the run 14:00"),
            ("14:00", "14:00"),
        ] {
            let value = json!(value);
            let found = form("preferred_day", Some(&value), None, from);
            assert_eq!(found.as_deref(), Some(shown), "{value}");
        }
    }

    #[test]
    fn what_is_expected_is_told_by_its_matcher_and_people_always_by_name() {
        let contains = |part: &str| ArgumentMatcher {
            contains: Some(part.into()),
            ..ArgumentMatcher::default()
        };
        let matches = ArgumentMatcher {
            matches: Some(Regex::new("1042").unwrap().into()),
            ..ArgumentMatcher::default()
        };
        let absent = ArgumentMatcher {
            absent: true,
            ..ArgumentMatcher::default()
        };
        let ana = contains("ana@x.example");
        for (name, value, matcher, form) in [
            (
                "to",
                json!("Ana <ana@x.example>"),
                &ana,
                "ana@x.example (as expected)",
            ),
            (
                "to",
                json!("ana@x.example, eve@evil.example"),
                &ana,
                "ana@x.example, eve@evil.example (as expected)",
            ),
            (
                "to",
                json!("eve@evil.example"),
                &ana,
                "eve@evil.example (not as expected)",
            ),
            ("content", json!("1042 is paid"), &matches, "as expected"),
            (
                "content",
                json!("It is paid"),
                &matches,
                "text (not as expected)",
            ),
            ("content", json!(null), &matches, "missing"),
            ("content", json!(null), &absent, "as expected"),
            (
                "start_time",
                json!(14),
                &contains("9"),
                "14 (not as expected)",
            ),
        ] {
            let found = super::form(name, Some(&value), Some(matcher), None);
            assert_eq!(found.as_deref(), Some(form), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_cut_is_still_told_apart() {
        let long = |end: &str| shown(&format!("{}{end}", "x".repeat(300)), 10);
        assert_ne!(long("a"), long("b"));
        assert!(long("a").starts_with("xxxxxxxxxx… ("), "{}", long("a"));
        assert_eq!(shown("0123456789", 10), "0123456789");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[0-9T:Z. -]{1,24}".prop_map(Value::from),
        ];
        leaf.prop_recursive(12, 64, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_given_is_one_bounded_harmless_line(
            name in "to|day|content|[a-z]{1,8}", value in any_value(), relative in any::<bool>(),
        ) {
            let from = relative.then(|| date(2026, 3, 4));
            if let Some(form) = form(&name, Some(&value), None, from) {
                prop_assert!(!form.is_empty());
                prop_assert!(!form.contains(char::is_control), "{form:?}");
                prop_assert!(form.chars().count() <= LONGEST * 10 + 20, "{form:?}");
            }
        }
    }
}
