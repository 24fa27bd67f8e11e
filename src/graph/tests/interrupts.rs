use std::collections::BTreeMap;

use futures_util::future::join;

use super::*;

fn one(
    run: impl for<'a> Fn(&'a Log, &'a Context) -> Result<'a> + Send + Sync + 'static,
) -> Fixture {
    Fixture::new(Graph::new().node("a", &[], run).edge(START, "a"))
}

/// `a` and `b` ask at the same time as `c` speaks; `d` follows.
fn parallel() -> Fixture {
    let graph = Graph::new()
        .node("a", &[], ask)
        .node("b", &[], ask)
        .node("c", &[], say)
        .node("d", &[], say);
    let edges = |graph: Graph<Log, Effects>, node| graph.edge(START, node).edge(node, "d");
    Fixture::new(["a", "b", "c"].into_iter().fold(graph, edges))
}

fn ids(pause: &Pause<Log>) -> Vec<String> {
    pause
        .interrupts
        .iter()
        .map(|pending| pending.id.clone())
        .collect()
}

#[tokio::test]
async fn a_node_runs_again_from_its_first_line_and_acts_once() {
    let fixture = one(ask);
    let pause = paused(fixture.start().await);
    assert_eq!(pause.next, ["a"]);
    assert_eq!(pause.interrupts[0].node, "a");
    assert_eq!(fixture.effects.take(), ["a asks"]);
    assert_eq!(finished(fixture.answer("yes").await), ["a=\"yes\""]);
    assert_eq!(fixture.effects.take(), ["a asks", "a acts"]);
}

#[tokio::test]
async fn the_payload_arrives_unchanged() {
    let payload = json!({ "type": "expense", "amount": 500.0, "options": ["approve", "reject"] });
    let sent = payload.clone();
    let fixture = one(move |_, context| {
        let payload = sent.clone();
        async move {
            context.interrupt(payload)?;
            Ok(Command::new())
        }
        .boxed()
    });
    assert_eq!(paused(fixture.start().await).interrupts[0].payload, payload);
}

#[tokio::test]
async fn answers_are_handed_out_by_position() {
    let fixture = one(|_, context| {
        async {
            let first = context.interrupt(json!("first"))?;
            context.context().add("between");
            let second = context.interrupt(json!("second"))?;
            Ok(Command::new().update(format!("{first} {second}")))
        }
        .boxed()
    });
    let first = paused(fixture.start().await);
    assert_eq!(first.interrupts[0].payload, "first");
    let second = paused(fixture.answer(1).await);
    assert_eq!(second.interrupts[0].payload, "second");
    assert_eq!(second.interrupts[0].position, 1);
    assert_ne!(ids(&first), ids(&second));
    assert_eq!(finished(fixture.answer(2).await), ["1 2"]);
    assert_eq!(fixture.effects.take(), ["between", "between"]);
}

#[tokio::test]
async fn a_condition_decides_whether_to_ask() {
    for (amount, asks) in [(50, false), (100, false), (500, true)] {
        let fixture = one(move |_, context| {
            async move {
                let note = if amount > 100 {
                    context.interrupt(json!({ "amount": amount }))?.to_string()
                } else {
                    "auto-approved".to_owned()
                };
                Ok(Command::new().update(note))
            }
            .boxed()
        });
        let run = fixture.start().await.unwrap();
        assert_eq!(matches!(run, Progress::Paused(_)), asks, "{amount}");
    }
}

#[tokio::test]
async fn several_questions_need_answers_by_id() {
    let fixture = parallel();
    let pause = paused(fixture.start().await);
    let asked: Vec<_> = pause.interrupts.iter().map(|asked| &*asked.node).collect();
    assert_eq!(asked, ["a", "b"]);
    assert_eq!(pause.state, Log::default(), "c's update waits for the step");
    let ids = ids(&pause);
    let length = fixture.history_length().await;

    let (error, _) = failed(fixture.answer("which?").await);
    let RunError::AnswerIdsRequired { thread, pending } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((thread.as_str(), pending), ("t", &ids));
    let (error, _) = failed(fixture.resume(Resume::Answers(BTreeMap::new())).await);
    assert!(matches!(error, RunError::AnswerIdsRequired { .. }));
    let stray = BTreeMap::from([(ids[0].clone(), json!(1)), ("0".to_owned(), json!(2))]);
    let (error, _) = failed(fixture.resume(Resume::Answers(stray)).await);
    assert_eq!(
        error.to_string(),
        format!(
            "thread `t` has no pending interrupt `0`; pending: {}",
            ids.join(", ")
        )
    );
    assert_eq!(
        fixture.history_length().await,
        length,
        "a refusal changes nothing"
    );

    let answers = BTreeMap::from([(ids[1].clone(), json!("B")), (ids[0].clone(), json!("A"))]);
    fixture.effects.take();
    let said = finished(fixture.resume(Resume::Answers(answers)).await);
    assert_eq!(said, ["a=\"A\"", "b=\"B\"", "c", "d"]);
    let effects = ["a asks", "a acts", "b asks", "b acts", "d"];
    assert_eq!(fixture.effects.take(), effects, "c does not run again");
}

#[tokio::test]
async fn questions_may_be_answered_one_at_a_time_in_any_order() {
    let fixture = parallel();
    let ids = ids(&paused(fixture.start().await));
    fixture.effects.take();
    let second = BTreeMap::from([(ids[1].clone(), json!("B"))]);
    let pause = paused(fixture.resume(Resume::Answers(second)).await);
    assert_eq!(self::ids(&pause), ids[..1]);
    assert_eq!(pause.next, ["a", "b", "c"]);
    assert_eq!(fixture.effects.take(), ["b asks", "b acts"]);
    // One is left, so its answer needs no id.
    let said = finished(fixture.answer("A").await);
    assert_eq!(said, ["a=\"A\"", "b=\"B\"", "c", "d"]);
    assert_eq!(fixture.effects.take(), ["a asks", "a acts", "d"]);
}

#[tokio::test]
async fn questions_asked_at_once_by_one_node_have_ids_of_their_own() {
    let fixture = one(|_, context| {
        async {
            let first = async { context.interrupt(json!(1)) };
            let second = async { context.interrupt(json!(2)) };
            let (first, second) = join(first, second).await;
            Ok(Command::new().update(format!("{} {}", first?, second?)))
        }
        .boxed()
    });
    let ids = ids(&paused(fixture.start().await));
    assert_ne!(ids[0], ids[1]);
    // With one of two answers the node cannot run, but the answer is kept.
    let second = BTreeMap::from([(ids[1].clone(), json!("B"))]);
    let pause = paused(fixture.resume(Resume::Answers(second)).await);
    assert_eq!(self::ids(&pause), ids[..1]);
    assert_eq!(finished(fixture.answer("A").await), ["\"A\" \"B\""]);
}

#[tokio::test]
async fn an_interrupt_that_is_swallowed_stops_the_node_all_the_same() {
    let fixture = one(|_, context| {
        async {
            let answer = context.interrupt(json!("?")).unwrap_or_default();
            Ok(Command::new().update(answer.to_string()))
        }
        .boxed()
    });
    assert_eq!(paused(fixture.start().await).state, Log::default());
    assert_eq!(finished(fixture.answer(1).await), ["1"]);
}

#[tokio::test]
async fn a_refused_answer_leaves_the_question_open() {
    let fixture = one(|_, context| {
        async {
            let name = context.interrupt_with(json!("who?"), |answer| {
                let name = answer.as_str().map(str::to_owned);
                name.ok_or_else(|| "a name is text".to_owned())
            })?;
            let age = context.interrupt_with(json!("how old?"), |answer| {
                answer
                    .as_u64()
                    .ok_or_else(|| "an age is a number".to_owned())
            })?;
            Ok(Command::new().update(format!("{name} {age}")))
        }
        .boxed()
    });
    let asked = paused(fixture.start().await);
    let (error, state) = failed(fixture.answer(5).await);
    let id = ids(&asked).remove(0);
    assert_eq!(
        error.to_string(),
        format!("node `a` does not take the answer to interrupt `{id}`: a name is text")
    );
    assert_eq!(state, Some(Log::default()));
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.status, Status::Interrupted);
    assert_eq!(state.interrupts, asked.interrupts);
    let stored = fixture.checkpointer.latest("t").await.unwrap().unwrap();
    assert!(
        stored.answers.values().all(BTreeMap::is_empty),
        "it is no answer"
    );

    paused(fixture.answer("Ana").await);
    failed(fixture.answer("old").await);
    assert_eq!(finished(fixture.answer(30).await), ["Ana 30"]);
}

#[tokio::test]
async fn a_refused_answer_does_not_take_others_with_it() {
    let fixture = one(|_, context| {
        async {
            let number = |question| {
                context.interrupt_with(json!(question), |answer| {
                    answer.as_u64().ok_or_else(|| "not a number".to_owned())
                })
            };
            let (first, second) = (number("first"), number("second"));
            Ok(Command::new().update(format!("{} {}", first?, second?)))
        }
        .boxed()
    });
    let ids = ids(&paused(fixture.start().await));
    let answers = BTreeMap::from([(ids[0].clone(), json!("?")), (ids[1].clone(), json!(2))]);
    let (error, _) = failed(fixture.resume(Resume::Answers(answers)).await);
    assert!(matches!(error, RunError::AnswerRefused { id, .. } if id == ids[0]));
    assert_eq!(finished(fixture.answer(1).await), ["1 2"]);
}

#[tokio::test]
async fn continuing_without_an_answer_keeps_waiting_and_runs_nothing() {
    let fixture = one(ask);
    let asked = paused(fixture.start().await);
    fixture.effects.take();
    assert_eq!(paused(fixture.resume(Resume::Continue).await), asked);
    assert_eq!(fixture.effects.take(), [""; 0]);
}

#[tokio::test]
async fn ids_follow_from_thread_step_node_and_position() {
    let (one_run, other_run) = (parallel(), parallel());
    let first = paused(one_run.start().await);
    assert_eq!(first, paused(other_run.start().await));
    let ids = ids(&first);
    assert_ne!(ids[0], ids[1], "another node");
    let thread = one_run.graph.thread(&one_run.checkpointer, "u");
    let other = thread.start(Log::default(), Arc::default(), &OPTIONS).await;
    assert_ne!(self::ids(&paused(other)), ids, "another thread");

    let graph = Graph::new()
        .node("a", &[], ask)
        .edge(START, "a")
        .edge("a", "a");
    let looping = Fixture::new(graph);
    let first = paused(looping.start().await);
    let second = paused(looping.answer(1).await);
    assert_ne!(self::ids(&first), self::ids(&second), "another step");
}

#[tokio::test]
async fn a_node_that_fails_after_its_answer_is_tried_again_with_it() {
    let fixture = one(|_, context| {
        async {
            let answer = context.interrupt(json!("?"))?;
            let context = context.context();
            context.add("tried");
            if context.0.lock().unwrap().len() < 2 {
                return Err(NodeError::message("connection lost"));
            }
            Ok(Command::new().update(answer.to_string()))
        }
        .boxed()
    });
    paused(fixture.start().await);
    let (error, state) = failed(fixture.answer("yes").await);
    assert!(matches!(error, RunError::Node { .. }));
    assert_eq!(state, Some(Log::default()));
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.status, Status::Failed);
    assert_eq!(
        state.failure.as_deref(),
        Some("node `a` failed: connection lost")
    );
    assert_eq!(state.next, ["a"]);
    assert_eq!(
        finished(fixture.resume(Resume::Continue).await),
        ["\"yes\""]
    );
}

#[tokio::test]
async fn a_question_stays_open_when_a_neighbour_fails() {
    let graph = Graph::new()
        .node("a", &[], ask)
        .node("flaky", &[], |_, context| {
            async {
                let effects = context.context().0.lock().unwrap().clone();
                context.context().add("flaky runs");
                match effects.contains(&"flaky runs".to_owned()) {
                    true => Ok(Command::new().update("flaky".to_owned())),
                    false => Err(NodeError::message("connection lost")),
                }
            }
            .boxed()
        })
        .node("c", &[], say)
        .edge(START, "a")
        .edge(START, "flaky")
        .edge(START, "c");
    let fixture = Fixture::new(graph);
    failed(fixture.start().await);
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!((state.status, state.interrupts.len()), (Status::Failed, 1));
    let pause = paused(fixture.resume(Resume::Continue).await);
    assert_eq!(pause.interrupts, state.interrupts);
    assert_eq!(finished(fixture.answer(1).await), ["a=1", "flaky", "c"]);
    let effects = fixture.effects.take();
    let count = |effect: &str| effects.iter().filter(|done| *done == effect).count();
    assert_eq!(
        (count("a asks"), count("flaky runs"), count("c")),
        (2, 2, 1)
    );
}

#[tokio::test]
async fn events_stream_up_to_the_interrupt_and_on_from_there() {
    let graph = Graph::new()
        .node("a", &[], say)
        .node("b", &[], ask)
        .edge(START, "a")
        .edge("a", "b");
    let fixture = Fixture::new(graph);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let seen = seen.clone();
        Arc::new(move |event| {
            seen.lock()
                .unwrap()
                .push(serde_json::to_string(&event).unwrap())
        })
    };
    let options = RunOptions::new(25).events(sink);
    let thread = fixture.thread();
    let run = thread
        .start(Log::default(), fixture.effects.clone(), &options)
        .await;
    let id = ids(&paused(run)).remove(0);
    let take = || {
        std::mem::take(&mut *seen.lock().unwrap())
            .join("\n")
            .replace(&id, "ID")
    };
    insta::assert_snapshot!(take(), @r#"
    {"started":{"step":0,"node":"a"}}
    {"updated":{"step":0,"node":"a","update":"a"}}
    {"started":{"step":1,"node":"b"}}
    {"interrupted":{"step":1,"interrupt":{"id":"ID","node":"b","position":0,"payload":"b"}}}
    "#);
    let answer = Resume::Answer(json!(true));
    finished(
        thread
            .resume(answer, fixture.effects.clone(), &options)
            .await,
    );
    insta::assert_snapshot!(take(), @r#"
    {"started":{"step":1,"node":"b"}}
    {"updated":{"step":1,"node":"b","update":"b=true"}}
    {"finished":{"step":2}}
    "#);
}

#[tokio::test]
async fn a_question_inside_a_subgraph_is_answered_there() {
    let inner = Graph::new().node("a", &[], ask).edge(START, "a");
    let graph = Graph::new()
        .subgraph("inner", inner)
        .node("last", &[], say)
        .edge(START, "inner")
        .edge("inner", "last");
    let fixture = Fixture::new(graph);
    let pause = paused(fixture.start().await);
    assert_eq!(pause.next, ["inner/a"]);
    assert_eq!(pause.interrupts[0].node, "inner/a");
    assert_eq!(finished(fixture.answer(1).await), ["inner/a=1", "last"]);
}
