//! What the sittings of an experiment came to, beside their attempts: money, and traffic.

use std::collections::BTreeMap;

use crate::experiment::record::{Ended, RecordingUse};
use crate::model::limit::Traffic;
use crate::run::{Cost, Usage};

/// Kept while a journal is read, over all sittings met so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// What sittings spent that are over; `None` once that is not known of any.
    over: Option<Cost>,
    /// What the attempts of the sitting that goes on cost.
    sitting: Option<Cost>,
    traffic: BTreeMap<String, Traffic>,
    recording: Option<RecordingUse>,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            over: Some(Cost::ZERO),
            sitting: Some(Cost::ZERO),
            traffic: BTreeMap::new(),
            recording: None,
        }
    }
}

impl Ledger {
    /// What was spent on calls, those among them that no attempt of the journal holds: failed
    /// ones, and those of attempts that were given up. `None` where the price of any is not
    /// known.
    ///
    /// Of a sitting that was killed it is what its attempts cost: less than it spent by the
    /// calls of the attempts that it was in the middle of.
    pub fn spent(&self) -> Option<Cost> {
        plus(self.over, self.sitting)
    }

    /// By account, over all sittings that ended in order.
    pub fn traffic(&self) -> &BTreeMap<String, Traffic> {
        &self.traffic
    }

    /// What came from recordings, and went into one; `replayed_from` is the last's.
    pub fn recording(&self) -> Option<&RecordingUse> {
        self.recording.as_ref()
    }

    /// A sitting begins; one that did not end was killed.
    pub(super) fn begin(&mut self) {
        self.over = self.spent();
        self.sitting = Some(Cost::ZERO);
    }

    pub(super) fn attempt(&mut self, usage: &Usage) {
        self.sitting = plus(self.sitting, usage.cost());
    }

    pub(super) fn end(&mut self, ended: &Ended) {
        // What an attempt cost may have been replayed; what a sitting spent was not.
        self.over = plus(self.over, ended.spent);
        self.sitting = Some(Cost::ZERO);
        for (account, traffic) in &ended.traffic {
            self.traffic
                .entry(account.clone())
                .or_default()
                .add(traffic);
        }
        let Some(later) = &ended.recording else {
            return;
        };
        let recording = self.recording.get_or_insert_with(|| RecordingUse {
            replayed_from: None,
            variants: BTreeMap::new(),
        });
        recording.replayed_from = later.replayed_from.or(recording.replayed_from);
        for (variant, traffic) in &later.variants {
            let sum = recording.variants.entry(variant.clone()).or_default();
            sum.add(traffic);
        }
    }
}

fn plus(one: Option<Cost>, other: Option<Cost>) -> Option<Cost> {
    one.zip(other).map(|(one, other)| one.plus(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::record::EndReason;
    use crate::model::record;
    use crate::run::{ModelRole, TokenUsage};

    fn usage(cost: Option<u64>) -> Usage {
        let mut usage = Usage::default();
        let tokens = TokenUsage {
            cost: cost.map(Cost::of_trillionths),
            ..TokenUsage::default()
        };
        usage.record(ModelRole::Agent, tokens);
        usage
    }

    fn ended(spent: Option<u64>) -> Ended {
        Ended {
            at: jiff::Timestamp::UNIX_EPOCH,
            because: EndReason::Cancelled,
            attempts: 0,
            halted: None,
            traffic: BTreeMap::new(),
            recording: None,
            spent: spent.map(Cost::of_trillionths),
        }
    }

    fn spent(ledger: &Ledger) -> Option<u64> {
        ledger.spent().map(Cost::trillionths)
    }

    #[test]
    fn a_sitting_spent_what_it_says_and_a_killed_one_what_its_attempts_cost() {
        let mut ledger = Ledger::default();
        assert_eq!(spent(&ledger), Some(0));
        ledger.begin();
        ledger.attempt(&usage(Some(10)));
        assert_eq!(spent(&ledger), Some(10));
        // Calls of attempts that were given up.
        ledger.end(&ended(Some(15)));
        assert_eq!(spent(&ledger), Some(15));
        // Killed.
        ledger.begin();
        ledger.attempt(&usage(Some(3)));
        ledger.begin();
        assert_eq!(spent(&ledger), Some(18));
        // Replayed.
        ledger.attempt(&usage(Some(100)));
        ledger.end(&ended(Some(0)));
        assert_eq!(spent(&ledger), Some(18));
    }

    #[test]
    fn what_one_sitting_spent_may_be_unknown_and_is_then_of_all() {
        let mut unpriced = Ledger::default();
        unpriced.begin();
        unpriced.attempt(&usage(None));
        assert_eq!(spent(&unpriced), None);
        unpriced.begin();
        unpriced.end(&ended(Some(1)));
        assert_eq!(spent(&unpriced), None);
        let mut untold = Ledger::default();
        untold.begin();
        untold.attempt(&usage(Some(1)));
        untold.end(&ended(None));
        assert_eq!(spent(&untold), None);
    }

    #[test]
    fn traffic_and_replays_of_sittings_are_put_together() {
        let traffic = |requests, most, fewest| Traffic {
            requests,
            most_in_flight: most,
            fewest_allowed: fewest,
            cost: Some(Cost::of_trillionths(requests)),
            ..Traffic::default()
        };
        let replay = |replayed| record::Traffic {
            replayed,
            ..record::Traffic::default()
        };
        let mut ledger = Ledger::default();
        for (asked, replayed) in [(traffic(5, 4, 2), replay(1)), (traffic(7, 3, 3), replay(2))] {
            let mut ended = ended(Some(0));
            ended.traffic = BTreeMap::from([("a".to_owned(), asked)]);
            ended.recording = Some(RecordingUse {
                replayed_from: Some(jiff::Timestamp::UNIX_EPOCH),
                variants: BTreeMap::from([("v".to_owned(), replayed)]),
            });
            ledger.begin();
            ledger.end(&ended);
        }
        assert_eq!(ledger.traffic()["a"], traffic(12, 4, 2));
        let recording = ledger.recording().expect("there is one");
        assert_eq!(recording.variants["v"].replayed, 3);
        assert!(recording.replayed_from.is_some());
    }
}
