//! Whole experiments, through the program that users run.

#[path = "experiments/ci.rs"]
mod ci;
#[path = "experiments/compare.rs"]
mod compare;
#[path = "experiments/html.rs"]
mod html;
#[path = "experiments/behaviour.rs"]
mod behaviour;
#[path = "experiments/gates.rs"]
mod gates;
#[path = "experiments/labels.rs"]
mod labels;
#[path = "experiments/limits.rs"]
mod limits;
#[path = "experiments/looks.rs"]
mod looks;
#[path = "experiments/otel.rs"]
mod otel;
#[path = "experiments/pairwise.rs"]
mod pairwise;
#[path = "experiments/recordings.rs"]
mod recordings;
#[path = "experiments/recorded.rs"]
mod recorded;
#[path = "experiments/rescoring.rs"]
mod rescoring;
#[path = "experiments/shards.rs"]
mod shards;
#[path = "experiments/threads.rs"]
mod threads;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty working directory.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join(inner)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailproof"));
        command
            .current_dir(self.0.path())
            .args(arguments)
            .stdin(Stdio::null());
        // Only what a test sets: no key, no MAILPROOF_ variable of the machine's owner.
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs to the exit code given, and returns stdout.
    fn run(&self, arguments: &[&str], code: i32) -> String {
        let output = self.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Fails with the exit code given, and returns stderr.
    fn fail(&self, arguments: &[&str], code: i32) -> String {
        let output = self.output(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    }

    fn write(&self, inner: &str, text: &str) {
        fs::write(self.path(inner), text).unwrap();
    }

    fn report(&self, experiment: &str) -> Value {
        let text =
            fs::read_to_string(self.path(&format!("reports/{experiment}/report.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn attempts(&self, experiment: &str) -> Vec<Value> {
        attempts(&self.path(&format!("reports/{experiment}/journal.jsonl")))
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn attempts(path: &Path) -> Vec<Value> {
    lines(path)
        .into_iter()
        .filter_map(|mut line| line.get_mut("attempt").map(Value::take))
        .collect()
}

fn case(attempt: &Value) -> (String, u64, u64) {
    let case = &attempt["case"];
    let example = case["example"].as_str().unwrap().to_owned();
    (
        example,
        case["variant"].as_u64().unwrap(),
        case["repeat"].as_u64().unwrap(),
    )
}

/// What a report must not differ in between two runs of one plan.
fn comparable(mut report: Value) -> Value {
    let whole = report.as_object_mut().unwrap();
    whole.remove("environment").unwrap();
    whole.remove("experiment").unwrap();
    for variant in whole["variants"].as_array_mut().unwrap() {
        variant
            .as_object_mut()
            .unwrap()
            .remove("latency_ms")
            .unwrap();
    }
    report
}

/// The Markdown report without its last section, which tells the circumstances.
fn comparable_markdown(text: &str) -> &str {
    text.split_once("\n## Environment")
        .expect("the section stands in every report")
        .0
}

#[test]
fn the_default_run_reports_four_variants_and_all_suites_over_the_embedded_emails() {
    let place = Place::new();
    let shown = place.run(&["run", "-e", "first"], 0);
    let report = place.report("first");
    assert_eq!(report["format"], "mailproof.report/1");
    assert_eq!(report["experiment"], "first");
    assert!(report["dataset"]["examples"].as_u64().unwrap() >= 150);
    let names: Vec<_> = report["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["name"])
        .collect();
    assert_eq!(
        names,
        [
            "baseline@rules",
            "workflow@rules",
            "hitl@rules",
            "hitl-memory@rules"
        ]
    );
    let plan = &report["plan"];
    assert_eq!(
        plan["suites"],
        serde_json::json!(["triage", "response", "hitl", "memory"])
    );
    let cases = |kind: &str| plan[kind].as_u64().unwrap();
    assert!(cases("scenarios") >= 30 && cases("episodes") >= 15);
    let attempts = [
        cases("examples"),
        cases("examples"),
        cases("examples") + cases("scenarios"),
        cases("examples") + cases("scenarios") + cases("episodes"),
    ];
    for (variant, attempts) in report["variants"].as_array().unwrap().iter().zip(attempts) {
        let counts = &variant["counts"];
        assert_eq!(counts["attempts"], attempts);
        assert_eq!(counts["errors"], 0);
        assert!(
            variant["metrics"]["triage.accuracy"]["value"]
                .as_f64()
                .unwrap()
                > 0.5
        );
        assert!(
            variant["splits"]["dev"]["metrics"]["triage.accuracy"]["n"]
                .as_u64()
                .unwrap()
                > 40
        );
        assert!(
            variant["splits"]["test"]["metrics"]["triage.accuracy"]["n"]
                .as_u64()
                .unwrap()
                > 90
        );
        assert!(shown.contains(variant["name"].as_str().unwrap()));
    }
    for file in ["journal.jsonl", "report.json", "report.md", "report.svg"] {
        assert!(place.path("reports/first").join(file).is_file(), "{file}");
    }
}

#[test]
fn memory_helps_on_later_emails_and_not_on_the_controls_and_is_called_a_demonstration() {
    let place = Place::new();
    let shown = place.run(&["run", "memory", "-e", "memory"], 0);
    let report = place.report("memory");
    let variants = report["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 1, "only agents that remember take part");
    let memory = &variants[0]["memory"];
    let value = |figure: &Value| figure["value"].as_f64().unwrap();
    let learning = &memory["learning"];
    assert!(value(&learning["gain"]) > 0.3, "{learning:#}");
    assert!(learning["gain"]["low"].as_f64().unwrap() > 0.0);
    let later = learning["curve"].as_array().unwrap()[1..].iter();
    for point in later.filter(|point| point["episodes"] != 0) {
        assert!(
            point["with"].as_f64() > point["without"].as_f64(),
            "{point}"
        );
    }
    assert!(memory["controls"]["episodes"].as_u64().unwrap() >= 4);
    assert_eq!(value(&memory["controls"]["gain"]), 0.0);
    assert_eq!(variants[0]["metrics"]["memory.gain"], learning["gain"]);
    for words in ["An episode is a few emails in a row", "demonstrates"] {
        assert!(shown.contains(words), "{words}");
    }
}

#[test]
fn report_json_follows_its_schema() {
    let place = Place::new();
    place.run(
        &[
            "run",
            "-e",
            "first",
            "--limit",
            "20",
            "--repeat",
            "2",
            "--min-pass-rate",
            "0",
        ],
        0,
    );
    let schema = fs::read_to_string(root().join("docs/report.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let report = place.report("first");
    let wrong: Vec<_> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut broken = report;
    broken["variants"][0]["counts"]["attempts"] = "many".into();
    assert!(!validator.is_valid(&broken), "the schema accepts anything");
}

#[test]
fn concurrency_changes_nothing_in_the_reports() {
    let place = Place::new();
    place.run(&["run", "-e", "one", "-j", "1", "--repeat", "2"], 0);
    place.run(&["run", "-e", "many", "-j", "64", "--repeat", "2"], 0);
    let (one, many) = (place.report("one"), place.report("many"));
    assert_eq!(comparable(one), comparable(many));
    let markdown =
        |name: &str| fs::read_to_string(place.path(&format!("reports/{name}/report.md"))).unwrap();
    assert_eq!(
        comparable_markdown(&markdown("one")),
        comparable_markdown(&markdown("many"))
    );
}

/// The trajectory of each case, without its clock.
fn trajectories(attempts: Vec<Value>) -> BTreeMap<(String, u64, u64), Value> {
    fn without_latency(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("latency_ms");
                fields.values_mut().for_each(without_latency);
            }
            Value::Array(items) => items.iter_mut().for_each(without_latency),
            _ => {}
        }
    }
    attempts
        .into_iter()
        .map(|mut attempt| {
            let mut runs = attempt["runs"].take();
            assert!(runs.is_array(), "an attempt has its runs");
            without_latency(&mut runs);
            (case(&attempt), runs)
        })
        .collect()
}

#[test]
fn shuffled_labels_change_no_trajectory() {
    let place = Place::new();
    let suites = ["run", "triage", "response"];
    place.run(
        &[&suites[..], &["-e", "honest", "--split", "dev"]].concat(),
        0,
    );
    let mut shuffled = String::new();
    for entry in fs::read_dir(root().join("datasets/email/dev")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let options = serde_yaml::options! { strict_booleans: true };
        let examples: Vec<Value> = serde_yaml::from_str_with_options(&text, options).unwrap();
        for mut example in examples {
            // Scenarios and episodes are about other people's answers.
            if example.get("email").is_none() {
                continue;
            }
            let next = match example["expect"]["triage"].as_str().unwrap() {
                "respond" => "notify",
                "notify" => "ignore",
                _ => "respond",
            };
            example["expect"]["triage"] = next.into();
            shuffled.push_str(&format!("{example}\n"));
        }
    }
    place.write("shuffled.jsonl", &shuffled);
    let dataset = ["-e", "shuffled", "-d", "shuffled.jsonl"];
    place.run(&[&suites[..], &dataset].concat(), 0);
    let (honest, shuffled) = (place.attempts("honest"), place.attempts("shuffled"));
    let labels = |attempts: &[Value]| -> BTreeMap<_, _> {
        attempts
            .iter()
            .map(|attempt| (case(attempt), attempt["expected"].clone()))
            .collect()
    };
    assert_ne!(
        labels(&honest),
        labels(&shuffled),
        "the labels were not shuffled"
    );
    let (honest, shuffled) = (trajectories(honest), trajectories(shuffled));
    let differs: Vec<_> = honest
        .iter()
        .filter(|(case, run)| shuffled.get(case) != Some(run))
        .map(|(case, _)| case)
        .collect();
    assert!(differs.is_empty(), "{differs:?}");
    assert_eq!(honest.len(), shuffled.len());
}

fn kill_when(mut child: Child, journal: &Path, attempts_written: usize) {
    wait_for(&mut child, journal, attempts_written);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Waits until a running experiment has so many lines in its journal.
fn wait_for(child: &mut Child, journal: &Path, attempts_written: usize) {
    loop {
        let written = fs::read(journal)
            .map(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
            .unwrap_or(0);
        if written > attempts_written {
            break;
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_killed_run_resumes_without_losing_or_repeating_an_attempt() {
    let place = Place::new();
    let plan = ["run", "-e", "killed", "--split", "dev", "--repeat", "6"];
    let journal = place.path("reports/killed/journal.jsonl");
    let mut first = place.command(&plan);
    first.stdout(Stdio::null()).stderr(Stdio::null());
    kill_when(first.spawn().unwrap(), &journal, 200);
    let before: BTreeSet<_> = attempts(&journal).iter().map(case).collect();
    assert!(before.len() >= 190, "{}", before.len());

    // Twice, the second time within the resumed run; then to the end.
    let mut second = place.command(&["run", "--resume"]);
    second.stdout(Stdio::null()).stderr(Stdio::null());
    kill_when(second.spawn().unwrap(), &journal, before.len() + 400);
    place.run(&["run", "--resume", "-e", "killed", "-j", "3"], 0);

    let after: Vec<_> = place.attempts("killed").iter().map(case).collect();
    let distinct: BTreeSet<_> = after.iter().cloned().collect();
    assert_eq!(after.len(), distinct.len(), "an attempt was run twice");
    assert!(before.is_subset(&distinct), "an attempt was lost");

    place.run(
        &["run", "-e", "whole", "--split", "dev", "--repeat", "6"],
        0,
    );
    assert_eq!(
        comparable(place.report("killed")),
        comparable(place.report("whole"))
    );
}

#[test]
fn a_resumed_experiment_keeps_the_date_of_its_journal() {
    let place = Place::new();
    place.run(&["run", "-e", "old", "--split", "dev", "-x", "-j", "1"], 3);
    let path = place.path("reports/old/journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let header = &lines(&path)[0]["header"];
    let today = header["date"].as_str().unwrap().to_owned();
    // As if it had been started on that day: only the header's date is another. What the
    // first sitting recorded is cut away with its prompts.
    let other = text
        .lines()
        .next()
        .unwrap()
        .replace(&format!("\"date\":\"{today}\""), "\"date\":\"2026-01-15\"");
    fs::write(&path, other + "\n").unwrap();
    place.run(&["run", "--resume", "-e", "old"], 0);
    let prompts: Vec<String> = lines(&path)
        .iter()
        .filter_map(|line| {
            Some(
                line.get("prompt")?["content"]["system"]
                    .as_str()?
                    .to_owned(),
            )
        })
        .collect();
    assert!(
        prompts
            .iter()
            .any(|prompt| prompt.contains("2026-01-15") || prompt.contains("15 January 2026"))
    );
    assert!(prompts.iter().all(|prompt| !prompt.contains(&today)));
}

/// The first Ctrl-C lets what is in flight finish, and the report is written.
#[cfg(unix)]
#[test]
fn an_interrupted_run_reports_and_can_be_resumed() {
    let place = Place::new();
    let plan = ["run", "-e", "stopped", "--split", "dev", "--repeat", "8"];
    let journal = place.path("reports/stopped/journal.jsonl");
    let mut child = place
        .command(&plan)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&mut child, &journal, 150);
    let signal = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(signal.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let report = place.report("stopped");
    assert_eq!(report["environment"]["end_reason"], "cancelled");
    let done = place.attempts("stopped").len() as u64;
    assert_eq!(report["coverage"]["attempts"], done);
    assert!(done < report["coverage"]["planned"].as_u64().unwrap());
    place.run(&["run", "--resume"], 0);
    assert_eq!(place.report("stopped")["coverage"]["share"], 1.0);
}

#[test]
fn another_plan_cannot_resume_an_experiment() {
    let place = Place::new();
    place.run(&["run", "-e", "a", "--split", "dev", "-x", "-j", "1"], 3);
    let stderr = place.fail(&["run", "--resume", "-e", "a", "--seed", "5"], 2);
    assert!(stderr.contains("seed"), "{stderr}");
    let stderr = place.fail(&["run", "-e", "a"], 2);
    assert!(stderr.contains("--resume"), "{stderr}");
}

#[test]
fn triage_alone_costs_the_workflow_one_model_call_an_attempt() {
    let place = Place::new();
    place.run(&["run", "triage", "-a", "workflow", "-e", "cheap"], 0);
    for attempt in place.attempts("cheap") {
        let usage = attempt["usage"].as_object().unwrap();
        let calls: u64 = usage
            .values()
            .map(|role| role["calls"].as_u64().unwrap())
            .sum();
        assert_eq!(calls, 1, "{attempt}");
    }
    let plan = place.run(&["run", "triage", "-a", "workflow", "--dry-run"], 0);
    let examples = place.report("cheap")["dataset"]["examples"].to_string();
    assert!(plan.contains(&format!("about {examples}, ")), "{plan}");
}

#[test]
fn only_respond_emails_enter_the_response_suite() {
    let place = Place::new();
    place.run(&["run", "response", "-a", "workflow", "-e", "replies"], 0);
    let attempts = place.attempts("replies");
    assert!(attempts.len() > 50);
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt["expected"] == "respond")
    );
}

#[test]
fn exit_codes_tell_failures_apart() {
    let place = Place::new();
    for (arguments, code, word) in [
        (&["run", "-a", "nobody"][..], 2, "baseline, workflow"),
        (&["run", "-m", "openai:gpt-4o"], 2, "OPENAI_API_KEY"),
        (&["run", "-d", "missing.yaml"], 2, "missing.yaml"),
        (&["run", "-c", "missing.yaml"], 2, "missing.yaml"),
        (&["run", "--repeat", "0"], 2, "--repeat"),
        (&["run", "--min-pass-rate", "90"], 2, "0 to 1"),
        (&["run", "nonsense"], 2, "triage"),
        (&["run", "-o", "report.docx"], 2, ".json"),
        (
            &[
                "run",
                "--tag",
                "scheduling",
                "--split",
                "dev",
                "--limit",
                "0",
            ],
            4,
            "nothing",
        ),
        (&["run", "--last-failed"], 2, "no experiments"),
        (&["show", "none/baseline@rules", "x"], 2, "mailproof list"),
        (&["report", "none"], 2, "mailproof list"),
    ] {
        let stderr = place.fail(arguments, code);
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
    place.run(&["run", "-e", "gate", "--min-pass-rate", "1"], 100);
    place.run(&["run", "-e", "fine", "--min-pass-rate", "0.01"], 0);
    let report = place.report("gate");
    assert_eq!(report["gate"]["verdict"], "fail");
    place.run(&["report", "gate"], 100);
}

#[test]
fn what_failed_can_be_run_again_alone() {
    let place = Place::new();
    place.run(&["run", "triage", "-a", "workflow", "-e", "first"], 0);
    let failed: BTreeSet<_> = place
        .attempts("first")
        .iter()
        .filter(|attempt| attempt["found"] != attempt["expected"])
        .map(|attempt| case(attempt).0)
        .collect();
    assert!(
        !failed.is_empty(),
        "the rules became perfect: pick another way to fail"
    );
    place.run(
        &[
            "run",
            "triage",
            "-a",
            "workflow",
            "--last-failed",
            "-e",
            "again",
        ],
        0,
    );
    let again: BTreeSet<_> = place
        .attempts("again")
        .iter()
        .map(|attempt| case(attempt).0)
        .collect();
    assert_eq!(again, failed);
    let stderr = place.fail(&["run", "--only", "errors", "--reference", "first"], 4);
    assert!(stderr.contains("infrastructure error"), "{stderr}");
}

#[test]
fn a_run_needs_no_network() {
    // Every proxy is a dead end: what would go out would fail.
    let place = Place::new();
    let mut command = place.command(&["run", "-e", "offline", "--limit", "5"]);
    command
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("HTTP_PROXY", "http://127.0.0.1:9");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    // What can reach the network at all stands in these places, none of which such a run
    // enters: a live model, a look at its endpoint, databases that were asked for, and where
    // results are pushed to.
    let places = [
        "src/graph/checkpoint/",
        "src/graph/database/",
        "src/graph/store/",
        "src/langsmith/client/",
        "src/model/http/",
        "src/otel/",
    ];
    let ways = regex::Regex::new(
        r"reqwest|Tcp(Stream|Listener)|UdpSocket|UnixStream|tokio_postgres|deadpool|mongodb::",
    )
    .unwrap();
    let mut found = 0;
    for path in sources(&root().join("src")) {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if ways.is_match(&fs::read_to_string(&path).unwrap()) {
            found += 1;
            let known = places.iter().any(|place| name.starts_with(place));
            assert!(known, "{name} reaches the network");
        }
    }
    assert!(found > 3, "the test cannot see what reaches the network");
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn one_email_is_handled_and_told() {
    let place = Place::new();
    place.write(
        "mail.json",
        r#"{"from": "Ana Ruiz <ana@northwind.example>", "to": "Sam Lee <sam@acme.example>",
            "subject": "Invoice 1042", "body": "Hi Sam, could you tell me when invoice 1042 will be paid? Thanks, Ana"}"#,
    );
    place.write(
        "mail.eml",
        "From: Ana Ruiz <ana@northwind.example>\r\nTo: sam@acme.example\r\nSubject: Invoice 1042\r\n\r\nHi Sam, could you tell me when invoice 1042 will be paid?\r\n",
    );
    for file in ["mail.json", "mail.eml"] {
        let shown = place.run(&["run", "--email", file, "-a", "workflow"], 0);
        for word in ["respond", "write_email", "ana@northwind.example", "done"] {
            assert!(shown.contains(word), "{file}: {word} is not in\n{shown}");
        }
        let json = place.run(&["run", "--email", file, "-a", "workflow", "--json"], 0);
        let runs: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(runs[0]["triage"], "respond");
        assert!(!runs[0]["tool_calls"].as_array().unwrap().is_empty());
    }
    assert!(
        !place.path("reports").exists(),
        "an ad-hoc email leaves no experiment"
    );
}

#[test]
fn secrets_of_the_environment_reach_no_file() {
    let place = Place::new();
    let canary = "canary-6f1d0c2b9a8e";
    place.write(
        "canary.yaml",
        &format!("- id: canary\n  email: {{ from: 'a <a@x.example>', to: 'b@x.example', subject: '{canary}', body: 'Could you send me {canary}?' }}\n  expect: {{ triage: respond, tool_calls: [write_email, done] }}\n"),
    );
    let mut command = place.command(&["run", "-d", "canary.yaml", "-e", "canary"]);
    let output = command.env("SOME_API_KEY", canary).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!shown.contains(canary), "{shown}");
    for entry in fs::read_dir(place.path("reports/canary")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(canary), "{}", path.display());
    }
    // The same run without the variable does write it: the test can see.
    place.run(&["run", "-d", "canary.yaml", "-e", "plain"], 0);
    let journal = fs::read_to_string(place.path("reports/plain/journal.jsonl")).unwrap();
    assert!(journal.contains(canary));
}

#[test]
fn the_sample_report_is_what_the_code_produces() {
    let place = Place::new();
    place.run(&["run", "-e", "sample-run"], 0);
    let sample = root().join("reports/sample");
    let made =
        |file: &str| fs::read_to_string(place.path("reports/sample-run").join(file)).unwrap();
    if std::env::var_os("UPDATE_SAMPLE").is_some() {
        fs::create_dir_all(&sample).unwrap();
        for file in ["report.json", "report.md", "report.svg"] {
            fs::write(sample.join(file), made(file)).unwrap();
        }
    }
    let kept = |file: &str| {
        fs::read_to_string(sample.join(file)).unwrap_or_else(|error| {
            panic!("{file}: {error}: make it with UPDATE_SAMPLE=1 scripts/test sample")
        })
    };
    let json = |text: String| comparable(serde_json::from_str(&text).unwrap());
    let help = "reports/sample is not what the code produces: look, then UPDATE_SAMPLE=1 scripts/test sample";
    assert_eq!(
        json(kept("report.json")),
        json(made("report.json")),
        "{help}"
    );
    assert_eq!(
        comparable_markdown(&kept("report.md")),
        comparable_markdown(&made("report.md")),
        "{help}"
    );
    assert_eq!(kept("report.svg"), made("report.svg"), "{help}");
}

#[test]
fn models_are_chosen_by_role_and_recorded() {
    let place = Place::new();
    place.run(
        &[
            "run",
            "-e",
            "roles",
            "--limit",
            "3",
            "-m",
            "rules",
            "--router-model",
            "rules",
        ],
        0,
    );
    let report = place.report("roles");
    let variant = &report["variants"][1];
    assert_eq!(variant["name"], "workflow@rules");
    assert_eq!(variant["model"], "rules");
    let usage = variant["usage"].as_object().unwrap();
    assert_eq!(usage["router"]["calls"], 3, "the roles are counted apart");
    let stderr = place.fail(&["run", "--router-model", "openai:gpt-4o"], 2);
    assert!(stderr.contains("OPENAI_API_KEY"), "{stderr}");
}

#[test]
fn every_mistake_of_a_dataset_is_told_at_once() {
    let place = Place::new();
    place.write(
        "broken.yaml",
        "- id: a\n  email: { from: x@a.example, to: y@a.example, subject: s, body: b }\n  expect: { triage: replly }\n\
         - id: a\n  email: { from: x@a.example, to: y@a.example, subject: s, bdy: b }\n  expect: { triage: notify, tool_calls: [send_fax] }\n",
    );
    for arguments in [
        &["validate", "broken.yaml"][..],
        &["run", "-d", "broken.yaml"],
    ] {
        let stderr = place.fail(arguments, 2);
        for told in [
            "broken.yaml:3:",
            "`replly`",
            "`respond`",
            "bdy",
            "send_fax",
            "broken.yaml:4:",
        ] {
            assert!(stderr.contains(told), "{told} is not in\n{stderr}");
        }
    }
    assert!(
        !place.path("reports").exists(),
        "a broken dataset starts nothing"
    );
}

#[test]
fn imported_records_run() {
    let place = Place::new();
    place.write(
        "export.jsonl",
        "{\"inputs\":{\"email_input\":{\"author\":\"Ana <ana@northwind.example>\",\"to\":\"Sam <sam@acme.example>\",\"subject\":\"Invoice\",\"email_thread\":\"When will it be paid?\"}},\"outputs\":{\"classification\":\"respond\",\"expected_tool_calls\":[\"write_email\",\"done\"]},\"split\":\"test\"}\n",
    );
    place.write(
        "workshop.json",
        "[{\"email_input\":{\"author\":\"News <news@list.example>\",\"to\":\"Sam <sam@acme.example>\",\"subject\":\"Offers\",\"email_thread\":\"Unsubscribe here.\"},\"triage\":\"ignore\",\"response_criteria\":\"\"}]",
    );
    for (from, input, output) in [
        ("langsmith", "export.jsonl", "a.yaml"),
        ("workshop", "workshop.json", "b.jsonl"),
    ] {
        place.run(&["import", input, "--from", from, "-o", output], 0);
        place.run(&["validate", output], 0);
    }
    place.run(
        &["run", "-d", "a.yaml", "-d", "b.jsonl", "-e", "imported"],
        0,
    );
    assert_eq!(
        place.report("imported")["variants"][0]["counts"]["attempts"],
        2
    );
}

#[test]
fn a_configuration_says_what_no_flag_does() {
    let place = Place::new();
    place.run(&["init"], 0);
    place.fail(&["init"], 2);
    place.run(&["run", "-e", "as-made", "--limit", "2"], 0);
    place.write(
        "mailproof.yaml",
        "agent: workflow\nsuite: triage\nlimit: 4\nmin_pass_rate: 0\n",
    );
    place.run(&["run", "-e", "configured"], 0);
    assert_eq!(place.attempts("configured").len(), 4);
    place.run(&["run", "-e", "flag", "--limit", "2"], 0);
    assert_eq!(place.attempts("flag").len(), 2);
    place.write("mailproof.yaml", "agnet: workflow\n");
    let stderr = place.fail(&["run"], 2);
    assert!(
        stderr.contains("mailproof.yaml:1:1") && stderr.contains("agnet"),
        "{stderr}"
    );
    let stdout = place.run(&["doctor"], 2);
    assert!(stdout.contains("FAIL  configuration"), "{stdout}");
}

#[test]
fn doctor_names_the_missing_key_and_never_its_value() {
    let place = Place::new();
    place.run(&["doctor"], 0);
    let stdout = place.run(&["doctor", "-m", "openai:gpt-4o"], 2);
    assert!(stdout.contains("OPENAI_API_KEY"), "{stdout}");
    let mut command = place.command(&["doctor", "-m", "openai:gpt-4o", "--json"]);
    let output = command
        .env("OPENAI_API_KEY", "sk-very-secret-value")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!shown.contains("sk-very-secret-value"), "{shown}");
}
