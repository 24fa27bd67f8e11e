//! Without a key, without a server: what went wrong is said, and results stay as they are.

use std::net::TcpListener;

use uuid::Uuid;

use super::bench::{Bench, Done, KEY, MAILS, contains, done, files, server};
use super::faults::{Fault, On, Rule, When};
use super::server::Server;
use super::service::Settings;

/// Answers nothing else, and says how many seconds to wait.
fn closed(status: u16, seconds: &'static str) -> Server {
    let server = server();
    server.faults(&[Rule {
        on: On::Any,
        when: When::Every(1),
        fault: Fault::Status {
            status,
            retry_after: Some(seconds),
        },
    }]);
    server
}

#[test]
fn a_push_that_cannot_be_says_why_and_touches_nothing() {
    let bench = Bench::with(&["-a", "workflow"]);
    let before = files(&bench.path().join("reports"));
    let of_organisation = Server::start(Settings {
        workspace: Some(Uuid::from_u128(1)),
        ..Settings::new(KEY)
    });
    let (open, down, busy) = (server(), closed(503, "0"), closed(429, "600"));
    let open_at = open.origin.as_str();
    let other = "00000000-0000-0000-0000-000000000002";
    type Case<'a> = (
        &'a str,
        &'a str,
        &'a [(&'a str, &'a str)],
        i32,
        &'a [&'a str],
    );
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let cases: [Case; 11] = [
        ("no key", open_at, &[], 2, &["LANGSMITH_API_KEY"]),
        (
            "a wrong key",
            open_at,
            &[("LANGSMITH_API_KEY", "lsv2_pt_wrong")],
            2,
            &["401", "LANGSMITH_API_KEY"],
        ),
        (
            "a key of an organisation",
            &of_organisation.origin,
            &[("LANGSMITH_API_KEY", KEY)],
            2,
            &["LANGSMITH_WORKSPACE_ID"],
        ),
        (
            "another workspace",
            &of_organisation.origin,
            &[
                ("LANGSMITH_API_KEY", KEY),
                ("LANGSMITH_WORKSPACE_ID", other),
            ],
            2,
            &["403"],
        ),
        (
            "no workspace at all",
            open_at,
            &[
                ("LANGSMITH_API_KEY", KEY),
                ("LANGSMITH_WORKSPACE_ID", "mine"),
            ],
            2,
            &["LANGSMITH_WORKSPACE_ID", "UUID"],
        ),
        (
            "no address",
            "nowhere",
            &[("LANGSMITH_API_KEY", KEY)],
            2,
            &["LANGSMITH_ENDPOINT"],
        ),
        (
            "metadata that are none",
            open_at,
            &[
                ("LANGSMITH_API_KEY", KEY),
                ("LANGSMITH_EXPERIMENT_METADATA", "[1]"),
            ],
            2,
            &["LANGSMITH_EXPERIMENT_METADATA"],
        ),
        (
            "a server that is down",
            &down.origin,
            &[("LANGSMITH_API_KEY", KEY)],
            5,
            &["503"],
        ),
        (
            "no server",
            &nobody,
            &[("LANGSMITH_API_KEY", KEY), ("MAILPROOF_MAX_RETRIES", "1")],
            5,
            &["cannot be reached", "mailproof push langsmith e"],
        ),
        (
            "a server that wants minutes",
            &busy.origin,
            &[("LANGSMITH_API_KEY", KEY)],
            5,
            &["LangSmith takes no more requests for now", "600"],
        ),
        (
            "no tracking wanted",
            open_at,
            &[
                ("LANGSMITH_API_KEY", KEY),
                ("LANGSMITH_TEST_TRACKING", "false"),
            ],
            0,
            &["LANGSMITH_TEST_TRACKING"],
        ),
    ];
    for (case, endpoint, environment, code, told) in cases {
        let mut command = bench.command(None, &["push", "langsmith", "e"]);
        command
            .env("LANGSMITH_ENDPOINT", endpoint)
            .envs(environment.iter().copied());
        let done = done(command);
        assert_eq!(done.code, Some(code), "{case}: {done:?}");
        for words in told {
            assert!(
                done.stderr.contains(words),
                "{case}: {words}: {}",
                done.stderr
            );
        }
        assert!(!done.stderr.contains(KEY), "{case}");
        assert_eq!(files(&bench.path().join("reports")), before, "{case}");
    }
    assert_eq!(open.writes(), 0);
    assert_eq!(of_organisation.writes(), 0);

    // The address of nobody on this machine.
    let mut command = bench.command(None, &["push", "langsmith", "e", "--offline"]);
    command
        .env("LANGSMITH_ENDPOINT", "https://langsmith.example")
        .env("LANGSMITH_API_KEY", KEY);
    let refused = self::done(command);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(files(&bench.path().join("reports")), before);
}

fn run(bench: &Bench, server: &Server, more: &[&str]) -> Done {
    let run = [
        "run",
        "-q",
        "-d",
        "mails.yaml",
        "-a",
        "workflow",
        "--push",
        "langsmith",
    ];
    bench.mailproof(Some(server), &[&run, more].concat())
}

#[test]
fn a_failed_push_fails_a_run_only_where_that_is_asked() {
    let bench = Bench::new();
    let closed = closed(503, "0");
    let gate = ["--min-pass-rate", "1"];
    for (name, more, code) in [
        ("kept", &["-e", "kept"][..], 0),
        ("required", &["-e", "required", "--push-required"], 5),
    ] {
        let done = run(&bench, &closed, more);
        assert_eq!(done.code, Some(code), "{name}: {done:?}");
        let told = format!("mailproof push langsmith {name}");
        assert!(done.stderr.contains(&told), "{name}: {}", done.stderr);
        assert!(
            bench
                .path()
                .join("reports")
                .join(name)
                .join("report.json")
                .exists()
        );
    }
    // What the run itself found is told first.
    bench.write(
        "mails.yaml",
        &MAILS.replace("triage: notify", "triage: respond"),
    );
    for required in [&[][..], &["--push-required"]] {
        let name = format!("gated-{}", required.len());
        let done = run(
            &bench,
            &closed,
            &[&["-e", &name], &gate[..], required].concat(),
        );
        let code = if required.is_empty() { 100 } else { 5 };
        assert_eq!(done.code, Some(code), "{done:?}");
    }

    // The journal is the queue.
    let server = server();
    bench.mailproof(Some(&server), &["push", "langsmith", "required"]);
    assert_eq!(server.state()["sessions"].as_object().unwrap().len(), 1);
}

#[test]
fn a_run_sends_nothing_where_tracking_is_off() {
    let bench = Bench::new();
    let server = server();
    let run = [
        "run",
        "-q",
        "-d",
        "mails.yaml",
        "-a",
        "workflow",
        "-e",
        "e",
        "--push",
        "langsmith",
    ];
    for (value, sent) in [("false", false), ("true", true)] {
        let mut arguments = run.to_vec();
        arguments[7] = value;
        let mut command = bench.command(Some(&server), &arguments);
        command.env("LANGSMITH_TEST_TRACKING", value);
        done(command).exits(0);
        assert_eq!(!server.asked().is_empty(), sent, "{value}");
    }
}

#[test]
fn the_key_is_in_no_body_and_no_file() {
    let bench = Bench::new();
    bench.write(
        "mails.yaml",
        &MAILS.replace("when invoice 1042", &format!("{KEY} when invoice 1042")),
    );
    let server = server();
    let run = [
        "run",
        "-d",
        "mails.yaml",
        "-a",
        "hitl",
        "-e",
        "e",
        "--push",
        "langsmith",
        "-v",
    ];
    let done = bench.mailproof(Some(&server), &run).exits(0);
    // Results of before keys were looked for are pushed by others too.
    let again = bench.push(&server).exits(0);
    for told in [&done, &again] {
        assert!(
            !told.stdout.contains(KEY) && !told.stderr.contains(KEY),
            "{told:?}"
        );
    }
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .any(|it| contains(&it.request.body, "invoice 1042")),
        "bodies were read"
    );
    for asked in &asked {
        assert!(
            !contains(&asked.request.body, KEY),
            "{}",
            asked.request.path
        );
        assert!(
            asked
                .request
                .query
                .iter()
                .all(|(_, value)| !value.contains(KEY))
        );
        assert_eq!(asked.request.header("x-api-key"), Some(KEY));
    }
    assert!(!contains(&server.wire(), KEY));
    for (path, bytes) in files(&bench.path().join("reports")) {
        assert!(!contains(&bytes, KEY), "{path}");
    }
}

#[test]
fn a_run_that_is_refused_is_named_and_the_rest_is_sent() {
    let bench = Bench::with(&["-a", "workflow"]);
    let server = server();
    // One attempt is too old to be taken: it is beyond what the others are moved by.
    let path = bench.path().join("reports/e/journal.jsonl");
    let journal = std::fs::read_to_string(&path).unwrap();
    let started = &bench.journal("e", "attempt")[0]["started"];
    let old = r#""2020-01-01T00:00:00Z""#;
    std::fs::write(&path, journal.replacen(&started.to_string(), old, 1)).unwrap();
    let done = bench.push(&server).exits(5);
    let state = server.state();
    let runs = state["runs"].as_object().unwrap().values();
    assert_eq!(
        runs.filter(|run| run.get("parent_run_id").is_none())
            .count(),
        2
    );
    assert!(done.stderr.contains("24h ingest window"), "{}", done.stderr);
}

#[test]
fn a_service_that_does_not_count_takes_nothing_back() {
    let bench = Bench::with(&["-a", "workflow"]);
    let server = server();
    bench.push(&server).exits(0);
    // The experiment is read twice: whether it is there, and what it counts.
    server.faults(&[Rule {
        on: On::Path(session_of(&server)),
        when: When::Nth(2),
        fault: Fault::Status {
            status: 503,
            retry_after: None,
        },
    }]);
    let push = ["push", "langsmith", "e", "--max-retries", "0"];
    let told = bench.mailproof(Some(&server), &push).exits(0).stdout;
    assert!(told.contains("did not say what it counts"), "{told}");

    // With a retry it does.
    server.faults(&[Rule {
        on: On::Path(session_of(&server)),
        when: When::Nth(2),
        fault: Fault::Status {
            status: 503,
            retry_after: Some("0"),
        },
    }]);
    let push = ["push", "langsmith", "e", "--max-retries", "1"];
    let told = bench.mailproof(Some(&server), &push).exits(0).stdout;
    assert!(told.contains("LangSmith counts all of them"), "{told}");
}

fn session_of(server: &Server) -> &'static str {
    let state = server.state();
    let id = state["sessions"].as_object().unwrap().keys().next();
    id.unwrap().clone().leak()
}
