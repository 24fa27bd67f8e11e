//! Agreement of raters beyond what chance would give.

use std::collections::BTreeMap;

/// Cohen's kappa: how far two raters agree on unordered categories, from -1 to 1; 0 is what
/// two who guess with the same frequencies would reach.
///
/// `matrix[one][other]` counts the items that the first rater put into category `one` and
/// the second into `other`. `None` without an item, and where both put all items into one
/// and the same category: then chance alone would agree on everything, and nothing can be
/// told from it.
/// Source: J. Cohen, "A coefficient of agreement for nominal scales", Educational and
/// Psychological Measurement 20 (1960), 37–46.
pub fn cohen_kappa<const CATEGORIES: usize>(
    matrix: &[[u64; CATEGORIES]; CATEGORIES],
) -> Option<f64> {
    // Whole numbers, so that agreement by chance is told from agreement exactly.
    let items: u128 = matrix.iter().flatten().map(|&n| u128::from(n)).sum();
    let agreed: u128 = (0..CATEGORIES).map(|c| u128::from(matrix[c][c])).sum();
    let by_chance: u128 = (0..CATEGORIES)
        .map(|c| {
            let one: u128 = matrix[c].iter().map(|&n| u128::from(n)).sum();
            let other: u128 = matrix.iter().map(|row| u128::from(row[c])).sum();
            one * other
        })
        .sum();
    if items == 0 || by_chance == items * items {
        return None;
    }
    let agreed = agreed as f64 / items as f64;
    let by_chance = by_chance as f64 / (items as f64 * items as f64);
    Some((agreed - by_chance) / (1.0 - by_chance))
}

/// What the order of categories means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing: any two differ alike.
    Nominal,
    /// They are ranks, from the lowest: two differ by how many ratings lie between them.
    Ordinal,
}

/// Krippendorff's alpha: how far any number of raters agree, from below 0 to 1; 0 is what
/// ratings that were dealt out at random would reach.
///
/// Each unit that was rated is given as how many raters put it into each category, and how
/// many such units there are; it does not matter who they are, nor that units have different
/// numbers of them. A unit with fewer than two ratings has nothing to agree with, and
/// counts for nothing. The result does not depend on the order of units.
///
/// `None` where no two ratings can be compared, or all that can are equal: without variation
/// there is no telling agreement from habit, and neither 0 nor 1 would be true.
/// Source: K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), Annenberg
/// School for Communication Departmental Papers 43.
pub fn krippendorff_alpha<const CATEGORIES: usize>(
    units: impl IntoIterator<Item = ([u64; CATEGORIES], u64)>,
    level: Level,
) -> Option<f64> {
    // Whole numbers by how many ratings a unit has, which is what its pairs are divided by:
    // floating-point sums would depend on the order of units.
    let mut pairs: BTreeMap<u64, [[u64; CATEGORIES]; CATEGORIES]> = BTreeMap::new();
    let mut ratings = [0; CATEGORIES];
    for (counts, times) in units {
        let raters: u64 = counts.iter().sum();
        if raters < 2 {
            continue;
        }
        let pairs = pairs.entry(raters).or_insert([[0; CATEGORIES]; CATEGORIES]);
        for (one, other) in categories::<CATEGORIES>() {
            // Nobody is paired with their own rating.
            let others = counts[other].saturating_sub(u64::from(one == other));
            pairs[one][other] += counts[one] * others * times;
        }
        for (sum, count) in ratings.iter_mut().zip(counts) {
            *sum += count * times;
        }
    }
    let (mut observed, mut expected) = (0.0, 0.0);
    for (one, other) in categories::<CATEGORIES>() {
        let difference = squared_difference(&ratings, one, other, level);
        let pairs = pairs
            .iter()
            .map(|(raters, pairs)| pairs[one][other] as f64 / (raters - 1) as f64);
        observed += pairs.sum::<f64>() * difference;
        expected += ratings[one] as f64 * ratings[other] as f64 * difference;
    }
    let total: u64 = ratings.iter().sum();
    (expected > 0.0).then(|| 1.0 - (total - 1) as f64 * observed / expected)
}

fn categories<const CATEGORIES: usize>() -> impl Iterator<Item = (usize, usize)> {
    (0..CATEGORIES).flat_map(|one| (0..CATEGORIES).map(move |other| (one, other)))
}

fn squared_difference(ratings: &[u64], one: usize, other: usize, level: Level) -> f64 {
    match level {
        Level::Nominal => f64::from(u8::from(one != other)),
        Level::Ordinal => {
            let (low, high) = (one.min(other), one.max(other));
            let between: u64 = ratings[low..=high].iter().sum();
            let ends = (ratings[low] + ratings[high]) as f64 / 2.0;
            (between as f64 - ends).powi(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two<const N: usize>(matrix: [[u64; N]; N]) -> Option<f64> {
        cohen_kappa(&matrix)
    }

    #[test]
    fn kappa_is_that_of_scikit_learn_and_statsmodels() {
        // `cohen_kappa_score(one, other)` of scikit-learn 1.9.1, with each cell's categories
        // repeated as often as the cell says; `cohens_kappa(matrix).kappa` of statsmodels
        // 0.15.0 gives the same but for the last digit. The first is the example of many
        // textbooks, the second and third are pairs of equal observed agreement.
        for (found, expected) in [
            (two([[20, 5], [10, 15]]), 0.4),
            (two([[45, 15], [25, 15]]), 0.13043478260869568),
            (two([[25, 35], [5, 35]]), 0.2592592592592593),
            (two([[78, 9], [14, 79]]), 0.7446336047372317),
            (two([[0, 10], [10, 0]]), -1.0),
            (two([[30, 0], [0, 30]]), 1.0),
            (
                two([[88, 14, 18], [10, 40, 10], [2, 6, 12]]),
                0.4915254237288136,
            ),
            (two([[50, 0], [50, 0]]), 0.0),
        ] {
            let found = found.expect("a kappa");
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn raters_who_see_one_category_everywhere_have_no_kappa() {
        assert_eq!(two([[0, 0], [0, 0]]), None);
        assert_eq!(two([[50, 0], [0, 0]]), None);
        assert!(two([[49, 1], [0, 0]]).is_some());
    }

    /// Ratings of units in the order of the raters; `None` where a rater left one out.
    fn alpha<const N: usize>(raters: &[&[Option<usize>]], level: Level) -> Option<f64> {
        let units = (0..raters[0].len()).map(|unit| {
            let mut counts = [0; N];
            for rating in raters.iter().filter_map(|rater| rater[unit]) {
                counts[rating] += 1;
            }
            (counts, 1)
        });
        krippendorff_alpha(units, level)
    }

    /// A digit is a rating, anything else a missing one.
    fn alpha_of<const N: usize>(raters: &[&str], level: Level) -> Option<f64> {
        let digit = |c: char| c.to_digit(10).map(|digit| digit as usize);
        let raters: Vec<Vec<_>> = raters
            .iter()
            .map(|r| r.chars().map(digit).collect())
            .collect();
        let raters: Vec<&[_]> = raters.iter().map(Vec::as_slice).collect();
        alpha::<N>(&raters, level)
    }

    #[test]
    fn alpha_is_that_of_the_krippendorff_package() {
        // `krippendorff.alpha(reliability_data, value_domain=range(N),
        // level_of_measurement=…)` of krippendorff 0.9.0, missing ratings being NaN. The
        // first is the example of Krippendorff (2011), grades 1 to 5 written as 0 to 4:
        // there 0.743 and 0.815.
        for (raters, nominal, ordinal) in [
            (
                &[
                    "012210301...",
                    "012211301 4.2",
                    ".22212311 40.",
                    "012213301 40.",
                ][..],
                0.743421052631579,
                0.8153875037548814,
            ),
            (
                &["1100101101", "1100101001", "1000111101"],
                0.6063348416289593,
                0.6063348416289592,
            ),
            (
                &["010101", "101010"],
                -0.8333333333333333,
                -0.8333333333333333,
            ),
            (
                &["012.021", "0221.21", ".12100."],
                0.6666666666666667,
                0.5637660022686761,
            ),
            (&["0121", "0121"], 1.0, 1.0),
            (
                &["01230312", "12330211", "01221322"],
                0.12796208530805697,
                0.6796557120500782,
            ),
        ] {
            for (level, expected) in [(Level::Nominal, nominal), (Level::Ordinal, ordinal)] {
                let found = alpha_of::<5>(raters, level).expect("an alpha");
                assert!((found - expected).abs() < 1e-12, "{raters:?}: {found}");
            }
        }
    }

    #[test]
    fn without_variation_alpha_is_undefined() {
        for raters in [
            &["1111", "1111"][..],
            &["0", "1"][..0],
            &["01.0", "..1."],
            &["1.0.", ".1.0"],
            &["11.0", "111."],
        ] {
            let raters = if raters.is_empty() { &["...."] } else { raters };
            assert_eq!(alpha_of::<2>(raters, Level::Nominal), None, "{raters:?}");
            assert_eq!(alpha_of::<2>(raters, Level::Ordinal), None, "{raters:?}");
        }
    }

    fn levels() -> impl Strategy<Value = Level> {
        prop_oneof![Just(Level::Nominal), Just(Level::Ordinal)]
    }

    proptest! {
        #[test]
        fn kappa_is_symmetric_bounded_and_1_for_equal_raters(cells: [[u16; 3]; 3]) {
            let matrix = cells.map(|row| row.map(u64::from));
            let turned = std::array::from_fn(|i| std::array::from_fn(|j| matrix[j][i]));
            let kappa = cohen_kappa(&matrix);
            prop_assert_eq!(kappa, cohen_kappa::<3>(&turned));
            if let Some(kappa) = kappa {
                prop_assert!((-1.0 - 1e-12..=1.0).contains(&kappa));
            }
            let mut equal = [[0; 3]; 3];
            for i in 0..3 {
                equal[i][i] = matrix[i][i];
            }
            let kappa = cohen_kappa(&equal);
            prop_assert!(kappa.is_none_or(|kappa| (kappa - 1.0).abs() < 1e-12));
        }

        #[test]
        fn alpha_depends_on_neither_the_order_of_units_nor_that_of_raters(
            units in prop::collection::vec(prop::collection::vec(prop::option::of(0usize..4), 3), 1..12),
            turn in 0usize..12, level in levels()
        ) {
            let by_rater = |units: &[Vec<Option<usize>>], order: [usize; 3]| {
                let raters = order.map(|r| units.iter().map(|unit| unit[r]).collect::<Vec<_>>());
                alpha::<4>(&raters.each_ref().map(Vec::as_slice), level)
            };
            let found = by_rater(&units, [0, 1, 2]);
            prop_assert_eq!(found, by_rater(&units, [2, 0, 1]));
            let mut turned = units.clone();
            turned.rotate_left(turn % units.len());
            prop_assert_eq!(found, by_rater(&turned, [0, 1, 2]));
            if let Some(found) = found {
                prop_assert!((-2.0..=1.0).contains(&found), "{}", found);
            }
        }

        #[test]
        fn raters_who_agree_have_an_alpha_of_1_and_units_count_as_often_as_they_are(
            ratings in prop::collection::vec(0usize..3, 1..12), raters in 2u64..5, level in levels()
        ) {
            let unit = |&rating: &usize| std::array::from_fn(|c| if c == rating { raters } else { 0 });
            let units: Vec<[u64; 3]> = ratings.iter().map(unit).collect();
            let alpha = krippendorff_alpha(units.iter().map(|unit| (*unit, 1)), level);
            let varied = ratings.iter().any(|rating| *rating != ratings[0]);
            prop_assert_eq!(alpha, varied.then_some(1.0));
            let mixed = units.iter().map(|unit| (*unit, 2)).chain([([1, 1, 0], 3)]);
            let twice: Vec<_> = mixed.clone().flat_map(|(unit, times)| {
                std::iter::repeat_n((unit, 1), times as usize)
            }).collect();
            prop_assert_eq!(krippendorff_alpha(mixed, level), krippendorff_alpha(twice, level));
        }
    }
}
