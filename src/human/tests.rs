mod scripted;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::drive::MAX_INTERRUPTS;
use super::*;
use crate::email::Email;
use crate::run::{Allowed, ModelRole, Run, Step, TokenUsage};
use crate::target::{Paused, Progress, Start, Target, Until};

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

/// A question, by its action, and what it takes.
type Asked = (&'static str, Allowed);

const NOTIFY: Asked = (
    "notify",
    Allowed {
        edit: false,
        ..ACCEPT
    },
);
const WRITE: Asked = ("write_email", ACCEPT);
const ASK: Asked = ("question", QUESTION);

fn interrupt((action, allowed): Asked) -> Interrupt {
    let args = json!({ "to": "Ana <ana@northwind.example>", "subject": "Re: hi" });
    Interrupt {
        id: "1".into(),
        action: action.into(),
        args: args.as_object().unwrap().clone(),
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

/// Asks what it is told to, then finishes, and keeps the answers. Between two questions it
/// does two things, so a record that is right has pauses at 0, 3, 6, …
struct Asking {
    asks: Vec<Asked>,
    answers: Answers,
}

struct Pause {
    left: VecDeque<Asked>,
    steps: usize,
    interrupt: Interrupt,
    answers: Answers,
}

fn next(mut left: VecDeque<Asked>, steps: usize, answers: Answers) -> Progress {
    match left.pop_front() {
        None => Progress::Finished(empty_run(Outcome::Finished, None)),
        Some(asked) => Progress::Paused(Box::new(Pause {
            left,
            steps,
            interrupt: interrupt(asked),
            answers,
        })),
    }
}

impl Target for Asking {
    fn start<'a>(&'a self, _: Start, _: &'a Email) -> BoxFuture<'a, Progress> {
        let progress = next(self.asks.clone().into(), 0, Arc::clone(&self.answers));
        Box::pin(async { progress })
    }
}

impl Paused for Pause {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn resume(self: Box<Self>, response: Response, by: &str) -> BoxFuture<'static, Progress> {
        self.answers.lock().unwrap().push((response, by.to_owned()));
        Box::pin(async move { next(self.left, self.steps + 3, self.answers) })
    }

    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run> {
        Box::pin(async move { empty_run(outcome, Some(error)) })
    }
}

async fn run(asks: Vec<Asked>, mut human: impl Human) -> (Driven, Vec<(Response, String)>) {
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
        origin: Default::default(),
    };
    let email = Email {
        from: String::new(),
        to: String::new(),
        subject: String::new(),
        body: String::new(),
        date: None,
    };
    let driven = drive(&target, start, &email, &mut human).await;
    let answers = answers.lock().unwrap().clone();
    (driven, answers)
}

fn kinds(answers: &[(Response, String)]) -> Vec<(&'static str, &str)> {
    let kinds = answers.iter();
    kinds
        .map(|(response, by)| (response.kind(), &**by))
        .collect()
}

fn only(kind: &str) -> Allowed {
    Allowed {
        accept: kind == "accept",
        edit: kind == "edit",
        ignore: kind == "ignore",
        respond: kind == "respond",
    }
}

#[tokio::test]
async fn policies_answer_each_question_by_what_it_takes() {
    let said = |text: &str| Some(Response::Respond(text.into()));
    for (allowed, accept_all, reject_all) in [
        (ACCEPT, Some(Response::Accept), Some(Response::Ignore)),
        (
            QUESTION,
            said("Please decide yourself."),
            Some(Response::Ignore),
        ),
        (
            only("respond"),
            said("Please decide yourself."),
            said("No. Please leave it."),
        ),
        (
            only("ignore"),
            Some(Response::Ignore),
            Some(Response::Ignore),
        ),
        (only("accept"), Some(Response::Accept), None),
        (only("edit"), None, None),
        (Allowed::default(), None, None),
    ] {
        let asked = interrupt(("write_email", allowed));
        let answer = AcceptAll.respond(&asked).await;
        assert_eq!(answer.ok(), accept_all, "{allowed:?}");
        let answer = RejectAll.respond(&asked).await;
        assert_eq!(answer.ok(), reject_all, "{allowed:?}");
    }
}

#[tokio::test]
async fn a_run_is_driven_through_all_its_pauses() {
    let (driven, answers) = run(vec![ASK, WRITE], AcceptAll).await;
    assert_eq!(driven.run.outcome, Outcome::Finished);
    assert_eq!(driven.run.pauses, [0, 3]);
    assert_eq!(
        kinds(&answers),
        [("respond", "accept-all"), ("accept", "accept-all")]
    );
    let (_, answers) = run(vec![ASK, WRITE], RejectAll).await;
    assert_eq!(
        kinds(&answers),
        [("ignore", "reject-all"), ("ignore", "reject-all")]
    );
}

/// Says yes whatever is asked, at the cost of a model call.
struct Careless(Usage);

impl Human for Careless {
    fn name(&self) -> &str {
        "careless"
    }

    fn respond<'a>(&'a mut self, _: &'a Interrupt) -> BoxFuture<'a, Result<Response, HumanError>> {
        let tokens = TokenUsage {
            input_tokens: 5,
            output_tokens: 1,
            ..Default::default()
        };
        self.0.record(ModelRole::Simulator, tokens);
        Box::pin(async { Ok(Response::Accept) })
    }

    fn usage(&self) -> Usage {
        self.0.clone()
    }
}

#[tokio::test]
async fn nobody_gives_an_answer_that_is_not_allowed_and_what_it_cost_is_counted() {
    let human = Careless(Usage::default());
    let (driven, answers) = run(vec![WRITE, ASK, WRITE], human).await;
    assert_eq!(driven.run.outcome, Outcome::Simulator);
    insta::assert_snapshot!(driven.run.error.unwrap(), @"careless answered `question` with accept, which it does not take; it takes: ignore, respond");
    assert_eq!(answers.len(), 1);
    let usage = driven.run.usage.0[&ModelRole::Simulator];
    assert_eq!((usage.calls, usage.input_tokens), (2, 10));
}

#[tokio::test]
async fn a_question_without_a_possible_answer_is_no_fault_of_the_agent() {
    let (driven, _) = run(vec![("write_email", only("edit"))], AcceptAll).await;
    assert_eq!(driven.run.outcome, Outcome::Simulator);
    insta::assert_snapshot!(driven.run.error.unwrap(), @"`write_email` takes none of the answers that accept-all gives; it takes: edit");
}

#[tokio::test]
async fn an_agent_that_asks_without_end_is_stopped() {
    let (finished, _) = run(vec![WRITE; MAX_INTERRUPTS], AcceptAll).await;
    assert_eq!(finished.run.outcome, Outcome::Finished);
    let (driven, answers) = run(vec![WRITE; MAX_INTERRUPTS + 1], AcceptAll).await;
    assert_eq!(
        (driven.run.outcome, answers.len()),
        (Outcome::StepLimit, MAX_INTERRUPTS)
    );
    assert_eq!(driven.run.pauses.len(), MAX_INTERRUPTS);
}

#[test]
fn answers_are_counted_by_kind() {
    let mut run = empty_run(Outcome::Finished, None);
    let responses = [Response::Accept, Response::Ignore, Response::Accept];
    run.steps = responses
        .map(|response| Step::Interrupt {
            node: "ask".into(),
            interrupt: interrupt(WRITE),
            response,
            answered_by: "scripted".into(),
        })
        .into();
    assert_eq!(answer_kinds(&run), [("accept", 2), ("ignore", 1)].into());
}
