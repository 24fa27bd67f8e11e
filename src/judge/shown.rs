//! What a judge is shown: texts that others wrote, in a form that nothing in them can leave.
//!
//! A part is a heading at the left margin and then its text, every line of it indented by
//! two spaces. Only what this module writes stands at the margin, so no email, mail, name of
//! a tool, or profile can open a part, close the fence around all of them, or add a line to
//! the record. What became of tool calls is taken from the record and never from what the
//! agent says of it. Texts are bounded, and say so where they were cut.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::definition::Part;
use crate::agent::tools::Tool;
use crate::email::{Email, Triage};
use crate::message::{Message, Role, ToolStatus};

/// Version of the rendering: raised whenever the same attempt is shown in another form.
pub const VERSION: u32 = 1;

/// The most characters of one part, of one line, and of a statement.
const PART: usize = 24_000;
const LINE: usize = 1_000;
const STATEMENT: usize = 1_000;

/// The most entries of one part: mails, calls, messages, arguments of a call.
const ENTRIES: usize = 60;

/// The most bytes of all that a part holds.
pub const MOST_BYTES: u64 = 4 * PART as u64;

/// How far the text of a part stands from the margin, and what belongs to an entry of it.
const INDENT: &str = "  ";
const DEEP: &str = "     ";
const DEEPER: &str = "       ";

/// What there is to see of an attempt, or of an example for calibration; a definition
/// chooses from it.
#[derive(Clone, Debug, Default)]
pub struct Seen<'a> {
    pub email: Option<&'a Email>,
    /// In order, with what became of them.
    pub calls: Vec<Fact<'a>>,
    /// As the agent's model saw it.
    pub conversation: Vec<&'a Message>,
    /// What the person was shown.
    pub draft: Option<Draft<'a>>,
    /// What the person answered to it.
    pub said: Option<Said<'a>>,
    /// A profile before and after.
    pub profile: Option<(Cow<'a, str>, Cow<'a, str>)>,
    pub decision: Option<Decided<'a>>,
}

/// A tool call, and what the record says became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<'a> {
    pub name: Cow<'a, str>,
    /// Those it ran with, where it ran.
    pub arguments: Cow<'a, Map<String, Value>>,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Ran,
    Failed,
    /// The person turned it down.
    Denied,
    /// The person answered in the tool's place.
    Answered,
    DidNotRun,
}

/// What a person was asked about.
#[derive(Clone, Debug)]
pub enum Draft<'a> {
    Call {
        name: &'a str,
        arguments: Cow<'a, Map<String, Value>>,
    },
    /// The email, and that it was sorted as one to know of.
    Notice,
}

/// What a person answered.
#[derive(Clone, Debug)]
pub enum Said<'a> {
    Words(&'a str),
    /// The call, but with these arguments.
    Changed(&'a Map<String, Value>),
    /// Nothing is to be done.
    TurnedDown,
}

/// What was decided about the email, and why.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    pub triage: Option<Triage>,
    pub reasons: Option<&'a str>,
}

impl From<ToolStatus> for Fate {
    fn from(status: ToolStatus) -> Fate {
        match status {
            ToolStatus::Executed => Fate::Ran,
            ToolStatus::Failed => Fate::Failed,
            ToolStatus::Denied => Fate::Denied,
            ToolStatus::Answered => Fate::Answered,
        }
    }
}

impl Fate {
    fn words(self) -> &'static str {
        match self {
            Fate::Ran => "ran",
            Fate::Failed => "failed",
            Fate::Denied => "denied by the person",
            Fate::Answered => "answered by the person",
            Fate::DidNotRun => "did not run",
        }
    }
}

impl Fact<'_> {
    /// Whether it sent a mail.
    pub fn is_mail(&self) -> bool {
        self.fate == Fate::Ran && self.name.eq_ignore_ascii_case(Tool::WriteEmail.name())
    }
}

/// The parts that a definition wants seen, in its order.
pub fn material(sees: &[Part], seen: &Seen<'_>) -> String {
    let mut page = Page::default();
    for part in sees {
        page.left = PART;
        match part {
            Part::Email => page.email(seen.email),
            Part::FinalMail => page.mails(&seen.calls),
            Part::ToolCalls => page.calls(&seen.calls, sees.contains(&Part::FinalMail)),
            Part::Trajectory => page.conversation(&seen.conversation),
            Part::Instruction => {
                page.draft(seen.draft.as_ref());
                page.left = PART;
                page.said(seen.said.as_ref());
            }
            Part::Memory => {
                let (before, after) = seen.profile.as_ref().map_or(("", ""), |(b, a)| (b, a));
                page.profile("Profile before", before);
                page.left = PART;
                page.profile("Profile after", after);
            }
            Part::Decision => page.decision(seen.decision),
        }
    }
    page.text
}

/// A statement on one line.
pub fn statement(text: &str) -> String {
    line(text, STATEMENT)
}

/// What is shown of two attempts side by side: the parts of each one step further in.
pub fn both(first: &str, second: &str) -> String {
    let mut page = Page::default();
    for (heading, material) in [("The first", first), ("The second", second)] {
        page.heading(heading);
        for line in material.lines() {
            page.text.push_str(INDENT);
            page.text.push_str(line);
            page.text.push('\n');
        }
    }
    page.text
}

/// The text under construction. Only [`Page::heading`] and [`Page::note`] write at the
/// margin.
#[derive(Default)]
struct Page {
    text: String,
    /// Characters that the part may still have.
    left: usize,
    /// Characters of the text just taken that it had no room for.
    cut: usize,
}

impl Page {
    fn heading(&mut self, heading: &str) {
        self.text.push_str("# ");
        self.text.push_str(heading);
        self.text.push('\n');
    }

    /// Words of ours in the place of text.
    fn note(&mut self, words: &str) {
        self.text.push('[');
        self.text.push_str(words);
        self.text.push_str("]\n");
    }

    fn email(&mut self, email: Option<&Email>) {
        self.heading("The email");
        let Some(email) = email else {
            return self.note("there is none");
        };
        self.field("From", &email.from);
        self.field("To", &email.to);
        self.field("Subject", &email.subject);
        if let Some(date) = email.date {
            self.field("Date", &date.to_string());
        }
        self.text.push('\n');
        self.block(INDENT, &email.body);
    }

    fn mails(&mut self, calls: &[Fact]) {
        let mut mails = calls.iter().filter(|call| call.is_mail()).peekable();
        if mails.peek().is_none() {
            self.heading("Mail that was sent");
            return self.note("none was sent");
        }
        for mail in mails.by_ref().take(ENTRIES) {
            self.heading("Mail that was sent");
            let argument = |name| words(mail.arguments.get(name).unwrap_or(&Value::Null));
            self.field("To", &argument("to"));
            self.field("Subject", &argument("subject"));
            self.text.push('\n');
            self.block(INDENT, &argument("content"));
        }
        self.more(mails.count(), "mails");
    }

    /// `mails_above`: whether the texts of mails that were sent are shown anyway.
    fn calls(&mut self, calls: &[Fact], mails_above: bool) {
        self.heading("Tool calls, from the record");
        if calls.is_empty() {
            return self.note("none was made");
        }
        for (at, call) in calls.iter().take(ENTRIES).enumerate() {
            let (number, name, fate) = (at + 1, name(&call.name), call.fate.words());
            self.text
                .push_str(&format!("{INDENT}{number}. {name}: {fate}\n"));
            let is_above = mails_above && call.is_mail();
            let shown = call.arguments.iter();
            self.arguments(shown.filter(|(name, _)| !is_above || *name != "content"));
        }
        self.more(calls.len().saturating_sub(ENTRIES), "calls");
    }

    fn arguments<'a>(&mut self, arguments: impl Iterator<Item = (&'a String, &'a Value)>) {
        let mut arguments = arguments;
        for (argument, value) in arguments.by_ref().take(ENTRIES) {
            let value = self.take(&words(value));
            let mut lines = value.lines();
            let first = lines.next().unwrap_or_default();
            let argument = name(argument);
            let line = format!("{DEEP}{argument}: {first}");
            self.text.push_str(line.trim_end());
            self.text.push('\n');
            self.lines(DEEPER, lines);
        }
        self.more(arguments.count(), "arguments");
    }

    fn conversation(&mut self, messages: &[&Message]) {
        self.heading("The conversation");
        if messages.is_empty() {
            return self.note("there was none");
        }
        for message in messages.iter().take(ENTRIES) {
            let who = match message.role {
                Role::User => "the user".to_owned(),
                Role::Assistant => "the assistant".to_owned(),
                Role::Tool => {
                    let tool = name(message.name.as_deref().unwrap_or_default());
                    format!("{tool}: {}", Fate::from(message.status).words())
                }
            };
            self.text.push_str(&format!("{INDENT}* {who}\n"));
            self.block(DEEP, &message.content);
            for call in &message.tool_calls {
                let tool = name(&call.name);
                self.text.push_str(&format!("{INDENT}* proposed {tool}\n"));
                match &call.arguments {
                    Value::Object(arguments) => self.arguments(arguments.iter()),
                    other => self.block(DEEP, &words(other)),
                }
            }
        }
        self.more(messages.len().saturating_sub(ENTRIES), "messages");
    }

    fn draft(&mut self, draft: Option<&Draft>) {
        self.heading("What the person was shown");
        match draft {
            None => self.note("there is no record of it"),
            Some(Draft::Notice) => self.note("the email, as one to know of; no call was proposed"),
            Some(Draft::Call {
                name: tool,
                arguments,
            }) => {
                let tool = name(tool);
                self.text.push_str(&format!("{INDENT}proposed {tool}\n"));
                self.arguments(arguments.iter());
            }
        }
    }

    fn said(&mut self, said: Option<&Said>) {
        self.heading("What the person said");
        match said {
            None => self.note("there is no record of it"),
            Some(Said::Words(text)) => self.block(INDENT, text),
            Some(Said::TurnedDown) => self.note("turned it down, without words"),
            Some(Said::Changed(arguments)) => {
                self.note("changed the call to these arguments");
                self.arguments(arguments.iter());
            }
        }
    }

    fn profile(&mut self, heading: &str, profile: &str) {
        self.heading(heading);
        match profile.trim() {
            "" => self.note("empty"),
            profile => self.block(INDENT, profile),
        }
    }

    fn decision(&mut self, decided: Option<Decided>) {
        self.heading("The decision");
        let triage = decided.and_then(|decided| decided.triage);
        match triage {
            None => self.note("none was made"),
            Some(triage) => self.field("Decision", triage.name()),
        }
        if let Some(reasons) = decided.and_then(|decided| decided.reasons) {
            self.field("Reasons", reasons);
        }
    }

    /// `  Name: value` on one line.
    fn field(&mut self, name: &str, value: &str) {
        let value = line(value, LINE.min(self.left));
        self.left -= value.chars().count().min(self.left);
        let field = format!("{INDENT}{name}: {value}");
        self.text.push_str(field.trim_end());
        self.text.push('\n');
    }

    /// A text of any length, every line of it indented.
    fn block(&mut self, indent: &str, text: &str) {
        let text = self.take(text);
        self.lines(indent, text.lines());
    }

    fn lines<'t>(&mut self, indent: &str, lines: impl Iterator<Item = &'t str>) {
        for line in lines {
            if !line.trim_end().is_empty() {
                self.text.push_str(indent);
                self.text.push_str(line.trim_end());
            }
            self.text.push('\n');
        }
        let cut = std::mem::take(&mut self.cut);
        if cut > 0 {
            self.note(&format!("{cut} more characters are not shown"));
        }
    }

    /// As much of a text as the part has room for, disarmed.
    fn take(&mut self, text: &str) -> String {
        let (text, cut) = inert(text.trim_end(), self.left);
        self.left -= text.chars().count().min(self.left);
        self.cut = cut;
        text
    }

    fn more(&mut self, count: usize, things: &str) {
        if count > 0 {
            self.note(&format!("{count} more {things} are not shown"));
        }
    }
}

/// A value in words: a text as it is, anything else as JSON.
fn words(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

/// The name of a tool or an argument, which a model may have made up: nothing in it can
/// look like what stands after a name.
fn name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let name: String = line(name, 64)
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    match name.is_empty() {
        true => "(no name)".to_owned(),
        false => name,
    }
}

/// A text on one line, disarmed, of at most `limit` characters and an ellipsis.
fn line(text: &str, limit: usize) -> String {
    let (text, cut) = inert(text, limit);
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if cut > 0 {
        line.push('…');
    }
    line
}

/// At most `limit` characters of a text, disarmed, and how many of it are left out.
///
/// Line breaks of all kinds become `\n`. What is invisible, or reorders what is read, is
/// taken out; controls become spaces. Of characters that fences are made of, no more than
/// two stay in a row.
fn inert(text: &str, limit: usize) -> (String, usize) {
    let mut inert = String::with_capacity(text.len().min(limit));
    let (mut length, mut fence) = (0, 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\r' if letters.peek() == Some(&'\n') => continue,
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            '\n' => '\n',
            hidden if is_hidden(hidden) => continue,
            letter if letter.is_control() || letter.is_whitespace() => ' ',
            letter => letter,
        };
        fence = if is_of_fences(letter) { fence + 1 } else { 0 };
        if fence > 2 {
            continue;
        }
        if length == limit {
            return (inert, 1 + letters.count());
        }
        length += 1;
        inert.push(letter);
    }
    (inert, 0)
}

/// Whether a character is not seen, or changes the order in which others are: zero-width and
/// blank-looking ones, bidirectional controls (CVE-2021-42574), and the tags and variation
/// selectors that can hide whole sentences.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether lines that set texts apart are made of it, or of what looks like it.
fn is_of_fences(c: char) -> bool {
    matches!(
        c,
        '=' | '-' | '`' | '~' | '#' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2212}'
                | '\u{2500}'
                | '\u{2501}'
                | '\u{2550}'
                | '\u{30a0}'
                | '\u{ff0d}'
                | '\u{ff1d}'
                | '\u{fe66}'
                | '\u{2e3a}'
                | '\u{2e3b}'
    )
}

#[cfg(test)]
mod tests;
