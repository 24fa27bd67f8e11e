//! Writes a recording: calls as they end into `*.part` files, all of them sorted at the end.
//!
//! A line is handed to the system in one write, so a process that is killed loses the calls
//! in flight and no other. The part of the prompts is there from the beginning to the very
//! end: it is the lock, and the mark of a recording that was not finished.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Shared};
use super::index::{Index, Lines, Place};
use super::key::canonical;
use super::{PROMPTS, RecordError};
use crate::model::{OutputSchema, Request};
use crate::redact::Redactor;

const PART: &str = "part";

/// A folder that is recorded into.
#[derive(Debug)]
pub struct Sink {
    folder: PathBuf,
    redactor: Arc<Redactor>,
    parts: Mutex<BTreeMap<String, Arc<Part>>>,
    prompts: Part,
    /// Hashes of what is in the part of the prompts.
    known: Mutex<HashSet<String>>,
}

/// A file that is added to.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    file: Mutex<File>,
}

/// What an entry needs of `prompts.jsonl`.
#[derive(Deserialize)]
struct Uses {
    prompt: String,
    #[serde(default)]
    output: Option<String>,
}

/// What becomes of entries that were there and that this run did not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    Kept,
    Dropped,
}

/// Whether a recording in this folder was begun and not finished, or is being made.
pub fn is_unfinished(folder: &Path) -> bool {
    part(folder, PROMPTS).exists()
}

fn part(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!("{file}.{PART}"))
}

impl Sink {
    /// Locks the folder, which must exist, and takes what a killed run left into its files.
    pub fn open(folder: &Path, redactor: Arc<Redactor>) -> Result<Sink, RecordError> {
        let prompts = Part::open(part(folder, PROMPTS))?;
        match prompts.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RecordError::Locked {
                    folder: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(RecordError::io("lock", &prompts.path)(source));
            }
        }
        let sink = Sink {
            folder: folder.to_owned(),
            redactor,
            parts: Mutex::default(),
            prompts,
            known: Mutex::default(),
        };
        sink.merge(Unused::Kept)?;
        let emptied = sink.prompts.file().set_len(0);
        emptied.map_err(RecordError::io("write", &sink.prompts.path))?;
        Ok(sink)
    }

    /// The part of the file of this name, which is begun with its first entry.
    pub fn part(&self, file: &str) -> Result<Arc<Part>, RecordError> {
        let mut parts = lock(&self.parts);
        if let Some(part) = parts.get(file) {
            return Ok(Arc::clone(part));
        }
        let opened = Arc::new(Part::open(part(&self.folder, file))?);
        parts.insert(file.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }

    /// Adds one call to the part of its file. When this returns the system has it.
    pub fn write(&self, part: &Part, entry: &Entry, request: &Request) -> Result<(), RecordError> {
        let prompt = &request.prompt;
        self.share(&entry.prompt, || Shared::Prompt {
            hash: entry.prompt.clone(),
            system: prompt.system().to_owned(),
            tools: prompt.tools().to_vec(),
        })?;
        if let (Some(hash), Some(output)) = (&entry.output, &request.output) {
            self.share(hash, || Shared::Output {
                hash: hash.clone(),
                name: output.name.clone(),
                schema: output.schema.clone(),
            })?;
        }
        part.append(&self.line(entry))
    }

    fn share(&self, hash: &str, shared: impl FnOnce() -> Shared) -> Result<(), RecordError> {
        let mut known = lock(&self.known);
        if known.contains(hash) {
            return Ok(());
        }
        self.prompts.append(&self.line(&shared()))?;
        known.insert(hash.to_owned());
        Ok(())
    }

    fn line(&self, value: &impl Serialize) -> String {
        let json = serde_json::to_string(value).expect("a line has string keys only");
        let mut line = self.redactor.json(&json).into_owned();
        line.push('\n');
        line
    }

    /// Sorts everything into its files and gives up the lock.
    pub fn finish(&self, unused: Unused) -> Result<(), RecordError> {
        self.merge(unused)?;
        // The last step: as long as it is there, the recording is not finished.
        let path = self.prompts.path.clone();
        fs::remove_file(&path).map_err(RecordError::io("remove", &path))
    }

    /// Takes all parts but that of the prompts into their files.
    fn merge(&self, unused: Unused) -> Result<(), RecordError> {
        lock(&self.parts).clear();
        let mut uses = BTreeSet::new();
        let mut merged = Vec::new();
        for name in names(&self.folder)? {
            let old = Index::open(&self.folder.join(&name), false)?;
            let path = part(&self.folder, &name);
            let new = Index::open(&path, true)?;
            let old_kept = old.filter(|_| unused == Unused::Kept);
            self.merge_file(&name, old_kept.as_ref(), new.as_ref(), &mut uses)?;
            merged.push(path);
        }
        self.merge_prompts(&uses)?;
        for path in merged {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(RecordError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Entries sorted by case, attempt, vote, call, and key. Of one call of one case the last
    /// that was written stands.
    fn merge_file(
        &self,
        name: &str,
        old: Option<&Index>,
        new: Option<&Index>,
        uses: &mut BTreeSet<String>,
    ) -> Result<(), RecordError> {
        let mut last: HashMap<_, (&Index, &Place)> = HashMap::new();
        for index in [old, new].into_iter().flatten() {
            for place in index.places() {
                last.insert((place.key, index.case(place)), (index, place));
            }
        }
        let path = self.folder.join(name);
        if last.is_empty() {
            return remove(&path);
        }
        let mut sorted: Vec<_> = last.into_values().collect();
        sorted.sort_by_key(|(index, place)| {
            let Place {
                attempt,
                vote,
                call,
                key,
                ..
            } = **place;
            (index.case(place), attempt, vote, call, key)
        });
        replace(&path, |file| {
            for (index, place) in &sorted {
                let line = index.line(place)?;
                let used: Uses = index.parse(&line, place)?;
                uses.insert(used.prompt);
                uses.extend(used.output);
                file.write_all(&line)
                    .and_then(|()| file.write_all(b"\n"))
                    .map_err(RecordError::io("write", &path))?;
            }
            Ok(())
        })
    }

    /// What entries use, sorted by hash.
    fn merge_prompts(&self, uses: &BTreeSet<String>) -> Result<(), RecordError> {
        let path = self.folder.join(PROMPTS);
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        for (path, torn) in [(&path, false), (&self.prompts.path, true)] {
            let Some(mut lines) = Lines::open(path, torn)? else {
                continue;
            };
            while lines.advance()?.is_some() {
                let shared: Shared = lines.parse()?;
                if uses.contains(shared.hash()) {
                    texts.insert(shared.hash().to_owned(), self.line(&shared));
                }
            }
        }
        if texts.is_empty() {
            return remove(&path);
        }
        replace(&path, |file| {
            let mut texts = texts.values();
            texts
                .try_for_each(|text| file.write_all(text.as_bytes()))
                .map_err(RecordError::io("write", &path))
        })
    }
}

impl Part {
    fn open(path: PathBuf) -> Result<Part, RecordError> {
        let file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(RecordError::io("create", &path))?;
        Ok(Part {
            path,
            file: Mutex::new(file),
        })
    }

    fn file(&self) -> MutexGuard<'_, File> {
        lock(&self.file)
    }

    /// Writes elsewhere from now on.
    #[cfg(test)]
    pub fn exchange(&self, file: File) {
        *self.file() = file;
    }

    fn append(&self, line: &str) -> Result<(), RecordError> {
        self.file()
            .write_all(line.as_bytes())
            .map_err(RecordError::io("write", &self.path))
    }
}

/// What stands for an output's shape: the first 64 bits of the SHA-256 of its canonical JSON.
pub fn output_hash(output: &OutputSchema) -> String {
    use sha2::{Digest, Sha256};
    let json = canonical(&serde_json::json!([output.name, output.schema]));
    let digest = Sha256::digest(json);
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The files of entries in a folder, with those that have only a part so far, sorted.
pub fn names(folder: &Path) -> Result<BTreeSet<String>, RecordError> {
    let mut names = BTreeSet::new();
    let failed = |error| RecordError::io("read", folder)(error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let name = name.strip_suffix(".part").unwrap_or(name);
        if name.ends_with(".jsonl") && name != PROMPTS {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(RecordError::io("remove", path)),
    }
}

/// Writes a file anew, in one step for whoever reads it.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.tmp"));
    let io = |action| RecordError::io(action, path);
    let mut file = BufWriter::new(File::create(&beside).map_err(io("create"))?);
    write(&mut file)?;
    let file = file
        .into_inner()
        .map_err(|error| io("write")(error.into_error()))?;
    file.sync_all().map_err(io("write"))?;
    fs::rename(&beside, path).map_err(io("write"))
}

/// Whatever is behind one of these is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
