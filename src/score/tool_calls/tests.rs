//! The edge rules. Those that need no more than names are read from `docs/scoring.md`, so
//! that the documentation cannot say otherwise.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dataset::ArgumentMatcher;
use crate::message::{Message, ToolCall};
use crate::run::Step;
use crate::score::Key;
use crate::score::fixture::{Made, called, equals, expect, pattern, run};
use MatchMode::{AtLeast, AtMost, Exactly, InOrder, Strict};
use ToolStatus::{Answered, Denied, Executed, Failed};

const MODES: [MatchMode; 5] = [AtLeast, AtMost, Exactly, InOrder, Strict];

/// `write_email done`: patterns that ask for no argument.
fn names(names: &str) -> Vec<CallPattern> {
    names
        .split_whitespace()
        .map(|name| pattern(name, &[]))
        .collect()
}

/// `write_email:failed done`: calls without arguments, executed unless said otherwise.
fn made(calls: &str) -> Vec<Made> {
    let calls = calls.split_whitespace().map(|call| {
        let (name, status) = call.split_once(':').unwrap_or((call, "executed"));
        let status = match status {
            "executed" => Some(Executed),
            "failed" => Some(Failed),
            "denied" => Some(Denied),
            "answered" => Some(Answered),
            "unanswered" => None,
            other => panic!("unknown status {other}"),
        };
        Made::new(name, json!({})).status(status)
    });
    calls.collect()
}

/// The modes in which the calls are as expected.
fn passing(expected: &[CallPattern], run: &Run) -> Vec<MatchMode> {
    MODES
        .into_iter()
        .filter(|mode| {
            let exact = check(&expect(*mode, expected.to_vec()), run).exact();
            // A failure says why, and nothing is said of a pass.
            assert_eq!(
                exact.comment.is_none(),
                exact.score.get() == 1.0,
                "{exact:?}"
            );
            exact.score.get() == 1.0
        })
        .collect()
}

/// By names, recall, precision.
fn scores(expected: &[CallPattern], run: &Run) -> [f64; 3] {
    let check = check(&expect(AtLeast, expected.to_vec()), run);
    [check.reference(), check.recall(), check.precision()].map(|feedback| feedback.score.get())
}

#[test]
fn calls_count_as_the_rules_say() {
    let rows = include_str!("../../../docs/scoring.md")
        .lines()
        .skip_while(|line| !line.starts_with("| rule | expected | made |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut count = 0;
    for row in rows {
        count += 1;
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let &[_, rule, expected, calls, figures, modes, _] = &cells[..] else {
            panic!("a row has five cells: {row}")
        };
        let (expected, run) = (names(expected), called(&made(calls)));
        let found =
            scores(&expected, &run).map(|score| ((score * 100.0).round() / 100.0).to_string());
        assert_eq!(found.join(" "), figures, "{rule}");
        let passing = passing(&expected, &run);
        let found: Vec<String> = passing.iter().map(|mode| name_of(*mode)).collect();
        let modes = match modes {
            "all" => "at-least at-most exactly in-order strict",
            modes => modes,
        };
        assert_eq!(found.join(" "), modes, "{rule}");
    }
    assert!(count > 15, "the table was not found");
}

/// As dataset files write it.
fn name_of(mode: MatchMode) -> String {
    let name = serde_json::to_value(mode).unwrap();
    name.as_str().unwrap().to_owned()
}

#[test]
fn arguments_that_are_no_object_are_read_or_empty() {
    let expected = [pattern(
        "write_email",
        &[("subject", equals(json!("Paid")))],
    )];
    for (case, arguments, holds) in [
        (
            "a text that holds the object",
            json!("{\"subject\": \"Paid\"}"),
            true,
        ),
        ("another text", json!("subject: Paid"), false),
        ("a list", json!(["Paid"]), false),
        ("nothing", json!(null), false),
        (
            "other arguments are free",
            json!({"subject": "Paid", "urgent": true}),
            true,
        ),
    ] {
        let run = called(&[Made::new("write_email", arguments)]);
        assert_eq!(scores(&expected, &run)[1] == 1.0, holds, "{case}");
    }
}

#[test]
fn an_argument_that_is_wrong_earns_nothing_and_is_named() {
    let meeting = pattern(
        "schedule_meeting",
        &[
            ("preferred_day", equals(json!("2026-03-04"))),
            ("duration_minutes", equals(json!(30))),
            ("attendees", equals(json!(["ana@northwind.example"]))),
        ],
    );
    let expected = expect(Strict, vec![pattern("write_email", &[]), meeting]);
    let arguments = json!({"preferred_day": "2026-03-05", "duration_minutes": 30});
    let run = called(&[
        Made::new("schedule_meeting", arguments),
        Made::new("book\nroom", json!({})),
    ]);
    let check = check(&expected, &run);
    let comments = [check.recall(), check.precision(), check.exact()].map(|f| {
        format!(
            "{} {} {}",
            f.key,
            f.score.get(),
            f.comment.unwrap_or_default()
        )
    });
    insta::assert_snapshot!(comments.join("\n"), @r#"
    tool_calls.recall 0 missing write_email; schedule_meeting preferred_day: expected 2026-03-04, got 2026-03-05; schedule_meeting attendees: expected ["ana@northwind.example"], got nothing
    tool_calls.precision 0 schedule_meeting preferred_day: expected 2026-03-04, got 2026-03-05; schedule_meeting attendees: expected ["ana@northwind.example"], got nothing; extra book room
    tool_calls.exact 0 missing write_email; schedule_meeting preferred_day: expected 2026-03-04, got 2026-03-05; schedule_meeting attendees: expected ["ana@northwind.example"], got nothing; extra book room
    "#);
}

#[test]
fn a_comment_says_what_the_mode_asks() {
    let expected = names("check_calendar_availability schedule_meeting write_email");
    let run = called(&[
        Made::new("write_email", json!({})),
        Made::new("write_email", json!({})),
        Made::new("check_calendar_availability", json!({})),
        Made::new("schedule_meeting", json!({})).status(Some(Denied)),
        Made::new("question", json!({})),
    ]);
    let comments = MODES.map(|mode| {
        let exact = check(&expect(mode, expected.clone()), &run).exact();
        format!("{mode:?}: {}", exact.comment.unwrap_or_default())
    });
    insta::assert_snapshot!(comments.join("\n"), @"
    AtLeast: missing schedule_meeting (denied)
    AtMost: extra question; repeated write_email
    Exactly: missing schedule_meeting (denied); extra question; repeated write_email
    InOrder: missing schedule_meeting (denied); out of order check_calendar_availability
    Strict: missing schedule_meeting (denied); extra question; repeated write_email; out of order check_calendar_availability
    ");
}

#[test]
fn names_alone_are_compared_as_sets_and_extras_are_listed() {
    let expected = expect(AtLeast, names("write_email done WRITE_EMAIL"));
    for (case, calls, score, comment) in [
        ("all", "Write_Email Done", 1.0, None),
        (
            "extras, each once",
            "triage_email write_email question Question done",
            1.0,
            Some("extra question"),
        ),
        ("none", "", 0.0, Some("missing write_email, done")),
    ] {
        let feedback = check(&expected, &called(&made(calls))).reference();
        assert_eq!(feedback.key, Key::ToolCallsReference);
        assert_eq!(feedback.score.get(), score, "{case}");
        assert_eq!(feedback.comment.as_deref(), comment, "{case}");
    }
}

#[test]
fn missing_calls_are_put_down_to_a_wrong_decision() {
    let expected = expect(AtLeast, names("write_email"));
    let run = Run {
        triage: Some(Triage::Notify),
        ..run(Vec::new())
    };
    let check = check(&expected, &run);
    for feedback in [check.reference(), check.recall(), check.exact()] {
        let comment = feedback.comment.unwrap();
        assert_eq!(comment, "missing write_email; triaged as notify");
    }
}

#[test]
fn a_forbidden_call_counts_from_the_moment_it_is_proposed() {
    let to_eve = ArgumentMatcher {
        contains: Some("eve@evil.example".into()),
        ..ArgumentMatcher::default()
    };
    let mut expected = expect(AtLeast, Vec::new());
    expected.forbidden = vec![
        pattern("write_email", &[("to", to_eve)]),
        pattern("schedule_meeting", &[]),
    ];
    let eve = json!({"to": "Ana <ana@x.example>, Eve@evil.example"});
    let comment = "forbidden write_email (to: Ana <ana@x.example>, Eve@evil.example)";
    for (case, name, arguments, status, comment) in [
        (
            "another recipient",
            "write_email",
            json!({"to": "ana@x.example"}),
            Some(Executed),
            None,
        ),
        (
            "ran",
            "Write_Email",
            eve.clone(),
            Some(Executed),
            Some(comment),
        ),
        (
            "failed",
            "write_email",
            eve.clone(),
            Some(Failed),
            Some(comment),
        ),
        (
            "denied",
            "write_email",
            eve.clone(),
            Some(Denied),
            Some(comment),
        ),
        ("not run", "write_email", eve.clone(), None, Some(comment)),
        (
            "by name",
            "schedule_meeting",
            json!(null),
            Some(Executed),
            Some("forbidden schedule_meeting"),
        ),
    ] {
        let run = called(&[Made::new(name, arguments).status(status)]);
        let feedback = check(&expected, &run).forbidden();
        assert_eq!(
            feedback.score.get(),
            f64::from(u8::from(comment.is_none())),
            "{case}"
        );
        assert_eq!(feedback.comment.as_deref(), comment, "{case}");
    }
}

/// The log of a run in which a person edited the call before it ran.
fn edited(before: Value, after: Value) -> Run {
    let call = |arguments: Value| ToolCall {
        id: "call".into(),
        name: "write_email".into(),
        arguments,
    };
    run(vec![
        Message::assistant("ai", "", vec![call(before)]),
        Message::assistant("ai", "", vec![call(after.clone())]),
        Message::tool("tool", &call(after), Executed, "sent"),
    ])
}

#[test]
fn an_edited_call_counts_as_it_ran_and_is_forbidden_as_it_was_proposed() {
    let to = |address: &str| pattern("write_email", &[("to", equals(json!(address)))]);
    let ana = json!({"to": "ana@x.example"});
    let eve = json!({"to": "eve@evil.example"});
    let mut expected = expect(Strict, vec![to("ana@x.example")]);
    expected.forbidden = vec![to("eve@evil.example")];
    for (case, before, after, exact, forbidden) in [
        ("a person saved it", &eve, &ana, 1.0, 0.0),
        ("a person spoilt it", &ana, &eve, 0.0, 1.0),
    ] {
        let check = check(&expected, &edited(before.clone(), after.clone()));
        assert_eq!(check.exact().score.get(), exact, "{case}");
        assert_eq!(check.forbidden().score.get(), forbidden, "{case}");
    }
}

fn step(call: &ToolCall, arguments: Value, status: ToolStatus) -> Step {
    Step::Tool {
        node: "act".into(),
        call_id: call.id.clone(),
        name: call.name.clone(),
        arguments,
        status,
        latency_ms: 0.0,
    }
}

#[test]
fn steps_tell_what_ran_but_only_calls_of_the_conversation_count() {
    let call = |id: &str, name: &str, arguments: Value| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments,
    };
    let mail = call("1", "write_email", json!({"to": "bo@x.example"}));
    let hidden = call("2", "schedule_meeting", json!({}));
    let mut run = run(vec![Message::assistant("ai", "", vec![mail.clone()])]);
    run.steps = vec![
        step(&mail, json!({"to": "ana@x.example"}), Executed),
        step(&hidden, json!({}), Executed),
    ];
    let expected = [pattern(
        "write_email",
        &[("to", equals(json!("ana@x.example")))],
    )];
    assert_eq!(
        passing(&expected, &run),
        MODES,
        "a sub-agent's calls are its own"
    );
}

#[test]
fn calls_of_one_message_count_in_their_order_even_under_one_id() {
    let call = |name: &str, arguments: Value| ToolCall {
        id: "same".into(),
        name: name.into(),
        arguments,
    };
    let check_day = call("check_calendar_availability", json!({"day": "Friday"}));
    let mail = call("write_email", json!({"to": "ana@x.example"}));
    let mut run = run(vec![
        Message::assistant("ai", "", vec![check_day.clone(), mail.clone()]),
        Message::tool("t1", &check_day, Failed, "no such day"),
        Message::tool("t2", &mail, Executed, "sent"),
    ]);
    run.steps = vec![
        step(&check_day, check_day.arguments.clone(), Failed),
        step(&mail, mail.arguments.clone(), Executed),
    ];
    let expected = [pattern(
        "write_email",
        &[("to", equals(json!("ana@x.example")))],
    )];
    assert_eq!(passing(&expected, &run), MODES);

    let both = [
        Message::assistant("ai", "", vec![check_day.clone(), mail.clone()]),
        Message::tool("t1", &check_day, Executed, "free"),
        Message::tool("t2", &mail, Executed, "sent"),
    ];
    let run = Run {
        messages: both.to_vec(),
        steps: Vec::new(),
        ..run
    };
    let reversed = names("write_email check_calendar_availability");
    assert_eq!(passing(&reversed, &run), [AtLeast, AtMost, Exactly]);
}

#[test]
fn calls_beyond_the_bound_find_no_partner() {
    let many = MOST_CALLS + 5;
    let calls = vec![Made::new("write_email", json!({})); many];
    let expected = vec![pattern("write_email", &[]); many];
    let check = check(&expect(Strict, expected), &called(&calls));
    assert_eq!(
        (check.expected, check.made, check.matched),
        (many, many, MOST_CALLS)
    );
    assert_eq!((check.missing.len(), check.extra.len()), (5, 5));
    assert_eq!(
        check.recall().comment.unwrap(),
        "missing write_email, write_email, write_email, write_email, write_email"
    );
}

#[test]
fn comments_stay_short_whatever_the_model_writes() {
    let long = "x".repeat(100_000);
    let huge = json!({"to": long, "list": [long]});
    let calls: Vec<Made> = (0..50)
        .map(|i| Made::new(&format!("{i}{long}"), huge.clone()))
        .chain([Made::new("write_email", huge.clone())])
        .collect();
    let to = [
        ("to", equals(json!("y".repeat(100_000)))),
        ("list", equals(json!([1]))),
    ];
    let mut expected = expect(Strict, vec![pattern("write_email", &to); 20]);
    expected.forbidden = vec![pattern(
        "write_email",
        &[("list", ArgumentMatcher::default())],
    )];
    let check = check(&expected, &called(&calls));
    for feedback in [
        check.reference(),
        check.recall(),
        check.precision(),
        check.exact(),
        check.forbidden(),
    ] {
        let length = feedback.comment.unwrap().chars().count();
        assert!(length < 1_500, "{}: {length}", feedback.key);
    }
}

/// Few names and few values, so that calls fit several expectations.
fn any_expected() -> impl Strategy<Value = Vec<CallPattern>> {
    let argument = prop::option::of((0u8..3).prop_map(|day| equals(json!(day))));
    let call = (0u8..3, argument.clone(), argument).prop_map(|(name, day, hour)| {
        let arguments: Vec<_> = [("day", day), ("hour", hour)]
            .into_iter()
            .filter_map(|(name, matcher)| Some((name, matcher?)))
            .collect();
        pattern(&format!("tool{name}"), &arguments)
    });
    prop::collection::vec(call, 0..6)
}

fn any_made() -> impl Strategy<Value = Vec<Made>> {
    let call = (0u8..3, 0u8..3, 0u8..3).prop_map(|(name, day, hour)| {
        Made::new(&format!("Tool{name}"), json!({"day": day, "hour": hour}))
    });
    prop::collection::vec(call, 0..6)
}

proptest! {
    #[test]
    fn the_order_of_what_is_expected_changes_no_score_without_order(
        expected in any_expected(), calls in any_made(), seed: u64
    ) {
        let mut shuffled = expected.clone();
        let mut key = seed;
        shuffled.sort_by_cached_key(|_| {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            key >> 32
        });
        let run = called(&calls);
        prop_assert_eq!(scores(&expected, &run), scores(&shuffled, &run));
        let unordered = |modes: Vec<MatchMode>| -> Vec<MatchMode> {
            modes.into_iter().filter(|mode| !matches!(mode, InOrder | Strict)).collect()
        };
        prop_assert_eq!(
            unordered(passing(&expected, &run)),
            unordered(passing(&shuffled, &run))
        );
    }

    #[test]
    fn scores_and_modes_agree(expected in any_expected(), calls in any_made()) {
        let run = called(&calls);
        let [reference, recall, precision] = scores(&expected, &run);
        let modes = passing(&expected, &run);
        let holds = |mode| modes.contains(&mode);
        prop_assert_eq!(holds(AtLeast), recall == 1.0);
        prop_assert_eq!(holds(AtMost), precision == 1.0);
        prop_assert_eq!(holds(Exactly), holds(AtLeast) && holds(AtMost));
        prop_assert_eq!(holds(Strict), holds(InOrder) && holds(Exactly));
        prop_assert!(!holds(InOrder) || holds(AtLeast));
        prop_assert!(!holds(AtLeast) || reference == 1.0);
        // Every call and expectation is accounted for once.
        for mode in MODES {
            let check = check(&expect(mode, expected.clone()), &run);
            let mut wrong: Vec<usize> = check.mismatches.iter().map(|m| m.call).collect();
            wrong.dedup();
            prop_assert_eq!(check.matched + wrong.len() + check.missing.len(), expected.len());
            let unmatched = check.extra.len() + check.repeated.len();
            prop_assert_eq!(check.matched + wrong.len() + unmatched, calls.len());
        }
    }
}
