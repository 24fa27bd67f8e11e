//! How often an example passes, when it is attempted more than once.

/// The chance that at least one of `k` attempts passes, after `passed` of `attempts` did.
///
/// `1 - C(n-c, k) / C(n, k)`, which has no bias. `None` where fewer than `k` attempts were
/// made, and where `k` is 0: what was not tried often enough is not known, least of all 1.
/// Source: M. Chen et al., "Evaluating large language models trained on code",
/// arXiv 2107.03374 (2021), section 2.1.
///
/// # Panics
/// If `passed` is more than `attempts`.
pub fn pass_at_k(attempts: u32, passed: u32, k: u32) -> Option<f64> {
    assert!(
        passed <= attempts,
        "{passed} of {attempts} attempts cannot pass"
    );
    Some(1.0 - chosen_from(attempts, attempts - passed, k)?)
}

/// The chance that all of `k` attempts pass (pass^k), after `passed` of `attempts` did.
///
/// `C(c, k) / C(n, k)`, which has no bias. `None` as of [`pass_at_k`].
/// Source: S. Yao et al., "τ-bench: a benchmark for tool-agent-user interaction in real-world
/// domains", arXiv 2406.12045 (2024), section 3.
///
/// # Panics
/// If `passed` is more than `attempts`.
pub fn pass_hat_k(attempts: u32, passed: u32, k: u32) -> Option<f64> {
    assert!(
        passed <= attempts,
        "{passed} of {attempts} attempts cannot pass"
    );
    chosen_from(attempts, passed, k)
}

/// The chance that `k` drawn from `all` without replacement are all among `some`.
fn chosen_from(all: u32, some: u32, k: u32) -> Option<f64> {
    (1..=all).contains(&k).then(|| {
        (0..k)
            .map(|drawn| f64::from(some.saturating_sub(drawn)) / f64::from(all - drawn))
            .product()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chances_are_those_of_combinations() {
        // python: `1 - comb(n-c, k)/comb(n, k)`, `comb(c, k)/comb(n, k)`.
        for ((attempts, passed, k), at, hat) in [
            ((5, 3, 1), 0.6, 0.6),
            ((5, 3, 2), 0.9, 0.3),
            ((5, 3, 3), 1.0, 0.1),
            ((10, 4, 5), 0.9761904761904762, 0.0),
            ((200, 13, 100), 0.9999194971988055, 0.0),
            ((3, 3, 3), 1.0, 1.0),
            ((4, 0, 2), 0.0, 0.0),
        ] {
            let found_at = pass_at_k(attempts, passed, k).unwrap();
            let found_hat = pass_hat_k(attempts, passed, k).unwrap();
            assert!((found_at - at).abs() < 1e-12, "{found_at}");
            assert!((found_hat - hat).abs() < 1e-12, "{found_hat}");
        }
    }

    #[test]
    fn what_was_not_tried_often_enough_is_not_known() {
        for (attempts, passed, k) in [(0, 0, 1), (2, 2, 3), (2, 0, 3), (3, 3, 0)] {
            assert_eq!(pass_at_k(attempts, passed, k), None);
            assert_eq!(pass_hat_k(attempts, passed, k), None);
        }
    }

    proptest! {
        #[test]
        fn more_attempts_pass_at_least_once_more_often_and_all_less_often(
            attempts in 1u32..40, share in 0.0f64..=1.0, k in 1u32..40
        ) {
            let passed = (f64::from(attempts) * share) as u32;
            let k = k.min(attempts);
            let (at, hat) = (pass_at_k(attempts, passed, k), pass_hat_k(attempts, passed, k));
            let (at, hat) = (at.unwrap(), hat.unwrap());
            let rate = f64::from(passed) / f64::from(attempts);
            prop_assert!(0.0 <= hat && hat <= rate + 1e-12);
            prop_assert!(rate <= at + 1e-12 && at <= 1.0);
            // What fails at least once is what does not pass every time.
            let failing = pass_at_k(attempts, attempts - passed, k).unwrap();
            prop_assert!((failing + hat - 1.0).abs() < 1e-12);
        }
    }
}
