//! What an episode showed about learning, apart from whether it passed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Score;
use crate::run::Memory;

/// The most changes of one case that are kept.
const CHANGES: usize = 100;

/// The most characters of an entry that are kept.
const ENTRY: usize = 4000;

/// What an episode's steps came to, with the agent's memory and without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// Whether memory should make no difference here.
    pub control: bool,
    /// In the order of the episode.
    pub steps: Vec<StepLearning>,
}

/// Shares of what a step asks of the agent's behaviour that held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLearning {
    /// With what the steps before it taught; `None` where the step asks nothing.
    pub with: Option<Score>,
    /// On a memory that knows nothing of them.
    pub without: Option<Score>,
}

/// One entry of a memory that a case changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChange {
    pub namespace: String,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Learning {
    /// How much better the steps went with memory than without, from −1 to 1: the mean
    /// over the steps that ask something. `None` where none does, and for a control, which
    /// has nothing to gain.
    pub fn gain(&self) -> Option<f64> {
        if self.control {
            return None;
        }
        let gains: Vec<f64> = self
            .steps
            .iter()
            .filter_map(|step| Some(step.with?.get() - step.without?.get()))
            .collect();
        (!gains.is_empty()).then(|| gains.iter().sum::<f64>() / gains.len() as f64)
    }
}

/// The entries that differ between two states of a memory, by namespace and key: at most
/// 100, each text cut to 4,000 characters.
pub fn memory_changes(before: &Memory, after: &Memory) -> Vec<MemoryChange> {
    let names = |memory: &Memory| -> Vec<(String, String)> {
        let named = |(namespace, entries): (&String, &BTreeMap<String, String>)| {
            let name = |key: &String| (namespace.clone(), key.clone());
            entries.keys().map(name).collect::<Vec<_>>()
        };
        memory.0.iter().flat_map(named).collect()
    };
    let entry = |memory: &Memory, (namespace, key): &(String, String)| -> Option<String> {
        memory.0.get(namespace)?.get(key).cloned()
    };
    let all: BTreeSet<(String, String)> = names(before).into_iter().chain(names(after)).collect();
    let changed = |name: &(String, String)| entry(before, name) != entry(after, name);
    let cut = |text: String| match text.char_indices().nth(ENTRY) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    all.into_iter()
        .filter(changed)
        .take(CHANGES)
        .map(|name| MemoryChange {
            before: entry(before, &name).map(cut),
            after: entry(after, &name).map(cut),
            namespace: name.0,
            key: name.1,
        })
        .collect()
}
