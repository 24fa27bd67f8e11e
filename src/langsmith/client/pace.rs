//! How fast LangSmith may be asked.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Requests that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Runs and feedback, many in one.
    Multipart,
    /// Runs as one JSON text.
    Batch,
    /// One feedback.
    Feedback,
    /// Reading examples.
    Examples,
    /// Asking which runs there are.
    Query,
    /// All else.
    Other,
}

impl Class {
    const ALL: [Class; 6] = [
        Class::Multipart,
        Class::Batch,
        Class::Feedback,
        Class::Examples,
        Class::Query,
        Class::Other,
    ];

    /// So many requests within so long.
    /// Source: LangSmith, "Rate limits", of the hosted service.
    pub const fn limit(self) -> (usize, Duration) {
        match self {
            Class::Multipart => (6000, Duration::from_secs(10)),
            Class::Batch | Class::Feedback => (2000, Duration::from_secs(10)),
            Class::Examples => (5000, Duration::from_secs(60)),
            Class::Query => (15, Duration::from_secs(10)),
            Class::Other => (1000, Duration::from_secs(10)),
        }
    }

    /// The limit's span as it is kept: requests may arrive closer to each other than they left.
    fn span(self) -> Duration {
        self.limit().1.mul_f64(1.05)
    }
}

/// How long `requests` take at least, by the limits alone: each class waits for itself.
pub fn least(requests: &[(Class, u64)]) -> Duration {
    let waits = requests.iter().map(|&(class, count)| {
        let (most, _) = class.limit();
        let full = count.saturating_sub(1) / most as u64;
        class
            .span()
            .saturating_mul(u32::try_from(full).unwrap_or(u32::MAX))
    });
    waits.max().unwrap_or_default()
}

/// When the last requests of each class were sent, or will be.
///
/// Kept is exactly what is limited: so many within any span. A bucket that is filled at the
/// limit's rate would let twice as many through at its start.
#[derive(Debug, Default)]
pub struct Pace([Mutex<Sent>; Class::ALL.len()]);

#[derive(Debug, Default)]
struct Sent {
    times: VecDeque<Instant>,
    not_before: Option<Instant>,
}

impl Pace {
    /// Waits until one more request of the class may be sent.
    pub async fn wait(&self, class: Class) {
        let at = self.reserve(class);
        // Even a timer that is due costs a tick.
        if at > Instant::now() {
            sleep_until(at).await;
        }
    }

    /// Sends nothing of the class for so long: the server has said that it is too much.
    pub fn hold(&self, class: Class, wait: Duration) {
        let until = Instant::now() + wait;
        let mut sent = self.sent(class);
        sent.not_before = sent.not_before.max(Some(until));
    }

    fn reserve(&self, class: Class) -> Instant {
        let (most, _) = class.limit();
        let mut sent = self.sent(class);
        let now = Instant::now();
        let mut at = sent.not_before.map_or(now, |until| until.max(now));
        if sent.times.len() == most {
            let first = sent.times.pop_front().expect("a limit is not zero");
            at = at.max(first + class.span());
        }
        sent.times.push_back(at);
        at
    }

    fn sent(&self, class: Class) -> std::sync::MutexGuard<'_, Sent> {
        // A panic leaves the times whole.
        self.0[class as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Seconds after which each of `count` requests was sent, asked for by eight at once.
    async fn sent(class: Class, count: usize) -> Vec<Duration> {
        let pace = Arc::new(Pace::default());
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..8 {
            let pace = Arc::clone(&pace);
            tasks.spawn(async move {
                let mut times = Vec::new();
                for _ in (worker..count).step_by(8) {
                    pace.wait(class).await;
                    times.push(start.elapsed());
                }
                times
            });
        }
        let mut times: Vec<Duration> = tasks.join_all().await.concat();
        times.sort_unstable();
        times
    }

    #[tokio::test(start_paused = true)]
    async fn no_class_is_asked_more_often_than_its_limit_in_any_span_nor_less_often_than_it_may() {
        for class in Class::ALL {
            let (most, span) = class.limit();
            let count = 2 * most + 1;
            let times = sent(class, count).await;
            assert_eq!(times.len(), count);
            for window in times.windows(most + 1) {
                let apart = window[most] - window[0];
                assert!(apart >= span, "{class:?}: {apart:?}");
            }
            let took = *times.last().unwrap();
            let said = least(&[(class, count as u64)]);
            // Timers are kept to the millisecond.
            assert!(
                took >= said && took - said < Duration::from_millis(5),
                "{class:?}: {took:?}"
            );
            assert_eq!(times[most - 1], Duration::ZERO, "{class:?} begins at once");
        }
    }

    #[test]
    fn what_waits_side_by_side_takes_as_long_as_the_longest() {
        for (requests, seconds) in [
            (&[][..], 0.0),
            (&[(Class::Query, 0)][..], 0.0),
            (&[(Class::Query, 15)], 0.0),
            (&[(Class::Query, 16)], 10.5),
            (&[(Class::Query, 46), (Class::Multipart, 6000)], 31.5),
            (&[(Class::Query, 15), (Class::Multipart, 20_000)], 31.5),
            (&[(Class::Examples, 5001)], 63.0),
        ] {
            let expected = Duration::from_secs_f64(seconds);
            assert_eq!(least(requests), expected, "{requests:?}");
        }
        let forever = least(&[(Class::Query, u64::MAX)]);
        assert!(forever > Duration::from_secs(1 << 32));
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_that_is_held_waits_and_no_other() {
        let pace = Pace::default();
        let start = Instant::now();
        pace.hold(Class::Query, Duration::from_secs(7));
        // A shorter wait takes nothing back.
        pace.hold(Class::Query, Duration::from_secs(1));
        pace.wait(Class::Multipart).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        pace.wait(Class::Query).await;
        assert_eq!(start.elapsed(), Duration::from_secs(7));
        pace.wait(Class::Query).await;
        assert_eq!(start.elapsed(), Duration::from_secs(7));
    }
}
