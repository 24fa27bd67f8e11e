//! What can be wrong with a dataset, said so that its author can fix it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::tree::Position;
use crate::agent::memory::Namespace;

/// Every mistake found in the files of a dataset, in file order.
#[derive(Debug, Error)]
pub struct LoadErrors {
    /// The first ones, at most [`Limits::errors`](super::Limits::errors).
    pub errors: Vec<LoadError>,
    /// How many there are, those not kept included.
    pub total: usize,
}

/// Prints one mistake after the other, each with its help below it.
impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
            if let Some(help) = error.problem.help() {
                write!(f, "\n  help: {help}")?;
            }
        }
        let more = self.total - self.errors.len();
        if more > 0 {
            let (errors, these) = if more == 1 {
                ("error", "it")
            } else {
                ("errors", "them")
            };
            write!(f, "\n… and {more} more {errors}; fix these to see {these}")?;
        }
        Ok(())
    }
}

/// One mistake and where it is.
#[derive(Debug)]
pub struct LoadError {
    pub place: Place,
    /// The id of the record, where it could be read.
    pub record: Option<String>,
    pub problem: Problem,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(id) = &self.record {
            write!(f, "{}: ", Shown(id))?;
        }
        write!(f, "{}", self.problem)
    }
}

/// A file, and a position in it unless all of it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: Arc<Path>,
    pub at: Option<Position>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&self.path.to_string_lossy()))?;
        match self.at {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// A mistake. The text says what was found; [`help`](Self::help) says what is allowed.
#[derive(Debug, Error)]
pub enum Problem {
    #[error("cannot read it: {0}")]
    Read(#[source] io::Error),
    #[error("not a dataset file")]
    UnknownExtension,
    #[error("no dataset file in this folder")]
    EmptyFolder,
    #[error("the folders are nested more than {limit} deep or hold more than {files} files")]
    FolderTooLarge { limit: usize, files: usize },
    #[error("the file has no records")]
    NoRecords,
    #[error("the file is larger than {}", Bytes(*limit))]
    FileTooLarge { limit: u64 },
    #[error("the line is longer than {}", Bytes(*limit))]
    LineTooLong { limit: u64 },
    #[error("not UTF-8 text: byte {byte} of the line is 0x{value:02x}")]
    NotUtf8 { byte: usize, value: u8 },
    #[error("not a text file: byte {byte} of the line is NUL")]
    NulByte { byte: usize },
    #[error("not valid {format}: {message}")]
    Syntax {
        format: &'static str,
        message: String,
    },
    #[error("lists and maps are nested more than {limit} deep")]
    TooDeep { limit: usize },
    #[error("the record has more than {limit} values")]
    TooManyValues { limit: usize },
    #[error("the file's aliases stand for more than {}", Bytes(*limit as u64))]
    AliasesTooLarge { limit: usize },
    #[error("a second YAML document starts here")]
    SecondDocument,
    #[error("the file is {found}, not a list of records")]
    NotAList { found: Found },

    #[error("unknown key {} in {inside}", Shown(key))]
    UnknownKey {
        key: String,
        inside: &'static str,
        known: &'static [&'static str],
    },
    #[error("{} is given twice, first on line {}", Shown(key), first.line)]
    RepeatedKey { key: String, first: Position },
    #[error("{inside} has no `{key}`")]
    MissingKey {
        key: &'static str,
        inside: &'static str,
    },
    #[error("`{key}` is empty")]
    Empty { key: String },
    #[error("{what} must be {wanted}, not {found}")]
    WrongType {
        /// The key in backticks, or in words what is no key's value.
        what: String,
        wanted: &'static str,
        found: Found,
    },
    #[error("id {} starts or ends with a space, or has a control character", Shown(.0))]
    BadId(String),
    #[error("id {} is taken by the record at {first}", Shown(id))]
    RepeatedId { id: String, first: Place },
    #[error("unknown triage label {}", Shown(.0))]
    UnknownLabel(String),
    #[error("unknown mode {}", Shown(.0))]
    UnknownMode(String),
    #[error("unknown tool {}", Shown(.0))]
    UnknownTool(String),
    #[error("`{tool}` has no argument {}", Shown(argument))]
    UnknownArgument {
        tool: &'static str,
        argument: String,
        known: &'static [&'static str],
    },
    #[error("a call names one tool, this one names {found}")]
    NotOneTool { found: usize },
    #[error("{} is not a regular expression: {message}", Shown(pattern))]
    BadPattern { pattern: String, message: String },
    #[error("{} is not a date", Shown(.0))]
    BadDate(String),
    #[error("`absent` stands beside another matcher")]
    AbsentAndMore,
    #[error("`mode` is given without `tool_calls`")]
    ModeWithoutCalls,
    #[error("`{tool}` is both expected and forbidden")]
    ExpectedAndForbidden { tool: &'static str },

    #[error("`{tool}` is both expected and forbidden, one of them by the example")]
    ContradictsExample { tool: String },
    #[error("no example has the id {}", Shown(id))]
    UnknownExample {
        id: String,
        /// The id that it most likely stands for.
        nearest: Option<String>,
    },
    #[error("{} is {kind}, not an example", Shown(id))]
    NotAnExample { id: String, kind: &'static str },
    #[error("nobody is asked about {}", Shown(name))]
    NeverAsked { name: String, is_tool: bool },
    #[error("the rule gives no answer")]
    NoAnswer,
    #[error("the rule gives {} answers: `{}`", answers.len(), answers.join("`, `"))]
    SeveralAnswers { answers: Vec<&'static str> },
    #[error("a question about `{on}` does not take `{answer}`")]
    NotTaken { on: String, answer: &'static str },
    #[error("the rule never answers: the one on line {} answers first", first.line)]
    Unreachable { first: Position },
    #[error("`notify` proposes no arguments")]
    NothingProposed,
    #[error("`then` stands beside an answer that no new draft follows")]
    NothingFollows,
    #[error("unknown memory {}", Shown(.0))]
    UnknownMemory(String),
    #[error("an episode has at least two steps, this one has {found}")]
    TooFewSteps { found: usize },
    #[error("the episode asks nothing of the agent")]
    NothingAsked,
}

/// Keys of other tools' files, which `import` reads.
const FOREIGN_KEYS: [&str; 14] = [
    "author",
    "email_thread",
    "emailthread",
    "page_content",
    "pagecontent",
    "from_email",
    "fromemail",
    "email_input",
    "inputs",
    "outputs",
    "classification",
    "expected_tool_calls",
    "response_criteria",
    "messages",
];

impl Problem {
    /// How to fix it, where the message alone does not say so.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Problem::Read(error) if error.kind() == io::ErrorKind::NotFound => {
                "paths are relative to the working directory".to_owned()
            }
            Problem::Read(_) => return None,
            Problem::UnknownExtension | Problem::EmptyFolder => {
                "a dataset file ends in `.yaml`, `.yml`, `.json`, `.jsonl`, or `.ndjson`; other formats come in by `mailproof import`".to_owned()
            }
            Problem::FolderTooLarge { .. } => "name the dataset's own folder".to_owned(),
            Problem::NoRecords => "write at least one, or remove the file".to_owned(),
            Problem::FileTooLarge { .. } => {
                "split it into several files in one folder, or write it as JSONL, which is read line by line".to_owned()
            }
            Problem::LineTooLong { .. } => "JSONL has one record a line".to_owned(),
            Problem::NotUtf8 { .. } | Problem::NulByte { .. } => {
                "save the file as UTF-8 text".to_owned()
            }
            Problem::Syntax { .. } => return None,
            Problem::TooDeep { .. } => "no key of a record is nested as deep".to_owned(),
            Problem::TooManyValues { .. } => "one record is one example, scenario, or episode; an alias counts as what it stands for".to_owned(),
            Problem::AliasesTooLarge { .. } => "write the values out instead".to_owned(),
            Problem::SecondDocument => "join the documents to one list".to_owned(),
            Problem::NotAList { .. } => {
                "start each record with `- ` (YAML) or put all between `[` and `]` (JSON); exports of other tools come in by `mailproof import`".to_owned()
            }
            Problem::UnknownKey { key, known, inside } => {
                let kind = nearest(key, &["scenario", "episode"]).filter(|_| *inside == EXAMPLE);
                if let Some(kind) = kind {
                    format!("did you mean `{kind}`? a record with that key needs no `email`")
                } else if FOREIGN_KEYS.contains(&key.to_ascii_lowercase().as_str()) {
                    "this is a key of another tool's format: convert the file with `mailproof import`".to_owned()
                } else {
                    suggest(key, known)
                }
            }
            Problem::RepeatedKey { .. } => "remove one of the two".to_owned(),
            Problem::MissingKey { key: "triage", .. } => {
                "add `triage: ignore`, `notify`, or `respond`".to_owned()
            }
            Problem::MissingKey { key, .. } => format!("add `{key}: …`"),
            Problem::Empty { key } if key == "subject" => {
                "write `\"\"` for an empty subject".to_owned()
            }
            Problem::Empty { .. } => "write a value, or remove the key where it is optional".to_owned(),
            Problem::WrongType { .. } => return None,
            Problem::BadId(_) => {
                "use a short name in lower case with hyphens, such as `invoice-question`".to_owned()
            }
            Problem::RepeatedId { .. } => "give each record an id of its own".to_owned(),
            Problem::UnknownLabel(_) => "use `ignore`, `notify`, or `respond`".to_owned(),
            Problem::UnknownMode(found) => suggest(found, MODES),
            Problem::UnknownTool(found) => suggest(found, super::tool::NAMES),
            Problem::UnknownArgument {
                argument, known, ..
            } => suggest(argument, known),
            Problem::NotOneTool { .. } => {
                "write each call as an entry of its own: `- write_email: { to: … }`".to_owned()
            }
            Problem::BadPattern { .. } => {
                "see https://docs.rs/regex for the syntax; `contains` looks for plain text".to_owned()
            }
            Problem::BadDate(_) => "write it as `2026-03-02`".to_owned(),
            Problem::AbsentAndMore => {
                "an argument that is absent has no value: keep one of the two".to_owned()
            }
            Problem::ModeWithoutCalls => {
                "add `tool_calls`, or `tool_calls: []` if no call is right".to_owned()
            }
            Problem::ExpectedAndForbidden { .. } => {
                "narrow the forbidden call by its arguments, or remove one of the two".to_owned()
            }
            Problem::ContradictsExample { .. } => {
                "state both `tool_calls` and `forbidden`: what is not stated is the example's".to_owned()
            }
            Problem::UnknownExample { nearest: Some(id), .. } => format!("did you mean {}?", Shown(id)),
            Problem::UnknownExample { nearest: None, .. } => {
                "name the id of an example of this dataset, in any of its files".to_owned()
            }
            Problem::NotAnExample { .. } => "name the example itself".to_owned(),
            Problem::NeverAsked { name, is_tool: false } => suggest(name, ASKED),
            Problem::NeverAsked { is_tool: true, .. } => {
                format!("its calls run at once; known: {}", all(ASKED))
            }
            Problem::NoAnswer | Problem::SeveralAnswers { .. } => {
                "give one of `accept: true`, `edit: { … }`, `ignore: true`, `respond: \"…\"`, `timeout: true`".to_owned()
            }
            Problem::NotTaken { on, .. } => format!("it takes {}", all(super::scenario::answers(on))),
            Problem::Unreachable { .. } => {
                "put the narrower rule first, or give them different `nth`".to_owned()
            }
            Problem::NothingProposed => "remove it, or name a tool's arguments under that tool".to_owned(),
            Problem::NothingFollows => {
                "it belongs beside `respond` on a draft or on `notify`; say it of the call itself in `expect.tool_calls`".to_owned()
            }
            Problem::UnknownMemory(found) => suggest(found, &Namespace::ALL.map(Namespace::name)),
            Problem::TooFewSteps { .. } => {
                "add a step: one to learn from, and one to show it on".to_owned()
            }
            Problem::NothingAsked => {
                "add `memory` or `expect` to a step, or `unchanged` to the episode".to_owned()
            }
        };
        Some(help)
    }
}

/// What an unknown key of an example is in.
pub(super) const EXAMPLE: &str = "the record";

/// What a person may be asked about.
const ASKED: &[&str] = &["write_email", "schedule_meeting", "question", "notify"];

/// Names of [`MatchMode`](super::MatchMode), as written in files.
pub(super) const MODES: &[&str] = &["at-least", "at-most", "exactly", "in-order", "strict"];

/// The kind of a value that stands where another is wanted, with the value if it is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found(String);

impl Found {
    pub(super) fn of(value: &super::tree::Value) -> Self {
        use super::tree::{Value, is_null};
        Found(match value {
            Value::Null => "null".to_owned(),
            Value::Plain(text) if is_null(text) => "null".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(number) => format!("the number `{number}`"),
            Value::Text(text) | Value::Plain(text) => format!("the text {}", Shown(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text of a file in backticks: cut, and with nothing in it that could steer a terminal.
pub(super) struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LENGTH: usize = 60;
        match self.0.char_indices().nth(LENGTH) {
            Some((end, _)) => write!(f, "`{}…`", Escaped(&self.0[..end])),
            None => write!(f, "`{}`", Escaped(self.0)),
        }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in self.0.chars() {
            // The second group is invisible or turns the direction of what follows.
            let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
            if c.is_control() || hidden {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{} {unit}", self.0 / size);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

/// The nearest of the known names, and all of them.
fn suggest(found: &str, known: &[&str]) -> String {
    match nearest(found, known) {
        Some(name) => format!("did you mean `{name}`? known: {}", all(known)),
        None => format!("known: {}", all(known)),
    }
}

fn all(known: &[&str]) -> String {
    let all: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    all.join(", ")
}

/// The known name that a typing mistake most likely stands for.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    // No name is as long, and the distance takes the product of both lengths.
    if found.len() > 64 {
        return None;
    }
    let found = found.to_lowercase().replace('_', "-");
    known
        .iter()
        .map(|name| (distance(&found, &name.replace('_', "-")), *name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, delete, or replace to get from one text to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_only_when_it_is_near() {
        let names = ["write_email", "schedule_meeting", "done"];
        for (found, name) in [
            ("write_mail", Some("write_email")),
            ("WriteEmail", Some("write_email")),
            ("dome", Some("done")),
            ("send", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, &names), name, "{found}");
        }
    }

    #[test]
    fn the_distance_counts_single_edits() {
        for (from, to, edits) in [("", "abc", 3), ("kitten", "sitting", 3), ("a", "a", 0)] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
            assert_eq!(distance(to, from), edits, "{to} {from}");
        }
    }

    #[test]
    fn values_are_shown_cut_and_without_control_characters() {
        assert_eq!(
            Shown("a\u{1b}[2Jb\u{202e}").to_string(),
            r"`a\u{1b}[2Jb\u{202e}`"
        );
        assert_eq!(
            Shown(&"é".repeat(61)).to_string(),
            format!("`{}…`", "é".repeat(60))
        );
    }
}
