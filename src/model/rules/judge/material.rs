//! What a judge is shown, taken apart: a heading at column 0 opens a part, and every line
//! of its text is indented.

use jiff::civil::Date;

use super::lexicon::{Cue, lexicon};
use crate::message::{Message, Role};
use crate::model::rules::text::Text;

/// Bytes of a part that are read.
const MOST_BYTES: usize = 32 * 1024;

/// The question and what it is about.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub statement: String,
    pub parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Part {
    pub heading: String,
    /// Without the indentation.
    pub text: String,
}

/// A mail: who it is from and to, and what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    pub from: String,
    pub to: String,
    pub subject: String,
    pub date: Option<Date>,
    pub body: String,
    /// Whether something in it spoke to whoever judges, and was taken out.
    pub steers: bool,
}

/// A tool call as the record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub name: String,
    pub ran: bool,
    /// Names and values.
    pub arguments: Vec<(String, String)>,
}

impl Shown {
    pub fn read(messages: &[Message]) -> Shown {
        let mut users = messages
            .iter()
            .filter(|message| message.role == Role::User)
            .map(|message| message.content.as_str());
        let question = users.next().unwrap_or_default();
        let statement = |text: &str| {
            let line = text
                .lines()
                .rev()
                .find_map(|l| l.strip_prefix("Statement:"));
            line.map(|line| line.trim().to_owned())
        };
        let mut shown = Shown {
            statement: statement(question).unwrap_or_default(),
            parts: Vec::new(),
        };
        let is_fence = |line: &str| line.starts_with("===== ");
        let Some(material) = users.find(|text| text.lines().any(is_fence)) else {
            return shown;
        };
        let mut lines = material.lines().skip_while(|line| !is_fence(line));
        let fence = lines.next().unwrap_or_default();
        shown.read_parts(lines.take_while(|line| *line != fence));
        shown
    }

    /// The parts that stand within the text of one.
    pub fn within(text: &str) -> Shown {
        let mut shown = Shown::default();
        shown.read_parts(text.lines());
        shown
    }

    fn read_parts<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        for line in lines {
            if let Some(heading) = line.strip_prefix("# ") {
                self.parts.push(Part {
                    heading: heading.trim().to_owned(),
                    text: String::new(),
                });
            } else if let Some(part) = self.parts.last_mut()
                && part.text.len() + line.len() <= MOST_BYTES
            {
                // At the margin stand notes of the frame, such as "[none was sent]".
                part.text
                    .push_str(line.strip_prefix("  ").unwrap_or_default());
                part.text.push('\n');
            }
        }
    }

    /// The parts whose heading begins so.
    pub fn parts<'a>(&'a self, heading: &'a str) -> impl Iterator<Item = &'a Part> {
        self.parts
            .iter()
            .filter(move |part| part.heading.starts_with(heading))
    }

    pub fn text<'a>(&'a self, heading: &'a str) -> Option<&'a str> {
        self.parts(heading).next().map(|part| part.text.as_str())
    }

    pub fn email(&self) -> Mail {
        self.text("The email").map(Mail::read).unwrap_or_default()
    }

    pub fn sent(&self) -> Vec<Mail> {
        let mails = self.parts("Mail that was sent");
        let mails = mails.map(|part| Mail::read(&part.text));
        mails.filter(|mail| !mail.is_empty()).collect()
    }

    /// The first words of the mail that was sent; without one, of what is shown last.
    pub fn first_words(&self) -> Option<String> {
        let mails = self.sent();
        let last = self.parts.last().map(|part| part.text.as_str());
        let bodies = mails.iter().map(|mail| mail.body.as_str()).chain(last);
        let line = bodies
            .flat_map(str::lines)
            .find(|line| !line.trim().is_empty());
        line.map(|line| line.trim().chars().take(200).collect())
    }

    pub fn calls(&self) -> Vec<Call> {
        self.text("Tool calls").map(calls).unwrap_or_default()
    }

    /// The call that the person was shown; `None` where it was none.
    pub fn draft(&self) -> Option<Call> {
        let text = self.text("What the person was shown")?;
        let (name, rest) = text.strip_prefix("proposed ")?.split_once('\n')?;
        let mut arguments = Vec::new();
        for line in rest.lines() {
            add_argument(&mut arguments, line);
        }
        Some(Call {
            name: name.trim().to_owned(),
            ran: false,
            arguments,
        })
    }
}

impl Mail {
    /// Header lines, a blank line, and the body. What speaks to whoever judges is left out
    /// of the body.
    pub fn read(text: &str) -> Mail {
        let mut mail = Mail::default();
        let mut rest = text;
        while let Some((line, behind)) = rest.split_once('\n') {
            let value = |name: &str| line.strip_prefix(name).map(|value| value.trim().to_owned());
            if let Some(from) = value("From:") {
                mail.from = from;
            } else if let Some(to) = value("To:") {
                mail.to = to;
            } else if let Some(subject) = value("Subject:") {
                mail.subject = subject;
            } else if let Some(date) = value("Date:").or_else(|| value("Sent:")) {
                mail.date = date.get(..10).and_then(|date| date.parse().ok());
            } else if line.trim().is_empty() {
                rest = behind;
                if mail.subject.is_empty() && mail.to.is_empty() && mail.from.is_empty() {
                    continue;
                }
                break;
            } else {
                break;
            }
            rest = behind;
        }
        let (body, steers) = without_orders(rest);
        mail.steers = steers;
        mail.body = body;
        mail
    }

    pub fn is_empty(&self) -> bool {
        self.body.trim().is_empty() && self.subject.is_empty() && self.to.is_empty()
    }
}

/// Paragraphs that speak to the judge, that look like a verdict, or that imitate a fence or
/// a turn of a conversation say nothing of what they stand in.
fn without_orders(body: &str) -> (String, bool) {
    let mut kept = String::with_capacity(body.len());
    let mut steers = false;
    // Nobody who reads the mail sees a comment. A blank line keeps what it stood between
    // apart, so that no sentence joins what the material has in two places.
    let mut visible = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, hidden)) = rest.split_once("<!") {
        visible.push_str(before);
        visible.push_str("\n\n");
        let (comment, behind) = hidden.split_once('>').unwrap_or((hidden, ""));
        steers |= speaks_to_judge(comment);
        rest = behind;
    }
    visible.push_str(rest);
    let body = visible.as_str();
    for paragraph in body.split_inclusive("\n\n") {
        if speaks_to_judge(paragraph) {
            steers = true;
            kept.push('\n');
        } else {
            kept.push_str(paragraph);
        }
    }
    (kept, steers)
}

pub(super) fn speaks_to_judge(text: &str) -> bool {
    let found = lexicon().cues.find(&Text::new(text.to_owned()));
    if found
        .iter()
        .any(|hit| Cue::ALL[hit.payload as usize] == Cue::Judge)
    {
        return true;
    }
    // What is left of a line that looks like a fence.
    if text.lines().any(|line| line.trim_start().starts_with("==")) {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let marks = [
        "\"verdict\"",
        "\"pass\"",
        "_met\"",
        "<system",
        "<|",
        "[inst",
        "<<sys",
        "</",
        "verdict:",
        "{{statement",
        "{{mark",
        "tool_result",
        "\"reasoning\"",
    ];
    marks.iter().any(|mark| lower.contains(mark))
}

fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines() {
        let numbered = line.split_once(". ").filter(|(number, _)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        match (numbered, calls.last_mut()) {
            (Some((_, rest)), _) => {
                let (name, outcome) = rest.split_once(": ").unwrap_or((rest, ""));
                calls.push(Call {
                    name: name.trim().to_owned(),
                    ran: outcome.trim().starts_with("ran"),
                    arguments: Vec::new(),
                });
            }
            (None, Some(call)) => add_argument(&mut call.arguments, line),
            (None, None) => {}
        }
    }
    calls
}

/// `   name: value`; what stands further in goes on with the value before.
fn add_argument(arguments: &mut Vec<(String, String)>, line: &str) {
    let Some(line) = line.strip_prefix("   ") else {
        return;
    };
    match (line.starts_with("  "), arguments.last_mut()) {
        (true, Some((_, value))) => {
            value.push('\n');
            value.push_str(line.trim_start());
        }
        _ => {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            arguments.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

impl Call {
    pub fn argument(&self, name: &str) -> Option<&str> {
        let mut arguments = self.arguments.iter();
        arguments
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
