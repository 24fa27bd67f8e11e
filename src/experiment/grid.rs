//! All cases of a plan as arithmetic: variants × examples × repeats, none of them listed.

use super::record::{CaseKey, Header};

/// The numbers that a plan's cases are counted out of.
///
/// Cases are ordered by repeat, then example, then variant, so that an experiment that is
/// stopped early has compared its variants on the same examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    variants: u32,
    examples: u32,
    repeat: u32,
}

/// One example planned for one variant: indices into the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case {
    pub variant: u32,
    /// Position of the example among those selected.
    pub position: u32,
    /// Which repetition, from 0.
    pub repeat: u32,
}

impl Grid {
    /// More cases than anybody can pay for, and few enough to keep a bit for each.
    pub const MOST: u64 = 100_000_000;

    /// `None` where there would be more than [`Grid::MOST`] cases.
    pub fn new(variants: usize, examples: usize, repeat: u32) -> Option<Grid> {
        let cases = (variants as u64)
            .checked_mul(examples as u64)?
            .checked_mul(u64::from(repeat))?;
        if cases > Grid::MOST {
            return None;
        }
        Some(Grid {
            variants: u32::try_from(variants).ok()?,
            examples: u32::try_from(examples).ok()?,
            repeat,
        })
    }

    /// The grid of a plan that a journal keeps.
    pub fn of(header: &Header) -> Option<Grid> {
        Grid::new(header.variants.len(), header.examples, header.repeat)
    }

    /// How many cases there are.
    pub fn cases(self) -> u64 {
        u64::from(self.variants) * u64::from(self.examples) * u64::from(self.repeat)
    }

    /// The case at `index` of the plan's order, from 0.
    pub fn case(self, index: u64) -> Option<Case> {
        if index >= self.cases() {
            return None;
        }
        let part = |value: u64| u32::try_from(value).expect("less than a u32 it is a rest of");
        let variants = u64::from(self.variants);
        let examples = u64::from(self.examples);
        Some(Case {
            variant: part(index % variants),
            position: part(index / variants % examples),
            repeat: part(index / variants / examples),
        })
    }

    /// Where a case stands in the plan's order; `None` where it is no case of this plan.
    pub fn index(self, case: Case) -> Option<u64> {
        let inside = case.variant < self.variants
            && case.position < self.examples
            && case.repeat < self.repeat;
        inside.then(|| {
            let row = u64::from(case.repeat) * u64::from(self.examples) + u64::from(case.position);
            row * u64::from(self.variants) + u64::from(case.variant)
        })
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
    fn cases_go_by_repeat_then_example_then_variant() {
        let grid = Grid::new(2, 2, 2).unwrap();
        let order: Vec<_> = (0..grid.cases())
            .map(|index| grid.case(index).unwrap())
            .map(|case| (case.repeat, case.position, case.variant))
            .collect();
        assert!(order.is_sorted());
        assert_eq!(order.len(), 8);
        assert_eq!(grid.case(8), None);
    }

    #[test]
    fn an_empty_or_a_boundless_grid_has_no_cases() {
        assert_eq!(Grid::new(2, 0, 3).unwrap().case(0), None);
        assert_eq!(Grid::new(usize::MAX, 2, 2), None);
        assert_eq!(Grid::new(1, 100_000, 1_001), None);
    }

    proptest! {
        #[test]
        fn a_case_and_its_place_determine_each_other(
            variants in 1usize..5, examples in 1usize..50, repeat in 1u32..5, index in 0u64..1000,
        ) {
            let grid = Grid::new(variants, examples, repeat).unwrap();
            match grid.case(index) {
                Some(case) => prop_assert_eq!(grid.index(case), Some(index)),
                None => prop_assert!(index >= grid.cases()),
            }
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
