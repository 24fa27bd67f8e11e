//! A support agent that calls a person when it cannot answer, and goes on with the answer
//! in another process.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use mailproof::graph::checkpoint::{Cause, SqliteCheckpointer};
use mailproof::graph::{
    Checkpointer, Command, CompiledGraph, Fault, Graph, Resume, START, State, Status,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{answer, finished, options, paused};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role", content = "content")]
enum Message {
    User(String),
    /// A call of the tool that asks a person; arguments as models send them: JSON, or JSON
    /// in a string.
    Call(Value),
    Tool(String),
    Assistant(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chat {
    messages: Vec<Message>,
}

impl State for Chat {
    type Update = Vec<Message>;

    fn apply(&mut self, messages: Vec<Message>) {
        self.messages.extend(messages);
    }
}

/// What a stored call asks.
fn query(arguments: &Value) -> Result<String, Fault> {
    let parsed = match arguments {
        Value::String(text) => serde_json::from_str(text).map_err(|error| {
            Fault::Invalid(format!("the call's arguments are no JSON: {error}"))
        })?,
        other => other.clone(),
    };
    let query = parsed["query"].as_str().map(str::to_owned);
    query.ok_or_else(|| Fault::Invalid("the call has no `query`".to_owned()))
}

/// Knows opening hours, and asks a person about the rest.
fn model(messages: &[Message]) -> Message {
    match messages.last() {
        Some(Message::User(text)) if text.contains("hours") => {
            Message::Assistant("We are open from 9 to 5.".to_owned())
        }
        Some(Message::User(text)) if text.contains("garbled") => Message::Call(json!("{ query")),
        Some(Message::User(text)) => Message::Call(json!(json!({ "query": text }).to_string())),
        Some(Message::Tool(answer)) => Message::Assistant(format!("Our expert says: {answer}")),
        other => panic!("the model is not asked after {other:?}"),
    }
}

fn graph() -> CompiledGraph<Chat, ()> {
    Graph::new()
        .node("chatbot", &["tools"], |chat: &Chat, _| {
            async {
                let reply = model(&chat.messages);
                let command = match &reply {
                    Message::Call(_) => Command::new().goto("tools"),
                    _ => Command::new(),
                };
                Ok(command.update(vec![reply]))
            }
            .boxed()
        })
        .node("tools", &[], |chat: &Chat, context| {
            async {
                let Some(Message::Call(arguments)) = chat.messages.last() else {
                    panic!("`tools` follows a call");
                };
                let query = query(arguments)?;
                let data = context.interrupt_with(json!({ "query": query }), |reply| {
                    let data = reply["data"].as_str().map(str::to_owned);
                    data.ok_or_else(|| "an answer has its text in `data`".to_owned())
                })?;
                Ok(Command::new().update(vec![Message::Tool(data)]))
            }
            .boxed()
        })
        .edge(START, "chatbot")
        .edge("tools", "chatbot")
        .compile()
        .unwrap()
}

fn chat(text: &str) -> Chat {
    Chat {
        messages: vec![Message::User(text.to_owned())],
    }
}

#[tokio::test]
async fn a_query_waits_in_the_file_and_is_answered_through_another_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("threads.db");
    let graph = graph();

    let user = SqliteCheckpointer::open(&path).await.unwrap();
    let thread = graph.thread(&user, "ticket-1");
    let question = chat("Can I return opened shoes?");
    let pause = paused(thread.start(question, Arc::new(()), &options()).await);
    let payload = json!({ "query": "Can I return opened shoes?" });
    assert_eq!(pause.interrupts[0].payload, payload);
    drop(user);

    let admin = SqliteCheckpointer::open(&path).await.unwrap();
    let pending = admin.list(Some(Status::Interrupted)).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        (&*pending[0].thread, &pending[0].next),
        ("ticket-1", &vec!["tools".to_owned()])
    );
    let thread = graph.thread(&admin, "ticket-1");
    let state = thread.get_state().await.unwrap();
    assert_eq!(state.next, ["tools"], "interrupted");
    let Some(Message::Call(arguments)) = state.values.messages.last() else {
        panic!("{:?}", state.values);
    };
    assert_eq!(query(arguments).unwrap(), "Can I return opened shoes?");

    let reply = answer(json!({ "data": "Within 30 days." }));
    let done = finished(thread.resume(reply, Arc::new(()), &options()).await);
    let told = [
        Message::Tool("Within 30 days.".to_owned()),
        Message::Assistant("Our expert says: Within 30 days.".to_owned()),
    ];
    assert_eq!(done.messages[2..], told);
    assert_eq!(thread.get_state().await.unwrap().next, [""; 0], "finished");
}

#[tokio::test]
async fn what_is_stored_holds_the_messages_what_comes_next_and_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let threads = SqliteCheckpointer::open(folder.path().join("t.db"))
        .await
        .unwrap();
    let graph = graph();
    let thread = graph.thread(&threads, "ticket-1");
    paused(
        thread
            .start(chat("Refund?"), Arc::new(()), &options())
            .await,
    );
    let stored = threads.latest("ticket-1").await.unwrap().unwrap().to_json();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["thread"], "ticket-1");
    assert_eq!(
        stored["state"]["messages"][0],
        json!({ "role": "user", "content": "Refund?" })
    );
    assert_eq!(stored["next"], json!(["tools"]));
    assert_eq!(
        stored["interrupts"][0]["payload"],
        json!({ "query": "Refund?" })
    );
}

#[tokio::test]
async fn what_the_model_can_answer_interrupts_nobody() {
    let run = graph()
        .run(chat("What are your hours?"), Arc::new(()), &options())
        .await;
    let done = run.unwrap();
    let told = Message::Assistant("We are open from 9 to 5.".to_owned());
    assert_eq!(done.messages.last(), Some(&told));
}

#[tokio::test]
async fn arguments_that_are_no_json_are_told_and_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let threads = SqliteCheckpointer::open(folder.path().join("t.db"))
        .await
        .unwrap();
    let graph = graph();
    let thread = graph.thread(&threads, "t");
    let run = thread
        .start(chat("garbled"), Arc::new(()), &options())
        .await;
    assert!(run.is_err());
    let state = thread.get_state().await.unwrap();
    assert_eq!(state.status, Status::Failed);
    let failure = state.failure.unwrap();
    assert!(
        failure.starts_with("node `tools` failed: the call's arguments are no JSON"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_answer_in_another_form_is_refused_and_the_question_stays() {
    let folder = tempfile::tempdir().unwrap();
    let threads = SqliteCheckpointer::open(folder.path().join("t.db"))
        .await
        .unwrap();
    let graph = graph();
    let thread = graph.thread(&threads, "t");
    paused(
        thread
            .start(chat("Refund?"), Arc::new(()), &options())
            .await,
    );
    let run = thread
        .resume(answer(json!("yes")), Arc::new(()), &options())
        .await;
    let error = run.unwrap_err().to_string();
    assert!(
        error.ends_with("an answer has its text in `data`"),
        "{error}"
    );
    assert_eq!(thread.get_state().await.unwrap().interrupts.len(), 1);
    let reply = answer(json!({ "data": "Yes." }));
    finished(thread.resume(reply, Arc::new(()), &options()).await);
}

#[tokio::test]
async fn pending_threads_are_answered_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let threads = SqliteCheckpointer::open(folder.path().join("t.db"))
        .await
        .unwrap();
    let graph = graph();
    for id in ["a", "b", "c"] {
        let thread = graph.thread(&threads, id);
        paused(thread.start(chat(id), Arc::new(()), &options()).await);
    }
    for (id, left) in [("b", 2), ("c", 1), ("a", 0)] {
        let thread = graph.thread(&threads, id);
        let reply = answer(json!({ "data": format!("about {id}") }));
        let done = finished(thread.resume(reply, Arc::new(()), &options()).await);
        let told = Message::Assistant(format!("Our expert says: about {id}"));
        assert_eq!(done.messages.last(), Some(&told));
        let pending = threads.list(Some(Status::Interrupted)).await.unwrap();
        assert_eq!(pending.len(), left);
    }
}

#[tokio::test]
async fn every_intervention_on_a_thread_is_in_its_history_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let threads = SqliteCheckpointer::open(folder.path().join("t.db"))
        .await
        .unwrap();
    let graph = graph();
    let thread = graph.thread(&threads, "t");
    let mut asked = Vec::new();
    paused(thread.start(chat("first"), Arc::new(()), &options()).await);
    for text in ["second", "third", ""] {
        let id = thread.get_state().await.unwrap().interrupts[0].id.clone();
        let reply = json!({ "data": format!("{} done", asked.len()) });
        asked.push(BTreeMap::from([(id, reply.clone())]));
        finished(thread.resume(answer(reply), Arc::new(()), &options()).await);
        if !text.is_empty() {
            let input = vec![Message::User(text.to_owned())];
            thread.update_state(input, Some(START)).await.unwrap();
            paused(
                thread
                    .resume(Resume::Continue, Arc::new(()), &options())
                    .await,
            );
        }
    }
    let history = thread.history().await.unwrap();
    let given: Vec<_> = history
        .into_iter()
        .filter_map(|moment| match moment.cause {
            Cause::Resumed { answers } if !answers.is_empty() => Some(answers),
            _ => None,
        })
        .collect();
    assert_eq!(given, asked);
}
