//! Two attempts at one example, aligned: what one agent did that the other did not.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::{ChangeTag, DiffOp, TextDiff, capture_diff_slices};
use textwrap::{Options, WordSeparator};

use crate::compare::Beside;
use crate::experiment::{Attempt, Verdict as Passed};
use crate::judge::Judged;
use crate::message::{ToolStatus, visible};
use crate::report::escape::{bounded, line, lines};
use crate::report::figures;
use crate::report::judges::words::verdict_word as ruled;
use crate::run::{Run, Step};

/// Characters of one argument that are compared.
const ARGUMENT_SHOWN: usize = 4_000;
/// Characters of a comment or a reason.
const WORDS_SHOWN: usize = 240;
/// Calls of one side that are shown.
const CALLS_SHOWN: usize = 60;
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
    page.scores(reference, candidate);
    page.rulings(&reference.judged, &candidate.judged);
    let runs = reference.runs.len().max(candidate.runs.len());
    for number in 0..runs {
        if runs > 1 {
            page.heading(&format!("email {} of {runs}", number + 1));
        }
        let calls = |attempt: &Attempt<Run>| attempt.runs.get(number).map(Call::all);
        page.calls(
            &calls(reference).unwrap_or_default(),
            &calls(candidate).unwrap_or_default(),
        );
        let people = |attempt: &Attempt<Run>| attempt.runs.get(number).map(answers);
        page.texts(
            "People",
            &people(reference).unwrap_or_default(),
            &people(candidate).unwrap_or_default(),
        );
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

/// What people answered, a line each.
fn answers(run: &Run) -> Vec<String> {
    let answer = |step: &Step| match step {
        Step::Interrupt {
            interrupt,
            response,
            answered_by,
            ..
        } => Some(format!(
            "{}: {} by {}",
            line(&bounded(&interrupt.action, 60)),
            response.kind(),
            line(&bounded(answered_by, 60))
        )),
        Step::Model { .. } | Step::Tool { .. } | Step::Memory { .. } => None,
    };
    run.steps.iter().filter_map(answer).collect()
}

/// A call as the conversation has it in the end.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    name: String,
    /// What became of it; `None` where nothing answered it.
    status: Option<ToolStatus>,
    arguments: Vec<(String, String)>,
}

impl Call {
    fn all(run: &Run) -> Vec<Call> {
        let messages = visible(&run.messages);
        let status = |id: &str| {
            let answer = messages
                .iter()
                .find(|it| it.tool_call_id.as_deref() == Some(id));
            answer.map(|message| message.status)
        };
        let calls = messages.iter().flat_map(|message| &message.tool_calls);
        calls
            .take(CALLS_SHOWN)
            .map(|call| Call {
                name: call.name.to_ascii_lowercase(),
                status: status(&call.id),
                arguments: match &call.arguments {
                    Value::Object(map) => map
                        .iter()
                        .map(|(name, value)| (name.clone(), argument(value)))
                        .collect(),
                    other => vec![("arguments".to_owned(), argument(other))],
                },
            })
            .collect()
    }

    fn title(&self) -> String {
        let name = line(&bounded(&self.name, 60)).into_owned();
        match self.status {
            Some(ToolStatus::Executed) => name,
            Some(ToolStatus::Failed) => format!("{name} (failed)"),
            Some(ToolStatus::Denied) => format!("{name} (turned down)"),
            Some(ToolStatus::Answered) => format!("{name} (answered by the person)"),
            None => format!("{name} (did not run)"),
        }
    }

    fn argument(&self, name: &str) -> &str {
        let found = self.arguments.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, text)| text)
    }
}

/// An argument as a person reads it.
fn argument(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    bounded(&text, ARGUMENT_SHOWN).into_owned()
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
    fn scores(&mut self, reference: &Attempt<Run>, candidate: &Attempt<Run>) {
        let mut any = false;
        for feedback in &candidate.feedback {
            let before = reference.feedback.iter().find(|it| it.key == feedback.key);
            let Some(before) = before.filter(|before| before.score != feedback.score) else {
                continue;
            };
            if !any {
                self.heading("Scores that changed");
                any = true;
            }
            let lesser = match before.score.get() < feedback.score.get() {
                true => before,
                false => feedback,
            };
            let mut text = format!(
                "{}: {:.2} → {:.2}",
                feedback.key.name(),
                before.score.get(),
                feedback.score.get()
            );
            if let Some(comment) = &lesser.comment {
                text.push_str(&format!("  {}", line(&bounded(comment, WORDS_SHOWN))));
            }
            self.plain(&text);
        }
    }

    /// Statements that judges ruled on otherwise.
    fn rulings(&mut self, reference: &[Judged], candidate: &[Judged]) {
        let mut any = false;
        for judged in candidate {
            let before = reference.iter().find(|it| it.judge == judged.judge);
            let before = before.map_or(&[][..], |judged| &judged.rulings);
            for ruling in &judged.rulings {
                let before = before.iter().find(|it| it.statement == ruling.statement);
                let Some(before) = before.filter(|before| before.verdict != ruling.verdict) else {
                    continue;
                };
                if !any {
                    self.heading("Rulings that changed");
                    any = true;
                }
                let statement = line(&bounded(&ruling.statement, WORDS_SHOWN)).into_owned();
                self.plain(&format!(
                    "{} ({}): {} → {}",
                    statement,
                    judged.judge,
                    ruled(before.verdict),
                    ruled(ruling.verdict)
                ));
                for (sign, ruling, style) in [("− ", before, GONE), ("+ ", ruling, NEW)] {
                    if !ruling.reason.is_empty() {
                        let reason = line(&bounded(&ruling.reason, WORDS_SHOWN)).into_owned();
                        self.entry(&format!("  {sign}"), &reason, style);
                    }
                }
            }
        }
    }

    fn calls(&mut self, reference: &[Call], candidate: &[Call]) {
        self.heading("Calls");
        if reference.is_empty() && candidate.is_empty() {
            self.plain("neither called a tool");
            return;
        }
        let rows = aligned(reference, candidate);
        if self.width >= COLUMNS_FROM {
            self.columns(&rows);
        }
        for (before, after) in rows {
            match (before, after) {
                (Some(before), Some(after)) => self.both(before, after),
                (Some(before), None) => self.one("− ", before, GONE),
                (None, Some(after)) => self.one("+ ", after, NEW),
                (None, None) => unreachable!("a row has a side"),
            }
        }
    }

    /// The sequence of calls at a glance, the reference on the left.
    fn columns(&mut self, rows: &[(Option<&Call>, Option<&Call>)]) {
        let half = (self.width - 9) / 2;
        let cell = |call: Option<&Call>| {
            let title = call.map(Call::title).unwrap_or_default();
            bounded(&title, half.saturating_sub(1)).into_owned()
        };
        for &(before, after) in rows {
            let (sign, style) = match (before, after) {
                (Some(before), Some(after)) if before == after => ("=", None),
                (Some(_), Some(_)) => ("~", None),
                (Some(_), None) => ("−", Some(GONE)),
                (None, _) => ("+", Some(NEW)),
            };
            let row = format!("  {:<half$} {sign} {}", cell(before), cell(after));
            let row = match style {
                Some(style) => self.paint(style, row.trim_end()),
                None => row,
            };
            self.push(&row);
        }
        self.text.push('\n');
    }

    fn one(&mut self, sign: &str, call: &Call, style: Style) {
        self.entry(sign, &call.title(), style);
        for (name, text) in &call.arguments {
            let name = line(&bounded(name, 60)).into_owned();
            let text = line(&bounded(text, WORDS_SHOWN)).into_owned();
            self.entry(&format!("  {sign}"), &format!("{name}: {text}"), style);
        }
    }

    /// A call that both made: the arguments that differ, word by word.
    fn both(&mut self, before: &Call, after: &Call) {
        if before == after {
            self.entry("= ", &format!("{}, the same", after.title()), HEADING);
            return;
        }
        let title = match before.title() == after.title() {
            true => after.title(),
            false => format!("{} → {}", before.title(), after.title()),
        };
        self.entry("~ ", &title, HEADING);
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in before.arguments.iter().chain(&after.arguments) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let mut same = Vec::new();
        for name in names {
            let shown = line(&bounded(name, 60)).into_owned();
            let (old, new) = (before.argument(name), after.argument(name));
            if old == new {
                same.push(shown);
            } else {
                self.plain(&format!("  {shown}:"));
                self.words(old, new);
            }
        }
        if !same.is_empty() {
            self.plain(&format!("  the same: {}", same.join(", ")));
        }
    }

    /// A word diff: what went is `[−…−]`, what came `{+…+}`.
    fn words(&mut self, old: &str, new: &str) {
        let (old, new) = (lines(old), lines(new));
        let marked = marked(&old, &new);
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

    /// Lists of lines, aligned; nothing where they are equal and empty.
    fn texts(&mut self, title: &str, reference: &[String], candidate: &[String]) {
        if reference.is_empty() && candidate.is_empty() {
            return;
        }
        self.heading(title);
        let old: Vec<&str> = reference.iter().map(String::as_str).collect();
        let new: Vec<&str> = candidate.iter().map(String::as_str).collect();
        let diff = TextDiff::from_slices(&old, &new);
        for change in diff.iter_all_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => ("= ", HEADING),
                ChangeTag::Delete => ("− ", GONE),
                ChangeTag::Insert => ("+ ", NEW),
            };
            self.entry(sign, change.value(), style);
        }
    }
}

/// Pairs calls that stand for each other, in order: by name, as the longest common
/// sequence has them.
fn aligned<'a>(
    reference: &'a [Call],
    candidate: &'a [Call],
) -> Vec<(Option<&'a Call>, Option<&'a Call>)> {
    let names = |calls: &'a [Call]| -> Vec<&'a str> {
        calls.iter().map(|call| call.name.as_str()).collect()
    };
    let ops = capture_diff_slices(
        similar::Algorithm::Myers,
        &names(reference),
        &names(candidate),
    );
    let mut rows = Vec::new();
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        match op {
            DiffOp::Equal { .. } => rows.extend(
                reference[old]
                    .iter()
                    .zip(&candidate[new])
                    .map(|(one, other)| (Some(one), Some(other))),
            ),
            _ => {
                rows.extend(reference[old].iter().map(|call| (Some(call), None)));
                rows.extend(candidate[new].iter().map(|call| (None, Some(call))));
            }
        }
    }
    rows
}

/// Both texts in one: what went is `[−…−]`, what came `{+…+}`. Words that went one after
/// another stand between one pair of signs.
pub(super) fn marked(old: &str, new: &str) -> String {
    let diff = TextDiff::from_words(old, new);
    let mut text = String::new();
    let (mut gone, mut came) = (String::new(), String::new());
    let flush = |gone: &mut String, came: &mut String, text: &mut String| {
        // Signs hug the words, so that spaces at the edges stay outside.
        let edge = match came.trim().is_empty() {
            true => &*gone,
            false => &*came,
        };
        text.push_str(&edge[..edge.len() - edge.trim_start().len()]);
        for (open, part, close) in [("[−", &*gone, "−]"), ("{+", &*came, "+}")] {
            if !part.trim().is_empty() {
                text.push_str(open);
                text.push_str(part.trim());
                text.push_str(close);
            }
        }
        text.push_str(&edge[edge.trim_end().len()..]);
        gone.clear();
        came.clear();
    };
    let changes: Vec<_> = diff.iter_all_changes().collect();
    for (at, change) in changes.iter().enumerate() {
        let value = change.value();
        let changing = !gone.is_empty() || !came.is_empty();
        match change.tag() {
            ChangeTag::Delete => gone.push_str(value),
            ChangeTag::Insert => came.push_str(value),
            ChangeTag::Equal => {
                let goes_on = changes
                    .get(at + 1)
                    .is_some_and(|it| it.tag() != ChangeTag::Equal);
                if changing && goes_on && value.trim().is_empty() && !value.contains('\n') {
                    gone.push_str(value);
                    came.push_str(value);
                } else {
                    flush(&mut gone, &mut came, &mut text);
                    text.push_str(value);
                }
            }
        }
    }
    flush(&mut gone, &mut came, &mut text);
    text
}
