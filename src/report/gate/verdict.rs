//! What a gate decided, in the words that every rendering shares.
//!
//! Text of others goes through `quote`, which each rendering brings.

use super::super::{Check, GateVerdict, Report};

/// The first word of every report.
pub(in crate::report) fn verdict_word(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Pass => "PASSED",
        GateVerdict::Fail => "FAILED",
        GateVerdict::Indecisive => "INDECISIVE",
        GateVerdict::None => "DONE",
    }
}

pub(in crate::report) fn check_word(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Pass => "passed",
        GateVerdict::Fail => "failed",
        GateVerdict::Indecisive => "indecisive",
        GateVerdict::None => "not checked",
    }
}

/// The verdict of a check, and what it counts as where that is something else.
pub(in crate::report) fn check_verdict(check: &Check) -> String {
    match check.counts_as {
        None => check_word(check.verdict).to_owned(),
        Some(counts) => format!(
            "{} (counts as {})",
            check_word(check.verdict),
            check_word(counts)
        ),
    }
}

/// What the gate says, in a few words.
pub(in crate::report) fn gate_words(report: &Report, quote: impl Fn(&str) -> String) -> String {
    let checks = &report.gate.checks;
    let open = checks
        .iter()
        .filter(|check| check.verdict == GateVerdict::Indecisive);
    match (report.gate.verdict, open.count()) {
        (GateVerdict::Pass, 0) => "the gate passed".to_owned(),
        (GateVerdict::Pass, open) => format!(
            "the gate passed, though {open} of {} checks cannot decide",
            checks.len()
        ),
        (GateVerdict::Fail, _) => failed(report, quote),
        (GateVerdict::Indecisive, _) => undecided(report),
        (GateVerdict::None, _) => match &report.plan.shard {
            Some(shard) => format!("shard {}, decided once all are merged", shard.part),
            None => "no gate was set".to_owned(),
        },
    }
}

/// Of checks that failed, how many are named at once.
const FAILED_NAMED: usize = 3;

/// Which checks failed, what got worse first.
fn failed(report: &Report, quote: impl Fn(&str) -> String) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut failed = 0;
    for check in notable_checks(report) {
        if check.counts() == GateVerdict::Fail {
            failed += 1;
            if !names.contains(&check.name.as_str()) {
                names.push(&check.name);
            }
        }
    }
    let more = names.len().saturating_sub(FAILED_NAMED);
    names.truncate(FAILED_NAMED);
    let mut names: Vec<String> = names.into_iter().map(quote).collect();
    names.extend((more > 0).then(|| format!("{more} more")));
    let checks = report.gate.checks.len();
    format!("{failed} of {checks} checks failed: {}", names.join(", "))
}

/// Why nothing is decided: too little was scored, or too little is known of a judge.
fn undecided(report: &Report) -> String {
    let checks = &report.gate.checks;
    let open = |check: &&Check| check.counts() == GateVerdict::Indecisive;
    if checks
        .iter()
        .filter(open)
        .any(|check| check.name == super::COVERAGE)
    {
        return "too little was scored to decide anything".to_owned();
    }
    let open = checks.iter().filter(open).count();
    format!("{open} of {} checks cannot decide", checks.len())
}

/// The checks that a reader must know of: all that did not pass; first what got worse, then
/// what else failed.
pub(in crate::report) fn notable_checks(report: &Report) -> impl Iterator<Item = &Check> {
    let checks = report.gate.checks.iter();
    let mut notable: Vec<&Check> = checks
        .filter(|check| check.verdict != GateVerdict::Pass)
        .collect();
    // Stable, so that what weighs the same stays in the order of the variants.
    notable.sort_by_key(|check| match check.counts() {
        GateVerdict::Fail => (0, check.name != super::REGRESSION),
        GateVerdict::Indecisive => (1, false),
        GateVerdict::Pass | GateVerdict::None => (2, false),
    });
    notable.into_iter()
}

/// `prose` shows a reason, in which names of others stand between backticks.
pub(in crate::report) fn check_line(
    check: &Check,
    quote: impl Fn(&str) -> String,
    prose: impl Fn(&str) -> String,
) -> String {
    let mut text = format!(
        "{}: {} of {}: {}",
        check_verdict(check),
        quote(&check.name),
        quote(&check.variant),
        prose(&check.reason)
    );
    if let Some(fix) = &check.fix {
        text.push_str(&format!("; to do: {}", quote(fix)));
    }
    text
}

/// A reason with the names of others, which stand between backticks, as `quote` shows them:
/// only there may be something that a rendering would act on.
pub(in crate::report) fn prose(reason: &str, quote: impl Fn(&str) -> String) -> String {
    let parts = reason.split('`').enumerate();
    let shown = parts.map(|(index, part)| match index % 2 {
        0 => part.to_owned(),
        _ => quote(part),
    });
    shown.collect()
}
