//! The figures of the page: what is drawn, and of what.

use serde_json::{Value, json};

use super::plot::{self, Axis, Curve, Point, track};
use super::survey::Survey;
use crate::report::{Estimate, Report, VariantReport, cost, figures, people};
use crate::run::Cost;
use crate::score::Key;

/// What is drawn of each variant, with its intervals.
const PANELS: [(&str, &str); 6] = [
    ("Triage accuracy", "triage.accuracy"),
    ("Calls exactly as expected", "tool_calls.exact"),
    ("Criteria met by replies, judged", "response.criteria"),
    ("Scenarios passed", "hitl.pass"),
    ("Episodes passed", "memory.pass"),
    ("Memory gain, in points", "memory.gain"),
];

/// The key that is a difference of shares.
const GAIN: &str = "memory.gain";

/// What a key of a panel is called.
pub fn title(key: &str) -> &str {
    let known = PANELS.iter().find(|(_, known)| *known == key);
    known.map_or("Pass rate", |(title, _)| title)
}

/// An estimate beside its drawing. A key without a variant's scores has no figure there.
fn cell(estimate: Option<&Estimate>, key: &str) -> Value {
    let Some(estimate) = estimate else {
        return json!({ "text": figures::NOTHING });
    };
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let (text, axis) = match key {
        GAIN => (
            estimate.value.map(|value| format!("{:+.1}", value * 100.0)),
            Axis::DIFFERENCE,
        ),
        "triage.macro_f1" | "triage.cost" => (
            estimate.value.map(|value| format!("{value:.2}")),
            Axis::SHARE,
        ),
        _ => (estimate.value.map(figures::percentage), Axis::SHARE),
    };
    let interval = estimate
        .low
        .zip(estimate.high)
        .map(|(low, high)| match key {
            GAIN => format!("{:+.0} to {:+.0}", low * 100.0, high * 100.0),
            "triage.macro_f1" | "triage.cost" => format!("{low:.2}–{high:.2}"),
            _ => format!("{}–{}", percent(low), percent(high)),
        });
    json!({
        "text": text.unwrap_or(figures::NOTHING.to_owned()),
        "interval": interval,
        "n": figures::count(estimate.n),
        "track": track(estimate.value, estimate.low, estimate.high, axis),
    })
}

/// The variants side by side, a panel a question.
pub fn panels(report: &Report) -> Vec<Value> {
    let passes = |variant: &VariantReport| Some(variant.pass_rate);
    let mut panels = Vec::new();
    if report.plan.examples > 0 {
        panels.push(panel(report, "Pass rate", "pass_rate", passes));
    }
    for (title, key) in PANELS {
        panels.push(panel(report, title, key, |variant| {
            variant.metrics.get(key).copied()
        }));
    }
    panels.into_iter().flatten().collect()
}

fn panel(
    report: &Report,
    title: &str,
    key: &str,
    of: impl Fn(&VariantReport) -> Option<Estimate>,
) -> Option<Value> {
    let estimates = report.variants.iter().enumerate();
    let rows: Vec<Value> = estimates
        .filter_map(|(index, variant)| {
            let estimate = of(variant)?;
            Some(json!({
                "name": variant.name,
                "mark": plot::mark(index),
                "slot": index % plot::MARKS,
                "cell": cell(Some(&estimate), key),
            }))
        })
        .collect();
    let ends = match key {
        GAIN => ["−100", "0", "+100"],
        _ => ["0%", "50%", "100%"],
    };
    let calibrations = report.variants.iter();
    let calibration = calibrations
        .filter_map(|variant| variant.metrics.calibration(key))
        .next();
    (!rows.is_empty())
        .then(|| json!({ "title": title, "rows": rows, "ends": ends, "calibration": calibration }))
}

/// Every key, a row each, a column a variant.
pub fn keys(report: &Report) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for variant in &report.variants {
        for (key, _) in variant.metrics.iter() {
            if !names.contains(&key) {
                names.push(key);
            }
        }
    }
    // Variants that miss some keys would put them last: the order is that of the table.
    names.sort_by_key(|name| {
        let place = |key: &Key| name.starts_with(key.name());
        let same_group = |key: &Key| name.split('.').next() == key.name().split('.').next();
        let exact = Key::ALL.iter().position(place);
        exact.or_else(|| Key::ALL.iter().position(same_group))
    });
    let diagnostic = |name: &str| {
        let mut keys = Key::ALL.iter();
        keys.any(|key| key.name() == name && key.is_diagnostic())
    };
    let rows: Vec<Value> = names
        .into_iter()
        .map(|name| {
            let cells = report.variants.iter().map(|variant| {
                let mut cell = cell(variant.metrics.get(name), name);
                if let Some(calibration) = variant.metrics.calibration(name) {
                    cell["calibration"] = json!(calibration);
                }
                cell
            });
            json!({
                "name": name,
                "diagnostic": diagnostic(name),
                "cells": cells.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "variants": names_of(report), "rows": rows })
}

fn names_of(report: &Report) -> Vec<Value> {
    let variants = report.variants.iter().enumerate();
    variants
        .map(|(index, variant)| json!({ "name": variant.name, "mark": plot::mark(index) }))
        .collect()
}

/// The pass rate of each tag, a column a variant, the worst tags first.
pub fn tags(report: &Report) -> Option<Value> {
    let mut names: Vec<&str> = Vec::new();
    for variant in &report.variants {
        for tag in variant.tags.keys() {
            if !names.contains(&tag.as_str()) {
                names.push(tag);
            }
        }
    }
    let rate = |tag: &str| {
        let groups = report
            .variants
            .iter()
            .filter_map(|variant| variant.tags.get(tag));
        let rates: Vec<f64> = groups.filter_map(|group| group.pass_rate.value).collect();
        match rates.len() {
            0 => f64::INFINITY,
            number => rates.iter().sum::<f64>() / number as f64,
        }
    };
    // Scenarios and episodes have no pass rate.
    names.retain(|tag| rate(tag).is_finite());
    names.sort_by(|one, other| rate(one).total_cmp(&rate(other)).then(one.cmp(other)));
    let rows: Vec<Value> = names
        .into_iter()
        .map(|tag| {
            let groups = report.variants.iter().map(|variant| variant.tags.get(tag));
            let groups: Vec<_> = groups.collect();
            let examples = groups.iter().flatten().map(|group| group.examples).max();
            let cells = groups
                .iter()
                .map(|group| cell(group.map(|group| &group.pass_rate), ""));
            json!({
                "name": tag,
                "examples": figures::count(examples.unwrap_or(0)),
                "cells": cells.collect::<Vec<_>>(),
            })
        })
        .collect();
    (!rows.is_empty()).then(|| json!({ "variants": names_of(report), "rows": rows }))
}

/// What an attempt takes against how many pass; in calls where nothing cost anything.
pub fn scatter(report: &Report, names: &[String]) -> Option<Value> {
    let dollars = |variant: &VariantReport| {
        variant
            .attempt_cost_usd
            .map(|each| each.mean)
            .filter(|mean| *mean > Cost::ZERO)
    };
    let paid = report
        .variants
        .iter()
        .any(|variant| dollars(variant).is_some());
    let mut points = Vec::new();
    let mut rows = Vec::new();
    for (index, variant) in report.variants.iter().enumerate() {
        let (Some(rate), true) = (variant.pass_rate.value, variant.counts.attempts > 0) else {
            continue;
        };
        let attempts = variant.counts.attempts as f64;
        let calls = figures::own_calls(&variant.usage) as f64 / attempts;
        let mean = variant.attempt_cost_usd.map(|each| each.mean);
        let x = match paid {
            true => mean.map(|mean| mean.usd()),
            false => Some(calls),
        };
        let shown = match paid {
            true => mean.map_or("unknown".to_owned(), |mean| {
                format!("{} USD", cost::usd(mean))
            }),
            false => format!("{calls:.1}"),
        };
        rows.push(json!({
            "name": names[index],
            "mark": plot::mark(index),
            "takes": shown,
            "rate": figures::share_with_interval(rate, variant.pass_rate.low, variant.pass_rate.high),
        }));
        points.extend(x.map(|x| Point {
            index,
            x,
            y: rate,
            interval: variant.pass_rate.low.zip(variant.pass_rate.high),
        }));
    }
    if points.is_empty() {
        return None;
    }
    let (title, takes) = match paid {
        true => ("Cost against quality", "US dollars per attempt"),
        false => ("Model calls against quality", "model calls per attempt"),
    };
    let amount = |amount: f64| match paid {
        true => format!(
            "${}",
            cost::usd(Cost::try_from(amount).unwrap_or(Cost::MOST))
        ),
        false => format!("{amount}"),
    };
    let label = format!("Pass rate against {takes}, a mark a variant; the table has the figures");
    Some(json!({
        "title": title,
        "takes": takes,
        "free": !paid,
        "svg": plot::scatter(&label, &points, amount),
        "rows": rows,
    }))
}

pub fn latency(report: &Report, survey: &Survey, names: &[String]) -> Option<Value> {
    let latencies = survey.latencies()?;
    let (low, high) = latencies.ends();
    let variants = report.variants.iter().enumerate();
    let rows: Vec<Value> = variants
        .filter_map(|(index, variant)| {
            let latency = variant.latency_ms?;
            let quantiles = [latency.p50, latency.p90, latency.p99, latency.max];
            let marks = [latency.p50, latency.p90].map(|ms| latencies.place(ms));
            let label = format!(
                "Latencies of {}: half within {}, nine in ten within {}",
                names[index],
                figures::duration(latency.p50),
                figures::duration(latency.p90),
            );
            Some(json!({
                "name": variant.name,
                "mark": plot::mark(index),
                "svg": plot::spread(&label, index, &latencies.counts(index as u32), &marks),
                "cells": quantiles.map(figures::duration),
            }))
        })
        .collect();
    (!rows.is_empty()).then(|| {
        json!({
            "rows": rows,
            "low": figures::duration(low),
            "high": figures::duration(high),
        })
    })
}

/// How emails were handled by their place in an episode, with memory and without.
pub fn learning(report: &Report, names: &[String]) -> Option<Value> {
    let memories = || {
        let variants = report.variants.iter().enumerate();
        variants.filter_map(|(index, variant)| Some((index, &variant.memory.as_ref()?.learning)))
    };
    let asked = memories().flat_map(|(_, part)| &part.curve);
    let asked = asked.filter(|point| point.episodes > 0);
    let places = asked.map(|point| point.email).max()? as usize;
    let mut curves = Vec::new();
    let mut legend = Vec::new();
    for (index, part) in memories() {
        let shares = |of: fn(&crate::report::CurvePoint) -> Option<f64>| {
            let mut shares = vec![None; places];
            for point in &part.curve {
                let place = (point.email as usize).checked_sub(1);
                if let Some(share) = place.and_then(|place| shares.get_mut(place)) {
                    *share = of(point);
                }
            }
            shares
        };
        curves.push(Curve {
            index,
            dashed: false,
            shares: shares(|point| point.with),
        });
        curves.push(Curve {
            index,
            dashed: true,
            shares: shares(|point| point.without),
        });
        legend.push(json!({
            "name": names[index],
            "mark": plot::mark(index),
            "gain": people::points(&part.gain),
        }));
    }
    let label = "Share of what an email asks that was done, by its place in the episode; solid \
                 with memory, dashed without; the table has the figures";
    Some(json!({ "svg": plot::curves(label, places, &curves), "legend": legend }))
}
