//! Criteria over the replies of all variants: one that no reply meets may ask too much, and
//! one that every reply meets tells no two agents apart.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::rulings::STATEMENT_SHOWN;
use crate::experiment::Attempt;
use crate::judge::{Ruling, Verdict};
use crate::report::escape::bounded;

/// The most criteria of either list.
pub const CRITERIA_SHOWN: usize = 20;

/// How often the criteria of the examples were met by the replies that a judge ruled on, of
/// all variants together. The five counts add up to `criteria`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CriteriaReport {
    /// Criteria of the examples with an attempt.
    pub criteria: u64,
    /// Met by no reply.
    pub never_met: u64,
    /// Met by some, but by fewer than half.
    pub under_half: u64,
    /// Met by half of the replies or more, but not by all.
    pub half_or_more: u64,
    /// Met by every reply.
    pub always_met: u64,
    /// Without a reply that was ruled on.
    pub not_judged: u64,
    /// Those met by no reply, at most 20: the ones with the most replies first, then in the
    /// plan's order.
    pub never: Vec<CriterionReport>,
    /// Those met by every reply, likewise.
    pub always: Vec<CriterionReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CriterionReport {
    pub example: String,
    pub criterion: String,
    pub met: u64,
    /// Replies that a judge ruled on.
    pub replies: u64,
}

/// A few numbers and one text for each criterion of each example.
#[derive(Debug, Default)]
pub struct CriteriaFold(BTreeMap<u32, Vec<Criterion>>);

#[derive(Debug)]
struct Criterion {
    /// In the words of the first attempt in plan order.
    text: String,
    from: (u32, u32),
    met: u32,
    ruled: u32,
}

impl CriteriaFold {
    pub fn record<R>(&mut self, attempt: &Attempt<R>, rulings: &[Ruling]) {
        let case = &attempt.case;
        let from = (case.variant, case.repeat);
        let criteria = self.0.entry(case.position).or_default();
        for (number, ruling) in rulings.iter().enumerate() {
            let text = || bounded(&ruling.statement, STATEMENT_SHOWN).into_owned();
            if criteria.len() <= number {
                criteria.push(Criterion {
                    text: text(),
                    from,
                    met: 0,
                    ruled: 0,
                });
            }
            let criterion = &mut criteria[number];
            if from < criterion.from {
                (criterion.text, criterion.from) = (text(), from);
            }
            if !ruling.is_by_code() {
                criterion.met += u32::from(ruling.verdict == Some(Verdict::Pass));
                criterion.ruled += u32::from(ruling.verdict.is_some());
            }
        }
    }

    /// `None` where there was no criterion. `id` gives the example at a position.
    pub fn report(&self, id: impl Fn(u32) -> String) -> Option<CriteriaReport> {
        let criteria = || {
            let examples = self.0.iter();
            examples.flat_map(|(&position, all)| all.iter().map(move |one| (position, one)))
        };
        let count = |wanted: fn(&Criterion) -> bool| {
            criteria()
                .filter(|(_, criterion)| wanted(criterion))
                .count() as u64
        };
        let listed = |wanted: fn(&Criterion) -> bool| {
            let mut listed: Vec<_> = criteria().filter(|(_, one)| wanted(one)).collect();
            // Stable, so that the plan's order stays where replies are as many.
            listed.sort_by_key(|(_, criterion)| Reverse(criterion.ruled));
            listed
                .into_iter()
                .take(CRITERIA_SHOWN)
                .map(|(position, criterion)| CriterionReport {
                    example: id(position),
                    criterion: criterion.text.clone(),
                    met: criterion.met.into(),
                    replies: criterion.ruled.into(),
                })
                .collect()
        };
        let all = count(|_| true);
        (all > 0).then(|| CriteriaReport {
            criteria: all,
            never_met: count(Criterion::is_never_met),
            under_half: count(|one| one.met > 0 && 2 * one.met < one.ruled),
            half_or_more: count(|one| 2 * one.met >= one.ruled && one.met < one.ruled),
            always_met: count(Criterion::is_always_met),
            not_judged: count(|one| one.ruled == 0),
            never: listed(Criterion::is_never_met),
            always: listed(Criterion::is_always_met),
        })
    }
}

impl Criterion {
    fn is_never_met(&self) -> bool {
        self.ruled > 0 && self.met == 0
    }

    fn is_always_met(&self) -> bool {
        self.ruled > 0 && self.met == self.ruled
    }
}
