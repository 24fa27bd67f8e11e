use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Semaphore;

use super::*;
use crate::email::Triage;
use crate::experiment::Suite;
use crate::experiment::journal::Reader;
use crate::experiment::plan::Choices;
use crate::experiment::tests::{
    Asks, Bench, Fake, attempts, choices, dataset, proposal, right, run,
};
use crate::run::{Allowed, Outcome, Run};
use crate::target::{Start, Until};

#[tokio::test]
async fn every_case_is_recorded_once_and_the_counts_say_so() {
    let bench = Bench::new(
        &Choices {
            repeat: 3,
            ..choices()
        },
        dataset(4),
    );
    let target = Arc::new(Fake(async |_, start: Start| {
        run(if start.thread.starts_with("baseline") {
            Triage::Respond
        } else {
            Triage::Ignore
        })
    }));
    let execution = bench.execution(bench.create(), target, 2);
    let told = execution.progress.subscribe();
    let Summary {
        because, counts, ..
    } = execute(execution).await.unwrap();
    assert_eq!(because, EndReason::Complete);
    assert_eq!(*told.borrow(), counts);
    assert_eq!((counts.passed, counts.failed, counts.unscored), (12, 12, 0));
    assert_eq!(counts.usage.calls(), 24);
    let cases: Vec<_> = attempts(&bench.path())
        .iter()
        .map(|a| a.case.case())
        .collect();
    assert_eq!(cases, bench.plan.cases().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_panic_that_quotes_a_key_is_recorded_without_it() {
    let bench = Bench::new(&choices(), dataset(1));
    let target = Arc::new(Fake(async |id: String, _| {
        assert_ne!(
            id, "e0",
            "a model said: wrong key sk-canary-0123456789abcdef"
        );
        run(Triage::Respond)
    }));
    let execution = bench.execution(bench.create(), target, 1);
    execute(execution).await.unwrap();
    let journal = std::fs::read_to_string(bench.path()).unwrap();
    assert!(
        journal.contains("a model said: wrong key [redacted]"),
        "{journal}"
    );
    assert!(!journal.contains("canary"), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_and_many_at_once_leave_the_same_records() {
    let bench = |at_once| async move {
        let bench = Bench::new(
            &Choices {
                repeat: 5,
                ..choices()
            },
            dataset(20),
        );
        let target = Arc::new(Fake(async |id: String, start: Start| {
            for _ in 0..id.len() {
                tokio::task::yield_now().await;
            }
            let mut run = run(if start.thread.starts_with("baseline") {
                Triage::Respond
            } else {
                Triage::Notify
            });
            run.reasoning = Some(start.thread);
            run
        }));
        let execution = bench.execution(bench.create(), target, at_once);
        execute(execution).await.unwrap();
        attempts(&bench.path())
            .iter()
            .map(|attempt| serde_json::to_string(attempt).unwrap())
            .collect::<Vec<_>>()
    };
    let one = bench(1).await;
    assert_eq!(one.len(), 200);
    assert_eq!(one, bench(64).await);
}

#[tokio::test]
async fn threads_are_unique_and_runs_are_told_their_limits() {
    for (suites, until) in [
        (&[Suite::Triage][..], Until::Triage),
        (&[Suite::Triage, Suite::Response], Until::End),
    ] {
        let choices = Choices {
            suites: suites.to_vec(),
            repeat: 2,
            ..choices()
        };
        let bench = Bench::new(&choices, dataset(3));
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&threads);
        let target = Arc::new(Fake(move |_, start: Start| {
            assert_eq!(start.timeout, std::time::Duration::from_secs(300));
            assert_eq!(start.max_steps, 25);
            assert_eq!(start.until, until);
            seen.lock().unwrap().insert(start.thread);
            async { run(Triage::Respond) }
        }));
        let execution = bench.execution(bench.create(), target, 4);
        // A failed assertion would be the record of its case, not the end of this test.
        assert_eq!(execute(execution).await.unwrap().counts.unscored, 0);
        let threads = threads.lock().unwrap();
        assert_eq!(threads.len(), 12);
        assert!(threads.contains("workflow@rules/e2/1"));
    }
}

#[tokio::test]
async fn no_more_cases_are_in_flight_than_allowed() {
    let bench = Bench::new(
        &Choices {
            repeat: 10,
            ..choices()
        },
        dataset(10),
    );
    let flying = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, high) = (Arc::clone(&flying), Arc::clone(&most));
    let target = Arc::new(Fake(move |_, _| {
        let (now, high) = (Arc::clone(&now), Arc::clone(&high));
        async move {
            high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            run(Triage::Respond)
        }
    }));
    execute(bench.execution(bench.create(), target, 7))
        .await
        .unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn an_attempt_is_recorded_while_the_next_case_waits_for_its_model() {
    let bench = Bench::new(&choices(), dataset(3));
    let started = Arc::new(AtomicUsize::new(0));
    let path = bench.path();
    let target = Arc::new(Fake(move |_, _| {
        let earlier = started.fetch_add(1, Ordering::SeqCst);
        let path = path.clone();
        async move {
            let recorded = || attempts(&path).len();
            assert_eq!(recorded(), earlier.saturating_sub(1), "asked before that");
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(recorded(), earlier);
            run(Triage::Respond)
        }
    }));
    let execution = bench.execution(bench.create(), target, 1);
    // A failed assertion would be the record of its case, not the end of this test.
    assert_eq!(execute(execution).await.unwrap().counts.unscored, 0);
    assert_eq!(attempts(&bench.path()).len(), 6);
}

#[tokio::test]
async fn after_a_cancel_no_case_starts_and_those_in_flight_are_recorded() {
    let bench = Bench::new(&choices(), dataset(50));
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let (held, begun) = (Arc::clone(&gate), Arc::clone(&started));
    let target = Arc::new(Fake(move |_, _| {
        begun.fetch_add(1, Ordering::SeqCst);
        let held = Arc::clone(&held);
        async move {
            held.acquire().await.unwrap().forget();
            run(Triage::Respond)
        }
    }));
    let execution = bench.execution(bench.create(), target, 5);
    let cancel = execution.cancel.clone();
    let running = tokio::spawn(execute(execution));
    while started.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    gate.add_permits(100);
    assert_eq!(
        running.await.unwrap().unwrap().because,
        EndReason::Cancelled
    );
    assert_eq!(started.load(Ordering::SeqCst), 5);
    assert_eq!(attempts(&bench.path()).len(), 5);
}

#[tokio::test]
async fn enough_failures_stop_the_run_and_errors_are_not_failures() {
    for (case, agent, outcome, end, recorded) in [
        (
            "wrong",
            Triage::Ignore,
            Outcome::Finished,
            EndReason::MaxFailures,
            3,
        ),
        (
            "gave up",
            Triage::Respond,
            Outcome::Protocol,
            EndReason::MaxFailures,
            3,
        ),
        (
            "provider",
            Triage::Respond,
            Outcome::Provider,
            EndReason::Complete,
            20,
        ),
        (
            "right",
            Triage::Respond,
            Outcome::Finished,
            EndReason::Complete,
            20,
        ),
    ] {
        let bench = Bench::new(&choices(), dataset(10));
        let target = Arc::new(Fake(move |_, _| {
            let run = Run {
                outcome,
                ..run(agent)
            };
            async { run }
        }));
        let execution = Execution {
            max_failures: NonZeroU64::new(3),
            ..bench.execution(bench.create(), target, 1)
        };
        assert_eq!(execute(execution).await.unwrap().because, end, "{case}");
        assert_eq!(attempts(&bench.path()).len(), recorded, "{case}");
    }
}

#[tokio::test]
async fn a_panic_is_the_record_of_its_case_alone() {
    let bench = Bench::new(&choices(), dataset(3));
    let target = Arc::new(Fake(|id: String, _| {
        // Both before there is a future and within it.
        assert_ne!(id, "e0", "early");
        async move {
            assert_ne!(id, "e1", "late");
            run(Triage::Respond)
        }
    }));
    let execution = bench.execution(bench.create(), target, 2);
    assert_eq!(
        execute(execution).await.unwrap().because,
        EndReason::Complete
    );
    for attempt in attempts(&bench.path()) {
        let broken = attempt.case.example != "e2";
        assert_eq!(attempt.outcome == Outcome::Harness, broken);
        assert_eq!(attempt.verdict() == Verdict::Unscored, broken);
        let error = attempt.error.unwrap_or_default();
        assert_eq!(error.starts_with("panicked: "), broken, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_in_the_file() {
    let bench = Bench::new(
        &Choices {
            repeat: 20,
            ..choices()
        },
        dataset(10),
    );
    let execution = bench.execution(bench.create(), right(), 8);
    let mut counts = execution.progress.subscribe();
    let path = bench.path();
    let watching = tokio::spawn(async move {
        let mut looks = 0;
        while counts.changed().await.is_ok() {
            let counted = counts.borrow_and_update().recorded();
            let mut reader = Reader::open(&path).unwrap();
            let written = reader.attempts::<serde::de::IgnoredAny>().count() as u64;
            assert!(written >= counted, "{counted} counted, {written} written");
            looks += 1;
        }
        looks
    });
    execute(execution).await.unwrap();
    assert!(watching.await.unwrap() > 0);
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_stops_the_run() {
    // A file that fails every write, as a full disk does.
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let bench = Bench::new(&choices(), dataset(50));
    let started = Arc::new(AtomicUsize::new(0));
    let begun = Arc::clone(&started);
    let target = Arc::new(Fake(move |_, _| {
        begun.fetch_add(1, Ordering::SeqCst);
        async { run(Triage::Respond) }
    }));
    let journal = Journal::writing_to(full);
    let execution = bench.execution(journal, target, 4);
    let counts = execution.progress.subscribe();
    let error = execute(execution).await.unwrap_err();
    assert!(matches!(
        error,
        JournalError::Io {
            action: "write",
            ..
        }
    ));
    assert!(started.load(Ordering::SeqCst) <= 8);
    assert_eq!(counts.borrow().recorded(), 0);
}

#[tokio::test]
async fn what_a_target_stops_to_ask_is_accepted() {
    for (accept, outcome, reasoning) in [
        (true, Outcome::Finished, "accept-all: accept"),
        (false, Outcome::Simulator, "because"),
    ] {
        let bench = Bench::new(&choices(), dataset(1));
        let target = Arc::new(Asks(proposal(Allowed {
            accept,
            ..Allowed::default()
        })));
        let execution = bench.execution(bench.create(), target, 1);
        execute(execution).await.unwrap();
        for attempt in attempts(&bench.path()) {
            assert_eq!(attempt.outcome, outcome);
            assert_eq!(attempt.runs[0].reasoning.as_deref(), Some(reasoning));
        }
    }
}
