//! Trying again what failed: how often, how long apart, and after which errors.

use std::error::Error;
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::task::TaskError;

/// Draws numbers from 0 to 1 for the jitter of waits.
pub type Random = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Tells from an error whether to try again.
pub type RetryOn = Arc<dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync>;

/// When a node or a task that failed is tried again, in the same run.
#[derive(Clone)]
pub struct RetryPolicy {
    /// The wait after the first failure.
    pub initial_interval: Duration,
    /// What each wait is multiplied by to get the next.
    pub backoff_factor: f64,
    /// No wait is longer, jitter aside.
    pub max_interval: Duration,
    /// How often it is tried in all, the first time included.
    pub max_attempts: NonZeroU32,
    /// Whether up to a second, drawn by [`Random`], is added to each wait, so that what
    /// failed together is not tried again together.
    pub jitter: bool,
    /// [`Fault::is_transient`] unless set.
    pub retry_on: RetryOn,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            initial_interval: Duration::from_millis(500),
            backoff_factor: 2.0,
            max_interval: Duration::from_secs(128),
            max_attempts: NonZeroU32::new(3).expect("three is not zero"),
            jitter: true,
            retry_on: Arc::new(Fault::is_transient),
        }
    }
}

impl RetryPolicy {
    /// Tries again after those errors only that `retry_on` says yes to.
    pub fn retry_on(
        mut self,
        retry_on: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.retry_on = Arc::new(retry_on);
        self
    }

    /// How long to wait after the `failures`-th failure, which was `error`; `None` to give
    /// up. `random` is from 0 to 1.
    pub(super) fn wait(
        &self,
        failures: u32,
        error: &(dyn Error + 'static),
        random: impl FnOnce() -> f64,
    ) -> Option<Duration> {
        if failures >= self.max_attempts.get() || !(self.retry_on)(error) {
            return None;
        }
        let exponent = i32::try_from(failures - 1).unwrap_or(i32::MAX);
        let seconds = self.initial_interval.as_secs_f64() * self.backoff_factor.powi(exponent);
        // A product that is no duration has outgrown every limit, or the factor is nonsense.
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(self.max_interval);
        let jitter = match self.jitter {
            true => Duration::try_from_secs_f64(random().min(1.0)).unwrap_or_default(),
            false => Duration::ZERO,
        };
        Some(wait.min(self.max_interval) + jitter)
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("initial_interval", &self.initial_interval)
            .field("backoff_factor", &self.backoff_factor)
            .field("max_interval", &self.max_interval)
            .field("max_attempts", &self.max_attempts)
            .field("jitter", &self.jitter)
            .finish_non_exhaustive()
    }
}

/// What kind of failure an error is. A node says so by returning one, or by having one
/// among the causes of its error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The other side could not be reached, or stopped talking.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// The other side answered with this status.
    #[error("the answer was HTTP {0}")]
    Http(u16),
    /// What was given is wrong, and will be wrong the next time.
    #[error("{0}")]
    Invalid(String),
}

impl Fault {
    /// Whether trying again may help: after a failed connection, an HTTP status from 500
    /// to 599, and what is not known; not after other statuses, wrong values, and what the
    /// operating system refuses. The first cause that is known decides.
    pub fn is_transient(error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(transient) = known(error) {
                return transient;
            }
            cause = error.source();
        }
        true
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<bool> {
    if let Some(fault) = error.downcast_ref() {
        return Some(match fault {
            Fault::Connection(_) => true,
            Fault::Http(status) => (500..600).contains(status),
            Fault::Invalid(_) => false,
        });
    }
    if error.is::<TaskError>() {
        return Some(false);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(is_connection(error.kind()));
    }
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        return Some(error.io_error_kind().is_some_and(is_connection));
    }
    let invalid = error.is::<std::num::ParseIntError>()
        || error.is::<std::num::ParseFloatError>()
        || error.is::<std::num::TryFromIntError>()
        || error.is::<std::str::ParseBoolError>()
        || error.is::<std::str::Utf8Error>()
        || error.is::<std::string::FromUtf8Error>()
        || error.is::<fmt::Error>();
    invalid.then_some(false)
}

fn is_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
        NetworkDown, NetworkUnreachable, NotConnected, TimedOut, UnexpectedEof,
    };
    matches!(
        kind,
        BrokenPipe
            | ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkDown
            | NetworkUnreachable
            | NotConnected
            | TimedOut
            | UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::{Fault, RetryPolicy};

    #[derive(Debug, thiserror::Error)]
    #[error("the payment was not made")]
    struct Wrapped(#[source] Box<dyn Error + Send + Sync>);

    #[test]
    fn the_first_known_cause_decides_whether_trying_again_may_help() {
        let io = |kind| -> Box<dyn Error + Send + Sync> { Box::new(io::Error::from(kind)) };
        let cases: [(Box<dyn Error + Send + Sync>, bool); 16] = [
            (Box::new(Fault::Connection("reset".to_owned())), true),
            (Box::new(Fault::Http(500)), true),
            (Box::new(Fault::Http(599)), true),
            (Box::new(Fault::Http(429)), false),
            (Box::new(Fault::Http(404)), false),
            (Box::new(Fault::Invalid("no such order".to_owned())), false),
            (io(io::ErrorKind::ConnectionRefused), true),
            (io(io::ErrorKind::TimedOut), true),
            (io(io::ErrorKind::NotFound), false),
            (io(io::ErrorKind::PermissionDenied), false),
            (
                Box::new(serde_json::from_str::<u8>("x").unwrap_err()),
                false,
            ),
            (Box::new("x".parse::<u8>().unwrap_err()), false),
            (Box::new("x".parse::<f64>().unwrap_err()), false),
            (Box::new(u8::try_from(300).unwrap_err()), false),
            (Box::new(String::from_utf8(vec![0xFF]).unwrap_err()), false),
            ("in words".into(), true),
        ];
        for (error, transient) in cases {
            assert_eq!(Fault::is_transient(&*error), transient, "{error}");
            let text = error.to_string();
            let wrapped = Wrapped(error);
            assert_eq!(Fault::is_transient(&wrapped), transient, "wrapped {text}");
        }
    }

    fn waits(policy: &RetryPolicy, random: f64) -> Vec<f64> {
        let error = Fault::Http(503);
        let wait = |failures| policy.wait(failures, &error, || random);
        (1..)
            .map_while(wait)
            .map(|wait| wait.as_secs_f64())
            .collect()
    }

    fn attempts(max_attempts: u32) -> RetryPolicy {
        RetryPolicy {
            max_attempts: NonZeroU32::new(max_attempts).unwrap(),
            jitter: false,
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn waits_double_from_half_a_second_up_to_the_longest() {
        assert_eq!(waits(&attempts(1), 0.0), [0.0; 0]);
        assert_eq!(waits(&attempts(3), 0.0), [0.5, 1.0]);
        let long = [
            0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 128.0, 128.0,
        ];
        assert_eq!(waits(&attempts(12), 0.0), long);
    }

    #[test]
    fn jitter_is_added_after_the_cap() {
        let policy = RetryPolicy {
            jitter: true,
            max_interval: Duration::from_millis(750),
            ..attempts(3)
        };
        assert_eq!(waits(&policy, 0.25), [0.75, 1.0]);
        assert_eq!(waits(&policy, 7.0), [1.5, 1.75], "at most a second");
    }

    #[test]
    fn no_policy_waits_for_ever_or_panics() {
        for backoff_factor in [f64::NAN, f64::INFINITY, -3.0, 1e300] {
            let policy = RetryPolicy {
                backoff_factor,
                ..attempts(5)
            };
            let waits = waits(&policy, f64::NAN);
            assert_eq!(waits.len(), 4, "{backoff_factor}");
            assert!(waits.iter().all(|wait| *wait <= 128.0), "{waits:?}");
        }
        let last = attempts(u32::MAX).wait(u32::MAX - 1, &Fault::Http(500), || 0.0);
        assert_eq!(last, Some(Duration::from_secs(128)));
    }

    #[test]
    fn the_defaults_are_these() {
        let policy = RetryPolicy::default();
        insta::assert_debug_snapshot!(policy, @r"
        RetryPolicy {
            initial_interval: 500ms,
            backoff_factor: 2.0,
            max_interval: 128s,
            max_attempts: 3,
            jitter: true,
            ..
        }
        ");
    }
}
