//! Layers: the attempts of an experiment, scored again.
//!
//! A run's own scores stand in its journal and stay there. `layers/N.jsonl` beside it holds
//! what its attempts were worth when they were looked at once more, by other judges or by
//! scorers of another day: a [`Header`], then the [`Scores`] of each attempt in the order of
//! the journal, then an [`End`]. No trajectory is in it, so it is read side by side with its
//! journal ([`Scored`]); without its end it is incomplete, and nothing is shown of it.

mod ordered;
mod read;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::journal::JournalError;
use super::record::{AskedModel, Attempt, CaseKey, JudgePlan};
use crate::judge::Judged;
use crate::judge::canary::Canaries;
use crate::run::{Cost, ModelRole, Outcome, Usage};
use crate::score::{Feedback, Learning};

pub use ordered::{Ordered, Place, Source};
pub use read::Scored;
pub use write::Writer;

/// Format of a layer; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.layer/1";

/// The folder of the layers, within the experiment's.
pub const FOLDER: &str = "layers";

/// Where a layer of the experiment in `folder` is.
pub fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(FOLDER).join(format!("{number}.jsonl"))
}

/// How a layer came about. Two layers of one journal whose headers are equal, `number` and
/// `created` apart, are equal as far as their models repeat themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// From 1; the run's own scores are 0.
    pub number: u32,
    pub experiment: String,
    pub tool_version: String,
    pub created: Timestamp,
    /// SHA-256 over the first line of the journal, hexadecimal.
    pub journal: String,
    /// Of the dataset that said what was expected.
    pub dataset_hash: String,
    pub scorers: Scorers,
    /// Whose rulings stand in the layer; the run's own where only rules scored again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judges: Vec<JudgePlan>,
    /// For each variant the panel that judges it; empty where that is the agent's model.
    pub judge_models: Vec<Vec<String>>,
    /// How those behind an endpoint were asked, by the name they were chosen by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, AskedModel>,
}

/// Which scores of a layer are new. The others are the run's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scorers {
    Rules,
    Judges,
    #[default]
    All,
}

impl Scorers {
    pub const ALL: [Scorers; 3] = [Scorers::Rules, Scorers::Judges, Scorers::All];

    pub fn name(self) -> &'static str {
        match self {
            Scorers::Rules => "rules",
            Scorers::Judges => "judges",
            Scorers::All => "all",
        }
    }

    pub fn rules(self) -> bool {
        self != Scorers::Judges
    }

    pub fn judges(self) -> bool {
        self != Scorers::Rules
    }
}

/// What an attempt was worth: takes the place of what its record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    pub case: CaseKey,
    pub feedback: Vec<Feedback>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<Judged>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning: Option<Learning>,
    /// Of the judges alone.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub usage: Usage,
    /// Why there are none: a defect of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

fn is_nothing(usage: &Usage) -> bool {
    usage.0.is_empty()
}

impl Scores {
    /// What a record says of an attempt's worth.
    pub fn of<R>(attempt: &Attempt<R>) -> Scores {
        let judge = attempt.usage.0.get_key_value(&ModelRole::Judge);
        Scores {
            case: attempt.case.clone(),
            feedback: attempt.feedback.clone(),
            judged: attempt.judged.clone(),
            learning: attempt.learning.clone(),
            usage: Usage(
                judge
                    .map(|(role, usage)| (*role, *usage))
                    .into_iter()
                    .collect(),
            ),
            broken: match attempt.outcome {
                Outcome::Harness => attempt.error.clone(),
                _ => None,
            },
        }
    }

    /// Puts these scores in the place of those that the record of their attempt has.
    pub fn apply<R>(self, attempt: &mut Attempt<R>) {
        attempt.feedback = self.feedback;
        attempt.judged = self.judged;
        attempt.learning = self.learning;
        attempt.usage.0.remove(&ModelRole::Judge);
        attempt.usage.add(&self.usage);
        if let Some(broken) = self.broken {
            attempt.outcome = Outcome::Harness;
            attempt.error = Some(broken);
        }
    }
}

/// The last line: that nothing is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Attempts that were in the journal, and whose scores are in the layer.
    pub attempts: u64,
    /// What making it cost in US dollars; absent where the price of any call is not known.
    #[serde(default, rename = "spent_usd", skip_serializing_if = "Option::is_none")]
    pub spent: Option<Cost>,
}

/// One line of the file; `A` is the scores of an attempt.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<A> {
    Header(Box<Header>),
    Canaries(Canaries),
    Attempt(A),
    End(End),
}

/// Why a layer cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "no layer {number} in {}: there is {}; `mailproof rescore` makes one, and layer 0 is what the run itself found",
        folder.display(),
        listed(known)
    )]
    Missing {
        folder: PathBuf,
        number: u32,
        known: Vec<u32>,
    },
    #[error(
        "{} is not complete: it is being made, or that was interrupted; `mailproof rescore` makes a new one, and layer 0 is what the run itself found",
        path.display()
    )]
    Incomplete { path: PathBuf },
    #[error(
        "{} has the format `{found}`, and this version reads `{FORMAT}`: use the version that wrote it",
        path.display()
    )]
    Format { path: PathBuf, found: String },
    #[error(
        "{} scores another journal than the one beside it: `mailproof rescore` makes a new layer, and layer 0 is what the run itself found",
        path.display()
    )]
    OtherJournal { path: PathBuf },
    #[error(
        "{}:{line}: the layer ends here, and the journal has more attempts than these {attempts}: the run went on since; `mailproof rescore` makes a new layer, and layer 0 is what the run itself found",
        path.display()
    )]
    Behind {
        path: PathBuf,
        /// From 1.
        line: u64,
        attempts: u64,
    },
}

fn listed(numbers: &[u32]) -> String {
    match numbers {
        [] => "none".to_owned(),
        numbers => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            numbers.join(", ")
        }
    }
}

/// The layers of the experiment in `folder`, complete or not, the oldest first.
///
/// # Errors
/// Those of reading the folder; where there is none, there are no layers.
pub fn list(folder: &Path) -> Result<Vec<u32>, LayerError> {
    let layers = folder.join(FOLDER);
    let entries = match fs::read_dir(&layers) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("read", &layers)(error).into()),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(JournalError::io("read", &layers))?;
        numbers.extend(number(&entry.file_name().to_string_lossy()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number of a layer's file; `None` for what else people keep there.
fn number(file: &str) -> Option<u32> {
    let number: u32 = file.strip_suffix(".jsonl")?.parse().ok()?;
    (number > 0 && format!("{number}.jsonl") == file).then_some(number)
}

#[cfg(test)]
mod tests;
