//! The embedded model with the prompts it is given: the texts that preferences begin with
//! mean what they always meant, and what the memory's notes say is understood.

use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Value, json};

use mailproof::agent::memory::{Facts, Namespace, Rewrite};
use mailproof::agent::prompts::{self, Preferences, memory};
use mailproof::agent::tools::Tool;
use mailproof::dataset::Dataset;
use mailproof::email::Email;
use mailproof::message::{Message, Prompt, ToolStatus};
use mailproof::model::rules::Rules;
use mailproof::model::{Model, OutputSchema, Reply, Request, ToolChoice};
use mailproof::run::ModelRole;

fn ask(
    rules: &Rules,
    prompt: &Arc<Prompt>,
    messages: Vec<Message>,
    output: Option<Arc<OutputSchema>>,
) -> Reply {
    let request = Request {
        role: ModelRole::Agent,
        prompt: Arc::clone(prompt),
        messages,
        tool_choice: match output {
            Some(_) => ToolChoice::None,
            None => ToolChoice::Required,
        },
        output,
        origin: Default::default(),
    };
    let answer = rules.ask(&request).now_or_never();
    answer.expect("it never waits").expect("it always answers")
}

const TOOLS: [Tool; 5] = [
    Tool::WriteEmail,
    Tool::ScheduleMeeting,
    Tool::CheckCalendarAvailability,
    Tool::Question,
    Tool::Done,
];

/// The router's decision and all calls, in the order of the dataset.
fn handled(dataset: &Dataset, preferences: &Preferences) -> Vec<String> {
    let rules = Rules::new();
    let router = Prompt::new(prompts::router(preferences), Vec::new());
    let today = "2026-03-03".parse().unwrap();
    let specs = TOOLS.iter().map(|tool| tool.spec()).collect();
    let agent = Prompt::new(prompts::asking_agent(&TOOLS, preferences, today), specs);
    let schema = json!({ "properties": { "reasoning": {}, "classification": {} } });
    let output = Arc::new(OutputSchema {
        name: "triage".into(),
        schema,
    });
    let mut told = Vec::new();
    for example in &dataset.examples {
        let email = example.email.to_prompt();
        let message = Message::user("r0", email.clone());
        told.push(ask(&rules, &router, vec![message], Some(Arc::clone(&output))).content);
        let mut messages = vec![Message::user("m0", prompts::respond(&email))];
        for turn in 0.. {
            assert!(turn < 12, "{} does not come to an end", example.id);
            let call = ask(&rules, &agent, messages.clone(), None).tool_calls[0].clone();
            told.push(format!("{} {} {}", example.id, call.name, call.arguments));
            if call.is("done") {
                break;
            }
            let (status, answer) = match call.name.as_str() {
                "check_calendar_availability" => {
                    (ToolStatus::Executed, "Free: 09:00-10:30, 14:00-15:00.")
                }
                "question" => (ToolStatus::Answered, "Please decide yourself."),
                _ => (ToolStatus::Executed, "Ok."),
            };
            messages.push(Message::assistant(
                format!("a{turn}"),
                "",
                vec![call.clone()],
            ));
            messages.push(Message::tool(format!("t{turn}"), &call, status, answer));
        }
    }
    told
}

#[test]
fn the_preferences_to_begin_with_change_no_decision_and_no_call() {
    let dataset = Dataset::embedded();
    let none = Preferences {
        background: String::new(),
        triage_preferences: String::new(),
        response_preferences: String::new(),
        cal_preferences: String::new(),
    };
    let by_default = handled(&dataset, &Preferences::default());
    for (with, without) in by_default.iter().zip(handled(&dataset, &none)) {
        assert_eq!(*with, without);
    }
    // Learnt lines do change something, so the comparison can fail.
    let learnt = Preferences {
        response_preferences: "- Greet with \"Dear\".".into(),
        ..none
    };
    assert_ne!(by_default, handled(&dataset, &learnt));
    let questions = by_default
        .iter()
        .filter(|told| told.contains(" question {"));
    assert!(
        questions.count() * 50 < dataset.examples.len(),
        "mail that can be answered is answered without a question"
    );
}

fn email() -> Email {
    Email {
        from: "Host Status <status@host.example>".into(),
        to: "Sam Lee <sam.lee@acme.example>".into(),
        subject: "Disk 80% full".into(),
        body: "The disk of web-1 is 80% full.".into(),
        date: None,
    }
}

/// The profile after a note, by the memory's own prompt and reader.
fn rewritten(namespace: Namespace, profile: &str, note: &str) -> String {
    let messages = vec![
        Message::user("m0", prompts::respond(&email().to_prompt())),
        Message::user("m1", memory::remember_blocks(namespace, profile, note)),
    ];
    let prompt = Prompt::new(memory::remember(), Vec::new());
    let reply = ask(&Rules::new(), &prompt, messages, Some(Rewrite::output()));
    let object: Value = serde_json::from_str(&reply.content).unwrap();
    let rewrite = Rewrite::read(object.as_object().unwrap()).unwrap();
    rewrite.profile
}

#[test]
fn every_note_of_the_memory_is_understood() {
    let said = |text: &str| json!(text).to_string();
    let length = |minutes: u16| json!({ "duration_minutes": minutes }).to_string();
    for (namespace, note, line) in [
        (
            Namespace::TriagePreferences,
            memory::lesson_notice_ignore(),
            "- ignore: mail from status@host.example",
        ),
        (
            Namespace::TriagePreferences,
            memory::lesson_notice_respond(&said("Say \"thanks\" for once.")),
            "- respond: mail from status@host.example",
        ),
        (
            Namespace::TriagePreferences,
            memory::lesson_ignore("write_email", "{}"),
            "- ignore: mail from status@host.example",
        ),
        (
            Namespace::ResponsePreferences,
            memory::lesson_respond("write_email", "{}", &said("Start with \"Dear\"!")),
            "- Greet with \"Dear\".",
        ),
        (
            Namespace::CalPreferences,
            memory::lesson_edit("schedule_meeting", &length(30), &length(15)),
            "- Meetings take 15 minutes.",
        ),
    ] {
        let before = "- Something <b>else</b>.\n\n- And this & that.";
        let after = rewritten(namespace, before, &note);
        assert_eq!(after, format!("{before}\n{line}"), "{note}");
    }
}

#[test]
fn the_facts_are_what_the_memory_takes() {
    let ana = Email {
        from: "Ana Ruiz <ana.ruiz@northwind.example>".into(),
        ..email()
    };
    let messages = vec![
        Message::user("m0", prompts::respond(&ana.to_prompt())),
        Message::user("m1", memory::extract_blocks("Nothing yet.")),
    ];
    let prompt = Prompt::new(memory::extract(10, 300), Vec::new());
    let reply = ask(&Rules::new(), &prompt, messages, Some(Facts::output()));
    let object: Value = serde_json::from_str(&reply.content).unwrap();
    let facts = Facts::read(object.as_object().unwrap()).unwrap();
    assert_eq!(
        facts.facts,
        ["Ana Ruiz <ana.ruiz@northwind.example> writes from Northwind."]
    );
}
