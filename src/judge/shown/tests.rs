use jiff::civil::date;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::dataset::Criterion;
use crate::judge::ask::request;
use crate::judge::definition::{Definition, Definitions};
use crate::judge::subject::{self, Question};
use crate::judge::{JudgeKey, definition};
use crate::model::Origin;

/// Every part there is.
const ALL: [Part; 7] = [
    Part::Email,
    Part::FinalMail,
    Part::ToolCalls,
    Part::Trajectory,
    Part::Instruction,
    Part::Memory,
    Part::Decision,
];

fn object(value: Value) -> Cow<'static, Map<String, Value>> {
    match value {
        Value::Object(map) => Cow::Owned(map),
        other => panic!("{other} is no object"),
    }
}

fn fact(name: &str, arguments: Value, fate: Fate) -> Fact<'static> {
    Fact {
        name: name.to_owned().into(),
        arguments: object(arguments),
        fate,
    }
}

fn email(text: &str) -> Email {
    Email {
        from: "Ana Ruiz <ana@northwind.example>".into(),
        to: "sam@acme.example".into(),
        subject: "Invoice 1042".into(),
        body: text.into(),
        date: Some(date(2026, 3, 2)),
    }
}

#[test]
fn every_part_stands_under_its_heading() {
    let email = email("Is it paid?\n\nAna\n");
    let mail = json!({ "to": "ana@northwind.example", "subject": "Re: Invoice", "content": "Yes,\non Friday." });
    let draft = json!({ "to": "ana@northwind.example", "content": "Maybe." });
    let messages = [
        Message::user("1", "the email"),
        Message::assistant(
            "2",
            "",
            vec![crate::message::ToolCall {
                id: "c".into(),
                name: "question".into(),
                arguments: json!({ "content": "Which?" }),
            }],
        ),
    ];
    let seen = Seen {
        email: Some(&email),
        calls: vec![
            fact(
                "check_calendar_availability",
                json!({ "day": "2026-03-05" }),
                Fate::Failed,
            ),
            fact(
                "question",
                json!({ "content": "Which\naccount?" }),
                Fate::Answered,
            ),
            fact("write_email", json!({ "content": "No." }), Fate::Denied),
            fact("Write_Email", mail, Fate::Ran),
            fact(
                "schedule_meeting",
                json!({ "attendees": ["a@x.example"], "duration_minutes": 30 }),
                Fate::DidNotRun,
            ),
        ],
        conversation: messages.iter().collect(),
        draft: Some(Draft::Call {
            name: "write_email",
            arguments: object(draft),
        }),
        said: Some(Said::Words("Shorter.")),
        profile: Some(("".into(), "- Short mails.".into())),
        decision: Some(Decided {
            triage: Some(Triage::Respond),
            reasons: Some("She\nasks."),
        }),
    };
    insta::assert_snapshot!(material(&ALL, &seen), @r#"
    # The email
      From: Ana Ruiz <ana@northwind.example>
      To: sam@acme.example
      Subject: Invoice 1042
      Date: 2026-03-02

      Is it paid?

      Ana
    # Mail that was sent
      To: ana@northwind.example
      Subject: Re: Invoice

      Yes,
      on Friday.
    # Tool calls, from the record
      1. check_calendar_availability: failed
         day: 2026-03-05
      2. question: answered by the person
         content: Which
           account?
      3. write_email: denied by the person
         content: No.
      4. Write_Email: ran
         to: ana@northwind.example
         subject: Re: Invoice
      5. schedule_meeting: did not run
         attendees: ["a@x.example"]
         duration_minutes: 30
    # The conversation
      * the user
         the email
      * the assistant
      * proposed question
         content: Which?
    # What the person was shown
      proposed write_email
         to: ana@northwind.example
         content: Maybe.
    # What the person said
      Shorter.
    # Profile before
    [empty]
    # Profile after
      - Short mails.
    # The decision
      Decision: respond
      Reasons: She asks.
    "#);
    insta::assert_snapshot!(material(&ALL, &Seen::default()), @r"
    # The email
    [there is none]
    # Mail that was sent
    [none was sent]
    # Tool calls, from the record
    [none was made]
    # The conversation
    [there was none]
    # What the person was shown
    [there is no record of it]
    # What the person said
    [there is no record of it]
    # Profile before
    [empty]
    # Profile after
    [empty]
    # The decision
    [none was made]
    ");
}

#[test]
fn what_was_changed_and_what_was_turned_down_is_told_from_what_was_said() {
    let edited = json!({ "content": "Yes." });
    let Value::Object(edited) = edited else {
        unreachable!()
    };
    for (said, expected) in [
        (
            Said::Changed(&edited),
            "# What the person said\n[changed the call to these arguments]\n     content: Yes.\n",
        ),
        (
            Said::TurnedDown,
            "# What the person said\n[turned it down, without words]\n",
        ),
    ] {
        let seen = Seen {
            draft: Some(Draft::Notice),
            said: Some(said),
            ..Seen::default()
        };
        let text = material(&[Part::Instruction], &seen);
        assert!(text.ends_with(expected), "{text}");
        assert!(
            text.contains("[the email, as one to know of; no call was proposed]"),
            "{text}"
        );
    }
}

#[test]
fn texts_are_cut_and_say_so() {
    let seen = |body: &str| {
        let email = email(body);
        material(
            &[Part::Email],
            &Seen {
                email: Some(&email),
                ..Seen::default()
            },
        )
    };
    let whole = seen(&"x".repeat(PART / 2));
    assert!(!whole.contains("not shown"));
    let cut = seen(&"x\n".repeat(PART));
    assert!(cut.lines().count() <= PART);
    let note = cut.lines().last().unwrap();
    assert!(
        note.starts_with('[') && note.ends_with(" more characters are not shown]"),
        "{note}"
    );
    // What is cut and what is shown is all of it, but for the header's share.
    let shown = cut.matches('x').count();
    let told: usize = note[1..].split(' ').next().unwrap().parse().unwrap();
    let left = 2 * PART - 1 - told;
    assert!(shown.abs_diff(left.div_ceil(2)) <= 3, "{shown} {left}");

    let calls = (0..ENTRIES + 2).map(|_| fact("write_email", json!({ "to": "a" }), Fate::Ran));
    let seen = Seen {
        calls: calls.collect(),
        ..Seen::default()
    };
    let text = material(&[Part::FinalMail, Part::ToolCalls], &seen);
    assert!(text.contains("[2 more mails are not shown]"), "{text}");
    assert!(text.ends_with("[2 more calls are not shown]\n"), "{text}");
    assert_eq!(statement(&"x".repeat(5_000)).chars().count(), STATEMENT + 1);
}

#[test]
fn text_is_disarmed() {
    for (text, expected) in [
        ("a\r\nb\rc\u{2028}d\u{b}e", "a\nb\nc\nd\ne"),
        ("a\tb\u{1b}[8m\u{0}c\u{a0}d", "a b [8m c d"),
        ("p\u{200b}a\u{ad}s\u{202e}s\u{e0041}", "pass"),
        ("=====\n----- x ````", "==\n-- x ``"),
        ("=\u{200b}=\u{200b}= ＝＝＝ ═══ ———", "== ＝＝ ══ ——"),
        ("a = b -- c", "a = b -- c"),
    ] {
        assert_eq!(inert(text, 100), (expected.to_owned(), 0), "{text:?}");
    }
    assert_eq!(inert("abc\u{200b}de", 3), ("abc".to_owned(), 2));
    for (written, shown) in [
        ("write_email", "write_email"),
        ("a: ran\n  2. b", "a__ran_2._b"),
        ("\u{200b}", "(no name)"),
        ("größe-1", "größe-1"),
    ] {
        assert_eq!(name(written), shown, "{written:?}");
    }
}

#[derive(Deserialize)]
struct Attack {
    id: String,
    family: String,
    text: String,
}

fn attacks() -> Vec<Attack> {
    let lines = include_str!("../../../judges/attacks.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_pack_of_attacks_is_as_large_and_mixed_as_promised() {
    let attacks = attacks();
    let distinct = |of: fn(&Attack) -> &str| {
        let mut all: Vec<&str> = attacks.iter().map(of).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    assert!(attacks.len() >= 48);
    assert_eq!(distinct(|attack| &attack.id), attacks.len());
    assert_eq!(distinct(|attack| &attack.text), attacks.len());
    assert!(distinct(|attack| &attack.family) >= 15);
    let told = format!("holds {} texts", attacks.len());
    assert!(include_str!("../../../docs/judges.md").contains(&told));
}

#[test]
fn no_attack_leaves_its_place() {
    for attack in attacks() {
        stays_in_place(&attack.text);
        // As a quine of a mark it would have to know what it does not.
        stays_in_place(&format!(
            "===== 0123456789abcdef\n# The email\n{}",
            attack.text
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn no_text_leaves_its_place(text in "(\\PC|\\p{C}|[=\\-#`\\[\n\r\t ]){0,60}") {
        stays_in_place(&text);
    }
}

/// Puts `text` wherever an email, an agent, a model, or a person can write, and looks at
/// what a judge is sent.
fn stays_in_place(text: &str) {
    let email = Email {
        from: text.into(),
        to: text.into(),
        subject: text.into(),
        body: text.into(),
        date: None,
    };
    let mail = json!({ "to": text, "subject": text, "content": text, (text): text });
    let call = crate::message::ToolCall {
        id: "c".into(),
        name: text.into(),
        arguments: json!({ (text): [text] }),
    };
    let not_an_object = crate::message::ToolCall {
        arguments: json!(text),
        ..call.clone()
    };
    let messages = [
        Message::user("1", text),
        Message::tool("2", &call, ToolStatus::Executed, text),
        Message::assistant("3", text, vec![call, not_an_object]),
    ];
    let seen = |said| Seen {
        email: Some(&email),
        calls: vec![
            fact("write_email", mail.clone(), Fate::Ran),
            fact(text, mail.clone(), Fate::Failed),
        ],
        conversation: messages.iter().collect(),
        draft: Some(Draft::Call {
            name: text,
            arguments: object(mail.clone()),
        }),
        said: Some(said),
        profile: Some((text.into(), text.into())),
        decision: Some(Decided {
            triage: Some(Triage::Ignore),
            reasons: Some(text),
        }),
    };
    let changed = object(mail.clone());
    let definitions = Definitions::embedded();
    let definition = Definition {
        sees: ALL.to_vec(),
        ..(**definitions.get(JudgeKey::ResponseCriteria)).clone()
    };
    let criterion = Criterion::from(text.to_owned());
    let of_words = seen(Said::Words(text));
    let questions = [
        subject::criterion(&definition, &criterion, &of_words),
        subject::instruction(&definition, text, text, &of_words),
        subject::update(&definition, text, text, &of_words),
        subject::decision(&definition, &seen(Said::Changed(&changed))),
    ];
    for question in &questions {
        is_intact(&definition, question, 9);
    }
    let two = Question {
        shown: both(&questions[0].shown, &questions[3].shown),
        ..questions[0].clone()
    };
    is_intact(&definition, &two, 2);
}

/// Two lines of the mark and the headings of the parts are all that stands at the margin
/// besides notes, the mark is nowhere else, and the statement is one line.
fn is_intact(definition: &definition::Definition, question: &Question, headings: usize) {
    let request = request(definition, question, Origin::new("case", 0));
    let [put, material] = &request.messages[..] else {
        panic!("two messages: {:?}", request.messages);
    };
    let text = &material.content;
    let fence = text.lines().next().unwrap();
    let mark = fence.strip_prefix("===== ").unwrap();
    assert_eq!(mark.len(), 16);
    assert_eq!(text.matches(mark).count(), 2, "{text}");
    assert_eq!(text.lines().last(), Some(fence));
    let inside: Vec<&str> = text.lines().collect();
    let inside = &inside[1..inside.len() - 1];
    let margin = inside
        .iter()
        .filter(|line| !line.starts_with("  ") && !line.is_empty());
    let (parts, notes): (Vec<&str>, Vec<&str>) = margin.partition(|line| line.starts_with("# "));
    assert_eq!(parts.len(), headings, "{text}");
    let ours = [
        "not shown]",
        "arguments]",
        "was made]",
        "was sent]",
        "[empty]",
        "there was none]",
    ];
    for note in notes {
        assert!(
            note.starts_with('[') && ours.iter().any(|end| note.ends_with(end)),
            "{note}"
        );
    }
    assert!(
        !text.contains("===") || text.matches("===").count() == 2,
        "{text}"
    );
    for said in [text, &put.content] {
        let hidden = |c: char| c != '\n' && (c.is_control() || is_hidden(c));
        assert!(!said.contains(hidden), "{said:?}");
    }
    let statements = put
        .content
        .lines()
        .filter(|line| line.starts_with("Statement:"));
    assert_eq!(statements.count(), 1, "{}", put.content);
    assert_eq!(
        put.content.lines().last().unwrap(),
        format!("Statement: {}", question.statement)
    );
    let named = format!("The mark of the material: {mark}\n");
    let rest = put
        .content
        .strip_prefix(&named)
        .expect("the mark is named first");
    assert!(!rest.contains(mark));
    // One text for all questions.
    assert!(!request.prompt.system().contains(mark));
    assert!(request.prompt.tools().is_empty());
}
