//! Files to a dataset: all of it, or all of its mistakes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{LoadError, LoadErrors, Place, Problem, nearest};
use super::read::{self, Format, Limits};
use super::resolve::{EpisodeDraft, Kind, Record, Reference, ScenarioDraft};
use super::tree::{Node, Position};
use super::validate::{Checked, Validator};
use super::{Dataset, Example, hash};

impl Dataset {
    /// Loads the files, and the files of the folders, in the order given; those of a folder
    /// in the order of their paths.
    ///
    /// A file is YAML, JSON (both one list of records), or JSONL (one record a line), by its
    /// extension. Other files of a folder are not read.
    ///
    /// # Errors
    /// Everything that is wrong with any of them. There is no dataset without its broken
    /// records: figures over fewer examples than were written would pass for better ones.
    pub fn load(paths: &[PathBuf], limits: &Limits) -> Result<Dataset, LoadErrors> {
        let mut loading = Loading::new(limits);
        for path in paths {
            loading.path(path);
        }
        loading.finish(name(paths))
    }
}

/// What reports call a dataset read from these paths.
fn name(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths
        .iter()
        .map(|path| {
            // `.` and `..` have no name of their own.
            let full = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            let name = if full.is_dir() {
                full.file_name()
            } else {
                full.file_stem()
            };
            name.unwrap_or(full.as_os_str())
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.join("+")
}

/// A dataset on its way: the records and mistakes of the files read so far.
pub(super) struct Loading<'a> {
    limits: &'a Limits,
    validator: Validator,
    /// Files read so far: the errors of a later pass go where their file stands.
    files: usize,
    examples: Vec<Example>,
    hashes: Vec<hash::Digest>,
    scenarios: Vec<(Source, ScenarioDraft)>,
    episodes: Vec<EpisodeDraft>,
    references: Vec<(Source, Reference)>,
    ids: HashMap<String, Known>,
    errors: Vec<(usize, LoadError)>,
    total: usize,
}

/// Where a record comes from, and what it is called.
#[derive(Clone)]
struct Source {
    file: usize,
    path: Arc<Path>,
    id: Option<String>,
}

/// What is made of a record alone, before those around it are looked at.
struct Prepared {
    checked: Checked,
    /// Of an example.
    hash: Option<hash::Digest>,
}

impl Prepared {
    fn new(mut validator: Validator, record: Node) -> Prepared {
        let checked = validator.check(record);
        let hash = match &checked.record {
            Some(Record::Example(example)) => Some(hash::of_record(example.to_json())),
            _ => None,
        };
        Prepared { checked, hash }
    }
}

/// What is known of a record by its id.
struct Known {
    place: Place,
    kind: Kind,
    /// Of an example: how many came before it.
    index: u32,
}

impl<'a> Loading<'a> {
    pub fn new(limits: &'a Limits) -> Self {
        Loading {
            limits,
            validator: Validator::default(),
            files: 0,
            examples: Vec::new(),
            hashes: Vec::new(),
            scenarios: Vec::new(),
            episodes: Vec::new(),
            references: Vec::new(),
            ids: HashMap::new(),
            errors: Vec::new(),
            total: 0,
        }
    }

    /// Looks up what the records refer to, which may stand in any file.
    pub fn finish(mut self, name: String) -> Result<Dataset, LoadErrors> {
        for (source, Reference { at, id }) in std::mem::take(&mut self.references) {
            if let Some(problem) = self.broken(id) {
                self.problem(&source, Some(at), problem);
            }
        }
        let mut scenarios = Vec::new();
        for (source, draft) in std::mem::take(&mut self.scenarios) {
            let index = self.index(&draft.example);
            let found = index.and_then(|index| Some((index, self.examples.get(index as usize)?)));
            let Some((index, example)) = found else {
                continue;
            };
            match draft.resolve(index, example) {
                Ok(scenario) => scenarios.push(scenario),
                Err((at, problem)) => self.problem(&source, Some(at), problem),
            }
        }
        if self.total > 0 {
            // In file order: the first pass found its own in that order, this one later.
            let mut errors = self.errors;
            errors.sort_by_key(|(file, error)| {
                let at = error.place.at;
                (*file, at.is_none(), at)
            });
            return Err(LoadErrors {
                errors: errors.into_iter().map(|(_, error)| error).collect(),
                total: self.total,
            });
        }
        let episodes: Vec<_> = std::mem::take(&mut self.episodes)
            .into_iter()
            .map(|draft| {
                let find = |id: &str| self.index(id).expect("every reference was looked up");
                draft.resolve(&self.examples, find)
            })
            .collect();
        let dataset = Dataset {
            name,
            examples: self.examples,
            scenarios,
            episodes,
            hash: String::new(),
        };
        let records = dataset
            .scenarios
            .iter()
            .map(|scenario| scenario.to_json(&dataset.examples))
            .chain(
                dataset
                    .episodes
                    .iter()
                    .map(|episode| episode.to_json(&dataset.examples)),
            );
        self.hashes.extend(records.map(hash::of_record));
        Ok(Dataset {
            hash: hash::of_records(self.hashes),
            ..dataset
        })
    }

    fn index(&self, id: &str) -> Option<u32> {
        let known = self.ids.get(id)?;
        (known.kind == Kind::Example).then_some(known.index)
    }

    /// Why no example can be found under the id, if none can.
    fn broken(&self, id: String) -> Option<Problem> {
        match self.ids.get(&id) {
            Some(known) if known.kind == Kind::Example => None,
            Some(known) => {
                let kind = known.kind.name();
                Some(Problem::NotAnExample { id, kind })
            }
            None => {
                // Every id is compared, so only for errors that will be shown.
                let shown = self.errors.len() < self.limits.errors;
                let nearest = shown.then(|| self.nearest(&id)).flatten();
                Some(Problem::UnknownExample { id, nearest })
            }
        }
    }

    fn nearest(&self, id: &str) -> Option<String> {
        let mut examples: Vec<&str> = self
            .ids
            .iter()
            .filter(|(known, record)| {
                record.kind == Kind::Example && known.len().abs_diff(id.len()) <= id.len() / 2
            })
            .map(|(known, _)| known.as_str())
            .collect();
        examples.sort_unstable();
        nearest(id, &examples).map(str::to_owned)
    }

    fn path(&mut self, path: &Path) {
        if path.is_dir() {
            return self.folder(path);
        }
        let format = path
            .extension()
            .and_then(|extension| Format::of_extension(&extension.to_string_lossy()));
        match format {
            Some(format) => self.file(path, format),
            // A path that does not exist is the likelier mistake, and has the better message.
            None => match fs::metadata(path) {
                Ok(_) => self.whole(path, Problem::UnknownExtension),
                Err(error) => self.whole(path, Problem::Read(error)),
            },
        }
    }

    fn folder(&mut self, folder: &Path) {
        let mut files = Vec::new();
        match find(folder, FOLDER_DEPTH, self.limits.files, &mut files) {
            Err((path, error)) => return self.whole(&path, Problem::Read(error)),
            Ok(false) => {
                return self.whole(
                    folder,
                    Problem::FolderTooLarge {
                        limit: FOLDER_DEPTH,
                        files: self.limits.files,
                    },
                );
            }
            Ok(true) => {}
        }
        if files.is_empty() {
            return self.whole(folder, Problem::EmptyFolder);
        }
        files.sort();
        for (path, format) in files {
            self.file(&path, format);
        }
    }

    fn file(&mut self, path: &Path, format: Format) {
        match File::open(path) {
            Ok(file) => self.read(path, format, file),
            Err(error) => self.whole(path, Problem::Read(error)),
        }
    }

    /// Reads the records of one file, whose path is only for messages.
    pub fn read(&mut self, path: &Path, format: Format, reader: impl Read) {
        let source = self.source(path);
        let mut records = 0;
        let limits = self.limits;
        let validator = self.validator.beside();
        let make = |record| Prepared::new(validator.beside(), record);
        let result = read::records(reader, format, limits, make, &mut |at, record| {
            records += 1;
            match record {
                Ok(record) => self.record(source.clone(), record),
                Err(problem) => self.problem(&source, Some(at), problem),
            }
        });
        match result {
            Ok(()) if records == 0 => {
                self.problem(&source, Some(Position::START), Problem::NoRecords);
            }
            Ok(()) => {}
            Err(error) => self.problem(&source, None, Problem::Read(error)),
        }
    }

    fn record(&mut self, mut source: Source, record: Prepared) {
        let Prepared { mut checked, hash } = record;
        if let Some((at, text)) = checked.id {
            let place = Place {
                path: Arc::clone(&source.path),
                at: Some(at),
            };
            match self.ids.get(&text) {
                Some(known) => {
                    let first = known.place.clone();
                    let id = text.clone();
                    checked
                        .problems
                        .push((at, Problem::RepeatedId { id, first }));
                }
                None => {
                    let known = Known {
                        place,
                        kind: checked.kind,
                        index: u32::try_from(self.examples.len())
                            .expect("memory does not hold as many examples"),
                    };
                    self.ids.insert(text.clone(), known);
                }
            }
            source.id = Some(text);
        }
        checked.problems.sort_by_key(|(at, _)| *at);
        for (at, problem) in checked.problems {
            self.problem(&source, Some(at), problem);
        }
        let references = checked.references.into_iter();
        self.references
            .extend(references.map(|reference| (source.clone(), reference)));
        // Once anything is wrong the dataset will be refused; only its mistakes matter then.
        if self.total > 0 {
            self.examples = Vec::new();
            self.hashes = Vec::new();
            self.scenarios = Vec::new();
            self.episodes = Vec::new();
            return;
        }
        match checked.record {
            Some(Record::Example(example)) => {
                self.hashes.extend(hash);
                self.examples.push(example);
            }
            Some(Record::Scenario(scenario)) => self.scenarios.push((source, scenario)),
            Some(Record::Episode(episode)) => self.episodes.push(episode),
            None => {}
        }
    }

    /// The next file.
    fn source(&mut self, path: &Path) -> Source {
        self.files += 1;
        Source {
            file: self.files,
            path: path.into(),
            id: None,
        }
    }

    fn whole(&mut self, path: &Path, problem: Problem) {
        let source = self.source(path);
        self.problem(&source, None, problem);
    }

    fn problem(&mut self, source: &Source, at: Option<Position>, problem: Problem) {
        self.total += 1;
        if self.errors.len() < self.limits.errors {
            let path = Arc::clone(&source.path);
            let error = LoadError {
                place: Place { path, at },
                record: source.id.clone(),
                problem,
            };
            self.errors.push((source.file, error));
        }
    }
}

/// Folders inside one another; more is a link that leads back.
const FOLDER_DEPTH: usize = 16;

/// Collects the dataset files of a folder; false where there are too many.
fn find(
    folder: &Path,
    depth: usize,
    limit: usize,
    files: &mut Vec<(PathBuf, Format)>,
) -> Result<bool, (PathBuf, io::Error)> {
    if depth == 0 {
        return Ok(false);
    }
    let located = |error| (folder.to_owned(), error);
    for entry in fs::read_dir(folder).map_err(located)? {
        let path = entry.map_err(located)?.path();
        if path.is_dir() {
            if !find(&path, depth - 1, limit, files)? {
                return Ok(false);
            }
        } else if let Some(format) = path
            .extension()
            .and_then(|extension| Format::of_extension(&extension.to_string_lossy()))
        {
            if files.len() == limit {
                return Ok(false);
            }
            files.push((path, format));
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
