//! Carries out a plan: many cases at once, each recorded as it ends.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio_util::sync::CancellationToken;

use super::canaries;
pub use super::case::Cast;
use super::case::{Heard, Tried, attempt};
use super::grid::{Case, Done};
use super::held::Held;
use super::journal::{Journal, JournalError};
use super::plan::Plan;
use super::record::{Attempt, EndReason, Verdict};
use crate::dataset::Dataset;
use crate::judge::canary::Canaries;
use crate::model::halt::{Because, Halt, Halted};
use crate::run::{Outcome, Run, Usage};

/// Everything that carrying out a plan needs.
pub struct Execution {
    pub plan: Arc<Plan>,
    /// The one that the plan was resolved with.
    pub dataset: Arc<Dataset>,
    /// Who takes part in the cases of each variant of the plan.
    pub casts: Vec<Cast>,
    pub journal: Arc<Journal>,
    /// What time it is.
    pub clock: WallClock,
    /// Cases in flight at most.
    pub concurrency: NonZeroUsize,
    /// How many attempts of this sitting may fail before no more are started.
    pub max_failures: Option<NonZeroU64>,
    /// Once cancelled, no case starts; those in flight finish, because their tokens are
    /// already paid for, and a recorded attempt is one that resuming can skip.
    pub cancel: CancellationToken,
    /// Once it has a reason, no case starts, and those in flight end as their model calls
    /// fail: such attempts are not recorded, so that resuming makes them.
    pub halt: Halt,
    /// How long all of this may take.
    pub run_timeout: Option<Duration>,
    /// How much of that went by before, in looks that came earlier.
    pub elapsed: Duration,
    /// What earlier sittings recorded; empty for a new experiment.
    pub recorded: Recorded,
    /// Tells on what the attempts came to, as they are recorded.
    pub progress: watch::Sender<Counts>,
}

/// Tells the time of day, from a moment at which it was known.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    at: Timestamp,
    /// When that was; `None` where it stands still.
    since: Option<Instant>,
}

impl WallClock {
    /// A clock that reads `at` now.
    pub fn reading(at: Timestamp) -> WallClock {
        WallClock {
            at,
            since: Some(Instant::now()),
        }
    }

    /// One that reads `at` for ever.
    #[cfg(test)]
    pub fn stopped(at: Timestamp) -> WallClock {
        WallClock { at, since: None }
    }

    /// To the microsecond; never earlier than it read before.
    fn now(self) -> Timestamp {
        let elapsed = self.since.map_or(0, |since| since.elapsed().as_micros());
        let micros = self.at.as_microsecond() + elapsed as i64;
        Timestamp::from_microsecond(micros).unwrap_or(self.at)
    }
}

/// What stands in a journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    pub done: Done,
    pub counts: Counts,
    /// What became of the canaries of judges that were shown theirs.
    pub canaries: Vec<Canaries>,
}

/// How a sitting went.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub because: EndReason,
    /// Set where `because` is [`EndReason::Halted`].
    pub halted: Option<Halted>,
    /// Over the whole journal.
    pub counts: Counts,
}

/// What the attempts in the journal came to, those of earlier sittings included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    /// Ended in infrastructure errors, or without any score.
    pub unscored: u64,
    pub usage: Usage,
}

impl Counts {
    pub fn record<R>(&mut self, attempt: &Attempt<R>) {
        match attempt.verdict() {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed => self.failed += 1,
            Verdict::Unscored => self.unscored += 1,
        }
        self.usage.add(&attempt.usage);
    }

    pub fn recorded(&self) -> u64 {
        self.passed + self.failed + self.unscored
    }
}

/// Runs the cases that are left, until there are none or there is a reason to stop.
///
/// First, judges are shown their canaries, unless they were. Cases start in the plan's order and end in any. An attempt is counted once it is in the
/// journal. When this returns no case is in flight.
///
/// An attempt that a provider's failure ended is held back until its variant gets somewhere
/// with another, or until there is nothing else to do: an outage that ends the run leaves no
/// errors behind, and resuming makes those attempts again. So is one about which a judge was
/// silent, until the judges of its variant answer about another.
///
/// # Panics
/// Where there is not one cast for each variant.
///
/// # Errors
/// What the journal reports when it cannot be written; no more cases start then either.
pub async fn execute(execution: Execution) -> Result<Summary, JournalError> {
    let Execution {
        plan,
        dataset,
        casts,
        journal,
        clock,
        concurrency,
        max_failures,
        cancel,
        halt,
        run_timeout,
        elapsed,
        recorded: Recorded {
            done,
            counts,
            canaries,
        },
        progress,
    } = execution;
    assert_eq!(casts.len(), plan.variants.len(), "a cast for each variant");
    let left = plan.planned().saturating_sub(done.count());
    progress.send_replace(counts);
    let worker = Arc::new(Worker {
        failures_left: AtomicU64::new(max_failures.map_or(u64::MAX, NonZeroU64::get)),
        stop: AtomicBool::new(false),
        next: AtomicU64::new(0),
        held: Held::new(plan.variants.len(), concurrency),
        unjudged: Held::new(plan.variants.len(), concurrency),
        plan,
        dataset,
        casts,
        journal,
        clock,
        cancel,
        halt,
        done,
        progress,
    });
    let mut alarm = JoinSet::new();
    if let Some(run_timeout) = run_timeout {
        alarm.spawn(time_out(worker.halt.clone(), run_timeout, elapsed));
    }
    if left > 0 || canaries.iter().any(|shown| shown.is_silent()) {
        let Worker {
            plan,
            casts,
            journal,
            halt,
            ..
        } = &*worker;
        canaries::show(plan, casts, journal, halt, &canaries).await?;
    }
    let count = left.min(concurrency.get() as u64);
    // Where cases are left over after as many as can be had each the same number, those that
    // take one more are in a hurry, and the others are not.
    let first = match left.checked_rem(count) {
        None | Some(0) => count,
        Some(over) => over,
    };
    let starting = start(Arc::clone(&worker), count, first);
    let mut workers = tokio::spawn(starting).await.expect("nothing here panics");
    let mut result = Ok(());
    while let Some(joined) = workers.join_next().await {
        // Cases catch their panics; one out here breaks the harness itself.
        let worked = joined.expect("a worker panicked outside of a case");
        result = result.and(worked);
    }
    drop(alarm);
    result?;
    worker.finish().await
}

/// How many steps the last workers are started in, a millisecond or two each.
const STEPS: u64 = 24;

/// Starts `count` workers, of which as many as `first` as soon as can be: each yields until what
/// is ready was done, so that it has sent its request before the next is begun. The others
/// follow over some hundredths of a second, because what starts at once is answered at once:
/// the answers would come in one burst, then the next, and wait for each other to the end.
async fn start(worker: Arc<Worker>, count: u64, first: u64) -> JoinSet<Result<(), JournalError>> {
    let mut workers = JoinSet::new();
    let step = (count - first).div_ceil(STEPS).max(1);
    for number in 1..=count {
        workers.spawn(Arc::clone(&worker).work());
        if number > first && (number - first).is_multiple_of(step) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else {
            yield_now().await;
        }
    }
    workers
}

async fn time_out(halt: Halt, run_timeout: Duration, elapsed: Duration) {
    tokio::time::sleep(run_timeout.saturating_sub(elapsed)).await;
    let reason = format!("the time limit of the run, {run_timeout:?}, passed");
    halt.stop(Because::RunTimeout, reason);
}

/// What the workers share: each takes the next case until there is none.
struct Worker {
    plan: Arc<Plan>,
    dataset: Arc<Dataset>,
    casts: Vec<Cast>,
    journal: Arc<Journal>,
    clock: WallClock,
    cancel: CancellationToken,
    halt: Halt,
    /// Attempts that a provider's failure ended, before it is known whether the provider is
    /// down.
    held: Held,
    /// Attempts about which a judge was silent, before it is known whether its model is down.
    unjudged: Held,
    done: Done,
    progress: watch::Sender<Counts>,
    /// Place in the plan's order of the next case to look at.
    next: AtomicU64,
    failures_left: AtomicU64,
    /// Set when enough attempts failed, or the journal did.
    stop: AtomicBool,
}

impl Worker {
    /// Takes cases until there are no more. A finished attempt is recorded while the next case
    /// waits for its model: where many answers come at once, what recording costs would else
    /// make every other case's model be asked later.
    async fn work(self: Arc<Self>) -> Result<(), JournalError> {
        let mut finished = Vec::new();
        while let Some(case) = self.next_case() {
            let cast = &self.casts[case.variant as usize];
            let started = self.clock.now();
            let attempt = attempt(cast, &self.plan, &self.dataset, case);
            let recording = self.record_later(finished);
            let (mut tried, recorded) = tokio::join!(biased; attempt, recording);
            recorded?;
            tried.attempt.started = Some(started);
            finished = self.decide(tried);
        }
        self.record_all(finished).await
    }

    /// The next case that is not recorded yet, unless no more start.
    fn next_case(&self) -> Option<Case> {
        while !self.is_over() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let case = self.plan.grid().case(index)?;
            if self.plan.is_planned(index) && !self.done.contains(index) {
                return Some(case);
            }
        }
        None
    }

    /// Whether no more cases start.
    fn is_over(&self) -> bool {
        self.cancel.is_cancelled()
            || self.halt.reason().is_some()
            || self.stop.load(Ordering::Acquire)
    }

    /// What is to be recorded now that an attempt ended: it is, with those that were held back
    /// until an attempt got somewhere, or it is held back itself, or forgotten.
    ///
    /// This comes before the next case starts, so that it knows of the failures so far.
    fn decide(&self, tried: Tried) -> Vec<Attempt<Run>> {
        let Tried { attempt, heard } = tried;
        let variant = attempt.case.variant as usize;
        if is_of_a_provider(&attempt) {
            // The reason came before the attempt's end, or with it.
            return match self.halt.reason() {
                Some(_) => Vec::new(),
                None => self.held.hold(variant, attempt).into_iter().collect(),
            };
        }
        let is_silent = heard == Heard::Silence;
        // What was not judged because the run ends, resuming makes again.
        if heard == Heard::TheEnd || (is_silent && self.halt.reason().is_some()) {
            return Vec::new();
        }
        if attempt.verdict() == Verdict::Failed
            && self.failures_left.fetch_sub(1, Ordering::AcqRel) <= 1
        {
            self.stop.store(true, Ordering::Release);
        }
        let is_answered = is_answered(attempt.outcome);
        let mut decided = Vec::new();
        match is_silent {
            true => decided.extend(self.unjudged.hold(variant, attempt)),
            false => decided.push(attempt),
        }
        if heard == Heard::Answers {
            decided.extend(self.unjudged.take(variant));
        }
        if is_answered {
            decided.extend(self.held.take(variant));
        }
        decided
    }

    /// Records behind whatever else there is to do, the requests of other cases first of all.
    async fn record_later(&self, attempts: Vec<Attempt<Run>>) -> Result<(), JournalError> {
        if !attempts.is_empty() {
            yield_now().await;
        }
        self.record_all(attempts).await
    }

    async fn record_all(&self, attempts: Vec<Attempt<Run>>) -> Result<(), JournalError> {
        for attempt in attempts {
            if let Err(error) = self.record(&attempt).await {
                self.stop.store(true, Ordering::Release);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn record(&self, attempt: &Attempt<Run>) -> Result<(), JournalError> {
        self.journal.append(attempt).await?;
        self.progress.send_modify(|counts| counts.record(attempt));
        Ok(())
    }

    /// Decides about what is held back, and says how it all ended.
    async fn finish(&self) -> Result<Summary, JournalError> {
        let planned = self.plan.planned();
        let recorded = || self.progress.borrow().recorded();
        let halted = self.halt.reason();
        // With every case made, or stopped for another reason than errors, errors are results.
        let all = recorded() + self.held.count() + self.unjudged.count() == planned;
        if halted.is_none() && (all || !self.cancel.is_cancelled()) {
            for variant in 0..self.plan.variants.len() {
                let held = self.held.take(variant);
                for held in held.into_iter().chain(self.unjudged.take(variant)) {
                    self.record(&held).await?;
                }
            }
        }
        let (because, halted) = if recorded() == planned {
            (EndReason::Complete, None)
        } else if let Some(halted) = halted {
            (EndReason::Halted, Some(halted.clone()))
        } else if self.cancel.is_cancelled() {
            (EndReason::Cancelled, None)
        } else {
            (EndReason::MaxFailures, None)
        };
        Ok(Summary {
            because,
            halted,
            counts: self.progress.borrow().clone(),
        })
    }
}

/// Whether an attempt ended because a model could not be asked, with nothing to say about the
/// agent.
fn is_of_a_provider(attempt: &Attempt<Run>) -> bool {
    let outcome = matches!(
        attempt.outcome,
        Outcome::Provider | Outcome::Simulator | Outcome::Cancelled | Outcome::Budget
    );
    outcome && attempt.verdict() == Verdict::Unscored
}

/// Whether an attempt that ended like that shows that its models answer.
fn is_answered(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Finished | Outcome::StepLimit | Outcome::Protocol | Outcome::Unmatched => true,
        Outcome::Timeout
        | Outcome::Provider
        | Outcome::Harness
        | Outcome::Simulator
        | Outcome::Cancelled
        | Outcome::Budget => false,
    }
}

#[cfg(test)]
mod halts;
#[cfg(test)]
mod tests;
