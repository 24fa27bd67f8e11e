//! What the head of the page says, for its template: words, figures, and drawings.

use serde_json::{Value, json};

use super::comparison;
use super::figure;
use super::judges;
use super::survey::{Case, Cell, Survey};
use crate::email::Triage;
use crate::redact::Redactor;
use crate::report::escape::xml;
use crate::report::gate::verdict;
use crate::report::people::{self, Table};
use crate::report::{
    EpisodeChanges, GateVerdict, Incident, Report, VariantReport, asked, circumstances, cost,
    figures,
};

/// The most flaky examples that are listed.
const FLAKY_SHOWN: usize = 100;
/// Stand around names within a sentence, where the page shows code. Nothing reads them as
/// letters; those that a name brings along are dropped.
const NAME: char = '\u{e000}';
const END: char = '\u{e001}';

/// Marks a name of somebody else's in a sentence of ours.
pub(super) fn quote(name: &str) -> String {
    let name: String = name.chars().filter(|c| ![NAME, END].contains(c)).collect();
    format!("{NAME}{name}{END}")
}

/// A sentence with its names as HTML.
pub(super) fn words(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 32);
    let mut named = false;
    for part in text.split_inclusive([NAME, END]) {
        let plain = part.trim_end_matches([NAME, END]);
        // Line breaks are the only controls that are left in a text.
        let lines: Vec<String> = plain.split('\n').map(xml).collect();
        html.push_str(&lines.join("\n"));
        if part.ends_with(NAME) && !named {
            html.push_str("<code>");
            named = true;
        } else if part.ends_with(END) && named {
            html.push_str("</code>");
            named = false;
        }
    }
    if named {
        html.push_str("</code>");
    }
    html
}

pub(super) fn view(report: &Report, survey: &Survey, redactor: &Redactor) -> Value {
    let names: Vec<String> = report
        .variants
        .iter()
        .map(|variant| redactor.text(&variant.name).into_owned())
        .collect();
    let costs = cost::table(report, quote).map(table);
    json!({
        "experiment": report.experiment,
        "verdict": verdict(report),
        "comparison": report.comparison.as_ref().map(comparison::view),
        "variants": variants(report),
        "panels": figure::panels(report),
        "keys": figure::keys(report),
        "confusions": confusions(report),
        "splits": figures::splits(report, quote).map(|(headers, rows)| {
            table((headers.into_iter().map(str::to_owned).collect(), rows))
        }),
        "tags": figure::tags(report),
        "scatter": figure::scatter(report, &names),
        "cost_legend": cost::unknown(report).or(costs.is_some().then_some(cost::LEGEND)),
        "costs": costs,
        "passes": figures::passes(report, quote).map(table),
        "passes_legend": figures::PASSES,
        "latency": figure::latency(report, survey, &names),
        "hitl": people::scenario_checks(report, quote).map(table),
        "hitl_words": people::HITL,
        "memory": memory(report, &names),
        "flaky": flaky(report, survey),
        "judges": judges::judges(report),
        "criteria": judges::criteria(report),
        "failures": failures(report),
        "not_judged": figures::not_judged(report),
        "environment": environment(report),
    })
}

/// Headers and rows, each row's first cell apart: it names the row.
pub(super) fn table((headers, rows): Table) -> Value {
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|mut cells| {
            let name = cells.remove(0);
            json!({ "name": name, "cells": cells })
        })
        .collect();
    json!({ "headers": headers, "rows": rows })
}

pub(super) fn class(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Pass => "good",
        GateVerdict::Fail => "bad",
        GateVerdict::Indecisive => "warn",
        GateVerdict::None => "plain",
    }
}

fn meaning(exit_code: u8) -> &'static str {
    match exit_code {
        0 => "fine",
        3 => "indecisive",
        100 => "a gate failed",
        101 => "a regression",
        _ => "see docs/exit-codes.md",
    }
}

fn verdict(report: &Report) -> Value {
    let gate = &report.gate;
    let check = |check: &crate::report::Check| {
        json!({
            "class": class(check.verdict),
            "word": verdict::check_word(check.verdict),
            "name": check.name.replace('_', " "),
            "variant": check.variant,
            "reason": verdict::prose(&check.reason, quote),
            "fix": check.fix,
        })
    };
    let notable: Vec<Value> = verdict::notable_checks(report).map(check).collect();
    let passed = gate.checks.iter();
    let passed = passed.filter(|check| check.verdict == GateVerdict::Pass);
    let headline = figures::headline(report, quote);
    let (word, rest) = headline.split_once(": ").unwrap_or((&headline, ""));
    json!({
        "class": class(gate.verdict),
        "word": word,
        "headline": capital(rest),
        "exit_code": gate.exit_code,
        "meaning": meaning(gate.exit_code),
        "notable": notable,
        "passed": passed.map(check).collect::<Vec<_>>(),
        "layer": report.environment.layer.as_ref().map(|layer| layer.words(quote)),
        "facts": figures::plan_parts(report, quote),
    })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// What the figures of each variant are made of; the figures are in the panels.
fn variants(report: &Report) -> Value {
    let headers = [
        "attempts",
        "scored",
        "passed",
        "failed",
        "not finished",
        "errors",
        "calls/attempt",
        "tokens",
        "p50",
    ];
    let rows: Vec<Value> = report
        .variants
        .iter()
        .enumerate()
        .map(|(index, variant)| {
            let counts = &variant.counts;
            let calls = figures::own_calls(&variant.usage) as f64 / counts.attempts as f64;
            let usage = variant.usage.0.values();
            let tokens = usage
                .map(|role| role.input_tokens + role.output_tokens)
                .sum();
            let cells = [
                figures::count(counts.attempts),
                figures::count(counts.scored),
                figures::count(counts.passed),
                figures::count(counts.failed),
                figures::count(figures::agent_failures(variant)),
                figures::count(counts.errors),
                match counts.attempts {
                    0 => figures::NOTHING.to_owned(),
                    _ => format!("{calls:.1}"),
                },
                // The offline model counts none.
                match tokens {
                    0 => figures::NOTHING.to_owned(),
                    tokens => figures::count(tokens),
                },
                match variant.latency_ms {
                    Some(latency) => figures::duration(latency.p50),
                    None => figures::NOTHING.to_owned(),
                },
            ];
            json!({
                "name": variant.name,
                "mark": super::plot::mark(index),
                "models": models(variant),
                "cells": cells,
            })
        })
        .collect();
    json!({ "headers": headers, "rows": rows, "legend": figures::legend(report) })
}

/// The models of roles that are not the agent's own.
fn models(variant: &VariantReport) -> Vec<String> {
    let others = [
        ("router", &variant.router_model),
        ("memory", &variant.memory_model),
        ("simulator", &variant.simulator_model),
    ];
    let mut models: Vec<String> = others
        .into_iter()
        .filter_map(|(role, model)| Some(format!("{role}: {}", model.as_ref()?)))
        .collect();
    if !variant.judge_models.is_empty() {
        models.push(format!("judged by: {}", variant.judge_models.join(", ")));
    }
    models
}

/// Matrices, those that are equal once.
fn confusions(report: &Report) -> Vec<Value> {
    let mut groups: Vec<(Vec<&VariantReport>, &VariantReport)> = Vec::new();
    let decided = report
        .variants
        .iter()
        .filter(|variant| variant.confusion.is_some());
    for variant in decided {
        let same = |one: &VariantReport| {
            one.confusion == variant.confusion && one.classes == variant.classes
        };
        match groups.iter_mut().find(|(_, first)| same(first)) {
            Some((group, _)) => group.push(variant),
            None => groups.push((vec![variant], variant)),
        }
    }
    let groups = groups.into_iter();
    groups
        .filter_map(|(group, first)| {
            let names: Vec<&str> = group.iter().map(|variant| variant.name.as_str()).collect();
            let (headers, rows) = figures::confusion(first)?;
            let confusion = first.confusion.as_ref()?;
            let decisions = Triage::ALL.into_iter();
            let rows: Vec<Value> = rows
                .into_iter()
                .map(|mut cells| {
                    let name = cells.remove(0);
                    let expected = decisions.clone().find(|label| label.name() == name);
                    let cells = cells.into_iter().enumerate().map(|(column, text)| {
                        let share = expected.and_then(|expected| {
                            let row = confusion.row(expected);
                            let found = match column {
                                0..3 => row.of(Some(Triage::ALL[column])),
                                3 if headers.len() > 5 => row.none,
                                _ => return None,
                            };
                            Some((found as f64 / row.total().max(1) as f64, expected))
                        });
                        let class = share.map(|(share, expected)| {
                            let right = Triage::ALL.get(column) == Some(&expected);
                            let word = if right { "right" } else { "wrong" };
                            // Five steps, and none for nothing.
                            let depth = (share * 5.0).ceil() as u8;
                            format!("{word} s{depth}")
                        });
                        json!({ "text": text, "class": class })
                    });
                    let cells: Vec<Value> = cells.collect();
                    json!({ "name": name, "foot": expected.is_none(), "cells": cells })
                })
                .collect();
            Some(json!({ "variants": names, "headers": headers, "rows": rows }))
        })
        .collect()
}

fn memory(report: &Report, names: &[String]) -> Option<Value> {
    let checks = people::episode_checks(report, quote)?;
    let changes: Vec<Value> = report
        .variants
        .iter()
        .filter_map(|variant| {
            let changes = variant.memory.iter().flat_map(|memory| &memory.changes);
            let changes: Vec<&EpisodeChanges> = changes
                .filter(|changes| !changes.namespaces.is_empty())
                .collect();
            (!changes.is_empty()).then(|| json!({ "variant": variant.name, "episodes": changes }))
        })
        .collect();
    Some(json!({
        "words": people::MEMORY,
        "curve": figure::learning(report, names),
        "gains": people::gains(report, quote).map(table),
        "places": people::curve(report, quote).map(table),
        "checks": table(checks),
        "demonstration": people::demonstrates(report).then_some(people::DEMONSTRATION),
        "changes": changes,
    }))
}

/// Examples with both outcomes among the attempts of a variant.
fn flaky(report: &Report, survey: &Survey) -> Value {
    let cells = survey.cases().values().flat_map(|case| {
        let cells = case.cells.iter().filter(|(_, cell)| cell.is_flaky());
        cells.map(move |(variant, cell)| (case, *variant, cell))
    });
    let cells: Vec<(&Case, u32, &Cell)> = cells.collect();
    let rows: Vec<Value> = cells
        .iter()
        .take(FLAKY_SHOWN)
        .map(|(case, variant, cell)| {
            let variant = report.variants.get(*variant as usize);
            json!({
                "id": case.id,
                "kind": case.kind,
                "split": case.split,
                "variant": variant.map(|variant| variant.name.as_str()),
                "passed": cell.passed,
                "scored": cell.passed + cell.failed,
            })
        })
        .collect();
    json!({
        "repeat": report.plan.repeat,
        "count": figures::count(cells.len() as u64),
        "shown": rows.len(),
        "all": cells.len(),
        "rows": rows,
    })
}

/// What went wrong beyond scores, a variant at a time.
fn failures(report: &Report) -> Vec<Value> {
    let incident = |incident: &Incident| {
        json!({
            "example": incident.example,
            "attempt": incident.repeat + 1,
            "outcome": incident.outcome.name(),
            "error": incident.error.as_deref().unwrap_or("no message"),
        })
    };
    let list = |title: &str, incidents: &[Incident], all: u64| {
        (!incidents.is_empty()).then(|| {
            json!({
                "title": format!("{title}: {} of {}", incidents.len(), figures::count(all)),
                "incidents": incidents.iter().map(incident).collect::<Vec<_>>(),
            })
        })
    };
    let variants = report.variants.iter().filter_map(|variant| {
        let lists: Vec<Value> = [
            list(
                "Agent failures, scored 0",
                &variant.agent_failures,
                figures::agent_failures(variant),
            ),
            list(
                "Infrastructure errors, not scored",
                &variant.infrastructure_errors,
                variant.counts.errors,
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        let notes: Vec<String> = variant
            .notes
            .iter()
            .flat_map(|case| {
                let notes = case.notes.iter();
                notes.map(|note| format!("{}: {note}", quote(&case.example)))
            })
            .collect();
        (!lists.is_empty() || !notes.is_empty())
            .then(|| json!({ "variant": variant.name, "lists": lists, "notes": notes }))
    });
    variants.collect()
}

fn environment(report: &Report) -> Value {
    let environment = &report.environment;
    let mut facts = vec![
        ("experiment", quote(&environment.experiment)),
        (
            "dataset",
            format!(
                "{} {}",
                quote(&report.dataset.name),
                quote(&figures::short(&report.dataset.hash))
            ),
        ),
        ("seed", report.plan.seed.to_string()),
        ("version", quote(&environment.tool_version)),
        ("created", environment.created.to_string()),
        ("date in prompts", environment.date.to_string()),
    ];
    if let Some(finished) = environment.finished {
        facts.push(("finished", finished.to_string()));
    }
    if let Some(seconds) = environment.wall_seconds {
        facts.push(("wall time", figures::duration(seconds * 1_000.0)));
    }
    facts.extend(circumstances::spent(environment).map(|spent| ("spent", spent)));
    facts.extend(circumstances::replayed(report).map(|calls| ("replayed", calls)));
    facts.extend(circumstances::recorded(environment).map(|calls| ("recorded", calls)));
    if !environment.dataset_paths.is_empty() {
        let paths: Vec<String> = environment
            .dataset_paths
            .iter()
            .map(|path| quote(path))
            .collect();
        facts.push(("dataset loaded from", paths.join(", ")));
    }
    for session in &environment.sessions {
        let words: Vec<String> = session
            .arguments
            .iter()
            .map(|word| crate::report::escape::shell(word))
            .collect();
        facts.push((
            "session",
            format!(
                "{} on {}, at most {} cases in flight: {}",
                session.started,
                quote(&session.host),
                session.max_concurrency,
                quote(&format!("mailproof {}", words.join(" "))),
            ),
        ));
    }
    let models = asked::rows(report, quote).map(|rows| {
        let headers = ["model", "role", "asked otherwise than by default"];
        table((
            headers.map(str::to_owned).to_vec(),
            rows.into_iter().map(Vec::from).collect(),
        ))
    });
    json!({
        "facts": facts,
        "traffic": circumstances::traffic(environment, quote).map(table),
        "models": models,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_in_sentences_are_code() {
        for (text, html) in [
            (
                format!("on {} now", quote("a<b>&")),
                "on <code>a&lt;b&gt;&amp;</code> now",
            ),
            ("no names".to_owned(), "no names"),
            (quote(&quote("twice")), "<code>twice</code>"),
            (
                verdict::prose("`a<b>` got worse, and `c`", quote),
                "<code>a&lt;b&gt;</code> got worse, and <code>c</code>",
            ),
            (
                verdict::prose("one ` alone", quote),
                "one <code> alone</code>",
            ),
            (format!("open{NAME}ed"), "open<code>ed</code>"),
            (format!("{END}closed"), "closed"),
            (format!("{NAME}a{NAME}b{END}{END}"), "<code>ab</code>"),
            ("two\nlines".to_owned(), "two\nlines"),
        ] {
            assert_eq!(words(&text), html, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn code_is_always_closed_and_nothing_else_is_markup(text in "[a<>&\"\u{e000}\u{e001} ]{0,20}") {
            let html = words(&text);
            let (open, closed) = (html.matches("<code>").count(), html.matches("</code>").count());
            prop_assert_eq!(open, closed);
            prop_assert_eq!(html.matches('<').count(), open + closed);
        }
    }
}
