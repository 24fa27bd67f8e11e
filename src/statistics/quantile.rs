//! Quantiles of measured numbers.

/// The value below which the share `q` of the numbers lies, interpolated between the two
/// nearest; the unit is that of the numbers, in any order. `None` without numbers.
///
/// This is definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical
/// packages", The American Statistician 50 (1996), 361–365: the default of numpy and R.
///
/// # Panics
/// If `q` is outside [0, 1].
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

pub(super) fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&q), "{q} is not a share");
    let last = sorted.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let part = position - below as f64;
    // Weights on both sides rather than a difference, which could overflow.
    Some(sorted[below] * (1.0 - part) + sorted[above] * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_equal_those_of_numpy() {
        // numpy.quantile([15, 20, 35, 40, 50], q)
        let values = [40.0, 15.0, 50.0, 20.0, 35.0];
        for (q, expected) in [
            (0.0, 15.0),
            (0.05, 16.0),
            (0.4, 29.0),
            (0.5, 35.0),
            (0.95, 48.0),
            (1.0, 50.0),
        ] {
            let found = quantile(&values, q).unwrap();
            assert!((found - expected).abs() < 1e-12, "{q}: {found}");
        }
        assert_eq!(quantile(&[7.0], 0.95), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
