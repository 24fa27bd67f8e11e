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
