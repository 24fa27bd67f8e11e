//! Which expected call is which of the calls made.
//!
//! A call may fit several expectations, so taking the first that fits can leave a later
//! expectation without its only partner. Both functions here are exact: none of the
//! possible assignments matches more.

/// How well a call fits an expectation of the same name: how many of a million parts of
/// the arguments are as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::score) struct Fit(u32);

impl Fit {
    pub const FULL: Fit = Fit(1_000_000);

    /// `held` of `asked` arguments are as expected.
    pub fn new(held: usize, asked: usize) -> Self {
        if held == asked {
            return Fit::FULL;
        }
        // At most 999,999 here, so that only a full fit is full.
        let parts = held as u64 * u64::from(Fit::FULL.0) / asked as u64;
        Fit(u32::try_from(parts).expect("a part is less than the whole"))
    }

    pub fn is_full(self) -> bool {
        self == Fit::FULL
    }
}

/// `fits[expected][made]`; `None` where the names differ.
pub(in crate::score) type Fits = Vec<Vec<Option<Fit>>>;

/// The most calls on either side that are assigned. The cost grows with the cube, and no
/// sensible run has a tenth of them.
pub(in crate::score) const MOST_CALLS: usize = 200;

// Each tier of a pair's value is worth more than all pairs can gain in the tiers below.
const ORDER: i128 = (MOST_CALLS * MOST_CALLS * MOST_CALLS + 1) as i128;
const EARLY: i128 = ORDER * (MOST_CALLS * MOST_CALLS + 1) as i128;
const PREFERRED: i128 = EARLY * (MOST_CALLS as i128 * (Fit::FULL.0 as i128 + 1) + 1);
const FULL: i128 = PREFERRED * (MOST_CALLS as i128 + 1);

/// Assigns each expected call at most one call made, and reversely.
///
/// Maximises, in this order: the pairs that fit fully; among these, the expectations in
/// `preferred`; the sum of the fits, so that what does not fit is compared with the call
/// that comes nearest; how early the calls were made; and agreement with the expected
/// order. Entry `i` of the result belongs to `fits[i]`.
/// Source: H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research
/// Logistics Quarterly 2 (1955), 83–97, in the form with potentials and shortest
/// augmenting paths, in cubic time: R. Jonker and A. Volgenant, Computing 38 (1987),
/// 325–340.
pub(in crate::score) fn assign(fits: &Fits, preferred: &[bool]) -> Vec<Option<usize>> {
    let rows = fits.len();
    let made = fits.first().map_or(0, Vec::len);
    assert!(rows.max(made) <= MOST_CALLS, "the caller bounds the calls");
    let value = |row: usize, column: usize| -> i128 {
        let Some(fit) = fits[row].get(column).copied().flatten() else {
            return 0;
        };
        let full = i128::from(fit.is_full());
        full * FULL
            + full * i128::from(preferred[row]) * PREFERRED
            + i128::from(fit.0 + 1) * EARLY
            + (made - column) as i128 * ORDER
            + (row * column) as i128
    };

    // Row and column 0 are the start of every augmenting path. Where more is expected than
    // was made, columns that are worth nothing stand for "missing".
    let columns = rows.max(made);
    let mut row_potential = vec![0i128; rows + 1];
    let mut column_potential = vec![0i128; columns + 1];
    let mut row_of = vec![0usize; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut slack = vec![i128::MAX; columns + 1];
        let mut came_from = vec![0usize; columns + 1];
        let mut visited = vec![false; columns + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            visited[column] = true;
            let current = row_of[column];
            let mut step = i128::MAX;
            let mut next = 0;
            for candidate in 1..=columns {
                if visited[candidate] {
                    continue;
                }
                let reduced = -value(current - 1, candidate - 1)
                    - row_potential[current]
                    - column_potential[candidate];
                if reduced < slack[candidate] {
                    slack[candidate] = reduced;
                    came_from[candidate] = column;
                }
                if slack[candidate] < step {
                    step = slack[candidate];
                    next = candidate;
                }
            }
            for seen in 0..=columns {
                if visited[seen] {
                    row_potential[row_of[seen]] += step;
                    column_potential[seen] -= step;
                } else if slack[seen] != i128::MAX {
                    slack[seen] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }

    let mut assigned = vec![None; rows];
    for column in 1..=made {
        let row = row_of[column];
        if row > 0 && fits[row - 1][column - 1].is_some() {
            assigned[row - 1] = Some(column - 1);
        }
    }
    assigned
}

/// Which expectations fit fully in the best assignment whose calls were made in the
/// expected order: no other such assignment has more. `fits` as for [`assign`].
///
/// This is the longest common subsequence with "fits fully" for "equals".
pub(in crate::score) fn in_order(fits: &Fits) -> Vec<bool> {
    let rows = fits.len();
    let made = fits.first().map_or(0, Vec::len);
    let full = |row: usize, column: usize| fits[row][column].is_some_and(Fit::is_full);
    // most[row][column]: full fits among the expectations and calls from there on.
    let mut most = vec![vec![0usize; made + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..made).rev() {
            most[row][column] = if full(row, column) {
                most[row + 1][column + 1] + 1
            } else {
                most[row + 1][column].max(most[row][column + 1])
            };
        }
    }
    let mut kept = vec![false; rows];
    let (mut row, mut column) = (0, 0);
    while row < rows && column < made {
        if full(row, column) {
            kept[row] = true;
            row += 1;
            column += 1;
        } else if most[row + 1][column] >= most[row][column + 1] {
            row += 1;
        } else {
            column += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Full fits, then the sum of fits with one part for each pair.
    type Worth = (usize, u64);

    fn worth(fits: &Fits, assigned: &[Option<usize>]) -> Worth {
        let pairs = assigned
            .iter()
            .zip(fits)
            .filter_map(|(at, row)| row[(*at)?]);
        pairs.fold((0, 0), |(full, sum), fit| {
            (
                full + usize::from(fit.is_full()),
                sum + u64::from(fit.0) + 1,
            )
        })
    }

    /// The best worth over all assignments, by trying each; with `ordered`, over those that
    /// keep the order.
    fn best(fits: &[Vec<Option<Fit>>], free: &mut Vec<bool>, from: usize, ordered: bool) -> Worth {
        let Some((row, rest)) = fits.split_first() else {
            return (0, 0);
        };
        let mut best_worth = best(rest, free, from, ordered);
        for column in if ordered { from } else { 0 }..row.len() {
            if let (true, Some(fit)) = (free[column], row[column]) {
                free[column] = false;
                let (full, sum) = best(rest, free, column + 1, ordered);
                free[column] = true;
                let worth = (
                    full + usize::from(fit.is_full()),
                    sum + u64::from(fit.0) + 1,
                );
                best_worth = best_worth.max(worth);
            }
        }
        best_worth
    }

    fn any_fits() -> impl Strategy<Value = Fits> {
        let fit = prop_oneof![
            2 => Just(None),
            2 => Just(Some(Fit::FULL)),
            3 => (0usize..5).prop_map(|held| Some(Fit::new(held, 5))),
        ];
        (0usize..=6, 0usize..=6).prop_flat_map(move |(rows, columns)| {
            prop::collection::vec(prop::collection::vec(fit.clone(), columns), rows)
        })
    }

    proptest! {
        #[test]
        fn no_assignment_is_better(fits in any_fits()) {
            let columns = fits.first().map_or(0, Vec::len);
            let assigned = assign(&fits, &vec![false; fits.len()]);
            let mut taken: Vec<usize> = assigned.iter().copied().flatten().collect();
            taken.sort_unstable();
            prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]), "a call is taken twice");
            prop_assert_eq!(worth(&fits, &assigned), best(&fits, &mut vec![true; columns], 0, false));
        }

        #[test]
        fn no_assignment_in_order_has_more_full_fits(fits in any_fits()) {
            let columns = fits.first().map_or(0, Vec::len);
            let kept = in_order(&fits);
            let count = kept.iter().filter(|&&kept| kept).count();
            prop_assert_eq!(count, best(&fits, &mut vec![true; columns], 0, true).0);
            // What can be matched in order can always be part of the best assignment.
            let assigned = assign(&fits, &kept);
            for (row, kept) in kept.into_iter().enumerate() {
                prop_assert!(!kept || fits[row][assigned[row].unwrap()].unwrap().is_full());
            }
            prop_assert_eq!(worth(&fits, &assigned).0, best(&fits, &mut vec![true; columns], 0, false).0);
        }
    }

    #[test]
    fn ties_go_to_the_earlier_call_and_the_expected_order() {
        let full = Some(Fit::FULL);
        for (case, fits, assigned) in [
            (
                "three equal calls for one",
                vec![vec![full; 3]],
                vec![Some(0)],
            ),
            (
                "two for two",
                vec![vec![full; 3]; 2],
                vec![Some(0), Some(1)],
            ),
            (
                "the specific one keeps its only partner",
                vec![vec![full, full], vec![full, None]],
                vec![Some(1), Some(0)],
            ),
            (
                "a full fit beats two halves",
                vec![
                    vec![full, Some(Fit(900_000))],
                    vec![Some(Fit(900_000)), Some(Fit(0))],
                ],
                vec![Some(0), Some(1)],
            ),
            ("nothing made", vec![vec![]; 2], vec![None, None]),
        ] {
            let preferred = vec![false; fits.len()];
            assert_eq!(assign(&fits, &preferred), assigned, "{case}");
        }
    }

    #[test]
    fn the_largest_assignment_fits_its_arithmetic() {
        let fits = vec![vec![Some(Fit::FULL); MOST_CALLS]; MOST_CALLS];
        let assigned = assign(&fits, &[true; MOST_CALLS]);
        assert!(
            assigned
                .iter()
                .enumerate()
                .all(|(row, at)| *at == Some(row))
        );
    }
}
