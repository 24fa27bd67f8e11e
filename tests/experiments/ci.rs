//! What pipelines are left with: JUnit, CSV, Code Quality, comments, annotations, summaries.

use std::collections::BTreeMap;
use std::fs;

use quick_junit::{NonSuccessKind, TestCaseStatus};
use serde_json::Value;

use super::{Place, case};

const HOSTILE: &str = "<script>alert(1)</script> ]]> ![x](https://evil.example/x.png) \u{1b}[31mred \u{202e}etirw ::error::x ##[set-output name=a]b =1+1 </details>";

fn read(place: &Place, file: &str) -> String {
    fs::read_to_string(place.path(file)).unwrap()
}

fn junit(place: &Place, file: &str) -> quick_junit::Report {
    quick_junit::Report::deserialize_from_str(&read(place, file)).unwrap()
}

/// Three mails, of which two are hostile in every field and one is a line of 200 KB.
fn hostile_dataset() -> String {
    let long = "x".repeat(200_000);
    let example = |id: &str, text: &str, triage: &str| {
        serde_json::json!({
            "id": id,
            "email": {
                "from": format!("{text} <evil@evil.example>"),
                "to": "sam@acme.example",
                "subject": text,
                "body": format!("{text}\n\n{text}"),
            },
            "tags": ["::error::tag", "=tag"],
            "split": "test",
            "note": text,
            "expect": { "triage": triage },
        })
        .to_string()
    };
    [
        example("::error title=x::owned", HOSTILE, "respond"),
        example("=HYPERLINK(\"https://evil.example\")", HOSTILE, "ignore"),
        example("##[set-output name=a]b", &long, "notify"),
    ]
    .join("\n")
}

#[test]
fn every_attempt_is_in_the_files_of_a_pipeline() {
    let place = Place::new();
    let outputs = [
        "-o",
        "it.junit.xml",
        "-o",
        "it.csv",
        "-o",
        "it.codequality.json",
        "-o",
        "it.comment.md",
    ];
    let run = ["run", "--sample", "12", "--repeat", "2", "-e", "it"];
    place.run(&[&run[..], &outputs].concat(), 0);
    let report = place.report("it");
    let journal = place.attempts("it");

    let document = junit(&place, "it.junit.xml");
    let suites: Vec<&str> = document
        .test_suites
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    let variants = report["variants"].as_array().unwrap();
    let names: Vec<&str> = variants
        .iter()
        .map(|variant| variant["name"].as_str().unwrap())
        .collect();
    assert_eq!(suites, names);
    // What the journal says of each case, told independently of how it is written.
    let mut standing: BTreeMap<(u64, String), Vec<bool>> = BTreeMap::new();
    for attempt in &journal {
        let (example, variant, _) = case(attempt);
        assert_eq!(attempt["outcome"], "finished");
        let feedback = attempt["feedback"].as_array().unwrap();
        let says = [
            "triage.accuracy",
            "tool_calls.exact",
            "tool_calls.forbidden",
            "hitl.pass",
            "memory.pass",
        ];
        let own = feedback
            .iter()
            .filter(|own| says.contains(&own["key"].as_str().unwrap()));
        let passed = own.into_iter().all(|own| own["score"] == 1.0);
        standing.entry((variant, example)).or_default().push(passed);
    }
    let mut cases = 0;
    for (index, suite) in document.test_suites.iter().enumerate() {
        for case in &suite.test_cases {
            let passed = &standing[&(index as u64, case.name.as_str().to_owned())];
            let (wanted, lapses) = (
                passed.contains(&true),
                passed.iter().filter(|passed| !**passed).count(),
            );
            let (found, told) = match &case.status {
                TestCaseStatus::Success { flaky_runs } => (true, flaky_runs.len()),
                TestCaseStatus::NonSuccess { kind, reruns, .. } => {
                    assert_eq!(*kind, NonSuccessKind::Failure);
                    (false, 1 + reruns.runs.len())
                }
                TestCaseStatus::Skipped { .. } => panic!("nothing is skipped"),
            };
            assert_eq!((found, told), (wanted, lapses), "{}", case.name.as_str());
            assert_eq!(case.classname.as_ref().unwrap().as_str(), names[index]);
            cases += 1;
        }
        let failed = &variants[index]["failed_cases"];
        let failed: u64 = failed
            .as_object()
            .unwrap()
            .values()
            .map(|n| n.as_u64().unwrap())
            .sum();
        assert!(suite.failures as u64 <= failed);
    }
    assert_eq!(cases, standing.len());
    assert!(document.failures > 0, "the sample has a failure to show");

    let text = read(&place, "it.csv");
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let headers = table.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), journal.len());
    let passed = rows
        .iter()
        .filter(|row| &row[column("verdict")] == "passed")
        .count() as u64;
    let counted = variants
        .iter()
        .map(|variant| variant["counts"]["passed"].as_u64().unwrap());
    assert_eq!(passed, counted.sum::<u64>());
    let right = rows
        .iter()
        .filter(|row| &row[column("triage.accuracy")] == "1");
    assert!(right.count() > 0);

    let findings: Vec<Value> = serde_json::from_str(&read(&place, "it.codequality.json")).unwrap();
    let failed = standing
        .values()
        .filter(|passed| passed.contains(&false))
        .count();
    assert_eq!(findings.len(), failed);
    assert_eq!(findings[0]["location"]["path"], "mailproof.yaml");

    let comment = read(&place, "it.comment.md");
    let markdown = read(&place, "reports/it/report.md");
    assert_eq!(
        comment,
        format!(
            "<!-- mailproof:{} -->\n{markdown}",
            report["dataset"]["name"].as_str().unwrap()
        )
    );
}

#[test]
fn files_do_not_depend_on_the_order_attempts_end_in() {
    let of = |concurrency: &str| {
        let place = Place::new();
        let arguments = [
            "run",
            "triage",
            "--limit",
            "30",
            "--repeat",
            "2",
            "-e",
            "it",
            "-j",
            concurrency,
        ];
        place.run(&arguments, 0);
        place.run(
            &[
                "report",
                "it",
                "-o",
                "a.junit.xml",
                "-o",
                "a.csv",
                "-o",
                "a.codequality.json",
            ],
            0,
        );
        let mut document = junit(&place, "a.junit.xml");
        document.time = None;
        for suite in &mut document.test_suites {
            suite.time = None;
            suite.timestamp = None;
            for case in &mut suite.test_cases {
                case.time = None;
                if let TestCaseStatus::Success { flaky_runs: runs } = &mut case.status {
                    runs.iter_mut().for_each(|run| run.time = None);
                }
                if let TestCaseStatus::NonSuccess { reruns, .. } = &mut case.status {
                    reruns.runs.iter_mut().for_each(|run| run.time = None);
                }
            }
        }
        let table = read(&place, "a.csv");
        let mut table = csv::Reader::from_reader(table.as_bytes());
        let latency = table
            .headers()
            .unwrap()
            .iter()
            .position(|name| name == "latency_ms")
            .unwrap();
        let rows: Vec<Vec<String>> = table
            .records()
            .map(|row| {
                let row = row.unwrap();
                let cells = row
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| *index != latency);
                cells.map(|(_, cell)| cell.to_owned()).collect()
            })
            .collect();
        (document, rows, read(&place, "a.codequality.json"))
    };
    assert_eq!(of("1"), of("16"));
}

#[test]
fn github_gets_annotations_and_a_summary_and_data_stays_data() {
    let place = Place::new();
    place.write("mine.jsonl", &hostile_dataset());
    place.write("summary.md", "of an earlier command");
    let arguments = [
        "run",
        "triage",
        "-a",
        "workflow",
        "-d",
        "mine.jsonl",
        "-e",
        "it",
        "--json",
        "--min-pass-rate",
        "1",
    ];
    let mut command = place.command(&arguments);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", place.path("summary.md"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(100));
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    let printed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed, place.report("it"));
    assert!(!stdout.contains("##["), "{stdout}");

    let commands: Vec<&str> = stderr
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
        .collect();
    assert!(
        commands[0].starts_with("::error title=gate failed%3A min_pass_rate of workflow@rules::"),
        "{stderr}"
    );
    assert!(commands.len() > 1, "{stderr}");
    for command in &commands[1..] {
        assert!(
            command.starts_with("::warning file=mine.jsonl,line="),
            "{command}"
        );
    }
    assert!(
        !stderr
            .lines()
            .any(|line| !line.starts_with("::") && line.contains("##[")),
        "{stderr}"
    );
    assert!(!stderr.contains(['\u{1b}', '\u{202e}']));

    let summary = read(&place, "summary.md");
    let report = read(&place, "reports/it/report.md");
    assert_eq!(summary, format!("of an earlier command\n{report}"));

    // Text for people: nothing in it is a command either.
    let mut command = place.command(&["report", "it"]);
    let output = command.env("GITHUB_ACTIONS", "true").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("owned"), "{stdout}");
    assert!(
        !stdout
            .lines()
            .any(|line| line.trim_start().starts_with("::") || line.contains("##[")),
        "{stdout}"
    );
    // Elsewhere nobody is told anything.
    assert_eq!(place.fail(&["report", "it"], 100), "");
}

#[test]
fn a_summary_that_cannot_be_written_fails_nothing() {
    let place = Place::new();
    place.run(
        &[
            "run", "triage", "-a", "workflow", "--limit", "3", "-e", "it",
        ],
        0,
    );
    let mut command = place.command(&["report", "it"]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", place.path("no/such/file"));
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("the summary cannot be written to `"),
        "{stderr}"
    );
}

#[test]
fn a_hostile_mail_harms_no_file_of_a_pipeline() {
    let place = Place::new();
    place.write("mine.jsonl", &hostile_dataset());
    let files = ["a.junit.xml", "a.csv", "a.codequality.json", "a.comment.md"];
    let outputs: Vec<&str> = files.iter().flat_map(|file| ["-o", file]).collect();
    let run = [
        "run",
        "triage",
        "-a",
        "baseline",
        "-a",
        "workflow",
        "-d",
        "mine.jsonl",
        "-e",
        "it",
    ];
    place.run(&[&run[..], &outputs].concat(), 0);
    for file in files {
        let text = read(&place, file);
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{file}"
        );
        assert!(!text.contains('\u{202e}'), "{file}");
        assert!(text.lines().all(|line| line.len() < 10_000), "{file}");
    }
    let document = junit(&place, "a.junit.xml");
    assert_eq!(document.tests, 6);
    let text = read(&place, "a.csv");
    for row in csv::Reader::from_reader(text.as_bytes()).records() {
        assert!(
            row.unwrap()
                .iter()
                .all(|cell| !cell.starts_with(['=', '+', '-', '@']))
        );
    }
    let findings: Vec<Value> = serde_json::from_str(&read(&place, "a.codequality.json")).unwrap();
    for finding in findings
        .iter()
        .filter(|finding| finding["check_name"] == "example")
    {
        assert_eq!(finding["location"]["path"], "mine.jsonl");
        let line = finding["location"]["lines"]["begin"].as_u64().unwrap();
        let text = hostile_dataset();
        let example: Value =
            serde_json::from_str(text.lines().nth(line as usize - 1).unwrap()).unwrap();
        assert!(
            finding["description"]
                .as_str()
                .unwrap()
                .contains(example["id"].as_str().unwrap())
        );
    }
}

#[test]
fn an_output_of_no_known_form_is_refused_before_anything_runs() {
    let place = Place::new();
    let error = place.fail(&["run", "-e", "it", "-o", "it.xml"], 2);
    assert!(error.contains(".junit.xml"), "{error}");
    assert!(!place.path("reports").exists());
}
