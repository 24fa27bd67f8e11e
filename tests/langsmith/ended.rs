//! Pushes that are asked to stop, and those that a run requires.

use super::bench::{Bench, KEY, MAILS, done, server};
use super::faults::{Fault, On, Rule, When};

#[cfg(unix)]
#[test]
fn a_service_that_never_answers_does_not_keep_a_push_from_stopping() {
    use std::process::Command;

    let bench = Bench::with(&["-a", "workflow"]);
    for signal in ["-INT", "-TERM"] {
        let server = server();
        server.faults(&[Rule {
            on: On::Any,
            when: When::Every(1),
            fault: Fault::Silence { done: false },
        }]);
        let mut command = bench.command(Some(&server), &["push", "langsmith", "e"]);
        let push = command.env("MAILPROOF_MAX_RETRIES", "0").spawn().unwrap();
        assert_eq!(server.silence.recv().unwrap(), "GET /info");
        let sent = Command::new("kill")
            .args([signal, &push.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let output = push.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        for words in [
            "stopping",
            "`mailproof push langsmith e --max-retries 0` goes on",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

/// A run pushed as it is required to, with a key that may be wrong.
fn required(experiment: &str, key: &str, more: &[&str]) -> (Option<i32>, String) {
    let bench = Bench::new();
    // Of these answers one is wrong.
    bench.write(
        "mails.yaml",
        &MAILS.replace("triage: ignore", "triage: respond"),
    );
    let server = server();
    bench.write("keys", &format!("LANGSMITH_API_KEY={key}\n"));
    let run = ["run", "-q", "-d", "mails.yaml", "-a", "workflow", "-e"];
    let push = [
        "--push",
        "langsmith",
        "--push-required",
        "--env-file",
        "keys",
    ];
    let mut command = bench.command(None, &[&run, &[experiment][..], &push, more].concat());
    command.env("LANGSMITH_ENDPOINT", &server.origin);
    let done = done(command);
    (done.code, done.stderr)
}

#[test]
fn a_push_that_is_required_and_cannot_be_is_what_a_run_ends_with() {
    const GATE: &str = "--gate=triage.accuracy >= 1";
    let (code, said) = required("e", KEY, &[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = required("e", KEY, &[GATE]);
    assert_eq!(code, Some(100), "{said}");
    for more in [&[][..], &[GATE]] {
        let (code, said) = required("e", "lsv2_pt_wrong", more);
        assert_eq!(code, Some(5), "{said}");
        let goes_on = "`mailproof push langsmith e --env-file keys` goes on";
        assert!(said.contains("401") && said.contains(goes_on), "{said}");
    }
}

#[test]
fn labels_are_refused_where_two_experiments_are_compared() {
    let bench = Bench::new();
    let push = ["push", "langsmith", "a", "--against", "b"];
    let done = bench.mailproof(None, &[&push[..], &["--labels", "ana.jsonl"]].concat());
    let said = done.exits(2).stderr;
    assert!(said.contains("cannot be used with"), "{said}");
}
