use std::path::Path;

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::snapshot::Camera;
use super::*;
use crate::dataset::{Dataset, Episode, EpisodeStep, Example, Person, Scenario, StatedExpect};
use crate::email::Triage;
use crate::experiment::{Attempt, CaseKey, CaseKind};
use crate::message::ToolStatus;
use crate::redact::Redactor;
use crate::run::{Outcome, Response, Run, Step, Usage};
use crate::score::MemoryChange;
use crate::score::fixture::{Made, Story, called, contains, example, expect, pattern};

fn examples() -> Vec<Example> {
    let calls = vec![
        pattern(
            "write_email",
            &[
                ("to", contains("ana@northwind.example")),
                ("content", contains("1042")),
            ],
        ),
        pattern("done", &[]),
    ];
    let asked = Example {
        expect: expect(Default::default(), calls),
        ..example(Triage::Respond)
    };
    let mut undated = Example {
        id: "undated".into(),
        ..asked.clone()
    };
    undated.email.date = None;
    undated.expect.tool_calls = None;
    vec![asked, undated]
}

fn dataset() -> Dataset {
    let scenario = Scenario {
        id: "invoice/edit".into(),
        example: 0,
        human: Person::Scripted(Vec::new()),
        restart: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
        expect: expect(Default::default(), vec![pattern("write_email", &[])]),
        interrupts: None,
    };
    let step = |calls: Option<&str>| EpisodeStep {
        example: 0,
        human: Vec::new(),
        memory: Vec::new(),
        expect: StatedExpect {
            tool_calls: calls
                .map(|name| vec![pattern(name, &[("to", contains("ana@northwind.example"))])]),
            ..StatedExpect::default()
        },
    };
    let episode = Episode {
        id: "learns".into(),
        steps: vec![step(None), step(Some("write_email"))],
        unchanged: Vec::new(),
        control: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
    };
    Dataset {
        name: "mail".into(),
        examples: examples(),
        scenarios: vec![scenario],
        episodes: vec![episode],
        hash: "h".into(),
    }
}

fn attempt(id: &str, kind: CaseKind, runs: Vec<Run>) -> Attempt<Run> {
    Attempt {
        case: CaseKey {
            variant: 0,
            position: 0,
            repeat: 0,
            example: id.into(),
        },
        kind,
        split: None,
        cluster: None,
        tags: Vec::new(),
        expected: None,
        found: None,
        outcome: Outcome::Finished,
        error: None,
        feedback: Vec::new(),
        judged: Vec::new(),
        notes: Vec::new(),
        memory: Vec::new(),
        learning: None,
        usage: Usage::default(),
        latency_ms: 0.0,
        started: None,
        runs,
        ablation: Vec::new(),
    }
}

fn take(attempt: &Attempt<Run>, stops: bool) -> Snapshot {
    let redactor = Redactor::new(["canary-0123456789".to_owned()]);
    let dataset = dataset();
    Camera::new(&dataset, date(2026, 3, 4), stops, &redactor).take(attempt)
}

fn of_example(run: Run) -> String {
    let attempt = attempt("invoice", CaseKind::Example, vec![run]);
    take(&attempt, false).as_str().to_owned()
}

fn mail(to: &str, subject: &str, content: &str) -> Made {
    let arguments = json!({ "to": to, "subject": subject, "content": content });
    Made::new("write_email", arguments)
}

#[test]
fn a_snapshot_is_the_decision_and_the_calls_without_their_wording() {
    let run = called(&[
        Made::new("Check_Calendar_Availability", json!({"day": "2026-03-05"})),
        mail("Eve <eve@evil.example>", "x", "y").status(Some(ToolStatus::Failed)),
        mail(
            "Ana <Ana@northwind.example>",
            "Re: x",
            "Invoice 1042 is paid.",
        ),
        mail("ana@northwind.example", "Again", "Well"),
        Made::new("question", json!({"content": "Which one?"})).status(Some(ToolStatus::Answered)),
        Made::new("archive", json!({"folder": "Billing"})).status(None),
        Made::new("done", json!({"done": true})).status(None),
    ]);
    insta::assert_snapshot!(of_example(run), @r"
    decision: respond
    call check_calendar_availability: ran
      day: 2026-03-05
    call write_email: failed
      content: text
      subject: text
      to: eve@evil.example
    call write_email: ran
      content: as expected
      subject: text
      to: ana@northwind.example (as expected)
    call write_email: ran
      content: text
      subject: text
      to: ana@northwind.example
    call question: answered
      content: text
    call archive: not run
      folder: billing
    call done: ran
      done: true
    ");
}

#[test]
fn other_words_are_the_same_behaviour_and_other_deeds_are_not() {
    let base = || {
        vec![
            mail("ana@northwind.example", "Invoice", "1042 is paid"),
            Made::new("done", json!({"done": true})),
        ]
    };
    let first = of_example(called(&base()));
    let with = |change: &dyn Fn(&mut Vec<Made>)| {
        let mut calls = base();
        change(&mut calls);
        of_example(called(&calls))
    };
    for (same, case, found) in [
        (
            true,
            "reworded",
            with(&|calls| {
                calls[0] = mail(
                    "Ana <ana@northwind.example>",
                    "Re: your invoice",
                    "Dear Ana, invoice 1042 was paid on Monday.",
                )
            }),
        ),
        (
            true,
            "another case of the name",
            with(&|calls| calls[1].name = "Done".into()),
        ),
        (
            false,
            "another recipient",
            with(&|calls| {
                calls[0] = mail("ana@northwind.example, eve@evil.example", "Invoice", "1042")
            }),
        ),
        (
            false,
            "what was expected is not said",
            with(&|calls| calls[0] = mail("ana@northwind.example", "Invoice", "it is paid")),
        ),
        (false, "a call less", with(&|calls| calls.truncate(1))),
        (false, "another order", with(&|calls| calls.reverse())),
        (
            false,
            "another outcome",
            with(&|calls| calls[0].status = Some(ToolStatus::Denied)),
        ),
    ] {
        assert_eq!(found == first, same, "{case}:\n{found}");
    }
    let mut run = called(&base());
    run.triage = Some(Triage::Notify);
    assert_ne!(of_example(run), first);
    let mut run = called(&base());
    run.outcome = Outcome::StepLimit;
    assert!(of_example(run).ends_with("\nended: step_limit"));
}

#[test]
fn questions_come_with_what_the_person_decided() {
    let edit = json!({ "to": "ana@northwind.example", "subject": "Paid", "content": "Yes" });
    let story = Story::respond()
        .says(&[(
            "1",
            "write_email",
            json!({ "to": "ana@northwind.example", "subject": "s", "content": "c" }),
        )])
        .asks("1", Response::Edit(edit.as_object().unwrap().clone()))
        .runs("1");
    let mut run = story.ends_done();
    let mut late = run
        .steps
        .iter()
        .find(|step| matches!(step, Step::Interrupt { .. }))
        .unwrap()
        .clone();
    if let Step::Interrupt {
        interrupt,
        response,
        answered_by,
        ..
    } = &mut late
    {
        interrupt.action = "notify".into();
        *response = Response::Ignore;
        *answered_by = "timeout".into();
    }
    run.steps.push(late);
    let mut attempt = attempt("invoice/edit", CaseKind::Scenario, vec![run]);
    let changed = |namespace: &str, key: &str| MemoryChange {
        namespace: namespace.into(),
        key: key.into(),
        before: None,
        after: Some("words".into()),
    };
    attempt.memory = vec![
        changed("cal_preferences", "a"),
        changed("cal_preferences", "b"),
        changed("background", "a"),
    ];
    // That only the decision was asked of examples is nothing to a scenario.
    insta::assert_snapshot!(take(&attempt, true).as_str(), @r"
    decision: respond
    asks about write_email: edit
    asks about notify: nobody answers in time
    call write_email: ran
      content: text
      subject: text
      to: ana@northwind.example
    call done: ran
      done: true
    remembers in background
    remembers in cal_preferences
    ");
}

#[test]
fn an_episode_is_told_step_by_step() {
    let mut quiet = called(&[]);
    quiet.triage = None;
    let runs = vec![quiet, called(&[mail("ana@northwind.example", "s", "c")])];
    let attempt = attempt("learns", CaseKind::Episode, runs);
    insta::assert_snapshot!(take(&attempt, true).as_str(), @r"
    step 1 (invoice)
      decision: none
    step 2 (invoice)
      decision: respond
      call write_email: ran
        content: text
        subject: text
        to: ana@northwind.example (as expected)
    ");
}

#[test]
fn days_of_an_undated_email_count_from_the_run() {
    let run = called(&[Made::new(
        "check_calendar_availability",
        json!({"day": "2026-03-06"}),
    )]);
    let attempt = attempt("undated", CaseKind::Example, vec![run]);
    let text = take(&attempt, false);
    assert!(
        text.as_str().ends_with("  day: 2 days after the run"),
        "{text:?}"
    );
}

#[test]
fn a_run_that_was_to_decide_alone_is_held_against_the_decision() {
    let decided = |triage| {
        let run = Run {
            triage: Some(triage),
            ..called(&[mail("ana@northwind.example", "s", "1042")])
        };
        let attempt = attempt("invoice", CaseKind::Example, vec![run]);
        (take(&attempt, false), take(&attempt, true))
    };
    let ways = |snapshot: &Snapshot| Ways::from_iter([snapshot.clone()]);
    let (whole, stopped) = decided(Triage::Respond);
    assert_eq!(
        stopped.as_str(),
        "decision: respond\nstopped at the decision"
    );
    let (other_whole, other) = decided(Triage::Notify);
    for (case, accepted, now, covers) in [
        ("the same", &whole, &whole, true),
        ("the same decision", &whole, &stopped, true),
        ("another decision", &whole, &other, false),
        ("another", &whole, &other_whole, false),
        ("more than was known", &stopped, &whole, false),
    ] {
        assert_eq!(ways(accepted).cover(&ways(now)), covers, "{case}");
    }
}

#[test]
fn secrets_and_signs_that_act_stay_out() {
    let hostile =
        json!({ "to": "canary-0123456789", "\u{1b}[2J\nor": "\u{202e}x", "content": "a" });
    let run = called(&[Made::new("write_email\nspoof: ran", hostile)]);
    insta::assert_snapshot!(of_example(run), @r"
    decision: respond
    call write_email\u{a}spoof: ran: ran
      \u{1b}[2J\u{a}or: \u{202e}x
      content: text
      to: [redacted]
    ");
}

#[test]
fn what_does_not_end_is_counted() {
    let calls: Vec<Made> = (0..150).map(|_| Made::new("archive", json!({}))).collect();
    assert!(of_example(called(&calls)).ends_with("call archive: ran\nand 50 more calls"));
    let many: Map<_, _> = (0..60).map(|it| (format!("a{it:02}"), json!(it))).collect();
    let text = of_example(called(&[Made::new("archive", json!(many))]));
    assert!(
        text.ends_with("  a29: 29\n  and 30 more arguments"),
        "{text}"
    );
}

fn way(text: &str) -> Snapshot {
    Snapshot::from_lines(&text.lines().collect::<Vec<_>>())
}

#[test]
fn the_ways_of_an_unsteady_agent_are_all_told_apart_up_to_a_point() {
    let two = Ways::from_iter([way("b"), way("a"), way("b")]);
    assert_eq!(two.text(), "a\nor\nb");
    assert!(two.cover(&Ways::from_iter([way("a")])));
    assert!(!two.cover(&Ways::from_iter([way("a"), way("c")])));
    assert_eq!(two.with(&Ways::from_iter([way("c")])).len(), 3);
    let names: Vec<String> = (0..40).map(|it| format!("{it:02}")).collect();
    let many = Ways::from_iter(names.iter().map(|it| way(it)));
    let reversed = Ways::from_iter(names.iter().rev().map(|it| way(it)));
    assert_eq!(many, reversed);
    assert_eq!((many.len(), many.has_others()), (MOST_WAYS, true));
    assert!(many.cover(&Ways::from_iter([way("new")])));
    assert!(!Ways::from_iter(names[..16].iter().map(|it| way(it))).cover(&many));
}

fn parse(text: &str) -> Result<Snapshots, SnapshotError> {
    Snapshots::parse(Path::new("snapshots/a.txt"), text)
}

#[test]
fn a_file_is_one_block_for_each_example_in_order() {
    let mut snapshots = Snapshots::new("workflow@rules");
    snapshots.accept("b", Ways::from_iter([way("decision: notify")]));
    let two = [
        way("decision: respond\ncall done: ran"),
        way("decision: ignore"),
    ];
    snapshots.accept("a/x y", Ways::from_iter(two));
    snapshots.accept(
        " \u{202e}c",
        Ways::from_iter((10..40).map(|it| way(&format!("decision: {it}")))),
    );
    let text = snapshots.render();
    assert_eq!(parse(&text).unwrap(), snapshots);
    // As git hands it out on Windows.
    assert_eq!(parse(&text.replace('\n', "\r\n")).unwrap(), snapshots);
    let (head, tail) = text.split_at(text.find("\na/x").expect("the first that is no escape"));
    assert!(
        head.contains("\n\\u{20}\\u{202e}c\n    decision: 10\n  or\n"),
        "{head}"
    );
    assert!(head.ends_with("    decision: 25\n  or others\n"), "{head}");
    insta::assert_snapshot!(tail, @r"
    a/x y
        decision: ignore
      or
        decision: respond
        call done: ran

    b
        decision: notify
    ");
}

#[test]
fn what_is_wrong_with_a_file_is_named_by_its_line() {
    for (text, wrong) in [
        (
            "",
            "has the format ``, and this version reads `mailproof.snapshots/1`",
        ),
        (
            "mailproof.snapshots/9\n",
            "has the format `mailproof.snapshots/9`",
        ),
        ("mailproof.snapshots/1\n", ":2: here should be `variant: `"),
        (
            "mailproof.snapshots/1\nvariant: v\n    decision: x\n",
            ":3: a line that belongs to no example",
        ),
        (
            "mailproof.snapshots/1\nvariant: v\n\na\n\nb\n    x\n",
            ":4: an example without what was done about it",
        ),
        (
            "mailproof.snapshots/1\nvariant: v\na\n    x\n  or\n",
            ":3: an example without what was done",
        ),
        (
            "mailproof.snapshots/1\nvariant: v\na\n  or\n    x\n",
            ":4: an example without what was done",
        ),
        (
            "mailproof.snapshots/1\nvariant: v\na\n    x\na\n    y\n",
            ":5: an example that was there before",
        ),
        (
            "mailproof.snapshots/1\nvariant: v\na\n x\n",
            ":4: neither an example, nor a line of one",
        ),
        (
            "mailproof.snapshots/1\nvariant: v\na\n<<<<<<< HEAD\n    x\n",
            ":4: a merge has left both sides here",
        ),
    ] {
        let found = parse(text).unwrap_err().to_string();
        assert!(found.contains(wrong), "{text:?}: {found}");
    }
}

#[test]
fn a_file_is_of_one_variant_and_bounded_and_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workflow-rules.txt");
    assert_eq!(Snapshots::open(&path, "workflow@rules").unwrap(), None);
    std::fs::write(
        &path,
        "mailproof.snapshots/1\nvariant: workflow@rules\na\n    x\n",
    )
    .unwrap();
    let read = Snapshots::open(&path, "workflow@rules").unwrap().unwrap();
    assert_eq!(read.len(), 1);
    let other = Snapshots::open(&path, "workflow:rules")
        .unwrap_err()
        .to_string();
    assert!(
        other.contains("holds the behaviour of `workflow@rules`, not of `workflow:rules`"),
        "{other}"
    );
    std::fs::write(&path, b"mailproof.snapshots/1\nvariant: v\n\xff\n").unwrap();
    let wrong = Snapshots::open(&path, "v").unwrap_err().to_string();
    assert!(wrong.contains(":3: this line is no UTF-8 text"), "{wrong}");
    let sparse = std::fs::File::create(&path).unwrap();
    sparse.set_len(300 << 20).unwrap();
    let large = Snapshots::open(&path, "v").unwrap_err();
    assert!(matches!(large, SnapshotError::TooLarge { .. }), "{large}");
}

/// Ids and lines as they can come out of the program, hostile ones too.
fn any_snapshots() -> impl Strategy<Value = Snapshots> {
    let line = "(  )?[a-z]{1,4}: [a-z0-9 ,.]{0,8}[a-z]";
    let ways = prop::collection::vec(prop::collection::vec(line, 1..4), 1..4);
    prop::collection::vec((any::<String>(), ways), 0..6).prop_map(|examples| {
        let mut snapshots = Snapshots::new("workflow@rules");
        for (id, ways) in examples.into_iter().filter(|(id, _)| !id.trim().is_empty()) {
            let ways = ways.iter().map(|lines| way(&lines.join("\n")));
            snapshots.accept(id.trim(), ways.collect());
        }
        snapshots
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(snapshots in any_snapshots()) {
        prop_assert_eq!(parse(&snapshots.render()).unwrap(), snapshots);
    }

    #[test]
    fn no_text_is_taken_for_a_file_and_lost(text in "(mailproof.snapshots/1\nvariant: v\n)?((  ){0,2}(or|or others|a|b|<<<<<<< x|decision: y)?\n){0,12}") {
        if let Ok(snapshots) = parse(&text) {
            let again = parse(&snapshots.render());
            prop_assert_eq!(again.unwrap(), snapshots);
        }
    }
}
