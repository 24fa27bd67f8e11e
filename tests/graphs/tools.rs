//! A mail assistant whose calls a person approves, rejects, or edits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use mailproof::graph::{
    Command, CompiledGraph, END, Graph, MemoryCheckpointer, Resume, START, State, Status, Thread,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{answer, finished, options, paused};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Message {
    id: u32,
    text: String,
    /// Tool and recipient.
    calls: Vec<(String, String)>,
}

/// Messages in order; one with a known id replaces the one that had it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mail(Vec<Message>);

impl State for Mail {
    type Update = Vec<Message>;

    fn apply(&mut self, messages: Vec<Message>) {
        for message in messages {
            match self.0.iter_mut().find(|known| known.id == message.id) {
                Some(known) => *known = message,
                None => self.0.push(message),
            }
        }
    }
}

impl Mail {
    fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|message| &*message.text).collect()
    }
}

/// The model's replies in order, and what was done.
struct Office {
    model: Mutex<VecDeque<Message>>,
    sent: Mutex<Vec<String>>,
}

impl Office {
    fn new(replies: impl IntoIterator<Item = Message>) -> Arc<Self> {
        Arc::new(Office {
            model: Mutex::new(replies.into_iter().collect()),
            sent: Mutex::default(),
        })
    }

    fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }
}

fn says(id: u32, text: &str) -> Message {
    Message {
        id,
        text: text.to_owned(),
        calls: Vec::new(),
    }
}

fn calls(id: u32, calls: &[(&str, &str)]) -> Message {
    let owned = |(tool, to): &(&str, &str)| ((*tool).to_owned(), (*to).to_owned());
    Message {
        id,
        text: "calls".to_owned(),
        calls: calls.iter().map(owned).collect(),
    }
}

/// The model proposes calls until it has only something to say. `asks` says how a
/// sensitive call is reviewed: by a question of the tools, or by a breakpoint before them.
fn graph(asks: bool) -> CompiledGraph<Mail, Office> {
    let graph = Graph::new()
        .node("agent", &["tools", END], |_, context| {
            async {
                let office: &Arc<Office> = context.context();
                let reply = office.model.lock().unwrap().pop_front();
                let reply = reply.expect("the model has a reply");
                let next = if reply.calls.is_empty() { END } else { "tools" };
                Ok(Command::new().update(vec![reply]).goto(next))
            }
            .boxed()
        })
        .node("tools", &[], move |mail: &Mail, context| {
            async move {
                let office: &Arc<Office> = context.context();
                let proposal = mail.0.last().expect("`tools` follows a message");
                let sensitive = proposal.calls.iter().any(|(tool, _)| tool == "send");
                let mut answers = Vec::new();
                for (tool, to) in &proposal.calls {
                    // One sensitive call sends the whole message to review.
                    answers.push(match sensitive && asks {
                        true => context.interrupt(json!({
                            "action": tool,
                            "args": { "to": to },
                            "message": format!("Run {tool} for {to}?"),
                        }))?,
                        false => json!({ "approved": true }),
                    });
                }
                // Every call has its answer: only now does anything happen.
                let mut results = Vec::new();
                for ((tool, to), answer) in proposal.calls.iter().zip(answers) {
                    let text = match answer["approved"] == Value::Bool(true) {
                        true => {
                            office.sent.lock().unwrap().push(format!("{tool} {to}"));
                            format!("{tool} done")
                        }
                        false => format!("{tool} rejected by the reviewer"),
                    };
                    let id = proposal.id + 1 + results.len() as u32;
                    results.push(says(id, &text));
                }
                Ok(Command::new().update(results))
            }
            .boxed()
        })
        .edge(START, "agent")
        .edge("tools", "agent");
    let graph = if asks {
        graph
    } else {
        graph.interrupt_before("tools")
    };
    graph.compile().unwrap()
}

/// Runs `thread` and answers every pause, until nothing comes next.
async fn approve_all(thread: &Thread<'_, Mail, Office>, office: &Arc<Office>) -> (Mail, u32) {
    let mut pauses = 0;
    let mut run = thread
        .start(Mail::default(), office.clone(), &options())
        .await;
    while !thread.get_state().await.unwrap().next.is_empty() {
        let pause = paused(run);
        pauses += 1;
        let resume = match pause.interrupts.is_empty() {
            true => Resume::Continue,
            false => answer(json!({ "approved": true })),
        };
        run = thread.resume(resume, office.clone(), &options()).await;
    }
    (finished(run), pauses)
}

#[tokio::test]
async fn an_approval_loop_ends_when_nothing_comes_next() {
    for asks in [true, false] {
        let replies = [
            calls(10, &[("send", "ana")]),
            calls(20, &[("send", "bo")]),
            says(30, "bye"),
        ];
        let office = Office::new(replies);
        let (graph, threads) = (graph(asks), MemoryCheckpointer::new());
        let (mail, pauses) = approve_all(&graph.thread(&threads, "t"), &office).await;
        assert_eq!(office.sent(), ["send ana", "send bo"]);
        assert_eq!(
            mail.texts(),
            ["calls", "send done", "calls", "send done", "bye"]
        );
        assert_eq!(pauses, 2);
    }
}

#[tokio::test]
async fn safe_tools_run_through_and_one_sensitive_call_sends_the_whole_message_to_review() {
    let replies = [
        calls(10, &[("look up", "ana")]),
        calls(20, &[("look up", "bo"), ("send", "bo")]),
        says(30, "bye"),
    ];
    let office = Office::new(replies);
    let (graph, threads) = (graph(true), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "t");
    let pause = paused(
        thread
            .start(Mail::default(), office.clone(), &options())
            .await,
    );
    assert_eq!(office.sent(), ["look up ana"]);
    assert_eq!(pause.interrupts[0].payload["action"], "look up");
    assert_eq!(pause.interrupts[0].payload["args"], json!({ "to": "bo" }));
}

#[tokio::test]
async fn a_question_carries_action_arguments_and_words_and_only_true_approves() {
    for (reply, sent) in [
        (json!({ "approved": true }), 1),
        (json!({ "approved": false }), 0),
        (json!({ "approved": "true" }), 0),
        (json!({ "approved": 1 }), 0),
        (json!({}), 0),
        (json!("yes"), 0),
    ] {
        let office = Office::new([calls(10, &[("send", "ana")]), says(20, "bye")]);
        let (graph, threads) = (graph(true), MemoryCheckpointer::new());
        let thread = graph.thread(&threads, "t");
        let pause = paused(
            thread
                .start(Mail::default(), office.clone(), &options())
                .await,
        );
        let payload = json!({
            "action": "send", "args": { "to": "ana" }, "message": "Run send for ana?",
        });
        assert_eq!(pause.interrupts[0].payload, payload);
        let run = thread
            .resume(answer(reply.clone()), office.clone(), &options())
            .await;
        let mail = finished(run);
        assert_eq!(office.sent().len(), sent, "{reply}");
        let result = ["send rejected by the reviewer", "send done"][sent];
        assert_eq!(mail.texts(), ["calls", result, "bye"]);
    }
}

#[tokio::test]
async fn a_rejected_call_does_not_keep_the_others_of_its_message_from_being_handled() {
    let office = Office::new([
        calls(10, &[("send", "ana"), ("send", "bo")]),
        says(20, "bye"),
    ]);
    let (graph, threads) = (graph(true), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "t");
    paused(
        thread
            .start(Mail::default(), office.clone(), &options())
            .await,
    );
    let no = answer(json!({ "approved": false }));
    paused(thread.resume(no, office.clone(), &options()).await);
    assert_eq!(office.sent(), [""; 0], "nothing between the questions");
    let yes = answer(json!({ "approved": true }));
    let mail = finished(thread.resume(yes, office.clone(), &options()).await);
    assert_eq!(office.sent(), ["send bo"]);
    let texts = ["calls", "send rejected by the reviewer", "send done", "bye"];
    assert_eq!(mail.texts(), texts);
}

#[tokio::test]
async fn an_edited_recipient_is_the_one_that_is_used() {
    for asks in [true, false] {
        let office = Office::new([calls(10, &[("send", "wrong")]), says(20, "bye")]);
        let (graph, threads) = (graph(asks), MemoryCheckpointer::new());
        let thread = graph.thread(&threads, "t");
        paused(
            thread
                .start(Mail::default(), office.clone(), &options())
                .await,
        );
        let edited = vec![calls(10, &[("send", "right")])];
        thread.update_state(edited, None).await.unwrap();
        let state = thread.get_state().await.unwrap();
        assert_eq!(state.values.0.len(), 1, "replaced, not added");
        let resume = match asks {
            true => answer(json!({ "approved": true })),
            false => Resume::Continue,
        };
        finished(thread.resume(resume, office.clone(), &options()).await);
        assert_eq!(office.sent(), ["send right"]);
    }
}

#[tokio::test]
async fn a_person_may_give_what_the_tool_would_have_found() {
    let office = Office::new([calls(10, &[("send", "ana")]), says(20, "thank you")]);
    let (graph, threads) = (graph(false), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "t");
    paused(
        thread
            .start(Mail::default(), office.clone(), &options())
            .await,
    );
    let result = vec![says(11, "I called her instead")];
    thread.update_state(result, Some("tools")).await.unwrap();
    let mail = finished(
        thread
            .resume(Resume::Continue, office.clone(), &options())
            .await,
    );
    assert_eq!(mail.texts(), ["calls", "I called her instead", "thank you"]);
    assert_eq!(office.sent(), [""; 0]);
}

#[tokio::test]
async fn a_rejection_may_be_a_message_in_the_tools_name_and_the_thread_ends() {
    let office = Office::new([calls(10, &[("send", "ana")]), says(20, "as you wish")]);
    let (graph, threads) = (graph(false), MemoryCheckpointer::new());
    let thread = graph.thread(&threads, "t");
    paused(
        thread
            .start(Mail::default(), office.clone(), &options())
            .await,
    );
    let cancelled = vec![says(11, "cancelled by the user")];
    thread.update_state(cancelled, Some("tools")).await.unwrap();
    let mail = finished(
        thread
            .resume(Resume::Continue, office.clone(), &options())
            .await,
    );
    assert_eq!(
        mail.texts(),
        ["calls", "cancelled by the user", "as you wish"]
    );
    assert_eq!(thread.get_state().await.unwrap().status, Status::Finished);
    assert_eq!(office.sent(), [""; 0]);
}

#[tokio::test]
async fn a_rejection_may_be_a_new_thread_that_leaves_the_old_one_as_it_is() {
    let office = Office::new([calls(10, &[("send", "ana")]), says(20, "started over")]);
    let (graph, threads) = (graph(false), MemoryCheckpointer::new());
    let old = graph.thread(&threads, "old");
    paused(old.start(Mail::default(), office.clone(), &options()).await);
    let before = old.get_state().await.unwrap();
    let new = graph.thread(&threads, "new");
    let mail = finished(new.start(Mail::default(), office.clone(), &options()).await);
    assert_eq!(mail.texts(), ["started over"]);
    assert_eq!(old.get_state().await.unwrap(), before);
    assert_eq!(office.sent(), [""; 0]);
}

#[tokio::test]
async fn yes_goes_on_and_anything_else_declines() {
    let graph = Graph::<Mail, ()>::new()
        .node("confirm", &["book", "decline"], |_, context| {
            async {
                let reply = context.interrupt(json!("Book the flight? (yes/no)"))?;
                let yes = reply
                    .as_str()
                    .is_some_and(|reply| reply.eq_ignore_ascii_case("yes"));
                Ok(Command::new().goto(if yes { "book" } else { "decline" }))
            }
            .boxed()
        })
        .node("book", &[], |_, _| {
            async { Ok(Command::new().update(vec![says(1, "booked")])) }.boxed()
        })
        .node("decline", &[], |_, _| {
            async { Ok(Command::new().update(vec![says(1, "declined")])) }.boxed()
        })
        .edge(START, "confirm")
        .compile()
        .unwrap();
    for (reply, said) in [
        (json!("yes"), "booked"),
        (json!("Yes"), "booked"),
        (json!("no"), "declined"),
        (json!("y"), "declined"),
        (json!(true), "declined"),
        (json!(null), "declined"),
    ] {
        let threads = MemoryCheckpointer::new();
        let thread = graph.thread(&threads, "t");
        paused(
            thread
                .start(Mail::default(), Arc::new(()), &options())
                .await,
        );
        let run = thread
            .resume(answer(reply.clone()), Arc::new(()), &options())
            .await;
        assert_eq!(finished(run).texts(), [said], "{reply}");
    }
}
