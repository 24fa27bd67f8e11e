//! People around people, on virtual time; and what the tests of this folder share.

mod stages;

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::human::{AcceptAll, Human, HumanError, RejectAll, answer};
use crate::redact::Redactor;
use crate::run::{Allowed, Interrupt, Response};

pub fn interrupt(action: &str) -> Interrupt {
    let args = json!({ "to": "ana@northwind.example", "subject": "Re: hi" });
    Interrupt {
        id: "1".into(),
        action: action.into(),
        args: args.as_object().unwrap().clone(),
        allowed: Allowed {
            accept: true,
            edit: true,
            ignore: true,
            respond: true,
        },
        description: None,
    }
}

pub fn record(id: &str, who: &str, decision: Decision) -> Record {
    let mut interrupt = interrupt("write_email");
    interrupt.id = id.into();
    let record = Record::refused("t1", &interrupt, who, now(), Duration::from_secs(2));
    Record { decision, ..record }
}

fn now() -> Timestamp {
    "2026-03-03T09:00:00Z".parse().unwrap()
}

/// A named person who takes some time for each of their answers, then fails.
struct Person {
    name: &'static str,
    takes: Duration,
    answers: VecDeque<Response>,
    asked: Arc<Mutex<Vec<Interrupt>>>,
}

fn person(name: &'static str, answers: impl IntoIterator<Item = Response>) -> Person {
    Person {
        name,
        takes: Duration::from_secs(2),
        answers: answers.into_iter().collect(),
        asked: Arc::default(),
    }
}

impl Person {
    /// Each time they are asked, the question.
    fn asked(&self) -> Arc<Mutex<Vec<Interrupt>>> {
        Arc::clone(&self.asked)
    }
}

impl Human for Person {
    fn name(&self) -> &str {
        self.name
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(interrupt.clone());
            tokio::time::sleep(self.takes).await;
            self.answers.pop_front().ok_or_else(|| HumanError::Failed {
                action: interrupt.action.clone(),
                reason: format!("{} has left", self.name),
            })
        })
    }

    fn notes(&self) -> Vec<String> {
        vec![format!("{} was there", self.name)]
    }
}

/// Somebody who never answers.
struct Absent;

impl Human for Absent {
    fn name(&self) -> &str {
        "absent"
    }

    fn respond<'a>(&'a mut self, _: &'a Interrupt) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(pending())
    }
}

/// An audit of thread `t1` and what it recorded.
fn audit() -> (Audit, Arc<Mutex<Vec<Record>>>) {
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&records);
    let sink = move |record: &Record| {
        kept.lock().unwrap().push(record.clone());
        Ok(())
    };
    (Audit::new("t1", now, sink), records)
}

async fn ask(human: &mut dyn Human, interrupt: &Interrupt) -> (Response, String) {
    let response = answer(human, interrupt).await.unwrap();
    (response, human.name().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_expires_and_one_turned_down_does_not() {
    let seconds = Duration::from_secs;
    let question = Interrupt {
        allowed: Allowed {
            respond: true,
            ..Allowed::default()
        },
        ..interrupt("question")
    };
    let late = |takes| Person {
        takes: seconds(takes),
        ..person("ana", [Response::Ignore])
    };
    for (case, human, asked, expected, by, after) in [
        (
            "expired",
            late(301),
            interrupt("write_email"),
            Response::Ignore,
            "timeout",
            300,
        ),
        (
            "rejected",
            late(299),
            interrupt("write_email"),
            Response::Ignore,
            "ana",
            299,
        ),
        (
            "cannot be ignored",
            late(301),
            question,
            Response::Respond("Nobody answered in time.".into()),
            "timeout",
            300,
        ),
    ] {
        let begun = Instant::now();
        let mut human = Deadline::new(Box::new(human));
        let found = ask(&mut human, &asked).await;
        assert_eq!(found, (expected, by.to_owned()), "{case}");
        assert_eq!(begun.elapsed().as_secs(), after, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_passes_again_for_each_question() {
    let slow = Person {
        takes: Duration::from_secs(40),
        ..person("ana", [Response::Accept])
    };
    let mut human = Deadline::new(Box::new(slow)).of(Duration::from_secs(60));
    let asked = interrupt("write_email");
    assert_eq!(
        ask(&mut human, &asked).await,
        (Response::Accept, "ana".into())
    );
    let error = answer(&mut human, &asked).await.unwrap_err();
    insta::assert_snapshot!(error, @"no answer to `write_email`: ana has left");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_one_person_holds_up_nobody_else() {
    let begun = Instant::now();
    let asked = interrupt("write_email");
    let waiting = async {
        let mut human = Deadline::new(Box::new(Absent));
        (ask(&mut human, &asked).await.1, begun.elapsed().as_secs())
    };
    let quick = async {
        let mut human = Deadline::new(Box::new(person("ana", [Response::Accept])));
        (ask(&mut human, &asked).await.1, begun.elapsed().as_secs())
    };
    let found = tokio::join!(waiting, quick);
    assert_eq!(found, (("timeout".into(), 300), ("ana".into(), 2)));
}

#[tokio::test(start_paused = true)]
async fn a_condition_decides_whether_anybody_is_asked_and_the_record_says_so() {
    let amount = |amount: u64| {
        let mut asked = interrupt("pay");
        asked.args.insert("amount".into(), amount.into());
        asked
    };
    let cannot_be_accepted = Interrupt {
        allowed: Allowed {
            ignore: true,
            ..Allowed::default()
        },
        ..amount(50)
    };
    for (asked, expected, by) in [
        (amount(50), Response::Accept, "auto-approved"),
        (amount(100), Response::Accept, "auto-approved"),
        (amount(101), Response::Ignore, "ana"),
        (cannot_be_accepted, Response::Ignore, "ana"),
    ] {
        let (audit, records) = audit();
        let ana = person("ana", [Response::Ignore]);
        let large = |asked: &Interrupt| asked.args["amount"].as_u64().unwrap() > 100;
        let human = Conditional::new(Box::new(ana), large);
        // Nobody's name is on the list: what is automatic is not a person's answer.
        let approvers = Approvers(vec!["ana".parse().unwrap()]);
        let mut human = Audited::new(Box::new(human), audit).only(approvers);
        assert_eq!(ask(&mut human, &asked).await, (expected, by.to_owned()));
        assert_eq!(records.lock().unwrap()[0].who, by);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_exact_word_accepts_and_anything_else_cancels() {
    let said = |text: &str| Response::Respond(text.into());
    for (response, expected) in [
        (said("DELETE"), Response::Accept),
        (said("delete"), Response::Ignore),
        (said("DELETE "), Response::Ignore),
        (said("yes"), Response::Ignore),
        (said(""), Response::Ignore),
        (Response::Accept, Response::Ignore),
        (Response::Ignore, Response::Ignore),
    ] {
        let ana = person("ana", [response.clone()]);
        let questions = ana.asked();
        let mut human = Confirmed::new(Box::new(ana), "DELETE");
        let asked = interrupt("delete_mail");
        let found = ask(&mut human, &asked).await.0;
        assert_eq!(found, expected, "{response:?}");
        let question = questions.lock().unwrap()[0].clone();
        assert_eq!(question.allowed.kinds(), ["ignore", "respond"]);
        assert_eq!(question.args, asked.args);
        insta::allow_duplicates! {
            insta::assert_snapshot!(question.description.unwrap(), @"To confirm, answer with exactly `DELETE`. Anything else cancels.");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_question_goes_on_to_the_next_person_and_the_record_says_so() {
    let (audit, records) = audit();
    let others: Vec<(String, Box<dyn Human>)> = vec![
        ("bo".into(), Box::new(Absent)),
        (
            "chief".into(),
            Box::new(person("chief", [Response::Accept])),
        ),
    ];
    let human = Escalating::new(
        Box::new(Absent),
        others,
        Duration::from_secs(60),
        audit.clone(),
    );
    let mut human = Audited::new(Box::new(human), audit);
    let asked = interrupt("write_email");
    let found = ask(&mut human, &asked).await;
    assert_eq!(found, (Response::Accept, "chief".into()));
    let told: Vec<_> = records
        .lock()
        .unwrap()
        .iter()
        .map(|record| (record.decision, record.who.clone(), record.waited_ms))
        .collect();
    assert_eq!(
        told,
        [
            (Decision::Escalated, "bo".into(), 60_000),
            (Decision::Escalated, "chief".into(), 120_000),
            (Decision::Accept, "chief".into(), 122_000),
        ]
    );
    assert_eq!(human.notes(), ["chief was there"]);
}

#[tokio::test(start_paused = true)]
async fn somebody_in_time_is_not_passed_over() {
    let (audit, records) = audit();
    let first = Box::new(person("ana", [Response::Ignore]));
    let others: Vec<(String, Box<dyn Human>)> = vec![("bo".into(), Box::new(Absent))];
    let mut human = Escalating::new(first, others, Duration::from_secs(60), audit);
    let found = ask(&mut human, &interrupt("write_email")).await;
    assert_eq!(found, (Response::Ignore, "ana".into()));
    assert!(records.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_somebody_who_may_not_give_it_is_refused_and_recorded() {
    let (audit, records) = audit();
    let approvers = Approvers(vec![
        "ana".parse().unwrap(),
        "eve:question".parse().unwrap(),
    ]);
    let eve = person("eve", [Response::Accept, Response::Accept]);
    let mut human = Audited::new(Box::new(eve), audit).only(approvers);
    let refused = answer(&mut human, &interrupt("write_email")).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"`eve` may not answer `write_email`; those who may: ana");
    answer(&mut human, &interrupt("question")).await.unwrap();
    let told: Vec<_> = records
        .lock()
        .unwrap()
        .iter()
        .map(|record| (record.decision, record.who.clone(), record.action.clone()))
        .collect();
    assert_eq!(
        told,
        [
            (Decision::Refused, "eve".into(), "write_email".into()),
            (Decision::Accept, "eve".into(), "question".into()),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_decision_of_a_thread_is_recorded_in_order() {
    let (audit, records) = audit();
    let mut edited = interrupt("write_email").args;
    edited.insert("subject".into(), "Re: hello".into());
    let said = Response::Respond("Shorter.".into());
    let ana = person(
        "ana",
        [said, Response::Edit(edited.clone()), Response::Ignore],
    );
    let mut human = Audited::new(Box::new(Deadline::new(Box::new(ana))), audit);
    for (id, action) in [
        ("1", "write_email"),
        ("2", "write_email"),
        ("3", "question"),
    ] {
        let mut asked = interrupt(action);
        asked.id = id.into();
        answer(&mut human, &asked).await.unwrap();
    }
    let records = records.lock().unwrap();
    let expected = |id: &str, action: &str, decision| {
        let mut asked = interrupt(action);
        asked.id = id.into();
        Record {
            at: now(),
            thread: "t1".into(),
            interrupt: id.into(),
            action: action.into(),
            who: "ana".into(),
            decision,
            before: asked.args,
            after: None,
            said: None,
            waited_ms: 2000,
        }
    };
    let mut all = [
        expected("1", "write_email", Decision::Respond),
        expected("2", "write_email", Decision::Edit),
        expected("3", "question", Decision::Ignore),
    ];
    all[0].said = Some("Shorter.".into());
    all[1].after = Some(edited);
    assert_eq!(*records, all);
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_cannot_be_recorded_is_none() {
    let full = |_: &Record| Err(io::Error::other("the disk is full"));
    let audit = Audit::new("t1", now, full);
    let mut human = Audited::new(Box::new(AcceptAll), audit);
    let error = answer(&mut human, &interrupt("write_email")).await;
    insta::assert_snapshot!(error.unwrap_err(), @"the decision on `write_email` could not be recorded, so it does not count: the disk is full");
}

#[tokio::test]
async fn a_hook_that_fails_is_noted_and_the_question_asked_all_the_same() {
    let (audit, _) = audit();
    let redactor = Arc::new(Redactor::new([]));
    let hook = Hook::new(
        "/no/such/hook",
        Vec::new(),
        Duration::from_secs(60),
        redactor,
    );
    let mut human = Audited::new(Box::new(AcceptAll), audit).with_hook(Arc::new(hook));
    for _ in 0..2 {
        let found = ask(&mut human, &interrupt("write_email")).await;
        assert_eq!(found.0, Response::Accept);
    }
    assert_eq!(human.notes().len(), 1, "{:?}", human.notes());
    assert!(human.notes()[0].starts_with("cannot run the notification hook"));
}

#[tokio::test]
async fn no_automatic_answer_is_taken_for_a_persons() {
    for human in [&mut AcceptAll as &mut dyn Human, &mut RejectAll] {
        ask(human, &interrupt("write_email")).await;
        let name = human.name();
        assert!(AUTOMATIC.contains(&name), "{name}");
        assert!(name.parse::<Approver>().is_err(), "{name}");
    }
}
