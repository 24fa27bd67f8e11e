//! Asks a person, one statement after the other.
//!
//! Answers are lines, at a terminal as in a file: what is typed is what is tested. The end
//! of the input is as good as `quit`.

use std::io::{BufRead, Write};

use super::gather::{Gathered, Task};
use super::sheet::Sheet;
use crate::cli::ask::{Asking, folded};
use crate::cli::exit::Failure;
use crate::experiment::statement::Statement;
use crate::judge::Verdict;
use crate::judge::definition::Definition;

/// The most characters of a reason.
const REASON: usize = 2_000;

const KEYS: &str = "p pass · f fail · c cannot tell · s skip · u undo · r rubric · q quit";

/// Asks one person.
pub struct Dialogue<I, O>(pub Asking<I, O>);

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
            return self.0.say(&format!("all {all} are labelled"));
        }
        // What was done with each before: whether it got a label.
        let mut past: Vec<bool> = Vec::new();
        while let Some(task) = open.get(past.len()) {
            let about = gathered.statement(task, definition)?;
            let place = format!("{} of {all}", done + past.len() + 1);
            match self.ask(&place, about, definition, sheet)? {
                Step::Labelled => past.push(true),
                Step::Skipped => past.push(false),
                Step::Undo => match past.pop() {
                    Some(true) => sheet.take_back()?,
                    Some(false) => {}
                    None => self.0.say("nothing to undo in this sitting")?,
                },
                Step::Quit => break,
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        place: &str,
        about: Statement,
        definition: &Definition,
        sheet: &mut Sheet,
    ) -> Result<Step, Failure> {
        let Statement {
            item,
            shown,
            text: statement,
        } = about;
        let rule = self.0.rule(place);
        // Only headings stand at the margin.
        let shown = shown.trim_end().replace("\n# ", "\n\n# ");
        let text = format!("{rule}\n{shown}");
        if !self.show(&text)? {
            return Ok(Step::Quit);
        }
        loop {
            let asked = format!("\nStatement: {statement}\n{KEYS}");
            self.0.say(&asked)?;
            let Some(line) = self.0.line("> ")? else {
                return Ok(Step::Quit);
            };
            match Answer::read(&line) {
                Some(Answer::Label(label)) => {
                    let Some(reason) = self.0.line("why? ")? else {
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
                    if !self.show(definition.rubric.trim_end())? {
                        return Ok(Step::Quit);
                    }
                }
                None => self.0.say("say one of the letters")?,
            }
        }
    }

    /// Text that others wrote, folded, a page at a time; whether to go on.
    fn show(&mut self, text: &str) -> Result<bool, Failure> {
        let lines = folded(text, self.0.width);
        self.0.show(&lines)
    }
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
}
