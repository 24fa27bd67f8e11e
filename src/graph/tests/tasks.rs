use std::collections::BTreeSet;
use std::future::pending;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{join, select};
use futures_util::poll;

use super::checkpoint::Cause;
use super::*;

/// A node `a` that runs after nothing and leads nowhere.
fn one(
    run: impl for<'a> Fn(&'a Log, &'a Context) -> Result<'a> + Send + Sync + 'static,
) -> Fixture {
    Fixture::new(Graph::new().node("a", &[], run).edge(START, "a"))
}

/// Runs `run` until nothing in it moves any more, and drops it where it stands.
async fn die(run: impl Future<Output = Run> + Send) {
    let mut run = run.boxed();
    for _ in 0..50 {
        assert!(poll!(&mut run).is_pending(), "it was to hang");
        tokio::task::yield_now().await;
    }
}

async fn causes(fixture: &Fixture) -> Vec<Cause> {
    let history = fixture.thread().history().await.unwrap();
    history.into_iter().map(|moment| moment.cause).collect()
}

#[tokio::test]
async fn a_task_that_is_done_does_not_run_again_and_has_the_same_result() {
    let drawn = AtomicU32::new(7);
    let fixture = one(move |_, context| {
        let drawn = drawn.fetch_add(1, Ordering::Relaxed);
        async move {
            let order: (u32, f64) = context
                .task(Task::new("order"), |_| async move {
                    context.context().add("order");
                    Ok((drawn, 0.1 + 0.2))
                })
                .await?;
            context.interrupt(json!({ "order": order }))?;
            Ok(Command::new().update(format!("{order:?}")))
        }
        .boxed()
    });
    let pause = paused(fixture.start().await);
    assert_eq!(
        pause.interrupts[0].payload,
        json!({ "order": [7, 0.1 + 0.2] })
    );
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.tasks[0].task, "order");
    assert_eq!(state.tasks[0].result, Some(json!([7, 0.1 + 0.2])));
    assert_eq!(
        finished(fixture.answer(true).await),
        ["(7, 0.30000000000000004)"]
    );
    assert_eq!(fixture.effects.take(), ["order"]);
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.tasks, [], "the node is done");
}

#[tokio::test]
async fn a_task_is_recorded_before_it_runs_and_its_result_before_it_is_used() {
    let fixture = one(|_, context| {
        async {
            let result: u32 = context.task(Task::new("t"), |_| async { Ok(1) }).await?;
            Ok(Command::new().update(result.to_string()))
        }
        .boxed()
    });
    finished(fixture.start().await);
    let (node, task) = ("a".to_owned(), "t".to_owned());
    let expected = [
        Cause::Started,
        Cause::TaskStarted {
            node: node.clone(),
            task: task.clone(),
        },
        Cause::TaskDone { node, task },
        Cause::Stepped,
    ];
    assert_eq!(causes(&fixture).await, expected);
}

/// Charges under `key`, and hangs the first time after it has charged.
fn charging(key: Option<&'static str>) -> Fixture {
    let runs = Arc::new(AtomicU32::new(0));
    one(move |_, context| {
        let runs = runs.clone();
        async move {
            let mut task = Task::new("charge");
            if let Some(key) = key {
                // A key drawn anew: the one that counts is the first.
                task = task.key(format!("{key}-{}", runs.load(Ordering::Relaxed)));
            }
            let receipt: String = context
                .task(task, |task| {
                    let run = runs.fetch_add(1, Ordering::Relaxed);
                    async move {
                        let key = task.key.unwrap_or_default();
                        context.context().add(format!("charged {key}"));
                        if run == 0 {
                            pending::<()>().await;
                        }
                        Ok(format!("receipt {key}"))
                    }
                })
                .await?;
            Ok(Command::new().update(receipt))
        }
        .boxed()
    })
}

#[tokio::test]
async fn a_task_that_had_started_when_its_process_died_runs_again_under_the_same_key() {
    let fixture = charging(Some("order-17"));
    die(fixture.start()).await;
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!((state.status, state.tasks.len()), (Status::Running, 1));
    assert_eq!(state.tasks[0].key.as_deref(), Some("order-17-0"));
    let said = finished(fixture.resume(Resume::Continue).await);
    assert_eq!(said, ["receipt order-17-0"]);
    let effects = ["charged order-17-0", "charged order-17-0"];
    assert_eq!(fixture.effects.take(), effects);
}

#[tokio::test]
async fn without_a_key_its_outcome_is_unknown_and_nothing_is_tried() {
    let fixture = charging(None);
    die(fixture.start()).await;
    for _ in 0..2 {
        let (error, state) = failed(fixture.resume(Resume::Continue).await);
        assert_eq!(state, Some(Log::default()));
        assert_eq!(
            error.to_string(),
            "outcome unknown: task `charge` of node `a` on thread `t` had started when its run ended, and may or may not have taken effect; find out, settle it as done or not done, and resume (a task with an idempotency key runs again by itself)"
        );
        assert!(matches!(error, RunError::OutcomeUnknown { .. }));
    }
    assert_eq!(fixture.effects.take(), ["charged "]);
    let state = fixture.thread().get_state().await.unwrap();
    assert_eq!(state.status, Status::Failed);
}

#[tokio::test]
async fn a_task_of_unknown_outcome_goes_on_as_a_person_settles_it() {
    for (outcome, said, effects) in [
        (
            TaskOutcome::Done(json!("found in the books")),
            "found in the books",
            1,
        ),
        (TaskOutcome::NotDone, "receipt ", 2),
    ] {
        let fixture = charging(None);
        die(fixture.start()).await;
        failed(fixture.resume(Resume::Continue).await);
        let thread = fixture.thread();
        thread
            .settle_task("a", "charge", outcome.clone())
            .await
            .unwrap();
        let state = thread.get_state().await.unwrap();
        assert!(
            state
                .failure
                .is_some_and(|failure| failure.contains("outcome unknown"))
        );
        let twice = thread
            .settle_task("a", "charge", outcome)
            .await
            .unwrap_err();
        insta::allow_duplicates!(
            insta::assert_snapshot!(twice, @"nothing to settle: thread `t` has no task `charge` of node `a` that started and was not done; look at the tasks of its state")
        );
        assert_eq!(finished(fixture.resume(Resume::Continue).await), [said]);
        assert_eq!(fixture.effects.take().len(), effects);
    }
    let error = charging(None)
        .thread()
        .settle_task("a", "charge", TaskOutcome::NotDone)
        .await;
    assert!(matches!(error, Err(RunError::UnknownThread { .. })));
}

#[tokio::test]
async fn an_unknown_outcome_that_is_swallowed_stops_the_run_all_the_same() {
    let hung = AtomicU32::new(0);
    let fixture = one(move |_, context| {
        let first = hung.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let outer = context
                .task(Task::new("outer").key("k"), move |_| async move {
                    let inner = context.task::<(), _>(Task::new("inner"), move |_| async move {
                        match first {
                            true => pending().await,
                            false => panic!("it runs again"),
                        }
                    });
                    Ok(inner.await.is_ok())
                })
                .await;
            Ok(Command::new().update(format!("{:?}", outer.is_ok())))
        }
        .boxed()
    });
    die(fixture.start()).await;
    let (error, _) = failed(fixture.resume(Resume::Continue).await);
    assert!(matches!(error, RunError::OutcomeUnknown { task, .. } if task == "outer/inner"));
    let thread = fixture.thread();
    let done = TaskOutcome::Done(json!(null));
    thread.settle_task("a", "outer/inner", done).await.unwrap();
    assert_eq!(finished(fixture.resume(Resume::Continue).await), ["true"]);
}

#[tokio::test]
async fn tasks_inside_tasks_keep_their_results_until_the_one_around_them_is_done() {
    let crashed = AtomicU32::new(0);
    let fixture = one(move |_, context| {
        let first = crashed.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let step = |name: &'static str| {
                context.task(Task::new("step"), move |_| async move {
                    context.context().add(name);
                    Ok(name.to_owned())
                })
            };
            let before: String = step("before").await?;
            let steps: Vec<String> = context
                .task(Task::new("order").key("k"), |_| async move {
                    let steps = vec![step("reserve").await?, step("pack").await?];
                    if first {
                        pending::<()>().await;
                    }
                    Ok(steps)
                })
                .await?;
            // Counted beside the task, whether that one ran or not.
            let after: String = step("after").await?;
            context.interrupt(json!("sure?"))?;
            Ok(Command::new().update(format!("{before} {} {after}", steps.join(" "))))
        }
        .boxed()
    });
    let tasks = async || {
        let state = fixture.thread().get_state().await.unwrap();
        let tasks: Vec<_> = state.tasks.into_iter().map(|task| task.task).collect();
        tasks
    };
    die(fixture.start()).await;
    assert_eq!(
        tasks().await,
        ["order", "order/step", "order/step#2", "step"]
    );
    paused(fixture.resume(Resume::Continue).await);
    assert_eq!(tasks().await, ["order", "step", "step#2"]);
    let said = finished(fixture.answer(true).await);
    assert_eq!(said, ["before reserve pack after"]);
    assert_eq!(
        fixture.effects.take(),
        ["before", "reserve", "pack", "after"]
    );
}

#[tokio::test]
async fn tasks_at_the_same_time_are_counted_as_they_were_called() {
    let fixture = one(|_, context| {
        async move {
            let task = |name: &'static str, rests| {
                context.task(Task::new("t"), move |_| async move {
                    for _ in 0..rests {
                        tokio::task::yield_now().await;
                    }
                    context.context().add(name);
                    Ok(name.to_owned())
                })
            };
            let (slow, fast) = (task("slow", 5), task("fast", 0));
            // The second is polled first.
            let (fast, slow): (
                std::result::Result<String, _>,
                std::result::Result<String, _>,
            ) = join(fast, slow).await;
            let (fast, slow) = (fast?, slow?);
            context.interrupt(json!(null))?;
            Ok(Command::new().update(format!("{slow} {fast}")))
        }
        .boxed()
    });
    paused(fixture.start().await);
    assert_eq!(finished(fixture.answer(1).await), ["slow fast"]);
    assert_eq!(fixture.effects.take(), ["fast", "slow"]);
}

#[tokio::test]
async fn nodes_of_one_step_have_tasks_of_their_own() {
    fn pay<'a>(_: &'a Log, context: &'a Context) -> Result<'a> {
        async {
            let paid: String = context
                .task(Task::new("pay"), |_| async {
                    tokio::task::yield_now().await;
                    context.context().add(context.node());
                    Ok(context.node().to_owned())
                })
                .await?;
            context.interrupt(json!(paid))?;
            Ok(Command::new().update(paid))
        }
        .boxed()
    }
    let graph = Graph::new()
        .node("a", &[], pay)
        .node("b", &[], pay)
        .edge(START, "a")
        .edge(START, "b");
    let fixture = Fixture::new(graph);
    let pause = paused(fixture.start().await);
    let answers = pause
        .interrupts
        .iter()
        .map(|asked| (asked.id.clone(), json!(1)));
    let said = finished(fixture.resume(Resume::Answers(answers.collect())).await);
    assert_eq!(said, ["a", "b"]);
    assert_eq!(fixture.effects.take(), ["a", "b"]);
}

#[tokio::test]
async fn several_threads_have_tasks_of_their_own() {
    let fixture = one(|_, context| {
        async move {
            let thread = context.thread().unwrap_or("none").to_owned();
            let id: String = context
                .task(Task::new("t"), |_| {
                    let thread = thread.clone();
                    async move {
                        tokio::task::yield_now().await;
                        context.context().add(thread.as_str());
                        Ok(thread)
                    }
                })
                .await?;
            context.interrupt(json!(id))?;
            Ok(Command::new().update(id))
        }
        .boxed()
    });
    let runs = ["x", "y", "z"].map(|id| {
        let thread = fixture.graph.thread(&fixture.checkpointer, id);
        let effects = fixture.effects.clone();
        async move {
            paused(
                thread
                    .start(Log::default(), effects.clone(), &OPTIONS)
                    .await,
            );
            let answer = Resume::Answer(json!(1));
            assert_eq!(
                finished(thread.resume(answer, effects, &OPTIONS).await),
                [id]
            );
        }
    });
    futures_util::future::join_all(runs).await;
    let effects: BTreeSet<_> = fixture.effects.take().into_iter().collect();
    assert_eq!(effects, ["x", "y", "z"].map(str::to_owned).into());
}

#[tokio::test]
async fn without_a_checkpointer_a_task_simply_runs() {
    let fixture = one(|_, context| {
        async move {
            let done: u32 = context
                .task(Task::new("t").key("k"), |task| async move {
                    context.context().add(task.key.unwrap());
                    Ok(task.attempt)
                })
                .await?;
            Ok(Command::new().update(done.to_string()))
        }
        .boxed()
    });
    assert_eq!(fixture.run().await.unwrap(), log(&["1"]));
    assert_eq!(fixture.effects.take(), ["k"]);
}

/// Charges, then fails to send the receipt so many times.
fn paying(failures: u32, of_task: bool) -> Graph<Log, Effects> {
    let sent = Arc::new(AtomicU32::new(0));
    let policy = RetryPolicy {
        jitter: false,
        ..RetryPolicy::default()
    };
    let retry = policy.clone();
    let graph = Graph::new().node("a", &[], move |_, context: &Context| {
        let sent = sent.clone();
        let policy = retry.clone();
        async move {
            let charge = Task::new("charge");
            let charge = context.task(charge, |_| async {
                context.context().add("charge");
                Ok(17)
            });
            let charge: u32 = charge.await?;
            let mut send = Task::new("send");
            if of_task {
                send = send.retry(policy);
            }
            let send = context.task(send, |task| {
                let sent = sent.clone();
                async move {
                    context.context().add(format!("send {}", task.attempt));
                    match sent.fetch_add(1, Ordering::Relaxed) < failures {
                        true => Err(Fault::Http(503).into()),
                        false => Ok(()),
                    }
                }
            });
            send.await?;
            Ok(Command::new().update(charge.to_string()))
        }
        .boxed()
    });
    let graph = graph.edge(START, "a");
    match of_task {
        true => graph,
        false => graph.retry("a", policy),
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_tried_again_by_its_own_policy() {
    let fixture = Fixture::new(paying(2, true));
    let begin = tokio::time::Instant::now();
    assert_eq!(finished(fixture.start().await), ["17"]);
    assert_eq!(begin.elapsed(), Duration::from_millis(1500));
    assert_eq!(
        fixture.effects.take(),
        ["charge", "send 1", "send 2", "send 3"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_tried_again_does_not_repeat_the_tasks_that_are_done() {
    let fixture = Fixture::new(paying(2, false));
    assert_eq!(finished(fixture.start().await), ["17"]);
    assert_eq!(
        fixture.effects.take(),
        ["charge", "send 1", "send 1", "send 1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_failed_has_no_unknown_outcome_and_runs_again_on_resume() {
    for of_task in [true, false] {
        let fixture = Fixture::new(paying(3, of_task));
        let (error, _) = failed(fixture.start().await);
        assert!(matches!(error, RunError::Node { .. }), "{error:?}");
        assert_eq!(fixture.effects.take().len(), 4);
        let failures = causes(&fixture).await.into_iter();
        let failures = failures.filter(
            |cause| matches!(cause, Cause::TaskFailed { error, .. } if error.contains("503")),
        );
        assert_eq!(failures.count(), if of_task { 1 } else { 3 });
        assert_eq!(finished(fixture.resume(Resume::Continue).await), ["17"]);
        assert_eq!(fixture.effects.take(), ["send 1"]);
    }
}

#[tokio::test]
async fn a_task_dropped_half_way_is_not_started_again_by_a_retry() {
    let graph = Graph::new()
        .node("a", &[], |_, context: &Context| {
            async {
                let hangs = context.task(Task::new("t"), |_| async {
                    context.context().add("t");
                    pending::<()>().await;
                    Ok(())
                });
                let rest = async {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                };
                select(hangs.boxed(), rest.boxed()).await;
                Err(NodeError::message("gave up"))
            }
            .boxed()
        })
        .edge(START, "a")
        .retry(
            "a",
            RetryPolicy {
                initial_interval: Duration::ZERO,
                jitter: false,
                max_attempts: NonZeroU32::new(5).unwrap(),
                ..RetryPolicy::default()
            },
        );
    let fixture = Fixture::new(graph);
    let (error, _) = failed(fixture.start().await);
    assert!(
        matches!(error, RunError::OutcomeUnknown { .. }),
        "{error:?}"
    );
    assert_eq!(fixture.effects.take(), ["t"]);
}

#[tokio::test]
async fn of_two_runs_of_a_thread_the_second_starts_no_task() {
    let fixture = one(|_, context| {
        async {
            context.interrupt(json!("?"))?;
            tokio::task::yield_now().await;
            let t = context.task(Task::new("t"), |_| async {
                context.context().add("t");
                Ok(())
            });
            t.await?;
            Ok(Command::new())
        }
        .boxed()
    });
    paused(fixture.start().await);
    let (first, second) = join(fixture.answer(1), async {
        // The first has taken the answer; somebody thinks its process dead.
        fixture.resume(Resume::Continue).await
    })
    .await;
    let (error, _) = failed(first);
    let conflict = matches!(
        error,
        RunError::Checkpoint(CheckpointError::Conflict { .. })
    );
    assert!(conflict, "{error:?}");
    finished(second);
    assert_eq!(fixture.effects.take(), ["t"]);
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_a_task_is_told_once() {
    type Mistake = for<'a> fn(&'a Log, &'a Context) -> Result<'a>;
    let mistakes: [(Mistake, &str); 4] = [
        (
            |_, context| {
                async {
                    let t = context.task::<(), _>(Task::new("a/b"), |_| async { Ok(()) });
                    t.await?;
                    Ok(Command::new())
                }
                .boxed()
            },
            "`a/b` cannot be a task's name: names are not empty, and hold neither `/` nor `#`",
        ),
        (
            |_, context| {
                async {
                    let ask =
                        context.task(Task::new("t"), |_| async { context.interrupt(json!("?")) });
                    ask.await?;
                    Ok(Command::new())
                }
                .boxed()
            },
            "task `t` asks a person; interrupt the node before or after the task",
        ),
        (
            |_, context| {
                async {
                    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
                    let t = context.task(Task::new("t"), |_| async { Ok(map.clone()) });
                    t.await?;
                    Ok(Command::new())
                }
                .boxed()
            },
            "the result of task `t` cannot be stored",
        ),
        (
            |_, context| {
                async {
                    let t = context.task(Task::new("t"), |_| async { Ok(f64::NAN) });
                    t.await?;
                    Ok(Command::new())
                }
                .boxed()
            },
            "the stored result of task `t` does not fit its type",
        ),
    ];
    for (mistake, told) in mistakes {
        let graph = Graph::new().node("a", &[], mistake).edge(START, "a");
        let fixture = Fixture::new(graph.retry("a", RetryPolicy::default()));
        let begin = tokio::time::Instant::now();
        let (error, _) = failed(fixture.start().await);
        let cause = std::error::Error::source(&error).expect("a node failed");
        assert_eq!(cause.to_string(), told);
        assert_eq!(begin.elapsed(), Duration::ZERO, "{told}");
    }
}
