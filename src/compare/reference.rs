//! A reference kept in a file: what comparison needs of one experiment, and nothing else.
//!
//! The file lives in git. One line is one variant's result at one example, in the order of the
//! ids, so that a review shows which examples changed, and two changes to different examples
//! merge. No trajectory and no text of an email is in it. `docs/reference.md` specifies it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::results::{Cell, ExampleFacts, Facts, Results, Spent, VariantResults};
use crate::experiment::Variant;
use crate::score::Key;

/// Format of the file; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.reference/1";

/// Bytes of the longest line that is read, and of the largest file: both far above what a
/// reference needs.
const LONGEST_LINE: u64 = 1024 * 1024;
const LARGEST: u64 = 256 * 1024 * 1024;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Format(String),
    Experiment(Box<Facts>),
    Variant(VariantLine),
    Example(ExampleLine),
    Result(ResultLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantLine {
    variant: Variant,
    planned: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent: Option<Spent>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleLine {
    id: String,
    #[serde(default)]
    facts: ExampleFacts,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultLine {
    id: String,
    variant: String,
    passed: u32,
    scored: u32,
    /// Where some were not scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<Key, Exact>,
}

/// A share that is read as the very number that was written, which the parser of JSON does not
/// promise.
#[derive(Clone, Copy, Debug)]
struct Exact(f64);

impl Serialize for Exact {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // Most scores: without decimals they are read at a glance.
            whole @ (0.0 | 1.0) => serializer.serialize_u8(whole as u8),
            share => serializer.serialize_f64(share),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&serde_json::value::RawValue>::deserialize(deserializer)?.get();
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Exact(share)),
            _ => {
                let text: String = text.chars().take(40).collect();
                Err(serde::de::Error::custom(format!(
                    "a score is a number from 0 to 1, not {text}"
                )))
            }
        }
    }
}

/// Why there is no reference to be had from a file, or no file to be made of an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error("cannot read reference {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{} is larger than 256 MiB, and no reference: `mailproof reference set` makes one",
        path.display()
    )]
    TooLarge { path: PathBuf },
    #[error(
        "{} is no reference: its first line is not `{{\"format\":\"{FORMAT}\"}}`; `mailproof reference set` makes one",
        path.display()
    )]
    Other { path: PathBuf },
    #[error(
        "{} has the format `{found}`, and this version reads `{FORMAT}`: use the version that wrote it, or make it again with `mailproof reference set`",
        path.display()
    )]
    Format { path: PathBuf, found: String },
    #[error(
        "{}:{line}: two versions were merged and not made one: choose a side, or make it again with `mailproof reference set`",
        path.display()
    )]
    Conflict { path: PathBuf, line: u64 },
    #[error("{}:{line}: {reason}; make it again with `mailproof reference set`", path.display())]
    Line {
        path: PathBuf,
        /// From 1.
        line: u64,
        reason: String,
    },
    #[error("{} ends before it says {what}: make it again with `mailproof reference set`", path.display())]
    Ends { path: PathBuf, what: &'static str },
    #[error(
        "`{experiment}` is not complete, and cannot be what others are held against: `mailproof run --resume -e {experiment}` goes on with it"
    )]
    Incomplete { experiment: String },
    #[error(
        "`{variant}` of `{experiment}` has {scored} of {planned} attempts scored, and at least 95% must be for others to be held against it: `mailproof run --only errors` tries the rest again"
    )]
    Coverage {
        experiment: String,
        variant: String,
        scored: u64,
        planned: u64,
    },
}

impl Results {
    /// The text of a reference file. How much attempts differ, and what each took, are not in
    /// it: they change from run to run, and would hide the scores that did.
    ///
    /// # Errors
    /// [`ReferenceError::Incomplete`] and [`ReferenceError::Coverage`]: what is not known would
    /// be held against nobody.
    pub fn to_reference(&self) -> Result<String, ReferenceError> {
        if !self.facts.complete {
            return Err(ReferenceError::Incomplete {
                experiment: self.facts.experiment.clone(),
            });
        }
        for of in &self.variants {
            if !super::covered::is_covered(of) {
                return Err(ReferenceError::Coverage {
                    experiment: self.facts.experiment.clone(),
                    variant: of.variant.name.clone(),
                    scored: of.scored(),
                    planned: of.planned,
                });
            }
        }
        let mut text = String::new();
        let mut put = |line: Line| {
            let line = serde_json::to_string(&line).expect("a line has string keys only");
            writeln!(text, "{line}").expect("a string takes all");
        };
        put(Line::Format(FORMAT.to_owned()));
        put(Line::Experiment(Box::new(self.facts.clone())));
        for of in &self.variants {
            put(Line::Variant(VariantLine {
                variant: of.variant.clone(),
                planned: of.planned,
                spent: of.spent.map(Spent::rounded),
            }));
        }
        for (id, facts) in &self.examples {
            put(Line::Example(ExampleLine {
                id: id.clone(),
                facts: facts.clone(),
            }));
            for of in &self.variants {
                let Some(cell) = of.cells.get(id) else {
                    continue;
                };
                let scores = cell.scores.iter();
                put(Line::Result(ResultLine {
                    id: id.clone(),
                    variant: of.variant.name.clone(),
                    passed: cell.passed,
                    scored: cell.scored,
                    attempts: (cell.attempts != cell.scored).then_some(cell.attempts),
                    scores: scores.map(|(key, score)| (*key, Exact(*score))).collect(),
                }));
            }
        }
        Ok(text)
    }

    /// Reads a reference file.
    ///
    /// # Errors
    /// [`ReferenceError`], with the line of the mistake.
    pub fn read_reference(path: &Path) -> Result<Results, ReferenceError> {
        let unreadable = |source| ReferenceError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() > LARGEST {
            return Err(ReferenceError::TooLarge {
                path: path.to_owned(),
            });
        }
        let mut input = BufReader::new(file.take(LARGEST));
        let mut reading = Reading::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut input)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)
                .map_err(unreadable)?;
            if read == 0 {
                return reading.finish(path);
            }
            reading.number += 1;
            if read as u64 == LONGEST_LINE {
                return Err(reading.wrong(path, "a line of more than 1 MiB".to_owned()));
            }
            reading.take(path, line.trim_ascii_end())?;
        }
    }

    /// Whether a file begins as a reference does, of any version.
    pub fn is_reference(path: &Path) -> bool {
        let mut first = Vec::new();
        let read = File::open(path)
            .and_then(|file| BufReader::new(file.take(4096)).read_until(b'\n', &mut first));
        let family = FORMAT.split('/').next().unwrap_or(FORMAT);
        read.is_ok()
            && matches!(
                serde_json::from_slice(first.trim_ascii_end()),
                Ok(Line::Format(format)) if format.split('/').next() == Some(family)
            )
    }
}

impl Spent {
    /// Three digits, beyond which nothing is told but that clocks differ.
    fn rounded(self) -> Spent {
        let round = |value: f64| format!("{value:.2e}").parse().unwrap_or(value);
        Spent {
            latency_ms: self.latency_ms.map(round),
            cost_usd: self.cost_usd.map(round),
            tokens: round(self.tokens),
        }
    }

    fn is_sound(self) -> bool {
        let all = [self.latency_ms, self.cost_usd, Some(self.tokens)];
        all.into_iter()
            .flatten()
            .all(|it| it.is_finite() && it >= 0.0)
    }
}

/// A file as far as it was read.
#[derive(Default)]
struct Reading {
    number: u64,
    is_reference: bool,
    facts: Option<Facts>,
    examples: BTreeMap<String, ExampleFacts>,
    variants: Vec<VariantResults>,
}

impl Reading {
    fn wrong(&self, path: &Path, reason: String) -> ReferenceError {
        ReferenceError::Line {
            path: path.to_owned(),
            line: self.number,
            reason,
        }
    }

    fn take(&mut self, path: &Path, line: &[u8]) -> Result<(), ReferenceError> {
        if line.is_empty() {
            return Ok(());
        }
        let markers: [&[u8]; 4] = [b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>"];
        if self.is_reference && markers.iter().any(|marker| line.starts_with(marker)) {
            return Err(ReferenceError::Conflict {
                path: path.to_owned(),
                line: self.number,
            });
        }
        let parsed: Result<Line, serde_json::Error> = serde_json::from_slice(line);
        if !self.is_reference {
            let Ok(Line::Format(found)) = parsed else {
                return Err(ReferenceError::Other {
                    path: path.to_owned(),
                });
            };
            if found != FORMAT {
                return Err(ReferenceError::Format {
                    path: path.to_owned(),
                    found: found.chars().take(80).collect(),
                });
            }
            self.is_reference = true;
            return Ok(());
        }
        let parsed = parsed.map_err(|error| {
            let text = error.to_string();
            self.wrong(path, text.replace(" at line 1 column", " at byte"))
        })?;
        self.put(parsed).map_err(|reason| self.wrong(path, reason))
    }

    /// # Errors
    /// What is wrong with the line, in words.
    fn put(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Format(_) => return Err("a second format".to_owned()),
            Line::Experiment(facts) => {
                if self.facts.replace(*facts).is_some() {
                    return Err("a second experiment".to_owned());
                }
            }
            Line::Variant(line) => {
                let name = &line.variant.name;
                if self.variants.iter().any(|it| it.variant.name == *name) {
                    return Err(format!("a second variant `{}`", told(name)));
                }
                if !line.spent.is_none_or(Spent::is_sound) {
                    return Err("what an attempt took is not a number from 0".to_owned());
                }
                self.variants.push(VariantResults {
                    variant: line.variant,
                    planned: line.planned,
                    spent: line.spent,
                    cells: BTreeMap::new(),
                });
            }
            Line::Example(ExampleLine { id, facts }) => {
                if self.examples.contains_key(&id) {
                    return Err(format!("a second example `{}`", told(&id)));
                }
                self.examples.insert(id, facts);
            }
            Line::Result(line) => return self.result(line),
        }
        Ok(())
    }

    fn result(&mut self, line: ResultLine) -> Result<(), String> {
        let mut variants = self.variants.iter_mut();
        let Some(of) = variants.find(|it| it.variant.name == line.variant) else {
            return Err(format!(
                "no line before it has the variant `{}`",
                told(&line.variant)
            ));
        };
        if !self.examples.contains_key(&line.id) {
            return Err(format!(
                "no line before it has the example `{}`",
                told(&line.id)
            ));
        }
        let attempts = line.attempts.unwrap_or(line.scored);
        if line.passed > line.scored || line.scored > attempts {
            return Err(format!(
                "{} of {} scored attempts of {attempts} cannot pass",
                line.passed, line.scored
            ));
        }
        let scores = line.scores.into_iter();
        let cell = Cell {
            attempts,
            scored: line.scored,
            passed: line.passed,
            scores: scores.map(|(key, score)| (key, score.0)).collect(),
            ..Cell::default()
        };
        match of.cells.insert(line.id.clone(), cell) {
            None => Ok(()),
            Some(_) => Err(format!(
                "a second result of `{}` at `{}`",
                told(&line.variant),
                told(&line.id)
            )),
        }
    }

    fn finish(self, path: &Path) -> Result<Results, ReferenceError> {
        let ends = |what| ReferenceError::Ends {
            path: path.to_owned(),
            what,
        };
        if !self.is_reference {
            return Err(ReferenceError::Other {
                path: path.to_owned(),
            });
        }
        let facts = self
            .facts
            .ok_or_else(|| ends("of which experiment it is"))?;
        if self.variants.is_empty() || self.examples.is_empty() {
            return Err(ends("what any variant came to"));
        }
        Ok(Results {
            facts,
            examples: self.examples,
            variants: self.variants,
        })
    }
}

/// As much of a name as an error repeats.
fn told(name: &str) -> String {
    name.chars().take(80).collect()
}
