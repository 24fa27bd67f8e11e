//! What else differs between two experiments, and may be why their results do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::comparison::Pair;
use super::pairing::differs;
use super::results::{Cell, Facts, Results};
use crate::experiment::{AskedModel, JudgePlan, Panel};
use crate::judge::JudgeKey;
use crate::model::rules::NAME;

/// The most ids that a sentence names.
const IDS_TOLD: usize = 5;

/// One sentence each: settings, then examples, then what is not complete. `paired` are the
/// variants compared, and `pairs` what they come to.
pub(super) fn differences(
    reference: &Results,
    candidate: &Results,
    paired: &[(usize, usize)],
    pairs: &[Pair],
) -> Vec<String> {
    let (was, is) = (&reference.facts, &candidate.facts);
    let mut told = Vec::new();
    repeats(reference, candidate, paired, &mut told);
    settings(was, is, &mut told);
    judges(was, is, &mut told);
    models(reference, candidate, paired, &mut told);
    if was.dataset.hash != is.dataset.hash {
        told.push(format!(
            "the dataset is another: `{}` {} was `{}` {}",
            is.dataset.name,
            head(&is.dataset.hash),
            was.dataset.name,
            head(&was.dataset.hash),
        ));
    }
    examples(reference, candidate, &mut told);
    for results in [reference, candidate] {
        if let Some(looks) = &results.facts.looks {
            told.push(format!(
                "`{}` has as many attempts as looks at it took, {} of {}: that hung on how it compared with `{}`",
                results.facts.experiment, results.facts.repeat, looks.most, looks.reference,
            ));
        }
    }
    for results in [reference, candidate] {
        if !results.facts.complete {
            let name = &results.facts.experiment;
            told.push(format!(
                "`{name}` is not complete: not every attempt that it planned is recorded"
            ));
        }
    }
    for sentence in pairs.iter().flat_map(|pair| &pair.open) {
        if !told.contains(sentence) {
            told.push(sentence.clone());
        }
    }
    told
}

fn head(hash: &str) -> String {
    format!("({}…)", hash.chars().take(12).collect::<String>())
}

/// Both as JSON, where they differ.
fn changed(name: &str, was: impl Serialize, is: impl Serialize, told: &mut Vec<String>) {
    let value = |of: Result<Value, serde_json::Error>| of.expect("a setting has string keys only");
    let (was, is) = (
        value(serde_json::to_value(was)),
        value(serde_json::to_value(is)),
    );
    match (&was, &is) {
        _ if was == is => {}
        // By field, so that what is equal is not told with what is not.
        (Value::Object(of_was), Value::Object(of_is)) => {
            let keys: BTreeSet<&String> = of_was.keys().chain(of_is.keys()).collect();
            for key in keys {
                let name = format!("{name}.{key}");
                changed(&name, of_was.get(key), of_is.get(key), told);
            }
        }
        _ => told.push(format!(
            "`{name}` was {}, and is {}",
            shown(&was),
            shown(&is)
        )),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

fn settings(was: &Facts, is: &Facts, told: &mut Vec<String>) {
    changed("tool_version", &was.tool_version, &is.tool_version, told);
    changed("suites", &was.suites, &is.suites, told);
    changed("seed", was.seed, is.seed, told);
    changed("date", was.date, is.date, told);
    changed("limits", &was.limits, &is.limits, told);
    changed("behaviour", &was.behaviour, &is.behaviour, told);
    changed("triage_costs", was.triage_costs, is.triage_costs, told);
    rules(was, is, told);
    let others = |facts: &Facts| -> BTreeMap<String, AskedModel> {
        let models = facts.models.iter().filter(|(name, _)| *name != NAME);
        models
            .map(|(name, model)| (name.clone(), model.clone()))
            .collect()
    };
    changed("models", others(was), others(is), told);
}

/// How many attempts of each side are compared, where one made more of them.
fn repeats(
    reference: &Results,
    candidate: &Results,
    paired: &[(usize, usize)],
    told: &mut Vec<String>,
) {
    let (was, is) = (reference.facts.repeat, candidate.facts.repeat);
    let shared = paired.iter().flat_map(|&(was, is)| {
        let (was, is) = (
            &reference.variants[was].cells,
            &candidate.variants[is].cells,
        );
        let both = |(id, cell)| Some((cell, is.get(id)?));
        was.iter().filter_map(both)
    });
    let shared: Vec<(&Cell, &Cell)> = shared.collect();
    let is_even = shared.iter().all(|(was, is)| was.attempts == is.attempts);
    let most = shared.iter().map(|(was, _)| was.attempts).max();
    if was != is {
        let mut sentence = format!("`repeat` was {was}, and is {is}");
        match most.filter(|_| is_even) {
            None => {}
            Some(1) => sentence.push_str(": the first attempt of each is compared"),
            Some(most) => {
                sentence.push_str(&format!(": the first {most} attempts of each are compared"));
            }
        }
        told.push(sentence);
    }
    for (results, is_drawn) in [
        (reference, shared.iter().any(|(was, _)| was.drawn)),
        (candidate, shared.iter().any(|(_, is)| is.drawn)),
    ] {
        if is_drawn {
            told.push(format!(
                "which attempts of `{}` came first is not in its file, so that those compared were drawn of all that it counts: `pass_rate` alone can be called worse or better by them",
                results.facts.experiment
            ));
        }
    }
}

/// What the embedded model goes by: it is among the models where that is not embedded.
fn rules(was: &Facts, is: &Facts, told: &mut Vec<String>) {
    let rules = |facts: &Facts| match facts.models.get(NAME) {
        None => "the embedded ones".to_owned(),
        Some(asked) => {
            let hash = asked.model.split_once('#').map_or("", |(_, hash)| hash);
            format!("those of a `rules_file` (`{hash}`)")
        }
    };
    let (was, is) = (rules(was), rules(is));
    if was != is {
        told.push(format!(
            "the model `{NAME}` goes by other rules: {is} now, {was} before"
        ));
    }
}

/// Who judged, and by what.
fn judges(was: &Facts, is: &Facts, told: &mut Vec<String>) {
    let keys = was.judges.iter().chain(&is.judges).map(|plan| plan.judge);
    for judge in keys.collect::<BTreeSet<JudgeKey>>() {
        match (was.judge(judge), is.judge(judge)) {
            (Some(one), Some(other)) => {
                if let Some(differs) = differs(one, other) {
                    told.push(format!(
                        "the {} of the judge `{judge}` was {}, and is {}: what it said is compared although it was asked otherwise",
                        differs.what, differs.was, differs.is,
                    ));
                }
                let votes = format!("judges.{judge}.votes");
                changed(&votes, one.votes, other.votes, told);
                let panels = |plan: &JudgePlan| -> Vec<String> {
                    let names = |panel: &Panel| panel.models.join(" + ");
                    plan.panels.iter().map(names).collect()
                };
                let models = format!("judges.{judge}.models");
                changed(&models, panels(one), panels(other), told);
            }
            (one, _) => {
                let only = if one.is_some() { was } else { is };
                told.push(format!(
                    "the judge `{judge}` looked at `{}` alone, so its keys are not compared",
                    only.experiment,
                ));
            }
        }
    }
}

/// Who played the other roles of variants that are compared under one name.
fn models(
    reference: &Results,
    candidate: &Results,
    paired: &[(usize, usize)],
    told: &mut Vec<String>,
) {
    for &(was, is) in paired {
        let (was, is) = (
            &reference.variants[was].variant,
            &candidate.variants[is].variant,
        );
        if was.name == is.name {
            // Those of judges are told with them.
            let roles = |of: &crate::experiment::Variant| {
                BTreeMap::from([
                    ("router_model", of.router_model.clone()),
                    ("memory_model", of.memory_model.clone()),
                    ("simulator_model", of.simulator_model.clone()),
                ])
            };
            changed(&is.name, roles(was), roles(is), told);
        }
    }
}

fn examples(reference: &Results, candidate: &Results, told: &mut Vec<String>) {
    let only = |of: &Results, other: &Results| {
        let only = of.examples.keys();
        let ids = only.filter(|id| !other.examples.contains_key(*id));
        ids.map(String::as_str)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (of, other) in [(reference, candidate), (candidate, reference)] {
        let ids = only(of, other);
        if !ids.is_empty() {
            told.push(format!(
                "{} in `{}` alone: {}",
                counted(ids.len(), "example is", "examples are"),
                of.facts.experiment,
                listed(&ids),
            ));
        }
    }
    let differ = |what: fn(&Results, &str) -> Option<Value>| -> Vec<String> {
        let shared = reference.examples.keys();
        shared
            .filter(|id| candidate.examples.contains_key(*id))
            .filter(|id| what(reference, id) != what(candidate, id))
            .cloned()
            .collect()
    };
    let expected = differ(|of, id| serde_json::to_value(of.examples.get(id)?.expected).ok());
    if !expected.is_empty() {
        told.push(format!(
            "another decision is expected of {}: {}",
            counted(expected.len(), "example", "examples"),
            listed(&expected),
        ));
    }
    let kinds = differ(|of, id| serde_json::to_value(of.examples.get(id)?.kind).ok());
    if !kinds.is_empty() {
        told.push(format!(
            "{} of another kind, and not compared: {}",
            counted(kinds.len(), "case is", "cases are"),
            listed(&kinds),
        ));
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn listed(ids: &[String]) -> String {
    let shown: Vec<String> = ids
        .iter()
        .take(IDS_TOLD)
        .map(|id| format!("`{id}`"))
        .collect();
    let shown = shown.join(", ");
    match ids.len().saturating_sub(IDS_TOLD) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}
