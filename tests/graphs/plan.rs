//! A plan that a person may shorten and reorder before it is carried out.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use mailproof::graph::{Command, CompiledGraph, Graph, MemoryCheckpointer, START, State, Task};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{answer, finished, options, paused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ticket {
    plan: Vec<String>,
    done: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum Progress {
    Plan(Vec<String>),
    Done(Vec<String>),
}

impl State for Ticket {
    type Update = Progress;

    fn apply(&mut self, progress: Progress) {
        match progress {
            Progress::Plan(plan) => self.plan = plan,
            Progress::Done(done) => self.done = done,
        }
    }
}

const PLAN: [&str; 3] = ["look up the order", "refund it", "write to the customer"];

fn graph() -> CompiledGraph<Ticket, Mutex<Vec<String>>> {
    Graph::new()
        .node("plan", &[], |_, context| {
            async {
                let parse = |reply| match serde_json::from_value::<Vec<String>>(reply) {
                    Ok(steps) => Ok(steps),
                    Err(_) => Err("a plan is a list of steps".to_owned()),
                };
                let plan = context.interrupt_with(json!({ "plan": PLAN }), parse)?;
                Ok(Command::new().update(Progress::Plan(plan)))
            }
            .boxed()
        })
        .node("carry out", &[], |ticket: &Ticket, context| {
            async {
                let mut done = Vec::new();
                for step in &ticket.plan {
                    let run = context.task(Task::new("step"), |_| async {
                        let log: &Arc<Mutex<Vec<String>>> = context.context();
                        log.lock().unwrap().push(step.clone());
                        Ok(step.clone())
                    });
                    let step: String = run.await?;
                    done.push(step);
                }
                Ok(Command::new().update(Progress::Done(done)))
            }
            .boxed()
        })
        .edge(START, "plan")
        .edge("plan", "carry out")
        .compile()
        .unwrap()
}

#[tokio::test]
async fn only_the_steps_that_came_back_are_run_and_in_their_order() {
    for returned in [vec![0, 1, 2], vec![2, 0], vec![1], vec![]] {
        let returned: Vec<_> = returned.into_iter().map(|step: usize| PLAN[step]).collect();
        let (graph, threads) = (graph(), MemoryCheckpointer::new());
        let log = Arc::new(Mutex::new(Vec::new()));
        let thread = graph.thread(&threads, "t");
        let pause = paused(
            thread
                .start(Ticket::default(), log.clone(), &options())
                .await,
        );
        assert_eq!(pause.interrupts[0].payload, json!({ "plan": PLAN }));
        assert!(log.lock().unwrap().is_empty());
        let reply = answer(json!(returned));
        let done = finished(thread.resume(reply, log.clone(), &options()).await);
        assert_eq!(done.done, returned);
        assert_eq!(*log.lock().unwrap(), returned);
    }
}

#[tokio::test]
async fn what_is_no_plan_is_refused_and_the_plan_stays_open() {
    let (graph, threads) = (graph(), MemoryCheckpointer::new());
    let log = Arc::new(Mutex::new(Vec::new()));
    let thread = graph.thread(&threads, "t");
    paused(
        thread
            .start(Ticket::default(), log.clone(), &options())
            .await,
    );
    let run = thread
        .resume(answer(json!("all of it")), log.clone(), &options())
        .await;
    let error = run.unwrap_err().to_string();
    assert!(error.ends_with("a plan is a list of steps"), "{error}");
    let reply = answer(json!([PLAN[0]]));
    finished(thread.resume(reply, log.clone(), &options()).await);
    assert_eq!(*log.lock().unwrap(), [PLAN[0]]);
}
