//! Behaviour snapshots: what an agent did about each example, its wording apart.
//!
//! A [`Snapshot`] is an attempt in the few lines that a reviewer cares for: the decision, the
//! questions to a person and their answers, the calls in order with what became of them, the
//! arguments as [`argument`] has them. [`Snapshots`] are those that somebody accepted, in a
//! file that git keeps; [`Seen`] are those of an experiment, and [`changes`](Seen)
//! what is new in them. `docs/snapshots.md` specifies the file.

mod argument;
mod file;
mod seen;
mod snapshot;

use std::collections::BTreeSet;

pub use file::{FORMAT, SnapshotError, Snapshots};
pub use seen::{Change, Seen, SeenExample, SeenVariant};
pub use snapshot::Snapshot;

#[cfg(test)]
mod tests;

/// The most ways of handling one example that are told apart.
pub const MOST_WAYS: usize = 16;

/// The ways in which one example was handled, over all attempts: several where the agent does
/// not do the same each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The first [`MOST_WAYS`] in their own order, so that the order of attempts is of no
    /// account.
    ways: BTreeSet<Snapshot>,
    /// Whether there were more: then no way is unheard of.
    others: bool,
}

impl Ways {
    pub fn insert(&mut self, snapshot: Snapshot) {
        self.ways.insert(snapshot);
        if self.ways.len() > MOST_WAYS {
            self.ways.pop_last();
            self.others = true;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Snapshot> {
        self.ways.iter()
    }

    pub fn len(&self) -> usize {
        self.ways.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Whether there were more than are told apart.
    pub fn has_others(&self) -> bool {
        self.others
    }

    /// Whether no way of `now` is new. Of what went no further than the decision, the decision
    /// is what is compared.
    pub fn cover(&self, now: &Ways) -> bool {
        let is_known = |way: &Snapshot| {
            self.ways.contains(way) || self.iter().any(|accepted| accepted.covers(way))
        };
        self.others || (!now.others && now.iter().all(is_known))
    }

    /// These and those of `other`.
    pub fn with(mut self, other: &Ways) -> Ways {
        self.others |= other.others;
        for way in other.iter() {
            self.insert(way.clone());
        }
        self
    }

    /// As the file and a diff show them, one after the other.
    pub fn text(&self) -> String {
        let ways: Vec<&str> = self.iter().map(Snapshot::as_str).collect();
        let mut text = ways.join("\nor\n");
        if self.others {
            text.push_str("\nor others");
        }
        text
    }
}

impl FromIterator<Snapshot> for Ways {
    fn from_iter<T: IntoIterator<Item = Snapshot>>(snapshots: T) -> Ways {
        let mut ways = Ways::default();
        for snapshot in snapshots {
            ways.insert(snapshot);
        }
        ways
    }
}
