//! Files to a dataset: all of it, or all of its mistakes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{LoadError, LoadErrors, Place, Problem};
use super::read::{self, Format, Limits};
use super::tree::{Node, Position};
use super::validate::Validator;
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

/// A dataset on its way: the examples and mistakes of the files read so far.
pub(super) struct Loading<'a> {
    limits: &'a Limits,
    validator: Validator,
    examples: Vec<Example>,
    hashes: Vec<hash::Digest>,
    ids: HashMap<String, Place>,
    errors: Vec<LoadError>,
    total: usize,
}

impl<'a> Loading<'a> {
    pub fn new(limits: &'a Limits) -> Self {
        Loading {
            limits,
            validator: Validator::default(),
            examples: Vec::new(),
            hashes: Vec::new(),
            ids: HashMap::new(),
            errors: Vec::new(),
            total: 0,
        }
    }

    pub fn finish(self, name: String) -> Result<Dataset, LoadErrors> {
        if self.total > 0 {
            return Err(LoadErrors {
                errors: self.errors,
                total: self.total,
            });
        }
        Ok(Dataset {
            name,
            examples: self.examples,
            scenarios: Vec::new(),
            episodes: Vec::new(),
            hash: hash::of_examples(self.hashes),
        })
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
        let path: Arc<Path> = path.into();
        let mut records = 0;
        let limits = self.limits;
        let result = read::records(reader, format, limits, &mut |at, record| {
            records += 1;
            match record {
                Ok(record) => self.record(&path, record),
                Err(problem) => self.problem(&path, Some(at), None, problem),
            }
        });
        match result {
            Ok(()) if records == 0 => {
                self.problem(&path, Some(Position::START), None, Problem::NoRecords);
            }
            Ok(()) => {}
            Err(error) => self.problem(&path, None, None, Problem::Read(error)),
        }
    }

    fn record(&mut self, path: &Arc<Path>, record: Node) {
        let mut checked = self.validator.check(record);
        let mut id = None;
        if let Some((at, text)) = checked.id {
            let place = Place {
                path: Arc::clone(path),
                at: Some(at),
            };
            match self.ids.get(&text) {
                Some(first) => {
                    let first = first.clone();
                    let id = text.clone();
                    checked
                        .problems
                        .push((at, Problem::RepeatedId { id, first }));
                }
                None => {
                    self.ids.insert(text.clone(), place);
                }
            }
            id = Some(text);
        }
        checked.problems.sort_by_key(|(at, _)| *at);
        for (at, problem) in checked.problems {
            self.problem(path, Some(at), id.as_deref(), problem);
        }
        // Once anything is wrong the dataset will be refused; only its mistakes matter then.
        if self.total > 0 {
            self.examples = Vec::new();
            self.hashes = Vec::new();
        } else if let Some(example) = checked.example {
            self.hashes.push(hash::of_example(&example));
            self.examples.push(example);
        }
    }

    fn whole(&mut self, path: &Path, problem: Problem) {
        self.problem(&path.into(), None, None, problem);
    }

    fn problem(
        &mut self,
        path: &Arc<Path>,
        at: Option<Position>,
        record: Option<&str>,
        problem: Problem,
    ) {
        self.total += 1;
        if self.errors.len() < self.limits.errors {
            let path = Arc::clone(path);
            self.errors.push(LoadError {
                place: Place { path, at },
                record: record.map(str::to_owned),
                problem,
            });
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
