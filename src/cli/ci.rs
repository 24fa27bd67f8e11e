//! What a pipeline is told beside the report: annotations and a summary on GitHub, and
//! where in the repository an example stands.

#[cfg(test)]
mod documented;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::environment::Environment;
use super::talk::warn;
use crate::redact::Redactor;
use crate::report::github;
use crate::report::gitlab::{Lines, Location};
use crate::report::{self, Report};

/// Whether GitHub runs this process, and reads what it prints.
pub fn is_github(environment: &Environment) -> bool {
    environment.get("GITHUB_ACTIONS").as_deref() == Some("true")
}

/// Tells GitHub how a run went, where it listens: annotations on stderr, which it reads as it
/// does stdout, and the report in the summary of the step.
pub fn announce(report: &Report, redactor: &Redactor) {
    let environment = Environment::process();
    if !is_github(&environment) {
        return;
    }
    let origins = Origins::of(report);
    for line in github::annotations(report, &|id| origins.find(id), redactor) {
        // Not through `warn`, which lets no command through.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
    if let Some(path) = environment.get("GITHUB_STEP_SUMMARY")
        && !path.is_empty()
    {
        let path = Path::new(&path);
        if let Err(error) = summarise(path, report, redactor) {
            // What is missing is a copy of the report.
            warn(&format!(
                "the summary cannot be written to `{}`: {error}",
                path.display()
            ));
        }
    }
}

/// Adds the report to the summary of a step, which may have something in it already.
fn summarise(path: &Path, report: &Report, redactor: &Redactor) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let used = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let markdown = redactor.text(&report::markdown(report)).into_owned();
    let whole = format!("reports/{}/report.md", report.experiment);
    // A line of its own.
    let text = github::summary(&markdown, used.saturating_add(1), &whole);
    if used > 0 {
        file.write_all(b"\n")?;
    }
    file.write_all(text.as_bytes())
}

/// The most bytes of dataset files that are looked through for ids.
const MOST_BYTES: u64 = 64 << 20;
/// How deep folders of a dataset are.
const FOLDER_DEPTH: usize = 16;

/// Where the examples of a report stand. The files are looked through when first asked.
pub struct Origins<'a> {
    paths: &'a [String],
    found: OnceCell<Found>,
}

#[derive(Default)]
struct Found {
    files: Vec<String>,
    /// By id: which file, and the line in it.
    lines: HashMap<String, (usize, u64)>,
}

impl Origins<'_> {
    pub fn of(report: &Report) -> Origins<'_> {
        Origins {
            paths: &report.environment.dataset_paths,
            found: OnceCell::new(),
        }
    }

    /// `None` where the dataset is embedded, lies outside of the working directory, or is not
    /// what it was.
    pub fn find(&self, id: &str) -> Option<Location> {
        let found = self.found.get_or_init(|| Found::read(self.paths));
        let (file, line) = found.lines.get(id)?;
        Some(Location {
            path: found.files[*file].clone(),
            lines: Lines { begin: *line },
        })
    }

    /// The place of an example, of the dataset where that is not known, or of the
    /// configuration.
    pub fn place(&self, id: Option<&str>) -> Location {
        let beginning = |path: String| Location {
            path,
            lines: Lines { begin: 1 },
        };
        let of_dataset = || {
            let path = self.paths.first()?;
            within(Path::new(path)).map(beginning)
        };
        id.and_then(|id| self.find(id).or_else(of_dataset))
            .unwrap_or_else(|| beginning("mailproof.yaml".to_owned()))
    }
}

impl Found {
    fn read(paths: &[String]) -> Found {
        let mut found = Found::default();
        let mut left = MOST_BYTES;
        for path in paths {
            for file in files(Path::new(path), FOLDER_DEPTH) {
                let (Some(name), Ok(opened)) = (within(&file), File::open(&file)) else {
                    continue;
                };
                let index = found.files.len();
                found.files.push(name);
                let mut lines = BufReader::new(opened.take(left));
                let mut line = Vec::new();
                let mut number = 0;
                // Where a file cannot be read to its end, what comes after has no place.
                while let Ok(read @ 1..) = lines.read_until(b'\n', &mut line) {
                    left = left.saturating_sub(read as u64);
                    number += 1;
                    if let Some(id) = std::str::from_utf8(&line).ok().and_then(id_in) {
                        found.lines.entry(id).or_insert((index, number));
                    }
                    line.clear();
                }
            }
        }
        found
    }
}

/// A dataset's files: itself, or those in the folder, and in folders in it so many deep.
fn files(path: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_data = extension.is_some_and(|it| ["yaml", "yml", "jsonl"].contains(&it));
        return is_data.then(|| path.to_owned()).into_iter().collect();
    };
    if depth == 0 {
        return Vec::new();
    }
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths.flat_map(|path| files(&path, depth - 1)).collect();
    files.sort();
    files
}

/// A path as the repository has it: relative to the working directory, with slashes.
fn within(path: &Path) -> Option<String> {
    let relative = if path.is_absolute() {
        path.strip_prefix(std::env::current_dir().ok()?).ok()?
    } else {
        path
    };
    let mut parts = Vec::new();
    for part in relative.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::Normal(part) => parts.push(part.to_str()?),
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The id that a line of a dataset gives an example: `- id: NAME` of YAML, or an object of
/// JSON lines.
fn id_in(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.starts_with('{') {
        return serde_json::from_str::<Named>(line)
            .ok()
            .map(|named| named.id);
    }
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let value = line.strip_prefix("id:")?.trim_start();
    // As people write ids: what needs more of YAML than this has no place.
    let id = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        '[' | '{' | '|' | '>' | '&' | '*' | '!' => return None,
        _ => value.split(" #").next()?.trim_end(),
    };
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_where_it_is_given() {
        for (line, id) in [
            ("- id: invoice-question", Some("invoice-question")),
            ("  - id: \"two words\"  # comment", Some("two words")),
            ("    id: 'later'", Some("later")),
            ("\u{feff}- id: first", Some("first")),
            (r#"{"email": {}, "id": "json/1"}"#, Some("json/1")),
            (r#"{"email": {"id": "inner"}}"#, None),
            ("- identity: x", None),
            ("  example: invoice-question", None),
            ("- id: [not, text]", None),
            ("{ not: json", None),
            ("", None),
        ] {
            assert_eq!(id_in(line).as_deref(), id, "{line}");
        }
    }

    #[test]
    fn a_place_is_a_path_of_the_repository() {
        let here = std::env::current_dir().unwrap();
        for (path, found) in [
            ("datasets/mine.yaml", Some("datasets/mine.yaml")),
            ("./datasets//mine.yaml", Some("datasets/mine.yaml")),
            (&*here.join("a.yaml").to_string_lossy(), Some("a.yaml")),
            ("../elsewhere.yaml", None),
            ("/elsewhere.yaml", None),
            (".", None),
        ] {
            assert_eq!(within(Path::new(path)).as_deref(), found, "{path}");
        }
    }

    #[test]
    fn examples_are_found_in_files_and_folders() {
        // Relative to the package, where tests run.
        let paths = ["datasets/email".to_owned()];
        let origins = Origins {
            paths: &paths,
            found: OnceCell::new(),
        };
        let file = files(Path::new("datasets/email"), FOLDER_DEPTH).remove(0);
        let text = fs::read_to_string(&file).unwrap();
        let (index, id) = text
            .lines()
            .enumerate()
            .find_map(|(index, line)| Some((index, id_in(line)?)))
            .unwrap();
        let found = origins.find(&id).unwrap();
        assert_eq!(Path::new(&found.path), file);
        assert_eq!(found.lines.begin, index as u64 + 1);
        assert_eq!(origins.place(Some(&id)), found);
        assert_eq!(origins.find("no such example"), None);
        assert_eq!(
            origins.place(Some("no such example")).path,
            "datasets/email"
        );
        assert_eq!(origins.place(None).path, "mailproof.yaml");
    }
}
