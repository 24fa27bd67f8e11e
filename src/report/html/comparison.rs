//! What got worse, and where: the comparison with the reference.

use serde_json::{Value, json};

use super::plot::{Axis, track};
use crate::compare::{
    Comparison, Difference, Flip, GroupChange, KeyChange, Pair, Resource, ResourceChange, Side,
    Verdict,
};
use crate::report::{cost, figures};
use crate::run::Cost;

/// The most examples that flipped, and tags, that are shown for a pair.
const FLIPS_SHOWN: usize = 200;
const GROUPS_SHOWN: usize = 40;
/// The most tags that the first screen names.
const LED_TO: usize = 3;

pub(super) fn view(comparison: &Comparison) -> Value {
    let worse: Vec<Value> = comparison.pairs.iter().filter_map(lead).collect();
    let rule = &comparison.rule;
    json!({
        "verdict": word(comparison.verdict),
        "class": class(comparison.verdict),
        "reference": side(&comparison.reference),
        "candidate": side(&comparison.candidate),
        "rule": format!(
            "Worse: a drop that chance does not explain (at most {} false alarms over all \
             measures that decide) and of at least {} points. Equivalent: such a drop can be \
             ruled out. Differences are candidate less reference, in points.",
            figures::percentage(rule.alpha),
            points(rule.margin),
        ),
        "lead": worse,
        "differences": comparison.differences,
        "pairs": comparison.pairs.iter().map(pair).collect::<Vec<_>>(),
        "only_reference": comparison.only_reference,
        "only_candidate": comparison.only_candidate,
    })
}

fn side(side: &Side) -> Value {
    json!({
        "experiment": side.experiment,
        "file": side.file,
        "created": side.created.strftime("%Y-%m-%d").to_string(),
        "complete": side.complete,
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "worse",
        Verdict::Better => "better",
        Verdict::Equivalent => "equivalent",
        Verdict::CannotTell => "cannot tell",
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "bad",
        Verdict::Better | Verdict::Equivalent => "good",
        Verdict::CannotTell => "warn",
    }
}

/// Points without a sign, as many decimals as they need.
fn points(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn signed(difference: f64) -> String {
    // A minus as wide as the plus.
    format!("{:+.1}", difference * 100.0).replace('-', "−")
}

fn p(value: Option<f64>) -> Option<String> {
    value.map(|p| match p < 0.001 {
        true => "< 0.001".to_owned(),
        false => format!("{p:.3}"),
    })
}

/// What got worse for two variants: the measures that decide, and the tags that lost most.
fn lead(pair: &Pair) -> Option<Value> {
    let worse = pair
        .keys
        .iter()
        .filter(|key| key.gates && key.verdict == Verdict::Worse);
    let worse: Vec<Value> = worse
        .map(|key| {
            json!({
                "measure": key.measure.name(),
                "from": figures::percentage(key.reference),
                "to": figures::percentage(key.candidate),
                "points": signed(key.difference.effect),
            })
        })
        .collect();
    if worse.is_empty() {
        return None;
    }
    let tags = by_loss(pair.tags.iter());
    let tags = tags
        .into_iter()
        .filter(|(_, group)| group.worse > group.better)
        .take(LED_TO);
    let tags: Vec<Value> = tags
        .map(|(name, group)| {
            json!({
                "name": name,
                "from": figures::percentage(group.reference),
                "to": figures::percentage(group.candidate),
                "pairs": figures::plural(group.pairs, "example"),
                "worse": figures::count(group.worse),
            })
        })
        .collect();
    let lost = pair.flips.iter().filter(|flip| flip.effect() < 0.0).count();
    Some(json!({
        "candidate": pair.candidate,
        "worse": worse,
        "tags": tags,
        "lost": figures::count(lost as u64),
    }))
}

/// Groups that got worse beyond chance first, then those that lost the most examples.
fn by_loss<'a>(
    groups: impl Iterator<Item = (&'a String, &'a GroupChange)>,
) -> Vec<(&'a String, &'a GroupChange)> {
    let mut groups: Vec<_> = groups.collect();
    let loss = |group: &GroupChange| group.difference.effect * group.pairs as f64;
    groups.sort_by(|(one_name, one), (other_name, other)| {
        let chance = |group: &GroupChange| group.verdict != Verdict::Worse;
        chance(one)
            .cmp(&chance(other))
            .then(loss(one).total_cmp(&loss(other)))
            .then(one_name.cmp(other_name))
    });
    groups
}

fn difference(difference: &Difference) -> Value {
    let interval = difference.low.zip(difference.high);
    json!({
        "effect": signed(difference.effect),
        "interval": interval.map(|(low, high)| format!("{} to {}", signed(low), signed(high))),
        "track": track(Some(difference.effect), difference.low, difference.high, Axis {
            low: -0.5,
            high: 0.5,
        }),
        "p": p(difference.p_adjusted.or(difference.p_worse)),
        "mde": difference.mde.map(points),
        "method": difference.method,
        "units": figures::count(difference.units),
    })
}

fn key(change: &KeyChange) -> Value {
    json!({
        "measure": change.measure.name(),
        "gates": change.gates,
        "verdict": word(change.verdict),
        "class": class(change.verdict),
        "reference": figures::percentage(change.reference),
        "candidate": figures::percentage(change.candidate),
        "difference": difference(&change.difference),
        "pairs": figures::count(change.pairs),
    })
}

fn group((name, change): (&String, &GroupChange)) -> Value {
    json!({
        "name": name,
        "verdict": word(change.verdict),
        "class": class(change.verdict),
        "reference": figures::percentage(change.reference),
        "candidate": figures::percentage(change.candidate),
        "difference": difference(&change.difference),
        "pairs": figures::count(change.pairs),
        "worse": figures::count(change.worse),
        "better": figures::count(change.better),
    })
}

fn flip(flip: &Flip) -> Value {
    let of = |passed: u32, scored: u32| match scored {
        1 if passed == 1 => "passed".to_owned(),
        1 => "failed".to_owned(),
        _ => format!("{passed} of {scored} passed"),
    };
    let changes = flip.changes.iter();
    json!({
        "id": flip.example,
        "kind": flip.kind,
        "split": flip.split,
        "tags": flip.tags,
        "worse": flip.effect() < 0.0,
        "reference": of(flip.reference_passed, flip.reference_scored),
        "candidate": of(flip.candidate_passed, flip.candidate_scored),
        "changes": changes
            .map(|(measure, change)| format!("{} {}", measure.name(), signed(*change)))
            .collect::<Vec<_>>(),
    })
}

fn resource(change: &ResourceChange) -> Value {
    let amount = |value: f64| match change.resource {
        Resource::LatencyMs => figures::duration(value.max(0.0)),
        Resource::CostUsd => {
            let cost = Cost::try_from(value.max(0.0)).unwrap_or(Cost::MOST);
            format!("{} USD", cost::usd(cost))
        }
        Resource::Tokens => figures::count(value.max(0.0).round() as u64),
    };
    let signed = |value: f64| {
        let sign = if value < 0.0 { "−" } else { "+" };
        format!("{sign}{}", amount(value.abs()))
    };
    json!({
        "name": match change.resource {
            Resource::LatencyMs => "latency",
            Resource::CostUsd => "cost",
            Resource::Tokens => "tokens",
        },
        "reference": amount(change.reference),
        "candidate": amount(change.candidate),
        "difference": signed(change.candidate - change.reference),
        "interval": change.low.zip(change.high)
            .map(|(low, high)| format!("{} to {}", signed(low), signed(high))),
    })
}

fn pair(pair: &Pair) -> Value {
    let (worse, better): (Vec<&Flip>, Vec<&Flip>) =
        pair.flips.iter().partition(|flip| flip.effect() < 0.0);
    let shown = pair.flips.len().min(FLIPS_SHOWN);
    let only = |ids: &[String], all: u64| {
        (all > 0).then(|| json!({ "all": figures::count(all), "ids": ids }))
    };
    json!({
        "reference": pair.reference,
        "candidate": pair.candidate,
        "verdict": word(pair.verdict),
        "class": class(pair.verdict),
        "shared": figures::count(pair.shared),
        "keys": pair.keys.iter().map(key).collect::<Vec<_>>(),
        "tags": by_loss(pair.tags.iter()).into_iter()
            .take(GROUPS_SHOWN).map(group).collect::<Vec<_>>(),
        "splits": by_loss(pair.splits.iter()).into_iter().map(group).collect::<Vec<_>>(),
        "worse": figures::count(worse.len() as u64),
        "better": figures::count(better.len() as u64),
        "flips": pair.flips.iter().take(FLIPS_SHOWN).map(flip).collect::<Vec<_>>(),
        "flips_left": figures::count((pair.flips.len() - shown) as u64),
        "more_flips": pair.flips.len() > shown,
        "flaky": pair.flaky.len(),
        "resources": pair.resources.iter().map(resource).collect::<Vec<_>>(),
        "only_reference": only(&pair.only_reference, pair.only_reference_count),
        "only_candidate": only(&pair.only_candidate, pair.only_candidate_count),
    })
}
