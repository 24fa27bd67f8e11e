//! What models and providers do wrong.

use super::*;
use crate::model::ErrorKind;
use crate::run::Stop;

#[tokio::test]
async fn calls_without_ids_of_their_own_are_told_apart() {
    let twice = |id: &str| {
        let mut reply = calls([write_email(), write_email()]);
        reply
            .tool_calls
            .iter_mut()
            .for_each(|call| call.id = id.into());
        reply
    };
    let replies = vec![
        respond(),
        twice("x"),
        twice("x"),
        twice(""),
        calls([done()]),
    ];
    let run = run(AgentKind::Workflow, replies).await;
    insta::assert_snapshot!(transcript(&run), @r#"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant  [x write_email] [m1.1 write_email]
    m2 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (x Executed)
    m3 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m1.1 Executed)
    m4 Assistant  [m4.0 write_email] [m4.1 write_email]
    m5 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m4.0 Executed)
    m6 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m4.1 Executed)
    m7 Assistant  [m7.0 write_email] [m7.1 write_email]
    m8 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m7.0 Executed)
    m9 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m7.1 Executed)
    m10 Assistant  [m10.0 done]
    m11 Tool Everything is done. (m10.0 Executed)
    finished
    "#);
    assert_every_call_is_answered_once(&run);
}

#[tokio::test]
async fn a_reply_without_a_tool_call_is_answered_with_a_reminder_once() {
    let replies = vec![respond(), text("I will write."), calls([done()])];
    let (recovered, requests) = ask(AgentKind::Workflow, replies, LIMITS).await;
    insta::assert_snapshot!(transcript(&recovered), @r"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant I will write.
    m2 User Your last answer called no tool, so nothing happened. Answer with a tool call; when nothing is left to do, call done.
    m3 Assistant  [m3.0 done]
    m4 Tool Everything is done. (m3.0 Executed)
    finished
    ");
    assert_eq!(requests[2].messages.len(), 3);

    let replies = vec![
        respond(),
        calls([write_email()]),
        text("Written."),
        text(""),
    ];
    let run = run(AgentKind::Workflow, replies).await;
    insta::assert_snapshot!(transcript(&run), @r#"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant  [m1.0 write_email]
    m2 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m1.0 Executed)
    m3 Assistant Written.
    m4 User Your last answer called no tool, so nothing happened. Answer with a tool call; when nothing is left to do, call done.
    m5 Assistant 
    protocol the model called no tool, and after a reminder again none
    "#);
    assert_eq!(run.triage, Some(Triage::Respond));
    assert_every_call_is_answered_once(&run);
    assert_eq!(run.usage.calls(), 4);
}

#[tokio::test]
async fn an_end_for_want_of_tokens_says_so() {
    let cut_off = |content: &str| Reply {
        stop: Some(Stop::Length),
        ..text(content)
    };
    for (replies, error) in [
        (
            vec![cut_off("{\"reasoning\": \"So"), cut_off("")],
            "the router's reply was no decision: it was too long, and was cut off at its limit of tokens; after a reminder: it was too long, and was cut off at its limit of tokens",
        ),
        (
            vec![respond(), text("Well."), cut_off("I will")],
            "the model called no tool, and after a reminder again none: its reply was cut off at its limit of tokens",
        ),
        (
            vec![respond(), cut_off("I will"), text("Well.")],
            "the model called no tool, and after a reminder again none",
        ),
    ] {
        let run = run(AgentKind::Workflow, replies).await;
        assert_eq!(run.outcome, Outcome::Protocol);
        assert_eq!(run.error.as_deref(), Some(error));
    }
}

#[tokio::test]
async fn a_decision_off_the_menu_is_asked_for_again_once() {
    let off = || text(r#"{"reasoning":"so","classification":"reply"}"#);
    let replies = vec![off(), decision(Triage::Ignore, "Sold by strangers.")];
    let (recovered, requests) = ask(AgentKind::Workflow, replies, LIMITS).await;
    assert_eq!(recovered.outcome, Outcome::Finished);
    assert_eq!(recovered.triage, Some(Triage::Ignore));
    let asked = &requests[1].messages;
    assert_eq!(
        asked[1],
        Message::assistant("r1", off().content, Vec::new())
    );
    insta::assert_snapshot!(asked[2].content, @"Your last answer could not be used: `classification` was `reply`, not one of ignore, notify, respond. Answer with one JSON object and nothing else: `reasoning`, a string, then `classification`, one of ignore, notify, respond.");
    let Step::Model { sent, reply, .. } = &recovered.steps[1] else {
        panic!("a model call")
    };
    assert_eq!(*sent, Sent::Messages(asked.clone()));
    assert!(matches!(reply, ReplyRef::Text(text) if text.contains("Sold by strangers.")));

    let run = run(AgentKind::Workflow, vec![off(), text("ignore")]).await;
    assert_eq!(run.outcome, Outcome::Protocol);
    assert_eq!(run.triage, None);
    assert_eq!(roles(&run), [ModelRole::Router; 2]);
    insta::assert_snapshot!(run.reasoning.unwrap(), @"no decision was reached: the router's reply was no decision: `classification` was `reply`, not one of ignore, notify, respond; after a reminder: it was not JSON (expected value at line 1 column 1)");
}

#[tokio::test]
async fn calls_that_cannot_run_are_answered_and_the_agent_goes_on() {
    let replies = vec![
        respond(),
        calls([
            ("send_email", json!({})),
            ("write_email", json!("{\"to\": ")),
            ("triage_email", json!({ "category": "ignore" })),
            write_email(),
        ]),
        calls([done()]),
    ];
    let run = run(AgentKind::Workflow, replies).await;
    assert_every_call_is_answered_once(&run);
    assert_eq!(run.outcome, Outcome::Finished);
    assert_eq!(
        run.triage,
        Some(Triage::Respond),
        "the workflow's router decides"
    );
    let statuses: Vec<ToolStatus> = run
        .messages
        .iter()
        .filter(|message| message.tool_call_id.is_some())
        .map(|message| message.status)
        .collect();
    use ToolStatus::{Executed, Failed};
    assert_eq!(statuses, [Failed, Failed, Failed, Executed, Executed]);
}

#[tokio::test]
async fn every_model_call_counts_towards_the_limit() {
    let limits = Limits {
        max_model_calls: 3,
        ..LIMITS
    };
    let replies = || {
        vec![
            respond(),
            text("Well."),
            calls([write_email()]),
            calls([done()]),
        ]
    };
    let (run, requests) = ask(AgentKind::Workflow, replies(), limits).await;
    insta::assert_snapshot!(transcript(&run), @r#"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant Well.
    m2 User Your last answer called no tool, so nothing happened. Answer with a tool call; when nothing is left to do, call done.
    m3 Assistant  [m3.0 write_email]
    m4 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m3.0 Executed)
    step_limit all 3 model calls are used, and `respond` wants another
    "#);
    assert_eq!(requests.len(), 3);
    assert_every_call_is_answered_once(&run);
    let limits = Limits {
        max_model_calls: 4,
        ..LIMITS
    };
    let (run, _) = ask(AgentKind::Workflow, replies(), limits).await;
    assert_eq!(run.outcome, Outcome::Finished);
    let limits = Limits {
        max_model_calls: 0,
        ..LIMITS
    };
    let (run, requests) = ask(AgentKind::Workflow, replies(), limits).await;
    assert_eq!((run.outcome, requests.len()), (Outcome::StepLimit, 0));
}

#[tokio::test]
async fn a_failing_provider_ends_the_run_and_keeps_what_was_done() {
    let error = ModelError::new("m", ErrorKind::Overloaded, "overloaded");
    let replies = [Ok(respond()), Ok(calls([write_email()])), Err(error)];
    let model = Arc::new(Scripted::with_failures(replies));
    let run = run_on(AgentKind::Workflow, model, &email(), LIMITS).await;
    insta::assert_snapshot!(transcript(&run), @r#"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant  [m1.0 write_email]
    m2 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m1.0 Executed)
    provider model `m` failed: overloaded
    "#);
    assert_eq!(run.triage, Some(Triage::Respond));
    assert_every_call_is_answered_once(&run);
}
