//! Two attempts at one example for the terminal: what one agent did that the other did not.

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSeparator};

use super::aligned::{
    Aligned, ChangedArgument, Email, Row, RulingChange, ScoreChange, Sign, Title, Words,
};
use crate::compare::Beside;
use crate::experiment::{Attempt, Verdict as Passed};
use crate::report::escape::{bounded, line, lines};
use crate::report::figures;
use crate::run::Run;

/// Characters of a comment or a reason.
const WORDS_SHOWN: usize = 240;
/// Lines of one argument's difference.
const LINES_SHOWN: usize = 40;
/// The least width in which two columns can be read.
const COLUMNS_FROM: usize = 100;

const HEADING: Style = Style::new().bold();
const GONE: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

#[derive(Clone, Copy, Debug)]
pub struct BesideOptions<'a> {
    /// The experiment of the reference, or its file.
    pub reference: &'a str,
    /// The candidate's experiment.
    pub candidate: &'a str,
    pub width: usize,
    pub color: bool,
}

/// Lays both attempts out, aligned by what was called: `−` is the reference's alone, `+` the
/// candidate's, and `~` differs. From 100 columns on, calls stand in two columns.
pub fn render(beside: &Beside, options: BesideOptions<'_>) -> String {
    let mut page = Page {
        width: options.width.clamp(40, 200),
        color: options.color,
        text: String::new(),
    };
    page.heading(&line(&bounded(&beside.example, 100)));
    let (reference, candidate) = (beside.reference.as_ref(), beside.candidate.as_ref());
    let name = |experiment: &str, variant: &str| format!("{experiment}/{variant}");
    let names = [
        name(options.reference, &beside.reference_variant),
        name(options.candidate, &beside.candidate_variant),
    ];
    page.entry("− ", &side(&names[0], reference), GONE);
    page.entry("+ ", &side(&names[1], candidate), NEW);
    let (Some(reference), Some(candidate)) = (reference, candidate) else {
        page.plain("only one side has the attempt: there is nothing to align");
        return page.text;
    };
    let aligned = Aligned::of(reference, candidate, &lines);
    page.scores(&aligned.scores);
    page.rulings(&aligned.rulings);
    let emails = aligned.emails.len();
    for (number, email) in aligned.emails.iter().enumerate() {
        if emails > 1 {
            page.heading(&format!("email {} of {emails}", number + 1));
        }
        page.email(email);
    }
    page.text
}

/// How one side ended, in one line.
fn side(name: &str, attempt: Option<&Attempt<Run>>) -> String {
    let name = line(&bounded(name, 100)).into_owned();
    let Some(attempt) = attempt else {
        return format!("{name}: no such attempt");
    };
    let passed = match attempt.verdict() {
        Passed::Passed => "passed",
        Passed::Failed => "failed",
        Passed::Unscored => "not scored",
    };
    let decision = match (attempt.expected, attempt.found) {
        (Some(expected), Some(found)) if expected == found => {
            format!("decided {found}, as expected")
        }
        (Some(expected), Some(found)) => format!("decided {found}, where {expected} was expected"),
        (Some(expected), None) => format!("made no decision, where {expected} was expected"),
        (None, _) => "an episode".to_owned(),
    };
    let mut text = format!(
        "{name}: {passed}; {decision}; {} after {}",
        attempt.outcome.name(),
        figures::duration(attempt.latency_ms)
    );
    if let Some(error) = &attempt.error {
        text.push_str(&format!(": {}", line(&bounded(error, WORDS_SHOWN))));
    }
    text
}

/// A call on one line.
fn title(title: &Title) -> String {
    let name = line(&title.name).into_owned();
    match title.ended {
        None => name,
        Some(ended) => format!("{name} ({ended})"),
    }
}

struct Page {
    width: usize,
    color: bool,
    text: String,
}

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        match self.color {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let folded = textwrap::fill(title, Options::new(self.width));
        let painted = self.paint(HEADING, &folded);
        self.push(&painted);
    }

    fn plain(&mut self, text: &str) {
        let options = Options::new(self.width)
            .initial_indent("  ")
            .subsequent_indent("    ");
        let folded = textwrap::fill(text, options);
        self.push(&folded);
    }

    /// A line with a sign before it; the words must be escaped.
    fn entry(&mut self, sign: &str, text: &str, style: Style) {
        let first = format!("  {sign}");
        let options = Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent("    ");
        let folded = textwrap::fill(text, options);
        let painted = match sign.trim().is_empty() {
            true => folded,
            false => self.paint(style, &folded),
        };
        self.push(&painted);
    }

    /// The keys that changed, with what the less satisfied side's scorer said.
    fn scores(&mut self, changes: &[ScoreChange]) {
        if !changes.is_empty() {
            self.heading("Scores that changed");
        }
        for change in changes {
            let (before, after) = (change.reference, change.candidate);
            let mut text = format!("{}: {before:.2} → {after:.2}", change.key);
            if let Some(comment) = &change.comment {
                text.push_str(&format!("  {}", line(&bounded(comment, WORDS_SHOWN))));
            }
            self.plain(&text);
        }
    }

    /// Statements that judges ruled on otherwise.
    fn rulings(&mut self, changes: &[RulingChange]) {
        if !changes.is_empty() {
            self.heading("Rulings that changed");
        }
        for change in changes {
            let (before, after) = (&change.reference, &change.candidate);
            let statement = line(&bounded(&change.statement, WORDS_SHOWN)).into_owned();
            self.plain(&format!(
                "{statement} ({}): {} → {}",
                change.judge, before.verdict, after.verdict
            ));
            for (sign, ruling, style) in [("− ", before, GONE), ("+ ", after, NEW)] {
                if !ruling.reason.is_empty() {
                    let reason = line(&bounded(&ruling.reason, WORDS_SHOWN)).into_owned();
                    self.entry(&format!("  {sign}"), &reason, style);
                }
            }
        }
    }

    fn email(&mut self, email: &Email) {
        if let Some(words) = &email.reasoning {
            self.heading("Why it was decided");
            self.words(words);
        }
        self.heading("Calls");
        if email.calls.is_empty() {
            self.plain("neither called a tool");
        } else if self.width >= COLUMNS_FROM {
            self.columns(&email.calls);
        }
        for row in &email.calls {
            self.row(row);
        }
        if email.calls_left > 0 {
            let left = figures::plural(email.calls_left as u64, "more call");
            self.plain(&format!("{left} not compared"));
        }
        if !email.people.is_empty() {
            self.heading("People");
        }
        for (sign, text) in &email.people {
            let (sign, style) = match sign {
                Sign::Both => ("= ", HEADING),
                Sign::Gone => ("− ", GONE),
                Sign::Came => ("+ ", NEW),
            };
            self.entry(sign, &line(text), style);
        }
    }

    /// The sequence of calls at a glance, the reference on the left.
    fn columns(&mut self, rows: &[Row]) {
        let half = (self.width - 9) / 2;
        let cell = |call: &Title| bounded(&title(call), half.saturating_sub(1)).into_owned();
        for row in rows {
            let (before, sign, after, style) = match row {
                Row::Same { call } => (cell(call), "=", cell(call), None),
                Row::Changed {
                    reference,
                    candidate,
                    ..
                } => (cell(reference), "~", cell(candidate), None),
                Row::Gone { call, .. } => (cell(call), "−", String::new(), Some(GONE)),
                Row::Came { call, .. } => (String::new(), "+", cell(call), Some(NEW)),
            };
            let row = format!("  {before:<half$} {sign} {after}");
            let row = match style {
                Some(style) => self.paint(style, row.trim_end()),
                None => row,
            };
            self.push(&row);
        }
        self.text.push('\n');
    }

    fn row(&mut self, row: &Row) {
        match row {
            Row::Same { call } => {
                self.entry("= ", &format!("{}, the same", title(call)), HEADING);
            }
            Row::Changed {
                reference,
                candidate,
                arguments,
                same,
            } => {
                let (before, after) = (title(reference), title(candidate));
                let shown = match before == after {
                    true => after,
                    false => format!("{before} → {after}"),
                };
                self.entry("~ ", &shown, HEADING);
                self.both(arguments, same);
            }
            Row::Gone { call, arguments } => self.one("− ", call, arguments, GONE),
            Row::Came { call, arguments } => self.one("+ ", call, arguments, NEW),
        }
    }

    fn one(&mut self, sign: &str, call: &Title, arguments: &[(String, String)], style: Style) {
        self.entry(sign, &title(call), style);
        for (name, text) in arguments {
            let text = line(&bounded(text, WORDS_SHOWN)).into_owned();
            self.entry(
                &format!("  {sign}"),
                &format!("{}: {text}", line(name)),
                style,
            );
        }
    }

    /// A call that both made: the arguments that differ, word by word.
    fn both(&mut self, arguments: &[ChangedArgument], same: &[String]) {
        for argument in arguments {
            self.plain(&format!("  {}:", line(&argument.name)));
            self.words(&argument.words);
        }
        if !same.is_empty() {
            let same: Vec<_> = same.iter().map(|name| line(name)).collect();
            self.plain(&format!("  the same: {}", same.join(", ")));
        }
    }

    /// A word diff: what went is `[−…−]`, what came `{+…+}`.
    fn words(&mut self, words: &Words) {
        let marked = marked(words);
        let options = Options::new(self.width)
            .initial_indent("      │ ")
            .subsequent_indent("      │ ")
            .word_separator(WordSeparator::AsciiSpace);
        let folded: Vec<String> = marked
            .trim_end()
            .split('\n')
            .flat_map(|line| match line.trim_end() {
                "" => vec!["      │".to_owned()],
                line => textwrap::wrap(line, &options)
                    .into_iter()
                    .map(String::from)
                    .collect(),
            })
            .collect();
        let mut open = None;
        for line in folded.iter().take(LINES_SHOWN) {
            let painted = self.marks(line, &mut open);
            self.push(&painted);
        }
        if folded.len() > LINES_SHOWN {
            let more = folded.len() - LINES_SHOWN;
            self.push(&format!(
                "      └ {}",
                figures::plural(more as u64, "more line")
            ));
        }
        if let Some(note) = &words.note {
            self.push(&format!("      └ {note}"));
        }
    }

    /// Colours what stands between the signs; a change may go on over several lines.
    fn marks(&self, line: &str, open: &mut Option<Style>) -> String {
        if !self.color {
            return line.to_owned();
        }
        let mut text = String::new();
        let mut rest = line;
        if let (Some(style), Some((bar, after))) = (*open, rest.split_once("│ ")) {
            text.push_str(bar);
            text.push_str("│ ");
            text.push_str(&format!("{style}"));
            rest = after;
        }
        while let Some((place, sign)) = ["[−", "−]", "{+", "+}"]
            .into_iter()
            .filter_map(|sign| rest.find(sign).map(|place| (place, sign)))
            .min()
        {
            let (before, after) = rest.split_at(place);
            let after = &after[sign.len()..];
            text.push_str(before);
            match (sign, *open) {
                ("[−", None) => {
                    text.push_str(&format!("{GONE}{sign}"));
                    *open = Some(GONE);
                }
                ("{+", None) => {
                    text.push_str(&format!("{NEW}{sign}"));
                    *open = Some(NEW);
                }
                ("−]", Some(style)) if style == GONE => {
                    text.push_str(&format!("{sign}{style:#}"));
                    *open = None;
                }
                ("+}", Some(style)) if style == NEW => {
                    text.push_str(&format!("{sign}{style:#}"));
                    *open = None;
                }
                _ => text.push_str(sign),
            }
            rest = after;
        }
        text.push_str(rest);
        if let Some(style) = *open {
            text.push_str(&format!("{style:#}"));
        }
        text
    }
}

/// Both texts in one: what went is `[−…−]`, what came `{+…+}`.
pub(super) fn marked(words: &Words) -> String {
    let parts = words.parts.iter().map(|(sign, text)| match sign {
        Sign::Both => text.clone(),
        Sign::Gone => format!("[−{text}−]"),
        Sign::Came => format!("{{+{text}+}}"),
    });
    parts.collect()
}
