//! A sum that does not depend on the order of its parts.

/// Adds scores from 0 to 1 as whole multiples of 2⁻⁵².
///
/// Floating-point addition rounds by order, and attempts finish in any order; whole numbers
/// do not. A score loses at most 2⁻⁵³; 2⁷⁴ of them fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedSum {
    units: i128,
    count: u64,
}

const UNIT: f64 = (1u64 << 52) as f64;

impl FixedSum {
    /// # Panics
    /// If the score is outside [0, 1].
    pub fn add(&mut self, score: f64) {
        assert!(
            (0.0..=1.0).contains(&score),
            "a score is from 0 to 1, not {score}"
        );
        self.units += (score * UNIT).round() as i128;
        self.count += 1;
    }

    /// Adds all that another sum holds.
    pub fn merge(&mut self, other: FixedSum) {
        self.units += other.units;
        self.count += other.count;
    }

    /// How many scores were added.
    pub fn count(self) -> u64 {
        self.count
    }

    pub fn sum(self) -> f64 {
        self.units as f64 / UNIT
    }

    /// `None` where nothing was added.
    pub fn mean(self) -> Option<f64> {
        // Rounding could carry a mean of ones above 1 only if the sum were rounded up.
        (self.count > 0).then(|| (self.sum() / self.count as f64).min(1.0))
    }
}

impl Extend<f64> for FixedSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, scores: I) {
        scores.into_iter().for_each(|score| self.add(score));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum_of(scores: &[f64]) -> FixedSum {
        let mut sum = FixedSum::default();
        sum.extend(scores.iter().copied());
        sum
    }

    #[test]
    fn means_of_simple_scores_are_exact() {
        for (scores, mean) in [
            (&[][..], None),
            (&[1.0, 1.0, 1.0], Some(1.0)),
            (&[1.0, 0.0, 0.0, 1.0], Some(0.5)),
            (&[0.25, 0.75], Some(0.5)),
            (&[0.0], Some(0.0)),
        ] {
            assert_eq!(sum_of(scores).mean(), mean, "{scores:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a score is from 0 to 1")]
    fn what_is_not_a_number_is_refused() {
        FixedSum::default().add(f64::NAN);
    }

    proptest! {
        #[test]
        fn a_sum_is_the_same_in_any_order_and_grouping(
            scores in prop::collection::vec(0.0f64..=1.0, 0..40), turn in 0usize..40
        ) {
            let whole = sum_of(&scores);
            let (left, right) = scores.split_at(turn.min(scores.len()));
            let mut turned = sum_of(right);
            turned.merge(sum_of(left));
            prop_assert_eq!(whole, turned);
            prop_assert!((whole.sum() - scores.iter().sum::<f64>()).abs() < 1e-12);
        }
    }
}
