//! What is pushed is what the journal has, and once it is there, nothing is written again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::bench::{Bench, server};
use super::faults::{Fault, On, Rule, When};
use super::server::Server;

/// The objects of one kind that the service holds.
fn objects(state: &Value, kind: &str) -> Vec<Value> {
    state[kind].as_object().unwrap().values().cloned().collect()
}

/// How often each of these occurs.
fn counts<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// Steps of an attempt that are of a kind, over all emails of an episode.
fn steps(attempt: &Value, kind: &str) -> usize {
    let runs = ["runs", "ablation"]
        .into_iter()
        .filter_map(|field| attempt[field].as_array());
    let steps = runs
        .flatten()
        .flat_map(|run| run["steps"].as_array().unwrap());
    steps.filter(|step| step.get(kind).is_some()).count()
}

/// Keys and scores of an attempt, and of the statements that it was judged by.
fn scores(attempt: &Value) -> Vec<(String, String)> {
    let feedback = attempt["feedback"].as_array().unwrap().iter();
    let mut scores: Vec<(String, String)> = feedback
        .map(|one| {
            (
                one["key"].as_str().unwrap().to_owned(),
                number(&one["score"]),
            )
        })
        .collect();
    let keys = [
        ("response_criteria", "response.criteria"),
        ("memory_update", "memory.update"),
    ];
    for judged in attempt["judged"].as_array().into_iter().flatten() {
        let (_, key) = keys
            .iter()
            .find(|(judge, _)| judged["judge"] == *judge)
            .unwrap();
        for (number, ruling) in (1..).zip(judged["rulings"].as_array().unwrap()) {
            let score = match ruling["verdict"].as_str() {
                Some("pass") => "1.0000",
                Some(_) => "0.0000",
                None => "none",
            };
            scores.push((format!("{key}.{number}"), score.to_owned()));
        }
    }
    scores.sort();
    scores
}

fn number(score: &Value) -> String {
    score
        .as_f64()
        .map_or("none".to_owned(), |score| format!("{score:.4}"))
}

#[test]
fn four_variants_are_there_as_the_journal_has_them() {
    let bench = Bench::with(&["--repeat", "2"]);
    let server = server();
    let told = bench.push(&server).exits(0);
    let refused = server
        .asked()
        .into_iter()
        .filter(|it| it.request.is_write() && it.status >= 400);
    assert_eq!(refused.count(), 0);
    let state = server.state();
    let header = &bench.journal("e", "header")[0];
    let attempts = bench.journal("e", "attempt");

    assert_eq!(objects(&state, "datasets").len(), 1);
    assert_eq!(objects(&state, "datasets")[0]["name"], "mails");
    let examples = state["examples"].as_object().unwrap();
    assert_eq!(examples.len(), 5);
    let splits: BTreeMap<&str, &Value> = examples
        .values()
        .map(|it| {
            (
                it["metadata"]["mailproof_id"].as_str().unwrap(),
                &it["metadata"]["dataset_split"],
            )
        })
        .collect();
    assert_eq!(splits["newsletter"], &json!(["dev"]));
    assert_eq!(splits["invoice-question"], &json!(["test"]));
    assert_eq!(splits["build-failed"], &json!(["base"]));

    let sessions = state["sessions"].as_object().unwrap();
    assert_eq!(sessions.len(), 4);
    let runs = objects(&state, "runs");
    let feedback = objects(&state, "feedback");
    for (index, variant) in (0..).zip(header["variants"].as_array().unwrap()) {
        let name = variant["name"].as_str().unwrap();
        let (id, session) = sessions
            .iter()
            .find(|(_, session)| session["extra"]["metadata"]["variant"] == name)
            .unwrap();
        assert_eq!(session["name"], format!("e-{name}-{}", &id[..8]));
        assert_eq!(
            session["extra"]["metadata"]["dataset_hash"],
            header["dataset"]["hash"]
        );
        assert_eq!(
            session["extra"]["metadata"]["mailproof_version"],
            header["tool_version"]
        );
        assert!(session["end_time"].is_string(), "{session:#}");
        assert!(
            told.stdout.contains(id) || told.stderr.contains(id),
            "{told:?}"
        );

        let of_variant: Vec<&Value> = attempts
            .iter()
            .filter(|attempt| attempt["case"]["variant"] == index)
            .collect();
        let roots: Vec<&Value> = runs
            .iter()
            .filter(|run| run["session_id"] == *id && run.get("parent_run_id").is_none())
            .collect();
        // Each attempt is one root, on the example that it was an attempt at.
        let local_id = |root: &&Value| {
            let example = root["reference_example_id"].as_str().unwrap();
            examples[example]["metadata"]["mailproof_id"].clone()
        };
        let there = counts(roots.iter().map(|root| local_id(root).to_string()));
        let here = counts(
            of_variant
                .iter()
                .map(|it| it["case"]["example"].to_string()),
        );
        assert_eq!(there, here, "{name}");

        // Roots have no repeat in their ids that a test could read; as sets, they must agree.
        let mut here = Vec::new();
        for attempt in &of_variant {
            let calls = ["model", "tool", "interrupt"].map(|kind| steps(attempt, kind));
            here.push((
                attempt["case"]["example"].to_string(),
                calls,
                scores(attempt),
            ));
        }
        let mut there = Vec::new();
        for root in &roots {
            let within = |run: &&Value| run["trace_id"] == root["id"];
            let of_type = |kind: &str| {
                runs.iter()
                    .filter(within)
                    .filter(|run| run["run_type"] == kind)
                    .count()
            };
            let interrupts = runs
                .iter()
                .filter(within)
                .filter(|run| run["name"].as_str().unwrap().starts_with("interrupt"));
            let calls = [of_type("llm"), of_type("tool"), interrupts.count()];
            let on_root = feedback.iter().filter(|one| one["run_id"] == root["id"]);
            let mut scores: Vec<(String, String)> = on_root
                .map(|one| {
                    let score = one.get("score").map_or("none".to_owned(), number);
                    (one["key"].as_str().unwrap().to_owned(), score)
                })
                .collect();
            scores.sort();
            there.push((local_id(root).to_string(), calls, scores));

            let example = &examples[root["reference_example_id"].as_str().unwrap()];
            assert_eq!(root["inputs"], example["inputs"], "columns line up");
        }
        here.sort();
        there.sort();
        assert_eq!(there, here, "{name}");
        let keys: BTreeSet<&String> = there.iter().flat_map(|it| &it.2).map(|it| &it.0).collect();
        assert!(keys.contains(&"triage.accuracy".to_owned()), "{keys:?}");
        assert!(keys.contains(&"response.criteria.2".to_owned()), "{keys:?}");
    }
    // All of it hangs together: nothing is on another run, or in another experiment.
    let expected: usize = attempts.iter().map(|attempt| scores(attempt).len()).sum();
    assert_eq!(feedback.len(), expected);
}

/// Everything is there; pushing must find that out by reading.
fn writes_nothing(server: &Server, push: impl FnOnce()) {
    let (state, writes, reads) = (server.state(), server.writes(), server.reads());
    push();
    let later = server.writes_made().split_off(writes);
    assert!(later.is_empty(), "{later:?}");
    assert!(server.reads() > reads);
    assert_eq!(server.state(), state);
}

#[test]
fn pushing_again_writes_nothing() {
    let bench = Bench::with(&["-a", "workflow", "-a", "hitl-memory"]);
    for (case, change) in [
        ("as it is", None::<fn(&mut super::service::Settings)>),
        ("read by the old route alone", Some(|it| it.runs_v2 = false)),
        ("read by the new route alone", Some(|it| it.runs_v1 = false)),
        (
            "examples by the old route",
            Some(|it| it.examples_multipart = false),
        ),
        ("nothing compressed", Some(|it| it.zstd = false)),
        ("runs by the old route", Some(|it| it.multipart = false)),
        (
            "experiments by the new route",
            Some(|it| it.sessions_v1 = false),
        ),
        ("few runs in a request", Some(|it| it.size_limit = 7)),
        ("no mixtures", Some(|it| it.refuses_mixtures = true)),
    ] {
        let server = server();
        change
            .into_iter()
            .for_each(|change| server.configure(change));
        bench.push(&server).exits(0);
        let state = server.state();
        assert_eq!(objects(&state, "sessions").len(), 2, "{case}");
        writes_nothing(&server, || drop(bench.push(&server).exits(0)));

        // Another machine has the journal and the dataset.
        let copy = Bench::new();
        fs::create_dir_all(copy.path().join("reports/e")).unwrap();
        let journal = "reports/e/journal.jsonl";
        fs::copy(bench.path().join(journal), copy.path().join(journal)).unwrap();
        let arguments = ["push", "langsmith", "e", "-d", "mails.yaml"];
        writes_nothing(&server, || {
            drop(copy.mailproof(Some(&server), &arguments).exits(0))
        });
    }
}

#[test]
fn results_of_last_week_are_moved_once() {
    let bench = Bench::with(&["-a", "workflow"]);
    let path = bench.path().join("reports/e/journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    let today = &bench.journal("e", "header")[0]["created"].as_str().unwrap()[..10].to_owned();
    let then = today.parse::<jiff::civil::Date>().unwrap() - jiff::Span::new().days(7);
    // Where a run began, and when the experiment was made, stand as times of the day.
    fs::write(
        &path,
        journal.replace(&format!("{today}T"), &format!("{then}T")),
    )
    .unwrap();

    let server = server();
    bench.push(&server).exits(0);
    let state = server.state();
    let session = &objects(&state, "sessions")[0];
    let shift = session["extra"]["metadata"]["mailproof_time_shift_ms"]
        .as_i64()
        .unwrap();
    let week = 7 * 24 * 60 * 60 * 1000;
    assert!((week..week + 600_000).contains(&shift), "{shift}");
    assert_eq!(
        objects(&state, "runs")
            .iter()
            .filter(|it| it.get("parent_run_id").is_none())
            .count(),
        3
    );
    // Minutes later, everything would be moved by more, if it were decided again.
    writes_nothing(&server, || drop(bench.push(&server).exits(0)));
}

#[test]
fn a_journal_that_does_not_say_when_attempts_began_is_pushed_once() {
    let bench = Bench::with(&["-a", "workflow"]);
    let path = bench.path().join("reports/e/journal.jsonl");
    let mut journal = fs::read_to_string(&path).unwrap();
    for attempt in bench.journal("e", "attempt") {
        let started = format!("\"started\":{},", attempt["started"]);
        assert!(journal.contains(&started), "{started}");
        journal = journal.replacen(&started, "", 1);
    }
    // They began with the experiment, by a clock that counts nanoseconds.
    let created = &bench.journal("e", "header")[0]["created"];
    let second = &created.as_str().unwrap()[.."2026-11-22T09:00:00".len()];
    let precise = json!(format!("{second}.000000789Z"));
    journal = journal.replace(&created.to_string(), &precise.to_string());
    fs::write(&path, journal).unwrap();

    let server = server();
    bench.push(&server).exits(0);
    writes_nothing(&server, || drop(bench.push(&server).exits(0)));
}

#[test]
fn what_is_there_is_told_also_where_the_rest_fails() {
    let bench = Bench::with(&["-a", "workflow"]);
    let path = bench.path().join("reports/e/journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    let mut attempts = 0;
    let first = journal.split_inclusive('\n').filter(|line| {
        let is_attempt = line.starts_with(r#"{"attempt""#);
        attempts += usize::from(is_attempt);
        !is_attempt || attempts == 1
    });
    let first: String = first.collect();
    assert_eq!(attempts, 3);
    fs::write(&path, first).unwrap();
    let server = server();
    bench.push(&server).exits(0);

    fs::write(&path, journal).unwrap();
    server.faults(&[Rule {
        on: On::Path("/runs/multipart"),
        when: When::Every(1),
        fault: Fault::Status {
            status: 503,
            retry_after: None,
        },
    }]);
    let push = ["push", "langsmith", "e", "--max-retries", "0", "--json"];
    let told = bench.mailproof(Some(&server), &push).exits(5);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        report["experiments"][0]["attempts"],
        json!({"all": 3, "sent": 0, "there": 1, "left": 2})
    );
}

#[test]
fn another_name_is_another_experiment() {
    let bench = Bench::with(&["-a", "workflow"]);
    let server = server();
    bench.push(&server).exits(0);
    let first = server.state();
    let arguments = ["push", "langsmith", "e", "--as", "e-again"];
    bench.mailproof(Some(&server), &arguments).exits(0);
    let state = server.state();
    assert_eq!(objects(&state, "sessions").len(), 2);
    assert_eq!(
        objects(&state, "runs").len(),
        2 * objects(&first, "runs").len()
    );
    assert_eq!(
        objects(&state, "feedback").len(),
        2 * objects(&first, "feedback").len()
    );
    assert_eq!(state["examples"], first["examples"]);
}

#[test]
fn a_run_can_push_what_it_found() {
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
    bench.mailproof(Some(&server), &run).exits(0);
    assert_eq!(objects(&server.state(), "sessions").len(), 1);
    writes_nothing(&server, || drop(bench.push(&server).exits(0)));
}

#[test]
fn names_and_metadata_come_from_the_environment() {
    let bench = Bench::with(&["-a", "workflow"]);
    let server = server();
    let mut command = bench.command(Some(&server), &["push", "langsmith", "e"]);
    command.env("LANGCHAIN_TEST_SUITE", "ignored, since the other is set");
    command.env("LANGSMITH_TEST_SUITE", "support");
    command.env("LANGSMITH_EXPERIMENT", "nightly");
    command.env(
        "LANGSMITH_EXPERIMENT_METADATA",
        r#"{"team": "mail", "model": "ours"}"#,
    );
    super::bench::done(command).exits(0);
    let state = server.state();
    assert_eq!(objects(&state, "datasets")[0]["name"], "support");
    let session = &objects(&state, "sessions")[0];
    assert!(
        session["name"]
            .as_str()
            .unwrap()
            .starts_with("nightly-workflow@rules-"),
        "{session:#}"
    );
    assert_eq!(session["extra"]["metadata"]["team"], "mail");
    assert_eq!(session["extra"]["metadata"]["model"], "ours");
}

#[test]
fn what_is_hidden_stays_here() {
    let bench = Bench::with(&["-a", "hitl"]);
    let server = server();
    let mut command = bench.command(Some(&server), &["push", "langsmith", "e"]);
    command
        .env("LANGSMITH_HIDE_INPUTS", "true")
        .env("LANGSMITH_HIDE_OUTPUTS", "true");
    super::bench::done(command).exits(0);
    let state = server.state();
    for run in objects(&state, "runs")
        .iter()
        .chain(&objects(&state, "examples"))
    {
        assert_eq!(
            (&run["inputs"], &run["outputs"]),
            (&json!({}), &json!({})),
            "{run:#}"
        );
    }
    let text = state.to_string();
    for secret in ["invoice 1042", "Invoice 1042", "nightly build"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
