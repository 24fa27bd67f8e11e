//! Scores: what a run was worth, one question at a time.
//!
//! [`keys_for`] tells which questions an example asks, and [`score`] answers exactly these
//! from the records alone: no clock, network, or model, so a stored run can be scored
//! again on any day. `docs/scoring.md` has the rules in words.

mod check;
#[cfg(test)]
pub(crate) mod fixture;
pub mod hitl;
mod key;
mod learning;
pub mod memory;
mod questions;
mod suite;
pub mod tool_calls;
pub mod triage;

pub use check::{Check, CheckName};
pub use key::{Feedback, Key, Score, ScoreOutOfRange};
pub use learning::{Learning, MemoryChange, StepLearning, memory_changes};
pub use suite::Suite;
pub use triage::{Confusion, TriageCosts};

use std::cell::LazyCell;

use crate::dataset::Example;
use crate::email::Triage;
use crate::run::Run;

/// The questions that an example asks of its runs, in the order of the reports.
pub fn keys_for(example: &Example, suites: &[Suite]) -> Vec<Key> {
    let expect = &example.expect;
    let response = suites.contains(&Suite::Response);
    // Only emails that want an answer say what a good one does.
    let calls = response && expect.triage == Triage::Respond && expect.tool_calls.is_some();
    Key::ALL
        .into_iter()
        .filter(|key| match key {
            Key::TriageAccuracy => suites.contains(&Suite::Triage),
            Key::ToolCallsReference
            | Key::ToolCallsRecall
            | Key::ToolCallsPrecision
            | Key::ToolCallsExact => calls,
            // A call can be wrong whatever the email wants.
            Key::ToolCallsForbidden => response && !expect.forbidden.is_empty(),
            // These are asked of scenarios and episodes.
            Key::HitlPass | Key::MemoryPass => false,
            // These are asked of judges.
            Key::ResponseCriteria
            | Key::ResponseAllMet
            | Key::HitlFeedback
            | Key::MemoryUpdate
            | Key::TriageReasonable => false,
        })
        .collect()
}

/// What a run was worth: one feedback for each of [`keys_for`], in that order.
///
/// An agent that failed to finish earns 0 throughout; after an infrastructure error
/// nothing can be said, and the list is empty. Scenarios and episodes are scored by
/// [`hitl::score`] and [`memory::score`].
pub fn score(example: &Example, run: &Run, suites: &[Suite]) -> Vec<Feedback> {
    if run.outcome.is_error() {
        return Vec::new();
    }
    let keys = keys_for(example, suites);
    if run.outcome.is_agent_failure() {
        let comment = failure(run);
        return keys
            .into_iter()
            .map(|key| failed(key, comment.clone()))
            .collect();
    }
    let calls = LazyCell::new(|| tool_calls::check(&example.expect, run));
    keys.into_iter()
        .map(|key| match key {
            Key::TriageAccuracy => triage::feedback(example.expect.triage, run),
            Key::ToolCallsReference => calls.reference(),
            Key::ToolCallsRecall => calls.recall(),
            Key::ToolCallsPrecision => calls.precision(),
            Key::ToolCallsExact => calls.exact(),
            Key::ToolCallsForbidden => calls.forbidden(),
            Key::ResponseCriteria
            | Key::ResponseAllMet
            | Key::HitlPass
            | Key::HitlFeedback
            | Key::MemoryPass
            | Key::MemoryUpdate
            | Key::TriageReasonable => unreachable!("not asked of an example by rules"),
        })
        .collect()
}

/// The feedback that several conditions make: the best score where all of them held.
fn held(key: Key, checks: Vec<Check>) -> Feedback {
    let comments: Vec<String> = checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| match &check.comment {
            Some(comment) => format!("{}: {comment}", check.name),
            None => check.name.to_string(),
        })
        .collect();
    Feedback {
        key,
        score: comments.is_empty().into(),
        comment: (!comments.is_empty()).then(|| one_line(&comments.join("; "), 800)),
        checks,
    }
}

/// The feedback on an agent that did not finish.
fn failed(key: Key, comment: String) -> Feedback {
    Feedback {
        key,
        score: Score::WORST,
        comment: Some(comment),
        checks: Vec::new(),
    }
}

pub(crate) fn failure(run: &Run) -> String {
    let outcome = run.outcome.name();
    match &run.error {
        Some(error) => format!("{outcome}: {}", one_line(error, 200)),
        None => outcome.to_owned(),
    }
}

/// Text of a model or a sender as part of a comment: one line of at most `limit`
/// characters, runs of space and control characters as one space.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut space = false;
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            space = length > 0;
            continue;
        }
        length += 1 + usize::from(space);
        if length > limit {
            line.push('…');
            break;
        }
        if space {
            line.push(' ');
            space = false;
        }
        line.push(letter);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::fixture::{Made, called, example, pattern, run};
    use super::*;
    use crate::run::Outcome;
    use serde_json::json;

    const BOTH: [Suite; 2] = [Suite::Triage, Suite::Response];

    fn asked(triage: Triage) -> Example {
        let mut example = example(triage);
        example.expect.tool_calls = Some(vec![pattern("write_email", &[]), pattern("done", &[])]);
        example.expect.forbidden = vec![pattern("schedule_meeting", &[])];
        example
    }

    #[test]
    fn a_suite_asks_what_the_example_states() {
        use Key::*;
        let calls = [
            ToolCallsReference,
            ToolCallsRecall,
            ToolCallsPrecision,
            ToolCallsExact,
        ];
        let mut silent = asked(Triage::Respond);
        silent.expect.tool_calls = None;
        silent.expect.forbidden = Vec::new();
        let respond = asked(Triage::Respond);
        let notify = asked(Triage::Notify);
        let all = [&[TriageAccuracy], &calls[..], &[ToolCallsForbidden]].concat();
        for (case, example, suites, keys) in [
            (
                "triage alone",
                &respond,
                &[Suite::Triage][..],
                vec![TriageAccuracy],
            ),
            (
                "response alone",
                &respond,
                &[Suite::Response],
                all[1..].to_vec(),
            ),
            ("both", &respond, &BOTH, all.clone()),
            (
                "not a respond email",
                &notify,
                &BOTH,
                vec![TriageAccuracy, ToolCallsForbidden],
            ),
            (
                "says nothing of calls",
                &silent,
                &BOTH,
                vec![TriageAccuracy],
            ),
            ("nothing asked", &silent, &[Suite::Response], vec![]),
        ] {
            assert_eq!(keys_for(example, suites), keys, "{case}");
            for run in [
                run(Vec::new()),
                called(&[Made::new("schedule_meeting", json!({}))]),
            ] {
                let scored: Vec<Key> = score(example, &run, suites).iter().map(|f| f.key).collect();
                assert_eq!(scored, keys, "{case}");
            }
        }
    }

    #[test]
    fn an_agent_failure_scores_0_throughout_and_an_infrastructure_error_nothing() {
        let example = asked(Triage::Respond);
        for outcome in [
            Outcome::StepLimit,
            Outcome::Protocol,
            Outcome::Timeout,
            Outcome::Provider,
            Outcome::Harness,
            Outcome::Simulator,
            Outcome::Cancelled,
            Outcome::Budget,
        ] {
            // All that was asked for had been done before the end.
            let done = [
                Made::new("write_email", json!({})),
                Made::new("done", json!({})),
            ];
            let run = Run {
                outcome,
                error: Some("after 25 calls\nin `respond`".into()),
                triage: Some(Triage::Respond),
                ..called(&done)
            };
            let feedback = score(&example, &run, &BOTH);
            if outcome.is_error() {
                assert_eq!(feedback, []);
                continue;
            }
            assert_eq!(feedback.len(), 6);
            for feedback in feedback {
                assert_eq!(feedback.score, Score::WORST, "{outcome:?}");
                let comment = format!("{}: after 25 calls in `respond`", outcome.name());
                assert_eq!(feedback.comment, Some(comment));
            }
        }
    }

    #[test]
    fn every_key_is_documented_with_its_say() {
        let rows: Vec<&str> = include_str!("../../docs/scoring.md").lines().collect();
        for key in Key::ALL {
            let row = rows
                .iter()
                .find(|row| row.starts_with(&format!("| `{key}` |")));
            let say = match (key.is_judged(), key.is_diagnostic()) {
                (true, _) => "| no: judged |",
                (false, true) => "| no: diagnostic |",
                (false, false) => "| yes |",
            };
            assert!(row.expect("a row for each key").ends_with(say), "{key}");
        }
    }

    #[test]
    fn text_in_a_comment_is_one_bounded_line() {
        for (text, line) in [
            ("", ""),
            (" a\r\n\tb\u{0}c ", "a b c"),
            ("abcde", "abcde"),
            ("abcdef", "abcde…"),
            ("abcd ef", "abcd…"),
            ("ääääää", "äääää…"),
        ] {
            assert_eq!(one_line(text, 5), line, "{text:?}");
        }
        assert_eq!(one_line(&" x".repeat(100_000), 5), "x x x…");
    }
}
