//! Fills requests: what belongs to one attempt travels together.

use std::ops::Range;

use crate::langsmith::client::{Limits, weight, weight_of_feedback};
use crate::langsmith::wire::{Feedback, Run};

/// What is to be sent together.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel<T, K> {
    /// Whose it is.
    pub of: K,
    /// Never empty.
    pub items: Vec<T>,
}

/// What one request can hold: whole parcels, one after the other. One that is larger than that
/// stands alone, to be sent in pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Load<T, K> {
    pub items: Vec<T>,
    /// Which of the items belong to which parcel.
    pub parcels: Vec<(K, Range<usize>)>,
    pub fits: bool,
}

/// Puts parcels into requests, in the order in which they come.
#[derive(Debug)]
pub struct Packer<T, K> {
    limits: Limits,
    open: Load<T, K>,
    bytes: usize,
}

/// What requests are made of.
pub trait Item: Send + Sync + 'static {
    /// Bytes, at least as many as it takes.
    fn bytes(&self) -> usize;

    /// What to call it where it is refused.
    fn name(&self) -> String;
}

impl<T: Item, K> Packer<T, K> {
    pub fn new(limits: Limits) -> Packer<T, K> {
        Packer {
            limits,
            open: Load::empty(),
            bytes: 0,
        }
    }

    /// Adds a parcel, and returns what is full by that: nothing, the parcels before it, or these
    /// and one that fits nowhere.
    pub fn add(&mut self, parcel: Parcel<T, K>) -> Vec<Load<T, K>> {
        let bytes: usize = parcel.items.iter().map(Item::bytes).sum();
        let operations = self.limits.operations.get();
        if parcel.items.len() > operations || bytes > self.limits.bytes {
            let mut full: Vec<_> = self.finish().into_iter().collect();
            let mut alone = Load::empty();
            alone.push(parcel);
            alone.fits = false;
            full.push(alone);
            return full;
        }
        let is_full = self.open.items.len() + parcel.items.len() > operations
            || self.bytes + bytes > self.limits.bytes;
        let full = match is_full {
            true => self.finish(),
            false => None,
        };
        self.bytes += bytes;
        self.open.push(parcel);
        full.into_iter().collect()
    }

    /// What is left over, and nothing is left after it.
    pub fn finish(&mut self) -> Option<Load<T, K>> {
        self.bytes = 0;
        let load = std::mem::replace(&mut self.open, Load::empty());
        (!load.items.is_empty()).then_some(load)
    }
}

impl<T, K> Load<T, K> {
    fn empty() -> Load<T, K> {
        Load {
            items: Vec::new(),
            parcels: Vec::new(),
            fits: true,
        }
    }

    fn push(&mut self, parcel: Parcel<T, K>) {
        let start = self.items.len();
        self.items.extend(parcel.items);
        self.parcels.push((parcel.of, start..self.items.len()));
    }
}

/// Neighbouring items as requests that hold them; an item that is too large for any is alone in
/// one.
pub fn pieces<T: Item>(items: &[T], limits: Limits) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let more = item.bytes();
        let is_full = at - start == limits.operations.get() || bytes + more > limits.bytes;
        if at > start && is_full {
            pieces.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    if start < items.len() {
        pieces.push(start..items.len());
    }
    pieces
}

impl Item for Run {
    fn bytes(&self) -> usize {
        weight(self)
    }

    fn name(&self) -> String {
        format!("run {} (`{}`)", self.head.id, self.head.name)
    }
}

impl Item for Feedback {
    fn bytes(&self) -> usize {
        weight_of_feedback(self)
    }

    fn name(&self) -> String {
        format!("`{}` of run {}", self.key, self.run_id)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;

    /// Whose it is, its number there, and its size.
    #[derive(Clone, Debug, PartialEq)]
    struct Lump(usize, usize, usize);

    impl Item for Lump {
        fn bytes(&self) -> usize {
            self.2
        }

        fn name(&self) -> String {
            unreachable!("nothing is refused")
        }
    }

    fn limits(operations: usize, bytes: usize) -> Limits {
        Limits {
            operations: NonZeroUsize::new(operations).unwrap(),
            bytes,
        }
    }

    fn parcels() -> impl Strategy<Value = Vec<Parcel<Lump, usize>>> {
        let sizes = prop::collection::vec(1..40_usize, 1..8);
        prop::collection::vec(sizes, 0..12).prop_map(|parcels| {
            let parcels = parcels.into_iter().enumerate();
            parcels
                .map(|(of, sizes)| Parcel {
                    of,
                    items: (0..)
                        .zip(sizes)
                        .map(|(number, size)| Lump(of, number, size))
                        .collect(),
                })
                .collect()
        })
    }

    fn size(items: &[Lump]) -> usize {
        items.iter().map(Item::bytes).sum()
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_load_and_no_parcel_is_torn(
            parcels in parcels(), operations in 1..8_usize, bytes in 20..120_usize
        ) {
            let limits = limits(operations, bytes);
            let mut packer = Packer::new(limits);
            let mut loads: Vec<_> = parcels.iter().cloned().flat_map(|it| packer.add(it)).collect();
            loads.extend(packer.finish());
            prop_assert_eq!(packer.finish(), None);

            let mut unpacked = Vec::new();
            for load in &loads {
                let mut next = 0;
                for (of, range) in &load.parcels {
                    prop_assert_eq!(range.start, next);
                    next = range.end;
                    let items = load.items[range.clone()].to_vec();
                    unpacked.push(Parcel { of: *of, items });
                }
                prop_assert_eq!(next, load.items.len());
                let within = load.items.len() <= operations && size(&load.items) <= bytes;
                prop_assert_eq!(within, load.fits);
                prop_assert!(load.fits || load.parcels.len() == 1);
            }
            prop_assert_eq!(unpacked, parcels);
            // None could have waited for the next.
            for pair in loads.windows(2).filter(|pair| pair[0].fits && pair[1].fits) {
                let first = &pair[1].items[pair[1].parcels[0].1.clone()];
                let items = pair[0].items.len() + first.len();
                prop_assert!(items > operations || size(&pair[0].items) + size(first) > bytes);
            }
        }

        #[test]
        fn pieces_are_all_of_it_and_hold_to_the_limits(
            sizes in prop::collection::vec(1..200_usize, 0..40),
            operations in 1..8_usize,
            bytes in 20..120_usize,
        ) {
            let items: Vec<Lump> = (0..).zip(sizes).map(|(n, size)| Lump(0, n, size)).collect();
            let pieces = pieces(&items, limits(operations, bytes));
            let all: Vec<usize> = pieces.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..items.len()).collect::<Vec<_>>());
            for piece in pieces {
                let piece = &items[piece];
                prop_assert!(!piece.is_empty() && piece.len() <= operations);
                prop_assert!(piece.len() == 1 || size(piece) <= bytes);
            }
        }
    }
}
