use futures_util::FutureExt;
use jiff::civil::date;
use serde_json::json;

use super::*;
use crate::graph::MemoryStore;

fn toolbox() -> Toolbox {
    Toolbox::new(&Tool::ALL, Calendar::new(0))
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: "call-1".into(),
        name: name.into(),
        arguments,
    }
}

fn run(name: &str, arguments: Value) -> ToolResult {
    run_in(&toolbox(), &MemoryStore::new(), name, arguments)
}

fn run_in(toolbox: &Toolbox, store: &MemoryStore, name: &str, arguments: Value) -> ToolResult {
    let call = call(name, arguments);
    let result = toolbox.run(&call, date(2026, 3, 2), store);
    result
        .now_or_never()
        .expect("nothing is waited for")
        .unwrap()
}

#[test]
fn results_are_sentences() {
    let meeting = |hour: u32| {
        json!({
            "attendees": ["ana@northwind.example", "sam@acme.example"],
            "subject": "Invoice 1042", "duration_minutes": 30,
            "preferred_day": "Tuesday", "start_time": hour,
        })
    };
    let mut text = String::new();
    for (name, arguments) in [
        (
            "write_email",
            json!({ "to": "ana@northwind.example", "subject": "Re: Invoice", "content": "Paid." }),
        ),
        (
            "check_calendar_availability",
            json!({ "day": "2026-03-03" }),
        ),
        ("schedule_meeting", meeting(9)),
        ("schedule_meeting", meeting(10)),
        ("triage_email", json!({ "category": "Respond" })),
        ("DONE", json!({ "done": true })),
    ] {
        let result = run(name, arguments);
        assert_eq!(result.status, ToolStatus::Executed, "{name}");
        text.push_str(&result.content);
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r#"
    The email to ana@northwind.example with the subject "Re: Invoice" was sent.
    Free on Tuesday, 3 March 2026 (2026-03-03): 12:00-13:00, 14:00-16:00.
    The meeting "Invoice 1042" is in the calendar for Tuesday, 3 March 2026, 09:00, 30 minutes, with 2 attendees. It overlaps with something else there. Free on Tuesday, 3 March 2026 (2026-03-03): 12:00-13:00, 14:00-16:00.
    The meeting "Invoice 1042" is in the calendar for Tuesday, 3 March 2026, 10:00, 30 minutes, with 2 attendees. It overlaps with something else there. Free on Tuesday, 3 March 2026 (2026-03-03): 12:00-13:00, 14:00-16:00.
    The decision for this email is respond.
    Everything is done.
    "#);
}

#[test]
fn what_is_wrong_with_a_call_is_told_to_the_model() {
    let mut text = String::new();
    for (name, arguments) in [
        ("send_email", json!({})),
        ("write_email", json!("{\"to\": \"ana")),
        ("write_email", json!(null)),
        ("write_email", json!([])),
        ("write_email", json!({ "to": "ana", "content": "" })),
        (
            "write_email",
            json!({ "to": ["ana"], "subject": "", "content": "" }),
        ),
        (
            "write_email",
            json!({ "to": "a", "subject": "b", "content": "c", "cc": "d" }),
        ),
        ("triage_email", json!({ "category": "reply" })),
        ("done", json!({ "done": "yes" })),
        (
            "schedule_meeting",
            json!({ "attendees": [1], "subject": "", "duration_minutes": 30, "preferred_day": "2026-03-03", "start_time": 9 }),
        ),
        (
            "schedule_meeting",
            json!({ "attendees": [], "subject": "", "duration_minutes": 1e300, "preferred_day": "2026-03-03", "start_time": 9 }),
        ),
        (
            "schedule_meeting",
            json!({ "attendees": [], "subject": "", "duration_minutes": 30, "preferred_day": "2026-03-03", "start_time": 9.5 }),
        ),
        ("check_calendar_availability", json!({ "day": "soon" })),
        ("question", json!({ "content": "Which day?" })),
    ] {
        let result = run(name, arguments);
        assert_eq!(result.status, ToolStatus::Failed, "{name}");
        text.push_str(&result.content);
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r#"
    There is no tool `send_email`. The tools are write_email, schedule_meeting, check_calendar_availability, triage_email, question, triage_preferences, response_preferences, cal_preferences, background, done.
    `write_email` was not run: its arguments must be a JSON object with `to`, `subject`, `content`, not the text "{"to": "ana".
    `write_email` was not run: its arguments must be a JSON object with `to`, `subject`, `content`, not null.
    `write_email` was not run: its arguments must be a JSON object with `to`, `subject`, `content`, not a list.
    `write_email` was not run: the argument `subject` is missing; it takes `to`, `subject`, `content`.
    `write_email` was not run: `to` must be a text, not a list.
    `write_email` was not run: it has no argument `cc`; it takes `to`, `subject`, `content`.
    `triage_email` was not run: `category` must be one of ignore, notify, respond, not the text "reply".
    `done` was not run: `done` must be true or false, not the text "yes".
    `schedule_meeting` was not run: `attendees` must be a list of texts, not a list with 1.
    `schedule_meeting` was not run: `duration_minutes` must be a whole number from 5 to 480, not 1e+300.
    `schedule_meeting` was not run: `start_time` must be a whole number from 0 to 23, not 9.5.
    "soon" is not a day that can be read. Give it as YYYY-MM-DD, as a weekday such as "Tuesday" or "next Tuesday", or as "today" or "tomorrow".
    Nobody is here to answer.
    "#);
}

#[test]
fn a_tool_outside_of_the_box_is_unknown() {
    let toolbox = Toolbox::new(&[Tool::WriteEmail, Tool::Done], Calendar::new(0));
    let result = run_in(
        &toolbox,
        &MemoryStore::new(),
        "triage_email",
        json!({ "category": "ignore" }),
    );
    insta::assert_snapshot!(result.content, @"There is no tool `triage_email`. The tools are write_email, done.");
}

#[test]
fn long_texts_are_not_repeated_whole() {
    let result = run(
        "write_email",
        json!({ "to": "a\nb".repeat(100_000), "subject": "ü".repeat(100_000), "content": "" }),
    );
    assert!(result.content.chars().count() < 400);
    assert!(!result.content.contains('\n'));
}

#[test]
fn numbers_may_be_written_with_a_fraction_of_zero() {
    let result = run(
        "schedule_meeting",
        json!({ "attendees": [], "subject": "", "duration_minutes": 30.0, "preferred_day": "2026-03-03", "start_time": 9.0 }),
    );
    assert_eq!(result.status, ToolStatus::Executed);
}

#[test]
fn a_memory_is_searched_by_words_under_its_own_name() {
    let store = MemoryStore::new();
    let put = |namespace: Namespace, key: &str, text: &str| {
        let done = store.put(namespace.path(), key, json!(text)).now_or_never();
        done.expect("nothing is waited for").unwrap();
    };
    put(
        Namespace::Background,
        "1",
        "Ana Ruiz keeps the books of Northwind.",
    );
    put(
        Namespace::Background,
        "2",
        "Northwind is a customer, and Ana writes for Northwind.",
    );
    put(Namespace::Background, "3", "The office closes at six.");
    put(
        Namespace::CalPreferences,
        "user_preferences",
        "- Meetings with Ana take 45 minutes.",
    );
    let mut text = String::new();
    for (name, arguments) in [
        ("background", json!({ "query": "northwind" })),
        (
            "background",
            json!({ "query": "northwind", "limit": 1, "offset": 1 }),
        ),
        ("background", json!({ "query": "Ana", "limit": 1.0 })),
        ("cal_preferences", json!({ "query": "Ana" })),
        ("triage_preferences", json!({ "query": "Ana" })),
        ("background", json!({ "query": "a\nb".repeat(200) })),
        ("background", json!({ "query": "" })),
        ("background", json!({ "query": "Ana", "limit": 0 })),
        ("background", json!({ "query": "Ana", "offset": -1 })),
        ("background", json!({ "limit": 1 })),
        ("background", json!({ "query": "Ana", "filter": null })),
    ] {
        let result = run_in(&toolbox(), &store, name, arguments);
        text.push_str(&format!("{:?}: {}\n", result.status, result.content));
    }
    insta::assert_snapshot!(text, @r#"
    Executed: 1. (0.60) Northwind is a customer, and Ana writes for Northwind.
    2. (0.47) Ana Ruiz keeps the books of Northwind.
    Executed: 2. (0.47) Ana Ruiz keeps the books of Northwind.
    Executed: 1. (0.47) Ana Ruiz keeps the books of Northwind.
    Executed: 1. (0.29) - Meetings with Ana take 45 minutes.
    Executed: There is nothing in triage_preferences.
    Executed: 1. (0.88) Northwind is a customer, and Ana writes for Northwind.
    Executed: 1. (0.00) Ana Ruiz keeps the books of Northwind.
    2. (0.00) Northwind is a customer, and Ana writes for Northwind.
    3. (0.00) The office closes at six.
    Failed: `background` was not run: `limit` must be a whole number from 1 to 50, not 0.
    Failed: `background` was not run: `offset` must be a whole number from 0 to 10000, not -1.
    Failed: `background` was not run: the argument `query` is missing; it takes `query`, `limit`, `offset`.
    Failed: `background` was not run: it has no argument `filter`; it takes `query`, `limit`, `offset`.
    "#);
    put(Namespace::Background, "4", &"Ana ".repeat(100_000));
    let result = run_in(&toolbox(), &store, "background", json!({ "query": "Ana" }));
    let content = result.content;
    assert!(content.chars().count() < 25_000);
}
