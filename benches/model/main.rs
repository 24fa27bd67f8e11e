//! What a run costs beside its model: 2,000 emails of one call each, asked of a server that
//! answers after a fixed time.
//!
//! `scripts/bench model` runs it. The server is a process of its own, so that its work is
//! not counted, and it does the counting that a client could cheat in: how many requests
//! came, how many of them differed, how many it held at once, and over how many
//! connections. The figures are those of the run with the median time; a figure over its
//! bar ends the bench with exit code 1. Beside the first stands what a client takes that does
//! nothing but ask: of the time of a run, that much is the server's and the machine's.

mod control;
mod server;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use server::Served;

const CASES: usize = 2_000;

/// One way to run the cases, and what it may take.
struct Setting {
    latency: Duration,
    in_flight: usize,
    most: Most,
}

enum Most {
    /// Over the ideal time of a run without any work of its own.
    Percent(f64),
    /// Processor time a case, of the program's start and end too.
    Cpu(Duration),
    /// Megabytes that the program held at most.
    Memory(f64),
}

const SETTINGS: [Setting; 3] = [
    Setting {
        latency: Duration::from_millis(50),
        in_flight: 64,
        most: Most::Percent(5.0),
    },
    Setting {
        latency: Duration::ZERO,
        in_flight: 64,
        most: Most::Cpu(Duration::from_micros(250)),
    },
    Setting {
        latency: Duration::from_secs(1),
        in_flight: 1_000,
        most: Most::Memory(100.0),
    },
];

/// What one run took.
struct Run {
    wall: Duration,
    cpu: Duration,
    memory_mb: f64,
    served: Served,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [verb, latency] = &arguments[..]
        && verb == "serve"
    {
        let latency = latency.parse().expect("a number of milliseconds");
        server::serve(Duration::from_millis(latency));
        return ExitCode::SUCCESS;
    }
    let runs = env::var("RUNS").map_or(3, |runs| runs.parse().expect("RUNS is a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("emails.jsonl"), emails()).expect("a dataset is written");

    let mut passed = true;
    for setting in &SETTINGS {
        let mut measured: Vec<Run> = (0..runs).map(|_| run(setting, folder.path())).collect();
        measured.sort_by_key(|run| match setting.most {
            Most::Cpu(_) => run.cpu,
            Most::Percent(_) | Most::Memory(_) => run.wall,
        });
        passed &= tell(setting, &measured[measured.len() / 2]);
        if let Most::Percent(_) = setting.most {
            let mut least: Vec<Duration> = (0..runs).map(|_| control(setting)).collect();
            least.sort();
            println!(
                "  a client that only asks takes {:.3} s on this machine",
                least[least.len() / 2].as_secs_f64()
            );
        }
    }
    ExitCode::from(u8::from(!passed))
}

/// A dataset of short emails, no two alike.
fn emails() -> String {
    let mut lines = String::new();
    for number in 0..CASES {
        let email = serde_json::json!({
            "from": format!("Ana Ruiz <ana{number}@northwind.example>"),
            "to": "Sam Lee <sam@acme.example>",
            "subject": format!("Invoice {number}"),
            "body": format!("Invoice {number} is on its way."),
        });
        let example = serde_json::json!({
            "id": format!("invoice-{number}"), "email": email, "expect": { "triage": "notify" },
        });
        writeln!(lines, "{example}").expect("a string takes all");
    }
    lines
}

fn run(setting: &Setting, folder: &Path) -> Run {
    let reports = folder.join("reports");
    if reports.exists() {
        fs::remove_dir_all(&reports).expect("the last run's reports are removed");
    }
    let mut server = Server::start(setting.latency);
    let in_flight = setting.in_flight.to_string();
    let cpu = children_cpu();
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_mailproof"))
        .args(["run", "triage", "-q", "-a", "workflow", "-m", "openai:mock"])
        .args(["-d", "emails.jsonl", "-e", "bench", "-j", &in_flight])
        .current_dir(folder)
        .env_clear()
        .env("OPENAI_BASE_URL", format!("http://{}/v1", server.address))
        .stdout(Stdio::null())
        .status()
        .expect("the program starts");
    let wall = start.elapsed();
    let cpu = children_cpu() - cpu;
    assert!(status.success(), "the run failed: {status}");

    let report = fs::read(reports.join("bench/report.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("a report is JSON");
    let counts = &report["variants"][0]["counts"];
    assert_eq!(counts["passed"], CASES, "every case was answered: {counts}");
    let memory = &report["environment"]["peak_memory_mb"];
    let memory_mb = memory.as_f64().expect("the peak memory");
    Run {
        wall,
        cpu,
        memory_mb,
        served: server.stop(),
    }
}

/// How long the same questions take without a run around them.
fn control(setting: &Setting) -> Duration {
    let mut server = Server::start(setting.latency);
    let least = control::least(&server.address, CASES, setting.in_flight);
    let served = server.stop();
    assert_eq!((served.requests, served.different), (CASES, CASES));
    least.expect("the server answers")
}

/// Prints the figures; whether they are good enough.
fn tell(setting: &Setting, run: &Run) -> bool {
    let Setting {
        latency,
        in_flight,
        most,
    } = setting;
    let Served {
        requests,
        different,
        most_in_flight,
        connections,
        answered_after,
        asked_again_after,
    } = run.served;
    let ideal = latency.as_secs_f64() * CASES as f64 / *in_flight as f64;
    let over = (run.wall.as_secs_f64() / ideal - 1.0) * 100.0;
    let each = run.cpu / CASES as u32;
    let (within, bar) = match *most {
        Most::Percent(most) => {
            let bar = format!("at most {most} % over the ideal {ideal:.3} s: {over:.1} %");
            (over <= most, bar)
        }
        Most::Cpu(most) => {
            let bar = format!("under {most:?} of processor time a case: {each:?}");
            (each < most, bar)
        }
        Most::Memory(most) => {
            let bar = format!("under {most} MB: {} MB", run.memory_mb);
            (run.memory_mb < most, bar)
        }
    };
    let honest = requests == CASES && different == CASES && most_in_flight == *in_flight;
    println!("{CASES} cases of one call, {latency:?} latency, {in_flight} in flight");
    println!(
        "  {:.3} s, processor {each:?} a case, peak memory {} MB",
        run.wall.as_secs_f64(),
        run.memory_mb
    );
    println!(
        "  the server saw {requests} requests ({different} different), {most_in_flight} at once, {connections} connections; it answered after {answered_after:?} and was asked again after {asked_again_after:?}",
    );
    println!("  {}: {bar}", if within { "within" } else { "MISSED" });
    // Without latency there may never be as many answers due as there may be requests.
    within && (honest || latency.is_zero())
}

/// The server's process, which ends with its input.
struct Server {
    address: String,
    process: Child,
}

impl Server {
    fn start(latency: Duration) -> Server {
        let mut process = Command::new(env::current_exe().expect("this program"))
            .args(["serve", &latency.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut address = String::new();
        let stdout = process.stdout.as_mut().expect("piped");
        while !address.ends_with('\n') {
            let mut byte = [0];
            stdout.read_exact(&mut byte).expect("the server's address");
            address.push(char::from(byte[0]));
        }
        Server {
            address: address.trim_end().to_owned(),
            process,
        }
    }

    fn stop(&mut self) -> Served {
        let mut stdin = self.process.stdin.take().expect("piped");
        stdin.write_all(b"\n").expect("the server listens");
        let mut text = String::new();
        let stdout = self.process.stdout.as_mut().expect("piped");
        stdout
            .read_to_string(&mut text)
            .expect("the server's counts");
        self.process.wait().expect("the server ends");
        Served::parse(&text)
    }
}

/// Processor time of this process's children that have ended, in the system's ticks of a
/// hundredth of a second.
/// Source: Linux manual pages, proc_pid_stat(5), `cutime` and `cstime`.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells of this process");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a count"))
        .sum();
    Duration::from_millis(10 * ticks)
}
