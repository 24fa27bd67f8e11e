//! Every check in one line: what `mailproof gate` prints.

use anstyle::{AnsiColor, Style};

use super::super::escape::{bounded, line};
use super::super::{GateVerdict, Report};
use super::verdict;

/// The most characters of a name.
const SHOWN: usize = 100;

/// The verdict, then a line for each check in the order of the variants. `color` adds colour
/// to what the words say anyway; text of others is escaped.
pub fn render(report: &Report, color: bool) -> String {
    let quote = |text: &str| line(&bounded(text, SHOWN)).into_owned();
    let prose = |text: &str| line(text).into_owned();
    let gate = &report.gate;
    let word = verdict::verdict_word(gate.verdict);
    let mut text = format!(
        "{}: {}\n",
        painted(word, gate.verdict, color),
        verdict::gate_words(report, quote)
    );
    for check in &gate.checks {
        let shown = verdict::check_line(check, quote, prose);
        // The verdict comes first, and is what a reader looks for.
        let word = verdict::check_word(check.verdict);
        let rest = shown.strip_prefix(word).unwrap_or(&shown);
        text.push_str(&format!("{}{rest}\n", painted(word, check.counts(), color)));
    }
    text
}

fn painted(word: &str, verdict: GateVerdict, color: bool) -> String {
    let style = match verdict {
        GateVerdict::Pass => AnsiColor::Green.on_default(),
        GateVerdict::Fail => AnsiColor::Red.on_default().bold(),
        GateVerdict::Indecisive => AnsiColor::Yellow.on_default(),
        GateVerdict::None => Style::new(),
    };
    match color {
        true => format!("{style}{word}{style:#}"),
        false => word.to_owned(),
    }
}
