//! Agents that ask, and people who answer, through the library's public words alone.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;
use mailproof::agent::prompts::Preferences;
use mailproof::agent::{Agent, AgentKind, Behaviour, Models, Settings};
use mailproof::email::{Email, Triage};
use mailproof::human::{AcceptAll, drive};
use mailproof::model::scripted::{Scripted, call, calls, decision};
use mailproof::run::{Outcome, Response, Run, Step};
use mailproof::target::local::Local;
use mailproof::target::{Start, Until};
use serde_json::json;

async fn accept_everything(model: Arc<Scripted>) -> Run {
    let settings = Settings {
        date: date(2026, 3, 2),
        seed: 0,
        preferences: Preferences::default(),
        behaviour: Behaviour::default(),
    };
    let target = Local::new(Agent::new(AgentKind::Hitl, Models::one(model), settings));
    let start = Start {
        thread: "t".into(),
        until: Until::End,
        timeout: Duration::from_secs(10),
        max_steps: 25,
        store: None,
        restart: false,
        origin: Default::default(),
    };
    let email = Email {
        from: "Ana Ruiz <ana@northwind.example>".into(),
        to: "Sam Lee <sam@acme.example>".into(),
        subject: "Invoice 1042".into(),
        body: "Was invoice 1042 paid?".into(),
        date: None,
    };
    drive(&target, start, &email, &mut AcceptAll).await.run
}

/// Accepting a question is not possible, and an agent that was told nothing would ask again
/// for ever.
#[tokio::test]
async fn whoever_accepts_everything_answers_a_question_once() {
    let mail = json!({ "to": "ana@northwind.example", "subject": "Re", "content": "Yes." });
    let model = Arc::new(Scripted::new([
        decision(Triage::Respond, "She asks."),
        calls([
            ("question", json!({ "content": "Was it?" })),
            ("write_email", mail),
        ]),
        call("done", json!({ "done": true })),
    ]));
    let run = accept_everything(Arc::clone(&model)).await;
    assert_eq!(run.outcome, Outcome::Finished);
    assert_eq!(model.requests().len(), 3);
    // Every answer that no person gave is marked as such.
    let answers: Vec<_> = (run.steps.iter())
        .filter_map(|step| match step {
            Step::Interrupt {
                interrupt,
                response,
                answered_by,
                ..
            } => Some((&*interrupt.action, response.kind(), &**answered_by)),
            _ => None,
        })
        .collect();
    assert_eq!(
        answers,
        [
            ("question", "respond", "accept-all"),
            ("write_email", "accept", "accept-all"),
        ]
    );
}

#[tokio::test]
async fn an_agent_that_only_asks_is_stopped_by_its_model_calls() {
    let asks = (0..100).map(|_| call("question", json!({ "content": "Really?" })));
    let replies = [decision(Triage::Respond, ".")].into_iter().chain(asks);
    let model = Arc::new(Scripted::new(replies));
    let run = accept_everything(Arc::clone(&model)).await;
    assert_eq!(run.outcome, Outcome::StepLimit);
    assert_eq!(model.requests().len(), 25);
}

#[tokio::test]
async fn a_notice_is_accepted_like_everything_else() {
    let model = Arc::new(Scripted::new([decision(
        Triage::Notify,
        "For information.",
    )]));
    let run = accept_everything(model).await;
    assert_eq!(run.outcome, Outcome::Finished);
    let answer = run.steps.iter().find_map(|step| match step {
        Step::Interrupt { response, .. } => Some(response),
        _ => None,
    });
    assert_eq!(answer, Some(&Response::Accept));
}
