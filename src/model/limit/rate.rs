//! Requests and tokens a minute, and what a provider says is left of them.

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::Left;

const MINUTE: Duration = Duration::from_secs(60);

/// How late a request may be without delaying those after it: timers are.
const LATE: Duration = Duration::from_millis(100);

/// So many requests a minute, evenly: no minute sees more, and no second many more than
/// its share, which is how providers count.
#[derive(Debug)]
pub struct Pace {
    /// From one request to the next.
    apart: Duration,
    /// When the next is due.
    next: Option<Instant>,
}

impl Pace {
    pub fn new(a_minute: NonZeroU32) -> Pace {
        // The longer minute makes up for requests that catch up.
        Pace {
            apart: (MINUTE + LATE) / a_minute.get(),
            next: None,
        }
    }

    /// From when on a request may be sent.
    pub fn ready(&self, now: Instant) -> Instant {
        self.next.unwrap_or(now)
    }

    pub fn take(&mut self, now: Instant) {
        let due = self.next.map_or(now, |next| next.max(before(now, LATE)));
        self.next = Some(due + self.apart);
    }
}

/// What one request can count for, whatever its provider says: sums of it do not overflow.
const MOST_TOKENS: u64 = u32::MAX as u64;

/// So many tokens in any minute: what was sent a minute ago makes room.
#[derive(Debug)]
pub struct Window {
    most: u64,
    used: u64,
    /// When requests were sent, and with how many tokens; the oldest first.
    taken: VecDeque<(Instant, u64)>,
    /// How many were forgotten before the oldest.
    forgotten: u64,
}

impl Window {
    pub fn new(a_minute: NonZeroU64) -> Window {
        Window {
            most: a_minute.get(),
            used: 0,
            taken: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// From when on so many tokens may be sent. More than a minute has room for may be once
    /// there is nothing else in it.
    pub fn ready(&mut self, now: Instant, tokens: u64) -> Instant {
        while let Some(&(at, oldest)) = self.taken.front()
            && at + MINUTE <= now
        {
            self.used -= oldest;
            self.taken.pop_front();
            self.forgotten += 1;
        }
        let mut used = self.used;
        let mut ready = now;
        for &(at, taken) in &self.taken {
            if used + tokens.min(MOST_TOKENS) <= self.most {
                break;
            }
            used -= taken;
            ready = at + MINUTE;
        }
        ready
    }

    /// Returns what [`Window::correct`] knows it by.
    pub fn take(&mut self, now: Instant, tokens: u64) -> u64 {
        let tokens = tokens.min(MOST_TOKENS);
        self.taken.push_back((now, tokens));
        self.used += tokens;
        self.forgotten + self.taken.len() as u64 - 1
    }

    /// The request was of so many tokens really.
    pub fn correct(&mut self, taken: u64, tokens: u64) {
        let Some(index) = taken.checked_sub(self.forgotten) else {
            return;
        };
        let tokens = tokens.min(MOST_TOKENS);
        let entry = &mut self.taken[index as usize];
        self.used = self.used - entry.1 + tokens;
        entry.1 = tokens;
    }
}

/// So far apart until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spaced {
    pub apart: Duration,
    pub until: Instant,
}

/// What an allowance means for the requests to come, each of `size`, of which `width` can be
/// in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    Freely,
    /// What is left is spread over the time until there is more.
    Spaced(Spaced),
    /// Nothing is left until then.
    From(Instant),
}

/// Nobody waits longer than that because of an allowance: a provider that means it refuses,
/// and says for how long.
const LONGEST: Duration = MINUTE;

pub fn allowed(left: Left, size: u64, width: usize, now: Instant) -> Allowed {
    let until = now + left.reset.min(LONGEST);
    let requests = left.remaining / size.max(1);
    // Those in flight may not have been counted yet, and as many may follow at once.
    if left.reset.is_zero() || requests >= 2 * width as u64 {
        Allowed::Freely
    } else if requests == 0 {
        Allowed::From(until)
    } else {
        let apart = left.reset.min(LONGEST) / (requests as u32 + 1);
        Allowed::Spaced(Spaced { apart, until })
    }
}

fn before(instant: Instant, duration: Duration) -> Instant {
    instant.checked_sub(duration).unwrap_or(instant)
}
