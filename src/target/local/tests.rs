use jiff::civil::date;
use serde_json::{Map, json};

use super::*;
use crate::agent::prompts::Preferences;
use crate::agent::steps::{self, Turn};
use crate::agent::{AgentKind, Background, Behaviour, Models, Settings};
use crate::email::Triage;
use crate::graph::{Command, END, Graph, NodeError, START};
use crate::message::Message;
use crate::model::scripted::{Scripted, call, calls, decision, text};
use crate::model::{Model, ModelError, Reply, Request};
use crate::run::{Allowed, Interrupt, ModelRole, Response, Step};
use crate::target::Paused;

fn email() -> Email {
    Email {
        from: "Ana Ruiz <ana@northwind.example>".into(),
        to: "Sam Lee <sam@acme.example>".into(),
        subject: "Invoice 1042".into(),
        body: "Was invoice 1042 paid?".into(),
        date: None,
    }
}

fn start() -> Start {
    Start {
        thread: "t".into(),
        until: Until::End,
        timeout: Duration::from_secs(10),
        max_steps: 25,
        store: None,
        restart: false,
        origin: Default::default(),
    }
}

fn settings() -> Settings {
    Settings {
        date: date(2026, 3, 2),
        seed: 0,
        preferences: Preferences::default(),
        behaviour: Default::default(),
    }
}

fn agent(kind: AgentKind, model: Arc<dyn Model>) -> Agent {
    Agent::new(kind, Models::one(model), settings())
}

fn replies() -> [Reply; 3] {
    let mail = json!({ "to": "ana@northwind.example", "subject": "Re", "content": "Yes." });
    [
        decision(Triage::Respond, "She asks."),
        call("write_email", mail),
        call("done", json!({ "done": true })),
    ]
}

fn finished(progress: Progress) -> Run {
    match progress {
        Progress::Finished(run) => run,
        Progress::Paused(paused) => panic!("paused at {:?}", paused.interrupt()),
    }
}

fn paused(progress: Progress) -> Box<dyn Paused> {
    match progress {
        Progress::Paused(paused) => paused,
        Progress::Finished(run) => panic!("finished: {run:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_tells_what_it_took() {
    let mut answers = replies();
    for (index, reply) in answers.iter_mut().enumerate() {
        reply.usage.input_tokens = 100 * (index as u64 + 1);
        reply.usage.output_tokens = 7;
    }
    let model = Scripted::new(answers).slow(Duration::from_millis(1500));
    let target = Local::new(agent(AgentKind::Workflow, Arc::new(model)));
    let run = finished(target.start(start(), &email()).await);
    assert_eq!(run.outcome, Outcome::Finished);
    insta::assert_json_snapshot!(run.usage, @r#"
    {
      "agent": {
        "calls": 2,
        "input_tokens": 500,
        "output_tokens": 14,
        "cached_input_tokens": 0,
        "cost_usd": null
      },
      "router": {
        "calls": 1,
        "input_tokens": 100,
        "output_tokens": 7,
        "cached_input_tokens": 0,
        "cost_usd": null
      }
    }
    "#);
    // Three calls, on a clock that moves only while a model is waited for and ticks in
    // milliseconds.
    assert!(
        (4500.0..4510.0).contains(&run.latency_ms),
        "{}",
        run.latency_ms
    );
    assert_eq!(run.prompts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_late_keeps_what_it_did() {
    let model = Scripted::new(replies()).slow(Duration::from_secs(4));
    let target = Local::new(agent(AgentKind::Workflow, Arc::new(model)));
    let run = finished(target.start(start(), &email()).await);
    assert_eq!(run.outcome, Outcome::Timeout);
    insta::assert_snapshot!(run.error.as_deref().unwrap(), @"the time limit of 10s passed in `respond`");
    assert_eq!(run.triage, Some(Triage::Respond));
    assert_eq!(run.usage.calls(), 2);
    assert_eq!(run.messages.len(), 3, "request, call, answer");
    assert!(
        (10_000.0..10_010.0).contains(&run.latency_ms),
        "{}",
        run.latency_ms
    );

    let none = Start {
        timeout: Duration::ZERO,
        ..start()
    };
    let run = finished(target.start(none, &email()).await);
    assert_eq!((run.outcome, run.usage.calls()), (Outcome::Timeout, 0));
    insta::assert_snapshot!(run.reasoning.unwrap(), @"no decision was reached: the time limit of 0ns passed in `triage`");
}

#[tokio::test]
async fn the_longest_timeout_is_none() {
    let model = Scripted::new(replies());
    let target = Local::new(agent(AgentKind::Workflow, Arc::new(model)));
    let endless = Start {
        timeout: Duration::MAX,
        ..start()
    };
    let run = finished(target.start(endless, &email()).await);
    assert_eq!(run.outcome, Outcome::Finished);
}

/// An agent that asks before it runs a call, made of the public steps.
fn asking(model: Arc<dyn Model>) -> Local {
    let graph = Graph::new()
        .node("triage", &[END], steps::triage)
        .node("respond", &[END], steps::respond)
        .node("ask", &[END], |state, node| {
            Box::pin(async move {
                let mut turn = Turn::new(state, node);
                for call in state.last_calls() {
                    let interrupt = Interrupt {
                        id: String::new(),
                        action: call.name.clone(),
                        args: call.arguments.as_object().cloned().unwrap_or_default(),
                        allowed: Allowed {
                            accept: true,
                            respond: true,
                            ..Allowed::default()
                        },
                        description: None,
                    };
                    match turn.ask_person(interrupt, Ok)?.response {
                        Response::Accept => turn.run(call).await?,
                        Response::Respond(text) => {
                            turn.say(Message::user(turn.next_id(), text));
                        }
                        other => return Err(NodeError::message(format!("{other:?}"))),
                    }
                }
                let done = state.last_calls().iter().any(|call| call.is("done"));
                Ok(if done { turn.end() } else { turn.go_on() })
            })
        })
        .edge(START, "triage")
        .edge("triage", "respond")
        .edge("respond", "ask")
        .edge("ask", "respond");
    with_graph(agent(AgentKind::Workflow, model), graph)
}

fn with_graph(agent: Agent, graph: Graph<AgentState, Attempt>) -> Local {
    Local {
        agent: Arc::new(agent),
        graph: Arc::new(graph.compile().unwrap()),
        pauses: true,
        lasting: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_waits_for_the_person_without_counting_the_time() {
    let model = Arc::new(Scripted::new(replies()).slow(Duration::from_secs(3)));
    let target = asking(Arc::clone(&model) as Arc<dyn Model>);
    let pause = paused(target.start(start(), &email()).await);
    assert_eq!(pause.interrupt().action, "write_email");
    assert_eq!(pause.interrupt().args["to"], "ana@northwind.example");
    assert_eq!(pause.interrupt().id.len(), 32);
    assert_eq!(model.requests().len(), 2);

    let id = pause.interrupt().id.clone();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let pause = paused(pause.resume(Response::Accept, "Sam").await);
    assert_eq!(pause.interrupt().action, "done");
    let run = finished(pause.resume(Response::Accept, "accept-all").await);
    assert_eq!(run.outcome, Outcome::Finished);
    assert!(
        (9_000.0..9_010.0).contains(&run.latency_ms),
        "{}",
        run.latency_ms
    );
    let asked: Vec<_> = run
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Interrupt {
                interrupt,
                response,
                answered_by,
                ..
            } => Some((&*interrupt.action, response.kind(), &**answered_by)),
            _ => None,
        })
        .collect();
    assert_eq!(
        asked,
        [
            ("write_email", "accept", "Sam"),
            ("done", "accept", "accept-all")
        ]
    );
    assert!(
        run.steps.iter().any(|step| {
            matches!(step, Step::Interrupt { interrupt, .. } if interrupt.id == id)
        })
    );
}

#[tokio::test]
async fn several_calls_of_a_message_are_asked_about_one_after_the_other() {
    let both = calls([
        ("done", json!({ "done": true })),
        ("done", json!({ "done": true })),
    ]);
    let model = Scripted::new([decision(Triage::Respond, "."), both]);
    let target = asking(Arc::new(model));
    let pause = paused(target.start(start(), &email()).await);
    let first = pause.interrupt().id.clone();
    let pause = paused(pause.resume(Response::Accept, "Sam").await);
    assert_ne!(pause.interrupt().id, first);
    let run = finished(pause.resume(Response::Accept, "Sam").await);
    assert_eq!(run.outcome, Outcome::Finished);
    let tools = run
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Tool { .. }));
    assert_eq!(tools.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_spans_pauses() {
    let model = Scripted::new(replies()).slow(Duration::from_secs(4));
    let target = asking(Arc::new(model));
    let pause = paused(target.start(start(), &email()).await);
    let run = finished(pause.resume(Response::Accept, "Sam").await);
    assert_eq!(run.outcome, Outcome::Timeout);
    assert_eq!(run.usage.calls(), 2);
}

#[tokio::test]
async fn an_answer_that_is_not_allowed_is_not_the_agents_fault() {
    let target = asking(Arc::new(Scripted::new(replies())));
    let pause = paused(target.start(start(), &email()).await);
    let run = finished(pause.resume(Response::Edit(Map::new()), "Sam").await);
    assert_eq!(run.outcome, Outcome::Simulator);
    let error = run.error.as_deref().unwrap();
    assert!(
        error.contains("`edit` is not allowed; allowed: accept, respond"),
        "{error}"
    );
    assert_eq!(run.usage.calls(), 2, "what was done is kept");
}

#[tokio::test]
async fn an_abandoned_pause_is_recorded_as_far_as_it_came() {
    let target = asking(Arc::new(Scripted::new(replies())));
    let pause = paused(target.start(start(), &email()).await);
    let run = pause
        .abandon(Outcome::Cancelled, "stopped by the user".into())
        .await;
    assert_eq!(run.outcome, Outcome::Cancelled);
    assert_eq!(run.error.as_deref(), Some("stopped by the user"));
    assert_eq!((run.triage, run.usage.calls()), (Some(Triage::Respond), 2));
}

#[tokio::test]
async fn attempts_of_one_name_do_not_meet() {
    let twice: Vec<Reply> = replies()[..2]
        .iter()
        .chain(&replies()[..2])
        .cloned()
        .collect();
    let target = asking(Arc::new(Scripted::new(twice)));
    let one = paused(target.start(start(), &email()).await);
    let two = paused(target.start(start(), &email()).await);
    assert_eq!(one.interrupt(), two.interrupt());
}

#[tokio::test]
async fn defects_of_a_graph_are_not_the_agents_fault() {
    let failing = Graph::new()
        .node("broken", &[], |_, _| {
            Box::pin(async { Err(std::io::Error::other("no such thing").into()) })
        })
        .edge(START, "broken");
    let endless = Graph::new()
        .node("idle", &[], |_, _| Box::pin(async { Ok(Command::new()) }))
        .edge(START, "idle")
        .edge("idle", "idle");
    let odd = Graph::new()
        .node("odd", &[], |_, node| {
            Box::pin(async move { node.interrupt(json!("What?")).map(|_| Command::new()) })
        })
        .edge(START, "odd");
    let stopped = Graph::new()
        .node("idle", &[], |_, _| Box::pin(async { Ok(Command::new()) }))
        .edge(START, "idle")
        .interrupt_before("idle");
    let mut text = String::new();
    for graph in [failing, endless, odd, stopped] {
        let agent = agent(AgentKind::Workflow, Arc::new(Scripted::default()));
        let run = finished(with_graph(agent, graph).start(start(), &email()).await);
        assert_eq!(run.outcome, Outcome::Harness);
        text.push_str(&run.error.unwrap());
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r"
    node `broken` failed: no such thing
    step limit of 4108 super-steps reached on thread `t`: `idle` keeps repeating (4108 runs); give the loop a way out, or raise the limit
    `odd` asked what is not one question in the form of an inbox
    the run stands at a breakpoint before `idle` and asks nothing
    ");
}

/// Answers by what it is asked alone: writes to the email's sender, then is done.
struct Answering;

impl Model for Answering {
    fn name(&self) -> &str {
        "answering"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        Box::pin(async move {
            let first = &request.messages[0].content;
            let from = first
                .split("**From**: ")
                .nth(1)
                .and_then(|rest| rest.lines().next());
            // The order in which attempts go on differs from that in which they began.
            tokio::time::sleep(Duration::from_millis(first.len() as u64 * 7 % 13)).await;
            Ok(match (request.role, request.messages.len()) {
                (ModelRole::Router, _) => decision(Triage::Respond, from.unwrap()),
                (_, 1) => call(
                    "write_email",
                    json!({ "to": from, "subject": "", "content": "" }),
                ),
                _ => call("done", json!({ "done": true })),
            })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_at_once_do_what_they_do_alone() {
    let emails: Vec<Email> = (0..50)
        .map(|n| Email {
            from: format!("Sender {n} <sender@example.test>"),
            body: "word ".repeat(n),
            ..email()
        })
        .collect();
    for target in [
        Local::new(agent(AgentKind::Workflow, Arc::new(Answering))),
        with_graph(
            agent(AgentKind::Workflow, Arc::new(Answering)),
            AgentKind::Workflow.wiring(),
        ),
    ] {
        let mut alone = Vec::new();
        for email in &emails {
            alone.push(untimed(finished(target.start(start(), email).await)));
        }
        let at_once = emails.iter().map(|email| target.start(start(), email));
        let at_once = futures_util::future::join_all(at_once).await;
        let at_once: Vec<Run> = at_once
            .into_iter()
            .map(|run| untimed(finished(run)))
            .collect();
        assert_eq!(at_once, alone);
        assert!(alone[7].messages[2].content.contains("Sender 7"));
    }
}

fn untimed(mut run: Run) -> Run {
    run.latency_ms = 0.0;
    for step in &mut run.steps {
        if let Step::Model { latency_ms, .. } | Step::Tool { latency_ms, .. } = step {
            *latency_ms = 0.0;
        }
    }
    run
}

fn meeting() -> (&'static str, serde_json::Value) {
    (
        "schedule_meeting",
        json!({
            "attendees": ["Ana"], "subject": "Invoice", "duration_minutes": 30,
            "preferred_day": "2026-03-03", "start_time": 14,
        }),
    )
}

/// A router's decision, two messages with three calls to review, and the end.
fn reviewed_replies() -> Vec<Reply> {
    let mail = json!({ "to": "ana@northwind.example", "subject": "Re", "content": "Yes." });
    vec![
        decision(Triage::Respond, "She asks."),
        calls([
            (
                "check_calendar_availability",
                json!({ "day": "2026-03-03" }),
            ),
            meeting(),
            ("question", json!({ "content": "Which PO?" })),
        ]),
        call("write_email", mail),
        call("done", json!({ "done": true })),
    ]
}

fn reviews() -> [Response; 3] {
    let mut edited = meeting().1;
    edited["duration_minutes"] = json!("45");
    [
        Response::Edit(edited.as_object().unwrap().clone()),
        Response::Respond("PO 77.".into()),
        Response::Accept,
    ]
}

#[tokio::test]
async fn a_restart_at_every_answer_changes_nothing() {
    let mut runs = Vec::new();
    for restart in [false, true] {
        let model = Arc::new(Scripted::new(reviewed_replies()));
        let target = Local::new(agent(AgentKind::Hitl, Arc::clone(&model) as Arc<dyn Model>));
        let start = Start { restart, ..start() };
        let mut progress = target.start(start, &email()).await;
        for response in reviews() {
            progress = paused(progress).resume(response, "Sam").await;
        }
        assert_eq!(model.requests().len(), 4, "nobody is asked twice");
        runs.push(untimed(finished(progress)));
    }
    assert_eq!(runs[0].outcome, Outcome::Finished);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_thread_goes_on_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("threads.db").display());
    let reviewed = reviewed_replies();
    let mut answers = reviews().into_iter();
    let mut asked = Vec::new();
    // Every process makes everything anew and is dropped after one answer.
    let process = async |replies: Vec<Reply>| {
        let checkpointer = crate::graph::checkpoint::open(&url).await.unwrap();
        let agent = agent(AgentKind::Hitl, Arc::new(Scripted::new(replies)));
        Local::on(agent, checkpointer, Arc::new(MemoryStore::new()))
    };
    let first = process(reviewed[..2].to_vec()).await;
    let pause = paused(first.start(start(), &email()).await);
    assert_eq!(pause.interrupt().action, "schedule_meeting");
    drop((first, pause));
    let mut run = None;
    for replies in [&reviewed[..0], &reviewed[2..3], &reviewed[3..]] {
        let target = process(replies.to_vec()).await;
        let pause = paused(target.take_up("t", start()).await.unwrap());
        asked.push((pause.interrupt().action.clone(), pause.steps()));
        match pause.resume(answers.next().unwrap(), "Sam").await {
            Progress::Finished(finished) => run = Some(finished),
            Progress::Paused(pause) => assert!(pause.steps() > asked.last().unwrap().1),
        }
    }
    let run = run.expect("finished by the third answer");
    assert_eq!(run.outcome, Outcome::Finished);

    // As one process does it, but for the time.
    let target = Local::new(agent(AgentKind::Hitl, Arc::new(Scripted::new(reviewed))));
    let mut progress = target.start(start(), &email()).await;
    for response in self::reviews() {
        progress = paused(progress).resume(response, "Sam").await;
    }
    assert_eq!(untimed(run), untimed(finished(progress)));
}

#[tokio::test]
async fn a_thread_is_taken_up_only_by_its_agent_and_only_while_it_waits() {
    let checkpointer = Arc::new(MemoryCheckpointer::new());
    let on = |kind, replies: Vec<Reply>| {
        let agent = agent(kind, Arc::new(Scripted::new(replies)));
        let checkpointer = Arc::clone(&checkpointer) as Arc<dyn Checkpointer>;
        Local::on(agent, checkpointer, Arc::new(MemoryStore::new()))
    };
    let hitl = on(AgentKind::Hitl, vec![decision(Triage::Notify, ".")]);
    let refused = async |target: &Local, thread: &str| {
        let taken = target.take_up(thread, start()).await;
        taken.err().expect("refused").to_string()
    };
    let unknown = refused(&hitl, "t").await;
    paused(hitl.start(start(), &email()).await);
    let setup = setup(&*checkpointer, "t").await.unwrap();
    assert_eq!((setup.agent, setup.seed), (AgentKind::Hitl, 0));
    let other = refused(&on(AgentKind::HitlMemory, vec![]), "t").await;
    let gone = refused(
        &Local::new(agent(AgentKind::Hitl, Arc::new(Scripted::default()))),
        "t",
    )
    .await;
    assert_eq!(gone, unknown, "without a checkpointer nothing is there");

    // An answer that is not taken, and a run that is given up, leave the thread waiting.
    let pause = paused(hitl.take_up("t", start()).await.unwrap());
    let run = finished(pause.resume(Response::Edit(Map::new()), "Sam").await);
    assert_eq!(run.outcome, Outcome::Simulator);
    let pause = paused(hitl.take_up("t", start()).await.unwrap());
    pause.abandon(Outcome::Cancelled, "later".into()).await;

    let pause = paused(hitl.take_up("t", start()).await.unwrap());
    let stale = paused(hitl.take_up("t", start()).await.unwrap());
    let run = finished(pause.resume(Response::Ignore, "Sam").await);
    assert_eq!(run.outcome, Outcome::Finished);
    // Answered by somebody else meanwhile: refused, and not applied twice.
    let late = finished(stale.resume(Response::Ignore, "Ana").await);
    assert_eq!(late.outcome, Outcome::Harness);
    let finished = refused(&hitl, "t").await;
    insta::assert_snapshot!([unknown, other, finished, late.error.unwrap()].join("\n"), @r"
    nobody started thread `t` here; check its name and the checkpointer
    thread `t` is one of `hitl`, and this is `hitl-memory`
    thread `t` is finished and asks nothing
    nothing to resume: thread `t` is finished; give it a new input, or start another one
    ");
}

#[tokio::test]
async fn a_thread_whose_process_died_after_the_answer_goes_on_without_asking_again() {
    let checkpointer = Arc::new(MemoryCheckpointer::new());
    let target = |replies: &[Reply]| {
        let agent = agent(AgentKind::Hitl, Arc::new(Scripted::new(replies.to_vec())));
        let checkpointer = Arc::clone(&checkpointer) as Arc<dyn Checkpointer>;
        Local::on(agent, checkpointer, Arc::new(MemoryStore::new()))
    };
    let replies = replies();
    let pause = paused(target(&replies[..2]).start(start(), &email()).await);
    let answering = pause.resume(Response::Accept, "Sam");
    // The model fails at the next call, which leaves the run at its end; the process is then
    // played to have died before that, by a thread with the history up to the answer.
    finished(answering.await);
    let history = checkpointer.history("t").await.unwrap();
    let answered = history.iter().position(|checkpoint| {
        matches!(
            checkpoint.cause,
            crate::graph::checkpoint::Cause::Resumed { .. }
        )
    });
    let died = MemoryCheckpointer::new();
    for checkpoint in &history[..=answered.unwrap()] {
        died.put(checkpoint.clone()).await.unwrap();
    }
    let agent = agent(
        AgentKind::Hitl,
        Arc::new(Scripted::new(replies[2..].to_vec())),
    );
    let target = Local::on(agent, Arc::new(died), Arc::new(MemoryStore::new()));
    let run = finished(target.take_up("t", start()).await.unwrap());
    assert_eq!(run.outcome, Outcome::Finished);
    let sent = run
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Tool { name, .. } if name == "write_email"));
    assert_eq!(sent.count(), 1);
}

#[tokio::test]
async fn what_is_remembered_is_told_before_and_after() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let profile = json!({ "reasoning": "So said.", "profile": "- Ignore Ana." }).to_string();
    for (restart, learns) in [(true, true), (false, false)] {
        let mut replies = vec![decision(Triage::Notify, ".")];
        replies.extend(learns.then(|| text(&*profile)));
        let model = Arc::new(Scripted::new(replies));
        let settings = Settings {
            behaviour: Behaviour {
                background: Background::Off,
                ..Behaviour::default()
            },
            ..settings()
        };
        let agent = Agent::new(AgentKind::HitlMemory, Models::one(model), settings);
        let target = Local::new(agent);
        let start = Start {
            store: Some(Arc::clone(&store)),
            restart,
            ..start()
        };
        let pause = paused(target.start(start, &email()).await);
        let answer = if learns {
            Response::Ignore
        } else {
            Response::Accept
        };
        let run = finished(pause.resume(answer, "Sam").await);
        assert_eq!(run.outcome, Outcome::Finished, "{:?}", run.error);
        let memory = run.memory.unwrap();
        let texts = [&memory.before, &memory.after].map(|memory| memory.text("triage_preferences"));
        let began = Preferences::default().triage_preferences;
        let learnt = "- Ignore Ana.".to_owned();
        let expected = if learns {
            [began, learnt]
        } else {
            [learnt.clone(), learnt]
        };
        assert_eq!(texts, expected);
        assert_eq!(
            memory.before.text("cal_preferences"),
            memory.after.text("cal_preferences")
        );
    }
}
