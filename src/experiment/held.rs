//! Attempts that ended in a provider's failure, until it is known what to make of them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard};

use super::record::Attempt;
use crate::run::Run;

/// So many are held for a variant at least.
const AT_LEAST: usize = 256;
/// As many for each case in flight: an outage takes so many before it is recognised.
const FOR_EACH: usize = 4;

/// By variant, the oldest first.
#[derive(Debug)]
pub struct Held {
    attempts: Mutex<Vec<VecDeque<Attempt<Run>>>>,
    /// Of one variant.
    most: usize,
}

impl Held {
    pub fn new(variants: usize, concurrency: NonZeroUsize) -> Held {
        Held {
            attempts: Mutex::new((0..variants).map(|_| VecDeque::new()).collect()),
            most: AT_LEAST.max(concurrency.get().saturating_mul(FOR_EACH)),
        }
    }

    /// Holds an attempt; returns the variant's oldest where that is one too many.
    pub fn hold(&self, variant: usize, attempt: Attempt<Run>) -> Option<Attempt<Run>> {
        let mut attempts = self.attempts();
        let held = &mut attempts[variant];
        held.push_back(attempt);
        if held.len() > self.most {
            return held.pop_front();
        }
        None
    }

    /// Lets go of all attempts of a variant.
    pub fn take(&self, variant: usize) -> VecDeque<Attempt<Run>> {
        std::mem::take(&mut self.attempts()[variant])
    }

    pub fn count(&self) -> u64 {
        self.attempts().iter().map(|held| held.len() as u64).sum()
    }

    fn attempts(&self) -> MutexGuard<'_, Vec<VecDeque<Attempt<Run>>>> {
        self.attempts.lock().expect("no holder panics")
    }
}
