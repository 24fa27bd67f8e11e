//! `mailproof merge`: the shards of an experiment become one.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::REPORTS;
use super::args::{MergeArgs, Talk};
use super::config::Config;
use super::exit::{Exit, Failure};
use super::objects::{self, Objects};
use super::results::{self, Outputs};
use super::talk::{say, warn};
use crate::experiment::journal::{self, FILE};
use crate::experiment::merge::{Lacking, MergeError, Source, merge};
use crate::experiment::{ExperimentName, Shard, layer};
use crate::report::escape;

pub fn run(talk: &Talk, args: &MergeArgs) -> Result<Exit, Failure> {
    let outputs = Outputs::parse(&args.output)?;
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let environment = args.reach.environment(&Config::default())?;
    let redactor = environment.redactor();
    let reports = Path::new(REPORTS);
    let downloads = Downloads(reports.join(format!(".downloads-{}", std::process::id())));
    let mut sources = Vec::new();
    for shard in &args.shards {
        match objects::is_url(shard) {
            true => {
                let objects = Objects::open(shard, &environment, args.reach.offline)?;
                let folder = downloads.0.join(sources.len().to_string());
                sources.extend(stored(&objects, &name, &folder)?);
            }
            false => sources.extend(local(reports, shard, &name)?),
        }
    }
    if args.shards.is_empty() {
        sources = match reports.is_dir() {
            true => within(reports, &name)?,
            false => return Err(none(REPORTS, &name)),
        };
    }
    let merged = merge(&sources, reports, &name, &redactor);
    let merged = merged.map_err(|error| failure(error, name.as_str(), reports))?;
    for (shard, taken, other) in &merged.twice {
        warn(&format!(
            "shard {shard} was given twice, with the same attempts: {} was taken, and {} was not",
            escape::line(taken),
            escape::line(other)
        ));
    }
    for source in &sources {
        let beside = source.path.with_file_name(layer::FOLDER);
        if beside.is_dir() {
            warn(&format!(
                "{} was scored again, and that is left behind: `mailproof rescore {name}` does it for the whole",
                escape::line(&source.name)
            ));
        }
    }
    drop(downloads);

    let report = results::make(&merged.folder, None)?;
    results::write(talk, &merged.folder, &report, &outputs, &redactor)?;
    results::show(talk, &report, &redactor)?;
    say(
        talk,
        &format!(
            "merged {} attempts of {} shards; kept in {}",
            merged.attempts,
            merged.shards,
            merged.folder.display()
        ),
    );
    Ok(results::exit(&report))
}

/// A folder for what is fetched, gone when it is dropped.
struct Downloads(PathBuf);

impl Drop for Downloads {
    fn drop(&mut self) {
        // It may never have been made; a left-over folder is the lesser evil.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a folder of this name holds a shard of the experiment `name`.
fn is_of(folder: &str, name: &ExperimentName) -> bool {
    Shard::named(folder).is_some_and(|(whole, _)| whole == name.as_str())
}

/// One shard by its name or folder, or those of the experiment in a folder.
fn local(reports: &Path, shard: &str, name: &ExperimentName) -> Result<Vec<Source>, Failure> {
    let source = |path: PathBuf| {
        vec![Source {
            name: shard.to_owned(),
            path,
        }]
    };
    if let Ok(known) = shard.parse::<ExperimentName>() {
        let path = journal::path(reports, &known);
        if path.is_file() {
            return Ok(source(path));
        }
    }
    let path = Path::new(shard);
    if path.is_file() {
        return Ok(source(path.to_owned()));
    }
    let inner = path.join(FILE);
    if inner.is_file() {
        return Ok(source(inner));
    }
    within(path, name)
}

/// The shards of the experiment `name` in a folder.
fn within(folder: &Path, name: &ExperimentName) -> Result<Vec<Source>, Failure> {
    let unreadable = |error| {
        Failure::usage(format!(
            "cannot read the folder `{}`: {error}",
            folder.display()
        ))
    };
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path().join(FILE);
        let is_shard = entry.file_name().to_str().is_some_and(|it| is_of(it, name));
        if is_shard && path.is_file() {
            sources.push(Source {
                name: entry.path().display().to_string(),
                path,
            });
        }
    }
    match sources.is_empty() {
        true => Err(none(&folder.display().to_string(), name)),
        // Folders come in any order, and messages name the first.
        false => {
            sources.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(sources)
        }
    }
}

fn none(place: &str, name: &ExperimentName) -> Failure {
    Failure::usage(format!(
        "no shard of `{name}` in {}: they are called `{name}.1-of-N`, as `mailproof run -e {name} --shard 1/N` has it; name them where they are called otherwise",
        escape::line(place)
    ))
}

/// The same in an object store; they are fetched into `folder`.
fn stored(objects: &Objects, name: &ExperimentName, folder: &Path) -> Result<Vec<Source>, Failure> {
    fs::create_dir_all(folder).map_err(|error| {
        Failure::usage(format!("cannot create `{}`: {error}", folder.display()))
    })?;
    let found = objects.journals(|folder| is_of(folder, name))?;
    if found.is_empty() {
        return Err(none(objects.url(), name));
    }
    let mut sources = Vec::new();
    for (number, key) in found.into_iter().enumerate() {
        let path = folder.join(format!("{number}.jsonl"));
        let name = objects.fetch(&key, &path)?;
        sources.push(Source { name, path });
    }
    Ok(sources)
}

/// What cannot be merged, and the commands that help where shards are missing.
fn failure(error: MergeError, name: &str, reports: &Path) -> Failure {
    let MergeError::Incomplete {
        lacking,
        arguments,
        date,
        ..
    } = &error
    else {
        return Failure::from_error(error);
    };
    let mut text = escape::line(&error.to_string()).into_owned();
    for one in lacking {
        let Lacking { shard, found } = one;
        let date = date.to_string();
        let mut more = vec!["--shard".to_owned(), shard.to_string()];
        let state = match found {
            None => "not there".to_owned(),
            Some(found) => format!(
                "{} has {} of {} attempts",
                found.name, found.attempts, found.planned
            ),
        };
        let here = found.as_ref().and_then(|found| {
            let folder = found.path.parent()?;
            let is_here = folder.parent() == Some(reports);
            is_here.then(|| folder.file_name()?.to_str()).flatten()
        });
        match here {
            Some(here) => more.extend(["--resume", "-e", here].map(str::to_owned)),
            None => more.extend(["--date", &date, "-e", name].map(str::to_owned)),
        }
        let command = command(arguments, &more);
        write!(text, "\n  {shard}: {}", escape::line(&state)).expect("a string takes all");
        write!(text, "\n       {}", escape::line(&command)).expect("a string takes all");
    }
    Failure::incomplete(text)
}

/// The command line of another shard, with `more` in the place of what it says of itself.
fn command(arguments: &[String], more: &[String]) -> String {
    const WITH_VALUE: [&str; 4] = ["--shard", "--date", "--experiment", "-e"];
    let mut words = vec!["mailproof".to_owned()];
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if WITH_VALUE.contains(&argument.as_str()) {
            arguments.next();
            continue;
        }
        let is_said = WITH_VALUE.iter().any(|flag| {
            let rest = argument.strip_prefix(flag);
            rest.is_some_and(|rest| !flag.starts_with("--") || rest.starts_with('='))
        });
        if argument != "--resume" && !is_said {
            words.push(quoted(argument));
        }
    }
    if words.len() == 1 {
        words.push("run".to_owned());
    }
    words.extend(more.iter().map(|word| quoted(word)));
    words.join(" ")
}

/// A word as POSIX shells read it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_missing_shard_is_run_as_the_others_were() {
        let more = words("--shard 2/4 -e night");
        for (of_another, command) in [
            (
                "run --shard 1/4 -e night",
                "mailproof run --shard 2/4 -e night",
            ),
            (
                "run triage --shard=auto/4 --repeat 2 --resume --experiment=night.1-of-4 -j4",
                "mailproof run triage --repeat 2 -j4 --shard 2/4 -e night",
            ),
            (
                "eval -enight --date 2026-03-02 -d mails.yaml",
                "mailproof eval -d mails.yaml --shard 2/4 -e night",
            ),
        ] {
            assert_eq!(super::command(&words(of_another), &more), command);
        }
        // Killed before it said how it was called.
        assert_eq!(
            super::command(&[], &more),
            "mailproof run --shard 2/4 -e night"
        );
    }

    #[test]
    fn a_shell_reads_a_word_back_as_it_was() {
        for (word, quoted) in [
            ("a/b-c.yaml", "a/b-c.yaml"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's; rm -rf $HOME", r"'it'\''s; rm -rf $HOME'"),
        ] {
            assert_eq!(super::quoted(word), quoted);
        }
    }
}
