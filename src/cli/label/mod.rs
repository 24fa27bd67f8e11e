//! `mailproof label`: a person decides what judges decide, without seeing what they said.
//!
//! [`gather`] finds what there is to label in a journal, and in which order; [`sheet`] is
//! the file that labels go to; [`dialogue`] asks. What is asked about is shown as a judge is
//! shown it, and never by which variant it is.

mod dialogue;
mod gather;
mod sheet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::REPORTS;
use super::args::{LabelArgs, Talk};
use super::ask::Asking;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::talk::{print, say};
use crate::experiment::ExperimentName;
use crate::experiment::journal::FILE;
use crate::judge::Verdict;
use crate::judge::calibration::items::can_hold;
use crate::judge::definition::Definitions;
use crate::report::escape;
use crate::statistics::cohen_kappa;
use dialogue::Dialogue;
use gather::Gathered;
use sheet::Sheet;

/// The most characters of a person's name, as in an item.
const LONGEST_NAME: usize = 100;

pub fn run(talk: &Talk, args: &LabelArgs) -> Result<Exit, Failure> {
    if !can_hold(args.judge) {
        return Err(Failure::usage(format!(
            "what `{}` is shown of an attempt fits into no calibration item: label for \
             response_criteria or feedback_honoured",
            args.judge
        )));
    }
    let who = identity(args.by.as_deref())?;
    let experiment: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let journal = experiment.folder(Path::new(REPORTS)).join(FILE);
    let definitions = Definitions::embedded();
    let definition = definitions.get(args.judge);
    let mut gathered = Gathered::read(&journal, definition, args.seed)?;
    gathered.tasks.truncate(args.limit.unwrap_or(usize::MAX));
    if gathered.left_out > 0 {
        say(
            talk,
            &format!(
                "{} statements are left out: no item can hold what they are about",
                gathered.left_out
            ),
        );
    }
    if gathered.tasks.is_empty() {
        return Err(Failure::nothing_selected(format!(
            "no attempt of `{experiment}` has a statement for `{}` to decide",
            args.judge
        )));
    }
    let path = args.output.clone().unwrap_or_else(|| {
        let file = format!("{}.{experiment}.jsonl", args.judge);
        PathBuf::from("judges/calibration").join(file)
    });
    let redactor = Environment::process().redactor();
    let mut sheet = Sheet::open(&path, &who, &gathered.dataset.examples, redactor)?;
    if let Some(note) = sheet.note() {
        say(talk, &escape::line(note));
    }

    let dialogue = Dialogue(Asking::process());
    let before = sheet.mine();
    dialogue.run(&gathered, definition, &mut sheet)?;
    let summary = Summary::new(&gathered, &sheet, &who);
    let this_sitting = sheet.mine() - before;
    print(&if talk.json {
        summary.json(&path, this_sitting)
    } else {
        summary.text(&path, this_sitting)
    })?;
    Ok(Exit::Ok)
}

/// Who labels: as said, as git calls them, or the user of this machine.
fn identity(asked: Option<&str>) -> Result<String, Failure> {
    let given = |name: String| (!name.trim().is_empty()).then(|| name.trim().to_owned());
    let variable = |name| std::env::var(name).ok().and_then(given);
    let who = match asked {
        Some(name) => given(name.to_owned()),
        None => git_name()
            .and_then(given)
            .or_else(|| variable("USER"))
            .or_else(|| variable("LOGNAME")),
    };
    let who = who.ok_or_else(|| Failure::usage("say who labels, with `--by NAME`"))?;
    if who.chars().count() > LONGEST_NAME || who.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "a name has at most {LONGEST_NAME} printable characters"
        )));
    }
    Ok(who)
}

/// git's `user.name`; `None` where there is none, or no git.
fn git_name() -> Option<String> {
    let output = Command::new("git")
        .args(["config", "user.name"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// What is labelled by now.
struct Summary {
    /// By this person, of what there is.
    labelled: usize,
    tasks: usize,
    agreement: BTreeMap<String, Agreement>,
}

/// This person's labels against those of another, over what both labelled.
#[derive(Default)]
struct Agreement {
    /// By label of this person, by label of the other, in the order of [`Verdict::ALL`].
    matrix: [[u64; 3]; 3],
}

impl Agreement {
    fn both(&self) -> u64 {
        self.matrix.iter().flatten().sum()
    }

    fn same(&self) -> u64 {
        (0..3).map(|label| self.matrix[label][label]).sum()
    }
}

impl Summary {
    fn new(gathered: &Gathered, sheet: &Sheet, who: &str) -> Summary {
        let place = |label| Verdict::ALL.iter().position(|verdict| *verdict == label);
        let mut agreement: BTreeMap<String, Agreement> = BTreeMap::new();
        for other in sheet.items().iter().filter(|item| item.labelled_by != who) {
            let mine = sheet.label(&other.id).and_then(place);
            if let (Some(mine), Some(theirs)) = (mine, place(other.label)) {
                let with = agreement.entry(other.labelled_by.clone()).or_default();
                with.matrix[mine][theirs] += 1;
            }
        }
        let done = |task: &&gather::Task| sheet.label(&task.id).is_some();
        Summary {
            labelled: gathered.tasks.iter().filter(done).count(),
            tasks: gathered.tasks.len(),
            agreement,
        }
    }

    fn text(&self, path: &Path, this_sitting: usize) -> String {
        let file = path.display().to_string();
        let mut text = format!(
            "{this_sitting} labelled now, {} of {} in all, in {}\n",
            self.labelled,
            self.tasks,
            escape::line(&file)
        );
        for (other, agreement) in &self.agreement {
            let kappa = match cohen_kappa(&agreement.matrix) {
                Some(kappa) => format!("kappa {kappa:.2}"),
                None => "kappa undefined: one label throughout".to_owned(),
            };
            text.push_str(&format!(
                "with {}: the same label for {} of {} ({kappa})\n",
                escape::line(other),
                agreement.same(),
                agreement.both(),
            ));
        }
        text
    }

    fn json(&self, path: &Path, this_sitting: usize) -> String {
        let agreement = self.agreement.iter().map(|(other, agreement)| {
            json!({
                "with": other,
                "items": agreement.both(),
                "same": agreement.same(),
                "kappa": cohen_kappa(&agreement.matrix),
            })
        });
        let summary = json!({
            "file": path.display().to_string(),
            "labelled_now": this_sitting,
            "labelled": self.labelled,
            "items": self.tasks,
            "agreement": agreement.collect::<Vec<_>>(),
        });
        format!("{summary:#}\n")
    }
}

#[cfg(test)]
mod tests;
