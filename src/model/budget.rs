//! A limit on what may be spent, which holds however many calls are in flight.
//!
//! A call reserves the most that it can cost before it is sent, and settles what it did cost
//! once that is known. What is spent and what is reserved never exceed the limit together, so
//! no order of answers can; unless a provider counts more tokens than a call could have, which
//! is counted as it is and stops everything after it.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::run::Cost;

/// Shared by every model of a run.
#[derive(Debug)]
pub struct Budget {
    limit: Cost,
    sums: Mutex<Sums>,
    /// Told whenever a reservation ends.
    ended: Notify,
}

#[derive(Debug)]
struct Sums {
    spent: Cost,
    reserved: Cost,
}

/// The most that one call can cost, set aside. Dropped without having been settled or released
/// it counts as spent: a call whose answer nobody saw may have been billed.
#[derive(Debug)]
#[must_use = "dropped, all of it counts as spent"]
pub struct Reservation {
    budget: Arc<Budget>,
    most: Cost,
    ended: bool,
}

impl Budget {
    /// A budget of `limit`, of which `spent` is gone already.
    pub fn new(limit: Cost, spent: Cost) -> Arc<Budget> {
        let sums = Sums {
            spent,
            reserved: Cost::ZERO,
        };
        Arc::new(Budget {
            limit,
            sums: Mutex::new(sums),
            ended: Notify::new(),
        })
    }

    pub fn limit(&self) -> Cost {
        self.limit
    }

    /// What is gone, earlier sittings included, and calls whose cost nobody knows at their most.
    pub fn spent(&self) -> Cost {
        self.sums().spent
    }

    /// Counts what was paid before, by earlier sittings.
    pub fn count(&self, spent: Cost) {
        let mut sums = self.sums();
        sums.spent = sums.spent.plus(spent);
    }

    /// Sets `most` aside, or `None` where it does not fit beside what is spent and what calls in
    /// flight have set aside.
    pub fn reserve(self: &Arc<Self>, most: Cost) -> Option<Reservation> {
        let mut sums = self.sums();
        self.fits(sums.spent.plus(sums.reserved), most).then(|| {
            sums.reserved = sums.reserved.plus(most);
            Reservation {
                budget: Arc::clone(self),
                most,
                ended: false,
            }
        })
    }

    /// Waits until `most` fits: calls in flight mostly cost less than they set aside. `None`
    /// once it cannot fit any more whatever they come to.
    pub async fn reserve_when_it_fits(self: &Arc<Self>, most: Cost) -> Option<Reservation> {
        loop {
            // Before looking, so that what ends in between is not missed.
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if let Some(reservation) = self.reserve(most) {
                return Some(reservation);
            }
            if !self.fits(self.spent(), most) {
                return None;
            }
            ended.await;
        }
    }

    /// Whether `most` may be spent beside what is `gone`. What costs nothing always may.
    fn fits(&self, gone: Cost, most: Cost) -> bool {
        let sum = gone.trillionths().checked_add(most.trillionths());
        most == Cost::ZERO || sum.is_some_and(|sum| sum <= self.limit.trillionths())
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().expect("no holder panics")
    }
}

impl Reservation {
    /// Ends in what the call cost; `None` where that is not known, and all of it counts as spent.
    pub fn settle(mut self, actual: Option<Cost>) {
        self.end(actual.unwrap_or(self.most));
    }

    /// Gives all of it back: nothing was sent, or a provider refused without working.
    pub fn release(mut self) {
        self.end(Cost::ZERO);
    }

    fn end(&mut self, actual: Cost) {
        if self.ended {
            return;
        }
        self.ended = true;
        let mut sums = self.budget.sums();
        let reserved = sums.reserved.trillionths() - self.most.trillionths();
        sums.reserved = Cost::of_trillionths(reserved);
        sums.spent = sums.spent.plus(actual);
        drop(sums);
        self.budget.ended.notify_waiters();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost(trillionths: u64) -> Cost {
        Cost::of_trillionths(trillionths)
    }

    #[test]
    fn what_does_not_fit_is_not_reserved() {
        let budget = Budget::new(cost(10), cost(2));
        let five = budget.reserve(cost(5)).expect("5 of 8");
        assert!(budget.reserve(cost(4)).is_none());
        let three = budget.reserve(cost(3)).expect("the last 3");
        five.settle(Some(cost(1)));
        assert_eq!(budget.spent(), cost(3));
        assert!(budget.reserve(cost(5)).is_none());
        three.release();
        assert_eq!(budget.spent(), cost(3));
        budget.reserve(cost(7)).expect("all that is left").release();
        assert!(budget.reserve(cost(u64::MAX)).is_none());
    }

    #[test]
    fn a_call_whose_cost_is_unknown_is_counted_at_its_most() {
        let budget = Budget::new(cost(10), Cost::ZERO);
        budget.reserve(cost(4)).expect("4 of 10").settle(None);
        drop(budget.reserve(cost(5)).expect("5 of 6"));
        assert_eq!(budget.spent(), cost(9));
    }

    #[test]
    fn more_than_was_set_aside_is_counted_as_it_is() {
        let budget = Budget::new(cost(10), Cost::ZERO);
        let call = budget.reserve(cost(5)).expect("5 of 10");
        call.settle(Some(cost(50)));
        assert_eq!(budget.spent(), cost(50));
        assert!(budget.reserve(cost(1)).is_none());
    }

    #[test]
    fn what_costs_nothing_fits_into_nothing() {
        let budget = Budget::new(Cost::ZERO, cost(5));
        budget.reserve(Cost::ZERO).expect("it is free").release();
        assert!(budget.reserve(cost(1)).is_none());
    }

    #[tokio::test]
    async fn a_call_waits_for_those_in_flight_and_no_longer_than_there_is_hope() {
        let budget = Budget::new(cost(10), Cost::ZERO);
        let first = budget.reserve(cost(8)).expect("8 of 10");
        let waiting = [5, 9].map(|most| {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { budget.reserve_when_it_fits(cost(most)).await.is_some() })
        });
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|task| !task.is_finished()));
        first.settle(Some(cost(4)));
        let mut fits = Vec::new();
        for task in waiting {
            fits.push(task.await.expect("it does not panic"));
        }
        // 5 beside 4 fits; 9 cannot any more.
        assert_eq!(fits, [true, false]);
    }

    /// Many tasks on several threads, each of which costs up to what it reserves.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_limit_holds_at_any_concurrency() {
        let budget = Budget::new(cost(1_000), Cost::ZERO);
        let tasks: Vec<_> = (0..256u64)
            .map(|n| {
                let budget = Arc::clone(&budget);
                tokio::spawn(async move {
                    let mut cost_of_task = 0;
                    while let Some(call) = budget.reserve_when_it_fits(cost(20)).await {
                        tokio::task::yield_now().await;
                        let actual = n % 20 + 1;
                        cost_of_task += actual;
                        call.settle(Some(cost(actual)));
                    }
                    cost_of_task
                })
            })
            .collect();
        let mut total = 0;
        for task in tasks {
            total += task.await.expect("it does not panic");
        }
        assert_eq!(budget.spent(), cost(total));
        assert!(total <= 1_000, "{total}");
        assert!(total > 1_000 - 20, "all that could be spent was: {total}");
    }

    proptest! {
        #[test]
        fn spent_and_reserved_never_exceed_the_limit(
            limit in 0u64..1_000,
            calls in prop::collection::vec((0u64..300, 0u64..=100, any::<bool>()), 0..60),
        ) {
            let budget = Budget::new(cost(limit), Cost::ZERO);
            let mut in_flight = Vec::new();
            for (most, share, wait) in calls {
                if let Some(call) = budget.reserve(cost(most)) {
                    in_flight.push((call, most * share / 100));
                }
                if !wait && !in_flight.is_empty() {
                    let (call, actual) = in_flight.swap_remove(0);
                    call.settle(Some(cost(actual)));
                }
                let sums = budget.sums();
                prop_assert!(sums.spent.plus(sums.reserved) <= cost(limit));
            }
        }
    }
}
