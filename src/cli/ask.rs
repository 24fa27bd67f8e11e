//! Questions to a person, and their answers.
//!
//! Answers are lines, at a terminal as in a file: what is typed is what is tested.

use std::io::{self, BufRead, Read, Write};

use super::exit::Failure;
use crate::report::escape;

/// The most bytes of one line that are read.
const LINE: u64 = 1 << 16;

/// Where answers come from, and where questions go.
pub struct Asking<I, O> {
    pub input: I,
    pub output: O,
    /// Rows of the terminal, after which to wait; `None` where nobody looks on.
    pub page: Option<usize>,
    /// Columns to fold to.
    pub width: usize,
}

impl Asking<io::StdinLock<'static>, anstream::AutoStream<io::StderrLock<'static>>> {
    /// The person at this process's terminal, or the lines of its input.
    pub fn process() -> Self {
        use io::IsTerminal;
        let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
        let page = interactive.then(|| console::Term::stderr().size());
        Asking {
            input: io::stdin().lock(),
            output: anstream::stderr().lock(),
            page: page.map(|(rows, _)| usize::from(rows)),
            width: page.map_or(80, |(_, columns)| usize::from(columns).clamp(40, 80)),
        }
    }
}

impl<I: BufRead, O: Write> Asking<I, O> {
    /// A rule across the screen, with what follows by name.
    pub fn rule(&self, name: &str) -> String {
        let rest = self.width.saturating_sub(name.chars().count() + 4);
        format!("── {name} {}", "─".repeat(rest))
    }

    /// Lines that are ready to be shown, a page at a time; whether to go on.
    pub fn show(&mut self, lines: &[String]) -> Result<bool, Failure> {
        // What is asked goes below the last page.
        let page = self
            .page
            .map_or(usize::MAX, |rows| rows.saturating_sub(8).max(5));
        let mut pages = lines.chunks(page).peekable();
        while let Some(lines) = pages.next() {
            self.write(lines)?;
            if pages.peek().is_some() && self.line("(Enter for more) ")?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Text of ours or of others, folded.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.write(&folded(text, self.width))
    }

    fn write(&mut self, lines: &[String]) -> Result<(), Failure> {
        let mut lines = lines.iter();
        lines
            .try_for_each(|line| writeln!(self.output, "{line}"))
            .map_err(broken)
    }

    /// The next line of the input; `None` at its end.
    pub fn line(&mut self, prompt: &str) -> Result<Option<String>, Failure> {
        self.read(prompt).map_err(broken)
    }

    fn read(&mut self, prompt: &str) -> io::Result<Option<String>> {
        write!(self.output, "{prompt}")?;
        self.output.flush()?;
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(LINE).read_until(b'\n', &mut bytes)?;
        if bytes.last() != Some(&b'\n') && read as u64 == LINE {
            self.input.skip_until(b'\n')?;
        }
        if self.page.is_none() {
            // Nobody pressed Enter that would have ended the line.
            writeln!(self.output)?;
        }
        Ok((read > 0).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Lines of at most `width` columns, with nothing in them that a terminal would act on. What
/// continues a line stands as far in as it began.
pub fn folded(text: &str, width: usize) -> Vec<String> {
    let mut folded = Vec::new();
    for line in escape::lines(text).lines() {
        let indent: String = line
            .chars()
            .take_while(|c| *c == ' ')
            .take(width / 2)
            .collect();
        let options = textwrap::Options::new(width)
            .initial_indent(&indent)
            .subsequent_indent(&indent);
        let words = line.trim_start();
        match words.is_empty() {
            true => folded.push(String::new()),
            false => folded.extend(textwrap::wrap(words, options).into_iter().map(String::from)),
        }
    }
    folded
}

fn broken(error: io::Error) -> Failure {
    Failure::internal(format!("cannot ask: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_folded_where_it_began_and_cannot_steer_the_terminal() {
        let text =
            "# The email\n  From: anna\u{1b}[2J\n\n  one two three four five six\n    \u{202e}deep";
        assert_eq!(
            folded(text, 20),
            [
                "# The email",
                "  From: anna\\u{1b}",
                "  [2J",
                "",
                "  one two three four",
                "  five six",
                "    \\u{202e}deep",
            ]
        );
        let long = folded(&"x".repeat(50), 20);
        assert!(long.iter().all(|line| line.len() <= 20), "{long:?}");
    }
}
