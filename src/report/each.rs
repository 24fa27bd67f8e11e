//! What the forms that show every attempt have in common.

use std::io;

use serde::de::IgnoredAny;

use super::escape::{self, bounded, line, shell};
use super::incident::Lapse;
use crate::compare::ReadError;
use crate::experiment::layer::LayerError;
use crate::experiment::{Attempt, CaseKind, Header, Verdict};
use crate::redact::Redactor;
use crate::run::Outcome;
use crate::score::Score;

/// Why a form that shows every attempt could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error(transparent)]
    Read(#[from] LayerError),
    #[error(transparent)]
    Compare(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error("the XML cannot be written: {0}")]
    Xml(#[from] quick_junit::SerializeError),
    #[error("the table cannot be written: {0}")]
    Table(#[from] csv::Error),
}

/// The most characters of one name, comment, or error.
const TEXT_SHOWN: usize = 400;
/// The most lines about one attempt.
const LINES_SHOWN: usize = 8;

/// Text of others on one line: without secrets, bounded, and with nothing in it that acts.
pub(super) fn shown(redactor: &Redactor, text: &str) -> String {
    line(&bounded(&redactor.text(text), TEXT_SHOWN)).into_owned()
}

/// What there is to say of an attempt, safe to show.
#[derive(Debug)]
pub(super) struct Told {
    pub verdict: Verdict,
    /// Which repetition, from 0.
    pub repeat: u32,
    pub latency_ms: f64,
    /// What it failed by: how it ended, or the first key that was not fully met. Of an
    /// attempt that passed, how it ended.
    pub cause: String,
    /// What went wrong, or what scorers with a say lacked, a line each. Of an attempt that
    /// passed there is none.
    pub findings: Vec<String>,
    /// What scorers without a say lacked, and what was noticed about the case.
    pub asides: Vec<String>,
}

impl Told {
    pub fn of(attempt: &Attempt<IgnoredAny>, redactor: &Redactor) -> Told {
        let lapse = Lapse::of(attempt);
        let verdict = attempt.verdict();
        let outcome = attempt.outcome.name();
        let mut cause = outcome.to_owned();
        let mut findings = Vec::new();
        if attempt.outcome != Outcome::Finished {
            let error = lapse.error.as_deref().unwrap_or("no message");
            findings.push(format!("{outcome}: {error}"));
        } else if let Some(first) = lapse.comments.first() {
            cause = first.key.clone();
            findings.extend(lapse.comments.iter().map(|comment| match &comment.comment {
                Some(text) => format!("{}: {text}", comment.key),
                None => format!("{}: {}", comment.key, comment.score),
            }));
        } else if verdict == Verdict::Unscored {
            cause = "unscored".to_owned();
            findings.push("unscored: no scorer with a say was asked".to_owned());
        }
        let diagnostic = attempt.feedback.iter();
        let diagnostic = diagnostic.filter(|feedback| feedback.key.is_diagnostic());
        let lacking = diagnostic.filter(|feedback| feedback.score < Score::BEST);
        let lacking = lacking.map(|feedback| match &feedback.comment {
            Some(text) => format!("{}: {text}", feedback.key),
            None => format!("{}: {}", feedback.key, feedback.score.get()),
        });
        let asides: Vec<String> = lacking.chain(attempt.notes.iter().cloned()).collect();
        Told {
            verdict,
            repeat: attempt.case.repeat,
            latency_ms: attempt.latency_ms,
            cause,
            findings: first_lines(&findings, redactor),
            asides: first_lines(&asides, redactor),
        }
    }
}

fn first_lines(lines: &[String], redactor: &Redactor) -> Vec<String> {
    let shown = lines.iter().take(LINES_SHOWN);
    let mut shown: Vec<String> = shown.map(|line| self::shown(redactor, line)).collect();
    if lines.len() > LINES_SHOWN {
        shown.push(format!("and {} more", lines.len() - LINES_SHOWN));
    }
    shown
}

/// What all attempts at one item by one variant say about the item.
#[derive(Debug)]
pub(super) struct Item {
    /// The id, safe to show.
    pub id: String,
    /// The id as it is.
    pub raw: String,
    pub kind: CaseKind,
    pub split: Option<String>,
    pub tags: Vec<String>,
    /// At least one, by repeat.
    pub attempts: Vec<Told>,
}

/// What an item came to over all attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Every attempt passed.
    Passed,
    /// At least one passed, and at least one did not.
    Flaky,
    /// None passed, and at least one was scored.
    Failed,
    /// None was scored.
    Error,
}

impl Standing {
    pub fn of(verdicts: impl Iterator<Item = Verdict> + Clone) -> Standing {
        let any = |wanted| verdicts.clone().any(|verdict| verdict == wanted);
        match (
            any(Verdict::Passed),
            any(Verdict::Failed),
            any(Verdict::Unscored),
        ) {
            (true, false, false) => Standing::Passed,
            (true, _, _) => Standing::Flaky,
            (false, true, _) => Standing::Failed,
            (false, false, _) => Standing::Error,
        }
    }
}

impl Item {
    /// `None` where there is no attempt.
    pub fn of(attempts: &[Attempt<IgnoredAny>], redactor: &Redactor) -> Option<Item> {
        let first = attempts.first()?;
        let tags = first.tags.iter().take(LINES_SHOWN);
        Some(Item {
            id: shown(redactor, &first.case.example),
            raw: first.case.example.clone(),
            kind: first.kind,
            split: first.split.as_deref().map(|split| shown(redactor, split)),
            tags: tags.map(|tag| shown(redactor, tag)).collect(),
            attempts: attempts
                .iter()
                .map(|attempt| Told::of(attempt, redactor))
                .collect(),
        })
    }

    pub fn passed(&self) -> usize {
        let verdicts = self.attempts.iter().map(|attempt| attempt.verdict);
        verdicts
            .filter(|verdict| *verdict == Verdict::Passed)
            .count()
    }
}

/// The command that shows a trajectory.
pub(super) fn show(header: &Header, variant: &str, id: &str, repeat: u32) -> String {
    let mut command = format!(
        "mailproof show {} {}",
        shell(&format!("{}/{variant}", header.experiment)),
        shell(id),
    );
    if header.repeat > 1 {
        command.push_str(&format!(" --attempt {}", u64::from(repeat) + 1));
    }
    escape::bounded(&command, TEXT_SHOWN).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::experiment::journal::FILE;
    use crate::experiment::layer::Ordered;
    use crate::report::Report;
    use crate::report::fixture::{attempt, decides, ends, feedback, header, report};
    use crate::score::Key;

    /// A report, and its attempts out of a journal that has them in this order.
    pub fn experiment(header: Header, attempts: &[Attempt<()>]) -> (Report, Ordered) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = serde_json::json!({ "header": header }).to_string() + "\n";
        for attempt in attempts {
            journal += &(serde_json::json!({ "attempt": attempt }).to_string() + "\n");
        }
        std::fs::write(folder.path().join(FILE), journal).unwrap();
        // The files stay open, and need no name.
        let ordered = Ordered::open(folder.path(), None).unwrap();
        (report(header, attempts), ordered)
    }

    pub fn redactor() -> Redactor {
        Redactor::new(["canary-0123456789".to_owned()])
    }

    /// Two variants, three examples, three attempts each, the last first: the first variant
    /// passes one, is flaky on one, and fails one; of the second nothing was scored of one.
    pub fn varied() -> (Header, Vec<Attempt<()>>) {
        let mut attempts = Vec::new();
        for variant in 0..2 {
            for position in 0..3 {
                for repeat in 0..3 {
                    let own = attempt(variant, position, repeat);
                    attempts.push(match (variant, position, repeat) {
                        (0, 1, 0) => decides(own, None),
                        (0, 1, 1) => ends(own, Outcome::Provider, "503 from the provider"),
                        (0, 2, 1) => ends(own, Outcome::StepLimit, "25 calls and no end"),
                        (0, 2, _) => decides(own, None),
                        (1, 0, _) => ends(own, Outcome::Provider, "503 from the provider"),
                        _ => own,
                    });
                }
            }
        }
        attempts[1].feedback.push(feedback(
            Key::ToolCallsRecall,
            0.5,
            Some("`done` is missing"),
        ));
        attempts[1].notes = vec!["an answer was never given".to_owned()];
        attempts.reverse();
        (header(3, 3), attempts)
    }

    /// What an email, an id, or a model's answer may hold.
    pub fn hostile_texts() -> Vec<String> {
        let mut texts: Vec<String> = [
            "<script>alert(1)</script>",
            "]]><x a=\"1\" b='2'>&amp;<!--",
            "![x](https://evil.example/x.png)",
            "\u{1b}[31mred\u{1b}[0m\u{1b}]8;;https://evil.example\u{7}link",
            "over\u{202e}etirw\u{2066}",
            "nul\0 \u{b}\u{c}\u{fffe}\u{ffff} del\u{7f} nel\u{85}",
            "::error title=x::owned\n::set-output name=a::b",
            "  ::stop-commands::x",
            "\u{a0}::warning::x",
            "##[set-output name=a]b ##vso[task.setvariable]c",
            "=HYPERLINK(\"https://evil.example\",\"x\")",
            "+1+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(1+1)",
            "\t=1+1",
            "\r=1+1",
            "＝1+1",
            "a,b;c\"d\"\ne",
            "%0A::error::x",
            "my key is canary-0123456789",
            "</details></summary>\n\n# heading\n| a | b |",
            "-->",
        ]
        .map(str::to_owned)
        .into();
        texts.push("x".repeat(200_000));
        texts
    }

    /// An experiment in which all texts of others are hostile.
    pub fn hostile() -> (Header, Vec<Attempt<()>>) {
        let texts = hostile_texts();
        let mut header = header(texts.len(), 2);
        let other = |index: usize| texts[index % texts.len()].clone();
        header.experiment = "exp".into();
        header.dataset.name = "<!-- --> \u{202e}--data".into();
        header.variants[0].name = texts[0].clone() + &texts[6] + &texts[10];
        header.variants[1].model = texts[1].clone();
        let mut attempts = Vec::new();
        for (position, text) in texts.iter().enumerate() {
            for repeat in 0..2 {
                for variant in 0..2 {
                    let mut own = attempt(variant, u32::try_from(position).unwrap(), repeat);
                    own.case.example = text.clone();
                    own.split = Some(text.clone());
                    own.cluster = Some(text.clone());
                    own.tags = vec![text.clone(), other(position + 1)];
                    own.notes = vec![text.clone()];
                    if (position + repeat as usize).is_multiple_of(3) {
                        own = ends(own, Outcome::Provider, text);
                    } else if variant == 0 {
                        own = decides(own, None);
                        own.feedback[0].comment = Some(text.clone());
                    }
                    attempts.push(own);
                }
            }
        }
        (header, attempts)
    }

    #[test]
    fn what_one_attempt_lacked_is_told_in_lines() {
        let told = |attempt: &Attempt<()>| {
            let text = serde_json::to_string(attempt).unwrap();
            Told::of(&serde_json::from_str(&text).unwrap(), &redactor())
        };
        let right = attempt(0, 0, 0);
        let found = told(&right);
        assert_eq!((&*found.cause, &found.findings[..]), ("finished", &[][..]));

        let wrong = told(&decides(right.clone(), None));
        assert_eq!(wrong.cause, "triage.accuracy");
        assert_eq!(
            wrong.findings,
            ["triage.accuracy: expected respond, no decision: it said `maybe`"]
        );

        let over = told(&ends(right.clone(), Outcome::StepLimit, "25 calls"));
        assert_eq!(over.cause, "step_limit");
        assert_eq!(over.findings, ["step_limit: 25 calls"]);

        let spoiled = told(&ends(right.clone(), Outcome::Provider, "canary-0123456789"));
        assert_eq!(
            (&*spoiled.cause, spoiled.verdict),
            ("provider", Verdict::Unscored)
        );
        assert_eq!(spoiled.findings, ["provider: [redacted]"]);

        let mut unasked = right;
        unasked.feedback = vec![feedback(Key::ToolCallsRecall, 0.5, None)];
        unasked.notes = (0..20).map(|number| format!("note {number}")).collect();
        let unasked = told(&unasked);
        assert_eq!(unasked.cause, "unscored");
        assert_eq!(unasked.asides.len(), LINES_SHOWN + 1);
        assert_eq!(unasked.asides[0], "tool_calls.recall: 0.5");
        assert_eq!(unasked.asides[LINES_SHOWN], "and 13 more");
    }

    #[test]
    fn an_item_is_flaky_where_attempts_differ() {
        use Verdict::{Failed, Passed, Unscored};
        for (verdicts, standing) in [
            (&[Passed, Passed][..], Standing::Passed),
            (&[Failed, Passed], Standing::Flaky),
            (&[Passed, Unscored], Standing::Flaky),
            (&[Failed, Failed], Standing::Failed),
            (&[Unscored, Failed], Standing::Failed),
            (&[Unscored, Unscored], Standing::Error),
        ] {
            assert_eq!(
                Standing::of(verdicts.iter().copied()),
                standing,
                "{verdicts:?}"
            );
        }
    }
}
