//! What answers teach, in which words.

use super::*;
use crate::agent::memory::lessons::{of_call, of_notice};
use crate::agent::tools::Tool;

#[test]
fn each_answer_teaches_its_memory_and_no_other() {
    use Namespace::{CalPreferences, ResponsePreferences, TriagePreferences};
    let edit = || Response::Edit(object(json!({ "subject": "Other" })));
    let respond = || Response::Respond("Shorter, please.".into());
    for (tool, response, wanted) in [
        (Tool::WriteEmail, Response::Accept, None),
        (Tool::WriteEmail, edit(), Some((ResponsePreferences, false))),
        (
            Tool::WriteEmail,
            respond(),
            Some((ResponsePreferences, true)),
        ),
        (
            Tool::WriteEmail,
            Response::Ignore,
            Some((TriagePreferences, true)),
        ),
        (Tool::ScheduleMeeting, Response::Accept, None),
        (Tool::ScheduleMeeting, edit(), Some((CalPreferences, false))),
        (
            Tool::ScheduleMeeting,
            respond(),
            Some((CalPreferences, true)),
        ),
        (
            Tool::ScheduleMeeting,
            Response::Ignore,
            Some((TriagePreferences, true)),
        ),
        (Tool::Question, respond(), None),
        (
            Tool::Question,
            Response::Ignore,
            Some((TriagePreferences, true)),
        ),
        (Tool::CheckCalendarAvailability, respond(), None),
        (Tool::CheckCalendarAvailability, Response::Ignore, None),
        (Tool::Search(Namespace::Background), Response::Ignore, None),
    ] {
        let lesson = of_call(tool, &draft(), &response);
        let found = lesson.map(|lesson| (lesson.namespace, lesson.conversation));
        assert_eq!(found, wanted, "{} {}", tool.name(), response.kind());
    }
    for (response, wanted) in [
        (Response::Accept, None),
        (respond(), Some((TriagePreferences, true))),
        (Response::Ignore, Some((TriagePreferences, true))),
    ] {
        let lesson = of_notice(&response);
        let found = lesson.map(|lesson| (lesson.namespace, lesson.conversation));
        assert_eq!(found, wanted, "notify {}", response.kind());
    }
}

#[test]
fn notes_quote_what_was_proposed_and_what_the_person_did() {
    let mut notes = String::new();
    let edited = json!({ "to": "ana@northwind.example", "subject": "Re: Invoice 1042", "content": "Yes, on Monday." });
    let said = "Say \"when\",\nnot just yes.";
    for response in [
        Response::Edit(object(edited)),
        Response::Respond(said.into()),
        Response::Ignore,
    ] {
        let lesson = of_call(Tool::WriteEmail, &draft(), &response).unwrap();
        notes.push_str(&lesson.note);
        notes.push_str("\n--\n");
    }
    for response in [Response::Respond(said.into()), Response::Ignore] {
        notes.push_str(&of_notice(&response).unwrap().note);
        notes.push_str("\n--\n");
    }
    insta::assert_snapshot!(notes, @r#"
    The person changed the proposed write_email before it ran.
    Proposed: {"to":"ana@northwind.example","subject":"Re: Invoice 1042","content":"Yes."}
    Changed to: {"to":"ana@northwind.example","subject":"Re: Invoice 1042","content":"Yes, on Monday."}
    --
    The person answered the proposed write_email with: "Say \"when\",\nnot just yes."
    Proposed: {"to":"ana@northwind.example","subject":"Re: Invoice 1042","content":"Yes."}
    --
    The person turned the proposed write_email down and ended the work on this email. Emails like it are not to be sorted as respond.
    Proposed: {"to":"ana@northwind.example","subject":"Re: Invoice 1042","content":"Yes."}
    --
    The email was sorted as notify. The person wants it answered, and said: "Say \"when\",\nnot just yes."
    Unless these words say otherwise, emails like it are to be sorted as respond.
    --
    The email was sorted as notify. The person did not want to be notified of it. Emails like it are to be sorted as ignore.
    --
    "#);
}

#[test]
fn an_edit_that_changes_nothing_teaches_nothing() {
    let same = Response::Edit(object(draft().arguments));
    assert_eq!(of_call(Tool::WriteEmail, &draft(), &same), None);
}

#[test]
fn what_is_quoted_is_no_template_and_bounded() {
    let said = Response::Respond("{{proposed}} {{nothing}}".into());
    let note = of_call(Tool::WriteEmail, &draft(), &said).unwrap().note;
    assert!(
        note.contains(r#"with: "{{proposed}} {{nothing}}""#),
        "{note}"
    );

    let long = "ü".repeat(100_000);
    let many: Vec<&str> = vec![&long; 1_000];
    let proposed = call("write_email", json!({ "content": long, "to": many }));
    let said = Response::Respond(long.clone());
    let note = of_call(Tool::WriteEmail, &proposed, &said).unwrap().note;
    assert!(note.chars().count() < 210_000, "{}", note.chars().count());
    assert!(note.contains('…'));
}
