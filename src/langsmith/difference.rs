//! What the service has of a dataset, beside what the dataset says.
//!
//! A dataset can be larger than what is worth holding twice, so of what is there only a hash of
//! each example is kept; [`Remote::standing`] says of one local item after the other what it
//! needs, and [`Remote::rest`] what is there without a local item.

use std::collections::HashMap;

use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::examples::{self, BASE, SPLITS};
use super::wire::{Example, ExampleWrite, Object};

/// What the service's dataset holds.
#[derive(Debug, Default)]
pub struct Remote {
    there: HashMap<Uuid, There>,
}

#[derive(Debug)]
struct There {
    /// Of inputs, outputs, metadata, and splits.
    hash: [u8; 32],
    /// As of [`examples::our_id`].
    our_id: Option<String>,
    /// Whether a local item is it.
    is_local: bool,
}

/// What an item needs for the service to say what the dataset says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To be made.
    Missing,
    /// To be sent again, whole.
    Changed,
    Unchanged,
}

/// What the service has and the dataset does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Ours, by the ids that a dataset's file gave them and that this one does not have; in the
    /// order of these.
    pub gone: Vec<(String, Uuid)>,
    /// Made by somebody else.
    pub foreign: u64,
}

impl Remote {
    /// Takes in a page.
    pub fn add(&mut self, page: impl IntoIterator<Item = Example>) {
        for example in page {
            let our_id = examples::our_id(&example).map(str::to_owned);
            let mut metadata = example.metadata.unwrap_or_default();
            let splits = examples::splits(&metadata);
            metadata.shift_remove(SPLITS);
            let outputs = example.outputs.unwrap_or_default();
            let hash = hash(&example.inputs, &outputs, &metadata, splits);
            let there = There {
                hash,
                our_id,
                is_local: false,
            };
            self.there.insert(example.id, there);
        }
    }

    /// What a local item needs.
    pub fn standing(&mut self, local: &ExampleWrite) -> Standing {
        let Some(there) = self.there.get_mut(&local.id) else {
            return Standing::Missing;
        };
        there.is_local = true;
        let splits = local.split.clone();
        match there.hash == hash(&local.inputs, &local.outputs, &local.metadata, splits) {
            true => Standing::Unchanged,
            false => Standing::Changed,
        }
    }

    /// What no local item asked for.
    pub fn rest(self) -> Rest {
        let mut rest = Rest::default();
        for (id, there) in self.there {
            match there {
                There { is_local: true, .. } => {}
                There {
                    our_id: Some(ours), ..
                } => rest.gone.push((ours, id)),
                There { our_id: None, .. } => rest.foreign += 1,
            }
        }
        rest.gone.sort_unstable();
        rest
    }
}

/// By RFC 8785: keys in any order, and numbers by value, since the service may spell both as it
/// likes.
fn hash(inputs: &Object, outputs: &Object, metadata: &Object, mut splits: Vec<String>) -> [u8; 32] {
    if splits.is_empty() {
        splits.push(BASE.to_owned());
    }
    splits.sort_unstable();
    splits.dedup();
    let whole = json!([inputs, outputs, metadata, splits]);
    let canonical = serde_json_canonicalizer::to_vec(&whole);
    Sha256::digest(canonical.expect("JSON has no NaN, and its keys are texts")).into()
}

#[cfg(test)]
mod tests;
