//! Several questions at once.

/// P-values that may be held against one level although several questions were asked, in the
/// order given.
///
/// With them the chance of any false alarm, whichever and however many of the `p` belong to
/// something that did not change, is at most that level; the questions may depend on each
/// other.
/// Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
/// Journal of Statistics 6 (1979), 65–70.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut floor: f64 = 0.0;
    for (step, i) in ascending(p).into_iter().enumerate() {
        floor = floor.max((p.len() - step) as f64 * p[i]).min(1.0);
        adjusted[i] = floor;
    }
    adjusted
}

/// The level at which the bound of each question is taken, in the order given.
///
/// The question with the `i`-th smallest of `m` p-values is asked at `alpha / (m - i + 1)`,
/// as long as those before it were answered with yes; once one was not, it and all after it
/// keep its level. So a bound excludes 0 exactly where [`holm`] is at most `alpha`, if the
/// bound at a level excludes 0 exactly where `p` is at most that level.
/// Source: as of [`holm`]; for the bounds of what was not rejected, K. Strassburger and
/// F. Bretz, "Compatible simultaneous lower confidence bounds for the Holm procedure and
/// other Bonferroni-based closed tests", Statistics in Medicine 27 (2008), 4914–4927.
pub fn holm_levels(p: &[f64], alpha: f64) -> Vec<f64> {
    let mut levels = vec![0.0; p.len()];
    let mut rejected = 0;
    for (step, i) in ascending(p).into_iter().enumerate() {
        levels[i] = alpha / (p.len() - rejected) as f64;
        if rejected == step && p[i] <= levels[i] {
            rejected += 1;
        }
    }
    levels
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn adjusted_values_equal_those_of_statsmodels() {
        // statsmodels 0.15: `multipletests(p, 0.05, method="holm")[1]`.
        for (p, adjusted) in [
            (&[][..], &[][..]),
            (&[0.9], &[0.9]),
            (&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]),
            (&[0.02, 0.02, 0.02], &[0.06, 0.06, 0.06]),
            (
                &[0.5, 0.001, 0.2, 0.04, 0.012],
                &[0.5, 0.005, 0.4, 0.12, 0.048],
            ),
            (&[0.0125, 0.017, 0.024, 0.06], &[0.05, 0.051, 0.051, 0.06]),
        ] {
            let found = holm(p);
            assert_eq!(found.len(), adjusted.len());
            for (found, adjusted) in found.iter().zip(adjusted) {
                assert!((found - adjusted).abs() < 1e-12, "{p:?}: {found}");
            }
        }
    }

    #[test]
    fn the_level_of_a_bound_grows_with_each_yes_and_no_further() {
        for (p, levels) in [
            (&[0.5][..], &[0.05][..]),
            (&[0.01, 0.02, 0.04], &[0.05 / 3.0, 0.05 / 2.0, 0.05]),
            (&[0.04, 0.03, 0.001], &[0.025, 0.025, 0.05 / 3.0]),
            (&[0.2, 0.3, 0.4], &[0.05 / 3.0; 3]),
        ] {
            assert_eq!(holm_levels(p, 0.05), levels, "{p:?}");
        }
    }

    proptest! {
        #[test]
        fn a_level_and_an_adjusted_value_say_the_same(
            p in prop::collection::vec(0.0f64..=1.0, 1..8), alpha in 0.001f64..0.4
        ) {
            // Values near the level, where it matters.
            let p: Vec<f64> = p.iter().map(|p| p * alpha).collect();
            for ((p, adjusted), level) in p.iter().zip(holm(&p)).zip(holm_levels(&p, alpha)) {
                prop_assert!(adjusted >= *p);
                // Where a product is the level but for its rounding, either may be.
                prop_assume!((adjusted - alpha).abs() > 1e-12);
                prop_assert_eq!(adjusted <= alpha, *p <= level);
            }
        }

        #[test]
        fn the_order_of_questions_changes_nothing(
            p in prop::collection::vec(0.0f64..=1.0, 1..8), turn in 0usize..8
        ) {
            let turn = turn % p.len();
            let (mut turned, mut adjusted) = (p.clone(), holm(&p));
            turned.rotate_left(turn);
            adjusted.rotate_left(turn);
            prop_assert_eq!(holm(&turned), adjusted);
        }
    }
}
