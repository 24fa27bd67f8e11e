//! Asks a person, one statement after the other.
//!
//! Answers are lines, at a terminal as in a file: what is typed is what is tested. The end
//! of the input is as good as `quit`.

use std::io::{self, BufRead, Read, Write};

use super::gather::{Gathered, Sheetful, Task};
use super::sheet::Sheet;
use crate::cli::exit::Failure;
use crate::judge::Verdict;
use crate::judge::definition::Definition;
use crate::report::escape;

/// The most bytes of one line that are read.
const LINE: u64 = 1 << 16;
/// The most characters of a reason.
const REASON: usize = 2_000;

const KEYS: &str = "p pass · f fail · c cannot tell · s skip · u undo · r rubric · q quit";

/// Where answers come from, and where questions go.
pub struct Dialogue<I, O> {
    pub input: I,
    pub output: O,
    /// Rows of the terminal, after which to wait; `None` where nobody looks on.
    pub page: Option<usize>,
    /// Columns to fold to.
    pub width: usize,
}

/// What a person may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Label(Verdict),
    Skip,
    Undo,
    Rubric,
    Quit,
}

impl Answer {
    fn read(text: &str) -> Option<Answer> {
        Some(match text.trim().to_lowercase().as_str() {
            "p" | "pass" => Answer::Label(Verdict::Pass),
            "f" | "fail" => Answer::Label(Verdict::Fail),
            "c" | "cannot tell" | "cannot_tell" => Answer::Label(Verdict::CannotTell),
            "s" | "skip" => Answer::Skip,
            "u" | "undo" => Answer::Undo,
            "r" | "rubric" => Answer::Rubric,
            "q" | "quit" => Answer::Quit,
            _ => return None,
        })
    }
}

/// What became of a question.
enum Step {
    Labelled,
    Skipped,
    Undo,
    Quit,
}

impl<I: BufRead, O: Write> Dialogue<I, O> {
    /// Asks about every task that this person has not labelled yet, and keeps each label as
    /// it is given.
    pub fn run(
        mut self,
        gathered: &Gathered,
        definition: &Definition,
        sheet: &mut Sheet,
    ) -> Result<(), Failure> {
        let is_open = |task: &&Task| sheet.label(&task.id).is_none();
        let open: Vec<&Task> = gathered.tasks.iter().filter(is_open).collect();
        let (all, done) = (gathered.tasks.len(), gathered.tasks.len() - open.len());
        if open.is_empty() {
            return self.say(&format!("all {all} are labelled")).map_err(broken);
        }
        // What was done with each before: whether it got a label.
        let mut past: Vec<bool> = Vec::new();
        while let Some(task) = open.get(past.len()) {
            let sheetful = gathered.sheet(task, definition)?;
            let place = format!("{} of {all}", done + past.len() + 1);
            match self.ask(&place, sheetful, definition, sheet)? {
                Step::Labelled => past.push(true),
                Step::Skipped => past.push(false),
                Step::Undo => match past.pop() {
                    Some(true) => sheet.take_back()?,
                    Some(false) => {}
                    None => self
                        .say("nothing to undo in this sitting")
                        .map_err(broken)?,
                },
                Step::Quit => break,
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        place: &str,
        sheetful: Sheetful,
        definition: &Definition,
        sheet: &mut Sheet,
    ) -> Result<Step, Failure> {
        let Sheetful {
            item,
            shown,
            statement,
        } = sheetful;
        let rule = "─".repeat(self.width.saturating_sub(place.len() + 4));
        // Only headings stand at the margin.
        let shown = shown.trim_end().replace("\n# ", "\n\n# ");
        let text = format!("── {place} {rule}\n{shown}");
        if !self.show(&text).map_err(broken)? {
            return Ok(Step::Quit);
        }
        loop {
            let asked = format!("\nStatement: {statement}\n{KEYS}");
            self.say(&asked).map_err(broken)?;
            let Some(line) = self.line("> ").map_err(broken)? else {
                return Ok(Step::Quit);
            };
            match Answer::read(&line) {
                Some(Answer::Label(label)) => {
                    let Some(reason) = self.line("why? ").map_err(broken)? else {
                        return Ok(Step::Quit);
                    };
                    let reason = reason.trim().chars().take(REASON).collect();
                    sheet.add(item, label, reason)?;
                    return Ok(Step::Labelled);
                }
                Some(Answer::Skip) => return Ok(Step::Skipped),
                Some(Answer::Undo) => return Ok(Step::Undo),
                Some(Answer::Quit) => return Ok(Step::Quit),
                Some(Answer::Rubric) => {
                    if !self.show(definition.rubric.trim_end()).map_err(broken)? {
                        return Ok(Step::Quit);
                    }
                }
                None => self.say("say one of the letters").map_err(broken)?,
            }
        }
    }

    /// Text that others wrote, folded, a page at a time; whether to go on.
    fn show(&mut self, text: &str) -> io::Result<bool> {
        let lines = folded(text, self.width);
        // The statement and the prompt go below the last page.
        let page = self
            .page
            .map_or(usize::MAX, |rows| rows.saturating_sub(8).max(5));
        let mut pages = lines.chunks(page).peekable();
        while let Some(lines) = pages.next() {
            for line in lines {
                writeln!(self.output, "{line}")?;
            }
            if pages.peek().is_some() && self.line("(Enter for more) ")?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        for line in folded(text, self.width) {
            writeln!(self.output, "{line}")?;
        }
        Ok(())
    }

    /// The next line of the input; `None` at its end.
    fn line(&mut self, prompt: &str) -> io::Result<Option<String>> {
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
fn folded(text: &str, width: usize) -> Vec<String> {
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
    fn answers_are_letters_or_words() {
        for (text, answer) in [
            ("p", Some(Answer::Label(Verdict::Pass))),
            (" F \r\n", Some(Answer::Label(Verdict::Fail))),
            ("cannot tell\n", Some(Answer::Label(Verdict::CannotTell))),
            ("u", Some(Answer::Undo)),
            ("", None),
            ("yes", None),
        ] {
            assert_eq!(Answer::read(text), answer, "{text:?}");
        }
    }

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
