//! Threads, questions, and decisions as text for a terminal.
//!
//! All of it may quote emails and models, so everything is escaped here; secrets are hidden
//! where it is printed.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Listed;
use super::shell;
use crate::graph::checkpoint::Status;
use crate::graph::store::Item;
use crate::human::approval::{Decision, Figures, Pending, Record};
use crate::report::escape;
use crate::run::Allowed;

/// The most characters of a question that are shown; `--json` has the rest.
const MOST: usize = 20_000;

/// A question whole, and how it is answered. `flag` is what commands must say of the place.
pub fn question(pending: &Pending, flag: &str) -> String {
    let interrupt = &pending.interrupt;
    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes all");
    line(&format!(
        "thread {} waits for an answer about {}, since {}",
        escape::line(&pending.thread),
        escape::line(&interrupt.action),
        time(pending.since),
    ));
    line("");
    let shown = match &interrupt.description {
        Some(description) => escape::lines(&cut(description, MOST)),
        None => escape::lines(&cut(&arguments(&interrupt.args), MOST)),
    };
    for shown in shown.trim_end().lines() {
        line(format!("    {shown}").trim_end());
    }
    line("");
    let command = format!(
        "mailproof respond --thread {}{flag}",
        escape::line(&shell::word(&pending.thread))
    );
    line("answer with one of:");
    for kind in interrupt.allowed.kinds() {
        let more = match kind {
            "edit" => " NAME=VALUE…",
            "respond" => " TEXT",
            _ => "",
        };
        line(&format!("  {command} {kind}{more}"));
    }
    text
}

/// The threads, two lines each.
pub fn list(listed: &[Listed], width: usize) -> String {
    let mut text = String::new();
    for thread in listed {
        let name = escape::line(&thread.summary.thread).into_owned();
        if thread.waiting.is_empty() {
            let status = match thread.summary.status {
                Status::Running => "at work, or its process died",
                Status::Interrupted => "stands at a breakpoint",
                Status::Finished => "finished",
                Status::Failed => "failed",
            };
            let since = time(thread.summary.created_at);
            writeln!(text, "{name}\n    {status}, since {since}").expect("a string takes all");
        }
        for pending in &thread.waiting {
            let interrupt = &pending.interrupt;
            let asked = format!("{} {}", interrupt.action, arguments(&interrupt.args));
            let asked = cut(&asked, width.saturating_sub(4));
            let since = time(pending.since);
            let kinds = kinds(interrupt.allowed);
            writeln!(
                text,
                "{name}\n    {}\n    {kinds}; since {since}",
                escape::line(&asked)
            )
            .expect("a string takes all");
        }
    }
    text
}

/// What became of all questions, in one line.
pub fn figures(figures: &Figures) -> String {
    let mut parts = vec![
        format!("{} pending", figures.pending),
        format!("{} answered", figures.decided + figures.automatic),
    ];
    for (count, what) in [
        (figures.timed_out, "timed out"),
        (figures.refused, "refused"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if let Some(completion) = figures.completion {
        parts.push(format!("{:.0}% completed", completion * 100.0));
    }
    if let Some(latency) = &figures.latency {
        parts.push(format!(
            "answers took {} (median), {} (90th percentile)",
            duration(latency.p50),
            duration(latency.p90)
        ));
    }
    format!("{}\n", parts.join(" · "))
}

/// The decisions on a thread, and what it waits for.
pub fn history(records: &[Record], waiting: &[Pending], width: usize) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all");
    for record in records {
        line(format!(
            "{}  {}  {}  {} after {}",
            time(record.at),
            escape::line(&record.who),
            escape::line(&record.action),
            decision(record.decision),
            duration(record.waited_ms as f64),
        ));
        let shown = |args: &Map<String, Value>| {
            let text = cut(&arguments(args), width.saturating_sub(14));
            escape::line(&text).into_owned()
        };
        line(format!("    proposed  {}", shown(&record.before)));
        if let Some(after) = &record.after {
            // The rest is as it was proposed; `--json` has all of it.
            let changed = after
                .iter()
                .filter(|(name, value)| record.before.get(*name) != Some(*value));
            let changed = changed.map(|(name, value)| (name.clone(), value.clone()));
            line(format!("    edited    {}", shown(&changed.collect())));
        }
        if let Some(said) = &record.said {
            line(format!("    said      {}", escape::line(said)));
        }
    }
    for pending in waiting {
        line(format!(
            "{}  asks about {}  and waits  ({})",
            time(pending.since),
            escape::line(&pending.interrupt.action),
            pending.interrupt.id,
        ));
    }
    text
}

/// What is remembered, under namespace and key.
pub fn memory(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        let place = format!("{}  {}", item.namespace, item.key);
        let updated = time(item.updated_at);
        writeln!(text, "{}  updated {updated}", escape::line(&place)).expect("a string takes all");
        let content = match &item.value {
            Value::String(content) => escape::lines(content),
            other => escape::lines(&format!("{other:#}")),
        };
        for line in content.trim_end().lines() {
            writeln!(text, "{}", format!("    {line}").trim_end()).expect("a string takes all");
        }
    }
    text
}

pub fn kinds(allowed: Allowed) -> String {
    allowed.kinds().join(", ")
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept => "accepted",
        Decision::Edit => "edited",
        Decision::Ignore => "ignored",
        Decision::Respond => "responded",
        Decision::Refused => "refused",
        Decision::Escalated => "handed on",
    }
}

fn arguments(args: &Map<String, Value>) -> String {
    serde_json::to_string(args).expect("JSON has string keys")
}

/// UTC, to the second.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn duration(milliseconds: f64) -> String {
    let seconds = milliseconds / 1000.0;
    if seconds < 10.0 {
        return format!("{seconds:.1}s");
    }
    // Up to days; whoever waited longer has other worries than minutes.
    let mut left = seconds.round() as i64;
    let mut parts = Vec::new();
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
        if left >= unit {
            parts.push(format!("{}{name}", left / unit));
            left %= unit;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

/// The first `most` characters, saying so where there are more.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => {
            // Room for the sign.
            let end = text[..end]
                .char_indices()
                .next_back()
                .map_or(0, |(at, _)| at);
            format!("{}…", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::graph::checkpoint::ThreadSummary;
    use crate::human::approval::figures as count;
    use crate::run::Interrupt;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_772_446_800 + minute * 60).unwrap()
    }

    fn pending(thread: &str) -> Pending {
        let args = json!({ "to": "ana@northwind.example", "subject": "Re: \u{1b}[2J\u{202e}1042" });
        Pending {
            thread: thread.to_owned(),
            since: at(0),
            interrupt: Interrupt {
                id: "5f0c".to_owned(),
                action: "write_email".to_owned(),
                args: args.as_object().unwrap().clone(),
                allowed: Allowed {
                    accept: true,
                    edit: true,
                    ignore: true,
                    respond: true,
                },
                description: Some("**From**: Ana\u{7}\n\nWas 1042 paid?\r\n".to_owned()),
            },
        }
    }

    #[test]
    fn a_question_is_shown_whole_and_safely_with_the_commands_that_answer_it() {
        insta::assert_snapshot!(question(&pending("it's"), " --checkpointer sqlite:t.db"), @r"
        thread it's waits for an answer about write_email, since 2026-03-02 10:20:00Z

            **From**: Ana\u{7}

            Was 1042 paid?

        answer with one of:
          mailproof respond --thread 'it'\''s' --checkpointer sqlite:t.db accept
          mailproof respond --thread 'it'\''s' --checkpointer sqlite:t.db edit NAME=VALUE…
          mailproof respond --thread 'it'\''s' --checkpointer sqlite:t.db ignore
          mailproof respond --thread 'it'\''s' --checkpointer sqlite:t.db respond TEXT
        ");
        let mut other = pending("t1");
        other.interrupt.description = None;
        other.interrupt.allowed = Allowed {
            ignore: true,
            respond: true,
            ..Allowed::default()
        };
        insta::assert_snapshot!(question(&other, ""), @r#"
        thread t1 waits for an answer about write_email, since 2026-03-02 10:20:00Z

            {"to":"ana@northwind.example","subject":"Re: \u001b[2J\u{202e}1042"}

        answer with one of:
          mailproof respond --thread t1 ignore
          mailproof respond --thread t1 respond TEXT
        "#);
    }

    #[test]
    fn threads_are_listed_with_their_questions() {
        let summary = |thread: &str, status| ThreadSummary {
            thread: thread.to_owned(),
            sequence: 1,
            status,
            next: Vec::new(),
            interrupts: Vec::new(),
            created_at: at(1),
        };
        let listed = [
            Listed {
                summary: summary("one", Status::Interrupted),
                waiting: vec![pending("one")],
                records: Vec::new(),
            },
            Listed {
                summary: summary("t\u{1b}[31m", Status::Running),
                waiting: Vec::new(),
                records: Vec::new(),
            },
        ];
        insta::assert_snapshot!(list(&listed, 60), @r#"
        one
            write_email {"to":"ana@northwind.example","subject":"Re…
            accept, edit, ignore, respond; since 2026-03-02 10:20:00Z
        t\u{1b}[31m
            at work, or its process died, since 2026-03-02 10:21:00Z
        "#);
    }

    #[test]
    fn a_history_tells_who_did_what_and_when() {
        let asked = pending("t").interrupt;
        let waited = std::time::Duration::from_millis(1500);
        let mut edited = asked.args.clone();
        edited.insert("subject".into(), "Re: 1042".into());
        let responses = [
            crate::run::Response::Respond("shorter\n\u{1b}please".into()),
            crate::run::Response::Edit(edited),
        ];
        let mut records = responses
            .map(|response| Record::answered("t", &asked, "ana", &response, at(5), waited));
        records[1].waited_ms = 90_061_000;
        insta::assert_snapshot!(history(&records, &[pending("t")], 60), @r#"
        2026-03-02 10:25:00Z  ana  write_email  responded after 1.5s
            proposed  {"to":"ana@northwind.example","subject":"Re: …
            said      shorter\n\u{1b}please
        2026-03-02 10:25:00Z  ana  write_email  edited after 1d 1h
            proposed  {"to":"ana@northwind.example","subject":"Re: …
            edited    {"subject":"Re: 1042"}
        2026-03-02 10:20:00Z  asks about write_email  and waits  (5f0c)
        "#);
        insta::assert_snapshot!(figures(&count(&records, 1)), @"1 pending · 2 answered · 67% completed · answers took 12h 30m (median), 22h 30m (90th percentile)");
        insta::assert_snapshot!(figures(&count(&[], 0)), @"0 pending · 0 answered");
    }

    #[test]
    fn what_is_remembered_is_shown_with_the_time_of_its_last_change() {
        let items = [
            (
                "email_assistant/triage_preferences",
                "user_preferences",
                json!("Ignore ads.\n\u{9b}Answer Ana."),
            ),
            ("email_assistant/background", "ab12", json!({ "fact": 1 })),
        ];
        let items = items.map(|(namespace, key, value)| Item {
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            value,
            created_at: at(0),
            updated_at: at(7),
        });
        insta::assert_snapshot!(memory(&items), @r#"
        email_assistant/triage_preferences  user_preferences  updated 2026-03-02 10:27:00Z
            Ignore ads.
            \u{9b}Answer Ana.
        email_assistant/background  ab12  updated 2026-03-02 10:27:00Z
            {
              "fact": 1
            }
        "#);
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        assert_eq!((cut("äöü", 3), cut("äöü", 2)), ("äöü".into(), "ä…".into()));
        assert_eq!((cut("", 0), cut("a", 0)), (String::new(), "…".into()));
    }

    #[test]
    fn times_are_told_in_two_units_at_most() {
        for (milliseconds, text) in [
            (0.0, "0.0s"),
            (1_500.0, "1.5s"),
            (59_400.0, "59s"),
            (3_600_000.0, "1h"),
            (90_061_000.0, "1d 1h"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
    }
}
