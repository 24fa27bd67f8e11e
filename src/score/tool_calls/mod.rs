//! Tool calls: what was done, held against what should have been.
//!
//! [`check`] finds everything that can be said about the calls of a run; the methods of
//! [`ToolCallCheck`] turn it into one feedback a key. The edge rules are those of the
//! table in `docs/scoring.md`.

pub(super) mod argument;
pub(super) mod assign;
mod comment;
pub(crate) mod made;

use std::collections::HashSet;

use crate::dataset::{CallPattern, Expect, MatchMode};
use crate::email::Triage;
use crate::message::ToolStatus;
use crate::run::Run;
use assign::{Fit, Fits, MOST_CALLS, assign, in_order};
use made::{Call, calls, proposed};

/// How the calls of a run relate to those expected. Names are in lower case.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCallCheck {
    pub mode: MatchMode,
    /// How many calls were expected.
    pub expected: usize,
    /// How many were made, bookkeeping apart where it was not expected.
    pub made: usize,
    /// How many of the expected calls were made with every argument as expected, each call
    /// standing for one expectation; so also how many of those made were expected.
    pub matched: usize,
    /// Expected, and no call of that name is left for it.
    pub missing: Vec<Missing>,
    /// Made with another argument than expected.
    pub mismatches: Vec<Mismatch>,
    /// Made and not expected.
    pub extra: Vec<String>,
    /// Made once more than expected.
    pub repeated: Vec<String>,
    /// Made as expected, but not in the expected order; empty where the mode has none.
    pub out_of_order: Vec<String>,
    /// Forbidden calls that the agent proposed, with the arguments that are forbidden.
    pub forbidden: Vec<String>,
    /// The rule of names alone.
    pub names: Names,
    /// The decision, where it was not to respond: then the missing calls are its doing.
    pub misrouted: Option<Triage>,
}

/// An expected call that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub name: String,
    /// Where such a call was proposed: why it does not count.
    pub proposed: Option<NotMade>,
}

/// Why a proposed call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMade {
    Failed,
    /// A person turned it down.
    Denied,
    /// Nobody ran it.
    Dropped,
}

/// One argument that is not as expected; both sides are bounded, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Position among the expected calls: arguments of one call share it.
    pub call: usize,
    pub name: String,
    pub argument: String,
    pub expected: String,
    pub found: String,
}

/// Names expected and called, as sets: in order of first appearance, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub missing: Vec<String>,
    pub extra: Vec<String>,
}

/// Compares the calls of a run with what is expected. An example that does not state its
/// calls is taken to expect none.
pub fn check(expect: &Expect, run: &Run) -> ToolCallCheck {
    let patterns = expect.tool_calls.as_deref().unwrap_or_default();
    let all = calls(run);
    let made: Vec<&Call> = all.iter().filter(|call| counts(patterns, call)).collect();
    let ordered = expect.mode.is_ordered();
    let Partners {
        fits,
        kept,
        assigned,
    } = Partners::find(patterns, &made, ordered);

    let mut check = ToolCallCheck {
        mode: expect.mode,
        expected: patterns.len(),
        made: made.len(),
        matched: 0,
        missing: Vec::new(),
        mismatches: Vec::new(),
        extra: Vec::new(),
        repeated: Vec::new(),
        out_of_order: Vec::new(),
        forbidden: forbidden(&expect.forbidden, run),
        names: names(patterns, &all),
        misrouted: run.triage.filter(|triage| *triage != Triage::Respond),
    };
    let mut unmade: Vec<&Call> = all.iter().filter(|call| !call.was_made()).collect();
    let mut is_assigned = vec![false; made.len()];
    for (position, (pattern, at)) in patterns.iter().zip(assigned).enumerate() {
        let Some(at) = at else {
            let like = unmade.iter().position(|call| is_named(pattern, call));
            check.missing.push(Missing {
                name: pattern.name.to_lowercase(),
                proposed: like.map(|like| why_not_made(unmade.remove(like))),
            });
            continue;
        };
        is_assigned[at] = true;
        let mismatches = mismatches(position, pattern, made[at]);
        if mismatches.is_empty() {
            check.matched += 1;
            if ordered && !kept[position] {
                check.out_of_order.push(made[at].name.clone());
            }
        }
        check.mismatches.extend(mismatches);
    }
    for (at, call) in made.iter().enumerate().filter(|(at, _)| !is_assigned[*at]) {
        let again = fits
            .iter()
            .any(|row| row.get(at).copied().flatten().is_some_and(Fit::is_full));
        if again {
            check.repeated.push(call.name.clone());
        } else {
            check.extra.push(call.name.clone());
        }
    }
    check
}

/// Whether a call was made, and can stand for an expectation or be one too many.
fn counts(patterns: &[CallPattern], call: &Call) -> bool {
    call.was_made()
        && (!call.is_bookkeeping() || patterns.iter().any(|pattern| is_named(pattern, call)))
}

/// Which expected call is which of the calls made.
struct Partners {
    fits: Fits,
    /// The expectations that are met in the expected order; none where there is no order.
    kept: Vec<bool>,
    /// For each expectation the place of its call among those made.
    assigned: Vec<Option<usize>>,
}

impl Partners {
    fn find(patterns: &[CallPattern], made: &[&Call], ordered: bool) -> Partners {
        // Beyond the bound, calls stay without a partner: missing on one side, extra on the
        // other.
        let fits: Fits = patterns
            .iter()
            .take(MOST_CALLS)
            .map(|pattern| {
                made.iter()
                    .take(MOST_CALLS)
                    .map(|call| fit(pattern, call))
                    .collect()
            })
            .collect();
        let kept = if ordered {
            in_order(&fits)
        } else {
            vec![false; fits.len()]
        };
        let mut assigned = assign(&fits, &kept);
        assigned.resize(patterns.len(), None);
        Partners {
            fits,
            kept,
            assigned,
        }
    }
}

/// The calls of a run in the order of the conversation, each with the expectation that it
/// stands for: the one that [`check`] holds it against.
pub(crate) fn paired<'p, 'r>(
    patterns: &'p [CallPattern],
    mode: MatchMode,
    run: &'r Run,
) -> Vec<(Call<'r>, Option<&'p CallPattern>)> {
    let calls = calls(run);
    let places = 0..calls.len();
    let places: Vec<usize> = places.filter(|&at| counts(patterns, &calls[at])).collect();
    let made: Vec<&Call> = places.iter().map(|&at| &calls[at]).collect();
    let mut partners: Vec<Option<&CallPattern>> = vec![None; calls.len()];
    let found = Partners::find(patterns, &made, mode.is_ordered());
    for (pattern, at) in patterns.iter().zip(found.assigned) {
        if let Some(at) = at {
            partners[places[at]] = Some(pattern);
        }
    }
    calls.into_iter().zip(partners).collect()
}

fn is_named(pattern: &CallPattern, call: &Call) -> bool {
    pattern.name.eq_ignore_ascii_case(&call.name)
}

fn fit(pattern: &CallPattern, call: &Call) -> Option<Fit> {
    is_named(pattern, call).then(|| {
        let asked = pattern.arguments.len();
        let held = pattern
            .arguments
            .iter()
            .filter(|(name, matcher)| matcher.holds(name, call.arguments.get(name)))
            .count();
        Fit::new(held, asked)
    })
}

fn mismatches(position: usize, pattern: &CallPattern, call: &Call) -> Vec<Mismatch> {
    pattern
        .arguments
        .iter()
        .filter(|(name, matcher)| !matcher.holds(name, call.arguments.get(name)))
        .map(|(name, matcher)| Mismatch {
            call: position,
            name: call.name.clone(),
            argument: name.clone(),
            expected: argument::describe(matcher),
            found: argument::show(call.arguments.get(name)),
        })
        .collect()
}

fn why_not_made(call: &Call) -> NotMade {
    match call.status {
        Some(ToolStatus::Failed) => NotMade::Failed,
        Some(ToolStatus::Denied) => NotMade::Denied,
        // Executed and answered calls are made.
        Some(ToolStatus::Executed | ToolStatus::Answered) | None => NotMade::Dropped,
    }
}

/// Looks at what the agent wrote, whatever became of it: neither an error nor a person who
/// stepped in undoes the attempt, and what a person made of a call is not the agent's.
fn forbidden(patterns: &[CallPattern], run: &Run) -> Vec<String> {
    if patterns.is_empty() {
        return Vec::new();
    }
    proposed(run)
        .filter_map(|call| {
            let pattern = patterns
                .iter()
                .find(|pattern| pattern.fits(&call.name, &call.arguments))?;
            let arguments: Vec<String> = pattern
                .arguments
                .iter()
                .map(|(name, _)| format!("{name}: {}", argument::show(call.arguments.get(name))))
                .collect();
            if arguments.is_empty() {
                return Some(call.name);
            }
            Some(format!("{} ({})", call.name, arguments.join(", ")))
        })
        .collect()
}

/// The rule of names counts every call in the conversation, whatever became of it.
fn names(patterns: &[CallPattern], calls: &[Call]) -> Names {
    let mut seen = HashSet::new();
    let missing = patterns
        .iter()
        .filter(|pattern| !calls.iter().any(|call| is_named(pattern, call)))
        .map(|pattern| pattern.name.to_lowercase())
        .filter(|name| seen.insert(name.clone()))
        .collect();
    let extra = calls
        .iter()
        .filter(|call| !call.is_bookkeeping())
        .filter(|call| !patterns.iter().any(|pattern| is_named(pattern, call)))
        .map(|call| call.name.clone())
        .filter(|name| seen.insert(name.clone()))
        .collect();
    Names { missing, extra }
}

#[cfg(test)]
mod tests;
