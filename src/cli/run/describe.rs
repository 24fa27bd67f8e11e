//! A plan in words, for --dry-run: what it does, and what that may come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use super::super::args::Talk;
use crate::experiment::forecast::{Calls, Forecast};
use crate::experiment::{CaseKind, JudgePlan, Panel, Plan};
use crate::judge::calibration::Standing;
use crate::report::{count, escape, role, usd};
use crate::run::{Cost, ModelRole};

pub fn describe(talk: &Talk, plan: &Plan, forecast: &Forecast) -> String {
    match talk.json {
        true => as_json(plan, forecast),
        false => as_text(plan, forecast),
    }
}

fn as_json(plan: &Plan, forecast: &Forecast) -> String {
    let items = plan.items();
    let suites: Vec<_> = plan.suites.iter().map(|suite| suite.name()).collect();
    let calls = |calls: &Calls| json!({ "most": calls.most, "typical": calls.typical });
    let roles: BTreeMap<&str, _> = forecast
        .roles
        .iter()
        .map(|(name, of)| (role(*name), calls(of)))
        .collect();
    let judges: Vec<_> = plan.judges.iter().map(judge_json).collect();
    let shard = plan.shard.as_ref().map(|shard| shard.part);
    let plan = json!({
        "dataset": plan.dataset, "suites": suites, "variants": plan.variants,
        "judges": judges,
        "examples": items.examples, "scenarios": items.scenarios,
        "episodes": items.episodes, "repeat": plan.repeat, "looks": plan.looks, "gates": plan.gates, "seed": plan.seed,
        "attempts": plan.planned(), "shard": shard, "max_model_calls": forecast.calls.most,
        "typical_model_calls": forecast.calls.typical, "model_calls": roles,
        "cost_usd": {
            "most": forecast.most_cost, "typical": forecast.typical_cost,
            "unpriced": forecast.unpriced, "unlimited": forecast.unlimited,
        },
    });
    format!("{plan:#}\n")
}

fn as_text(plan: &Plan, forecast: &Forecast) -> String {
    let items = plan.items();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:12} {}", escape::line(&value)).expect("a string takes all");
    };
    let all = plan.dataset.items();
    line("dataset", format!("{}, {all}", plan.dataset.name));
    line("selected", items.to_string());
    let suites: Vec<_> = plan.suites.iter().map(|suite| suite.name()).collect();
    line("suites", suites.join(", "));
    let variants = plan.variants.iter().map(|variant| variant.name.as_str());
    line("variants", variants.collect::<Vec<_>>().join(", "));
    for judge in &plan.judges {
        for panel in &judge.panels {
            line("judge", told(judge, panel));
        }
    }
    let kinds: Vec<&str> = CaseKind::ALL
        .into_iter()
        .filter(|kind| items.get(*kind) > 0)
        .map(|kind| kind.noun(1))
        .collect();
    let each = format!(
        "{} for each {} and variant",
        plan.repeat,
        kinds.join(" or ")
    );
    line("attempts", format!("{} ({each})", plan.grid().cases()));
    if let Some(looks) = &plan.looks {
        let told = format!(
            "{} at most, in comparison with {}: as many attempts as they take",
            looks.most, looks.reference
        );
        line("looks", told);
    }
    if let Some(shard) = &plan.shard {
        line(
            "shard",
            format!("{}: {} of them", shard.part, plan.planned()),
        );
    }
    line("model calls", calls(&forecast.calls));
    // Of one role it is said already.
    for name in ROLES.iter().filter(|_| forecast.roles.len() > 1) {
        if let Some(of) = forecast.roles.get(name) {
            line(&format!("  {}", role(*name)), calls(of));
        }
    }
    line("cost", cost(forecast));
    for condition in &plan.gates.conditions {
        let of = condition.variant.as_ref();
        let of = of.map(|variant| format!(" of {variant}"));
        line("gate", format!("{condition}{}", of.unwrap_or_default()));
    }
    if plan.unasked > 0 {
        line(
            "left out",
            format!("{} examples of which no suite asks anything", plan.unasked),
        );
    }
    text
}

/// A judge with one of its panels, and what is known of it.
fn told(judge: &JudgePlan, panel: &Panel) -> String {
    let votes = match judge.votes {
        1 => String::new(),
        votes => format!(", {votes} votes each"),
    };
    let standing = match &panel.standing {
        Standing::Calibrated(calibration) => {
            let hash = calibration.hash();
            let hash = hash.get(..12).unwrap_or(&hash);
            format!("calibrated {} ({hash})", calibration.date)
        }
        Standing::Stale { date, because } => {
            format!("stale: calibrated {date}, and {because} changed since")
        }
        Standing::Uncalibrated => "uncalibrated".to_owned(),
    };
    let trusted = match judge.trusted {
        true => ", trusted by the configuration",
        false => "",
    };
    let models = panel.models.join(" + ");
    format!("{} by {models}{votes}: {standing}{trusted}", judge.judge)
}

fn judge_json(judge: &JudgePlan) -> Value {
    let panel = |panel: &Panel| match &panel.standing {
        Standing::Calibrated(calibration) => json!({
            "models": panel.models, "standing": "calibrated", "date": calibration.date,
            "calibration": calibration.hash(),
        }),
        Standing::Stale { date, because } => json!({
            "models": panel.models, "standing": "stale", "date": date, "because": because,
        }),
        Standing::Uncalibrated => {
            json!({ "models": panel.models, "standing": "uncalibrated" })
        }
    };
    let panels: Vec<Value> = judge.panels.iter().map(panel).collect();
    json!({
        "judge": judge.judge, "version": judge.version, "votes": judge.votes,
        "threshold": judge.threshold, "trusted": judge.trusted, "panels": panels,
    })
}

fn calls(calls: &Calls) -> String {
    format!(
        "about {}, {} at most",
        count(calls.typical),
        count(calls.most)
    )
}

/// In the order in which they are asked.
const ROLES: [ModelRole; 5] = [
    ModelRole::Router,
    ModelRole::Agent,
    ModelRole::Memory,
    ModelRole::Simulator,
    ModelRole::Judge,
];

fn cost(forecast: &Forecast) -> String {
    let names = |models: &BTreeSet<String>| {
        let quoted: Vec<String> = models.iter().map(|model| format!("`{model}`")).collect();
        quoted.join(", ")
    };
    match (forecast.typical_cost, forecast.most_cost) {
        (Some(Cost::ZERO), Some(Cost::ZERO)) => "nothing".to_owned(),
        (Some(typical), Some(most)) => {
            format!("about {} USD, {} USD at most", usd(typical), usd(most))
        }
        (Some(typical), None) => format!(
            "about {} USD, and no end to it: set `max_tokens` of {}",
            usd(typical),
            names(&forecast.unlimited)
        ),
        (None, _) => format!(
            "unknown: no price of {} (state it in mailproof.yaml under `prices`)",
            names(&forecast.unpriced)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(typical: Option<u64>, most: Option<u64>) -> Forecast {
        Forecast {
            most_cost: most.map(Cost::of_trillionths),
            typical_cost: typical.map(Cost::of_trillionths),
            unpriced: BTreeSet::from(["a:x".to_owned(), "b:y".to_owned()]),
            unlimited: BTreeSet::from(["c:z".to_owned()]),
            ..Forecast::default()
        }
    }

    #[test]
    fn a_cost_is_told_as_far_as_it_is_known() {
        const USD: u64 = 1_000_000_000_000;
        for (typical, most, told) in [
            (Some(0), Some(0), "nothing"),
            (
                Some(USD / 4),
                Some(12 * USD),
                "about 0.25 USD, 12.00 USD at most",
            ),
            (
                Some(USD / 4),
                None,
                "about 0.25 USD, and no end to it: set `max_tokens` of `c:z`",
            ),
            (
                None,
                None,
                "unknown: no price of `a:x`, `b:y` (state it in mailproof.yaml under `prices`)",
            ),
        ] {
            assert_eq!(cost(&forecast(typical, most)), told);
        }
    }
}
