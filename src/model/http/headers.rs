//! What a provider's headers say of when to ask again, and of what is left.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;

use crate::model::{Allowance, Left};

/// The longest wait that is believed: a header that is wrong must not end a run.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);

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
    let date = DateTimeParser::new().parse_timestamp(after?).ok()?;
    Some(until(date, told_now(headers, now)))
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
    let date = text(headers, "date");
    let told = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    told.unwrap_or(now)
}

fn until(then: Timestamp, now: Timestamp) -> Duration {
    let left: SignedDuration = then.duration_since(now);
    Duration::try_from(left).map_or(Duration::ZERO, |left| left.min(LONGEST_WAIT))
}
