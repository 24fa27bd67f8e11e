//! Turns to send a request, given out in the order they were asked for.
//!
//! Whoever is next stands alone at the front and waits for what is missing: a place in
//! flight, the pace, the end of a pause. Everybody else waits for the front, so that a
//! place that becomes free wakes one call and not a thousand.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::circuit::{Circuit, Failure};
use super::rate::{Allowed, Pace, Spaced, Window, allowed};
use super::traffic::Traffic;
use super::width::Width;
use crate::model::halt::{Halt, Halted};
use crate::model::{Allowance, ErrorKind, ModelError};
use crate::run::Cost;

/// Of a pause, the part that the requests after it are spread over; and the most of that.
const SPREAD: u32 = 10;
const LONGEST_SPREAD: Duration = Duration::from_secs(1);

/// What one account of a provider is asked, kept within its limits: shared by all models,
/// roles, and variants that use the account.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    halt: Halt,
    /// Held by whoever is next.
    front: Semaphore,
    /// Told whenever what the next waits for may have come.
    changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// Requests sent so far, which is the number of the next.
    sent: u64,
    width: Width,
    requests: Option<Pace>,
    tokens: Option<Window>,
    /// Nothing is sent before.
    pause: Option<Instant>,
    /// After a pause, and while a provider's allowance is low.
    spread: Option<Spaced>,
    spaced: Option<Spaced>,
    circuit: Circuit,
    traffic: Traffic,
}

/// What the next in line waits for.
enum Missing {
    Place,
    Until(Instant),
}

/// A place in flight, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    limiter: &'a Limiter,
    /// The request's place among those sent.
    number: u64,
    sent_at: Instant,
    /// In tokens, its reply included.
    expected: u64,
    /// Its entry among the tokens of the last minute.
    taken: Option<u64>,
}

/// What a failed request says about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Asking on makes sense.
    Unknown,
    /// So many rounds failed one after the other in this time: too many.
    Down { rounds: u32, lasted: Duration },
    /// It wants to be left alone for too long.
    Closed { pause: Duration },
}

impl Limiter {
    pub fn new(limits: Limits, halt: Halt) -> Arc<Limiter> {
        let width = Width::new(limits.max_in_flight.get());
        let state = State {
            in_flight: 0,
            sent: 0,
            requests: limits.requests_per_minute.map(Pace::new),
            tokens: limits.tokens_per_minute.map(Window::new),
            pause: None,
            spread: None,
            spaced: None,
            circuit: Circuit::default(),
            traffic: Traffic {
                fewest_allowed: width.now() as u64,
                ..Traffic::default()
            },
            width,
        };
        Arc::new(Limiter {
            limits,
            halt,
            front: Semaphore::new(1),
            changed: Notify::new(),
            state: Mutex::new(state),
        })
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn halt(&self) -> &Halt {
        &self.halt
    }

    /// What was asked until now.
    pub fn traffic(&self) -> Traffic {
        self.state().traffic.clone()
    }

    /// Waits until a request of about so many tokens may be sent. Dropping the future gives
    /// the place in the line up.
    ///
    /// # Errors
    /// The reason, once the run is to end.
    pub(super) async fn turn(&self, tokens: u64) -> Result<Turn<'_>, &Halted> {
        if let Some(halted) = self.halt.reason() {
            return Err(halted);
        }
        tokio::select! {
            biased;
            turn = self.next(tokens) => Ok(turn),
            halted = self.halt.stopped() => Err(halted),
        }
    }

    async fn next(&self, tokens: u64) -> Turn<'_> {
        // First come, first served: the semaphore hands its one permit on in order.
        let _front = self.front.acquire().await.expect("it is never closed");
        loop {
            match self.start(tokens) {
                Ok(turn) => return turn,
                Err(Missing::Place) => self.changed.notified().await,
                Err(Missing::Until(instant)) => {
                    tokio::select! {
                        () = sleep_until(instant) => {}
                        // A pause was shortened, or tokens were given back.
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    fn start(&self, expected: u64) -> Result<Turn<'_>, Missing> {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        if state.in_flight >= state.width() {
            return Err(Missing::Place);
        }
        let ready = state.ready(now, expected);
        if ready > now {
            return Err(Missing::Until(ready));
        }
        if let Some(pace) = &mut state.requests {
            pace.take(now);
        }
        let taken = state
            .tokens
            .as_mut()
            .map(|window| window.take(now, expected));
        state.space(now);
        let number = state.sent;
        state.sent += 1;
        state.in_flight += 1;
        let traffic = &mut state.traffic;
        traffic.requests += 1;
        traffic.most_in_flight = traffic.most_in_flight.max(state.in_flight as u64);
        Ok(Turn {
            limiter: self,
            number,
            sent_at: now,
            expected,
            taken,
        })
    }

    /// A call waited that long, for its turn or to try again.
    pub(super) fn waited(&self, waited: Duration) {
        let milliseconds = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let traffic = &mut self.state().traffic;
        traffic.waited_ms = traffic.waited_ms.saturating_add(milliseconds);
    }

    pub(super) fn retries(&self) {
        self.state().traffic.retries += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl State {
    /// How many requests may be in flight.
    fn width(&self) -> usize {
        match self.circuit.is_probing() {
            true => 1,
            false => self.width.now(),
        }
    }

    fn ready(&mut self, now: Instant, tokens: u64) -> Instant {
        let pauses = [self.pause, self.circuit.next_probe()];
        let mut ready = pauses.into_iter().flatten().fold(now, Instant::max);
        if let Some(pace) = &self.requests {
            ready = ready.max(pace.ready(now));
        }
        if let Some(window) = &mut self.tokens {
            ready = ready.max(window.ready(now, tokens));
        }
        ready
    }

    /// Keeps the next request away from the one just sent, where that is called for.
    fn space(&mut self, now: Instant) {
        let spaced = [self.spread, self.spaced].into_iter().flatten();
        let apart = spaced.filter(|spaced| now < spaced.until);
        if let Some(apart) = apart.map(|spaced| spaced.apart).max() {
            let next = now + apart.mul_f64(0.5 + fastrand::f64());
            self.pause = Some(self.pause.map_or(next, |pause| pause.max(next)));
        }
    }

    /// The whole account is left alone for a while, and not woken all at once.
    fn pause(&mut self, now: Instant, pause: Duration) {
        let spread = (pause / SPREAD).min(LONGEST_SPREAD);
        let end = now + pause + spread.mul_f64(fastrand::f64());
        if self.pause.is_none_or(|pause| pause < end) {
            self.pause = Some(end);
            self.spread = Some(Spaced {
                apart: spread / self.width.now() as u32,
                until: end + spread,
            });
        }
    }

    /// What the provider says is left; `size` is that of the request in tokens.
    fn allowance(&mut self, now: Instant, allowance: Allowance, size: u64) {
        let width = self.width.now();
        let lefts = [(allowance.requests, 1), (allowance.tokens, size)];
        let mut spaced: Option<Spaced> = None;
        for (left, size) in lefts
            .into_iter()
            .filter_map(|(left, size)| Some((left?, size)))
        {
            match allowed(left, size, width, now) {
                Allowed::Freely => {}
                Allowed::Spaced(next) => {
                    spaced = Some(spaced.filter(|one| one.apart > next.apart).unwrap_or(next));
                }
                Allowed::From(until) => self.pause(now, until - now),
            }
        }
        // What a provider does not speak of any more is as it was said last.
        if allowance != Allowance::default() {
            self.spaced = spaced;
        }
    }

    fn narrowest(&mut self) {
        let width = self.width() as u64;
        self.traffic.fewest_allowed = self.traffic.fewest_allowed.min(width);
    }
}

impl Turn<'_> {
    /// The request was answered; `tokens` are what it was of, as the provider counts, and
    /// else as it was guessed.
    pub(super) fn replied(self, allowance: Allowance, tokens: u64, cost: Option<Cost>) {
        let mut state = self.limiter.state();
        state.traffic.replies += 1;
        let costs = state.traffic.cost.zip(cost);
        state.traffic.cost = costs.map(|(sum, cost)| sum.plus(cost));
        state.width.replied();
        state.circuit.replied();
        if let (Some(window), Some(taken)) = (&mut state.tokens, self.taken) {
            window.correct(taken, tokens);
        }
        state.allowance(Instant::now(), allowance, self.expected);
    }

    /// The request failed; `tokens` are what it counts as, which is 0 where the provider did
    /// not look at it.
    pub(super) fn failed(self, allowance: Allowance, tokens: u64, error: &ModelError) -> Health {
        let limits = &self.limiter.limits;
        let now = Instant::now();
        let mut state = self.limiter.state();
        let state = &mut *state;
        *state.traffic.failures.entry(error.kind).or_default() += 1;
        if let (Some(window), Some(taken)) = (&mut state.tokens, self.taken) {
            window.correct(taken, tokens);
        }
        if matches!(error.kind, ErrorKind::RateLimited | ErrorKind::Overloaded) {
            state.width.overloaded(self.number, state.sent);
        }
        state.allowance(now, allowance, self.expected);
        if let Some(pause) = error.retry_after.filter(|pause| !pause.is_zero()) {
            if pause > limits.longest_pause {
                return Health::Closed { pause };
            }
            state.pause(now, pause);
        }
        let failure = Failure {
            number: self.number,
            sent_at: self.sent_at,
            // A fault of requests does not pass with time.
            apart: match error.kind.is_transient() {
                true => limits.backoff,
                false => Duration::ZERO,
            },
        };
        let rounds = state.circuit.failed(failure, state.sent, now);
        state.narrowest();
        if rounds >= limits.failed_rounds {
            let lasted = state.circuit.lasted(now);
            return Health::Down { rounds, lasted };
        }
        Health::Unknown
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.limiter.state().in_flight -= 1;
        self.limiter.changed.notify_one();
    }
}
