//! Expenses: small ones pass, larger ones ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use mailproof::graph::{Command, CompiledGraph, Graph, MemoryCheckpointer, START, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{answer, finished, options, paused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Expense {
    amount: u32,
    description: String,
    status: Option<String>,
    note: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Decision {
    status: String,
    note: String,
}

impl State for Expense {
    type Update = Decision;

    fn apply(&mut self, decision: Decision) {
        self.status = Some(decision.status);
        self.note = decision.note;
    }
}

/// What happened outside.
#[derive(Default)]
struct Office {
    validated: AtomicU32,
    booked: AtomicU32,
}

fn graph() -> CompiledGraph<Expense, Office> {
    Graph::new()
        .node("approve", &[], |expense: &Expense, context| {
            async move {
                let office: &Arc<Office> = context.context();
                office.validated.fetch_add(1, Ordering::Relaxed);
                let decision = if expense.amount > 100 {
                    let reply = context.interrupt(json!({
                        "type": "expense",
                        "amount": expense.amount,
                        "description": expense.description,
                        "options": ["approve", "reject"],
                    }))?;
                    let text = |key| reply.get(key).and_then(Value::as_str).unwrap_or("");
                    let status = match text("decision") {
                        "approve" => "approved",
                        _ => "rejected",
                    };
                    Decision {
                        status: status.to_owned(),
                        note: text("note").to_owned(),
                    }
                } else {
                    Decision {
                        status: "approved".to_owned(),
                        note: "auto-approved".to_owned(),
                    }
                };
                office.booked.fetch_add(1, Ordering::Relaxed);
                Ok(Command::new().update(decision))
            }
            .boxed()
        })
        .edge(START, "approve")
        .compile()
        .unwrap()
}

fn expense(amount: u32) -> Expense {
    Expense {
        amount,
        description: "train to Oslo".to_owned(),
        ..Expense::default()
    }
}

#[tokio::test]
async fn an_expense_of_up_to_100_is_approved_with_a_note_and_no_pause() {
    for amount in [50, 100] {
        let run = graph()
            .run(expense(amount), Arc::default(), &options())
            .await;
        let done = run.unwrap();
        assert_eq!(done.status.as_deref(), Some("approved"), "{amount}");
        assert_eq!(done.note, "auto-approved");
    }
}

#[tokio::test]
async fn a_larger_expense_asks_with_all_that_is_needed_to_decide() {
    let (graph, threads) = (graph(), MemoryCheckpointer::new());
    for amount in [101, 500] {
        let id = amount.to_string();
        let thread = graph.thread(&threads, &id);
        let pause = paused(
            thread
                .start(expense(amount), Arc::default(), &options())
                .await,
        );
        let payload = json!({
            "type": "expense",
            "amount": amount,
            "description": "train to Oslo",
            "options": ["approve", "reject"],
        });
        assert_eq!(pause.interrupts[0].payload, payload);
        assert_eq!(pause.state.status, None);
    }
}

#[tokio::test]
async fn the_decision_and_its_note_are_kept_and_what_is_missing_is_a_no_without_words() {
    let graph = graph();
    for (reply, status, note) in [
        (
            json!({ "decision": "approve", "note": "fine" }),
            "approved",
            "fine",
        ),
        (
            json!({ "decision": "reject", "note": "too much" }),
            "rejected",
            "too much",
        ),
        (json!({ "note": "hm" }), "rejected", "hm"),
        (json!({ "decision": "approve" }), "approved", ""),
        (json!({}), "rejected", ""),
        (json!("approve"), "rejected", ""),
    ] {
        let threads = MemoryCheckpointer::new();
        let thread = graph.thread(&threads, "t");
        paused(thread.start(expense(500), Arc::default(), &options()).await);
        let run = thread
            .resume(answer(reply.clone()), Arc::default(), &options())
            .await;
        let done = finished(run);
        assert_eq!(
            (done.status.as_deref(), &*done.note),
            (Some(status), note),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn three_threads_at_once_do_not_touch_one_another() {
    let (graph, threads) = (graph(), MemoryCheckpointer::new());
    let runs =
        [(50, None), (500, Some("approve")), (700, Some("reject"))].map(|(amount, decision)| {
            let (graph, threads) = (&graph, &threads);
            async move {
                let id = amount.to_string();
                let thread = graph.thread(threads, &id);
                let run = thread
                    .start(expense(amount), Arc::default(), &options())
                    .await;
                let Some(decision) = decision else {
                    return finished(run);
                };
                paused(run);
                tokio::task::yield_now().await;
                let reply = answer(json!({ "decision": decision, "note": id }));
                finished(thread.resume(reply, Arc::default(), &options()).await)
            }
        });
    let done = join_all(runs).await;
    let told: Vec<_> = done
        .iter()
        .map(|done| (done.amount, done.status.as_deref().unwrap(), &*done.note))
        .collect();
    let expected = [
        (50, "approved", "auto-approved"),
        (500, "approved", "500"),
        (700, "rejected", "700"),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_stands_before_the_question_happens_twice_and_what_stands_after_it_once() {
    let (graph, threads) = (graph(), MemoryCheckpointer::new());
    let office = Arc::new(Office::default());
    let thread = graph.thread(&threads, "t");
    paused(thread.start(expense(500), office.clone(), &options()).await);
    let reply = answer(json!({ "decision": "approve" }));
    finished(thread.resume(reply, office.clone(), &options()).await);
    let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
    assert_eq!((count(&office.validated), count(&office.booked)), (2, 1));
}
