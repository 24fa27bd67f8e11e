//! Brings the service's dataset up to date by what differs.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::PushError;
use crate::dataset::Dataset as Local;
use crate::langsmith::client::Client;
use crate::langsmith::difference::{Remote, Rest, Standing};
use crate::langsmith::examples::{self, Examples};
use crate::langsmith::wire::{DataType, Dataset, ExampleWrite, Extra, NewDataset, Object};

/// Examples that are written together. The client makes requests of them.
const TOGETHER: usize = 500;

/// Readings of what is there: the first, one after what was written, and one more where somebody
/// else wrote too.
const READINGS: usize = 3;

/// What is to be mirrored.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    pub examples: Examples<'a>,
    /// Whether it is the dataset that the experiment ran on. Of another only what is missing is
    /// taken: what is there may be what the experiment ran on.
    pub same: bool,
    /// Whether examples of ours that it does not have are deleted.
    pub prune: bool,
    /// The ids that runs need, as the journal has them.
    pub needed: &'a BTreeSet<String>,
}

/// The service's dataset after that.
#[derive(Debug)]
pub struct Mirror {
    /// When the newest of its examples was changed: its version.
    pub version: Option<Timestamp>,
    pub changes: Changes,
    /// What runs are sent with, as JSON: for each example that runs need and that is there.
    pub inputs: HashMap<Uuid, Box<str>>,
    /// The splits of these.
    pub splits: BTreeSet<String>,
}

/// What was done to the examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deleted: u64,
    /// Ours, and no longer in the dataset here.
    pub gone: Vec<String>,
    /// Made by somebody else.
    pub foreign: u64,
}

/// The dataset of a name, made where there is none: with whether it was.
pub async fn dataset(
    client: &Client,
    name: &str,
    local: &Local,
) -> Result<(Dataset, bool), PushError> {
    if let Some(dataset) = client.dataset(name).await? {
        return Ok((dataset, false));
    }
    let new = NewDataset {
        name: name.to_owned(),
        description: format!(
            "{} emails with their right handling, from `{}`",
            local.examples.len(),
            local.name
        ),
        data_type: DataType::Kv,
        extra: Extra {
            metadata: Object::from_iter([
                ("source".to_owned(), json!("mailproof")),
                ("mailproof_dataset".to_owned(), json!(local.name)),
            ]),
        },
    };
    Ok((client.create_dataset(&new).await?, true))
}

/// Creates what is missing and changes what differs.
pub async fn mirror(client: &Client, order: Order<'_>) -> Result<Mirror, PushError> {
    let needed: HashSet<Uuid> = order
        .needed
        .iter()
        .map(|id| order.examples.id(id))
        .collect();
    let mut changes = Changes::default();
    for reading in 1.. {
        let mut read = read(client, order.examples.remote, &needed).await?;
        let mut writes = Writes::default();
        let mut unchanged = 0;
        for local in order.examples.all() {
            let is_needed = needed.contains(&local.id);
            match read.remote.standing(&local) {
                Standing::Missing if order.same || is_needed => writes.missing.push(local),
                // The service may have its own way of saying what was written a moment ago.
                Standing::Changed if order.same && reading == 1 => writes.changed.push(local),
                Standing::Missing => {}
                Standing::Changed | Standing::Unchanged => {
                    unchanged += 1;
                    // Of another dataset, only what is there may be what the agents were told.
                    if is_needed && order.same {
                        read.keep(&local);
                    }
                }
            }
            if writes.missing.len() == TOGETHER || writes.changed.len() == TOGETHER {
                writes
                    .send(client, order.examples.remote, &mut changes)
                    .await?;
            }
        }
        writes
            .send(client, order.examples.remote, &mut changes)
            .await?;
        if reading == 1 {
            changes.unchanged = unchanged;
        }
        if writes.sent && reading < READINGS {
            continue;
        }
        let Rest { gone, foreign } = read.remote.rest();
        changes.foreign = foreign;
        // What another dataset does not have tells nothing about this one.
        if order.same {
            if order.prune && !gone.is_empty() {
                let ids: Vec<Uuid> = gone.iter().map(|(_, id)| *id).collect();
                client.delete_examples(&ids).await?;
                changes.deleted = ids.len() as u64;
            }
            changes.gone = gone.into_iter().map(|(ours, _)| ours).collect();
        }
        return Ok(Mirror {
            version: read.version,
            changes,
            inputs: read.inputs,
            splits: read.splits,
        });
    }
    unreachable!("the last reading is returned")
}

#[derive(Default)]
struct Writes {
    missing: Vec<ExampleWrite>,
    changed: Vec<ExampleWrite>,
    /// Whether there were any.
    sent: bool,
}

impl Writes {
    async fn send(
        &mut self,
        client: &Client,
        dataset: Uuid,
        changes: &mut Changes,
    ) -> Result<(), PushError> {
        if !self.missing.is_empty() {
            client.create_examples(dataset, &self.missing).await?;
            changes.created += self.missing.len() as u64;
            self.sent = true;
        }
        if !self.changed.is_empty() {
            client.update_examples(dataset, &self.changed).await?;
            changes.updated += self.changed.len() as u64;
            self.sent = true;
        }
        self.missing.clear();
        self.changed.clear();
        Ok(())
    }
}

/// What was found there.
#[derive(Default)]
struct Read {
    remote: Remote,
    version: Option<Timestamp>,
    inputs: HashMap<Uuid, Box<str>>,
    splits: BTreeSet<String>,
}

impl Read {
    /// Runs show what the agents here were told.
    fn keep(&mut self, local: &ExampleWrite) {
        let inputs = serde_json::to_string(&local.inputs).expect("inputs are JSON");
        self.inputs.insert(local.id, inputs.into());
    }
}

async fn read(client: &Client, dataset: Uuid, needed: &HashSet<Uuid>) -> Result<Read, PushError> {
    let mut read = Read::default();
    let mut examples = client.examples(dataset, None);
    while let Some(page) = examples.next().await? {
        for example in &page {
            read.version = read.version.max(example.modified_at);
            if !needed.contains(&example.id) {
                continue;
            }
            let inputs = serde_json::to_string(&example.inputs).expect("inputs are JSON");
            read.inputs.insert(example.id, inputs.into());
            let metadata = example.metadata.iter();
            read.splits.extend(metadata.flat_map(examples::splits));
        }
        read.remote.add(page);
    }
    Ok(read)
}
