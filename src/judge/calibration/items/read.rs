//! Lines of text to items, or to what is wrong with them.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Done, Item, Record, Work};
use crate::agent::memory::Namespace;
use crate::dataset::{Dataset, Example};
use crate::email::Email;
use crate::judge::JudgeKey;
use crate::score::one_line;

/// Bytes of a line: an email, and a reply to it.
const LINE: u64 = 1 << 20;
/// Items of all files together: asking a model about as many would take days.
const ITEMS: usize = 100_000;
/// Characters of an id.
const ID: usize = 200;
/// Characters of a name.
const NAME: usize = 100;
/// Calls of an item.
const CALLS: usize = 200;
/// Mistakes that are told; the others are only counted.
const TOLD: usize = 20;

/// Reads the items of these files, in their order. An example that one names is one of
/// `dataset`.
///
/// # Errors
/// All mistakes of all files, in file order.
pub fn read(paths: &[PathBuf], dataset: &Dataset) -> Result<Vec<Item>, ItemErrors> {
    let mut reading = Reading::new(&dataset.examples);
    for path in paths {
        reading.file(path);
    }
    reading.finish()
}

/// Items being read, from several files.
#[derive(Debug)]
pub struct Reading<'a> {
    examples: HashMap<&'a str, &'a Example>,
    items: Vec<Item>,
    /// Where each stands: the number of its file, and its line.
    places: Vec<(usize, usize)>,
    paths: Vec<String>,
    /// By id, the items that have it.
    known: HashMap<String, Vec<usize>>,
    errors: ItemErrors,
}

impl<'a> Reading<'a> {
    /// The examples that items may name.
    pub fn new(examples: &'a [Example]) -> Reading<'a> {
        Reading {
            examples: examples
                .iter()
                .map(|example| (&*example.id, example))
                .collect(),
            items: Vec::new(),
            places: Vec::new(),
            paths: Vec::new(),
            known: HashMap::new(),
            errors: ItemErrors::default(),
        }
    }

    /// Reads the file at `path`.
    pub fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => self.text(&name, file),
            Err(error) => self.errors.add(ItemError {
                path: name,
                at: None,
                problem: Problem::Unreadable(error),
            }),
        }
    }

    /// Reads items from any place, which messages call `path`. At most one line is in
    /// memory beside the items.
    pub fn text(&mut self, path: &str, text: impl Read) {
        let mut text = BufReader::new(text);
        let mut bytes = Vec::new();
        self.paths.push(path.to_owned());
        for line in 1.. {
            bytes.clear();
            let item = match whole_line(&mut text, &mut bytes) {
                Ok(None) => return,
                Ok(Some(())) if line > 1 || !bytes.starts_with(BOM) => self.line(&bytes),
                Ok(Some(())) => self.line(&bytes[BOM.len()..]),
                Err(problem) => Err((1, problem)),
            };
            let added = match item {
                Ok(None) => continue,
                Ok(Some(item)) => self.add(item, line),
                Err(wrong) => Err(wrong),
            };
            if let Err((column, problem)) = added {
                let last = problem.is_the_last();
                self.errors.add(ItemError {
                    path: path.to_owned(),
                    at: Some((line, column)),
                    problem,
                });
                if last {
                    return;
                }
            }
        }
    }

    /// # Errors
    /// All mistakes that were met.
    pub fn finish(self) -> Result<Vec<Item>, ItemErrors> {
        match self.errors.total {
            0 => Ok(self.items),
            _ => Err(self.errors),
        }
    }

    /// What stands on a line; `None` where it is blank.
    fn line(&self, bytes: &[u8]) -> Result<Option<Item>, (usize, Problem)> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let text =
            str::from_utf8(bytes).map_err(|error| (error.valid_up_to() + 1, Problem::NotUtf8))?;
        let record: Record = serde_json::from_str(text).map_err(|error| {
            // The line within the line is always the first.
            let said = error.to_string();
            let said = said
                .rsplit_once(" at line ")
                .map_or(&*said, |(said, _)| said);
            (error.column().max(1), Problem::Form(one_line(said, 300)))
        })?;
        self.whole(record).map(Some).map_err(|problem| (1, problem))
    }

    /// The item of a record, with its email in it.
    fn whole(&self, record: Record) -> Result<Item, Problem> {
        fits("id", &record.id, ID)?;
        fits("labelled_by", &record.labelled_by, NAME)?;
        check_keys(&record)?;
        let (email, own) = match (record.example, record.email) {
            (Some(id), None) => {
                let example = self.examples.get(&*id);
                let example = example.ok_or_else(|| Problem::NoExample(one_line(&id, 60)))?;
                let cluster = example.cluster.clone().unwrap_or(id);
                (example.email.clone(), cluster)
            }
            (None, Some(inline)) => {
                let email = Email {
                    from: inline.from,
                    to: inline.to,
                    subject: inline.subject,
                    body: inline.body,
                    date: inline.date,
                };
                let cluster = itself(&email);
                (email, cluster)
            }
            _ => return Err(Problem::OneEmail),
        };
        let done = Done {
            calls: record.calls.unwrap_or_default(),
            closing: record.closing,
        };
        if done.calls.len() > CALLS {
            return Err(Problem::TooManyCalls);
        }
        let stated = |key, text: Option<String>| match text {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(Problem::Blank(key)),
        };
        let work = match record.judge {
            JudgeKey::ResponseCriteria => Work::Reply {
                criterion: stated("criterion", record.criterion)?,
                done,
            },
            JudgeKey::FeedbackHonoured => Work::Feedback {
                draft: record.draft,
                instruction: stated("instruction", record.instruction)?,
                done,
            },
            JudgeKey::MemoryUpdate => Work::Memory {
                namespace: match record.namespace {
                    Some(namespace) if namespace.is_profile() => namespace,
                    _ => return Err(Problem::NoProfile),
                },
                instruction: stated("instruction", record.instruction)?,
                before: record.before.unwrap_or_default(),
                after: record.after.unwrap_or_default(),
            },
            JudgeKey::TriageReasonable | JudgeKey::Pairwise => {
                return Err(Problem::NoForm(record.judge));
            }
        };
        Ok(Item {
            id: record.id,
            kind: record.kind,
            label: record.label,
            reason: record.reason,
            labelled_by: record.labelled_by,
            email,
            cluster: record.cluster.unwrap_or(own),
            work,
        })
    }

    /// Takes an item in beside those of the same id: of other people, about the same.
    fn add(&mut self, item: Item, line: usize) -> Result<(), (usize, Problem)> {
        if self.items.len() == ITEMS {
            return Err((1, Problem::TooMany));
        }
        let same = self.known.entry(item.id.clone()).or_default();
        for &index in &*same {
            let other = &self.items[index];
            let (file, line) = self.places[index];
            let place = format!("{}:{line}", self.paths[file]);
            if other.labelled_by == item.labelled_by {
                let by = one_line(&item.labelled_by, NAME);
                return Err((1, Problem::LabelledTwice { by, place }));
            }
            if !other.is_about(&item) {
                return Err((1, Problem::Differs { place }));
            }
        }
        same.push(self.items.len());
        self.places.push((self.paths.len() - 1, line));
        self.items.push(item);
        Ok(())
    }
}

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Reads a line, without its end, into `bytes`; `None` at the end of the text.
fn whole_line(text: &mut impl BufRead, bytes: &mut Vec<u8>) -> Result<Option<()>, Problem> {
    let read = text.take(LINE + 1).read_until(b'\n', bytes);
    match read.map_err(Problem::Unreadable)? {
        0 => return Ok(None),
        read if read as u64 <= LINE => {}
        _ => {
            if bytes.last() != Some(&b'\n') {
                text.skip_until(b'\n').map_err(Problem::Unreadable)?;
            }
            return Err(Problem::LongLine);
        }
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(Some(()))
}

fn fits(key: &'static str, text: &str, most: usize) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::Blank(key));
    }
    if text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(Problem::Unfit { key, most });
    }
    Ok(())
}

/// Holds a record to the keys of its judge.
fn check_keys(record: &Record) -> Result<(), Problem> {
    let judge = record.judge;
    let (wanted, free): (&[&str], &[&str]) = match judge {
        JudgeKey::ResponseCriteria => (&["criterion", "calls"], &["closing"]),
        JudgeKey::FeedbackHonoured => (&["instruction", "calls"], &["draft", "closing"]),
        JudgeKey::MemoryUpdate => (&["namespace", "instruction", "before", "after"], &[]),
        JudgeKey::TriageReasonable | JudgeKey::Pairwise => return Err(Problem::NoForm(judge)),
    };
    for (key, is_given) in [
        ("criterion", record.criterion.is_some()),
        ("draft", record.draft.is_some()),
        ("namespace", record.namespace.is_some()),
        ("instruction", record.instruction.is_some()),
        ("before", record.before.is_some()),
        ("after", record.after.is_some()),
        ("calls", record.calls.is_some()),
        ("closing", record.closing.is_some()),
    ] {
        match (is_given, wanted.contains(&key)) {
            (false, true) => return Err(Problem::Missing { key, judge }),
            (true, false) if !free.contains(&key) => return Err(Problem::Foreign { key, judge }),
            _ => {}
        }
    }
    Ok(())
}

/// The cluster of an email that belongs to none.
fn itself(email: &Email) -> String {
    let json = serde_json::to_vec(email).expect("an email has string keys only");
    let digest = Sha256::digest(json);
    let hash = digest[..8].iter().map(|byte| format!("{byte:02x}"));
    format!("email-{}", hash.collect::<String>())
}

/// What is wrong with files of items.
#[derive(Debug, Default, Error)]
pub struct ItemErrors {
    /// The first ones.
    pub errors: Vec<ItemError>,
    /// How many there are.
    pub total: usize,
}

impl ItemErrors {
    fn add(&mut self, error: ItemError) {
        self.total += 1;
        if self.errors.len() < TOLD {
            self.errors.push(error);
        }
    }
}

/// One a line.
impl fmt::Display for ItemErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let end = if index > 0 { "\n" } else { "" };
            write!(f, "{end}{error}")?;
        }
        match self.total - self.errors.len() {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

/// One mistake and where it is.
#[derive(Debug)]
pub struct ItemError {
    pub path: String,
    /// Line and column, from 1; `None` for the whole file.
    pub at: Option<(usize, usize)>,
    pub problem: Problem,
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path)?;
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

#[derive(Debug, Error)]
pub enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("a byte that is not UTF-8")]
    NotUtf8,
    #[error("a line of more than 1 MiB")]
    LongLine,
    #[error("{0}")]
    Form(String),
    #[error("`{0}` is empty")]
    Blank(&'static str),
    #[error("`{key}` has at most {most} printable characters")]
    Unfit { key: &'static str, most: usize },
    #[error("an item of `{judge}` needs `{key}`")]
    Missing { key: &'static str, judge: JudgeKey },
    #[error("an item of `{judge}` has no `{key}`")]
    Foreign { key: &'static str, judge: JudgeKey },
    #[error(
        "items of `{0}` have no form yet; those of response_criteria, feedback_honoured, and memory_update have"
    )]
    NoForm(JudgeKey),
    #[error("give either `example`, the id of one of the dataset, or `email`")]
    OneEmail,
    #[error(
        "the dataset has no example `{0}`: give `email` in its place, or the dataset that has it"
    )]
    NoExample(String),
    #[error("`namespace` is no profile; those are {list}", list = profiles())]
    NoProfile,
    #[error("more than {CALLS} calls")]
    TooManyCalls,
    #[error("`{by}` labelled it before, at {place}: keep one of the two")]
    LabelledTwice { by: String, place: String },
    #[error(
        "it is about something else than the item of the same `id` at {place}: give it an id of its own"
    )]
    Differs { place: String },
    #[error("more than {ITEMS} items")]
    TooMany,
}

impl Problem {
    /// Whether there is no going on after it.
    fn is_the_last(&self) -> bool {
        matches!(self, Problem::Unreadable(_) | Problem::TooMany)
    }
}

fn profiles() -> String {
    let profiles = Namespace::ALL.into_iter().filter(|name| name.is_profile());
    let names: Vec<_> = profiles.map(Namespace::name).collect();
    names.join(", ")
}
