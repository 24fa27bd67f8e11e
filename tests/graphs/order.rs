//! An order with a payment: what is done stays done.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, poll};
use mailproof::graph::checkpoint::{SqliteCheckpointer, open};
use mailproof::graph::{
    Checkpointer, Command, CompiledGraph, Fault, Graph, MemoryCheckpointer, Resume, RetryPolicy,
    RunError, START, State, Task, TaskOutcome,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use crate::{answer, finished, options, paused, refused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    id: Option<u32>,
    receipt: Option<String>,
    approved: Option<bool>,
}

impl State for Order {
    type Update = Order;

    fn apply(&mut self, order: Order) {
        *self = order;
    }
}

/// The shop's services, and how they fail.
#[derive(Default)]
struct Shop {
    orders: AtomicU32,
    charges: Mutex<Vec<Option<String>>>,
    /// So many calls fail before one succeeds.
    failures: AtomicU32,
    /// Whether a charge hangs once it is made.
    hangs: bool,
    /// Whether charges carry an idempotency key.
    keyed: bool,
}

/// Creates the order, charges for it, and asks whether to ship.
fn graph() -> CompiledGraph<Order, Shop> {
    let policy = RetryPolicy {
        jitter: false,
        ..RetryPolicy::default()
    };
    Graph::new()
        .node("order", &[], move |_, context| {
            let policy = policy.clone();
            async move {
                let shop: &Arc<Shop> = context.context();
                let create = context.task(Task::new("create order"), |_| async {
                    // Drawn anew each time: a second run would be another order.
                    Ok(shop.orders.fetch_add(1, Ordering::Relaxed) + 4711)
                });
                let id: u32 = create.await?;
                let mut charge = Task::new("charge").retry(policy);
                if shop.keyed {
                    charge = charge.key(format!("order-{id}"));
                }
                let charge = context.task(charge, |task| async move {
                    let failures = &shop.failures;
                    let fails = |left: u32| left.checked_sub(1);
                    let [was, now] = [Ordering::Relaxed; 2];
                    if failures.fetch_update(was, now, fails).is_ok() {
                        return Err(Fault::Http(503).into());
                    }
                    shop.charges.lock().unwrap().push(task.key);
                    if shop.hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok(format!("receipt for {id}"))
                });
                let receipt: String = charge.await?;
                let approved = context.interrupt(json!({ "ship": id, "receipt": receipt }))?;
                Ok(Command::new().update(Order {
                    id: Some(id),
                    receipt: Some(receipt),
                    approved: approved.as_bool(),
                }))
            }
            .boxed()
        })
        .edge(START, "order")
        .compile()
        .unwrap()
}

/// Starts the order in a process that ends while the charge hangs.
async fn killed(threads: &dyn Checkpointer, shop: Shop) -> Shop {
    let graph = graph();
    let shop = Arc::new(Shop {
        hangs: true,
        ..shop
    });
    let thread = graph.thread(threads, "t");
    let options = options();
    let mut run = thread
        .start(Order::default(), shop.clone(), &options)
        .boxed();
    while shop.charges.lock().unwrap().is_empty() {
        assert!(poll!(&mut run).is_pending());
        tokio::task::yield_now().await;
    }
    drop(run);
    let shop = Arc::into_inner(shop).expect("the run is gone");
    Shop {
        hangs: false,
        ..shop
    }
}

#[tokio::test]
async fn finished_tasks_do_not_run_again_after_the_pause_and_have_the_same_results() {
    let (graph, threads) = (graph(), MemoryCheckpointer::new());
    let shop = Arc::new(Shop::default());
    let thread = graph.thread(&threads, "t");
    let pause = paused(
        thread
            .start(Order::default(), shop.clone(), &options())
            .await,
    );
    let payload = json!({ "ship": 4711, "receipt": "receipt for 4711" });
    assert_eq!(pause.interrupts[0].payload, payload);
    let run = thread
        .resume(answer(json!(true)), shop.clone(), &options())
        .await;
    let expected = Order {
        id: Some(4711),
        receipt: Some("receipt for 4711".to_owned()),
        approved: Some(true),
    };
    assert_eq!(finished(run), expected);
    assert_eq!(shop.orders.load(Ordering::Relaxed), 1);
    assert_eq!(*shop.charges.lock().unwrap(), [None]);
}

#[tokio::test]
async fn an_unfinished_task_runs_again_after_a_crash_and_the_finished_one_before_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("threads.db");
    let threads = SqliteCheckpointer::open(&path).await.unwrap();
    let shop = killed(
        &threads,
        Shop {
            keyed: true,
            ..Shop::default()
        },
    )
    .await;
    drop(threads);

    let threads = open(&format!("sqlite:{}", path.display())).await.unwrap();
    let (graph, shop) = (graph(), Arc::new(shop));
    let thread = graph.thread(&*threads, "t");
    let state = thread.get_state().await.unwrap();
    let tasks: Vec<_> = state
        .tasks
        .iter()
        .map(|task| (&*task.task, &task.result))
        .collect();
    assert_eq!(
        tasks,
        [("charge", &None), ("create order", &Some(json!(4711)))]
    );
    paused(
        thread
            .resume(Resume::Continue, shop.clone(), &options())
            .await,
    );
    assert_eq!(shop.orders.load(Ordering::Relaxed), 1);
    // The payment service makes one charge of the two.
    let key = Some("order-4711".to_owned());
    assert_eq!(*shop.charges.lock().unwrap(), [key.clone(), key]);
}

#[tokio::test]
async fn a_charge_nobody_can_vouch_for_is_not_made_again_until_a_person_says_so() {
    let threads = MemoryCheckpointer::new();
    let shop = Arc::new(killed(&threads, Shop::default()).await);
    let graph = graph();
    let thread = graph.thread(&threads, "t");
    let error = refused(
        thread
            .resume(Resume::Continue, shop.clone(), &options())
            .await,
    );
    assert!(matches!(&error, RunError::OutcomeUnknown { task, .. } if task == "charge"));
    let text = error.to_string();
    for told in ["`charge`", "node `order`", "thread `t`", "settle it"] {
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(shop.charges.lock().unwrap().len(), 1);

    let found = TaskOutcome::Done(json!("receipt from the bank"));
    thread.settle_task("order", "charge", found).await.unwrap();
    let pause = paused(
        thread
            .resume(Resume::Continue, shop.clone(), &options())
            .await,
    );
    assert_eq!(
        pause.interrupts[0].payload["receipt"],
        "receipt from the bank"
    );
    assert_eq!(shop.charges.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_charge_that_fails_is_tried_three_times_in_all_and_made_once() {
    for (failures, charged, waited) in [(2, 1, 1500), (3, 0, 1500)] {
        let (graph, threads) = (graph(), MemoryCheckpointer::new());
        let shop = Arc::new(Shop {
            failures: failures.into(),
            ..Shop::default()
        });
        let thread = graph.thread(&threads, "t");
        let begin = Instant::now();
        let run = thread
            .start(Order::default(), shop.clone(), &options())
            .await;
        assert_eq!(run.is_ok(), charged == 1);
        assert_eq!(begin.elapsed(), Duration::from_millis(waited));
        assert_eq!(shop.charges.lock().unwrap().len(), charged);
        assert_eq!(shop.orders.load(Ordering::Relaxed), 1);
        if charged == 0 {
            // Later, by hand: the order is still the one that was made.
            paused(
                thread
                    .resume(Resume::Continue, shop.clone(), &options())
                    .await,
            );
            assert_eq!(shop.orders.load(Ordering::Relaxed), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waits_are_capped_and_the_first_attempt_counts() {
    let policy = RetryPolicy {
        max_interval: Duration::from_secs(1),
        max_attempts: NonZeroU32::new(5).unwrap(),
        jitter: false,
        ..RetryPolicy::default()
    };
    let tried = Arc::new(AtomicU32::new(0));
    let counter = tried.clone();
    let graph = Graph::<Order, ()>::new()
        .node("stub", &[], move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Err(Fault::Connection("refused".to_owned()).into()) }.boxed()
        })
        .edge(START, "stub")
        .retry("stub", policy)
        .compile()
        .unwrap();
    let begin = Instant::now();
    let run = graph.run(Order::default(), Arc::new(()), &options()).await;
    assert!(run.is_err());
    assert_eq!(tried.load(Ordering::Relaxed), 5);
    assert_eq!(begin.elapsed(), Duration::from_millis(500 + 3 * 1000));
}
