//! Experiments in a folder of their own, and commands on them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::server::Server;
use super::service::Settings;

/// Nothing that is sent or written has it in it.
pub const KEY: &str = "lsv2_pt_c4na5y5e2b9f4d1a8c7e6f3b2a190d8e7_1a2b3c4d5e";

/// Three examples, one of them with criteria, a scenario, and an episode.
pub const MAILS: &str = r#"
- id: invoice-question
  email: { from: "Ana Ruiz <ana@northwind.example>", to: "Sam Lee <sam@acme.example>", subject: "Invoice 1042", body: "Hi Sam, could you tell me when invoice 1042 will be paid?" }
  tags: [billing]
  split: test
  expect: { triage: respond, tool_calls: [write_email, done], criteria: ["Names the invoice number", "Greets the sender"] }
- id: newsletter
  email: { from: "News <news@shop.example>", to: "Sam Lee <sam@acme.example>", subject: "Our weekly newsletter: 50% off", body: "Unsubscribe here." }
  split: dev
  expect: { triage: ignore }
- id: build-failed
  email: { from: "CI <ci@acme.example>", to: "Sam Lee <sam@acme.example>", subject: "Build failed", body: "The nightly build failed. No reply needed." }
  expect: { triage: notify }
- id: invoice-question/edit
  scenario: { example: invoice-question }
  human:
    - { on: write_email, edit: { subject: "Re: Invoice 1042 (paid)" } }
  expect: { tool_calls: [write_email, done], interrupts: [write_email] }
- id: learns-builds
  episode:
    - { example: build-failed, human: [ { on: notify, respond: "Ignore build mails from now on." } ] }
    - { example: newsletter, expect: { triage: ignore } }
"#;

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    #[track_caller]
    pub fn exits(self, code: i32) -> Done {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }
}

pub struct Bench {
    pub place: TempDir,
}

impl Bench {
    /// A folder with [`MAILS`] in `mails.yaml`.
    pub fn new() -> Bench {
        let bench = Bench {
            place: tempfile::tempdir().unwrap(),
        };
        bench.write("mails.yaml", MAILS);
        bench
    }

    /// With an experiment `e` of the arguments, on `mails.yaml` by the offline model.
    pub fn with(arguments: &[&str]) -> Bench {
        let bench = Bench::new();
        bench.run("e", arguments);
        bench
    }

    pub fn run(&self, experiment: &str, arguments: &[&str]) -> Done {
        let run = ["run", "-q", "-d", "mails.yaml", "-e", experiment];
        self.mailproof(None, &[&run, arguments].concat()).exits(0)
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// The lines of an experiment's journal that hold `kind`.
    pub fn journal(&self, experiment: &str, kind: &str) -> Vec<Value> {
        let path = self
            .path()
            .join("reports")
            .join(experiment)
            .join("journal.jsonl");
        let text = fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| line.get(kind).cloned()).collect()
    }

    /// With a key where a server is named.
    pub fn command(&self, server: Option<&Server>, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailproof"));
        command
            .current_dir(self.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some(server) = server {
            command.env("LANGSMITH_ENDPOINT", &server.origin);
            command.env("LANGSMITH_API_KEY", KEY);
        }
        command
    }

    pub fn mailproof(&self, server: Option<&Server>, arguments: &[&str]) -> Done {
        done(self.command(server, arguments))
    }

    /// Pushes `e`.
    pub fn push(&self, server: &Server) -> Done {
        self.mailproof(Some(server), &["push", "langsmith", "e"])
    }

    pub fn spawn_push(&self, server: &Server) -> Child {
        self.command(Some(server), &["push", "langsmith", "e"])
            .spawn()
            .unwrap()
    }
}

pub fn done(mut command: Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub fn server() -> Server {
    Server::start(Settings::new(KEY))
}

/// Every file under a folder, with what is in it.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|found| found == text.as_bytes())
}
