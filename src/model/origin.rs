//! Which attempt asks, and how its time is counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Where a [`Request`](super::Request) comes from. Clones are of one attempt: they share
/// its clock and its count of equal requests.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The id of the example, scenario, or episode; empty outside of an experiment.
    pub case: Arc<str>,
    /// Which repetition of the case, from 0.
    pub attempt: u32,
    /// Which of several votes on one question, from 0.
    pub vote: u32,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    clock: Clock,
    calls: AtomicU32,
    equal: Mutex<HashMap<[u8; 32], u32>>,
}

impl Origin {
    /// One attempt at a case, before its first request.
    pub fn new(case: &str, attempt: u32) -> Origin {
        Origin {
            case: case.into(),
            attempt,
            ..Origin::default()
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// The place of the next call among all calls of the attempt, from 0.
    pub fn next_call(&self) -> u32 {
        self.shared.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// How many requests of this digest the attempt made before; the first is 0.
    pub fn ordinal(&self, digest: [u8; 32]) -> u32 {
        let mut equal = lock(&self.shared.equal);
        let count = equal.entry(digest).or_default();
        *count += 1;
        *count - 1
    }
}

/// Tells an attempt's own time from time that went by for reasons outside of it.
///
/// Waiting for a turn at a provider, and answers that failed and were asked for again, are
/// not the agent's time. A replayed call took no time and counts as long as it once took.
#[derive(Debug, Default)]
pub struct Clock(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    waited: Duration,
    replayed: Duration,
    /// Set while a call is dropped because the attempt's time has passed.
    cutting: bool,
    /// How many calls wait now, and since when there was always one.
    waiting: u32,
    since: Option<Instant>,
}

/// A moment of a [`Clock`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: Instant,
    waited: Duration,
    replayed: Duration,
}

/// The time until it is dropped is no attempt's.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Clock);

impl Clock {
    pub fn mark(&self) -> Mark {
        let times = lock(&self.0);
        let at = Instant::now();
        Mark {
            at,
            waited: times.waited(at),
            replayed: times.replayed,
        }
    }

    /// The attempt's own time since then.
    pub fn since(&self, mark: &Mark) -> Duration {
        let now = self.mark();
        let waited = now.waited.saturating_sub(mark.waited);
        let replayed = now.replayed.saturating_sub(mark.replayed);
        (now.at - mark.at).saturating_sub(waited) + replayed
    }

    /// Begins time that is not the attempt's.
    pub fn wait(&self) -> Waiting<'_> {
        let mut times = lock(&self.0);
        if times.waiting == 0 {
            times.since = Some(Instant::now());
        }
        times.waiting += 1;
        Waiting(self)
    }

    pub fn is_waiting(&self) -> bool {
        lock(&self.0).waiting > 0
    }

    /// Time that went by just now and turned out not to be the attempt's.
    pub fn forgive(&self, wasted: Duration) {
        lock(&self.0).waited += wasted;
    }

    /// Drops a call whose answer the attempt has no time to wait for.
    pub fn cut_short<T>(&self, call: T) {
        lock(&self.0).cutting = true;
        drop(call);
        lock(&self.0).cutting = false;
    }

    /// Whether what is dropped just now is so because the attempt's time has passed, and not
    /// because the process ends.
    pub fn is_cutting_short(&self) -> bool {
        lock(&self.0).cutting
    }

    /// Counts the time that a replayed call once took.
    pub fn replay(&self, latency: Duration) {
        lock(&self.0).replayed += latency;
    }
}

impl Times {
    fn waited(&self, now: Instant) -> Duration {
        self.waited + self.since.map_or(Duration::ZERO, |since| now - since)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut times = lock(&self.0.0);
        times.waiting -= 1;
        if times.waiting == 0 {
            let now = Instant::now();
            times.waited = times.waited(now);
            times.since = None;
        }
    }
}

/// Nothing panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_s_time_leaves_out_waiting_and_adds_what_is_replayed() {
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        let origin = Origin::new("e", 0);
        let clock = origin.clock();
        clock.replay(Duration::from_secs(100));
        let mark = clock.mark();
        pass(1).await;
        let one = clock.wait();
        pass(2).await;
        let other = clock.wait();
        pass(4).await;
        drop(one);
        assert!(clock.is_waiting());
        assert_eq!(clock.since(&mark), Duration::from_secs(1));
        pass(8).await;
        drop(other);
        assert!(!clock.is_waiting());
        pass(16).await;
        assert_eq!(clock.since(&mark), Duration::from_secs(17));
        clock.forgive(Duration::from_secs(3));
        clock.replay(Duration::from_secs(32));
        assert_eq!(clock.since(&mark), Duration::from_secs(46));
    }

    #[test]
    fn equal_requests_of_one_attempt_are_counted() {
        let origin = Origin::new("e", 0);
        let clone = origin.clone();
        let (one, other) = ([1; 32], [2; 32]);
        let ordinals = [
            origin.ordinal(one),
            clone.ordinal(one),
            origin.ordinal(other),
        ];
        assert_eq!(ordinals, [0, 1, 0]);
        assert_eq!(Origin::new("e", 0).ordinal(one), 0);
        assert_eq!([origin.next_call(), clone.next_call()], [0, 1]);
    }
}
