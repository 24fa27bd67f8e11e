//! `snapshots/`: what is accepted, and what an experiment did beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{LookedAt, Talk};
use super::exit::Failure;
use super::rescore;
use super::results;
use super::talk::{say, warn};
use crate::compare::behaviour::{Change, Seen, SeenVariant, Snapshots};
use crate::dataset::Dataset;
use crate::experiment::Variant;
use crate::experiment::journal::{FILE, Reader};
use crate::redact::Redactor;
use crate::report::escape;

/// Where accepted behaviour is kept, under the working directory.
const FOLDER: &str = "snapshots";

/// The file of what is accepted of a variant.
pub fn path(variant: &Variant) -> PathBuf {
    Path::new(FOLDER).join(format!("{}.txt", variant.file_name()))
}

/// A variant: what it did, and what is accepted.
pub struct Compared {
    pub seen: SeenVariant,
    pub path: PathBuf,
    /// `None` where there is no file so far.
    pub accepted: Option<Snapshots>,
}

impl Compared {
    fn new(seen: SeenVariant) -> Result<Compared, Failure> {
        let path = path(&seen.variant);
        let accepted = Snapshots::open(&path, &seen.variant.name).map_err(Failure::from_error)?;
        Ok(Compared {
            seen,
            path,
            accepted,
        })
    }

    pub fn name(&self) -> &str {
        &self.seen.variant.name
    }

    /// What is not accepted; everything, where nothing is.
    pub fn changes(&self) -> Vec<Change> {
        match &self.accepted {
            Some(accepted) => self.seen.changes(accepted),
            None => self.seen.changes(&Snapshots::new(self.name())),
        }
    }

    /// Accepts changes, and writes the file.
    pub fn accept(
        &mut self,
        changes: &[Change],
        keep: bool,
        redactor: &Redactor,
    ) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        let name = &self.seen.variant.name;
        let accepted = self.accepted.get_or_insert_with(|| Snapshots::new(name));
        for change in changes {
            accepted.accept(&change.id, change.merged(keep));
        }
        let fails =
            |error| Failure::usage(format!("cannot write `{}`: {error}", self.path.display()));
        fs::create_dir_all(FOLDER).map_err(fails)?;
        results::replace(&self.path, &redactor.text(&accepted.render())).map_err(fails)
    }
}

/// An experiment beside what is accepted.
pub struct Looked {
    pub experiment: String,
    /// In the plan's order.
    pub variants: Vec<Compared>,
}

/// Reads what an experiment did, and what is accepted; says what it cannot show.
pub fn look(talk: &Talk, asked: &LookedAt, redactor: &Redactor) -> Result<Looked, Failure> {
    let folder = results::folder(asked.experiment.as_deref())?;
    let journal = folder.join(FILE);
    let reader = Reader::open(&journal).map_err(Failure::from_error)?;
    let header = reader.header().clone();
    let names: Vec<&str> = header.variants.iter().map(|it| it.name.as_str()).collect();
    for name in &asked.variant {
        if !names.contains(&name.as_str()) {
            return Err(Failure::usage(format!(
                "`{}` has no variant `{}`; it has `{}`",
                escape::line(&header.experiment),
                escape::line(name),
                escape::line(&names.join("`, `")),
            )));
        }
    }
    let dataset = rescore::dataset(&header, &asked.dataset)?;
    let seen = Seen::read(&journal, &dataset, redactor).map_err(Failure::from_error)?;
    let experiment = escape::line(&seen.experiment).into_owned();
    if !seen.is_finished() {
        let (attempts, planned) = (seen.attempts, seen.planned);
        say(
            talk,
            &format!(
                "`{experiment}` is unfinished: {attempts} of {planned} attempts are there to look at"
            ),
        );
    }
    let is_asked =
        |it: &SeenVariant| asked.variant.is_empty() || asked.variant.contains(&it.variant.name);
    let mut variants = Vec::new();
    for seen in seen.variants.into_iter().filter(is_asked) {
        if seen.spoiled > 0 {
            warn(&format!(
                "{}: {} ended in infrastructure errors, show nothing of the agent, and are left out",
                escape::line(&seen.variant.name),
                attempts(seen.spoiled),
            ));
        }
        variants.push(Compared::new(seen)?);
    }
    Ok(Looked {
        experiment,
        variants,
    })
}

fn attempts(count: u64) -> String {
    match count {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    }
}

/// So many examples, scenarios, and episodes.
pub fn examples(count: usize) -> String {
    match count {
        1 => "1 example".to_owned(),
        count => format!("{count} examples"),
    }
}

/// Says after a run how much of it is not accepted, where anything was accepted of its
/// variants. What is wrong with the files is told, and is no failure of the run.
pub fn say_changes(
    talk: &Talk,
    folder: &Path,
    variants: &[Variant],
    dataset: &Dataset,
    redactor: &Redactor,
) {
    if talk.quiet || !variants.iter().any(|variant| path(variant).exists()) {
        return;
    }
    let counted = || -> Result<usize, Failure> {
        let journal = folder.join(FILE);
        let seen = Seen::read(&journal, dataset, redactor).map_err(Failure::from_error)?;
        let mut changed = 0;
        for seen in seen.variants {
            let compared = Compared::new(seen)?;
            if compared.accepted.is_some() {
                changed += compared.changes().len();
            }
        }
        Ok(changed)
    };
    match counted() {
        Ok(0) => {}
        Ok(changed) => {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let were = match changed {
                1 => "was",
                _ => "were",
            };
            say(
                talk,
                &format!(
                    "{} {were} handled otherwise than accepted: `mailproof review-changes {}`",
                    examples(changed),
                    escape::shell(&name),
                ),
            );
        }
        Err(failure) => warn(&escape::lines(&failure.to_string())),
    }
}
