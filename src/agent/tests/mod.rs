use jiff::civil::date;
use serde_json::{Value, json};

mod faults;
mod hitl;

use super::*;
use crate::email::Triage;
use crate::graph::{MemoryStore, RunOptions};
use crate::message::{Message, ToolStatus, visible};
use crate::model::scripted::{Scripted, call, calls, decision, text};
use crate::model::{ModelError, Reply, Request, ToolChoice};
use crate::run::{ModelRole, Outcome, ReplyRef, Run, Sent, Step};

fn email() -> Email {
    Email {
        from: "Ana Ruiz <ana@northwind.example>".into(),
        to: "Sam Lee <sam@acme.example>".into(),
        subject: "Invoice 1042".into(),
        body: "Was invoice 1042 paid?".into(),
        date: None,
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

const LIMITS: Limits = Limits {
    until_triage: false,
    max_model_calls: 25,
    timeout: Duration::from_secs(60),
};

/// Runs a variant on replies given in advance, and returns what its model was asked too.
async fn ask(kind: AgentKind, replies: Vec<Reply>, limits: Limits) -> (Run, Vec<Request>) {
    let model = Arc::new(Scripted::new(replies));
    let run = run_on(kind, Arc::clone(&model) as Arc<dyn Model>, &email(), limits).await;
    (run, model.requests())
}

async fn run(kind: AgentKind, replies: Vec<Reply>) -> Run {
    ask(kind, replies, LIMITS).await.0
}

async fn run_on(kind: AgentKind, model: Arc<dyn Model>, email: &Email, limits: Limits) -> Run {
    let agent = Arc::new(Agent::new(kind, Models::one(model), settings()));
    let state = agent.begin(email, limits);
    let attempt = Arc::new(Attempt {
        agent,
        store: Arc::new(MemoryStore::new()),
        limits,
        spent: Duration::ZERO,
        since: Origin::default().clock().mark(),
        origin: Origin::default(),
    });
    let graph = kind.graph();
    let state = graph.run(state, attempt, &RunOptions::new(100)).await;
    state.expect("no defect").into_run(0.0)
}

fn respond() -> Reply {
    decision(Triage::Respond, "She asks a question.")
}

fn write_email() -> (&'static str, Value) {
    let to = "ana@northwind.example";
    (
        "write_email",
        json!({ "to": to, "subject": "Re: Invoice 1042", "content": "Yes." }),
    )
}

fn done() -> (&'static str, Value) {
    ("done", json!({ "done": true }))
}

/// The visible conversation, a line a message, without prompts' words.
fn transcript(run: &Run) -> String {
    let mut text = String::new();
    for message in visible(&run.messages) {
        let Message { id, role, .. } = message;
        let first = message.content.lines().next().unwrap_or_default();
        text.push_str(&format!("{id} {role:?} {first}"));
        for call in &message.tool_calls {
            text.push_str(&format!(" [{} {}]", call.id, call.name));
        }
        if let Some(call) = &message.tool_call_id {
            text.push_str(&format!(" ({call} {:?})", message.status));
        }
        text.push('\n');
    }
    let end = run.error.as_deref().unwrap_or_default();
    text.push_str(&format!("{} {end}", run.outcome.name()));
    text
}

/// Every call is answered by one tool message and one step, in order.
fn assert_every_call_is_answered_once(run: &Run) {
    let messages = visible(&run.messages);
    let calls: Vec<&str> = messages
        .iter()
        .flat_map(|message| &message.tool_calls)
        .map(|call| call.id.as_str())
        .collect();
    let answers: Vec<&str> = messages
        .iter()
        .filter_map(|message| message.tool_call_id.as_deref())
        .collect();
    let steps: Vec<&str> = run
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Tool { call_id, .. } => Some(call_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, answers);
    assert_eq!(calls, steps);
    let mut unique = calls.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), calls.len(), "ids are unique");
}

fn roles(run: &Run) -> Vec<ModelRole> {
    run.steps
        .iter()
        .filter_map(|step| match step {
            Step::Model { role, .. } => Some(*role),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn the_workflow_routes_once_and_then_works_through_tools() {
    let replies = vec![
        respond(),
        call("check_calendar_availability", json!({ "day": "Tuesday" })),
        calls([write_email()]),
        calls([done()]),
    ];
    let (run, requests) = ask(AgentKind::Workflow, replies, LIMITS).await;
    insta::assert_snapshot!(transcript(&run), @r#"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant  [m1.0 check_calendar_availability]
    m2 Tool Free on Tuesday, 3 March 2026 (2026-03-03): 12:00-13:00, 14:00-16:00. (m1.0 Executed)
    m3 Assistant  [m3.0 write_email]
    m4 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m3.0 Executed)
    m5 Assistant  [m5.0 done]
    m6 Tool Everything is done. (m5.0 Executed)
    finished
    "#);
    assert_every_call_is_answered_once(&run);
    assert_eq!(run.triage, Some(Triage::Respond));
    assert_eq!(run.reasoning.as_deref(), Some("She asks a question."));
    assert_eq!(
        roles(&run),
        [
            ModelRole::Router,
            ModelRole::Agent,
            ModelRole::Agent,
            ModelRole::Agent
        ]
    );
    assert!(
        matches!(&run.steps[0], Step::Model { role: ModelRole::Router, node, .. } if node == "triage")
    );

    // The router sees the email alone, and is offered nothing.
    let router = &requests[0];
    assert_eq!(router.tool_choice, ToolChoice::None);
    assert!(router.prompt.tools().is_empty() && router.output.is_some());
    assert_eq!(router.messages, [Message::user("r0", email().to_prompt())]);
    // The agent must call a tool, and sees what its record says it saw.
    let mut agent_requests = requests[1..].iter();
    for step in &run.steps {
        if let Step::Model {
            sent: Sent::Log(entries),
            prompt,
            ..
        } = step
        {
            let request = agent_requests.next().unwrap();
            let log: Vec<Message> = visible(&run.messages[..*entries])
                .into_iter()
                .cloned()
                .collect();
            assert_eq!(request.messages, log);
            assert_eq!(request.prompt.hash(), prompt);
            assert_eq!(request.tool_choice, ToolChoice::Required);
            let names: Vec<&str> = request
                .prompt
                .tools()
                .iter()
                .map(|tool| tool.name.as_str())
                .collect();
            assert_eq!(
                names,
                [
                    "write_email",
                    "schedule_meeting",
                    "check_calendar_availability",
                    "done"
                ]
            );
        }
    }
    let hashes: Vec<&str> = run.prompts.iter().map(|prompt| prompt.hash()).collect();
    assert_eq!(hashes, [router.prompt.hash(), requests[1].prompt.hash()]);
}

#[tokio::test]
async fn emails_that_want_no_answer_never_reach_the_agent() {
    for triage in [Triage::Ignore, Triage::Notify] {
        let run = run(AgentKind::Workflow, vec![decision(triage, "Known.")]).await;
        assert_eq!(run.outcome, Outcome::Finished);
        assert_eq!(run.triage, Some(triage));
        assert_eq!(roles(&run), [ModelRole::Router]);
        assert!(run.messages.is_empty());
    }
}

#[tokio::test]
async fn the_baseline_decides_by_its_tool_and_the_last_decision_counts() {
    let triage = |category: &str| call("triage_email", json!({ "category": category }));
    let mut last = triage("Respond");
    last.content = "On second thought, she asks.".into();
    let replies = vec![
        triage("notify"),
        last,
        calls([write_email()]),
        calls([done()]),
    ];
    let run = run(AgentKind::Baseline, replies).await;
    insta::assert_snapshot!(transcript(&run), @r#"
    m0 User Triage this email, then do what your decision asks for.
    m1 Assistant  [m1.0 triage_email]
    m2 Tool The decision for this email is notify. (m1.0 Executed)
    m3 Assistant On second thought, she asks. [m3.0 triage_email]
    m4 Tool The decision for this email is respond. (m3.0 Executed)
    m5 Assistant  [m5.0 write_email]
    m6 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m5.0 Executed)
    m7 Assistant  [m7.0 done]
    m8 Tool Everything is done. (m7.0 Executed)
    finished
    "#);
    assert_every_call_is_answered_once(&run);
    assert_eq!(run.triage, Some(Triage::Respond));
    assert_eq!(
        run.reasoning.as_deref(),
        Some("On second thought, she asks.")
    );
    assert_eq!(roles(&run), [ModelRole::Agent; 4]);
}

#[tokio::test]
async fn a_baseline_that_never_decides_has_no_decision_and_a_reason() {
    let bad = call("triage_email", json!({ "category": "reply" }));
    let run = run(AgentKind::Baseline, vec![bad, calls([done()])]).await;
    assert_eq!(run.outcome, Outcome::Finished);
    assert_eq!(run.triage, None);
    insta::assert_snapshot!(run.reasoning.unwrap(), @"the agent ended without a call of `triage_email`");
}

#[tokio::test]
async fn a_call_of_done_ends_the_run_after_its_message_in_either_order() {
    for (order, names) in [
        (vec![done(), write_email()], ["done", "write_email"]),
        (vec![write_email(), done()], ["write_email", "done"]),
        (
            vec![("DONE", json!("{")), write_email()],
            ["DONE", "write_email"],
        ),
    ] {
        // One reply: another call of the model would fail.
        let run = run(AgentKind::Workflow, vec![respond(), calls(order)]).await;
        assert_eq!(run.outcome, Outcome::Finished, "{names:?}");
        assert_every_call_is_answered_once(&run);
        let ran: Vec<&str> = run
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Tool { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(ran, names);
        assert_eq!(run.usage.calls(), 2);
    }
}

#[tokio::test]
async fn triage_alone_stops_at_the_decision() {
    let limits = Limits {
        until_triage: true,
        ..LIMITS
    };
    let (run, _) = ask(AgentKind::Workflow, vec![respond()], limits).await;
    assert_eq!(
        (run.outcome, run.triage),
        (Outcome::Finished, Some(Triage::Respond))
    );
    assert!(run.messages.is_empty());

    // A failed decision is none; calls beside the decision are answered like any other.
    let replies = vec![
        call("triage_email", json!({})),
        calls([
            ("triage_email", json!({ "category": "notify" })),
            write_email(),
        ]),
    ];
    let (run, _) = ask(AgentKind::Baseline, replies, limits).await;
    assert_eq!(
        (run.outcome, run.triage),
        (Outcome::Finished, Some(Triage::Notify))
    );
    assert_every_call_is_answered_once(&run);
}

#[tokio::test]
async fn days_count_from_the_email_and_from_today_where_it_has_no_date() {
    for (sent, day) in [
        (None, "Tuesday, 3 March 2026"),
        (Some(date(2026, 4, 1)), "Tuesday, 7 April 2026"),
    ] {
        let replies = [
            respond(),
            call("check_calendar_availability", json!({ "day": "Tuesday" })),
            calls([done()]),
        ];
        let model = Arc::new(Scripted::new(replies));
        let email = Email {
            date: sent,
            ..email()
        };
        let run = run_on(AgentKind::Workflow, model, &email, LIMITS).await;
        assert!(
            run.messages[2].content.contains(day),
            "{}",
            run.messages[2].content
        );
    }
}

#[tokio::test]
async fn the_prompt_names_the_day_of_the_settings_and_no_clock() {
    let (_, requests) = ask(
        AgentKind::Workflow,
        vec![respond(), calls([done()])],
        LIMITS,
    )
    .await;
    assert!(
        requests[1]
            .prompt
            .system()
            .contains("Monday, 2 March 2026 (2026-03-02)")
    );
}

#[tokio::test]
async fn equal_inputs_give_equal_runs() {
    for kind in [AgentKind::Baseline, AgentKind::Workflow] {
        let replies = || match kind.has_router() {
            true => vec![respond(), text(""), calls([write_email()]), calls([done()])],
            false => vec![text(""), calls([write_email()]), calls([done()])],
        };
        let record = |run: Run| {
            let mut run = serde_json::to_value(run).unwrap();
            for step in run["steps"].as_array_mut().unwrap() {
                for (_, step) in step.as_object_mut().unwrap() {
                    step["latency_ms"] = json!(0);
                }
            }
            run
        };
        let first = record(run(kind, replies()).await);
        assert_eq!(record(run(kind, replies()).await), first);
    }
}

#[test]
fn variants_are_known_by_name() {
    assert_eq!("baseline".parse(), Ok(AgentKind::Baseline));
    assert_eq!(" Workflow ".parse(), Ok(AgentKind::Workflow));
    let error = "hitl2".parse::<AgentKind>().unwrap_err();
    insta::assert_snapshot!(error, @"unknown agent `hitl2`: known are baseline, workflow, hitl, hitl-memory");
}

#[test]
fn every_variant_can_be_drawn() {
    insta::assert_snapshot!(AgentKind::Baseline.graph().mermaid(), @r#"
    flowchart TD
        s0_start(["start"])
        s0_end(["end"])
        n0["respond"]
        n1["act"]
        s0_start --> n0
        n0 --> n1
        n0 -.-> s0_end
        n1 -.-> n0
        n1 -.-> s0_end
    "#);
    insta::assert_snapshot!(AgentKind::Workflow.graph().mermaid(), @r#"
    flowchart TD
        s0_start(["start"])
        s0_end(["end"])
        n0["triage"]
        n1["respond"]
        n2["act"]
        s0_start --> n0
        n0 -.-> n1
        n0 -.-> s0_end
        n1 --> n2
        n1 -.-> s0_end
        n2 -.-> n1
        n2 -.-> s0_end
    "#);
    insta::assert_snapshot!(AgentKind::Hitl.graph().mermaid(), @r#"
    flowchart TD
        s0_start(["start"])
        s0_end(["end"])
        n0["triage"]
        n1["notice"]
        n2["respond"]
        n3["ask"]
        n4["act"]
        s0_start --> n0
        n0 -.-> n2
        n0 -.-> n1
        n0 -.-> s0_end
        n1 -.-> n2
        n1 -.-> s0_end
        n2 --> n3
        n2 -.-> s0_end
        n3 --> n4
        n4 -.-> n3
        n4 -.-> n2
        n4 -.-> s0_end
    "#);
    insta::assert_snapshot!(AgentKind::HitlMemory.graph().mermaid(), @r#"
    flowchart TD
        s0_start(["start"])
        s0_end(["end"])
        n0["triage"]
        n1["notice"]
        n2["respond"]
        n3["ask"]
        n4["act"]
        n5["remember"]
        s0_start --> n0
        n0 -.-> n2
        n0 -.-> n1
        n0 -.-> s0_end
        n1 --> n5
        n2 --> n3
        n2 -.-> s0_end
        n3 --> n4
        n4 --> n5
        n5 -.-> n3
        n5 -.-> n2
        n5 -.-> s0_end
    "#);
    insta::assert_snapshot!(AgentKind::Workflow.graph().dot(), @r#"
    digraph {
        node [shape=box, style=rounded];
        s0_start [label="start", shape=oval];
        s0_end [label="end", shape=oval];
        n0 [label="triage"];
        n1 [label="respond"];
        n2 [label="act"];
        s0_start -> n0;
        n0 -> n1 [style=dashed];
        n0 -> s0_end [style=dashed];
        n1 -> n2;
        n1 -> s0_end [style=dashed];
        n2 -> n1 [style=dashed];
        n2 -> s0_end [style=dashed];
    }
    "#);
}
