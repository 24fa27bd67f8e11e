//! A command that is told of each question that waits.

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::redact::Redactor;
use crate::run::Interrupt;

/// How often a command that runs is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A question that waits, as hooks are told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub thread: String,
    /// When it was asked.
    pub since: Timestamp,
    pub interrupt: Interrupt,
}

/// Runs a command once for each pending question, with the question as one JSON object on
/// its standard input.
///
/// The command is started as it is given, without a shell, so nothing of an email is ever
/// read as a command. It may say what it likes on standard error; a command that runs too
/// long is killed, though not what it started itself.
pub struct Hook {
    program: String,
    arguments: Vec<String>,
    limit: Duration,
    redactor: Arc<Redactor>,
    /// Threads and interrupts that it was told of.
    told: Mutex<HashSet<(String, String)>>,
}

/// Why the command was not told.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("cannot run the notification hook `{program}`: {reason}")]
    Start { program: String, reason: io::Error },
    #[error("the notification hook `{program}` failed: {status}")]
    Failed { program: String, status: ExitStatus },
    #[error("the notification hook `{program}` was ended after {} ms", limit.as_millis())]
    TookTooLong { program: String, limit: Duration },
}

impl Hook {
    /// A command with its arguments, that may take so long.
    pub fn new(
        program: impl Into<String>,
        arguments: Vec<String>,
        limit: Duration,
        redactor: Arc<Redactor>,
    ) -> Hook {
        Hook {
            program: program.into(),
            arguments,
            limit,
            redactor,
            told: Mutex::default(),
        }
    }

    /// Runs the command, unless this question was told before; waits until it ends.
    /// Returns whether it ran.
    ///
    /// # Errors
    /// [`HookError`], which is to be reported and nothing more: the question waits all the
    /// same, and is not told again.
    pub fn tell(&self, pending: &Pending) -> Result<bool, HookError> {
        let question = (pending.thread.clone(), pending.interrupt.id.clone());
        // A set is changed by one insertion, so a panicked holder cannot have torn it.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.insert(question) {
            return Ok(false);
        }
        drop(told);
        let json = serde_json::to_string(pending).expect("a question has string keys");
        let json = format!("{}\n", self.redactor.json(&json));
        let program = || self.program.clone();
        let cannot = |reason| HookError::Start {
            program: program(),
            reason,
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(cannot)?;
        // On a thread of its own: a command that does not read must not hold us up.
        let mut stdin = child.stdin.take().expect("it was piped");
        // What it does not read, it did not want.
        thread::spawn(move || _ = stdin.write_all(json.as_bytes()));
        match self.wait(&mut child).map_err(cannot)? {
            Some(status) if status.success() => Ok(true),
            Some(status) => Err(HookError::Failed {
                program: program(),
                status,
            }),
            None => Err(HookError::TookTooLong {
                program: program(),
                limit: self.limit,
            }),
        }
    }

    /// How the command ended; `None` where it had to be killed.
    fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if started.elapsed() >= self.limit {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::human::approval::tests::interrupt;
    use std::fs;

    fn pending(id: &str) -> Pending {
        let mut interrupt = interrupt("write_email");
        interrupt.id = id.to_owned();
        // Longer than a pipe holds, and dangerous to a shell.
        interrupt.description = Some(format!("$(touch owned) `x` ; {}", "y".repeat(200_000)));
        interrupt
            .args
            .insert("content".into(), "canary-0123456789".into());
        Pending {
            thread: "t1".into(),
            since: "2026-03-03T09:00:00Z".parse().unwrap(),
            interrupt,
        }
    }

    fn hook(program: &str, arguments: &[&str], limit: Duration) -> Hook {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        let redactor = Redactor::new(["canary-0123456789".to_owned()]);
        Hook::new(program, arguments.collect(), limit, Arc::new(redactor))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_command_is_told_once_of_each_question() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told.jsonl");
        let hook = hook("tee", &["-a", file.to_str().unwrap()], LONG);
        let told: Vec<bool> = ["1", "2", "1"]
            .map(|id| hook.tell(&pending(id)).unwrap())
            .into();
        assert_eq!(told, [true, true, false]);
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<Pending> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut expected = [pending("1"), pending("2")];
        for pending in &mut expected {
            let args = &mut pending.interrupt.args;
            args.insert("content".into(), "[redacted]".into());
        }
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_command_that_fails_is_reported() {
        let fail = |program: &str, arguments: &[&str], limit| {
            let hook = hook(program, arguments, limit);
            let error = hook.tell(&pending("1")).unwrap_err().to_string();
            assert!(!hook.tell(&pending("1")).unwrap(), "once is enough");
            error
        };
        insta::assert_snapshot!(fail("false", &[], LONG), @"the notification hook `false` failed: exit status: 1");
        insta::assert_snapshot!(fail("/no/such/program", &[], LONG), @"cannot run the notification hook `/no/such/program`: No such file or directory (os error 2)");
        // It never reads what it is told.
        let short = Duration::from_millis(30);
        insta::assert_snapshot!(fail("sleep", &["600"], short), @"the notification hook `sleep` was ended after 30 ms");
        // Nor does this one, which is no failure.
        assert!(hook("true", &[], LONG).tell(&pending("1")).unwrap());
    }
}
