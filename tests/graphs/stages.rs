//! Two people approve in turn: the manager, then security.

use std::sync::Arc;

use futures_util::FutureExt;
use mailproof::graph::checkpoint::Cause;
use mailproof::graph::{
    Command, CompiledGraph, END, Graph, MemoryCheckpointer, NodeContext, NodeResult, START, State,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{answer, finished, options, paused};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Request {
    status: String,
    result: Option<String>,
}

impl State for Request {
    type Update = Request;

    fn apply(&mut self, request: Request) {
        *self = request;
    }
}

fn status(status: &str, result: Option<&str>) -> Command<Request> {
    Command::new().update(Request {
        status: status.to_owned(),
        result: result.map(str::to_owned),
    })
}

fn ask(context: &NodeContext<()>, next: &'static str) -> NodeResult<Request> {
    let stage = context.node();
    match context.interrupt(json!({ "stage": stage, "action": "deploy" }))? {
        Value::Bool(true) => Ok(status(&format!("approved_by_{stage}"), None).goto(next)),
        _ => Ok(status(&format!("rejected_by_{stage}"), None).goto(END)),
    }
}

fn graph() -> CompiledGraph<Request, ()> {
    Graph::new()
        .node("manager", &["security", END], |_, context| {
            async { ask(context, "security") }.boxed()
        })
        .node("security", &["deploy", END], |_, context| {
            async { ask(context, "deploy") }.boxed()
        })
        .node("deploy", &[], |_, _| {
            async { Ok(status("completed", Some("deployed"))) }.boxed()
        })
        .edge(START, "manager")
        .compile()
        .unwrap()
}

#[tokio::test]
async fn each_stage_is_asked_once_and_none_after_a_rejection() {
    for (answers, expected, result) in [
        (vec![false], "rejected_by_manager", None),
        (vec![true, false], "rejected_by_security", None),
        (vec![true, true], "completed", Some("deployed")),
    ] {
        let (graph, threads) = (graph(), MemoryCheckpointer::new());
        let thread = graph.thread(&threads, "t");
        let mut run = thread
            .start(Request::default(), Arc::new(()), &options())
            .await;
        let mut asked = Vec::new();
        for approved in &answers {
            let pause = paused(run);
            asked.push(pause.interrupts[0].payload["stage"].clone());
            let approved = answer(json!(approved));
            run = thread.resume(approved, Arc::new(()), &options()).await;
        }
        let done = finished(run);
        assert_eq!((&*done.status, done.result.as_deref()), (expected, result));
        assert_eq!(asked, ["manager", "security"][..answers.len()]);
        let history = thread.history().await.unwrap();
        let pauses = history
            .iter()
            .filter(|moment| moment.cause == Cause::Interrupted);
        assert_eq!(pauses.count(), answers.len());
    }
}
