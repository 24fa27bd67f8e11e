use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Log(Vec<String>);

impl State for Log {
    type Update = String;
    fn apply(&mut self, update: String) {
        self.0.push(update);
    }
}

/// What nodes did that no state tells of.
#[derive(Default)]
struct Effects {
    before: AtomicUsize,
    after: AtomicUsize,
}

fn log(entries: &[&str]) -> Log {
    Log(entries.iter().map(|entry| (*entry).to_owned()).collect())
}

#[tokio::test]
async fn a_node_runs_again_from_its_first_line_and_its_effect_happens_once() {
    let graph = Graph::<Log, Effects>::new()
        .node("ask", &[], |_, context| {
            Box::pin(async move {
                context.context().before.fetch_add(1, Ordering::Relaxed);
                let answer = context.interrupt(json!({ "amount": 500 }))?;
                context.context().after.fetch_add(1, Ordering::Relaxed);
                Ok(Command::new().update(answer.to_string()))
            })
        })
        .edge(START, "ask")
        .compile()
        .unwrap();
    let checkpointer = MemoryCheckpointer::new();
    let thread = graph.thread(&checkpointer, "t");
    let effects = Arc::new(Effects::default());
    let options = RunOptions::new(25);
    let progress = thread
        .start(Log::default(), effects.clone(), &options)
        .await;
    let Progress::Paused(pause) = progress.unwrap() else {
        panic!("no pause");
    };
    assert_eq!(pause.next, ["ask"]);
    assert_eq!(pause.interrupts[0].payload, json!({ "amount": 500 }));
    let resume = Resume::Answer(json!("yes"));
    let progress = thread.resume(resume, effects.clone(), &options).await;
    assert_eq!(progress.unwrap(), Progress::Finished(log(&["\"yes\""])));
    assert_eq!(effects.before.load(Ordering::Relaxed), 2);
    assert_eq!(effects.after.load(Ordering::Relaxed), 1);
}
