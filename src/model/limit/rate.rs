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
        // The longer minute makes up for requests that catch up, and the nanosecond for what
        // a division leaves.
        Pace {
            apart: (MINUTE + LATE) / a_minute.get() + Duration::from_nanos(1),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_sees_more_although_late_requests_catch_up() {
        let start = Instant::now();
        for a_minute in [1, 7, 600, 60_000] {
            let mut pace = Pace::new(NonZeroU32::new(a_minute).unwrap());
            pace.take(start);
            // As late as makes no difference to those after it.
            let late = pace.ready(start) + LATE;
            pace.take(late);
            let mut sent = 1;
            loop {
                let next = pace.ready(start).max(late);
                if next >= late + MINUTE {
                    break;
                }
                pace.take(next);
                sent += 1;
            }
            assert!(sent <= a_minute, "{sent} of {a_minute}");
        }
    }

    #[test]
    fn tokens_are_counted_once_and_forgotten_after_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new(NonZeroU64::new(100).unwrap());
        let first = window.take(start, 60);
        let second = window.take(at(10), 40);
        assert_eq!(window.ready(at(10), 1), at(60));
        assert_eq!(window.ready(at(10), 61), at(70));
        window.correct(second, 10);
        assert_eq!(window.ready(at(10), 30), at(10));
        assert_eq!(window.ready(at(10), 31), at(60));
        // The first is forgotten, and what comes to light about it makes no difference.
        assert_eq!(window.ready(at(60), 90), at(60));
        window.correct(first, 1000);
        assert_eq!(window.ready(at(60), 90), at(60));
    }
}
