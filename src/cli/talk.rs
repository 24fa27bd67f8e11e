//! What reaches the terminal: data to stdout, talk to stderr.

use std::io::{self, IsTerminal, Write};

use super::args::{Color, Talk};
use super::exit::Failure;

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
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Data for stdout. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// stdout cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::internal(format!(
            "cannot write to stdout: {error}"
        ))),
        _ => Ok(()),
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
