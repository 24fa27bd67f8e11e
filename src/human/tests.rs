use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Map;

use super::*;
use crate::run::{Allowed, Usage};
use crate::target::{Paused, Until};

const ACCEPT: Allowed = Allowed {
    accept: true,
    edit: true,
    ignore: true,
    respond: true,
};
const QUESTION: Allowed = Allowed {
    accept: false,
    edit: false,
    ignore: true,
    respond: true,
};

fn interrupt(allowed: Allowed) -> Interrupt {
    Interrupt {
        id: "1".into(),
        action: "write_email".into(),
        args: Map::new(),
        allowed,
        description: None,
    }
}

fn empty_run(outcome: Outcome, error: Option<String>) -> Run {
    Run {
        outcome,
        error,
        triage: None,
        reasoning: None,
        messages: Vec::new(),
        steps: Vec::new(),
        usage: Usage::default(),
        latency_ms: 0.0,
        pauses: Vec::new(),
        memory: None,
        prompts: Vec::new(),
    }
}

type Answers = Arc<Mutex<Vec<(Response, String)>>>;

/// Asks what it is told to, then finishes, and keeps the answers.
struct Asking {
    asks: Vec<Allowed>,
    answers: Answers,
}

struct Pause {
    left: VecDeque<Allowed>,
    interrupt: Interrupt,
    answers: Answers,
}

fn next(mut left: VecDeque<Allowed>, answers: Answers) -> Progress {
    match left.pop_front() {
        None => Progress::Finished(empty_run(Outcome::Finished, None)),
        Some(allowed) => Progress::Paused(Box::new(Pause {
            left,
            interrupt: interrupt(allowed),
            answers,
        })),
    }
}

impl Target for Asking {
    fn start<'a>(&'a self, _: Start, _: &'a Email) -> BoxFuture<'a, Progress> {
        let progress = next(self.asks.clone().into(), Arc::clone(&self.answers));
        Box::pin(async { progress })
    }
}

impl Paused for Pause {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn steps(&self) -> usize {
        0
    }

    fn resume(self: Box<Self>, response: Response, by: &str) -> BoxFuture<'static, Progress> {
        self.answers.lock().unwrap().push((response, by.to_owned()));
        Box::pin(async { next(self.left, self.answers) })
    }

    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run> {
        Box::pin(async move { empty_run(outcome, Some(error)) })
    }
}

async fn run(asks: Vec<Allowed>, mut human: impl Human) -> (Run, Vec<(Response, String)>) {
    let answers = Answers::default();
    let target = Asking {
        asks,
        answers: Arc::clone(&answers),
    };
    let start = Start {
        thread: "t".into(),
        until: Until::End,
        timeout: Duration::from_secs(1),
        max_steps: 1,
        store: None,
        restart: false,
    };
    let email = Email {
        from: String::new(),
        to: String::new(),
        subject: String::new(),
        body: String::new(),
        date: None,
    };
    let run = drive(&target, start, &email, &mut human).await;
    let answers = answers.lock().unwrap().clone();
    (run, answers)
}

#[tokio::test]
async fn accept_all_answers_by_what_is_allowed() {
    let yours = Response::Respond("Please decide yourself.".into());
    let only = |allowed: Allowed| allowed;
    for (allowed, response) in [
        (ACCEPT, Some(Response::Accept)),
        (QUESTION, Some(yours)),
        (
            only(Allowed {
                ignore: true,
                ..Allowed::default()
            }),
            Some(Response::Ignore),
        ),
        (
            only(Allowed {
                edit: true,
                ..Allowed::default()
            }),
            None,
        ),
        (only(Allowed::default()), None),
    ] {
        let answer = AcceptAll.respond(&interrupt(allowed)).await;
        assert_eq!(answer.ok(), response, "{allowed:?}");
    }
}

#[tokio::test]
async fn a_run_is_driven_through_all_its_pauses() {
    let (run, answers) = run(vec![QUESTION, ACCEPT], AcceptAll).await;
    assert_eq!(run.outcome, Outcome::Finished);
    let kinds: Vec<_> = answers
        .iter()
        .map(|(response, by)| (response.kind(), &**by))
        .collect();
    assert_eq!(kinds, [("respond", "accept-all"), ("accept", "accept-all")]);
}

#[tokio::test]
async fn scripted_answers_come_first_and_then_the_policy() {
    let human = Scripted::new([Response::Ignore, Response::Respond("Use PO 77.".into())]);
    let (run, answers) = run(vec![ACCEPT, QUESTION, QUESTION, ACCEPT], human).await;
    assert_eq!(run.outcome, Outcome::Finished);
    let given: Vec<_> = answers
        .iter()
        .map(|(response, by)| (response.kind(), &**by))
        .collect();
    assert_eq!(
        given,
        [
            ("ignore", "scripted"),
            ("respond", "scripted"),
            ("respond", "accept-all"),
            ("accept", "accept-all"),
        ]
    );
}

#[tokio::test]
async fn an_answer_that_is_not_allowed_is_an_error_of_the_script() {
    let (run, answers) = run(vec![QUESTION], Scripted::new([Response::Accept])).await;
    assert_eq!(run.outcome, Outcome::Simulator);
    insta::assert_snapshot!(run.error.unwrap(), @"the answer to `write_email` was to accept, which it does not take; it takes: ignore, respond");
    assert!(answers.is_empty(), "the agent never saw it");
}

#[tokio::test]
async fn a_question_without_a_possible_answer_is_no_fault_of_the_agent() {
    let (run, _) = run(
        vec![Allowed {
            edit: true,
            ..Allowed::default()
        }],
        AcceptAll,
    )
    .await;
    assert_eq!(run.outcome, Outcome::Simulator);
    insta::assert_snapshot!(run.error.unwrap(), @"`write_email` takes none of the answers that `accept-all` gives; it takes: edit");
}

#[tokio::test]
async fn an_agent_that_asks_without_end_is_stopped() {
    let (finished, _) = run(vec![ACCEPT; MAX_INTERRUPTS], AcceptAll).await;
    assert_eq!(finished.outcome, Outcome::Finished);
    let (run, answers) = run(vec![ACCEPT; MAX_INTERRUPTS + 1], AcceptAll).await;
    assert_eq!(
        (run.outcome, answers.len()),
        (Outcome::StepLimit, MAX_INTERRUPTS)
    );
}
