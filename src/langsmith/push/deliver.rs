//! Sends one load, and finds out what of it the service refuses.

use std::future::Future;
use std::ops::Range;

use super::batch::{Item, Load, pieces};
use crate::langsmith::client::{Client, Error, Ingest, Limits};
use crate::langsmith::wire::{Feedback, Run};

/// Takes items to the service, in one request.
pub trait Carry<T>: Send + Sync {
    fn carry(&self, items: &[T]) -> impl Future<Output = Result<Ingest, Error>> + Send;
}

impl Carry<Run> for Client {
    async fn carry(&self, runs: &[Run]) -> Result<Ingest, Error> {
        self.send_runs(runs).await
    }
}

impl Carry<Feedback> for Client {
    async fn carry(&self, feedback: &[Feedback]) -> Result<Ingest, Error> {
        self.send_feedback(feedback).await
    }
}

/// What became of a load. Where the service could not be asked any more, of a part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered<K> {
    /// Of an attempt, what became of the run that the others are within.
    pub parcels: Vec<(K, Fate)>,
    pub refused: Vec<Refusal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Sent,
    /// It was there before.
    There,
    Refused,
}

/// An item that the service does not want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is called.
    pub name: String,
    /// In the service's words.
    pub reason: String,
}

impl<K> Default for Delivered<K> {
    fn default() -> Self {
        Delivered {
            parcels: Vec::new(),
            refused: Vec::new(),
        }
    }
}

/// Sends attempts: all of a load at once, and where that is not taken, fewer and fewer of them.
/// The first run of a parcel is the one that the others are within; where it is there, all are,
/// since it goes with them or after them.
pub async fn attempts<T: Item, K: Copy>(
    carrier: impl Carry<T>,
    load: Load<T, K>,
    limits: Limits,
) -> (Delivered<K>, Result<(), Error>) {
    let mut delivered = Delivered::default();
    let result = all_attempts(&carrier, &load, limits, &mut delivered).await;
    (delivered, result)
}

/// Sends scores, each of which is a parcel of its own.
pub async fn scores<T: Item, K: Copy>(
    carrier: impl Carry<T>,
    load: Load<T, K>,
    limits: Limits,
) -> (Delivered<K>, Result<(), Error>) {
    let mut delivered = Delivered::default();
    let Delivered { parcels, refused } = &mut delivered;
    let settled = |at: usize, fate| parcels.push((load.parcels[at].0, fate));
    let result = each(&carrier, &load.items, limits, refused, settled).await;
    (delivered, result)
}

async fn all_attempts<T: Item, K: Copy>(
    carrier: &impl Carry<T>,
    load: &Load<T, K>,
    limits: Limits,
    delivered: &mut Delivered<K>,
) -> Result<(), Error> {
    let mut waiting: Vec<Range<usize>> = Vec::new();
    waiting.push(0..load.parcels.len());
    while let Some(group) = waiting.pop() {
        let parcels = &load.parcels[group.clone()];
        let (Some((of, first)), Some((_, last))) = (parcels.first(), parcels.last()) else {
            continue;
        };
        let items = &load.items[first.start..last.end];
        if !load.fits {
            let fate = in_pieces(carrier, items, limits, &mut delivered.refused).await?;
            delivered.parcels.push((*of, fate));
            continue;
        }
        match (carrier.carry(items).await?, parcels) {
            (Ingest::Taken, _) => {
                let all = parcels.iter().map(|(of, _)| (*of, Fate::Sent));
                delivered.parcels.extend(all);
            }
            (Ingest::AlreadyThere, [_]) => delivered.parcels.push((*of, Fate::There)),
            // Which of them are there it does not say.
            (Ingest::AlreadyThere, _) => waiting.extend(group.rev().map(|at| at..at + 1)),
            (Ingest::TooLarge | Ingest::Refused { .. }, [_]) => {
                let fate = in_pieces(carrier, items, limits, &mut delivered.refused).await?;
                delivered.parcels.push((*of, fate));
            }
            (Ingest::TooLarge | Ingest::Refused { .. }, _) => {
                let middle = group.start + group.len() / 2;
                waiting.extend([middle..group.end, group.start..middle]);
            }
        }
    }
    Ok(())
}

/// Sends an attempt that does not go in one request: its first run last.
async fn in_pieces<T: Item>(
    carrier: &impl Carry<T>,
    items: &[T],
    limits: Limits,
    refused: &mut Vec<Refusal>,
) -> Result<Fate, Error> {
    let (first, others) = items.split_at(1);
    each(carrier, others, limits, refused, |_, _| {}).await?;
    let mut fate = Fate::Refused;
    each(carrier, first, limits, refused, |_, settled| fate = settled).await?;
    Ok(fate)
}

/// Sends items in as few requests as will do, and says of each of them, by its place, what became
/// of it.
async fn each<T: Item>(
    carrier: &impl Carry<T>,
    items: &[T],
    limits: Limits,
    refused: &mut Vec<Refusal>,
    mut settled: impl FnMut(usize, Fate),
) -> Result<(), Error> {
    let mut waiting = pieces(items, limits);
    waiting.reverse();
    while let Some(piece) = waiting.pop() {
        let alone = piece.len() == 1;
        match carrier.carry(&items[piece.clone()]).await? {
            Ingest::Taken => piece.for_each(|at| settled(at, Fate::Sent)),
            Ingest::AlreadyThere if alone => settled(piece.start, Fate::There),
            Ingest::AlreadyThere => waiting.extend(piece.rev().map(|at| at..at + 1)),
            answer @ (Ingest::TooLarge | Ingest::Refused { .. }) if alone => {
                refused.push(Refusal {
                    name: items[piece.start].name(),
                    reason: match answer {
                        Ingest::Refused { reason } => reason,
                        _ => "it is larger than the service takes".to_owned(),
                    },
                });
                settled(piece.start, Fate::Refused);
            }
            Ingest::TooLarge | Ingest::Refused { .. } => {
                let middle = piece.start + piece.len() / 2;
                waiting.extend([middle..piece.end, piece.start..middle]);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
