//! Sends one load, and finds out what of it the service refuses.

use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::batch::{Item, Load, pieces};
use super::{MOST_REFUSED, PushError};
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

/// What became of a load; where it ended before it was through, of a part of it.
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

/// What ends the sending of all loads before they are through. Clones share it.
#[derive(Clone, Debug)]
pub struct Stop {
    cancel: CancellationToken,
    refused: Arc<Refused>,
}

/// How much the service has refused, and why the first.
#[derive(Debug, Default)]
struct Refused {
    count: AtomicUsize,
    first: OnceLock<String>,
}

impl Stop {
    pub fn new(cancel: CancellationToken) -> Stop {
        Stop {
            cancel,
            refused: Arc::default(),
        }
    }

    /// Whether so much was refused that the service means all of it.
    pub fn refusing(&self) -> Result<(), PushError> {
        match self.refused.first.get() {
            Some(reason) if self.refused.count.load(Ordering::Relaxed) >= MOST_REFUSED => {
                Err(PushError::Refusing {
                    reason: reason.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    fn refused(&self, reason: &str) {
        self.refused.first.get_or_init(|| reason.to_owned());
        self.refused.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who sends, how much at once, and until when.
#[derive(Clone, Debug)]
pub struct Delivery<C> {
    pub carrier: C,
    pub limits: Limits,
    pub stop: Stop,
}

impl<C> Delivery<C> {
    /// Sends attempts: all of a load at once, and where that is not taken, fewer and fewer of
    /// them. The first run of a parcel is the one that the others are within; where it is there,
    /// all are that the service takes, since it goes with them or after them.
    pub async fn attempts<T: Item, K: Copy>(
        self,
        load: Load<T, K>,
    ) -> (Delivered<K>, Result<(), PushError>)
    where
        C: Carry<T>,
    {
        let mut delivered = Delivered::default();
        let result = self.all_attempts(&load, &mut delivered).await;
        (delivered, result)
    }

    /// Sends scores, each of which is a parcel of its own.
    pub async fn scores<T: Item, K: Copy>(
        self,
        load: Load<T, K>,
    ) -> (Delivered<K>, Result<(), PushError>)
    where
        C: Carry<T>,
    {
        let mut delivered = Delivered::default();
        let Delivered { parcels, refused } = &mut delivered;
        let settled = |at: usize, fate| parcels.push((load.parcels[at].0, fate));
        let result = self.each(&load.items, refused, settled).await;
        (delivered, result)
    }

    async fn all_attempts<T: Item, K: Copy>(
        &self,
        load: &Load<T, K>,
        delivered: &mut Delivered<K>,
    ) -> Result<(), PushError>
    where
        C: Carry<T>,
    {
        let mut waiting: Vec<Range<usize>> = Vec::new();
        waiting.push(0..load.parcels.len());
        while let Some(group) = waiting.pop() {
            let parcels = &load.parcels[group.clone()];
            let (Some((of, first)), Some((_, last))) = (parcels.first(), parcels.last()) else {
                continue;
            };
            let items = &load.items[first.start..last.end];
            if !load.fits {
                let fate = self.in_pieces(items, &mut delivered.refused).await?;
                delivered.parcels.push((*of, fate));
                continue;
            }
            match (self.carry(items).await?, parcels) {
                (Ingest::Taken, _) => {
                    let all = parcels.iter().map(|(of, _)| (*of, Fate::Sent));
                    delivered.parcels.extend(all);
                }
                (Ingest::AlreadyThere, [_]) if items.len() == 1 => {
                    delivered.parcels.push((*of, Fate::There));
                }
                // Of an attempt, too, some may be there: a push with smaller requests was cut
                // off before its first run.
                (Ingest::AlreadyThere | Ingest::TooLarge | Ingest::Refused { .. }, [_]) => {
                    let fate = self.in_pieces(items, &mut delivered.refused).await?;
                    delivered.parcels.push((*of, fate));
                }
                // Which of them are there it does not say.
                (Ingest::AlreadyThere, _) => waiting.extend(apart(group)),
                (Ingest::TooLarge | Ingest::Refused { .. }, _) => waiting.extend(halves(group)),
            }
        }
        Ok(())
    }

    /// Sends an attempt that does not go in one request: its first run last. It goes also where
    /// another was refused: better an attempt that lacks a run than none, and no later push
    /// would have more of it.
    async fn in_pieces<T: Item>(
        &self,
        items: &[T],
        refused: &mut Vec<Refusal>,
    ) -> Result<Fate, PushError>
    where
        C: Carry<T>,
    {
        let (first, others) = items.split_at(1);
        self.each(others, refused, |_, _| {}).await?;
        let mut fate = Fate::Refused;
        self.each(first, refused, |_, settled| fate = settled)
            .await?;
        Ok(fate)
    }

    /// Sends items in as few requests as will do, and says of each of them, by its place, what
    /// became of it.
    async fn each<T: Item>(
        &self,
        items: &[T],
        refused: &mut Vec<Refusal>,
        mut settled: impl FnMut(usize, Fate),
    ) -> Result<(), PushError>
    where
        C: Carry<T>,
    {
        let mut waiting = pieces(items, self.limits);
        waiting.reverse();
        while let Some(piece) = waiting.pop() {
            let alone = piece.len() == 1;
            match self.carry(&items[piece.clone()]).await? {
                Ingest::Taken => piece.for_each(|at| settled(at, Fate::Sent)),
                Ingest::AlreadyThere if alone => settled(piece.start, Fate::There),
                Ingest::AlreadyThere => waiting.extend(apart(piece)),
                answer @ (Ingest::TooLarge | Ingest::Refused { .. }) if alone => {
                    let reason = match answer {
                        Ingest::Refused { reason } => reason,
                        _ => "it is larger than the service takes".to_owned(),
                    };
                    self.stop.refused(&reason);
                    let name = items[piece.start].name();
                    refused.push(Refusal { name, reason });
                    settled(piece.start, Fate::Refused);
                }
                Ingest::TooLarge | Ingest::Refused { .. } => waiting.extend(halves(piece)),
            }
        }
        Ok(())
    }

    /// One request, unless it is to end.
    async fn carry<T>(&self, items: &[T]) -> Result<Ingest, PushError>
    where
        C: Carry<T>,
    {
        if self.stop.cancel.is_cancelled() {
            return Err(PushError::Cancelled);
        }
        self.stop.refusing()?;
        Ok(self.carrier.carry(items).await?)
    }
}

/// Each alone, to wait on a stack: the first, which is taken next, comes last.
fn apart(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    range.rev().map(|at| at..at + 1)
}

/// Both halves, likewise.
fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [middle..range.end, range.start..middle]
}

#[cfg(test)]
mod tests;
