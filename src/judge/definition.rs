//! What a judge asks, and what it sees: data, in `judges/*.yaml`.
//!
//! `judges/README.md` specifies the form. The built-in definitions are embedded; a file
//! takes the place of the one with the same key. What of a definition can change a verdict
//! is in its [`Definition::rubric_hash`], and what all judges share in [`prompt_hash`]: a
//! calibration holds for both as they were.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::{JudgeKey, ask};
use crate::score::one_line;

/// Version of the reader of answers ([`super::ask::read`]): raised whenever it takes
/// another answer for a verdict.
pub const PARSER_VERSION: u32 = 1;

/// A definition larger than this is a mistake.
const MOST_BYTES: u64 = 1 << 16;

/// The most votes of one model, and the most models of a panel.
const MOST_VOTES: u32 = 15;
const MOST_MODELS: usize = 15;

/// The line that every question ends with.
const LAST_LINE: &str = "Statement: {{statement}}";

/// A judge as its file describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub key: JudgeKey,
    /// Of the definition, from 1.
    #[serde(deserialize_with = "version")]
    pub version: u32,
    /// What it looks for, in Markdown: what a pass is, what a fail, and how hard cases go.
    #[serde(deserialize_with = "text")]
    pub rubric: String,
    /// How a statement is put; its last line is `Statement: {{statement}}`.
    #[serde(deserialize_with = "question")]
    pub question: String,
    /// What of an attempt it is shown, in this order.
    #[serde(deserialize_with = "sees")]
    pub sees: Vec<Part>,
    #[serde(default)]
    pub scale: Scale,
    /// Votes of each model of the panel.
    #[serde(default = "one", deserialize_with = "votes")]
    pub votes: u32,
    /// The models, where none are chosen otherwise; empty for the agent's.
    #[serde(default, deserialize_with = "panel")]
    pub panel: Vec<String>,
    /// The least value of its main key that a gate lets pass.
    #[serde(default, deserialize_with = "threshold")]
    pub threshold: Option<f64>,
}

/// A part of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The email that was handled.
    Email,
    /// The mail that was sent in the end, each one.
    FinalMail,
    /// What the tool calls were and what became of them, out of the record.
    ToolCalls,
    /// The whole conversation.
    Trajectory,
    /// What the person was shown, and said.
    Instruction,
    /// The profile before and after.
    Memory,
    /// The decision about the email, and its reasons.
    Decision,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Pass, fail, or cannot tell.
    #[default]
    Binary,
    /// From 1 to 5: for ranking only, no gate and no corrected rate.
    Graded,
}

/// One definition for each judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions(BTreeMap<JudgeKey, Arc<Definition>>);

/// Why a definition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("cannot read judge definition `{}`: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "judge definition `{}` is larger than {} KiB: a rubric is a page or two",
        path.display(),
        MOST_BYTES >> 10
    )]
    TooLarge { path: PathBuf },
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Invalid {
        path: PathBuf,
        line: u64,
        column: u64,
        reason: String,
    },
}

impl Definition {
    /// Reads the text of a definition; `path` names it in errors.
    ///
    /// # Errors
    /// [`DefinitionError::Invalid`], with the place.
    pub fn parse(text: &str, path: &Path) -> Result<Definition, DefinitionError> {
        let options = serde_yaml::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        let text = text.trim_start_matches('\u{feff}');
        let read: Result<Definition, _> = serde_yaml::from_str_with_options(text, options);
        let definition = read.map_err(|error| {
            let location = error.location();
            DefinitionError::Invalid {
                path: path.to_owned(),
                line: location.map_or(1, |at| at.line()),
                column: location.map_or(1, |at| at.column()),
                reason: first_line(&error.without_snippet().to_string()),
            }
        })?;
        match definition.contradiction() {
            None => Ok(definition),
            Some((key, reason)) => Err(DefinitionError::Invalid {
                path: path.to_owned(),
                line: line_of(text, key),
                column: 1,
                reason,
            }),
        }
    }

    /// What does not go together, by the key that says it.
    fn contradiction(&self) -> Option<(&'static str, String)> {
        let key = self.key;
        if self.scale == Scale::Graded && key != JudgeKey::Pairwise {
            let reason = format!(
                "`graded` ranks and decides nothing: `{key}` decides, so use `binary`; only `{}` may be graded",
                JudgeKey::Pairwise
            );
            return Some(("scale", reason));
        }
        let known = key.sights();
        if let Some(part) = self.sees.iter().find(|part| !known.contains(part)) {
            let (part, known) = (part.name(), known.iter().map(|part| part.name()));
            let known: Vec<&str> = known.collect();
            let reason = format!(
                "`{key}` has no `{part}` to see; it may see {}",
                known.join(", ")
            );
            return Some(("sees", reason));
        }
        None
    }

    /// SHA-256, hexadecimal, over what can change a verdict: the key, the rubric, the
    /// question, what is seen, and the scale. Votes and panel are bound by themselves.
    pub fn rubric_hash(&self) -> String {
        let parts = (
            self.key,
            &self.rubric,
            &self.question,
            &self.sees,
            self.scale,
        );
        let json = serde_json::to_vec(&parts).expect("texts and names only");
        hexadecimal(&Sha256::digest(json))
    }
}

/// SHA-256, hexadecimal, over what all judges share: the frame, the reminder, the schemas of
/// answers, and the version of the rendering.
pub fn prompt_hash() -> &'static str {
    static HASH: LazyLock<String> =
        LazyLock::new(|| hexadecimal(&Sha256::digest(ask::shared_texts())));
    &HASH
}

impl Definitions {
    /// The built-in ones.
    pub fn embedded() -> Definitions {
        static EMBEDDED: LazyLock<Definitions> = LazyLock::new(|| {
            let files = JudgeKey::ALL.map(|key| {
                let path = format!("judges/{key}.yaml");
                let definition = Definition::parse(embedded(key), Path::new(&path));
                let definition = definition.expect("the built-in definitions are valid");
                assert_eq!(definition.key, key, "{path} is about another judge");
                (key, Arc::new(definition))
            });
            Definitions(files.into())
        });
        EMBEDDED.clone()
    }

    /// Puts the definition in `path` in the place of the one with the same key.
    ///
    /// # Errors
    /// [`DefinitionError`].
    pub fn with_file(mut self, path: &Path) -> Result<Definitions, DefinitionError> {
        let unreadable = |source| DefinitionError::Read {
            path: path.to_owned(),
            source,
        };
        // Bounded as it is read: what is named may be no file, and have no size.
        let file = File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MOST_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(DefinitionError::TooLarge {
                path: path.to_owned(),
            });
        }
        let definition = Definition::parse(&text, path)?;
        self.0.insert(definition.key, Arc::new(definition));
        Ok(self)
    }

    pub fn get(&self, key: JudgeKey) -> &Arc<Definition> {
        self.0.get(&key).expect("there is one for every key")
    }
}

fn embedded(key: JudgeKey) -> &'static str {
    match key {
        JudgeKey::ResponseCriteria => include_str!("../../judges/response_criteria.yaml"),
        JudgeKey::FeedbackHonoured => include_str!("../../judges/feedback_honoured.yaml"),
        JudgeKey::MemoryUpdate => include_str!("../../judges/memory_update.yaml"),
        JudgeKey::TriageReasonable => include_str!("../../judges/triage_reasonable.yaml"),
        JudgeKey::Pairwise => include_str!("../../judges/pairwise.yaml"),
    }
}

impl JudgeKey {
    /// What there is to see of what it is asked about.
    pub fn sights(self) -> &'static [Part] {
        use Part::{Decision, Email, FinalMail, Instruction, Memory, ToolCalls, Trajectory};
        match self {
            JudgeKey::ResponseCriteria | JudgeKey::Pairwise => {
                &[Email, FinalMail, ToolCalls, Trajectory, Decision]
            }
            JudgeKey::FeedbackHonoured => &[
                Email,
                FinalMail,
                ToolCalls,
                Trajectory,
                Instruction,
                Decision,
            ],
            JudgeKey::MemoryUpdate => &[Email, Trajectory, Instruction, Memory, Decision],
            JudgeKey::TriageReasonable => &[Email, Decision],
        }
    }
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Part::Email => "email",
            Part::FinalMail => "final_mail",
            Part::ToolCalls => "tool_calls",
            Part::Trajectory => "trajectory",
            Part::Instruction => "instruction",
            Part::Memory => "memory",
            Part::Decision => "decision",
        }
    }
}

fn one() -> u32 {
    1
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(D::Error::invalid_value(
            Unexpected::Unsigned(0),
            &"a version of at least 1",
        )),
        version => Ok(version),
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim() {
        "" => Err(D::Error::custom(
            "it is empty: say what the judge looks for",
        )),
        text => Ok(text.to_owned()),
    }
}

fn question<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let question = text(deserializer)?;
    let once = question.matches("{{statement}}").count() == 1;
    match question.lines().last() {
        Some(LAST_LINE) if once => Ok(question),
        _ => Err(D::Error::custom(format!(
            "the last line of a question is `{LAST_LINE}`, the only place where the statement stands"
        ))),
    }
}

fn sees<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Part>, D::Error> {
    let parts = Vec::<Part>::deserialize(deserializer)?;
    if parts.is_empty() {
        return Err(D::Error::custom("name at least one part to see"));
    }
    let mut seen = Vec::new();
    for part in &parts {
        if seen.contains(&part) {
            let reason = format!("`{}` is named twice", part.name());
            return Err(D::Error::custom(reason));
        }
        seen.push(part);
    }
    Ok(parts)
}

fn votes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let votes = u32::deserialize(deserializer)?;
    if !(1..=MOST_VOTES).contains(&votes) {
        let reason = format!("use from 1 to {MOST_VOTES} votes, not {votes}");
        return Err(D::Error::custom(reason));
    }
    Ok(votes)
}

fn panel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let models = Vec::<String>::deserialize(deserializer)?;
    if models.len() > MOST_MODELS {
        let reason = format!("a panel has at most {MOST_MODELS} models");
        return Err(D::Error::custom(reason));
    }
    let mut seen = Vec::new();
    for model in &models {
        if model.trim().is_empty() || seen.contains(&model) {
            let reason = format!(
                "a panel names each model once, and `{}` is empty or named twice",
                one_line(model, 60)
            );
            return Err(D::Error::custom(reason));
        }
        seen.push(model);
    }
    Ok(models)
}

fn threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let threshold = Option::<f64>::deserialize(deserializer)?;
    match threshold {
        Some(least) if !(0.0..=1.0).contains(&least) => Err(D::Error::custom(format!(
            "a threshold is from 0 to 1, not {least}"
        ))),
        _ => Ok(threshold),
    }
}

/// The line, from 1, that begins with a key.
fn line_of(text: &str, key: &str) -> u64 {
    let is_it = |line: &str| {
        let rest = line.strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    let before = text.lines().take_while(|line| !is_it(line)).count();
    match before == text.lines().count() {
        true => 1,
        false => before as u64 + 1,
    }
}

/// The parser says the place once more, and adds hints on further lines.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let place = line.rfind(" at line ");
    let said_twice = place.filter(|at| line[*at..].contains(", column "));
    one_line(&line[..said_twice.unwrap_or(line.len())], 300)
}

/// Bytes as hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

#[cfg(test)]
mod tests;
