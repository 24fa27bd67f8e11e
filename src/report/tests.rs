use std::fs;
use std::path::Path;

use super::fixture::{attempt, attempts, calls, decides, ends, header, hostile, report, sample};
use super::*;
use crate::experiment::Attempt;
use crate::run::Outcome;

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
fn the_order_in_which_attempts_end_changes_nothing() {
    let expected = sample();
    let mut attempts = attempts();
    attempts.reverse();
    assert_eq!(report(header(24, 3), &attempts), expected);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..5 {
        random.shuffle(&mut attempts);
        let shuffled = report(header(24, 3), &attempts);
        assert_eq!(json(&shuffled), json(&expected));
    }
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

fn validate(report: &Report) {
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
fn examples_weigh_the_same_however_often_they_were_scored() {
    // One example passes three times of three, the other failed once and was spoiled twice.
    let mut attempts = vec![
        attempt(0, 0, 0),
        attempt(0, 0, 1),
        attempt(0, 0, 2),
        decides(attempt(0, 1, 0), None),
    ];
    for repeat in [1, 2] {
        attempts.push(ends(attempt(0, 1, repeat), Outcome::Budget, "spent"));
    }
    let report = report(header(2, 3), &attempts);
    let variant = &report.variants[0];
    assert_eq!(variant.pass_rate.value, Some(0.5));
    assert_eq!(variant.pass_rate.n, 2);
    assert_eq!(
        variant.metrics.get("triage.accuracy").unwrap().value,
        Some(0.5)
    );
    let counts = variant.counts;
    assert_eq!(
        (
            counts.attempts,
            counts.scored,
            counts.passed,
            counts.failed,
            counts.errors
        ),
        (6, 4, 3, 1, 2)
    );
}

#[test]
fn f1_weighs_examples_and_the_matrix_counts_attempts() {
    // `respond` is found in 1 of 1 and in 1 of 2 attempts; `notify` always.
    let attempts = [
        attempt(0, 0, 0),
        attempt(0, 1, 0),
        attempt(0, 1, 1),
        attempt(0, 3, 0),
        decides(attempt(0, 3, 1), Some(Triage::Notify)),
    ];
    let report = report(header(4, 2), &attempts);
    let variant = &report.variants[0];
    let confusion = variant.confusion.unwrap();
    assert_eq!(
        confusion.respond,
        Found {
            respond: 2,
            notify: 1,
            ..Found::default()
        }
    );
    assert_eq!(
        confusion.notify,
        Found {
            notify: 2,
            ..Found::default()
        }
    );
    // In examples: respond 1.5 right of 2; notify 1 right, 0.5 taken for it.
    let respond = variant.classes[&Triage::Respond];
    assert_eq!((respond.precision, respond.recall), (Some(1.0), Some(0.75)));
    let notify = variant.classes[&Triage::Notify];
    assert_eq!(
        (notify.precision, notify.recall),
        (Some(0.666667), Some(1.0))
    );
    let f1 = (2.0 * 1.5 / 3.5 + 2.0 / 2.5) / 2.0;
    let macro_f1 = variant.metrics.get("triage.macro_f1").unwrap();
    assert!((macro_f1.value.unwrap() - f1).abs() < 1e-6, "{macro_f1:?}");
    assert_eq!(macro_f1.n, 3);
}

#[test]
fn a_decision_before_the_agent_failed_is_none() {
    let failed = ends(attempt(0, 0, 0), Outcome::Timeout, "late");
    let report = report(header(1, 1), &[failed]);
    let confusion = report.variants[0].confusion.unwrap();
    assert_eq!(
        confusion.respond,
        Found {
            none: 1,
            ..Found::default()
        }
    );
    assert_eq!(
        report.variants[0]
            .metrics
            .get("triage.accuracy")
            .unwrap()
            .value,
        Some(0.0)
    );
    assert_eq!(
        report.variants[0].metrics.get("triage.cost").unwrap().value,
        Some(1.0)
    );
}

#[test]
fn clusters_widen_the_interval() {
    let attempts: Vec<_> = (0..24)
        .map(|position| match position % 4 {
            0 => decides(attempt(0, position, 0), None),
            _ => attempt(0, position, 0),
        })
        .collect();
    let width = |report: &Report| {
        let estimate = report.variants[0].pass_rate;
        estimate.high.unwrap() - estimate.low.unwrap()
    };
    let alone = report(header(24, 1), &attempts);
    // Those that fail together belong together.
    let mut together = attempts;
    for attempt in &mut together {
        let position = attempt.case.position;
        attempt.cluster = Some(format!("{}", (position % 4) * 3 + position / 4 % 3));
    }
    let together = report(header(24, 1), &together);
    assert_eq!(
        alone.variants[0].pass_rate.value,
        together.variants[0].pass_rate.value
    );
    assert!(width(&together) > width(&alone) * 1.1);
}

#[test]
fn the_gate_fails_before_it_is_indecisive() {
    let passing = |number: usize| -> Vec<Attempt<()>> {
        (0..20)
            .map(|position| {
                let attempt = attempt(0, position, 0);
                if (position as usize) < number {
                    attempt
                } else {
                    decides(attempt, None)
                }
            })
            .collect()
    };
    let spoiled = |number: usize, mut attempts: Vec<Attempt<()>>| {
        for attempt in attempts.iter_mut().take(number) {
            *attempt = ends(attempt.clone(), Outcome::Provider, "503");
        }
        attempts
    };
    use GateVerdict::{Fail, Indecisive, Pass};
    const NO_GATE: GateVerdict = GateVerdict::None;
    for (case, least, attempts, verdict, exit_code) in [
        ("no gate", None, passing(3), NO_GATE, 0),
        ("exactly enough", Some(0.7), passing(14), Pass, 0),
        ("one too few", Some(0.7), passing(13), Fail, 100),
        ("95 % scored", None, spoiled(1, passing(20)), NO_GATE, 0),
        ("90 % scored", None, spoiled(2, passing(20)), Indecisive, 3),
        (
            "enough passed, too little scored",
            Some(0.7),
            spoiled(2, passing(20)),
            Indecisive,
            3,
        ),
        (
            "too few passed, too little scored",
            Some(0.7),
            spoiled(2, passing(9)),
            Fail,
            100,
        ),
        (
            "nothing scored",
            Some(0.7),
            spoiled(20, passing(20)),
            Indecisive,
            3,
        ),
        (
            "not all made",
            Some(0.7),
            passing(20)[..18].to_vec(),
            Indecisive,
            3,
        ),
    ] {
        let mut header = header(20, 1);
        header.variants.truncate(1);
        header.min_pass_rate = least;
        let gate = report(header, &attempts).gate;
        assert_eq!(
            (gate.verdict, gate.exit_code),
            (verdict, exit_code),
            "{case}: {gate:?}"
        );
    }
}

#[test]
fn one_variant_that_was_spoiled_makes_the_run_indecisive() {
    let attempts: Vec<_> = (0..2)
        .flat_map(|variant| (0..20).map(move |position| attempt(variant, position, 0)))
        .map(
            |attempt| match (attempt.case.variant, attempt.case.position) {
                (1, 0..=1) => ends(attempt, Outcome::Provider, "503"),
                _ => attempt,
            },
        )
        .collect();
    let report = report(header(20, 1), &attempts);
    assert_eq!(report.coverage.share, Some(0.95));
    assert_eq!(report.gate.verdict, GateVerdict::Indecisive);
    let notable: Vec<_> = figures::notable_checks(&report)
        .map(|check| &check.reason)
        .collect();
    assert_eq!(
        notable,
        ["18 of 20 attempts scored (2 ended in errors, 0 were not made); at least 95 % must be"]
    );
}

#[test]
fn the_worst_come_first_the_gravest_of_equals_before_others() {
    let forbidden = calls(attempt(0, 9, 0), 1.0, true);
    let missing = calls(attempt(0, 6, 0), 0.5, false);
    let attempts = [
        decides(attempt(0, 2, 0), Some(Triage::Notify)),
        decides(attempt(0, 1, 0), Some(Triage::Ignore)),
        missing,
        forbidden,
        ends(attempt(0, 12, 0), Outcome::StepLimit, "25 model calls"),
        decides(attempt(0, 0, 0), Some(Triage::Ignore)),
        attempt(0, 3, 0),
        ends(attempt(0, 4, 0), Outcome::Provider, "503"),
    ];
    let report = report(header(24, 1), &attempts);
    let worst: Vec<&str> = report.variants[0]
        .worst
        .iter()
        .map(|worst| worst.example.as_str())
        .collect();
    // Did not finish; cost 1.0; 0.6; 0.1; forbidden call; missing call.
    let expected = [
        "example-12",
        "example-0",
        "example-1",
        "example-2",
        "example-9",
        "example-6",
    ];
    assert_eq!(worst, expected);
    assert_eq!(report.variants[0].failed_examples, 6);
}

#[test]
fn the_first_failing_attempt_tells_how() {
    let say = |repeat: u32, text: &str| {
        let mut attempt = decides(attempt(0, 0, repeat), None);
        attempt.feedback[0].comment = Some(text.to_owned());
        attempt
    };
    let attempts = [say(2, "third"), attempt(0, 0, 0), say(1, "second")];
    let report = report(header(1, 3), &attempts);
    let [worst] = &report.variants[0].worst[..] else {
        panic!("one example failed")
    };
    assert_eq!((worst.repeat, worst.passed, worst.attempts), (1, 1, 3));
    assert_eq!(worst.comments[0].comment.as_deref(), Some("second"));
    assert_eq!(
        worst.found,
        Found {
            respond: 1,
            none: 2,
            ..Found::default()
        }
    );
}

#[test]
fn lists_are_bounded_and_keep_the_first_in_plan_order() {
    let mut attempts: Vec<_> = (0..60)
        .map(|position| {
            ends(
                attempt(0, position, 0),
                Outcome::Harness,
                &"long ".repeat(1_000),
            )
        })
        .chain(
            (60..120).map(|position| ends(attempt(0, position, 0), Outcome::Protocol, "no call")),
        )
        .collect();
    for (number, attempt) in attempts.iter_mut().enumerate() {
        attempt.tags = vec![format!("tag {:03}", number % 50), "all".to_owned()];
    }
    attempts.reverse();
    let report = report(header(120, 1), &attempts);
    let variant = &report.variants[0];
    assert_eq!(variant.infrastructure_errors.len(), INCIDENTS_SHOWN);
    assert_eq!(variant.infrastructure_errors[0].example, "example-0");
    assert_eq!(variant.infrastructure_errors[19].example, "example-19");
    assert!(
        variant.infrastructure_errors[0]
            .error
            .as_ref()
            .unwrap()
            .chars()
            .count()
            <= 401
    );
    assert_eq!(variant.agent_failures[0].example, "example-60");
    assert_eq!(variant.worst.len(), WORST_SHOWN);
    assert_eq!(variant.tags.len(), TAGS_SHOWN);
    assert_eq!(variant.tags["all"].examples, 120);
}

#[test]
fn attempts_of_another_plan_are_refused() {
    let mut fold = Fold::new(header(3, 1));
    for (attempt, error) in [
        (
            attempt(2, 0, 0),
            "attempt at `example-0` is of variant 2, but the plan has 2",
        ),
        (
            attempt(0, 3, 0),
            "attempt at `example-3` has position 3, but the plan has 3 examples",
        ),
    ] {
        assert_eq!(fold.push(&attempt).unwrap_err().to_string(), error);
    }
    fold.push(&attempt(0, 1, 0)).unwrap();
    let mut other = attempt(1, 1, 0);
    other.case.example = "other".to_owned();
    let error = fold.push(&other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "position 1 of the plan is both `example-1` and `other`"
    );
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
    for report in [sample(), hostile()] {
        for width in 40..=200 {
            assert_width(&terminal(&report, width, false), width);
        }
    }
}

fn assert_width(text: &str, width: usize) {
    use unicode_width::UnicodeWidthStr;
    // A command is for copying, and stays in one piece.
    for line in text
        .lines()
        .filter(|line| !line.starts_with("  mailproof show "))
    {
        assert!(line.width() <= width, "{} columns: {line}", line.width());
    }
}
