//! What got worse, and where: the comparison with the reference, for the template.

use serde_json::{Value, json};

use super::plot::{Axis, track};
use super::view::quote;
use crate::compare::{
    Comparison, Difference, Flip, GroupChange, KeyChange, Measure, Pair, Side, Verdict,
};
use crate::report::compare as words;
use crate::report::figures::{count, percentage, plural};
use crate::report::gate::verdict;

/// The most examples that flipped, and tags, that are shown for a pair.
const FLIPS_SHOWN: usize = 200;
const GROUPS_SHOWN: usize = 40;
/// The most tags that the first screen names for a pair.
const LED_TO: usize = 3;
/// Of the drawings of differences.
const AXIS: Axis = Axis {
    low: -0.5,
    high: 0.5,
};

pub fn view(comparison: &Comparison) -> Value {
    json!({
        "class": class(comparison.verdict),
        "headline": words::headline(comparison, quote),
        "reference": side(&comparison.reference),
        "candidate": side(&comparison.candidate),
        "legend": words::legend(comparison),
        "leads": comparison.pairs.iter().filter_map(lead).collect::<Vec<_>>(),
        "differences": comparison.differences.iter().map(|it| verdict::prose(it, quote)).collect::<Vec<_>>(),
        "one_sided": words::one_sided(comparison, quote),
        "pairs": comparison.pairs.iter().map(pair).collect::<Vec<_>>(),
    })
}

fn side(side: &Side) -> Value {
    json!({
        "experiment": side.experiment,
        "file": side.file,
        "created": side.created.strftime("%Y-%m-%d").to_string(),
    })
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "bad",
        Verdict::Better | Verdict::Equivalent => "good",
        Verdict::CannotTell => "warn",
    }
}

/// Where to look for what two variants lost: the measures that got worse, and the tags that
/// lost the most examples.
fn lead(pair: &Pair) -> Option<Value> {
    let mut gating = pair.keys.iter().filter(|key| key.gates);
    if !gating.any(|key| key.verdict == Verdict::Worse) {
        return None;
    }
    let worse = pair
        .keys
        .iter()
        .filter(|key| key.gates && key.verdict == Verdict::Worse);
    let worse = worse.map(|key| {
        json!({
            "measure": key.measure.name(),
            "from": percentage(key.reference),
            "to": percentage(key.candidate),
        })
    });
    let tags = by_loss(pair.tags.iter()).into_iter();
    let tags = tags.filter(|(_, group)| group.worse > group.better);
    let tags = tags.take(LED_TO).map(|(name, group)| {
        json!({
            "name": name,
            "from": percentage(group.reference),
            "to": percentage(group.candidate),
            "pairs": plural(group.pairs, "example"),
        })
    });
    Some(json!({
        "candidate": pair.candidate,
        "worse": worse.collect::<Vec<_>>(),
        "tags": tags.collect::<Vec<_>>(),
        "flips": words::flips_heading(pair),
    }))
}

/// Groups that got worse beyond chance first, then those that lost the most examples.
fn by_loss<'a>(
    groups: impl Iterator<Item = (&'a String, &'a GroupChange)>,
) -> Vec<(&'a String, &'a GroupChange)> {
    let mut groups: Vec<_> = groups.collect();
    let change = |group: &GroupChange| group.difference.effect * group.pairs as f64;
    // Stable, so that equal ones stay in the order of their names.
    groups.sort_by(|(_, one), (_, other)| {
        let chance = |group: &GroupChange| group.verdict != Verdict::Worse;
        let order = chance(one).cmp(&chance(other));
        order.then(change(one).total_cmp(&change(other)))
    });
    groups
}

fn difference(difference: &Difference) -> Value {
    json!({
        "points": words::points(difference.effect),
        "interval": words::interval(difference),
        "track": track(Some(difference.effect), difference.low, difference.high, AXIS),
        "p": words::probability(difference.p_adjusted.or(difference.p_worse)),
        "would_show": difference.mde.map(|mde| format!("{:.1}", mde * 100.0)),
        "method": difference.method,
    })
}

fn key(change: &KeyChange) -> Value {
    json!({
        "measure": change.measure.name(),
        "gates": change.gates,
        "verdict": words::verdict_cell(change.verdict),
        "class": class(change.verdict),
        "reference": percentage(change.reference),
        "candidate": percentage(change.candidate),
        "difference": difference(&change.difference),
        "pairs": count(change.pairs),
    })
}

fn group((name, change): (&String, &GroupChange)) -> Value {
    json!({
        "name": name,
        "verdict": words::verdict_cell(change.verdict),
        "class": class(change.verdict),
        "reference": percentage(change.reference),
        "candidate": percentage(change.candidate),
        "difference": difference(&change.difference),
        "pairs": count(change.pairs),
        "worse": count(change.worse),
        "better": count(change.better),
    })
}

fn flip(flip: &Flip) -> Value {
    let of = |passed: u32, scored: u32| match (passed, scored) {
        (1, 1) => "passed".to_owned(),
        (0, 1) => "failed".to_owned(),
        _ => format!("{passed} of {scored} passed"),
    };
    // That the pass rate changed is what a flip is.
    let changes = flip.changes.iter();
    let changes = changes.filter(|(measure, _)| **measure != Measure::PassRate);
    let changes =
        changes.map(|(measure, change)| format!("{} {}", measure.name(), words::points(*change)));
    json!({
        "id": flip.example,
        "split": flip.split,
        "worse": flip.effect() < 0.0,
        "reference": of(flip.reference_passed, flip.reference_scored),
        "candidate": of(flip.candidate_passed, flip.candidate_scored),
        "changes": changes.collect::<Vec<_>>(),
    })
}

fn pair(pair: &Pair) -> Value {
    let by_loss = |groups| by_loss(groups).into_iter().take(GROUPS_SHOWN).map(group);
    json!({
        "name": pair.candidate,
        "title": words::pair_title(pair, quote),
        "keys": pair.keys.iter().map(key).collect::<Vec<_>>(),
        "tags": by_loss(pair.tags.iter()).collect::<Vec<_>>(),
        "splits": by_loss(pair.splits.iter()).collect::<Vec<_>>(),
        "flips_heading": words::flips_heading(pair),
        "flips": pair.flips.iter().take(FLIPS_SHOWN).map(flip).collect::<Vec<_>>(),
        "flips_left": pair.flips.len().saturating_sub(FLIPS_SHOWN),
        "flaky_heading": (!pair.flaky.is_empty()).then(|| words::flaky_heading(pair)),
        "flaky": pair.flaky.iter().take(FLIPS_SHOWN)
            .map(|flaky| words::flaky(flaky, quote)).collect::<Vec<_>>(),
        "resources": pair.resources.iter().map(words::resource).collect::<Vec<_>>(),
    })
}
