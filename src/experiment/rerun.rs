//! Finds what to try again after an experiment.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use super::journal::{JournalError, Reader};
use super::record::{Rerun, RerunWhich, Verdict};

/// The examples of a journal that failed, or that ended in infrastructure errors, in any
/// attempt of any variant; the new experiment runs them in all of its variants.
///
/// # Errors
/// Those of reading the journal.
pub fn rerun(journal: &Path, which: RerunWhich) -> Result<Rerun, JournalError> {
    let wanted = match which {
        RerunWhich::Failed => Verdict::Failed,
        RerunWhich::Errors => Verdict::Unscored,
    };
    let mut reader = Reader::open(journal)?;
    let mut ids = BTreeMap::new();
    for entry in reader.attempts::<IgnoredAny>() {
        let attempt = entry?.attempt;
        if attempt.verdict() == wanted {
            ids.insert(attempt.case.position, attempt.case.example);
        }
    }
    Ok(Rerun {
        of: reader.header().experiment.clone(),
        which,
        ids: ids.into_values().collect(),
    })
}
