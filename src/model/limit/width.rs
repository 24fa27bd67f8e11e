//! How many requests may be in flight: fewer once a provider has too much to do, and more
//! again step by step.

/// Additive increase, multiplicative decrease, between 1 and where it started.
///
/// Source: D.-M. Chiu and R. Jain, "Analysis of the increase and decrease algorithms for
/// congestion avoidance in computer networks", Computer Networks and ISDN Systems 17 (1989),
/// 1–14.
#[derive(Debug)]
pub struct Width {
    most: usize,
    now: usize,
    /// Replies since the last change.
    replies: usize,
    /// Requests from this number on were sent after the last decrease.
    decreased_before: u64,
}

impl Width {
    pub fn new(most: usize) -> Width {
        Width {
            most,
            now: most,
            replies: 0,
            decreased_before: 0,
        }
    }

    pub fn now(&self) -> usize {
        self.now
    }

    /// A reply came: one more may be in flight after as many of them as there may be now.
    pub fn replied(&mut self) {
        self.replies += 1;
        if self.replies >= self.now {
            self.replies = 0;
            self.now = (self.now + 1).min(self.most);
        }
    }

    /// The provider had too much to do for the request of this `number`, with requests below
    /// `sent` on their way. What was on its way at the last decrease tells nothing new.
    pub fn overloaded(&mut self, number: u64, sent: u64) {
        if number >= self.decreased_before {
            self.now = (self.now / 2).max(1);
            self.replies = 0;
            self.decreased_before = sent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_once_a_round_trip_and_never_below_one() {
        let mut width = Width::new(64);
        for (number, sent, now) in [
            // 64 fail together: one decrease.
            (0, 64, 32),
            (1, 64, 32),
            (63, 80, 32),
            // Sent after it.
            (64, 96, 16),
            (80, 96, 16),
            (95, 96, 16),
            (96, 100, 8),
            (100, 101, 4),
            (101, 102, 2),
            (102, 103, 1),
            (103, 104, 1),
        ] {
            width.overloaded(number, sent);
            assert_eq!(width.now(), now, "request {number}");
        }
    }

    #[test]
    fn it_grows_by_one_after_as_many_replies_as_it_is_wide_and_never_above_the_start() {
        let mut width = Width::new(8);
        width.overloaded(0, 8);
        assert_eq!(width.now(), 4);
        let mut wide = Vec::new();
        for _ in 0..40 {
            width.replied();
            wide.push(width.now());
        }
        let first = |now| wide.iter().position(|&wide| wide == now).map(|at| at + 1);
        assert_eq!(
            [5, 6, 7, 8].map(first),
            [Some(4), Some(9), Some(15), Some(22)]
        );
        assert_eq!(wide.last(), Some(&8));
    }

    #[test]
    fn a_decrease_begins_the_count_of_replies_anew() {
        let mut width = Width::new(4);
        width.overloaded(0, 4);
        width.replied();
        width.overloaded(4, 5);
        assert_eq!(width.now(), 1);
        width.replied();
        assert_eq!(width.now(), 2);
        width.replied();
        assert_eq!(width.now(), 2);
    }
}
