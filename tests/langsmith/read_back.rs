//! What was pushed, read by LangSmith's own SDK.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::bench::{Bench, KEY, done, server};

/// Whether everything that is there is as it is here.
fn read_back(python: &str, bench: &Bench, dataset: &str, endpoint: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/langsmith/read_back.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .args(["reports/e", dataset])
        .current_dir(bench.path())
        .stdin(Stdio::null())
        .env("LANGSMITH_ENDPOINT", endpoint)
        .env("LANGSMITH_API_KEY", KEY);
    let done = done(command).exits(0);
    done.stdout
}

fn python() -> Option<String> {
    let python = std::env::var("MAILPROOF_LANGSMITH_PYTHON").ok();
    if python.is_none() {
        eprintln!("not tested: what LangSmith's SDK reads (run it by `scripts/langsmith`)");
    }
    python
}

#[test]
fn the_sdk_reads_back_what_the_journal_has() {
    let Some(python) = python() else { return };
    let bench = Bench::with(&[]);
    let server = server();
    bench.push(&server).exits(0);
    let told = read_back(&python, &bench, "mails", &server.origin);
    assert_eq!(told.lines().count(), 4, "{told}");

    // The script can tell: one score less, and it is missed.
    let journal = bench.path().join("reports/e/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let score = r#"{"key":"tool_calls.recall","score":1.0},"#;
    assert!(text.contains(score));
    std::fs::write(&journal, text.replacen(score, "", 1)).unwrap();
    let missed = std::panic::catch_unwind(|| read_back(&python, &bench, "mails", &server.origin));
    assert!(missed.is_err());
}

/// Of built-in emails: judges decide on each of these.
const JUDGED: [&str; 3] = [
    "batch-api-decision-meeting",
    "headcount-by-noon/feedback",
    "learns-afternoons-only",
];

#[test]
fn the_sdk_reads_back_what_every_judge_said() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let mut run = vec!["run", "-q", "-e", "e"];
    for id in JUDGED {
        run.extend(["--example", id]);
    }
    bench.mailproof(None, &run).exits(0);
    let judged: Vec<_> = bench
        .journal("e", "attempt")
        .iter()
        .flat_map(|attempt| attempt["judged"].as_array().cloned().unwrap_or_default())
        .map(|judged| judged["judge"].as_str().unwrap().to_owned())
        .collect();
    for judge in ["response_criteria", "feedback_honoured", "memory_update"] {
        assert!(judged.iter().any(|it| it == judge), "{judge}: {judged:?}");
    }
    let server = server();
    bench.push(&server).exits(0);
    read_back(&python, &bench, "email", &server.origin);
}

/// Another stand-in, given from outside: a program of Python that takes `serve`, a log, and
/// faults.
struct Recorder {
    process: Child,
    endpoint: String,
}

impl Recorder {
    fn start(program: &str, faults: &[&str]) -> Recorder {
        let mut process = Command::new("python3")
            .args([program, "serve", "--port", "0", "--log", "/dev/null"])
            .args(faults)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let endpoint = line
            .split_whitespace()
            .find(|word| word.starts_with("http"));
        Recorder {
            endpoint: endpoint.expect("it says where it listens").to_owned(),
            process,
        }
    }

    /// From here on, nothing goes wrong.
    fn recover(&self) {
        let calm =
            r#"{"fail_first":0,"fail_rate":0,"drop_connection_rate":0,"drop_response_rate":0}"#;
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "POST /__recorder/faults HTTP/1.1\r\nHost: recorder\r\nConnection: close\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{calm}", calm.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn push(&self, bench: &Bench) -> Option<i32> {
        let mut command = bench.command(None, &["push", "langsmith", "e"]);
        command
            .env("LANGSMITH_ENDPOINT", &self.endpoint)
            .env("LANGSMITH_API_KEY", KEY);
        done(command).code
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn another_stand_in_holds_the_same_whatever_happens_to_it() {
    let Ok(program) = std::env::var("MAILPROOF_LANGSMITH_RECORDER") else {
        eprintln!("not tested: another stand-in (MAILPROOF_LANGSMITH_RECORDER names none)");
        return;
    };
    let Some(python) = python() else { return };
    let bench = Bench::with(&[]);
    let mut told = Vec::new();
    for faults in [
        &[][..],
        &["--time-window-hours", "24"],
        &["--query-backend", "clickhouse"],
        &["--no-multipart"],
        &["--no-zstd", "--legacy-examples"],
        &["--fail-first", "3", "--status", "503", "--retry-after", "0"],
        &[
            "--fail-rate",
            "0.3",
            "--status",
            "429",
            "--retry-after",
            "0",
        ],
        &["--drop-connection-rate", "0.1"],
        &["--drop-response-rate", "0.1"],
    ] {
        let recorder = Recorder::start(&program, faults);
        let mut pushes = (0..20).map(|_| recorder.push(&bench));
        assert!(pushes.any(|code| code == Some(0)), "{faults:?}");
        recorder.recover();
        told.push(read_back(&python, &bench, "mails", &recorder.endpoint));
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:#?}");
}
