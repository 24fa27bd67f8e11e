//! Threads that stop in one process and go on in another.

use std::process::Child;
use std::time::{Duration, Instant};

use mailproof::graph::store;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::Place;

const DATABASE: &str = "sqlite:threads.db";

/// A question that the offline model drafts one answer to.
const QUESTION: &str = r#"{ "from": "Ana Ruiz <ana@northwind.example>", "to": "Sam Lee <sam@acme.example>",
    "subject": "Invoice 1042", "body": "Hi Sam,\n\nCould you tell me whether invoice 1042 was paid?\n\nThanks,\nAna" }"#;

/// An email that needs no answer, but somebody to know of it.
const NOTICE: &str = r#"{ "from": "IT Operations <it@acme.example>", "to": "Sam Lee <sam@acme.example>",
    "subject": "Scheduled maintenance on Saturday",
    "body": "Hello all,\n\nThe file server will be down for maintenance on Saturday from 8 to 10. No action is needed.\n\nIT Operations" }"#;

/// A place with an email, and a thread `t` that waits for an answer about it.
fn waiting(email: &str) -> Place {
    let place = Place::new();
    place.write("m.json", email);
    begin(&place, "t");
    place
}

fn begin(place: &Place, thread: &str) -> String {
    let run = ["run", "--email", "m.json", "-a", "hitl", "--thread", thread];
    place.run(&on(&run, DATABASE), 0)
}

/// The arguments, and where threads live.
fn on<'a>(arguments: &[&'a str], url: &'a str) -> Vec<&'a str> {
    [arguments, &["--checkpointer", url]].concat()
}

fn json_of(place: &Place, arguments: &[&str], url: &str) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    serde_json::from_str(&place.run(&on(&arguments, url), 0)).unwrap()
}

fn history(place: &Place, thread: &str, url: &str) -> Value {
    json_of(place, &["threads", "--history", thread], url)
}

/// `respond --thread t --as sam …`
fn respond<'a>(answer: &[&'a str], url: &'a str) -> Vec<&'a str> {
    let command = ["respond", "--thread", "t", "--as", "sam"];
    on(&[&command, answer].concat(), url)
}

/// How often each tool ran in a run.
fn ran(run: &Value, name: &str) -> usize {
    let messages = run["run"]["messages"].as_array().unwrap();
    let results = messages.iter().filter(|message| message["role"] == "tool");
    results.filter(|message| message["name"] == name).count()
}

#[cfg(unix)]
fn killed_by(child: &mut Child) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    child.wait().unwrap().signal()
}

/// The first process is killed as soon as its question is stored, and knows nothing of it;
/// other processes list the question, answer it, and tell what happened.
#[cfg(unix)]
fn a_killed_run_is_finished_elsewhere(url: &str) {
    let place = Place::new();
    place.write("m.json", QUESTION);
    // Holds the first process where its question is stored.
    place.write("hold", "");
    place.write(
        "mailproof.yaml",
        "notify_command: [sh, -c, 'cat > told.json; while [ -e hold ]; do sleep 0.05; done']\n",
    );
    let run = ["run", "--email", "m.json", "-a", "hitl", "--thread", "t"];
    let mut first = place.command(&on(&run, url)).spawn().unwrap();
    let started = Instant::now();
    // The place may not exist before the first process makes it.
    let pending = loop {
        assert!(started.elapsed() < Duration::from_secs(60), "no question");
        let arguments = on(&["threads", "--json"], url);
        let output = place.output(&arguments);
        let threads: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let pending = threads["threads"][0]["waiting"][0].clone();
        if !pending.is_null() && place.path("told.json").exists() {
            break pending;
        }
    };
    assert!(first.try_wait().unwrap().is_none(), "it is still at work");
    first.kill().unwrap();
    assert_eq!(killed_by(&mut first), Some(9));
    std::fs::remove_file(place.path("hold")).unwrap();
    assert_eq!(pending["thread"], "t");
    assert_eq!(pending["interrupt"]["action"], "write_email");

    let done = respond(&["accept", "--json"], url);
    let done: Value = serde_json::from_str(&place.run(&done, 0)).unwrap();
    assert_eq!(done["status"], "finished");
    assert_eq!(done["run"]["outcome"], "finished");
    assert_eq!((ran(&done, "write_email"), ran(&done, "done")), (1, 1));

    let history = history(&place, "t", url);
    let records = history["records"].as_array().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (
            &records[0]["who"],
            &records[0]["decision"],
            &records[0]["interrupt"]
        ),
        (&json!("sam"), &json!("accept"), &pending["interrupt"]["id"])
    );
    let all = json_of(&place, &["threads", "--all"], url);
    assert_eq!(all["threads"][0]["status"], "finished");
    assert_eq!(
        (&all["figures"]["pending"], &all["figures"]["decided"]),
        (&json!(0), &json!(1))
    );
}

#[cfg(unix)]
#[test]
fn a_run_killed_at_its_question_is_answered_and_finished_by_another_process() {
    a_killed_run_is_finished_elsewhere(DATABASE);
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn a_run_killed_at_its_question_is_finished_by_another_process_on_postgres() {
    let server = std::env::var("MAILPROOF_TEST_POSTGRES_URL")
        .expect("`scripts/postgres COMMAND…` runs a command with a server");
    let schema = "mailproof_test_two_processes";
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let connected = tokio_postgres::connect(&server, tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        tokio::spawn(connection);
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        client.batch_execute(&sql).await.unwrap();
    });
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}options=-csearch_path%3D{schema}");
    a_killed_run_is_finished_elsewhere(&url);
}

#[test]
fn a_run_that_asks_ends_by_itself_and_names_thread_question_and_answers() {
    let place = Place::new();
    place.write("m.json", QUESTION);
    let shown = begin(&place, "t");
    for part in [
        "thread t waits for an answer about write_email",
        "Could you tell me whether invoice 1042 was paid?",
        "mailproof respond --thread t --checkpointer sqlite:threads.db edit NAME=VALUE",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let listed = place.run(&on(&["threads"], DATABASE), 0);
    assert!(listed.contains("accept, edit, ignore, respond"), "{listed}");
    assert!(listed.contains("1 pending"), "{listed}");
}

#[test]
fn a_thread_goes_on_to_its_next_question_and_to_its_end() {
    let place = waiting(QUESTION);
    let again = respond(
        &["respond", "Mention that it was paid on Monday.", "--json"],
        DATABASE,
    );
    let again: Value = serde_json::from_str(&place.run(&again, 0)).unwrap();
    assert_eq!(again["status"], "interrupted");
    let subject = "subject=Re: 1042";
    let done = respond(&["edit", subject, "--json"], DATABASE);
    let done: Value = serde_json::from_str(&place.run(&done, 0)).unwrap();
    assert_eq!(done["status"], "finished");
    let history = history(&place, "t", DATABASE);
    let decisions: Vec<_> = history["records"].as_array().unwrap().iter().collect();
    assert_eq!(decisions.len(), 2);
    assert_eq!(decisions[0]["said"], "Mention that it was paid on Monday.");
    assert_eq!(decisions[1]["after"]["subject"], "Re: 1042");
    assert_eq!(decisions[1]["after"]["to"], decisions[1]["before"]["to"]);
}

#[test]
fn an_agent_that_asks_nobody_finishes_on_its_thread() {
    let place = Place::new();
    place.write("m.json", QUESTION);
    let run = [
        "run", "--email", "m.json", "-a", "workflow", "--thread", "w",
    ];
    let done = json_of(&place, &run, DATABASE);
    assert_eq!(done["status"], "finished");
    assert_eq!(ran(&done, "write_email"), 1);
}

#[test]
fn an_answer_that_the_question_does_not_take_is_refused_and_changes_nothing() {
    let place = waiting(NOTICE);
    let before = json_of(&place, &["threads", "t"], DATABASE);
    let refused = place.fail(&respond(&["edit", "to=ana"], DATABASE), 2);
    assert!(
        refused.contains("`notify` does not take `edit`; it takes: accept, ignore, respond"),
        "{refused}"
    );
    assert_eq!(json_of(&place, &["threads", "t"], DATABASE), before);
    place.run(&respond(&["ignore"], DATABASE), 0);
}

#[test]
fn an_edit_that_does_not_fit_is_refused_by_the_agent_and_the_question_waits() {
    let place = waiting(QUESTION);
    let refused = place.fail(&respond(&["edit", "nonsense=1"], DATABASE), 2);
    assert!(
        refused.contains("it has no argument `nonsense`"),
        "{refused}"
    );
    let listed = json_of(&place, &["threads"], DATABASE);
    assert_eq!(listed["figures"]["pending"], 1);
    let done = place.run(&respond(&["accept"], DATABASE), 0);
    assert!(done.contains("finished"), "{done}");
}

#[test]
fn what_cannot_be_answered_is_told_what_and_how() {
    let place = waiting(QUESTION);
    let id = json_of(&place, &["threads", "t"], DATABASE)["waiting"][0]["interrupt"]["id"].clone();
    let id = id.as_str().unwrap();
    let unknown = on(
        &["respond", "--thread", "other", "--as", "sam", "accept"],
        DATABASE,
    );
    for (arguments, part) in [
        (unknown, "nobody started thread `other` here"),
        (respond(&["accept", "--interrupt", "0"], DATABASE), id),
        (respond(&["continue"], DATABASE), "waits for an answer"),
        (
            respond(&["accept"], "sqlite:missing.db"),
            "no threads in `missing.db`",
        ),
        (
            on(&["threads"], "sqlite:missing.db"),
            "no threads in `missing.db`",
        ),
        (on(&["threads"], "memory:"), "end with this process"),
        (
            on(&["threads", "--history", "other"], DATABASE),
            "nobody started thread `other`",
        ),
    ] {
        let refused = place.fail(&arguments, 2);
        assert!(refused.contains(part), "{arguments:?}: {refused}");
    }
    assert!(!place.path("missing.db").exists(), "looking makes nothing");
    place.run(&respond(&["accept", "--interrupt", id], DATABASE), 0);
    let finished = place.fail(&respond(&["accept"], DATABASE), 2);
    assert!(
        finished.contains("nothing to answer: thread `t` is finished"),
        "{finished}"
    );
}

#[test]
fn a_name_that_was_used_is_refused_and_so_are_several_agents() {
    let place = waiting(QUESTION);
    let run = |agents: &[&'static str]| {
        let run = [&["run", "--email", "m.json", "--thread", "t"], agents].concat();
        place.fail(&on(&run, DATABASE), 2)
    };
    let used = run(&["-a", "hitl"]);
    assert!(used.contains("thread `t` was started before"), "{used}");
    for agents in [&[][..], &["-a", "hitl,workflow"]] {
        let refused = run(agents);
        assert!(refused.contains("a thread is one agent's"), "{refused}");
    }
    let listed = json_of(&place, &["threads"], DATABASE);
    assert_eq!(listed["figures"]["pending"], 1);
}

#[test]
fn of_two_processes_that_answer_one_question_one_does_it() {
    let place = waiting(QUESTION);
    let answer = respond(&["accept"], DATABASE);
    let both = [(); 2].map(|()| {
        let mut command = place.command(&answer);
        command.stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    });
    let codes = both.map(|child| child.wait_with_output().unwrap().status.code());
    let mut codes = codes.map(|code| code.expect("it ended by itself"));
    codes.sort_unstable();
    assert_eq!(codes, [0, 2]);
    let records = history(&place, "t", DATABASE);
    assert_eq!(records["records"].as_array().unwrap().len(), 1);
    assert_eq!(records["status"], "finished");
}

#[test]
fn only_approvers_may_answer_and_others_are_recorded() {
    let place = waiting(QUESTION);
    place.write("mailproof.yaml", "approvers: [lee, 'bo:question']\n");
    for who in ["eve", "bo"] {
        let answer = ["respond", "--thread", "t", "--as", who, "accept"];
        let refused = place.fail(&on(&answer, DATABASE), 2);
        let reason = format!("`{who}` may not answer `write_email`; those who may: lee");
        assert!(refused.contains(&reason), "{refused}");
    }
    let before = history(&place, "t", DATABASE);
    assert_eq!(before["status"], "interrupted");
    let answer = ["respond", "--thread", "t", "--as", "lee", "accept"];
    place.run(&on(&answer, DATABASE), 0);
    let records = history(&place, "t", DATABASE);
    let who: Vec<_> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            (
                record["who"].as_str().unwrap(),
                record["decision"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        who,
        [("eve", "refused"), ("bo", "refused"), ("lee", "accept")]
    );
    let figures = json_of(&place, &["threads"], DATABASE)["figures"].clone();
    assert_eq!(
        (&figures["refused"], &figures["decided"]),
        (&json!(2), &json!(1))
    );
    // Without a name there is nobody to hold to it.
    let nobody = place.fail(&on(&["respond", "--thread", "t", "accept"], DATABASE), 2);
    assert!(nobody.contains("--as NAME"), "{nobody}");
}

#[cfg(unix)]
#[test]
fn a_command_is_told_once_of_a_question_and_runs_nothing_of_the_email() {
    let place = Place::new();
    place.write(
        "m.json",
        &QUESTION.replace("Invoice 1042", "$(touch owned) `touch owned`"),
    );
    place.write("mailproof.yaml", "notify_command: [tee, -a, told.jsonl]\n");
    begin(&place, "t");
    place.run(&on(&["threads"], DATABASE), 0);
    place.fail(&respond(&["edit", "nonsense=1"], DATABASE), 2);
    place.run(&respond(&["respond", "Shorter."], DATABASE), 0);
    place.run(&respond(&["accept"], DATABASE), 0);
    let told = std::fs::read_to_string(place.path("told.jsonl")).unwrap();
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        told.len(),
        2,
        "a question, and the one about the next draft"
    );
    assert_eq!(
        (&told[0]["thread"], &told[1]["thread"]),
        (&json!("t"), &json!("t"))
    );
    assert_ne!(told[0]["interrupt"]["id"], told[1]["interrupt"]["id"]);
    assert!(!place.path("owned").exists());
}

#[test]
fn a_command_that_fails_leaves_the_question_waiting() {
    let place = Place::new();
    place.write("m.json", QUESTION);
    place.write("mailproof.yaml", "notify_command: no-such-program\n");
    let run = ["run", "--email", "m.json", "-a", "hitl", "--thread", "t"];
    let output = place.output(&on(&run, DATABASE));
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`no-such-program`"), "{stderr}");
    assert_eq!(
        json_of(&place, &["threads"], DATABASE)["figures"]["pending"],
        1
    );
}

#[test]
fn a_thread_whose_process_died_after_the_answer_goes_on_without_asking_again() {
    let place = waiting(QUESTION);
    place.run(&respond(&["accept"], DATABASE), 0);
    // As if the process had died as soon as the answer was stored.
    let database = Connection::open(place.path("threads.db")).unwrap();
    let died = "DELETE FROM mailproof_checkpoints WHERE sequence > (
        SELECT sequence FROM mailproof_checkpoints WHERE checkpoint LIKE '%\"resumed\"%')";
    assert!(database.execute(died, []).unwrap() > 0);
    let listed = place.run(&on(&["threads", "--all"], DATABASE), 0);
    assert!(listed.contains("at work, or its process died"), "{listed}");
    let again = place.fail(&respond(&["accept"], DATABASE), 2);
    assert!(again.contains("continue"), "{again}");
    let done = respond(&["continue", "--json"], DATABASE);
    let done: Value = serde_json::from_str(&place.run(&done, 0)).unwrap();
    assert_eq!(
        (&done["status"], ran(&done, "write_email")),
        (&json!("finished"), 1)
    );
    let records = history(&place, "t", DATABASE);
    assert_eq!(records["records"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_remembered_is_listed_with_content_and_update_time() {
    let place = waiting(QUESTION);
    let url = format!("sqlite:{}", place.path("threads.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = store::open(&url).await.unwrap();
        let namespace = "email_assistant/triage_preferences";
        let text = "Ignore newsletters.\u{1b}[2J";
        store
            .put(namespace, "user_preferences", json!(text))
            .await
            .unwrap();
    });
    let items = json_of(&place, &["threads", "--memory"], DATABASE);
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(items[0]["key"], "user_preferences");
    assert!(items[0]["updated_at"].is_string());
    let text = place.run(&on(&["threads", "--memory"], DATABASE), 0);
    assert!(text.starts_with("email_assistant/triage_preferences  user_preferences  updated 2"));
    assert!(text.contains(r"Ignore newsletters.\u{1b}[2J"), "{text}");
}

#[test]
fn what_one_thread_teaches_another_process_remembers() {
    let place = Place::new();
    place.write("m.json", NOTICE);
    let run = |thread: &'static str| {
        let run = [
            "run",
            "--email",
            "m.json",
            "-a",
            "hitl-memory",
            "--thread",
            thread,
        ];
        json_of(&place, &run, DATABASE)
    };
    let triage = |items: &Value| {
        let items = items.as_array().unwrap().iter();
        let mut found =
            items.filter(|item| item["namespace"] == "email_assistant/triage_preferences");
        found.next().expect("a profile of triage").clone()
    };
    assert_eq!(run("first")["waiting"][0]["interrupt"]["action"], "notify");
    let before = triage(&json_of(&place, &["threads", "--memory"], DATABASE));
    let first = ["respond", "--thread", "first", "--as", "sam"];
    place.run(&on(&[&first[..], &["ignore"]].concat(), DATABASE), 0);
    let after = triage(&json_of(&place, &["threads", "--memory"], DATABASE));
    assert_ne!(after["value"], before["value"]);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_ne!(after["updated_at"], before["updated_at"]);
    let second = run("second");
    assert_eq!(
        (&second["status"], &second["run"]["triage"]),
        (&json!("finished"), &json!("ignore"))
    );
}

#[test]
fn what_an_email_says_cannot_move_the_cursor_of_who_reads_the_question() {
    let place = Place::new();
    let hostile = r"Invoice 1042 \u001b[2J\u202e\u0007\u009b";
    place.write("m.json", &QUESTION.replace("Invoice 1042", hostile));
    let mut shown = begin(&place, "t");
    shown += &place.run(&on(&["threads"], DATABASE), 0);
    shown += &place.run(&on(&["threads", "t"], DATABASE), 0);
    shown += &place.run(&respond(&["respond", "Shorter \u{1b}[31m"], DATABASE), 0);
    shown += &place.run(&on(&["threads", "--history", "t"], DATABASE), 0);
    for hostile in ['\u{1b}', '\u{202e}', '\u{7}', '\u{9b}'] {
        assert!(!shown.contains(hostile), "{hostile:?}");
    }
    for visible in [r"\u{202e}", r"\u{1b}[31m"] {
        assert!(shown.contains(visible), "{visible} in {shown}");
    }
}

#[test]
fn a_place_that_is_missing_is_an_error_before_anything_runs() {
    let place = Place::new();
    place.write("m.json", QUESTION);
    let run = ["run", "--email", "m.json", "-a", "hitl", "--thread", "t"];
    let mut from_environment = place.command(&run);
    from_environment.env("MONGODB_URI", "mongodb://me:secret@127.0.0.1:9/threads");
    let output = from_environment.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("mongodb") && !stderr.contains("secret"),
        "{stderr}"
    );
    let unwritable = place.fail(&on(&run, "sqlite:no-such-folder/threads.db"), 2);
    assert!(
        unwritable.contains("no-such-folder/threads.db"),
        "{unwritable}"
    );
    #[cfg(feature = "postgres")]
    {
        let url = "postgres://me:secret@127.0.0.1:9/threads";
        let unreachable = place.fail(&on(&run, url), 2);
        assert!(unreachable.contains("127.0.0.1:9"), "{unreachable}");
        assert!(!unreachable.contains("secret"), "{unreachable}");
    }
    assert!(!place.path("mailproof-threads.db").exists());
}
