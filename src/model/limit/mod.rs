//! The limits of a provider's account, and what is done when a call fails.
//!
//! A [`Limiter`] belongs to the account it protects and is shared by whoever uses it;
//! [`Limited`] makes one [`Model`] out of one [`Provider`] and the limiter of its account.
//! A call waits for its turn, sets its worst cost aside, is sent, and is sent again after a
//! failure that may pass. What cannot pass ends the run: for all, once, with one reason.

mod circuit;
mod limiter;
mod rate;
mod size;
mod traffic;
mod width;

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{self, BoxFuture};
use tokio::time::{Instant, sleep};

pub use self::limiter::Limiter;
pub use self::traffic::Traffic;

use self::limiter::{Health, Turn};
use self::size::Size;
use super::budget::{Budget, Reservation};
use super::halt::{Because, Halted};
use super::price::Price;
use super::{Allowance, Answer, ErrorKind, Model, ModelError, Provider, Reply, Request};
use crate::run::TokenUsage;

/// Tokens that a reply is expected to have at most where nobody limits them; for the tokens of
/// a minute, not for money.
const EXPECTED_REPLY: u64 = 1024;

/// What an account may be asked, and how failures are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in flight at most, and at the start: fewer once the provider has too much to
    /// do, never more.
    pub max_in_flight: NonZeroUsize,
    /// Requests sent in any minute, spread evenly; failed ones count.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens sent and received in any minute: a request counts what it may come to, and once
    /// it is answered what it came to.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// How often one request is sent again after failures that may pass; 0 is never.
    pub max_retries: u32,
    /// The most that is waited before the first retry; each further one may wait twice as
    /// long. How long it is exactly is left to chance, from nothing to the most, so that calls
    /// that failed together do not come back together.
    pub backoff: Duration,
    /// Where waiting no longer doubles. A provider that asks for more time gets it.
    pub longest_backoff: Duration,
    /// A provider that wants to be left alone for longer than this ends the run.
    pub longest_pause: Duration,
    /// So many failures one after the other, of requests sent one after the other, with no
    /// reply in between, end the run.
    pub failed_rounds: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_in_flight: NonZeroUsize::new(16).expect("not 0"),
            requests_per_minute: None,
            tokens_per_minute: None,
            max_retries: 5,
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(30),
            longest_pause: Duration::from_secs(600),
            failed_rounds: 12,
        }
    }
}

impl Limits {
    /// How long to wait before the retry of this number, from 0, at a `chance` from 0 to 1.
    ///
    /// Source: M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog (2015),
    /// where waiting anything between nothing and the most ("full jitter") gets a crowd
    /// through with the fewest calls.
    fn backoff(&self, retry: u32, chance: f64) -> Duration {
        let doubled = 2u32
            .checked_pow(retry)
            .map(|times| self.backoff.saturating_mul(times));
        let most = doubled.unwrap_or(Duration::MAX).min(self.longest_backoff);
        most.mul_f64(chance)
    }
}

/// A model whose calls keep the limits of its account.
pub struct Limited {
    provider: Arc<dyn Provider>,
    limiter: Arc<Limiter>,
    price: Option<Price>,
    max_tokens: Option<u32>,
    budget: Option<Purse>,
}

/// Whence a call is paid, and the most it costs.
struct Purse {
    budget: Arc<Budget>,
    price: Price,
    max_tokens: u64,
}

impl Purse {
    fn new(budget: Arc<Budget>, price: Option<Price>, max_tokens: Option<u32>) -> Purse {
        let bounded = "a budget is for models of a known price and a limited reply";
        Purse {
            budget,
            price: price.expect(bounded),
            max_tokens: max_tokens.expect(bounded).into(),
        }
    }
}

impl Limited {
    /// `max_tokens` is what the provider is told to limit a reply to.
    ///
    /// # Panics
    /// Where a budget is given and `price` or `max_tokens` is not: such a model's calls have
    /// no worst cost, and whoever opens it refuses it.
    pub fn new(
        provider: Arc<dyn Provider>,
        limiter: Arc<Limiter>,
        price: Option<Price>,
        max_tokens: Option<u32>,
        budget: Option<Arc<Budget>>,
    ) -> Limited {
        Limited {
            provider,
            limiter,
            price,
            max_tokens,
            budget: budget.map(|budget| Purse::new(budget, price, max_tokens)),
        }
    }

    async fn answer(&self, request: &Request) -> Result<Reply, ModelError> {
        let clock = request.origin.clock();
        let size = Size::of(request);
        let mut retries = 0;
        let mut pause = Duration::ZERO;
        loop {
            let waiting = clock.wait();
            let since = Instant::now();
            let ready = self.ready(size, pause).await;
            self.limiter.waited(since.elapsed());
            let (turn, reservation) = ready?;
            drop(waiting);
            if retries > 0 {
                self.limiter.retries();
            }
            let sent = Instant::now();
            let answer = tokio::select! {
                biased;
                answer = self.provider.send(request) => answer,
                // The reservation is dropped: it may be billed.
                halted = self.given_up() => return Err(self.halted(halted)),
            };
            let Answer { result, allowance } = answer;
            let error = match result {
                Ok(mut reply) => {
                    self.settle(&mut reply.usage, size, turn, reservation, allowance);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            clock.forgive(sent.elapsed());
            self.learn(&error, size, turn, reservation, allowance)?;
            if !error.kind.is_transient() || retries >= self.limiter.limits().max_retries {
                return Err(error);
            }
            let backoff = self.limiter.limits().backoff(retries, fastrand::f64());
            pause = backoff.max(error.retry_after.unwrap_or_default());
            retries += 1;
        }
    }

    /// Waits until the request may be sent: for `pause`, for its turn, and for the money.
    async fn ready(
        &self,
        size: Size,
        pause: Duration,
    ) -> Result<(Turn<'_>, Option<Reservation>), ModelError> {
        let halt = self.limiter.halt();
        if !pause.is_zero() {
            tokio::select! {
                biased;
                halted = halt.stopped() => return Err(self.halted(halted)),
                () = sleep(pause) => {}
            }
        }
        let turn = self.limiter.turn(self.expected(size)).await;
        let turn = turn.map_err(|halted| self.halted(halted))?;
        let Some(purse) = &self.budget else {
            return Ok((turn, None));
        };
        let most = purse.price.most(size.most_tokens(), purse.max_tokens);
        // Whoever has money set aside is in flight and waits for nothing of ours, so this ends.
        let reservation = tokio::select! {
            biased;
            reservation = purse.budget.reserve_when_it_fits(most) => reservation,
            halted = halt.stopped() => return Err(self.halted(halted)),
        };
        if reservation.is_some() {
            return Ok((turn, reservation));
        }
        let (model, limit, spent) = (self.name(), purse.budget.limit(), purse.budget.spent());
        let reason = format!(
            "the next call of `{model}` could cost {:.6} USD, and of {} USD {:.6} are spent: give a larger budget",
            most.usd(),
            limit.usd(),
            spent.usd(),
        );
        halt.stop(Because::Budget, reason.clone());
        Err(ModelError::new(model, ErrorKind::Budget, reason))
    }

    /// Tokens that a request and its reply will about have.
    fn expected(&self, size: Size) -> u64 {
        size.expected_tokens() + self.max_tokens.map_or(EXPECTED_REPLY, u64::from)
    }

    fn settle(
        &self,
        usage: &mut TokenUsage,
        size: Size,
        turn: Turn<'_>,
        reservation: Option<Reservation>,
        allowance: Allowance,
    ) {
        let told = usage.input_tokens > 0 || usage.output_tokens > 0;
        // Without a count of its tokens a call has no cost that is known, unless all are free.
        let price = self.price.filter(|price| told || price.is_free());
        usage.cost = price.map(|price| price.cost(usage));
        if let Some(reservation) = reservation {
            reservation.settle(usage.cost);
        }
        let tokens = match told {
            true => usage.input_tokens.saturating_add(usage.output_tokens),
            false => self.expected(size),
        };
        turn.replied(allowance, tokens, usage.cost);
    }

    /// Takes note of a failure; an error where it ends the run.
    fn learn(
        &self,
        error: &ModelError,
        size: Size,
        turn: Turn<'_>,
        reservation: Option<Reservation>,
        allowance: Allowance,
    ) -> Result<(), ModelError> {
        let worked = may_have_worked(error.kind);
        match reservation {
            Some(reservation) if worked => reservation.settle(None),
            Some(reservation) => reservation.release(),
            None => {}
        }
        let tokens = if worked { self.expected(size) } else { 0 };
        let health = turn.failed(allowance, tokens, error);
        let Some((because, reason)) = self.end(error, health) else {
            return Ok(());
        };
        let halt = self.limiter.halt();
        if halt.stop(because, reason) {
            return Err(error.clone());
        }
        let first = halt.reason().expect("it was there already");
        Err(self.halted(first))
    }

    /// Why the run ends after a failure, where it does.
    fn end(&self, error: &ModelError, health: Health) -> Option<(Because, String)> {
        let (model, last) = (&error.model, &error.reason);
        match error.kind {
            ErrorKind::BadKey => {
                let reason = format!("`{model}` cannot be asked with this key: {last}");
                return Some((Because::Key, reason));
            }
            ErrorKind::UnknownModel => {
                let reason = format!(
                    "`{model}` is not to be found (are its name and its address right?): {last}"
                );
                return Some((Because::Model, reason));
            }
            ErrorKind::Quota => {
                let reason = format!("the account of `{model}` is used up: {last}");
                return Some((Because::Quota, reason));
            }
            _ => {}
        }
        let reason = match health {
            Health::Unknown => return None,
            Health::Down { rounds, lasted } => format!(
                "`{model}` failed {rounds} times in a row, for {} s without a reply; {} The last failure: {last}",
                lasted.as_secs(),
                match error.kind {
                    ErrorKind::BadRequest => {
                        "it seems not to take such requests: look at the model's settings."
                    }
                    _ => "it seems to be down.",
                }
            ),
            Health::Closed { pause } => format!(
                "`{model}` asks to be left alone for {} s, longer than a run waits ({} s): {last}",
                pause.as_secs(),
                self.limiter.limits().longest_pause.as_secs(),
            ),
        };
        Some((Because::CircuitOpen, reason))
    }

    /// Waits for a reason to give up a request that is in flight. A spent budget is none: what
    /// is in flight is paid for.
    async fn given_up(&self) -> &Halted {
        let halted = self.limiter.halt().stopped().await;
        match halted.because {
            Because::Budget => future::pending().await,
            _ => halted,
        }
    }

    fn halted(&self, halted: &Halted) -> ModelError {
        ModelError::new(self.name(), ErrorKind::Halted, halted.to_string())
    }
}

/// Whether a provider may have worked on a request that failed like that, and may want money
/// for it. One that answers with an error did not.
fn may_have_worked(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Network | ErrorKind::RequestTimeout | ErrorKind::Unreadable => true,
        ErrorKind::RateLimited
        | ErrorKind::Overloaded
        | ErrorKind::Server
        | ErrorKind::BadRequest
        | ErrorKind::BadKey
        | ErrorKind::UnknownModel
        | ErrorKind::Quota
        | ErrorKind::CutShort
        | ErrorKind::Budget
        | ErrorKind::Halted => false,
    }
}

impl Model for Limited {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        Box::pin(self.answer(request))
    }
}

#[cfg(test)]
mod tests;
