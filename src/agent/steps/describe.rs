//! What a person reads who is asked: Markdown of the email and of what is proposed.
//!
//! Emails and proposals are other people's words. Short ones stand in code spans and long
//! ones in fences that nothing within them can close, so that none of it is Markdown.

use serde_json::{Map, Value};

use crate::agent::tools::Tool;
use crate::email::{Email, Triage};

/// Most characters of a header or an argument on one line.
const MAX_LINE: usize = 300;
/// Most characters of a body.
const MAX_TEXT: usize = 20_000;

/// The email, and that nobody waits for an answer to it.
pub fn notice(email: &Email, reasoning: Option<&str>) -> String {
    let mut text = block(email);
    text.push_str(&format!("## Triage: {}\n", Triage::Notify.name()));
    if let Some(reasoning) = reasoning.filter(|text| !text.trim().is_empty()) {
        text.push('\n');
        text.push_str(&fenced(reasoning));
    }
    text
}

/// The email, and a call that is proposed because of it.
pub fn call(email: &Email, tool: Tool, arguments: &Map<String, Value>) -> String {
    let text = |name: &str| arguments[name].as_str().unwrap_or_default();
    let proposal = match tool {
        Tool::WriteEmail => format!(
            "## Email to send\n\n{}{}\n{}",
            line("To", text("to")),
            line("Subject", text("subject")),
            fenced(text("content")),
        ),
        Tool::ScheduleMeeting => {
            let attendees = arguments["attendees"].as_array().into_iter().flatten();
            let attendees: Vec<&str> = attendees.filter_map(Value::as_str).collect();
            format!(
                "## Meeting to schedule\n\n{}{}{}{}{}",
                line("Subject", text("subject")),
                line("Attendees", &attendees.join(", ")),
                line("Day", text("preferred_day")),
                line("Starts at", &format!("{}:00", arguments["start_time"])),
                line("Minutes", &arguments["duration_minutes"].to_string()),
            )
        }
        Tool::Question => format!("## Question to you\n\n{}", fenced(text("content"))),
        other => {
            let arguments = serde_json::to_string_pretty(arguments);
            let arguments = arguments.expect("arguments have string keys only");
            format!("## {}\n\n{}", other.name(), fenced(&arguments))
        }
    };
    block(email) + &proposal
}

fn block(email: &Email) -> String {
    let mut text = String::new();
    text.push_str(&line("Subject", &email.subject));
    text.push_str(&line("From", &email.from));
    text.push_str(&line("To", &email.to));
    if let Some(date) = email.date {
        text.push_str(&line("Date", &date.to_string()));
    }
    text.push('\n');
    text.push_str(&fenced(&email.body));
    text.push_str("\n---\n\n");
    text
}

/// `- **To**: `…``
fn line(label: &str, text: &str) -> String {
    format!("- **{label}**: {}\n", code(text))
}

/// A code span on one line.
fn code(text: &str) -> String {
    let text = bounded(text.trim(), MAX_LINE);
    let text: String = text
        .chars()
        .map(|c| {
            if c.is_whitespace() || c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    if text.is_empty() {
        return "(none)".to_owned();
    }
    let ticks = "`".repeat(longest_ticks(&text) + 1);
    // One space at each end is not shown, and keeps a tick of the text apart from ours.
    match text.starts_with('`') || text.ends_with('`') {
        true => format!("{ticks} {text} {ticks}"),
        false => format!("{ticks}{text}{ticks}"),
    }
}

/// A fence closes at a line of at least as many ticks as opened it: ours are more than any
/// in the text.
fn fenced(text: &str) -> String {
    let text = bounded(text.trim_end(), MAX_TEXT);
    let ticks = "`".repeat((longest_ticks(&text) + 1).max(3));
    format!("{ticks}\n{text}\n{ticks}\n")
}

fn longest_ticks(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

fn bounded(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn email() -> Email {
        Email {
            from: "Ana Ruiz <ana@northwind.example>".into(),
            to: "Sam Lee <sam@acme.example>".into(),
            subject: "Invoice 1042".into(),
            body: "Was invoice 1042 paid?\n\nAna".into(),
            date: Some(date(2026, 3, 2)),
        }
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_person_reads_the_email_and_what_is_proposed() {
        let mail = json!({ "to": "ana@northwind.example", "subject": "Re: Invoice", "content": "Hi Ana,\nyes." });
        insta::assert_snapshot!(call(&email(), Tool::WriteEmail, &map(mail)), @r"
        - **Subject**: `Invoice 1042`
        - **From**: `Ana Ruiz <ana@northwind.example>`
        - **To**: `Sam Lee <sam@acme.example>`
        - **Date**: `2026-03-02`

        ```
        Was invoice 1042 paid?

        Ana
        ```

        ---

        ## Email to send

        - **To**: `ana@northwind.example`
        - **Subject**: `Re: Invoice`

        ```
        Hi Ana,
        yes.
        ```
        ");
        let proposals = [
            (
                Tool::ScheduleMeeting,
                json!({
                    "attendees": ["Ana", "Sam"], "subject": "Invoice", "duration_minutes": 30,
                    "preferred_day": "2026-03-03", "start_time": 14,
                }),
            ),
            (Tool::Question, json!({ "content": "Which PO?" })),
            (Tool::Done, json!({ "done": true })),
        ];
        let texts = proposals.map(|(tool, arguments)| {
            let text = call(&email(), tool, &map(arguments));
            text.split_once("---\n\n").unwrap().1.to_owned()
        });
        insta::assert_snapshot!(texts.join("\n"), @r#"
        ## Meeting to schedule

        - **Subject**: `Invoice`
        - **Attendees**: `Ana, Sam`
        - **Day**: `2026-03-03`
        - **Starts at**: `14:00`
        - **Minutes**: `30`

        ## Question to you

        ```
        Which PO?
        ```

        ## done

        ```
        {
          "done": true
        }
        ```
        "#);
        let text = notice(&email(), Some("For information."));
        insta::assert_snapshot!(text.split_once("---\n\n").unwrap().1, @r"
        ## Triage: notify

        ```
        For information.
        ```
        ");
        assert!(notice(&email(), None).ends_with("## Triage: notify\n"));
    }

    #[test]
    fn long_texts_are_cut() {
        let long = Email {
            subject: "s".repeat(10_000),
            body: "b".repeat(1_000_000),
            ..email()
        };
        let text = notice(&long, None);
        assert!(text.chars().count() < MAX_TEXT + 3 * MAX_LINE);
        assert!(text.contains("b…\n```") && text.contains("s…`"));
    }

    /// Text of what Markdown could take for something.
    fn hostile() -> impl Strategy<Value = String> {
        const PIECES: [&str; 16] = [
            "`",
            "``",
            "```",
            "````",
            "~~~",
            "\n",
            "\r",
            "\n```\n",
            "\n`````\n",
            " ",
            "a",
            "# ",
            "- ",
            "---",
            "![a](b)",
            "<b>",
        ];
        let piece = proptest::sample::select(&PIECES[..]).prop_map(str::to_owned);
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Read as CommonMark says: outside of fences and spans there are only our words.
        #[test]
        fn no_text_leaves_its_block(
            subject in hostile(),
            body in hostile(),
        ) {
            let text = notice(&Email { subject, body, ..email() }, None);
            let mut outside = Vec::new();
            let mut fence: Option<usize> = None;
            for line in text.split(['\n', '\r']) {
                let ticks = line.trim_start().chars().take_while(|c| *c == '`').count();
                match fence {
                    Some(open) => {
                        if ticks >= open && line.trim().chars().all(|c| c == '`') {
                            fence = None;
                        }
                    }
                    None if ticks >= 3 => fence = Some(ticks),
                    None => outside.push(line),
                }
            }
            prop_assert_eq!(fence, None);
            prop_assert_eq!(
                outside[1..].join("\n"),
                "- **From**: `Ana Ruiz <ana@northwind.example>`\n\
                 - **To**: `Sam Lee <sam@acme.example>`\n\
                 - **Date**: `2026-03-02`\n\n\n---\n\n## Triage: notify\n"
            );
            // The first line is the subject's: one span to its end.
            let span = outside[0].strip_prefix("- **Subject**: ").unwrap();
            let ticks = span.chars().take_while(|c| *c == '`').count();
            if span != "(none)" {
                let inner = &span[ticks..span.len() - ticks];
                prop_assert!(ticks > 0 && span.ends_with(&"`".repeat(ticks)));
                prop_assert!(inner.split(|c| c != '`').all(|run| run.len() != ticks));
            }
        }
    }
}
