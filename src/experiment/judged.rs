//! Whole experiments with judges, on models that say what a test wants them to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::json;

use super::execute::{Execution, execute};
use super::resume::{ResumeError, resume};
use super::tests::{Bench, Fake, attempts, choices, dataset, redactor, run};
use super::*;
use crate::dataset::{Criterion, Dataset};
use crate::email::Triage;
use crate::judge::JudgeKey;
use crate::judge::Verdict as Ruled;
use crate::judge::bench::{Judge, Judges};
use crate::message::{Message, ToolCall, ToolStatus};
use crate::model::halt::{Because, Halt};
use crate::model::{ErrorKind, Model, ModelError, Reply, Request, scripted};
use crate::run::{ModelRole, Outcome, Run};
use crate::score::Key;
use crate::target::Target;

/// Answers as a judge, by a function of the statement.
struct Says<F>(F);

impl<F> Model for Says<F>
where
    F: Fn(&str, &Request) -> Result<Reply, ModelError> + Send + Sync,
{
    fn name(&self) -> &str {
        "judge"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        Box::pin(async move {
            let question = &request.messages[0].content;
            let statement = question.lines().last().unwrap();
            (self.0)(statement.strip_prefix("Statement: ").unwrap(), request)
        })
    }
}

fn verdict(verdict: Ruled) -> Result<Reply, ModelError> {
    // A heading stands in everything that a judge is shown.
    let value = json!({ "reasoning": "It is so.", "quotes": ["The email"], "verdict": verdict });
    Ok(scripted::text(value.to_string()))
}

fn down(kind: ErrorKind) -> Result<Reply, ModelError> {
    Err(ModelError::new("judge", kind, "nobody answers"))
}

/// Whether a canary is asked about.
fn is_canary(request: &Request) -> bool {
    request.origin.case.starts_with("canary/")
}

/// Judges every canary as anybody would who sees that a mail was sent.
fn of_canary() -> Result<Reply, ModelError> {
    verdict(Ruled::Fail)
}

/// Examples to answer, each with these criteria.
fn asking(examples: usize, criteria: &[&str]) -> Dataset {
    let mut dataset = dataset(examples);
    for example in &mut dataset.examples {
        let criteria = criteria
            .iter()
            .map(|text| Criterion::from((*text).to_owned()));
        example.expect.criteria = criteria.collect();
    }
    dataset
}

/// A run that sent a mail.
fn mailed() -> Run {
    let call = ToolCall {
        id: "c1".into(),
        name: "write_email".into(),
        arguments: json!({ "to": "ana@northwind.example", "subject": "Re", "content": "Thanks." }),
    };
    Run {
        messages: vec![
            Message::user("u1", "Hello."),
            Message::assistant("a1", "", vec![call.clone()]),
            Message::tool("t1", &call, ToolStatus::Executed, "sent"),
        ],
        ..run(Triage::Respond)
    }
}

fn mails() -> Arc<dyn Target> {
    Arc::new(Fake(async |_, _| mailed()))
}

/// One variant, so many repeats, judged by `model`.
fn bench(repeat: u32, criteria: &[&str]) -> Bench {
    let choices = Choices {
        agents: vec!["workflow".into()],
        repeat,
        ..choices()
    };
    Bench::new(&choices, asking(1, criteria))
}

fn judges(bench: &Bench, model: Arc<dyn Model>) -> Arc<Judges> {
    let judges = bench.plan.judges.iter().map(|judge| Judge {
        definition: Arc::clone(Judging::default().definitions.get(judge.judge)),
        votes: judge.votes,
        panel: vec![Arc::clone(&model)],
    });
    Arc::new(Judges(judges.collect()))
}

/// Carries out the bench's plan with `model` as its judge.
fn judged(
    bench: &Bench,
    journal: journal::Journal,
    target: Arc<dyn Target>,
    model: Arc<dyn Model>,
    halt: &Halt,
) -> Execution {
    let mut execution = bench.execution(journal, target, 1);
    let judges = judges(bench, model);
    for cast in &mut execution.casts {
        cast.judges = Arc::clone(&judges);
    }
    Execution {
        halt: halt.clone(),
        ..execution
    }
}

async fn run_all(
    bench: &Bench,
    target: Arc<dyn Target>,
    says: impl Fn(&str, &Request) -> Result<Reply, ModelError> + Send + Sync + 'static,
) -> Vec<Attempt<Run>> {
    let model = Arc::new(Says(says));
    let execution = judged(bench, bench.create(), target, model, &Halt::default());
    let summary = execute(execution).await.unwrap();
    assert_eq!(summary.because, EndReason::Complete);
    attempts(&bench.path())
}

#[tokio::test]
async fn judges_are_heard_after_the_scorers_and_cost_the_attempt_no_time() {
    let bench = bench(1, &["Thanks", "Names the day"]);
    let all = run_all(&bench, mails(), |statement, request| {
        match is_canary(request) {
            true => of_canary(),
            false => verdict(match statement {
                "Thanks" => Ruled::Pass,
                _ => Ruled::CannotTell,
            }),
        }
    })
    .await;
    let attempt = &all[0];
    let scores: Vec<_> = attempt
        .feedback
        .iter()
        .map(|it| (it.key, it.score.get()))
        .collect();
    assert_eq!(
        scores,
        [
            (Key::TriageAccuracy, 1.0),
            (Key::ResponseCriteria, 0.5),
            (Key::ResponseAllMet, 0.0)
        ]
    );
    assert_eq!(
        attempt.verdict(),
        Verdict::Passed,
        "a judge has no say in it"
    );
    let rulings = &attempt.judged[0].rulings;
    assert_eq!(attempt.judged[0].judge, JudgeKey::ResponseCriteria);
    assert_eq!(rulings[0].verdict, Some(Ruled::Pass));
    assert_eq!(rulings[1].verdict, Some(Ruled::CannotTell));
    assert_eq!(attempt.usage.0[&ModelRole::Judge].calls, 2);
    assert_eq!(attempt.latency_ms, mailed().latency_ms);
    assert_eq!(attempt.runs[0].usage, mailed().usage);
}

#[tokio::test]
async fn nobody_is_asked_about_what_code_can_tell() {
    for (outcome, sent, judged_as, scored) in [
        (Outcome::Finished, false, Some(Ruled::Fail), 1),
        (Outcome::StepLimit, true, Some(Ruled::Fail), 1),
        (Outcome::Timeout, false, Some(Ruled::Fail), 1),
        (Outcome::Harness, true, None, 0),
        (Outcome::Unmatched, true, None, 0),
    ] {
        let bench = bench(1, &["Thanks"]);
        let target = Arc::new(Fake(move |_, _| async move {
            let made = if sent { mailed() } else { run(Triage::Respond) };
            Run { outcome, ..made }
        }));
        let all = run_all(&bench, target, |_, request| match is_canary(request) {
            true => of_canary(),
            false => panic!("nobody is to be asked"),
        })
        .await;
        let attempt = &all[0];
        assert_eq!(attempt.outcome, outcome);
        let found = attempt
            .judged
            .first()
            .map(|judged| judged.rulings[0].verdict);
        assert_eq!(found, judged_as.map(Some), "{outcome:?}");
        let judged = attempt
            .feedback
            .iter()
            .filter(|it| it.key == Key::ResponseCriteria);
        assert_eq!(judged.count(), scored, "{outcome:?}");
        assert!(!attempt.usage.0.contains_key(&ModelRole::Judge));
    }
}

#[tokio::test]
async fn a_panic_of_a_judge_is_ours_and_says_nothing_of_the_agent() {
    let bench = bench(2, &["Thanks"]);
    let all = run_all(&bench, mails(), |_, request| match is_canary(request) {
        true => of_canary(),
        false if request.origin.attempt == 0 => panic!("a defect"),
        false => verdict(Ruled::Pass),
    })
    .await;
    assert_eq!(all[0].outcome, Outcome::Harness);
    assert_eq!(all[0].error.as_deref(), Some("panicked: a defect"));
    assert!(all[0].feedback.is_empty() && all[0].judged.is_empty());
    assert_eq!(all[0].verdict(), Verdict::Unscored);
    assert_eq!(all[1].outcome, Outcome::Finished);
}

#[tokio::test]
async fn a_judge_that_is_silent_leaves_statements_unscored_and_the_run_goes_on() {
    let bench = bench(4, &["Thanks"]);
    let all = run_all(&bench, mails(), |_, request| match is_canary(request) {
        true => of_canary(),
        false if request.origin.attempt < 2 => down(ErrorKind::Overloaded),
        false => verdict(Ruled::Pass),
    })
    .await;
    assert_eq!(all.len(), 4);
    for attempt in &all {
        let silent = attempt.case.repeat < 2;
        let ruling = &attempt.judged[0].rulings[0];
        assert_eq!(ruling.verdict.is_none(), silent);
        assert_eq!(
            ruling.reason.contains("nobody answers"),
            silent,
            "{}",
            ruling.reason
        );
        let judged = attempt.feedback.iter().filter(|it| it.key.is_judged());
        assert_eq!(judged.count() == 0, silent);
        assert_eq!(attempt.verdict(), Verdict::Passed);
    }
}

/// The repeats in the journal, in the order they were written.
fn written(bench: &Bench) -> Vec<u32> {
    let mut reader = journal::Reader::open(&bench.path()).unwrap();
    let attempts = reader.attempts::<Run>();
    attempts
        .map(|entry| entry.unwrap().attempt.case.repeat)
        .collect()
}

#[tokio::test]
async fn an_outage_of_a_judge_that_ends_the_run_leaves_no_trace() {
    // The third outage in a row opens the circuit, whose own failure is of its kind.
    for (kind, last) in [
        (ErrorKind::Overloaded, ErrorKind::Overloaded),
        (ErrorKind::Network, ErrorKind::Halted),
        (ErrorKind::Server, ErrorKind::Budget),
    ] {
        let bench = bench(8, &["Thanks"]);
        let halt = Halt::default();
        let halting = halt.clone();
        let model = Arc::new(Says(move |_: &str, request: &Request| {
            match request.origin.attempt {
                _ if is_canary(request) => of_canary(),
                0 | 2 => verdict(Ruled::Pass),
                1 | 3 | 4 => down(kind),
                _ => {
                    halting.stop(Because::CircuitOpen, "down");
                    down(last)
                }
            }
        }));
        let execution = judged(&bench, bench.create(), mails(), model, &halt);
        let summary = execute(execution).await.unwrap();
        assert_eq!(summary.because, EndReason::Halted);
        // The second was followed by an answer, so nobody was down then.
        assert_eq!(written(&bench), [0, 2, 1], "{kind:?}");
        assert_eq!(summary.counts.recorded(), 3);

        let resumed = resume(&bench.path(), &bench.plan, &bench.dataset, redactor()).unwrap();
        assert_eq!(resumed.recorded.canaries.len(), 1);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let model = Arc::new(Says(move |_: &str, request: &Request| {
            counted.fetch_add(1, Ordering::SeqCst);
            assert!(!is_canary(request), "they were shown");
            verdict(Ruled::Pass)
        }));
        let execution = Execution {
            recorded: resumed.recorded,
            ..judged(&bench, resumed.journal, mails(), model, &Halt::default())
        };
        let summary = execute(execution).await.unwrap();
        assert_eq!(summary.because, EndReason::Complete);
        assert_eq!(asked.load(Ordering::SeqCst), 5);
        let all = attempts(&bench.path());
        let unscored = all
            .iter()
            .filter(|it| it.judged[0].rulings[0].verdict.is_none());
        assert_eq!(unscored.count(), 1);
    }
}

#[tokio::test]
async fn canaries_are_shown_before_the_first_case_and_once() {
    let bench = bench(2, &["Thanks"]);
    let order = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&order);
    run_all(&bench, mails(), move |_, request| {
        asked.lock().unwrap().push(is_canary(request));
        verdict(Ruled::Fail)
    })
    .await;
    let order = order.lock().unwrap();
    let canaries = order.iter().filter(|is_canary| **is_canary).count();
    assert!(canaries > 4, "{canaries}");
    assert!(order[..canaries].iter().all(|is_canary| *is_canary));
    assert_eq!(order.len(), canaries + 2);
    let text = std::fs::read_to_string(bench.path()).unwrap();
    let kinds: Vec<&str> = text
        .lines()
        .map(|line| line.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["header", "canaries", "prompt", "attempt", "attempt"]
    );
    let mut reader = journal::Reader::open(&bench.path()).unwrap();
    assert_eq!(reader.attempts::<Run>().count(), 2);
    let [shown] = reader.canaries() else {
        panic!("{:?}", reader.canaries());
    };
    assert_eq!(
        (shown.judge, &*shown.models[0]),
        (JudgeKey::ResponseCriteria, "rules")
    );
    assert_eq!(shown.canaries.len(), canaries);
}

#[tokio::test]
async fn canaries_that_a_halt_cut_off_are_shown_by_the_next_sitting() {
    let bench = bench(1, &["Thanks"]);
    let halt = Halt::default();
    let halting = halt.clone();
    let model = Arc::new(Says(move |_: &str, _: &Request| {
        halting.stop(Because::Key, "no such key");
        down(ErrorKind::BadKey)
    }));
    let execution = judged(&bench, bench.create(), mails(), model, &halt);
    let summary = execute(execution).await.unwrap();
    assert_eq!(summary.because, EndReason::Halted);
    assert_eq!(
        std::fs::read_to_string(bench.path())
            .unwrap()
            .lines()
            .count(),
        1
    );
    let resumed = resume(&bench.path(), &bench.plan, &bench.dataset, redactor()).unwrap();
    let model = Arc::new(Says(|_: &str, _: &Request| verdict(Ruled::Fail)));
    let execution = Execution {
        recorded: resumed.recorded,
        ..judged(&bench, resumed.journal, mails(), model, &Halt::default())
    };
    execute(execution).await.unwrap();
    let mut reader = journal::Reader::open(&bench.path()).unwrap();
    assert_eq!(reader.attempts::<Run>().count(), 1);
    assert_eq!(reader.canaries().len(), 1);
}

#[tokio::test]
async fn canaries_that_a_judge_was_silent_on_are_shown_again_by_the_next_sitting() {
    let bench = bench(1, &["Thanks"]);
    run_all(&bench, mails(), |_, request| match is_canary(request) {
        true => down(ErrorKind::Overloaded),
        false => verdict(Ruled::Pass),
    })
    .await;
    for (sitting, shown) in [(2, true), (3, false)] {
        let resumed = resume(&bench.path(), &bench.plan, &bench.dataset, redactor()).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let model = Arc::new(Says(move |_: &str, request: &Request| {
            assert!(is_canary(request), "the attempt is recorded");
            counted.fetch_add(1, Ordering::SeqCst);
            verdict(Ruled::Fail)
        }));
        let execution = Execution {
            recorded: resumed.recorded,
            ..judged(&bench, resumed.journal, mails(), model, &Halt::default())
        };
        execute(execution).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst) > 0, shown, "sitting {sitting}");
        let mut reader = journal::Reader::open(&bench.path()).unwrap();
        assert_eq!(reader.attempts::<Run>().count(), 1);
        let [silent, answered] = reader.canaries() else {
            panic!("{:?}", reader.canaries());
        };
        assert!(silent.canaries.iter().all(|canary| canary.found.is_none()));
        assert!(
            answered
                .canaries
                .iter()
                .all(|canary| canary.found.is_some())
        );
    }
}

#[tokio::test]
async fn an_experiment_is_not_gone_on_with_under_another_rubric() {
    let begun = bench(1, &["Thanks"]);
    drop(begun.create());
    let changed = |change: &dyn Fn(&mut Choices)| {
        let mut choices = Choices {
            agents: vec!["workflow".into()],
            ..choices()
        };
        change(&mut choices);
        Plan::resolve(&choices, &begun.dataset).unwrap()
    };
    let refused = |plan: &Plan| match resume(&begun.path(), plan, &begun.dataset, redactor()) {
        Ok(_) => String::new(),
        Err(ResumeError::OtherPlan { differences, .. }) => {
            let fields = differences.iter().map(|it| match &*it.field {
                "judges[0].rubric_hash" => it.field.clone(),
                _ => it.to_string(),
            });
            fields.collect::<Vec<_>>().join("\n")
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(refused(&changed(&|_| {})), "");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let definition = include_str!("../../judges/response_criteria.yaml");
    let word = definition.replacen("rubric: |\n  The ", "rubric: |\n  This ", 1);
    assert_ne!(word, definition);
    std::fs::write(&file, word).unwrap();
    let other_rubric = changed(&|choices| {
        let definitions = choices.judging.definitions.clone();
        choices.judging.definitions = definitions.with_file(&file).unwrap();
    });
    assert_eq!(refused(&other_rubric), "judges[0].rubric_hash");
    let votes = changed(&|choices| choices.judging.votes = Some(3));
    assert_eq!(refused(&votes), "judges[0].votes: 1 → 3");
    let nobody = changed(&|choices| choices.judging.judges = Some(Vec::new()));
    assert_eq!(refused(&nobody), "judges: response_criteria → not given");
    // It may have been calibrated since: that changes nothing about what it does.
    let mut calibrated = changed(&|_| {});
    calibrated.judges[0].panels[0].standing = crate::judge::calibration::Standing::Stale {
        date: super::tests::DAY,
        because: "the rubric".into(),
    };
    assert_eq!(refused(&calibrated), "");
}
