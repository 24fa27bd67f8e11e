//! What a provider's headers say of when to ask again, and of what is left.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;

use crate::model::{Allowance, Left};

/// The longest wait that is believed. Limits of a day are renewed within it; how long a run
/// is ready to wait is not for a header to say.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Sources: RFC 9110, "Retry-After" (seconds or a date); `retry-after-ms` as OpenAI and
/// Azure send it.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let milliseconds = text(headers, "retry-after-ms").and_then(number);
    let milliseconds = milliseconds.map(|number| number / 1000.0);
    let after = text(headers, "retry-after");
    let seconds = milliseconds.or_else(|| after.and_then(number));
    if let Some(seconds) = seconds {
        return Some(believed(seconds));
    }
    Some(until(date(after?)?, told_now(headers, now)))
}

/// Sources: OpenAI guide "Rate limits", "Rate limits in headers" (Groq and Azure send the
/// same); Anthropic "Rate limits", "Response headers".
pub fn allowance(headers: &HeaderMap, now: Timestamp) -> Allowance {
    if headers
        .keys()
        .all(|name| !name.as_str().contains("ratelimit"))
    {
        return Allowance::default();
    }
    let openai = |of: &str| {
        let remaining = text(headers, &format!("x-ratelimit-remaining-{of}"))?;
        let reset = text(headers, &format!("x-ratelimit-reset-{of}"))?;
        Some(Left {
            remaining: remaining.parse().ok()?,
            reset: span(reset)?,
        })
    };
    let anthropic = |of: &str| {
        let remaining = text(headers, &format!("anthropic-ratelimit-{of}-remaining"))?;
        let reset = text(headers, &format!("anthropic-ratelimit-{of}-reset"))?;
        Some(Left {
            remaining: remaining.parse().ok()?,
            reset: until(reset.parse().ok()?, told_now(headers, now)),
        })
    };
    Allowance {
        requests: openai("requests").or_else(|| anthropic("requests")),
        tokens: openai("tokens").or_else(|| anthropic("tokens")),
    }
}

/// A length of time as providers write it: `6m0s`, `120ms`, `7.66s`, or seconds.
pub fn span(text: &str) -> Option<Duration> {
    if let Some(seconds) = number(text) {
        return Some(believed(seconds));
    }
    let mut seconds = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|symbol: char| symbol.is_ascii_alphabetic())?;
        let (count, unit) = rest.split_at(digits);
        let end = unit.find(|symbol: char| !symbol.is_ascii_alphabetic());
        let (unit, after) = unit.split_at(end.unwrap_or(unit.len()));
        let scale = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += number(count)? * scale;
        rest = after;
    }
    (text.trim() != "").then(|| believed(seconds))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// From 0 on.
fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn believed(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64()))
}

/// The provider's clock, where it tells it: what it says of the future is by that.
fn told_now(headers: &HeaderMap, now: Timestamp) -> Timestamp {
    text(headers, "date").and_then(date).unwrap_or(now)
}

/// Source: RFC 9110, "Date/Time Formats", of which every server sends the first.
pub fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn until(then: Timestamp, now: Timestamp) -> Duration {
    let left: SignedDuration = then.duration_since(now);
    Duration::try_from(left).map_or(Duration::ZERO, |left| left.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn of(lines: &[(&str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&str, &str)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        lines.iter().map(header).collect()
    }

    fn now() -> Timestamp {
        "2026-11-22T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_wait_is_seconds_milliseconds_or_a_date_and_bounded() {
        let date = "Sun, 22 Nov 2026 09:00:30 GMT";
        for (lines, seconds) in [
            (&[][..], None),
            (&[("retry-after", "7")][..], Some(7.0)),
            (&[("retry-after", " 0.5 ")], Some(0.5)),
            (&[("retry-after", "0")], Some(0.0)),
            (&[("retry-after", "86401")], Some(86_400.0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "inf")], None),
            (&[("retry-after", "1e300")], Some(86_400.0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "")], None),
            (&[("retry-after", "\u{e9}")], None),
            (&[("retry-after", date)], Some(30.0)),
            (
                &[("retry-after", "Sun, 22 Nov 2026 08:00:00 GMT")],
                Some(0.0),
            ),
            (
                &[("retry-after", "Tue, 31 Dec 2999 23:59:59 GMT")],
                Some(86_400.0),
            ),
            // A clock that is wrong, ours or theirs, does not matter.
            (
                &[
                    ("date", "Sun, 22 Nov 2026 09:00:20 GMT"),
                    ("retry-after", date),
                ],
                Some(10.0),
            ),
            (&[("date", "yesterday"), ("retry-after", date)], Some(30.0)),
            (
                &[("retry-after-ms", "250"), ("retry-after", "7")],
                Some(0.25),
            ),
            (&[("retry-after-ms", "x"), ("retry-after", "7")], Some(7.0)),
        ] {
            let expected = seconds.map(Duration::from_secs_f64);
            assert_eq!(retry_after(&of(lines), now()), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_in_two_ways() {
        let left = |remaining, seconds| {
            let reset = Duration::from_secs_f64(seconds);
            Some(Left { remaining, reset })
        };
        for (lines, requests, tokens) in [
            (
                &[
                    ("x-ratelimit-remaining-requests", "59"),
                    ("x-ratelimit-reset-requests", "120ms"),
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "1m30.5s"),
                ][..],
                left(59, 0.12),
                left(0, 90.5),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "4"),
                    ("anthropic-ratelimit-requests-reset", "2026-11-22T09:00:12Z"),
                    ("anthropic-ratelimit-tokens-remaining", "8000"),
                    (
                        "anthropic-ratelimit-tokens-reset",
                        "2026-11-22T10:01:00+01:00",
                    ),
                ],
                left(4, 12.0),
                left(8000, 60.0),
            ),
            (&[("x-ratelimit-remaining-requests", "59")], None, None),
            (
                &[
                    ("x-ratelimit-remaining-requests", "-1"),
                    ("x-ratelimit-reset-requests", "1s"),
                    ("anthropic-ratelimit-tokens-remaining", "1"),
                    ("anthropic-ratelimit-tokens-reset", "tomorrow"),
                ],
                None,
                None,
            ),
        ] {
            let expected = Allowance { requests, tokens };
            assert_eq!(allowance(&of(lines), now()), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_span_is_units_or_seconds() {
        for (text, seconds) in [
            ("6m0s", Some(360.0)),
            ("120ms", Some(0.12)),
            ("7.66s", Some(7.66)),
            ("2h3m", Some(7380.0)),
            ("2d", Some(86_400.0)),
            ("59", Some(59.0)),
            ("0s", Some(0.0)),
            ("", None),
            ("s", None),
            ("1 fortnight", None),
            ("5x", None),
            ("1m2", None),
            ("-5s", None),
        ] {
            assert_eq!(span(text), seconds.map(Duration::from_secs_f64), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_header_can_do_worse_than_the_longest_wait(text in "\\PC*", number in any::<f64>(), unit in "[a-z]{0,3}") {
            for text in [text, format!("{number}{unit}")] {
                prop_assert!(span(&text).is_none_or(|span| span <= LONGEST_WAIT));
                if let Ok(value) = HeaderValue::from_str(&text) {
                    let headers = HeaderMap::from_iter([(HeaderName::from_static("retry-after"), value)]);
                    prop_assert!(retry_after(&headers, now()).is_none_or(|wait| wait <= LONGEST_WAIT));
                }
            }
        }
    }
}
