//! The agent with a memory, from one email to the next.

use super::*;
use crate::agent::MemoryAccess;
use crate::graph::{MemoryCheckpointer, Progress, Resume};
use crate::inbox::{self, Answer};
use crate::message::visible;
use crate::model::scripted::{self, calls, decision};
use crate::run::ModelRole;

struct World {
    store: Arc<dyn Store>,
    access: MemoryAccess,
}

impl World {
    fn new(access: MemoryAccess) -> Self {
        World {
            store: Arc::new(MemoryStore::new()),
            access,
        }
    }

    /// One email on a thread of its own, to the end; what its models were asked, too.
    async fn handle(
        &self,
        replies: Vec<Reply>,
        answers: Vec<Response>,
    ) -> (AgentState, Vec<Request>) {
        let model = Arc::new(Scripted::new(replies));
        let settings = Settings {
            date: date(2026, 3, 2),
            seed: 0,
            preferences: defaults(),
            behaviour: Behaviour {
                memory: self.access,
                background: Background::Off,
                ..Behaviour::default()
            },
        };
        let models = Models::one(Arc::clone(&model) as _);
        let agent = Agent::new(AgentKind::HitlMemory, models, settings);
        let limits = Limits {
            until_triage: false,
            max_model_calls: 25,
            timeout: Duration::from_secs(60),
        };
        let state = agent.begin(&email(), limits);
        let attempt = Arc::new(Attempt {
            agent: Arc::new(agent),
            store: Arc::clone(&self.store),
            limits,
            spent: Duration::ZERO,
            since: crate::model::Origin::default().clock().mark(),
            origin: crate::model::Origin::default(),
        });
        seed(&*self.store, &defaults()).await.unwrap();
        let graph = AgentKind::HitlMemory.graph();
        let checkpointer = MemoryCheckpointer::new();
        let thread = || graph.thread(&checkpointer, "t");
        let options = RunOptions::new(100);
        let mut answers = answers.into_iter();
        let mut progress = thread().start(state, Arc::clone(&attempt), &options).await;
        loop {
            let pause = match progress.map_err(|failure| failure.error).unwrap() {
                Progress::Finished(state) => {
                    assert_eq!(answers.next(), None, "every answer was asked for");
                    return (state, model.requests());
                }
                Progress::Paused(pause) => pause,
            };
            let question = &inbox::read_interrupts(&pause.interrupts[0].payload)[0];
            let answer = Answer {
                id: None,
                response: answers.next().expect("a question has an answer"),
                answered_by: Some("scripted".into()),
            };
            let answer = Resume::Answer(inbox::write_answer(&answer, &question.action));
            progress = thread()
                .resume(answer, Arc::clone(&attempt), &options)
                .await;
        }
    }
}

fn respond() -> Reply {
    decision(Triage::Respond, "A question.")
}

fn write_email() -> Reply {
    calls([("write_email", draft().arguments)])
}

fn done() -> Reply {
    scripted::call("done", json!({ "done": true }))
}

/// The system texts that the model was sent in a role, in order.
fn systems(requests: &[Request], role: ModelRole) -> Vec<&str> {
    let requests = requests.iter().filter(|request| request.role == role);
    requests.map(|request| request.prompt.system()).collect()
}

#[tokio::test]
async fn feedback_stands_in_the_next_prompt_of_the_run_and_of_later_runs() {
    let world = World::new(MemoryAccess::Inline);
    let rule = "- Be brief.\n- Greet by name.\n- Name the day of a payment.";
    let replies = vec![
        respond(),
        write_email(),
        profile_reply(rule),
        write_email(),
        done(),
    ];
    let said = Response::Respond("Always name the day of a payment.".into());
    let (state, requests) = world.handle(replies, vec![said, Response::Accept]).await;
    assert_eq!(state.failure, None);
    let block = "<response_preferences>\n- Be brief.\n- Greet by name.\n- Name the day of a payment.\n</response_preferences>";
    let told: Vec<bool> = systems(&requests, ModelRole::Agent)
        .iter()
        .map(|system| system.contains(block))
        .collect();
    assert_eq!(told, [false, true, true]);
    // Accepting taught nothing: the memory's model was asked once.
    assert_eq!(systems(&requests, ModelRole::Memory).len(), 1);
    assert_eq!(changes(&state).len(), 1);

    let (_, requests) = world
        .handle(
            vec![respond(), write_email(), done()],
            vec![Response::Accept],
        )
        .await;
    assert!(systems(&requests, ModelRole::Agent)[0].contains(block));
    assert!(systems(&requests, ModelRole::Memory).is_empty());
}

#[tokio::test]
async fn what_a_notice_taught_stands_in_the_routers_next_prompt() {
    let world = World::new(MemoryAccess::Tools);
    let notify = || decision(Triage::Notify, "Worth knowing.");
    let replies = vec![notify(), profile_reply("Ignore invoices.")];
    let (state, requests) = world.handle(replies, vec![Response::Ignore]).await;
    assert_eq!(state.failure, None);
    assert!(!systems(&requests, ModelRole::Router)[0].contains("Ignore invoices."));

    let (state, requests) = world.handle(vec![notify()], vec![Response::Accept]).await;
    assert_eq!(changes(&state), []);
    let router = systems(&requests, ModelRole::Router)[0];
    assert!(router.contains("<triage_preferences>\nIgnore invoices.\n</triage_preferences>"));
}

#[tokio::test]
async fn each_answer_changes_its_memory_and_no_other() {
    use Response::{Accept, Edit, Ignore};
    let meeting = json!({
        "attendees": ["ana@northwind.example"], "subject": "Invoice", "duration_minutes": 30,
        "preferred_day": "2026-03-03", "start_time": 14,
    });
    let said = || Response::Respond("Otherwise.".into());
    let edit = |call: &Value, name: &str, value: Value| {
        let mut arguments = object(call.clone());
        arguments.insert(name.into(), value);
        Edit(arguments)
    };
    let draft = draft().arguments;
    let question = json!({ "content": "Paid?" });
    let shorter = edit(&draft, "content", json!("Paid."));
    let longer = edit(&meeting, "duration_minutes", json!(45));
    for (name, arguments, answer, namespace) in [
        ("write_email", &draft, Accept, None),
        ("write_email", &draft, shorter, Some("response_preferences")),
        ("write_email", &draft, said(), Some("response_preferences")),
        ("write_email", &draft, Ignore, Some("triage_preferences")),
        ("schedule_meeting", &meeting, Accept, None),
        (
            "schedule_meeting",
            &meeting,
            longer,
            Some("cal_preferences"),
        ),
        (
            "schedule_meeting",
            &meeting,
            said(),
            Some("cal_preferences"),
        ),
        (
            "schedule_meeting",
            &meeting,
            Ignore,
            Some("triage_preferences"),
        ),
        ("question", &question, said(), None),
        ("question", &question, Ignore, Some("triage_preferences")),
    ] {
        let case = format!("{name} {}", answer.kind());
        let world = World::new(MemoryAccess::Inline);
        seed(&*world.store, &defaults()).await.unwrap();
        let mut wanted = snapshot(&*world.store).await.unwrap();
        let ends = answer == Ignore;
        let mut replies = vec![respond(), calls([(name, arguments.clone())])];
        if let Some(namespace) = namespace {
            replies.push(profile_reply("New."));
            let entries = wanted.0.get_mut(namespace).unwrap();
            entries.insert(PROFILE_KEY.into(), "New.".into());
        }
        if !ends {
            replies.push(done());
        }
        let asked_for = replies.len();
        let (state, requests) = world.handle(replies, vec![answer]).await;
        assert_eq!(state.failure, None, "{case}");
        assert_eq!(requests.len(), asked_for, "{case}");
        assert_eq!(snapshot(&*world.store).await.unwrap(), wanted, "{case}");
    }
}

#[tokio::test]
async fn an_agent_that_searches_finds_what_is_remembered_and_asks_nobody() {
    let world = World::new(MemoryAccess::Tools);
    let place = Namespace::CalPreferences;
    write(&*world.store, place, PROFILE_KEY, "- Ana gets 45 minutes.")
        .await
        .unwrap();
    let search = calls([
        ("cal_preferences", json!({ "query": "Ana" })),
        ("background", json!({ "query": "Ana" })),
    ]);
    let (state, requests) = world.handle(vec![respond(), search, done()], vec![]).await;
    let agent = requests
        .iter()
        .find(|request| request.role == ModelRole::Agent);
    let prompt = &agent.unwrap().prompt;
    assert!(!prompt.system().contains("45 minutes") && prompt.system().contains("# Memory"));
    let offered: Vec<&str> = prompt
        .tools()
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    insta::assert_debug_snapshot!(offered, @r#"
    [
        "write_email",
        "schedule_meeting",
        "check_calendar_availability",
        "question",
        "done",
        "triage_preferences",
        "response_preferences",
        "cal_preferences",
        "background",
    ]
    "#);
    let told: Vec<&str> = visible(&state.messages)
        .into_iter()
        .filter(|message| message.tool_call_id.is_some())
        .map(|message| message.content.as_str())
        .collect();
    insta::assert_debug_snapshot!(told, @r#"
    [
        "1. (0.29) - Ana gets 45 minutes.",
        "Nothing in background has a word of \"Ana\"; it holds 1 in all.",
        "Everything is done.",
    ]
    "#);
}

#[tokio::test]
async fn an_agent_with_its_memory_in_the_prompt_is_offered_no_search() {
    let world = World::new(MemoryAccess::Inline);
    let search = scripted::call("background", json!({ "query": "Ana" }));
    let (state, requests) = world.handle(vec![respond(), search, done()], vec![]).await;
    let offered = requests[1].prompt.tools().iter();
    assert!(offered.clone().all(|tool| tool.name != "background"));
    assert!(
        state.messages[2]
            .content
            .starts_with("There is no tool `background`.")
    );
}
