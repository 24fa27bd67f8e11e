//! All cases of a plan as arithmetic: variants × items × repeats, none of them listed.

use std::fmt;

use super::record::{CaseKey, CaseKind, Header, Variant};

/// How many items of each kind a plan has. They stand in this order: examples, then
/// scenarios, then episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Items {
    pub examples: usize,
    pub scenarios: usize,
    pub episodes: usize,
}

impl Items {
    pub fn count(self) -> usize {
        self.examples
            .saturating_add(self.scenarios)
            .saturating_add(self.episodes)
    }

    /// As many of each kind as `count` says.
    pub fn from_fn(count: impl Fn(CaseKind) -> usize) -> Items {
        Items {
            examples: count(CaseKind::Example),
            scenarios: count(CaseKind::Scenario),
            episodes: count(CaseKind::Episode),
        }
    }

    pub fn get(self, kind: CaseKind) -> usize {
        match kind {
            CaseKind::Example => self.examples,
            CaseKind::Scenario => self.scenarios,
            CaseKind::Episode => self.episodes,
        }
    }

    /// What stands at a position; `None` after the last item.
    pub fn kind(self, position: u32) -> Option<CaseKind> {
        let position = position as usize;
        if position < self.examples {
            Some(CaseKind::Example)
        } else if position < self.examples.saturating_add(self.scenarios) {
            Some(CaseKind::Scenario)
        } else if position < self.count() {
            Some(CaseKind::Episode)
        } else {
            None
        }
    }

    /// Those that a variant takes part in: the first so many.
    pub fn of(self, variant: &Variant) -> usize {
        let kinds = CaseKind::ALL.into_iter();
        let taken = kinds.filter(|kind| variant.takes_part(*kind));
        taken.map(|kind| self.get(kind)).sum()
    }
}

impl fmt::Display for Items {
    /// As in `2 examples and 1 episode`: of each kind that there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |kind: CaseKind| match self.get(kind) {
            0 => None,
            count => Some(format!("{count} {}", kind.noun(count))),
        };
        let parts: Vec<String> = CaseKind::ALL.into_iter().filter_map(counted).collect();
        match parts.split_last() {
            None => f.write_str("nothing"),
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} and {last}", others.join(", ")),
        }
    }
}

/// The numbers that a plan's cases are counted out of.
///
/// Cases are ordered by repeat, then item, then variant, so that an experiment that is
/// stopped early has compared its variants on the same items. Each variant takes part in
/// the first items, as many as it has a use for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    blocks: Vec<Block>,
    /// Cases of one repeat.
    row: u64,
    repeat: u32,
}

/// Neighbouring items that the same variants take part in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    /// Position of the first item, and of the one after the last.
    first: u32,
    end: u32,
    /// Cases of a repeat that come before.
    before: u64,
    /// Ascending.
    variants: Vec<u32>,
}

/// One item planned for one variant: indices into the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case {
    pub variant: u32,
    /// Position of the item among those selected.
    pub position: u32,
    /// Which repetition, from 0.
    pub repeat: u32,
}

impl Grid {
    /// More cases than anybody can pay for, and few enough to keep a bit for each.
    pub const MOST: u64 = 100_000_000;

    /// `takes` has for each variant how many of the first items it takes part in. `None`
    /// where there would be more than [`Grid::MOST`] cases.
    pub fn new(takes: &[usize], repeat: u32) -> Option<Grid> {
        let mut ends = Vec::with_capacity(takes.len());
        for &items in takes {
            ends.push(u32::try_from(items).ok()?);
        }
        u32::try_from(takes.len()).ok()?;
        let takes = ends.clone();
        ends.sort_unstable();
        ends.dedup();
        let mut blocks: Vec<Block> = Vec::new();
        let (mut first, mut row) = (0, 0u64);
        for end in ends.into_iter().filter(|&end| end > 0) {
            let takers = (0..).zip(&takes).filter(|&(_, &items)| items >= end);
            let variants: Vec<u32> = takers.map(|(variant, _)| variant).collect();
            let cases = u64::from(end - first).checked_mul(variants.len() as u64)?;
            blocks.push(Block {
                first,
                end,
                before: row,
                variants,
            });
            row = row.checked_add(cases)?;
            first = end;
        }
        let cases = row.checked_mul(u64::from(repeat))?;
        (cases <= Grid::MOST).then_some(Grid {
            blocks,
            row,
            repeat,
        })
    }

    /// The grid of a plan that a journal keeps.
    pub fn of(header: &Header) -> Option<Grid> {
        let items = header.items();
        let takes: Vec<usize> = header.variants.iter().map(|v| items.of(v)).collect();
        Grid::new(&takes, header.repeat)
    }

    /// How many cases there are.
    pub fn cases(&self) -> u64 {
        self.row * u64::from(self.repeat)
    }

    /// The case at `index` of the plan's order, from 0.
    pub fn case(&self, index: u64) -> Option<Case> {
        if index >= self.cases() {
            return None;
        }
        let part = |value: u64| u32::try_from(value).expect("less than a u32 it is a rest of");
        let within = index % self.row;
        let after = self.blocks.partition_point(|block| block.before <= within);
        let block = &self.blocks[after - 1];
        let within = within - block.before;
        let variants = block.variants.len() as u64;
        Some(Case {
            variant: block.variants[(within % variants) as usize],
            position: block.first + part(within / variants),
            repeat: part(index / self.row),
        })
    }

    /// Where a case stands in the plan's order; `None` where it is no case of this plan.
    pub fn index(&self, case: Case) -> Option<u64> {
        let after = self
            .blocks
            .partition_point(|block| block.end <= case.position);
        let block = self.blocks.get(after)?;
        let variant = block.variants.binary_search(&case.variant).ok()?;
        let items = u64::from(case.position - block.first);
        let within = block.before + items * block.variants.len() as u64 + variant as u64;
        (case.repeat < self.repeat).then(|| u64::from(case.repeat) * self.row + within)
    }
}

impl CaseKey {
    pub fn case(&self) -> Case {
        Case {
            variant: self.variant,
            position: self.position,
            repeat: self.repeat,
        }
    }
}

/// Which cases have been recorded: a bit for each, by its place in the plan's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    bits: Vec<u64>,
    count: u64,
}

impl Done {
    /// Returns false where the case was recorded before.
    pub fn insert(&mut self, index: u64) -> bool {
        let word = usize::try_from(index / 64).expect("an index into a grid fits");
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (index % 64);
        let new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.count += u64::from(new);
        new
    }

    pub fn contains(&self, index: u64) -> bool {
        usize::try_from(index / 64)
            .ok()
            .and_then(|word| self.bits.get(word))
            .is_some_and(|bits| bits & (1 << (index % 64)) != 0)
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cases_go_by_repeat_then_item_then_variant() {
        // Of two items, the second variant takes part in the first alone.
        let grid = Grid::new(&[2, 1, 2], 2).unwrap();
        let order: Vec<_> = (0..grid.cases())
            .map(|index| grid.case(index).unwrap())
            .map(|case| (case.repeat, case.position, case.variant))
            .collect();
        let row = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)];
        let rows = [0, 1].map(|repeat| row.map(|(item, variant)| (repeat, item, variant)));
        assert_eq!(order, rows.concat());
        assert_eq!(grid.case(10), None);
    }

    #[test]
    fn an_empty_or_a_boundless_grid_has_no_cases() {
        for takes in [&[][..], &[0], &[0, 0]] {
            let grid = Grid::new(takes, 3).unwrap();
            assert_eq!((grid.cases(), grid.case(0)), (0, None));
            let case = Case {
                variant: 0,
                position: 0,
                repeat: 0,
            };
            assert_eq!(grid.index(case), None);
        }
        assert_eq!(Grid::new(&[usize::MAX, 2], 2), None);
        assert_eq!(Grid::new(&[100_000], 1_001), None);
        assert_eq!(Grid::new(&[u32::MAX as usize; 3], u32::MAX), None);
        assert!(Grid::new(&[100_000], 1_000).is_some());
    }

    #[test]
    fn an_item_is_of_the_kind_it_stands_among() {
        let items = Items {
            examples: 2,
            scenarios: 1,
            episodes: 1,
        };
        use CaseKind::{Episode, Example, Scenario};
        let kinds: Vec<_> = (0..5).map(|position| items.kind(position)).collect();
        assert_eq!(
            kinds,
            [
                Some(Example),
                Some(Example),
                Some(Scenario),
                Some(Episode),
                None
            ]
        );
        assert_eq!(items.to_string(), "2 examples, 1 scenario and 1 episode");
        let none = Items::default();
        assert_eq!(none.to_string(), "nothing");
    }

    proptest! {
        #[test]
        fn a_case_and_its_place_determine_each_other(
            takes in prop::collection::vec(0usize..30, 0..6), repeat in 1u32..5,
        ) {
            let grid = Grid::new(&takes, repeat).unwrap();
            let planned = takes.iter().sum::<usize>() as u64 * u64::from(repeat);
            prop_assert_eq!(grid.cases(), planned);
            let mut before = None;
            for index in 0..grid.cases() {
                let case = grid.case(index).unwrap();
                prop_assert_eq!(grid.index(case), Some(index));
                prop_assert!((case.position as usize) < takes[case.variant as usize]);
                let place = Some((case.repeat, case.position, case.variant));
                prop_assert!(before < place);
                before = place;
            }
            prop_assert_eq!(grid.case(grid.cases()), None);
        }

        #[test]
        fn what_is_not_planned_has_no_place(
            takes in prop::collection::vec(0usize..30, 0..6), repeat in 1u32..5,
            variant in 0u32..8, position in 0u32..40, again in 0u32..8,
        ) {
            let grid = Grid::new(&takes, repeat).unwrap();
            let planned = takes.get(variant as usize).is_some_and(|&items| (position as usize) < items)
                && again < repeat;
            let case = Case { variant, position, repeat: again };
            prop_assert_eq!(grid.index(case).is_some(), planned);
        }

        #[test]
        fn done_remembers_exactly_what_was_inserted(indices in prop::collection::vec(0u64..500, 0..200)) {
            let mut done = Done::default();
            let mut seen = std::collections::BTreeSet::new();
            for index in indices {
                prop_assert_eq!(done.insert(index), seen.insert(index));
            }
            prop_assert_eq!(done.count(), seen.len() as u64);
            for index in 0..600 {
                prop_assert_eq!(done.contains(index), seen.contains(&index));
            }
        }
    }
}
