use super::*;
use crate::report::fixture::{attempt, attempts, calls, decides, ends, header, report, sample};
use crate::report::{INCIDENTS_SHOWN, json};

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
    assert_eq!(report.variants[0].failed_cases[&CaseKind::Example], 6);
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
    assert_eq!(variant.tags.len(), GROUPS_SHOWN);
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
            "attempt at `example-3` has position 3, but the plan has 3 cases",
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
fn several_attempts_are_told_by_any_and_by_all() {
    // Of three attempts at each of two examples, three passed and one did.
    let mut header = header(2, 3);
    header.variants.truncate(1);
    let attempts: Vec<_> = (0..3)
        .flat_map(|repeat| {
            let one = attempt(0, 1, repeat);
            [
                attempt(0, 0, repeat),
                if repeat == 0 { one } else { decides(one, None) },
            ]
        })
        .collect();
    let told = |attempts: &[Attempt<()>]| -> Vec<_> {
        let report = report(header.clone(), attempts);
        let passes = report.variants[0].passes.iter();
        passes
            .map(|it| (it.attempts, it.any.value, it.all.value, it.all.n))
            .collect()
    };
    // 1 − C(2,2)/C(3,2) = 2/3 and C(1,2) = 0 of the second, and 1 of the first.
    let two = (2, Some(metrics::rounded(5.0 / 6.0)), Some(0.5), 2);
    assert_eq!(told(&attempts), [two, (3, Some(1.0), Some(0.5), 2)]);
    // What was not tried so often is not known, and never 1.
    let spoiled = ends(attempts[5].clone(), Outcome::Provider, "503");
    let fewer = [&attempts[..5], &[spoiled]].concat();
    assert_eq!(told(&fewer)[1], (3, Some(1.0), Some(1.0), 1));
    let mut once = header.clone();
    once.repeat = 1;
    assert!(report(once, &attempts[..2]).variants[0].passes.is_empty());
}
