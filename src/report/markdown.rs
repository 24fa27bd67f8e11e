//! `report.md`: what a pull request or a wiki shows.
//!
//! Headline and table first, details folded. Names and texts of others are code spans. All
//! that may differ between two runs of one plan stands in the last section, so that the
//! rest can be compared byte by byte; scores of a layer say so at the top.

use std::fmt::Write;

use super::escape::{bounded, markdown as code, xml};
use super::{
    EpisodeChanges, Incident, Report, VariantReport, WORST_SHOWN, asked, circumstances, cost,
    figures, gate::verdict, people,
};
use crate::experiment::{CaseKind, EndReason};

pub(super) mod compare;
mod judges;

/// The most characters of one name, comment, or error.
const TEXT_SHOWN: usize = 400;

pub fn render(report: &Report) -> String {
    let mut sections = vec![headline(report)];
    if let Some(comparison) = &report.comparison {
        sections.push(format!(
            "## Against {}\n\n{}",
            quote(&comparison.reference.experiment),
            compare::section(comparison)
        ));
    }
    sections.push(variants(report));
    sections.extend(judges::judges(report));
    sections.extend(judges::criteria(report));
    sections.extend(costs(report));
    sections.extend(passes(report));
    sections.extend(splits(report));
    sections.extend(in_the_loop(report));
    sections.extend(memory(report));
    sections.extend(details(report));
    sections.extend(models(report));
    sections.extend(figures::not_judged(report));
    sections.push(gate(report));
    sections.push(environment(report));
    let mut text = sections.join("\n\n");
    text.push('\n');
    text
}

fn quote(text: &str) -> String {
    code(&bounded(text, TEXT_SHOWN))
}

fn headline(report: &Report) -> String {
    let mut text = format!(
        "# mailproof report\n\n**{}**\n",
        figures::headline(report, quote)
    );
    if let Some(layer) = &report.environment.layer {
        write!(text, "\n{}\n", layer.words(quote)).expect("a String takes any text");
    }
    for check in verdict::notable_checks(report) {
        let line = verdict::check_line(check, quote, |reason| verdict::prose(reason, quote));
        write!(text, "\n- {line}").expect("a String takes any text");
    }
    if !text.ends_with("\n") {
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&figures::plan_parts(report, quote).join(" · "));
    text
}

fn variants(report: &Report) -> String {
    let columns = figures::columns(report);
    let mut headers = vec!["variant"];
    headers.extend(columns.iter().map(|column| column.header));
    let rows = report.variants.iter().map(|variant| {
        let mut row = vec![quote(&variant.name)];
        row.extend(columns.iter().map(|column| (column.cell)(variant)));
        row
    });
    let table = table(&headers, rows);
    format!("{table}\n\n{}", figures::legend(report))
}

/// The first column names the row, the others hold figures.
fn table(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n| :--- |", headers.join(" | "));
    text.push_str(&" ---: |".repeat(headers.len() - 1));
    for row in rows {
        write!(text, "\n| {} |", row.join(" | ")).expect("a String takes any text");
    }
    text
}

fn splits(report: &Report) -> Option<String> {
    let (headers, rows) = figures::splits(report, quote)?;
    Some(format!("## By split\n\n{}", table(&headers, rows)))
}

fn passes(report: &Report) -> Option<String> {
    let table = owned_table(figures::passes(report, quote)?);
    Some(format!(
        "## Several attempts\n\n{}\n\n{table}",
        figures::PASSES
    ))
}

fn costs(report: &Report) -> Option<String> {
    if let Some(words) = cost::unknown(report) {
        return Some(words.to_owned());
    }
    let table = owned_table(cost::table(report, quote)?);
    Some(format!("## Cost\n\n{}\n\n{table}", cost::LEGEND))
}

fn models(report: &Report) -> Option<String> {
    let rows = asked::rows(report, quote)?;
    let mut text =
        "## Models\n\n| model | role | asked otherwise than by default |\n| :--- | :--- | :--- |"
            .to_owned();
    for row in rows {
        write!(text, "\n| {} |", row.join(" | ")).expect("a String takes any text");
    }
    Some(text)
}

fn owned_table((headers, rows): people::Table) -> String {
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    table(&headers, rows)
}

fn in_the_loop(report: &Report) -> Option<String> {
    let checks = owned_table(people::scenario_checks(report, quote)?);
    Some(format!(
        "## People in the loop\n\n{}\n\n{checks}",
        people::HITL
    ))
}

fn memory(report: &Report) -> Option<String> {
    let checks = people::episode_checks(report, quote)?;
    let mut parts = vec!["## Memory".to_owned(), people::MEMORY.to_owned()];
    parts.extend(people::gains(report, quote).map(owned_table));
    parts.extend(people::curve(report, quote).map(owned_table));
    parts.push(owned_table(checks));
    if people::demonstrates(report) {
        parts.push(people::DEMONSTRATION.to_owned());
    }
    for variant in &report.variants {
        let changes = variant.memory.iter().flat_map(|memory| &memory.changes);
        let entries: Vec<String> = changes
            .filter(|changes| !changes.namespaces.is_empty())
            .map(changed)
            .collect();
        if !entries.is_empty() {
            let summary = format!("What {} learnt", xml(&bounded(&variant.name, TEXT_SHOWN)));
            parts.push(fold(&summary, &entries.join("\n")));
        }
    }
    Some(parts.join("\n\n"))
}

fn changed(changes: &EpisodeChanges) -> String {
    let mut entry = format!("- {}", quote(&changes.episode));
    for namespace in &changes.namespaces {
        write!(entry, "\n  - {}", quote(&namespace.namespace)).expect("a String takes any text");
        for (lines, word) in [(&namespace.removed, "lost"), (&namespace.added, "gained")] {
            for line in lines {
                write!(entry, "\n    - {word} {}", quote(line)).expect("a String takes any text");
            }
        }
    }
    entry
}

/// A section a variant, its long parts folded.
fn details(report: &Report) -> Vec<String> {
    report
        .variants
        .iter()
        .map(|variant| {
            let mut parts = vec![format!("## {}", quote(&variant.name))];
            if let Some((headers, rows)) = figures::confusion(variant) {
                parts.push(
                    "Decisions: expected (rows) and found (columns), in attempts.".to_owned(),
                );
                parts.push(table(&headers, rows));
            }
            parts.extend(
                CaseKind::ALL
                    .into_iter()
                    .filter_map(|kind| worst(variant, kind)),
            );
            for judge in &variant.judges {
                parts.extend(judges::worst(judge));
                parts.extend(judges::split_votes(judge));
            }
            parts.extend(incidents(
                "Agent failures, scored 0",
                &variant.agent_failures,
                figures::agent_failures(variant),
            ));
            parts.extend(incidents(
                "Infrastructure errors, not scored",
                &variant.infrastructure_errors,
                variant.counts.errors,
            ));
            parts.extend(notes(variant));
            parts.push(all_metrics(variant));
            parts.join("\n\n")
        })
        .collect()
}

/// A fold that GitHub renders; the blank lines make its inside Markdown again.
fn fold(summary: &str, inside: &str) -> String {
    format!("<details>\n<summary>{summary}</summary>\n\n{inside}\n\n</details>")
}

/// Every key, the diagnostic ones too, and every tag.
fn all_metrics(variant: &VariantReport) -> String {
    let decimals = |value: Option<f64>| {
        value.map_or(figures::NOTHING.to_owned(), |value| format!("{value:.4}"))
    };
    let judged = !variant.judges.is_empty();
    let rows = variant.metrics.iter().map(|(key, estimate)| {
        let mut row = vec![
            quote(key),
            decimals(estimate.value),
            decimals(estimate.low),
            decimals(estimate.high),
            figures::count(estimate.n),
        ];
        let calibration = variant.metrics.calibration(key);
        row.extend(judged.then(|| calibration.unwrap_or(figures::NOTHING).to_owned()));
        row
    });
    let mut headers = vec!["key", "value", "low", "high", "examples"];
    headers.extend(judged.then_some("calibration"));
    let mut inside = table(&headers, rows);
    if !variant.tags.is_empty() {
        let rows = variant.tags.iter().map(|(tag, group)| {
            let accuracy = group.metrics.get("triage.accuracy");
            vec![
                quote(tag),
                figures::count(group.examples),
                figures::percent_with_interval(&group.pass_rate, group.examples),
                accuracy.map_or(figures::NOTHING.to_owned(), |accuracy| {
                    figures::percent_with_interval(accuracy, group.examples)
                }),
            ]
        });
        let headers = ["tag", "examples", "pass rate", "accuracy"];
        inside = format!("{inside}\n\n{}", table(&headers, rows));
    }
    let usage = || variant.usage.0.values();
    let cached = usage().any(|usage| usage.cached_input_tokens > 0);
    let paid = !cost::is_free(variant);
    let tokens = variant.usage.0.iter().map(|(role, usage)| {
        let mut row = vec![
            figures::role(*role).to_owned(),
            figures::count(usage.calls),
            figures::count(usage.input_tokens),
            figures::count(usage.output_tokens),
        ];
        row.extend(cached.then(|| figures::count(usage.cached_input_tokens)));
        row.extend(paid.then(|| cost::known(usage.cost)));
        row
    });
    let mut headers = vec!["model role", "calls", "input tokens", "output tokens"];
    headers.extend(cached.then_some("of the input, cached"));
    headers.extend(paid.then_some("cost in USD"));
    fold(
        "Every figure",
        &format!("{inside}\n\n{}", table(&headers, tokens)),
    )
}

fn worst(variant: &VariantReport, kind: CaseKind) -> Option<String> {
    let summary = figures::worst_heading(variant, kind, WORST_SHOWN)?;
    let entries: Vec<String> = variant
        .worst
        .iter()
        .filter(|worst| worst.kind == kind)
        .map(|worst| {
            let mut entry = format!("1. {}", figures::worst_title(worst, quote));
            for finding in figures::worst_findings(worst) {
                write!(entry, "\n   - {}", quote(&finding)).expect("a String takes any text");
            }
            entry
        })
        .collect();
    Some(fold(&summary, &entries.join("\n")))
}

fn incidents(title: &str, incidents: &[Incident], total: u64) -> Option<String> {
    if incidents.is_empty() {
        return None;
    }
    let entries: Vec<String> = incidents
        .iter()
        .map(|incident| {
            format!(
                "- {}, repeat {}, {}: {}",
                quote(&incident.example),
                incident.repeat,
                incident.outcome.name(),
                incident
                    .error
                    .as_deref()
                    .map_or("no message".to_owned(), quote),
            )
        })
        .collect();
    let summary = format!("{title}: {} of {}", incidents.len(), figures::count(total));
    Some(fold(&summary, &entries.join("\n")))
}

fn notes(variant: &VariantReport) -> Option<String> {
    let lines = variant.notes.iter().flat_map(|case| {
        let notes = case.notes.iter();
        notes.map(|note| format!("- {}: {}", quote(&case.example), quote(note)))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| fold("Notes on cases", &lines.join("\n")))
}

fn gate(report: &Report) -> String {
    let rows = report.gate.checks.iter().map(|check| {
        vec![
            quote(&check.variant),
            quote(&check.name),
            verdict::check_verdict(check),
            match &check.fix {
                Some(fix) => format!(
                    "{}; to do: {}",
                    verdict::prose(&check.reason, quote),
                    quote(fix)
                ),
                None => verdict::prose(&check.reason, quote),
            },
        ]
    });
    let mut text =
        "## Gate\n\n| variant | check | verdict | reason |\n| :--- | :--- | :--- | :--- |"
            .to_owned();
    for row in rows {
        write!(text, "\n| {} |", row.join(" | ")).expect("a String takes any text");
    }
    text
}

/// Names, clocks, machines, and latencies.
fn environment(report: &Report) -> String {
    let environment = &report.environment;
    let mut entries = vec![
        ("experiment", quote(&environment.experiment)),
        ("version", quote(&environment.tool_version)),
        ("created", environment.created.to_string()),
        ("date in prompts", environment.date.to_string()),
    ];
    if let (Some(finished), Some(reason)) = (environment.finished, environment.end_reason) {
        entries.push(("finished", format!("{finished}, {}", end_word(reason))));
    }
    if let Some(seconds) = environment.wall_seconds {
        entries.push(("wall time", figures::duration(seconds * 1_000.0)));
    }
    let spent = circumstances::spent(environment);
    entries.extend(spent.map(|spent| ("spent", spent)));
    let replayed = circumstances::replayed(report);
    entries.extend(replayed.map(|calls| ("replayed", calls)));
    let recorded = circumstances::recorded(environment);
    entries.extend(recorded.map(|calls| ("recorded", calls)));
    if let Some(megabytes) = environment.peak_memory_mb {
        entries.push(("peak memory", format!("{megabytes} MB")));
    }
    if !environment.dataset_paths.is_empty() {
        let paths: Vec<String> = environment
            .dataset_paths
            .iter()
            .map(|path| quote(path))
            .collect();
        entries.push(("dataset loaded from", paths.join(", ")));
    }
    let mut text = "## Environment\n".to_owned();
    for (name, value) in entries {
        write!(text, "\n- {name}: {value}").expect("a String takes any text");
    }
    for session in &environment.sessions {
        let arguments: Vec<String> = session
            .arguments
            .iter()
            .map(|word| super::escape::shell(word))
            .collect();
        write!(
            text,
            "\n- session of {} on {}, at most {} cases in flight: {}",
            session.started,
            quote(&session.host),
            session.max_concurrency,
            quote(&format!("mailproof {}", arguments.join(" "))),
        )
        .expect("a String takes any text");
    }
    if let Some(traffic) = circumstances::traffic(environment, quote) {
        text.push_str("\n\n");
        text.push_str(&owned_table(traffic));
    }
    let rows = report.variants.iter().filter_map(|variant| {
        let latency = variant.latency_ms?;
        let figures = [
            latency.p50,
            latency.p90,
            latency.p99,
            latency.max,
            latency.mean,
        ];
        let mut row = vec![quote(&variant.name)];
        row.extend(figures.map(|figure| format!("{figure:.3}")));
        Some(row)
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        let headers = ["latency (ms)", "p50", "p90", "p99", "max", "mean"];
        text.push_str("\n\n");
        text.push_str(&table(&headers, rows));
    }
    text
}

fn end_word(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Complete => "complete",
        EndReason::Cancelled => "stopped by the user",
        EndReason::MaxFailures => "stopped by the number of failures",
        EndReason::Halted => "stopped before the end",
    }
}
