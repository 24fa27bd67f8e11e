use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::agent::prompts::Preferences;
use crate::agent::{Agent, AgentKind, Behaviour, Models, Settings};
use crate::email::Triage;
use crate::experiment::execute::{Cast, Execution, execute};
use crate::experiment::layer::{self, End, Header, Scored};
use crate::experiment::plan::Choices;
use crate::experiment::record::Selection;
use crate::experiment::tests::{Bench, DAY, Fake, choices, dataset, redactor, run};
use crate::model::Model;
use crate::model::rules::Rules;
use crate::score::{Key, Score};
use crate::target::Start;
use crate::target::local::Local;

fn folder(bench: &Bench) -> PathBuf {
    bench.path().parent().unwrap().to_owned()
}

fn rescoring(bench: &Bench, scorers: Scorers, concurrency: usize) -> Rescoring {
    let journal = Reader::open_at_rest(&bench.path()).unwrap();
    let header = Header {
        format: layer::FORMAT.into(),
        number: 0,
        experiment: "bench".into(),
        tool_version: "9.9.9".into(),
        created: Timestamp::UNIX_EPOCH,
        journal: journal.header_hash().into(),
        dataset_hash: journal.header().dataset.hash.clone(),
        scorers,
        judges: Vec::new(),
        judge_models: vec![Vec::new(); journal.header().variants.len()],
        models: BTreeMap::new(),
    };
    Rescoring {
        layer: Writer::create(&folder(bench), &header, redactor()).unwrap(),
        journal,
        dataset: Arc::clone(&bench.dataset),
        redactor: redactor(),
        scorers,
        judges: vec![Arc::default(); bench.plan.variants.len()],
        examined: Vec::new(),
        halt: Halt::default(),
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        cancel: CancellationToken::new(),
        progress: watch::Sender::default(),
    }
}

/// Scores everything again, and returns the number of the layer.
async fn scored_again(bench: &Bench, scorers: Scorers, concurrency: usize) -> u32 {
    let rescored = rescore(rescoring(bench, scorers, concurrency)).await;
    let Rescored::Complete(layer) = rescored.unwrap() else {
        panic!("nobody cancelled it");
    };
    let (number, attempts) = (layer.number(), layer.attempts());
    layer
        .end(End {
            attempts,
            spent: None,
        })
        .unwrap();
    number
}

fn attempts(folder: &Path, number: u32) -> Vec<Attempt<Run>> {
    let mut scored = Scored::open(folder, Some(number)).unwrap();
    let mut attempts = Vec::new();
    while let Some(entry) = scored.next_attempt().unwrap() {
        attempts.push(entry.attempt);
    }
    attempts
}

/// Rewrites the attempts of a journal.
fn change(journal: &Path, mut change: impl FnMut(&mut Value)) {
    let text = fs::read_to_string(journal).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.get_mut("attempt").map(&mut change);
        format!("{line}\n")
    });
    let lines: Vec<String> = lines.collect();
    fs::write(journal, lines.concat()).unwrap();
}

/// Every agent of ours at some of what is shipped.
async fn honest() -> Bench {
    let every = Choices {
        agents: AgentKind::ALL.iter().map(ToString::to_string).collect(),
        selection: Selection {
            sample: Some(12),
            ..Selection::default()
        },
        ..choices()
    };
    let bench = Bench::new(&every, Dataset::embedded());
    let model: Arc<dyn Model> = Arc::new(Rules::new());
    let cast = |agent: &str| {
        let settings = Settings {
            date: DAY,
            seed: 0,
            preferences: Preferences::default(),
            behaviour: Behaviour::default(),
        };
        let kind = agent.parse().unwrap();
        let agent = Agent::new(kind, Models::one(Arc::clone(&model)), settings);
        Cast {
            target: Arc::new(Local::new(agent)),
            simulator: Arc::clone(&model),
            judges: Arc::default(),
        }
    };
    let casts = bench
        .plan
        .variants
        .iter()
        .map(|it| cast(&it.agent))
        .collect();
    let execution = Execution {
        casts,
        ..bench.execution(bench.create(), crate::experiment::tests::right(), 4)
    };
    execute(execution).await.unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_find_what_they_found_when_it_was_run() {
    let bench = honest().await;
    let folder = folder(&bench);
    let own = attempts(&folder, 0);
    let kinds = |kind| own.iter().filter(|attempt| attempt.kind == kind).count();
    assert_eq!(CaseKind::ALL.map(kinds), [48, 24, 12]);
    let keys = |key| {
        own.iter()
            .flat_map(|it| &it.feedback)
            .filter(|it| it.key == key)
            .count()
    };
    for key in [
        Key::TriageAccuracy,
        Key::ToolCallsExact,
        Key::HitlPass,
        Key::MemoryPass,
    ] {
        assert!(keys(key) > 0, "{key}");
    }
    let number = scored_again(&bench, Scorers::All, 4).await;
    let again = attempts(&folder, number);
    for (own, again) in own.iter().zip(&again) {
        let json = |attempt| serde_json::to_value(attempt).unwrap();
        assert_eq!(json(again), json(own));
    }
    assert_eq!(own.len(), again.len());

    // Not because they were copied: what the records say of it is not looked at.
    change(&bench.path(), |attempt| {
        attempt["feedback"] = json!([]);
        attempt.as_object_mut().unwrap().remove("learning");
    });
    let number = scored_again(&bench, Scorers::Rules, 4).await;
    for (own, again) in own.iter().zip(attempts(&folder, number)) {
        assert_eq!(again.feedback, own.feedback);
        assert_eq!(again.learning, own.learning);
    }
}

/// Some right, some wrong, some that did not finish.
async fn mixed(examples: usize) -> Bench {
    let bench = Bench::new(&choices(), dataset(examples));
    let target = Arc::new(Fake(async |id: String, start: Start| {
        let baseline = start.thread.starts_with("baseline");
        let run = run(if baseline {
            Triage::Respond
        } else {
            Triage::Ignore
        });
        match id.as_str() {
            "e1" => Run {
                outcome: Outcome::StepLimit,
                ..run
            },
            "e2" => Run {
                outcome: Outcome::Provider,
                ..run
            },
            "e3" => panic!("a defect of ours"),
            _ => run,
        }
    }));
    execute(bench.execution(bench.create(), target, 3))
        .await
        .unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_is_the_same_at_any_concurrency_and_tells_of_every_attempt() {
    let bench = mixed(20).await;
    let folder = folder(&bench);
    let one = scored_again(&bench, Scorers::All, 1).await;
    let many = scored_again(&bench, Scorers::All, 64).await;
    let lines = |number| {
        let text = fs::read_to_string(layer::path(&folder, number)).unwrap();
        let rest = text.split_once('\n').unwrap().1.to_owned();
        (rest.lines().count(), rest)
    };
    assert_eq!(lines(one).0, 41);
    assert_eq!(lines(one), lines(many));
    let own = attempts(&folder, 0);
    for (own, again) in own.iter().zip(attempts(&folder, one)) {
        assert_eq!(again.verdict(), own.verdict());
        assert_eq!(again.feedback, own.feedback);
        assert_eq!(again.outcome, own.outcome);
    }
    let rescoring = rescoring(&bench, Scorers::All, 7);
    let told = rescoring.progress.subscribe();
    rescore(rescoring).await.unwrap();
    let counts = told.borrow();
    assert_eq!((counts.passed, counts.failed, counts.unscored), (17, 19, 4));
}

#[tokio::test]
async fn what_is_not_scored_again_stays_as_the_run_found_it() {
    let bench = mixed(1).await;
    let folder = folder(&bench);
    let wrong = json!({ "key": "triage.accuracy", "score": 0.25 });
    let judged = json!({ "key": "response.all_met", "score": 1.0 });
    let rulings = json!([{ "judge": "response_criteria", "rulings": [] }]);
    change(&bench.path(), |attempt| {
        attempt["feedback"] = json!([wrong, judged]);
        attempt["judged"] = rulings.clone();
        attempt["usage"]["judge"] = json!({ "calls": 3, "input_tokens": 1, "output_tokens": 1 });
    });
    let number = scored_again(&bench, Scorers::Rules, 2).await;
    for attempt in attempts(&folder, number) {
        let keys: Vec<Key> = attempt.feedback.iter().map(|it| it.key).collect();
        assert_eq!(keys, [Key::TriageAccuracy, Key::ResponseAllMet]);
        assert_ne!(attempt.feedback[0].score, Score::try_from(0.25).unwrap());
        assert_eq!(attempt.judged.len(), 1);
        assert_eq!(attempt.usage.calls(), 4);
    }
}

#[tokio::test]
async fn attempts_that_are_none_at_the_dataset_are_refused_with_their_line() {
    let bench = mixed(1).await;
    let journal = fs::read_to_string(bench.path()).unwrap();
    for (wrong, words) in [
        (
            json!({ "case": { "example": "x" } }),
            "an attempt at `x`, which is no example of the dataset",
        ),
        (
            json!({ "kind": "episode" }),
            "an attempt at `e0`, which is no episode of the dataset",
        ),
        (
            json!({ "runs": [] }),
            "an attempt at `e0` with 0 runs, and 0 without memory",
        ),
    ] {
        fs::write(bench.path(), &journal).unwrap();
        change(&bench.path(), |attempt| merge(attempt, &wrong));
        let refused = rescore(rescoring(&bench, Scorers::All, 2))
            .await
            .unwrap_err();
        let told = refused.to_string();
        let line = format!("{}:3: {words}", bench.path().display());
        assert!(told.starts_with(&line), "{told}");
    }
}

/// Puts the fields of `more` in the place of those that there are.
fn merge(value: &mut Value, more: &Value) {
    match (value, more) {
        (Value::Object(value), Value::Object(more)) => {
            for (key, more) in more {
                merge(value.entry(key).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more.clone(),
    }
}

#[tokio::test]
async fn a_layer_that_was_stopped_has_no_end() {
    let bench = mixed(5).await;
    let rescoring = rescoring(&bench, Scorers::All, 2);
    rescoring.cancel.cancel();
    let stopped = rescore(rescoring).await.unwrap();
    assert!(matches!(stopped, Rescored::Cancelled));
    let shown = Scored::open(&folder(&bench), None).unwrap();
    assert!(shown.layer().is_none());
    assert_eq!(shown.unfinished(), [1]);
}
