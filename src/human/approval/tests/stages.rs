//! Approval in stages, and what a failure in one of them leaves behind.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use super::*;
use crate::graph::checkpoint::Status as ThreadStatus;
use crate::graph::{Graph, MemoryCheckpointer, Progress, Resume, RunOptions, START, State};

#[tokio::test(start_paused = true)]
async fn stages_are_asked_in_turn_and_none_after_a_rejection() {
    for (manager, security, status, by) in [
        (
            Response::Ignore,
            Response::Accept,
            "rejected_by_manager",
            "ana",
        ),
        (
            Response::Accept,
            Response::Ignore,
            "rejected_by_security",
            "bo",
        ),
        (Response::Accept, Response::Accept, "completed", "bo"),
    ] {
        let (ana, bo) = (
            person("ana", [manager.clone()]),
            person("bo", [security.clone()]),
        );
        let asked = bo.asked();
        let others: Vec<(String, Box<dyn Human>)> = vec![("security".into(), Box::new(bo))];
        let mut stages = Stages::new(("manager".into(), Box::new(ana)), others);
        let (response, who) = ask(&mut stages, &interrupt("deploy")).await;
        assert_eq!(stages.status().unwrap().to_string(), status);
        assert_eq!(who, by, "{status}");
        assert_eq!(response == Response::Accept, status == "completed");
        let first_agreed = manager == Response::Accept;
        assert_eq!(
            asked.lock().unwrap().len(),
            usize::from(first_agreed),
            "{status}"
        );
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Deployed(bool);

impl State for Deployed {
    type Update = bool;

    fn apply(&mut self, deployed: bool) {
        self.0 = deployed;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_during_an_approval_leaves_the_thread_pending_and_no_stage_is_asked_twice() {
    let graph = Graph::new()
        .node("deploy", &[], |_: &Deployed, context| {
            async {
                let asked = serde_json::to_value(interrupt("deploy")).unwrap();
                let yes = context.interrupt(asked)? == json!("accept");
                Ok(crate::graph::Command::new().update(yes))
            }
            .boxed()
        })
        .edge(START, "deploy")
        .compile()
        .unwrap();
    let threads = MemoryCheckpointer::new();
    let thread = graph.thread(&threads, "t1");
    let options = RunOptions::new(10);
    let paused = thread
        .start(Deployed::default(), Arc::new(()), &options)
        .await;
    assert!(matches!(paused, Ok(Progress::Paused(_))));

    // Security leaves after the manager agreed; then comes back.
    let (ana, bo) = (person("ana", [Response::Accept]), person("bo", []));
    let by_manager = ana.asked();
    let security = Relieved(vec![
        Box::new(person("carol", [Response::Accept])),
        Box::new(bo),
    ]);
    let others: Vec<(String, Box<dyn Human>)> = vec![("security".into(), Box::new(security))];
    let mut stages = Stages::new(("manager".into(), Box::new(ana)), others);
    for attempt in 0..2 {
        let state = thread.get_state().await.unwrap();
        assert_eq!(state.status, ThreadStatus::Interrupted, "{attempt}");
        let [pending] = &state.interrupts[..] else {
            panic!("one question: {:?}", state.interrupts)
        };
        let mut asked: Interrupt = serde_json::from_value(pending.payload.clone()).unwrap();
        asked.id = pending.id.clone();
        match answer(&mut stages, &asked).await {
            Ok(response) => {
                let response = serde_json::to_value(response).unwrap();
                let resumed = thread
                    .resume(Resume::Answer(response), Arc::new(()), &options)
                    .await;
                assert!(matches!(resumed, Ok(Progress::Finished(Deployed(true)))));
            }
            Err(error) => assert_eq!(error.to_string(), "no answer to `deploy`: bo has left"),
        }
    }
    let state = thread.get_state().await.unwrap();
    assert_eq!(
        (state.status, state.values),
        (ThreadStatus::Finished, Deployed(true))
    );
    assert_eq!(by_manager.lock().unwrap().len(), 1);
}

/// People who take each other's place whenever one fails; the last is the first.
struct Relieved(Vec<Box<dyn Human>>);

impl Human for Relieved {
    fn name(&self) -> &str {
        self.0.last().unwrap().name()
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(async move {
            let answer = self.0.last_mut().unwrap().respond(interrupt).await;
            if answer.is_err() {
                self.0.pop();
            }
            answer
        })
    }
}
