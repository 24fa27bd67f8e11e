//! What cannot be undone waits for one exact word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use mailproof::graph::{Command, CompiledGraph, Graph, MemoryCheckpointer, START, State, Task};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{answer, finished, options, paused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cleanup(String);

impl State for Cleanup {
    type Update = String;

    fn apply(&mut self, result: String) {
        self.0 = result;
    }
}

fn graph() -> CompiledGraph<Cleanup, AtomicU32> {
    Graph::new()
        .node("delete", &[], |_, context| {
            async {
                let question = json!({ "action": "delete all mail", "type to confirm": "DELETE" });
                let word = context.interrupt(question)?;
                if word != "DELETE" {
                    return Ok(Command::new().update("cancelled".to_owned()));
                }
                let delete = context.task(Task::new("delete"), |_| async {
                    let deleted: &Arc<AtomicU32> = context.context();
                    deleted.fetch_add(1, Ordering::Relaxed);
                    Ok("deleted".to_owned())
                });
                Ok(Command::new().update(delete.await?))
            }
            .boxed()
        })
        .edge(START, "delete")
        .compile()
        .unwrap()
}

#[tokio::test]
async fn only_the_exact_word_deletes_and_anything_else_cancels() {
    for (word, result) in [
        (json!("DELETE"), "deleted"),
        (json!("delete"), "cancelled"),
        (json!("DELETE "), "cancelled"),
        (json!("yes"), "cancelled"),
        (json!(""), "cancelled"),
        (json!(true), "cancelled"),
        (json!(null), "cancelled"),
        (json!(["DELETE"]), "cancelled"),
    ] {
        let (graph, threads) = (graph(), MemoryCheckpointer::new());
        let deleted = Arc::new(AtomicU32::new(0));
        let thread = graph.thread(&threads, "t");
        paused(
            thread
                .start(Cleanup::default(), deleted.clone(), &options())
                .await,
        );
        assert_eq!(
            deleted.load(Ordering::Relaxed),
            0,
            "nothing before the answer"
        );
        let run = thread
            .resume(answer(word.clone()), deleted.clone(), &options())
            .await;
        assert_eq!(finished(run).0, result, "{word}");
        assert_eq!(
            deleted.load(Ordering::Relaxed),
            u32::from(result == "deleted")
        );
    }
}
