//! How often cases pass, and which may never fail.

use statrs::function::factorial::ln_binomial;

use super::super::figures;
use super::super::metrics::rounded;
use super::{Finding, GateVerdict, Subject, decimals, named, show};
use crate::experiment::gate::{Group, Policy};

/// Of critical cases that failed, how many are named.
const NAMED: usize = 3;

/// Whether so many of the cases pass as often as `policy` wants.
///
/// What was not scored might have passed, or not: where the verdict depends on it, there is
/// none. Cases that nothing is known of might belong to any tag and split.
pub(super) fn policy(
    subject: &Subject<'_>,
    policy: Policy,
    least: f64,
    group: Option<&Group>,
) -> Finding {
    let repeat = subject.header.repeat;
    let needed = policy.attempts();
    if needed.is_some_and(|needed| needed > repeat) {
        let needed = needed.unwrap_or_default();
        let mut finding = Finding::open(format!(
            "{needed} attempts at each case tell, and the plan has {repeat}"
        ));
        finding.fix = Some(format!("mailproof run --repeat {needed}"));
        return finding;
    }
    let (mut low, mut high, mut open) = (0.0, 0.0, subject.unknown);
    let mut cases = subject.unknown;
    high += subject.unknown as f64;
    for (facts, cell) in &subject.cases {
        if group.is_some_and(|group| !facts.is_in(group)) {
            continue;
        }
        let (scored, passed) = cell.map_or((0, 0), |cell| (cell.scored, cell.passed));
        let (least, most) = share(policy, repeat, scored, passed);
        low += least;
        high += most;
        open += u64::from(least < most);
        cases += 1;
    }
    let wanted = format!("a share of at least {least} is wanted");
    if cases == 0 {
        return Finding::open(format!("there are no such cases; {wanted}"));
    }
    let (low, high) = (rounded(low / cases as f64), rounded(high / cases as f64));
    let found = match open {
        0 => format!(
            "a share of {} of {} does",
            decimals(low),
            figures::plural(cases, "case")
        ),
        open => format!(
            "a share from {} to {} of {} does, since {open} were not scored often enough to tell",
            decimals(low),
            decimals(high),
            figures::plural(cases, "case")
        ),
    };
    let verdict = if low >= rounded(least) {
        GateVerdict::Pass
    } else if high < rounded(least) {
        GateVerdict::Fail
    } else {
        GateVerdict::Indecisive
    };
    Finding::new(verdict, format!("{found}; {wanted}"))
}

impl Policy {
    /// How many attempts it looks at; `None` where it takes all there are.
    fn attempts(self) -> Option<u32> {
        match self {
            Policy::All | Policy::Majority => None,
            Policy::Passes { of, .. } => Some(of),
            Policy::Power(power) => Some(power),
        }
    }
}

/// The least and the most that a case satisfies a policy, from 0 to 1, where `passed` of
/// `scored` attempts passed, and `repeat` were planned.
///
/// Of more attempts than the policy looks at, it is the share of all ways to choose so many
/// of them: of `pass^k` the estimator C(passed, k) / C(scored, k), without bias (M. Chen et
/// al., arXiv:2107.03374, for pass@k; S. Yao et al., arXiv:2406.12045, for pass^k).
fn share(policy: Policy, repeat: u32, scored: u32, passed: u32) -> (f64, f64) {
    let (least, of) = match policy {
        Policy::All => (repeat, repeat),
        Policy::Majority => (repeat / 2 + 1, repeat),
        Policy::Passes { least, of } => (least, of),
        Policy::Power(power) => (power, power),
    };
    if scored < of {
        let sure = passed >= least;
        let possible = passed + (of - scored) >= least;
        return (f64::from(u8::from(sure)), f64::from(u8::from(possible)));
    }
    let share = at_least(least, of, passed, scored);
    (share, share)
}

/// The share of the ways to choose `of` attempts out of `scored` that have at least `least`
/// of the `passed` ones.
fn at_least(least: u32, of: u32, passed: u32, scored: u32) -> f64 {
    if scored == of {
        return f64::from(u8::from(passed >= least));
    }
    let ways = |all: u32, chosen: u32| ln_binomial(u64::from(all), u64::from(chosen));
    let failed = scored - passed;
    // As few can be chosen among the passed ones as the failed ones leave room for.
    let fewest = least.max(of.saturating_sub(failed));
    let shares = (fewest..=of.min(passed))
        .map(|chosen| (ways(passed, chosen) + ways(failed, of - chosen) - ways(scored, of)).exp());
    let share: f64 = shares.sum();
    share.min(1.0)
}

/// Whether none of the critical cases failed. `None` where the variant takes part in none.
pub(super) fn critical(subject: &Subject<'_>, ids: &[String], tags: &[String]) -> Option<Finding> {
    let repeat = subject.header.repeat;
    let wanted = |facts: &&super::ExampleFacts| {
        ids.contains(&facts.id) || facts.tags.iter().any(|tag| tags.contains(tag))
    };
    let mut failed = Vec::new();
    let (mut cases, mut attempts, mut open) = (0, 0, Vec::new());
    for (facts, cell) in subject.cases.iter().filter(|(facts, _)| wanted(facts)) {
        let (scored, passed) = cell.map_or((0, 0), |cell| (cell.scored, cell.passed));
        cases += 1;
        attempts += u64::from(scored);
        if passed < scored {
            failed.push((facts, scored - passed, scored));
        } else if scored < repeat {
            open.push(named(&facts.id));
        }
    }
    // What was not selected, or has not been tried by anybody yet.
    let anybody =
        |wanted: &dyn Fn(&super::ExampleFacts) -> bool| subject.anybody.values().any(wanted);
    let ids_missing = ids.iter().filter(|id| !anybody(&|facts| facts.id == **id));
    open.extend(ids_missing.map(|id| named(id)));
    let tags_missing = tags
        .iter()
        .filter(|tag| !anybody(&|facts| facts.tags.contains(tag)));
    open.extend(tags_missing.map(|tag| format!("anything with the tag {}", named(tag))));
    // Cases that nobody has tried might have any tag.
    if !tags.is_empty() && subject.unknown > 0 {
        let untried = figures::plural(subject.unknown, "case");
        open.push(format!("{untried} that may have such a tag"));
    }
    if !failed.is_empty() {
        // The most often failed first; the sort is stable, so equals keep the plan's order.
        let share = |(_, failed, scored): &(_, u32, u32)| f64::from(*failed) / f64::from(*scored);
        failed.sort_by(|one, other| share(other).total_cmp(&share(one)));
        let told: Vec<String> = failed
            .iter()
            .take(NAMED)
            .map(|(facts, failed, scored)| {
                format!(
                    "{} failed {failed} of {}",
                    named(&facts.id),
                    figures::plural(u64::from(*scored), "attempt")
                )
            })
            .collect();
        let more = match failed.len() - told.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let mut finding = Finding::new(
            GateVerdict::Fail,
            format!(
                "{}{more}; none of {} may ever fail",
                told.join(", "),
                figures::plural(cases, "critical case")
            ),
        );
        let (facts, ..) = failed[0];
        let repeat = subject.cell(facts).and_then(|cell| cell.first_failure());
        finding.fix = Some(show(subject, &facts.id, repeat.unwrap_or(0)));
        return Some(finding);
    }
    if !open.is_empty() {
        let few = open.len().min(NAMED);
        let more = match open.len() - few {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Some(Finding::open(format!(
            "{}{more} not scored in every attempt; no critical case may ever fail",
            open[..few].join(", ")
        )));
    }
    (cases > 0).then(|| {
        Finding::new(
            GateVerdict::Pass,
            format!(
                "all {} at {} passed",
                figures::plural(attempts, "attempt"),
                figures::plural(cases, "critical case")
            ),
        )
    })
}

impl super::ExampleFacts {
    pub(super) fn is_in(&self, group: &Group) -> bool {
        match group {
            Group::Split(split) => self.split.as_ref() == Some(split),
            Group::Tag(tag) => self.tags.contains(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_case_satisfies_a_policy_as_far_as_is_known() {
        let passes = |least, of| Policy::Passes { least, of };
        for (policy, repeat, scored, passed, share_of) in [
            (Policy::All, 3, 3, 3, (1.0, 1.0)),
            (Policy::All, 3, 3, 2, (0.0, 0.0)),
            (Policy::All, 3, 2, 2, (0.0, 1.0)),
            (Policy::All, 3, 2, 1, (0.0, 0.0)),
            (Policy::All, 1, 0, 0, (0.0, 1.0)),
            (Policy::Majority, 3, 3, 2, (1.0, 1.0)),
            (Policy::Majority, 3, 2, 2, (1.0, 1.0)),
            (Policy::Majority, 3, 2, 1, (0.0, 1.0)),
            (Policy::Majority, 3, 2, 0, (0.0, 0.0)),
            // Half is no majority.
            (Policy::Majority, 2, 2, 1, (0.0, 0.0)),
            (Policy::Majority, 4, 4, 3, (1.0, 1.0)),
            (passes(2, 3), 3, 3, 2, (1.0, 1.0)),
            (passes(2, 3), 3, 3, 1, (0.0, 0.0)),
            (passes(1, 3), 3, 2, 1, (1.0, 1.0)),
            // Of four attempts of which two passed, half of the four ways to choose three have two.
            (passes(2, 3), 4, 4, 2, (0.5, 0.5)),
            (passes(1, 2), 4, 4, 2, (5.0 / 6.0, 5.0 / 6.0)),
            (Policy::Power(3), 3, 3, 3, (1.0, 1.0)),
            (Policy::Power(3), 3, 3, 2, (0.0, 0.0)),
            (Policy::Power(2), 3, 3, 2, (1.0 / 3.0, 1.0 / 3.0)),
            (Policy::Power(2), 5, 5, 4, (0.6, 0.6)),
            // Missing, and never 1, where there were fewer attempts.
            (Policy::Power(3), 3, 2, 2, (0.0, 1.0)),
        ] {
            let found = share(policy, repeat, scored, passed);
            let near = |(one, other): (f64, f64)| {
                (one - share_of.0).abs() < 1e-9 && (other - share_of.1).abs() < 1e-9
            };
            assert!(
                near(found),
                "{policy} {passed}/{scored} of {repeat}: {found:?}"
            );
        }
    }

    /// All ways to choose `of` out of as many flags as there are.
    fn chosen(flags: &[bool], of: usize) -> Vec<usize> {
        match (flags, of) {
            (_, 0) => vec![0],
            ([], _) => Vec::new(),
            ([first, rest @ ..], of) => {
                let with = chosen(rest, of - 1).into_iter();
                let with = with.map(|passed| passed + usize::from(*first));
                with.chain(chosen(rest, of)).collect()
            }
        }
    }

    proptest! {
        #[test]
        fn a_share_is_that_of_all_ways_to_choose(
            (flags, of, least) in prop::collection::vec(any::<bool>(), 1..9)
                .prop_flat_map(|flags| (Just(flags.clone()), 1..=flags.len()))
                .prop_flat_map(|(flags, of)| (Just(flags), Just(of), 1..=of)),
        ) {
            let passed = flags.iter().filter(|flag| **flag).count() as u32;
            let ways = chosen(&flags, of);
            let good = ways.iter().filter(|passed| **passed >= least).count();
            let counted = good as f64 / ways.len() as f64;
            let share = at_least(least as u32, of as u32, passed, flags.len() as u32);
            prop_assert!((share - counted).abs() < 1e-9, "{share} is not {counted}");
        }

        #[test]
        fn what_is_not_scored_only_widens(
            (repeat, scored, passed, least) in (1u32..6)
                .prop_flat_map(|repeat| (Just(repeat), 0..=repeat, 1..=repeat))
                .prop_flat_map(|(repeat, scored, least)| (Just(repeat), Just(scored), 0..=scored, Just(least))),
        ) {
            for policy in [Policy::All, Policy::Majority, Policy::Passes { least, of: repeat }] {
                let (low, high) = share(policy, repeat, scored, passed);
                prop_assert!(low <= high);
                if scored < repeat {
                    for more in [0, 1] {
                        let (narrow_low, narrow_high) = share(policy, repeat, scored + 1, passed + more);
                        prop_assert!(low <= narrow_low && narrow_high <= high);
                    }
                }
            }
        }
    }
}
