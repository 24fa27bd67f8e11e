use std::fs;
use std::path::Path;

use super::fixture::{attempt, attempts, ends, header, hostile, people, priced, report, sample};
use super::*;
use crate::run::{Cost, ModelRole, Outcome, TokenUsage};

#[test]
fn the_terminal_report_fits_80_columns() {
    let text = terminal(&sample(), 80, false);
    assert_width(&text, 80);
    insta::assert_snapshot!(text);
}

#[test]
fn the_terminal_report_uses_160_columns() {
    let text = terminal(&sample(), 160, false);
    assert_width(&text, 160);
    insta::assert_snapshot!(text);
}

#[test]
fn people_and_memory_are_explained_to_who_has_met_neither() {
    let report = people();
    let text = terminal(&report, 80, false);
    assert_width(&text, 80);
    insta::assert_snapshot!("people_terminal", text);
    insta::assert_snapshot!("people_markdown", markdown(&report));
    validate(&report);
}

#[test]
fn memory_is_worth_what_it_adds_on_the_emails_that_ask_something() {
    let report = people();
    let [asks, remembers] = &report.variants[..] else {
        panic!("two variants")
    };
    assert_eq!(asks.memory, None);
    assert_eq!(asks.metrics.get("hitl.pass").unwrap().value, Some(0.5));
    assert_eq!(remembers.metrics.get("hitl.pass").unwrap().value, Some(1.0));
    let memory = remembers.memory.as_ref().unwrap();
    assert_eq!((memory.episodes, memory.learning.episodes), (3, 2));
    // 1.0 and 0.5 with memory, nothing without; the control shows no difference.
    assert_eq!(memory.learning.with.value, Some(0.75));
    assert_eq!(memory.learning.gain.value, Some(0.75));
    assert_eq!(memory.controls.gain.value, Some(0.0));
    assert_eq!(
        remembers.metrics.get("memory.gain"),
        Some(&memory.learning.gain)
    );
    let curve: Vec<_> = memory
        .learning
        .curve
        .iter()
        .map(|point| point.with)
        .collect();
    assert_eq!(curve, [None, Some(0.5), Some(1.0)]);
    // Scenarios and episodes are counted, and are no examples.
    assert_eq!((remembers.counts.examples, remembers.pass_rate.n), (8, 3));
    assert_eq!((asks.counts.attempts, report.coverage.planned), (5, 13));
}

#[test]
fn costs_are_told_by_role_where_there_are_any() {
    let report = priced();
    let text = terminal(&report, 80, false);
    assert_width(&text, 80);
    let (_, costs) = text.split_once("\nCost\n").expect("a section");
    let (costs, _) = costs.split_once("\n\nBy split").expect("the next");
    insta::assert_snapshot!("costs_terminal", costs);
    let text = markdown(&report);
    let (_, costs) = text.split_once("## Cost\n").expect("a section");
    let (costs, rest) = costs.split_once("\n\n## By split").expect("the next");
    insta::assert_snapshot!("costs_markdown", costs);
    let tokens = rest.split_once("| model role").expect("each variant's").1;
    let (tokens, _) = tokens.split_once("\n\n").expect("it ends");
    insta::assert_snapshot!("costs_tokens", tokens);
    let (_, environment) = text.split_once("## Environment\n").expect("the last");
    let (environment, _) = environment.split_once("| latency").expect("a table of it");
    insta::assert_snapshot!("circumstances_markdown", environment);
    validate(&report);
    let value = serde_json::to_value(&report).unwrap();
    let at = |path: &str| value.pointer(path).cloned().expect(path);
    assert_eq!(at("/variants/0/cost_usd"), 0.034_02);
    assert_eq!(at("/variants/0/attempt_cost_usd/max"), 0.000_645);
    assert_eq!(at("/variants/0/usage/agent/cost_usd"), 0.034_02);
    assert_eq!(at("/environment/spent_usd"), 0.07);
    for path in [
        "/variants/1/cost_usd",
        "/variants/1/attempt_cost_usd",
        "/variants/1/usage/router/cost_usd",
        "/environment/traffic/ollama (127.0.0.1:11434)/cost_usd",
    ] {
        assert!(at(path).is_null(), "{path}");
    }
}

#[test]
fn a_cost_of_which_nothing_is_known_is_said_to_be_unknown_once() {
    let mut attempts = attempts();
    for attempt in &mut attempts {
        attempt
            .usage
            .record(ModelRole::Router, TokenUsage::default());
    }
    let report = report(header(24, 3), &attempts);
    for text in [terminal(&report, 80, false), markdown(&report)] {
        let unknown = text.lines().filter(|line| line.contains("Cost"));
        let unknown: Vec<&str> = unknown.collect();
        assert!(
            unknown.len() == 1 && unknown[0].starts_with("Cost: unknown, since"),
            "{text}"
        );
        assert!(
            !text.contains("per attempt |") && !text.contains("dearest"),
            "{text}"
        );
    }
}

#[test]
fn what_is_free_is_not_talked_about() {
    let report = sample();
    assert_eq!(report.variants[0].cost_usd, Some(Cost::ZERO));
    for text in [terminal(&report, 80, false), markdown(&report)] {
        assert!(!text.contains("USD") && !text.contains("Cost"), "{text}");
    }
}

#[test]
fn color_adds_nothing_to_the_words() {
    let colored = terminal(&sample(), 80, true);
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = sequence.split_once('m').expect("styles end").1;
    }
    plain.push_str(rest);
    assert_ne!(colored, plain);
    assert_eq!(plain, terminal(&sample(), 80, false));
}

#[test]
fn the_markdown_report_reads_from_the_verdict_to_the_environment() {
    insta::assert_snapshot!(markdown(&sample()));
}

#[test]
fn the_chart_has_a_bar_a_figure() {
    insta::assert_snapshot!(svg(&sample()));
}

#[test]
fn an_experiment_without_attempts_is_told_as_such() {
    let report = report(header(24, 3), &[]);
    insta::assert_snapshot!(terminal(&report, 80, false));
    assert_eq!(report.gate.verdict, GateVerdict::Indecisive);
    assert_eq!(report.variants[0].pass_rate, Estimate::default());
    assert_eq!(report.variants[0].metrics.iter().count(), 0);
    assert!(svg(&report).contains("no data"));
    validate(&report);
}

#[test]
fn an_experiment_of_errors_has_no_rates() {
    let attempts: Vec<_> = attempts()
        .into_iter()
        .map(|attempt| ends(attempt, Outcome::Provider, "model `rules` failed: refused"))
        .collect();
    let report = report(header(24, 3), &attempts);
    insta::assert_snapshot!(terminal(&report, 80, false));
    assert_eq!(report.gate.exit_code, 3);
    validate(&report);
}

#[test]
fn hostile_text_is_shown_and_does_nothing() {
    let report = hostile();
    let terminal = terminal(&report, 80, false);
    assert_width(&terminal, 80);
    let markdown = markdown(&report);
    let svg = svg(&report);
    for text in [&terminal, &markdown, &svg] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}']));
    }
    assert!(!svg.contains("<script"));
    insta::assert_snapshot!("hostile_terminal", terminal);
    insta::assert_snapshot!("hostile_markdown", markdown);
    insta::assert_snapshot!("hostile_svg", svg);
    validate(&report);
}

#[test]
fn the_circumstances_of_a_run_show_in_their_places_only() {
    let mut other = attempts();
    for attempt in &mut other {
        attempt.latency_ms *= 3.0;
    }
    let mut renamed = header(24, 3);
    renamed.experiment = "another".to_owned();
    renamed.created = "2027-01-01T00:00:00Z".parse().unwrap();
    let (one, other) = (sample(), report(renamed, &other));
    let before_environment = |report: &Report| {
        let text = markdown(report);
        let (before, after) = text.split_once("## Environment").expect("there is one");
        assert!(after.contains("latency"));
        before.to_owned()
    };
    assert_eq!(before_environment(&one), before_environment(&other));
    let stable = |report: &Report| {
        let mut value = serde_json::to_value(report).unwrap();
        value["environment"].take();
        value["experiment"].take();
        for variant in value["variants"].as_array_mut().unwrap() {
            variant["latency_ms"].take();
        }
        value
    };
    assert_eq!(stable(&one), stable(&other));
    assert_ne!(one, other);
    assert_eq!(svg(&one), svg(&other));
}

#[test]
fn the_report_keeps_its_paths() {
    let value = serde_json::to_value(sample()).unwrap();
    for path in [
        "/format",
        "/experiment",
        "/environment",
        "/dataset/name",
        "/dataset/hash",
        "/dataset/examples",
        "/variants/0/name",
        "/variants/0/agent",
        "/variants/0/model",
        "/variants/0/counts/examples",
        "/variants/0/counts/attempts",
        "/variants/0/counts/scored",
        "/variants/0/counts/passed",
        "/variants/0/counts/failed",
        "/variants/0/counts/errors",
        "/variants/0/metrics/triage.accuracy/value",
        "/variants/0/metrics/triage.accuracy/n",
        "/variants/0/metrics/triage.accuracy/low",
        "/variants/0/metrics/triage.accuracy/high",
        "/variants/0/splits/dev/metrics/triage.macro_f1/value",
        "/variants/0/splits/test/metrics/triage.cost/value",
        "/variants/0/usage/agent/calls",
        "/variants/0/latency_ms/p50",
        "/gate/verdict",
        "/gate/exit_code",
    ] {
        let found = value.pointer(path);
        assert!(
            found.is_some_and(|found| !found.is_null()),
            "{path}: {found:?}"
        );
    }
    assert_eq!(value["format"], FORMAT);
    let keys: Vec<&str> = sample().variants[0]
        .metrics
        .iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys,
        [
            "triage.accuracy",
            "triage.macro_f1",
            "triage.cost",
            "tool_calls.reference",
            "tool_calls.recall",
            "tool_calls.precision",
            "tool_calls.exact",
            "tool_calls.forbidden",
        ]
    );
}

/// The report must be what its published schema says. `UPDATE_SCHEMAS=1` publishes anew.
#[test]
fn the_published_schema_is_that_of_the_report() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
    let mut schema = serde_json::to_string_pretty(&schema()).unwrap();
    schema.push('\n');
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema,
        "{} is not the schema of the report: run the tests with UPDATE_SCHEMAS=1",
        path.display()
    );
    validate(&sample());
}

pub(super) fn validate(report: &Report) {
    let schema = serde_json::to_value(schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let report = serde_json::from_str(&json(report)).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    // A schema that allows everything would also allow this.
    let mut wrong = report.clone();
    wrong["variants"][0]["metrics"]["triage.acuracy"] = 1.into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn triage_alone_has_no_columns_for_calls() {
    let mut header = header(3, 1);
    header.suites = vec![crate::experiment::Suite::Triage];
    let attempts: Vec<_> = (0..6)
        .map(|number| attempt(number / 3, number % 3, 0))
        .collect();
    let report = report(header, &attempts);
    let text = terminal(&report, 160, false);
    assert!(
        !text.contains("calls exact") && !text.contains("Not judged"),
        "{text}"
    );
    assert!(
        text.starts_with(
            "DONE: triage of 2 variants on 3 examples of email; all 6 attempts scored"
        ),
        "{text}"
    );
}

#[test]
fn every_width_is_kept() {
    for report in [sample(), hostile(), priced()] {
        for width in 40..=200 {
            assert_width(&terminal(&report, width, false), width);
        }
    }
}

pub(super) fn assert_width(text: &str, width: usize) {
    use unicode_width::UnicodeWidthStr;
    // A command is for copying, and stays in one piece.
    for line in text
        .lines()
        .filter(|line| !line.starts_with("  mailproof show "))
    {
        assert!(line.width() <= width, "{} columns: {line}", line.width());
    }
}
