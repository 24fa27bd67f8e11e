//! Runs that cannot go on, and what is recorded of attempts that a provider failed.

use super::*;
use crate::email::Triage;
use crate::experiment::journal;
use crate::experiment::plan::Choices;
use crate::experiment::tests::{Bench, Fake, attempts, choices, dataset, right, run};
use crate::target::Start;

fn ends(outcome: Outcome) -> Run {
    Run {
        outcome,
        ..run(Triage::Respond)
    }
}

/// The repeat that a run's thread is of.
fn repeat(start: &Start) -> u32 {
    let (_, repeat) = start.thread.rsplit_once('/').unwrap();
    repeat.parse().unwrap()
}

/// One variant, one example, so many times.
fn repeats(repeat: u32) -> Bench {
    let choices = Choices {
        agents: vec!["workflow".to_owned()],
        repeat,
        ..choices()
    };
    Bench::new(&choices, dataset(1))
}

/// The repeats in the journal, in the order they were written.
fn recorded(bench: &Bench) -> Vec<(u32, Outcome)> {
    let mut reader = journal::Reader::open(&bench.path()).unwrap();
    let attempts = reader.attempts::<Run>();
    let attempts = attempts.map(|entry| entry.unwrap().attempt);
    attempts
        .map(|attempt| (attempt.case.repeat, attempt.outcome))
        .collect()
}

#[tokio::test]
async fn what_a_halt_ended_is_not_recorded_and_what_the_agent_did_is() {
    for (outcome, kept) in [
        (Outcome::Finished, true),
        (Outcome::StepLimit, true),
        (Outcome::Protocol, true),
        (Outcome::Timeout, true),
        (Outcome::Harness, true),
        (Outcome::Unmatched, true),
        (Outcome::Provider, false),
        (Outcome::Simulator, false),
        (Outcome::Cancelled, false),
        (Outcome::Budget, false),
    ] {
        let bench = repeats(10);
        let halt = Halt::default();
        let halting = halt.clone();
        let target = Arc::new(Fake(move |_, start: Start| {
            let halting = halting.clone();
            async move {
                match repeat(&start) {
                    0..3 => run(Triage::Respond),
                    _ => {
                        halting.stop(Because::Budget, "spent");
                        ends(outcome)
                    }
                }
            }
        }));
        let execution = Execution {
            halt,
            ..bench.execution(bench.create(), target, 1)
        };
        let summary = execute(execution).await.unwrap();
        assert_eq!(summary.because, EndReason::Halted);
        let halted = summary.halted.unwrap();
        assert_eq!(
            (halted.because, &*halted.reason),
            (Because::Budget, "spent")
        );
        let recorded = recorded(&bench);
        assert_eq!(recorded.len(), 3 + usize::from(kept), "{outcome:?}");
        assert_eq!(summary.counts.recorded(), recorded.len() as u64);
        // The rest, and no more, is done when it goes on.
        let summary = bench.finish(&bench.path(), right()).await;
        assert_eq!(
            (summary.because, summary.halted),
            (EndReason::Complete, None)
        );
        assert_eq!(attempts(&bench.path()).len(), 10);
    }
}

#[tokio::test]
async fn errors_are_recorded_once_their_variant_gets_somewhere() {
    for (after, released) in [
        (Outcome::Finished, true),
        (Outcome::StepLimit, true),
        (Outcome::Protocol, true),
        (Outcome::Unmatched, true),
        (Outcome::Timeout, false),
        (Outcome::Harness, false),
    ] {
        let bench = repeats(6);
        let halt = Halt::default();
        let halting = halt.clone();
        let target = Arc::new(Fake(move |_, start: Start| {
            let halting = halting.clone();
            async move {
                match repeat(&start) {
                    0 | 1 | 3 => ends(Outcome::Provider),
                    2 => ends(after),
                    _ => {
                        halting.stop(Because::CircuitOpen, "down");
                        ends(Outcome::Provider)
                    }
                }
            }
        }));
        let execution = Execution {
            halt,
            ..bench.execution(bench.create(), target, 1)
        };
        execute(execution).await.unwrap();
        let provider = |repeat| (repeat, Outcome::Provider);
        let expected = match released {
            true => vec![(2, after), provider(0), provider(1)],
            false => vec![(2, after)],
        };
        assert_eq!(recorded(&bench), expected);
    }
}

#[tokio::test]
async fn one_variant_s_success_says_nothing_about_another_s_provider() {
    let bench = Bench::new(&choices(), dataset(3));
    let halt = Halt::default();
    let halting = halt.clone();
    let target = Arc::new(Fake(move |id: String, start: Start| {
        let halting = halting.clone();
        async move {
            if start.thread.starts_with("workflow") {
                if id == "e2" {
                    halting.stop(Because::CircuitOpen, "down");
                }
                return ends(Outcome::Provider);
            }
            run(Triage::Respond)
        }
    }));
    let execution = Execution {
        halt,
        ..bench.execution(bench.create(), target, 1)
    };
    execute(execution).await.unwrap();
    let recorded = attempts(&bench.path());
    assert!(!recorded.is_empty());
    assert!(
        recorded
            .iter()
            .all(|attempt| attempt.outcome == Outcome::Finished)
    );
}

#[tokio::test]
async fn errors_are_results_when_there_is_nothing_else_to_do() {
    // Stopped by the user: who resumes wants to know better.
    for (cancelled_at, because, recorded) in [
        (None, EndReason::Complete, 6),
        (Some(5), EndReason::Complete, 6),
        (Some(3), EndReason::Cancelled, 0),
    ] {
        let bench = repeats(6);
        let cancel = CancellationToken::new();
        let cancelling = cancel.clone();
        let target = Arc::new(Fake(move |_, start: Start| {
            if Some(repeat(&start)) == cancelled_at {
                cancelling.cancel();
            }
            async { ends(Outcome::Provider) }
        }));
        let execution = Execution {
            cancel,
            ..bench.execution(bench.create(), target, 1)
        };
        let summary = execute(execution).await.unwrap();
        assert_eq!(summary.because, because, "{cancelled_at:?}");
        assert_eq!(summary.counts.unscored, recorded);
    }
}

#[tokio::test]
async fn no_more_is_held_back_than_there_is_room_for() {
    let bench = repeats(300);
    let halt = Halt::default();
    let halting = halt.clone();
    let target = Arc::new(Fake(move |_, start: Start| {
        if repeat(&start) == 299 {
            halting.stop(Because::CircuitOpen, "down");
        }
        async { ends(Outcome::Provider) }
    }));
    let execution = Execution {
        halt,
        ..bench.execution(bench.create(), target, 1)
    };
    let summary = execute(execution).await.unwrap();
    assert_eq!(summary.counts.unscored, 299 - 256);
    let oldest: Vec<_> = (0..299 - 256)
        .map(|repeat| (repeat, Outcome::Provider))
        .collect();
    assert_eq!(recorded(&bench), oldest);
}

#[tokio::test]
async fn a_run_whose_time_is_over_ends_with_what_it_has() {
    let bench = repeats(10);
    let halt = Halt::default();
    let halting = halt.clone();
    let target = Arc::new(Fake(move |_, start: Start| {
        let halting = halting.clone();
        async move {
            if repeat(&start) >= 4 {
                // As a model call does.
                halting.stopped().await;
                return ends(Outcome::Cancelled);
            }
            run(Triage::Respond)
        }
    }));
    let execution = Execution {
        halt,
        // Nearly all of it in an earlier look.
        run_timeout: Some(Duration::from_secs(3600)),
        elapsed: Duration::from_millis(3_599_980),
        ..bench.execution(bench.create(), target, 1)
    };
    let summary = execute(execution).await.unwrap();
    let halted = summary.halted.unwrap();
    assert_eq!(halted.because, Because::RunTimeout);
    assert_eq!(halted.reason, "the time limit of the run, 3600s, passed");
    assert!(summary.counts.passed <= 4);

    // One that is done in time does not wait for it.
    let bench = repeats(1);
    let execution = Execution {
        run_timeout: Some(Duration::from_secs(3600)),
        ..bench.execution(bench.create(), right(), 2)
    };
    let summary = execute(execution).await.unwrap();
    assert_eq!(summary.because, EndReason::Complete);
}
