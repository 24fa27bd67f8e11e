//! Asks a person about one change after the other.
//!
//! What is accepted is written at once, so that a sitting can end at any time. The end of the
//! input is as good as `quit`.

use std::io::{BufRead, Write};

use super::diff;
use crate::cli::ask::Asking;
use crate::cli::exit::Failure;
use crate::cli::snapshots::Compared;
use crate::redact::Redactor;
use crate::report::escape;

const KEYS: &str = "a accept · b accept both · r reject · s skip · all accept all · q quit";

/// What a person may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The new way is right, and the old one is not.
    Accept,
    /// Both are.
    Both,
    /// The new way is wrong.
    Reject,
    Skip,
    All,
    Quit,
}

impl Answer {
    pub fn read(text: &str) -> Option<Answer> {
        Some(match text.trim().to_lowercase().as_str() {
            "a" | "accept" => Answer::Accept,
            "b" | "both" => Answer::Both,
            "r" | "reject" => Answer::Reject,
            "s" | "skip" => Answer::Skip,
            "all" => Answer::All,
            "q" | "quit" => Answer::Quit,
            _ => return None,
        })
    }
}

/// What came of a sitting.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub accepted: usize,
    /// Variant and example, in the order in which they were shown.
    pub rejected: Vec<(String, String)>,
    /// Neither accepted nor rejected.
    pub left: usize,
}

/// Asks about every change of `variants`.
pub fn review<I: BufRead, O: Write>(
    mut asking: Asking<I, O>,
    variants: &mut [Compared],
    redactor: &Redactor,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let counts = variants.iter().map(|it| it.changes().len());
    let total: usize = counts.sum();
    let (mut number, mut all, mut quit) = (0, false, false);
    for compared in variants {
        for change in compared.changes() {
            number += 1;
            if quit {
                outcome.left += 1;
                continue;
            }
            let mut answer = Some(Answer::Accept);
            if !all {
                let name = escape::line(compared.name()).into_owned();
                let place = format!("{number} of {total} · {}", escape::bounded(&name, 60));
                let mut lines = vec![asking.rule(&place)];
                lines.extend(diff::render(&change, asking.width));
                answer = match asking.show(&lines)? {
                    true => ask(&mut asking)?,
                    false => None,
                };
            }
            match answer {
                Some(answer @ (Answer::Accept | Answer::Both | Answer::All)) => {
                    all |= answer == Answer::All;
                    let keep = answer == Answer::Both;
                    compared.accept(&[change], keep, redactor)?;
                    outcome.accepted += 1;
                }
                Some(Answer::Reject) => {
                    let name = compared.name().to_owned();
                    outcome.rejected.push((name, change.id));
                }
                Some(Answer::Skip) => outcome.left += 1,
                Some(Answer::Quit) | None => {
                    quit = true;
                    outcome.left += 1;
                }
            }
        }
    }
    Ok(outcome)
}

/// `None` at the end of the input.
fn ask<I: BufRead, O: Write>(asking: &mut Asking<I, O>) -> Result<Option<Answer>, Failure> {
    loop {
        asking.say(&format!("\n{KEYS}"))?;
        let Some(line) = asking.line("> ")? else {
            return Ok(None);
        };
        match Answer::read(&line) {
            Some(answer) => return Ok(Some(answer)),
            None => asking.say("say one of the letters")?,
        }
    }
}
