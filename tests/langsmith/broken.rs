//! Whatever cuts a push off, pushing again ends where one clean push does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::bench::{Bench, server};
use super::faults::{Fault, On, Rule, When};
use super::server::Server;

/// Enough that every kind of request is sent, more than one of some.
fn bench() -> Bench {
    Bench::with(&["-a", "workflow", "-a", "hitl-memory"])
}

/// What is there after one push that nothing happens to, and how many requests that took.
fn clean(bench: &Bench, change: impl Fn(&Server)) -> (Value, usize) {
    let server = server();
    change(&server);
    bench.push(&server).exits(0);
    (server.state(), server.asked().len())
}

/// Requests are small enough that there are several.
fn small(server: &Server) {
    server.configure(|settings| settings.size_limit = 12);
}

/// Pushes until all is there. Each push may end with something left, none with anything else.
#[track_caller]
fn finish(bench: &Bench, server: &Server, case: &str) {
    for _ in 0..40 {
        let done = bench.push(server);
        match done.code {
            Some(0) => return,
            Some(5) => {}
            _ => panic!("{case}: {done:?}"),
        }
    }
    panic!("{case}: it never ends");
}

/// Starts a push and kills it as soon as the service falls silent, if it does: at which request.
fn kill_in_silence(bench: &Bench, server: &Server) -> Option<String> {
    let mut push = bench.spawn_push(server);
    let silent = loop {
        match server.silence.recv_timeout(Duration::from_millis(5)) {
            Ok(request) => break Some(request),
            Err(RecvTimeoutError::Timeout) if push.try_wait().unwrap().is_some() => {
                break server.silence.try_recv().ok();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the server is gone"),
        }
    };
    push.kill().unwrap();
    push.wait().unwrap();
    silent
}

fn silence(nth: usize, done: bool) -> Rule {
    Rule {
        on: On::Any,
        when: When::Nth(nth),
        fault: Fault::Silence { done },
    }
}

/// Runs `work` with 0..count, so many of them at once.
fn each(count: usize, at_once: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Ordering::SeqCst) {
                        number if number < count => work(number),
                        _ => break,
                    }
                }
            });
        }
    });
}

#[test]
fn a_push_that_was_killed_at_any_of_fifty_points_is_finished_by_the_next() {
    let bench = bench();
    let (expected, requests) = clean(&bench, small);
    let killed = AtomicUsize::new(0);
    each(50, 4, |number| {
        let mut rng = fastrand::Rng::with_seed(number as u64);
        let (point, done) = (rng.usize(1..=requests), rng.bool());
        let case = format!("killed at request {point} of {requests}, done: {done}");
        let server = server();
        small(&server);
        server.faults(&[silence(point, done)]);
        killed.fetch_add(
            usize::from(kill_in_silence(&bench, &server).is_some()),
            Ordering::SeqCst,
        );
        server.faults(&[]);
        bench.push(&server).exits(0);
        assert_eq!(server.state(), expected, "{case}");
    });
    assert_eq!(killed.into_inner(), 50);
}

#[test]
fn a_push_that_is_killed_again_and_again_gets_there() {
    let bench = bench();
    // Every attempt fits into a request: one that does not begins anew whenever it is cut off.
    let fitting = |server: &Server| server.configure(|settings| settings.size_limit = 60);
    let (expected, _) = clean(&bench, fitting);
    let server = server();
    fitting(&server);
    // Each push gets one write further than the one before, whose answer it never hears. What
    // was under way beside that write may get there too, so the pushes are not counted.
    let next = Rule {
        on: On::Writes,
        when: When::Nth(1),
        fault: Fault::Silence { done: true },
    };
    let mut silent = BTreeSet::new();
    for pushes in 1.. {
        server.faults(&[next]);
        let Some(request) = kill_in_silence(&bench, &server) else {
            break;
        };
        let parts = request.split('/').filter(|part| part.len() < 36);
        silent.insert(parts.collect::<Vec<_>>().join("/"));
        assert!(pushes < 60, "it never ends: {:?}", server.writes_made());
    }
    let each_kind = [
        "PATCH /sessions",
        "POST /datasets",
        "POST /runs/multipart",
        "POST /sessions",
        "POST /v1/platform/datasets/examples",
    ];
    assert!(silent.iter().eq(&each_kind), "{silent:?}");
    assert_eq!(server.state(), expected);
}

/// Every fault, in every place where it can be.
fn rules() -> Vec<(&'static str, Vec<Rule>)> {
    let rule = |on, when, fault| Rule { on, when, fault };
    let status = |status| Fault::Status {
        status,
        retry_after: Some("0"),
    };
    let mut rules = vec![
        (
            "429 a third of the time",
            vec![rule(On::Any, When::Percent(33, 1), status(429))],
        ),
        (
            "503 a third of the time",
            vec![rule(On::Any, When::Percent(33, 2), status(503))],
        ),
        (
            "408, then 500",
            vec![
                rule(On::Any, When::Every(5), status(408)),
                rule(On::Any, When::Every(3), status(500)),
            ],
        ),
        (
            "503 for all runs at first",
            vec![rule(
                On::Path("/runs/multipart"),
                When::First(9),
                status(503),
            )],
        ),
    ];
    for (name, fault) in [
        ("lost request", Fault::LostRequest),
        ("lost answer", Fault::LostAnswer),
        ("reset", Fault::Reset),
    ] {
        for path in ["/datasets", "/examples", "/sessions", "/runs/multipart"] {
            rules.push((name, vec![rule(On::Path(path), When::First(1), fault)]));
        }
        rules.push((name, vec![rule(On::Writes, When::Every(4), fault)]));
    }
    rules
}

#[test]
fn a_bad_network_changes_nothing_of_what_arrives() {
    let bench = bench();
    let (expected, _) = clean(&bench, small);
    let rules = rules();
    each(rules.len(), rules.len(), |number| {
        let (name, rules) = &rules[number];
        let server = server();
        small(&server);
        server.faults(rules);
        finish(&bench, &server, name);
        assert_eq!(server.state(), expected, "{name}: {rules:?}");
    });
}

#[test]
fn a_bad_network_is_no_worse_where_mixtures_are_refused() {
    let bench = bench();
    let strict = |server: &Server| {
        server.configure(|settings| {
            settings.size_limit = 12;
            settings.refuses_mixtures = true;
        });
    };
    let (expected, _) = clean(&bench, strict);
    let rule = |when, fault| Rule {
        on: On::Path("/runs/multipart"),
        when,
        fault,
    };
    let cases = [
        [rule(When::First(1), Fault::LostAnswer)],
        [rule(When::Nth(3), Fault::LostAnswer)],
        [rule(When::Every(3), Fault::Reset)],
        [rule(When::Every(2), Fault::LostRequest)],
    ];
    each(cases.len(), cases.len(), |number| {
        let server = server();
        strict(&server);
        server.faults(&cases[number]);
        finish(&bench, &server, &format!("{:?}", cases[number]));
        assert_eq!(server.state(), expected, "{:?}", cases[number]);
    });
}

#[test]
fn what_was_taken_and_is_not_found_yet_is_not_there_twice() {
    let bench = bench();
    for mixtures in [false, true] {
        let server = server();
        small(&server);
        server.configure(|settings| settings.refuses_mixtures = mixtures);
        // Half of it, or so.
        server.faults(&[Rule {
            on: On::Path("/runs/multipart"),
            when: When::Nth(4),
            fault: Fault::Silence { done: true },
        }]);
        assert!(kill_in_silence(&bench, &server).is_some());
        server.faults(&[]);
        server.configure(|settings| settings.lags = true);
        bench.push(&server).exits(0);
        bench.push(&server).exits(0);
        let (expected, _) = clean(&bench, small);
        assert_eq!(server.state(), expected, "mixtures are refused: {mixtures}");
    }
}
