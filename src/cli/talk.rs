//! What reaches the terminal: data to stdout, talk to stderr.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;

use super::args::{Color, Talk};
use super::ci;
use super::environment::Environment;
use super::exit::Failure;
use crate::report::github;

/// Applies `--color` to everything printed from here on.
pub fn configure(talk: &Talk) {
    match talk.color {
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
        // The rest, `NO_COLOR` and the terminal, anstream looks at by itself.
        Color::Auto if forces_color(talk) => anstream::ColorChoice::Always.write_global(),
        Color::Auto => {}
    }
}

/// A line for the person at the terminal, unless they asked for quiet.
pub fn say(talk: &Talk, line: &str) {
    if !talk.quiet {
        warn(line);
    }
}

/// A line that `--quiet` does not silence.
pub fn warn(line: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(anstream::stderr(), "{}", for_log(line));
}

/// From here on, what a panic says is said without the secrets of `environment`: its message
/// may quote what a model or a server said.
pub fn guard_panics(environment: Environment) {
    std::panic::set_hook(panic_hook(environment, warn));
}

type PanicHook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

fn panic_hook(environment: Environment, say: impl Fn(&str) + Send + Sync + 'static) -> PanicHook {
    Box::new(move |panic| {
        let mut text = panic.to_string();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            text.push_str(&format!("\n{backtrace}"));
        }
        // Made only now: it costs a moment that a run without a panic need not spend.
        say(&environment.redactor().text(&text));
    })
}

/// Data for stdout. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// stdout cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(for_log(text).as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::internal(format!(
            "cannot write to stdout: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Where GitHub reads what is printed, no text of others gives it orders.
fn for_log(text: &str) -> Cow<'_, str> {
    match ci::is_github(&Environment::process()) {
        true => github::inert(text),
        false => Cow::Borrowed(text),
    }
}

/// Columns to fold to: the terminal's, `COLUMNS` where set, 100 where stdout is a file.
pub fn width() -> usize {
    let from_environment = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    from_environment
        .or_else(|| {
            let (_, columns) = console::Term::stdout().size_checked()?;
            io::stdout().is_terminal().then_some(usize::from(columns))
        })
        .unwrap_or(100)
        .clamp(40, 240)
}

/// Whether to colour what goes to stdout. anstream takes it out again where it was refused.
pub fn color(talk: &Talk) -> bool {
    io::stdout().is_terminal() || forces_color(talk)
}

/// Whether colour was asked for although stdout is no terminal.
fn forces_color(talk: &Talk) -> bool {
    talk.color == Color::Always
        || std::env::var_os("FORCE_COLOR").is_some_and(|value| !value.is_empty() && value != "0")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_says_what_happened_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "A_TEAM_API_KEY=canary-0123456789").unwrap();
        let environment = Environment::read(&[file], &Default::default()).unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let ear = Arc::clone(&heard);
        let before = std::panic::take_hook();
        std::panic::set_hook(panic_hook(environment, move |text| {
            // Other tests of this process may panic, too.
            if text.contains("model said") {
                ear.lock().unwrap().push_str(text);
            }
        }));
        let panicked = std::panic::catch_unwind(|| panic!("a model said canary-0123456789"));
        std::panic::set_hook(before);
        panicked.unwrap_err();
        let heard = heard.lock().unwrap();
        assert!(heard.contains("a model said [redacted]"), "{heard}");
        assert!(!heard.contains("canary"), "{heard}");
    }
}
