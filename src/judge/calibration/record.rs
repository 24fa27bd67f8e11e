//! What was measured of judges, as files keep it.
//!
//! A record is one JSON file for a judge and its panel. Readers rely on its `format` and its
//! `calibration`; all else is derived from it, or is there for people.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::attack::Attacks;
use super::items::Kind;
use super::measure::{Details, Disagreement};
use super::{Binding, Calibration, FORMAT, Rate, Standing};
use crate::statistics::Interval;

/// Bytes of a record: 10,000 emails take less.
const MOST_BYTES: u64 = 1 << 21;
/// Records of a folder.
const MOST_FILES: usize = 1_000;
/// Items of a record, more than anybody labels; figures count them one by one.
const MOST_ITEMS: u64 = 1_000_000;

/// The records that come with the program, by the name of their file.
const EMBEDDED: [(&str, &str); 3] = [
    (
        "judges/calibration/records/response_criteria@rules.json",
        include_str!("../../../judges/calibration/records/response_criteria@rules.json"),
    ),
    (
        "judges/calibration/records/feedback_honoured@rules.json",
        include_str!("../../../judges/calibration/records/feedback_honoured@rules.json"),
    ),
    (
        "judges/calibration/records/memory_update@rules.json",
        include_str!("../../../judges/calibration/records/memory_update@rules.json"),
    ),
];

/// Where records are looked for, beside the configuration.
pub const FOLDER: &str = "judges/calibration/records";

/// What is known of judges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// The first of those that hold for a judge counts.
    known: Vec<Calibration>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("cannot read calibration record `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("calibration record `{}` is larger than {} MiB", path.display(), MOST_BYTES >> 20)]
    TooLarge { path: PathBuf },
    #[error("`{}` holds more than {MOST_FILES} calibration records", path.display())]
    TooMany { path: PathBuf },
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Invalid {
        path: PathBuf,
        line: usize,
        column: usize,
        reason: String,
    },
    #[error(
        "calibration record `{}` has the format `{}`, and this version reads `{FORMAT}`: measure the judge again with `mailproof calibrate`",
        path.display(),
        found.chars().take(60).collect::<String>()
    )]
    Format { path: PathBuf, found: String },
    #[error(
        "calibration record `{}` does not add up: {reason}; measure the judge again with `mailproof calibrate`",
        path.display()
    )]
    Inconsistent { path: PathBuf, reason: String },
}

/// What every format has.
#[derive(Deserialize)]
struct Marked {
    format: String,
}

#[derive(Deserialize)]
struct Stored {
    calibration: Calibration,
}

impl Records {
    /// Those that come with the program.
    pub fn embedded() -> Records {
        let read = |(name, text): &(&str, &str)| {
            parse(text, Path::new(name)).expect("a test reads the embedded records")
        };
        Records {
            known: EMBEDDED.iter().map(read).collect(),
        }
    }

    /// Those of a folder, the newest first, and then those that come with the program. A
    /// folder that does not exist holds none.
    ///
    /// # Errors
    /// [`RecordError`], of the first file that ends in `.json` and is none.
    pub fn with_folder(folder: &Path) -> Result<Records, RecordError> {
        let mut records = Records::embedded();
        let unreadable = |source| RecordError::Read {
            path: folder.to_owned(),
            source,
        };
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
            entries => entries.map_err(unreadable)?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                paths.push(path);
            }
            if paths.len() > MOST_FILES {
                return Err(RecordError::TooMany {
                    path: folder.to_owned(),
                });
            }
        }
        paths.sort();
        let read = paths.iter().map(|path| parse(&text(path)?, path));
        let mut own: Vec<Calibration> = read.collect::<Result<_, _>>()?;
        // A stable sort: of one day, the first by name.
        own.sort_by_key(|calibration| std::cmp::Reverse(calibration.date));
        own.append(&mut records.known);
        records.known = own;
        Ok(records)
    }

    /// What is known of a judge that is asked so.
    pub fn standing(&self, now: &Binding) -> Standing {
        let same = |then: &&Calibration| then.binding == *now;
        if let Some(calibration) = self.known.iter().find(same) {
            return Standing::Calibrated(Box::new(calibration.clone()));
        }
        let alike = self.known.iter().filter_map(|then| {
            let same = (then.binding.judge, &then.binding.models) == (now.judge, &now.models);
            let because = then.binding.difference(now)?;
            same.then_some((then.date, because))
        });
        match alike.max_by_key(|(date, _)| *date) {
            Some((date, because)) => Standing::Stale { date, because },
            None => Standing::Uncalibrated,
        }
    }
}

/// Bounded as it is read: what is named may be no file, and have no size.
fn text(path: &Path) -> Result<String, RecordError> {
    let unreadable = |source| RecordError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    match text.len() as u64 {
        ..=MOST_BYTES => Ok(text),
        _ => Err(RecordError::TooLarge {
            path: path.to_owned(),
        }),
    }
}

/// Reads the text of a record; `path` names it in errors.
///
/// # Errors
/// [`RecordError`], but for those of the file system.
pub fn parse(text: &str, path: &Path) -> Result<Calibration, RecordError> {
    let invalid = |error: serde_json::Error| {
        let reason = error.to_string();
        let reason = reason
            .rsplit_once(" at line ")
            .map_or(&*reason, |(said, _)| said);
        RecordError::Invalid {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            reason: reason.chars().take(300).collect(),
        }
    };
    let Marked { format } = serde_json::from_str(text).map_err(invalid)?;
    if format != FORMAT {
        return Err(RecordError::Format {
            path: path.to_owned(),
            found: format,
        });
    }
    let Stored { calibration } = serde_json::from_str(text).map_err(invalid)?;
    match contradiction(&calibration) {
        None => Ok(calibration),
        Some(reason) => Err(RecordError::Inconsistent {
            path: path.to_owned(),
            reason,
        }),
    }
}

fn contradiction(calibration: &Calibration) -> Option<String> {
    let Calibration {
        items, unscored, ..
    } = *calibration;
    if items > MOST_ITEMS {
        return Some(format!("it has more than {MOST_ITEMS} items"));
    }
    let counts = calibration.clusters.iter().flat_map(|outcomes| {
        [
            outcomes.true_pass,
            outcomes.false_fail,
            outcomes.true_fail,
            outcomes.false_pass,
        ]
    });
    let attacks = calibration.attacks.as_ref();
    if attacks.is_some_and(|attacks| !attacks.is_consistent()) {
        return Some("the numbers of `attacks` are not those that were tried".to_owned());
    }
    let judged = counts.fold(0, u64::saturating_add);
    (judged.saturating_add(unscored) != items).then(|| {
        format!("`clusters` count {judged} items, and `items` less `unscored` is another number")
    })
}

/// The name of the file that keeps what was measured of a judge and its panel.
pub fn file_name(binding: &Binding) -> String {
    let name = format!("{}@{}", binding.judge, binding.models.join("+"));
    let safe = |c: char| match c {
        'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '@' | '+' => c,
        _ => '-',
    };
    // File systems take 255 bytes.
    let name: String = name.chars().map(safe).take(200).collect();
    format!("{name}.json")
}

/// The record as it is written: its keys sorted, its figures to six places.
pub fn to_json(calibration: &Calibration, details: &Details) -> Value {
    let (tpr, tnr) = (calibration.tpr(), calibration.tnr());
    let mut record = json!({
        "format": FORMAT,
        "calibration": calibration,
        "hash": calibration.hash(),
        "judge": calibration.binding.judge,
        "n": calibration.outcomes().total(),
        "coverage": rounded(calibration.coverage()),
        "tpr": rounded(tpr.value),
        "tpr_interval": of_rate(tpr),
        "tnr": rounded(tnr.value),
        "tnr_interval": of_rate(tnr),
        "informed_interval": ends(calibration.informed()),
        "kappa": rounded(calibration.kappa()),
        "alpha": alpha(details.rated_again > 0, details.raters_alpha),
        "votes_alpha": alpha(several_votes(&calibration.binding), details.votes_alpha),
        "split": details.split,
        "refused": calibration.corrects().err().map(|refused| refused.to_string()),
        "confusion": confusion(&details.verdicts),
        "kinds": kinds(details),
        "left_out": details.left_out,
        "decided_by_code": details.by_code,
        "rated_again": details.rated_again,
        "ties": details.ties,
        "worst": details.worst.iter().map(of_disagreement).collect::<Vec<_>>(),
        "disagreements": {
            "labelled_fail": details.disagreements[0],
            "labelled_pass": details.disagreements[1],
        },
        "attacks": calibration.attacked().map(attacks),
        "notes": notes(calibration, details),
    });
    record.sort_all_objects();
    record
}

/// Whether votes could differ at all.
pub fn several_votes(binding: &Binding) -> bool {
    binding.votes > 1 || binding.models.len() > 1
}

/// What a reader of the figures has to know, a sentence each.
pub fn notes(calibration: &Calibration, details: &Details) -> Vec<String> {
    let mut notes = vec!["`cannot_tell` counts as not met, here as in use.".to_owned()];
    let mut people = calibration.labelled_by.keys();
    if let (Some(one), None) = (people.next(), people.next()) {
        notes.push(format!("{one}: no second person has rated these items."));
    }
    if details.left_out > 0 {
        notes.push(format!(
            "{} other items are about emails that the rules of this judge were written with, and \
             were left out.",
            details.left_out
        ));
    }
    if !details.kinds.is_empty() {
        notes.push(
            "The items were written to be hard, not drawn from use: how often the judge errs on \
             them need not be how often it errs elsewhere."
                .to_owned(),
        );
    }
    notes
}

fn rounded(value: Option<f64>) -> Option<f64> {
    value.map(|value| (value * 1e6).round() / 1e6)
}

fn of_rate(rate: Rate) -> Option<[Option<f64>; 2]> {
    Some([rounded(Some(rate.low?)), rounded(Some(rate.high?))])
}

fn ends(interval: Option<Interval>) -> Option<[Option<f64>; 2]> {
    interval.map(|interval| [rounded(Some(interval.low)), rounded(Some(interval.high))])
}

/// `null` where there is nobody to agree, `"undefined"` where nobody ever differs.
fn alpha(several: bool, alpha: Option<f64>) -> Value {
    match (several, alpha) {
        (false, _) => Value::Null,
        (true, None) => json!("undefined"),
        (true, Some(_)) => json!(rounded(alpha)),
    }
}

fn confusion(verdicts: &[[u64; 4]; 2]) -> Value {
    let row = |[pass, fail, cannot_tell, unscored]: [u64; 4]| json!({ "pass": pass, "fail": fail, "cannot_tell": cannot_tell, "unscored": unscored });
    json!({ "labelled_pass": row(verdicts[0]), "labelled_fail": row(verdicts[1]) })
}

fn kinds(details: &Details) -> Value {
    let kinds = details.kinds.iter().map(|(kind, (right, all))| {
        let counts = json!({ "right": right, "judged": all });
        (kind_name(*kind), counts)
    });
    Value::Object(kinds.collect::<Map<_, _>>())
}

fn attacks((date, attacks): (Date, &Attacks)) -> Value {
    let withstood = attacks.withstood();
    json!({
        "date": date,
        "tried": attacks.tried,
        "held": attacks.held,
        "unscored": attacks.unscored,
        "through": attacks.through.len(),
        "withstood": rounded(withstood.value),
        "withstood_interval": of_rate(withstood),
    })
}

/// As items spell it.
pub fn kind_name(kind: Kind) -> String {
    let name = json!(kind);
    name.as_str()
        .expect("a kind is written as a text")
        .to_owned()
}

fn of_disagreement(of: &Disagreement) -> Value {
    json!({
        "id": of.id,
        "kind": of.kind,
        "statement": of.statement,
        "label": if of.label { "pass" } else { "fail" },
        "labelled_by": of.labelled_by,
        "label_reason": of.label_reason,
        "verdict": of.verdict,
        "judge_reason": of.judge_reason,
        "support": rounded(Some(of.support)),
    })
}

#[cfg(test)]
mod tests;
