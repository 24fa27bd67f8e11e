//! A dataset of the service as a dataset file.
//!
//! Examples that came from a dataset become what they were; those that others made are mapped
//! as an import maps them. Pages go to the file as they arrive, and the file is put in its
//! place once it was loaded.

use std::path::Path;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::examples::{self, BASE};
use super::wire::Example;
use super::{Client, Error};
use crate::dataset::Limits;
use crate::dataset::import::{Assembly, ImportError, ImportReport, Shape, UNMAPPED_KEPT};

/// Which examples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// A time, or the name of a version; `None` for the newest.
    pub as_of: Option<&'a str>,
    /// Those in this split alone.
    pub split: Option<&'a str>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Pulled {
    /// Of all that were wanted. Its own list of what was not mapped is empty.
    pub report: ImportReport,
    /// How many of the mapped came from a dataset of ours.
    pub ours: usize,
    /// In other splits.
    pub elsewhere: usize,
    /// The first [`UNMAPPED_KEPT`] of those that are not in the file.
    pub unmapped: Vec<Unmapped>,
}

/// An example that is not in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// The id that a dataset gave it, or the service.
    pub id: String,
    pub reasons: Vec<String>,
}

/// Why nothing was pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Service(#[from] Error),
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Writes the examples of the dataset `remote` to the file at `output`; where none could be
/// mapped, there is no file.
///
/// # Errors
/// See [`PullError`]. An example that cannot be mapped is no error.
pub async fn pull(
    client: &Client,
    remote: Uuid,
    wanted: Wanted<'_>,
    output: &Path,
    limits: &Limits,
) -> Result<Pulled, PullError> {
    let mut pulling = Pulling::create(wanted, output, limits)?;
    let mut examples = client.examples(remote, wanted.as_of);
    while let Some(page) = examples.next().await? {
        for example in page {
            pulling.example(example);
        }
    }
    Ok(pulling.finish()?)
}

/// A file on its way.
struct Pulling<'a> {
    wanted: Wanted<'a>,
    assembly: Assembly<'a>,
    pulled: Pulled,
}

impl<'a> Pulling<'a> {
    fn create(
        wanted: Wanted<'a>,
        output: &Path,
        limits: &'a Limits,
    ) -> Result<Pulling<'a>, ImportError> {
        Ok(Pulling {
            wanted,
            assembly: Assembly::create(output, limits)?,
            pulled: Pulled::default(),
        })
    }

    fn example(&mut self, example: Example) {
        if let Some(wanted) = self.wanted.split {
            let metadata = example.metadata.as_ref();
            let splits = metadata.map(examples::splits).unwrap_or_default();
            let is_in = match &splits[..] {
                [] => wanted == BASE,
                splits => splits.iter().any(|split| split == wanted),
            };
            if !is_in {
                self.pulled.elsewhere += 1;
                return;
            }
        }
        let ours = examples::our_id(&example).map(str::to_owned);
        let id = ours.clone().unwrap_or_else(|| example.id.to_string());
        let taken = match ours {
            Some(_) => self.own(example),
            None => self.assembly.foreign(exported(example), Shape::Langsmith),
        };
        if let Err(reasons) = taken {
            self.unmapped(id, reasons);
        }
    }

    fn own(&mut self, example: Example) -> Result<(), Vec<String>> {
        let record = match examples::read(example) {
            Ok(record) => record,
            Err(unreadable) => {
                self.assembly.passed_over();
                return Err(vec![unreadable.to_string()]);
            }
        };
        self.assembly
            .own(record.value, record.left_out, record.notes)?;
        self.pulled.ours += 1;
        Ok(())
    }

    fn unmapped(&mut self, id: String, reasons: Vec<String>) {
        if self.pulled.unmapped.len() < UNMAPPED_KEPT {
            self.pulled.unmapped.push(Unmapped { id, reasons });
        }
    }

    fn finish(self) -> Result<Pulled, ImportError> {
        let (report, refused) = self.assembly.finish()?;
        let mut pulled = self.pulled;
        for (id, reason) in refused {
            // Only what came from a dataset names examples of it.
            pulled.ours -= 1;
            if pulled.unmapped.len() < UNMAPPED_KEPT {
                let reasons = vec![reason];
                pulled.unmapped.push(Unmapped { id, reasons });
            }
        }
        pulled.report = report;
        Ok(pulled)
    }
}

/// An example as the service's own exports have it.
fn exported(example: Example) -> Value {
    let mut record = Map::new();
    record.insert("id".to_owned(), example.id.to_string().into());
    record.insert("inputs".to_owned(), example.inputs.into());
    let parts = [("outputs", example.outputs), ("metadata", example.metadata)];
    for (key, part) in parts {
        if let Some(part) = part {
            record.insert(key.to_owned(), part.into());
        }
    }
    record.into()
}

#[cfg(test)]
mod tests;
