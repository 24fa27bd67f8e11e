//! What differs between two runs of one plan, in words and figures that renderings share:
//! money spent, what providers were asked, what was replayed.

use super::cost::{known, usd};
use super::figures::{count, duration, plural};
use super::people::Table;
use super::{Environment, Report};
use crate::model::ErrorKind;
use crate::model::limit::Traffic;
use crate::run::Cost;

/// `None` where it is known that nothing was.
pub(super) fn spent(environment: &Environment) -> Option<String> {
    match environment.spent_usd {
        Some(Cost::ZERO) => None,
        Some(spent) => Some(format!("{} USD", usd(spent))),
        None => Some("unknown".to_owned()),
    }
}

/// A row an account. `None` where none was asked.
pub(super) fn traffic(environment: &Environment, quote: impl Fn(&str) -> String) -> Option<Table> {
    if environment.traffic.is_empty() {
        return None;
    }
    let headers = [
        "account",
        "requests",
        "replies",
        "retries",
        "failures",
        "in flight at most",
        "waited",
        "USD",
    ];
    let row = |(account, traffic): (&String, &Traffic)| {
        vec![
            quote(account),
            count(traffic.requests),
            count(traffic.replies),
            count(traffic.retries),
            failures(traffic),
            count(traffic.most_in_flight),
            duration(traffic.waited_ms as f64),
            known(traffic.cost),
        ]
    };
    let rows = environment.traffic.iter().map(row);
    Some((headers.map(str::to_owned).into(), rows.collect()))
}

fn failures(traffic: &Traffic) -> String {
    if traffic.failures.is_empty() {
        return "0".to_owned();
    }
    let kinds = traffic.failures.iter();
    let kinds: Vec<String> = kinds
        .map(|(kind, number)| format!("{} {}", count(*number), failure(*kind)))
        .collect();
    kinds.join(", ")
}

fn failure(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RateLimited => "rate limited",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::Server => "server errors",
        ErrorKind::Network => "broken connections",
        ErrorKind::RequestTimeout => "timeouts",
        ErrorKind::Unreadable => "unreadable",
        ErrorKind::BadRequest => "refused requests",
        ErrorKind::BadKey => "refused keys",
        ErrorKind::UnknownModel => "unknown models",
        ErrorKind::Quota => "used up",
        ErrorKind::CutShort => "cut short",
        ErrorKind::Budget => "beyond the budget",
        ErrorKind::Halted => "given up",
    }
}

/// What was not asked but taken from a recording. `None` where nothing was.
pub(super) fn replayed(report: &Report) -> Option<String> {
    let recording = report.environment.recording.as_ref()?;
    let variants = recording.variants.values();
    let (calls, cost) = variants.fold((0, Cost::ZERO), |(calls, cost), traffic| {
        (calls + traffic.replayed, cost.plus(traffic.replayed_cost))
    });
    if calls == 0 {
        return None;
    }
    let mut text = plural(calls, "model call");
    if let Some(from) = recording.replayed_from {
        text.push_str(&format!(" of a recording begun at {from}"));
    }
    if cost > Cost::ZERO {
        text.push_str(&format!(
            ", which cost {} USD then and nothing now",
            usd(cost)
        ));
    }
    Some(text)
}

/// How many model calls were asked and written down; `None` where none was.
pub(super) fn recorded(environment: &Environment) -> Option<String> {
    let recording = environment.recording.as_ref()?;
    let variants = recording.variants.values();
    let calls = variants.map(|traffic| traffic.recorded).sum();
    (calls > 0).then(|| plural(calls, "model call"))
}
