//! Judgements as their callers see them.

use super::*;
use crate::model::rules::book::book;

const EMAIL: &str = "# The email\n  From: Ana Ruiz <ana@northwind.example>\n  To: Sam Lee <sam@acme.example>\n  Subject: Invoice 1042\n  Date: 2026-03-02\n\n  When will invoice 1042 be paid? Please answer by Friday.\n";

fn schema() -> OutputSchema {
    OutputSchema {
        name: SCHEMA.to_owned(),
        schema: json!({ "properties": { "reasoning": {}, "quotes": {}, "verdict": {} } }),
    }
}

fn judged(statement: &str, material: &str) -> Value {
    let messages = [
        Message::user("j0", format!("Does it hold?\n\nStatement: {statement}")),
        Message::user("j1", format!("===== 0af3\n{material}===== 0af3\n")),
    ];
    answer(book(), &schema(), &messages)
}

/// The verdict about a reply to an email of 2 March 2026, a Monday.
fn reply(statement: &str, body: &str) -> String {
    let lines: Vec<String> = body.lines().map(|line| format!("  {line}\n")).collect();
    let mail = format!(
        "# Mail that was sent\n  To: ana@northwind.example\n  Subject: Re: Invoice 1042\n\n{}",
        lines.concat()
    );
    let calls =
        "# Tool calls, from the record\n  1. write_email: ran\n     to: ana@northwind.example\n";
    let found = judged(statement, &format!("{EMAIL}{mail}{calls}"));
    found["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_promise_must_name_a_time_that_keeps_to_the_limit() {
    let statement = "Says when the invoice is paid, or promises an answer before Friday 6 March";
    for (body, verdict) in [
        ("It will be paid tomorrow.", "pass"),
        ("You will have an answer from me by Thursday.", "pass"),
        ("I will look into it and come back to you.", "fail"),
        ("Thank you for writing!", "fail"),
    ] {
        assert_eq!(reply(statement, body), verdict, "{body}");
    }
}
