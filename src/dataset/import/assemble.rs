//! A dataset file made of records that arrive one after the other: foreign ones, and such as
//! came from a dataset before.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{ImportError, ImportReport, Importing, Shape, format_of, unfinished};
use crate::dataset::LoadErrors;
use crate::dataset::load::Loading;
use crate::dataset::read::Limits;
use crate::dataset::resolve::Record;
use crate::dataset::tree::{Node, Position};

/// A dataset on its way. Examples are written as they arrive; what names examples waits in
/// memory, until all that it may name are there.
pub struct Assembly<'a> {
    importing: Importing<'a, BufWriter<File>>,
    waiting: Vec<Waiting>,
    output: PathBuf,
    /// Its name until it is whole.
    unfinished: PathBuf,
}

/// A scenario or an episode.
struct Waiting {
    id: String,
    record: Value,
}

impl<'a> Assembly<'a> {
    /// Begins the file that is to stand at `output`, YAML or JSONL by its extension.
    ///
    /// # Errors
    /// [`ImportError::OutputExtension`], and those of writing.
    pub fn create(output: &Path, limits: &'a Limits) -> Result<Assembly<'a>, ImportError> {
        let format = format_of(output)?;
        let unfinished = unfinished(output);
        let file = File::create_new(&unfinished).map_err(|source| ImportError::Write {
            path: output.to_owned(),
            source,
        })?;
        Ok(Assembly {
            importing: Importing::new(limits, format, BufWriter::new(file)),
            waiting: Vec::new(),
            output: output.to_owned(),
            unfinished,
        })
    }

    /// Maps a record of another tool, as an import does.
    ///
    /// # Errors
    /// All that stands against it.
    pub fn foreign(&mut self, record: Value, shape: Shape) -> Result<(), Vec<String>> {
        self.importing.report.records += 1;
        self.importing.map(Position::START, record, shape)
    }

    /// Counts a record that is none, whatever it is.
    pub fn passed_over(&mut self) {
        self.importing.report.records += 1;
    }

    /// Takes a record in the dataset's own form. `left_out` are keys that had no place in it,
    /// and `notes` what was changed to make it fit.
    ///
    /// # Errors
    /// All that stands against it.
    pub fn own(
        &mut self,
        record: Map<String, Value>,
        left_out: Vec<String>,
        notes: Vec<String>,
    ) -> Result<(), Vec<String>> {
        let importing = &mut self.importing;
        importing.report.records += 1;
        let record = Value::Object(record);
        let checked = importing
            .validator
            .check(Node::from_json(record.clone(), Position::START));
        let (Some(read), Some((_, id))) = (checked.record, checked.id) else {
            let problems = checked.problems.iter();
            return Err(problems.map(|(_, problem)| problem.to_string()).collect());
        };
        if importing.ids.contains_key(&id) {
            return Err(vec![format!("its id `{id}` is taken by an earlier one")]);
        }
        importing.ids.insert(id.clone(), 1);
        match read {
            Record::Example(example) => importing.put(&example.to_json()),
            Record::Scenario(_) | Record::Episode(_) => self.waiting.push(Waiting { id, record }),
        }
        importing.count(left_out, notes);
        Ok(())
    }

    /// Puts the file in its place, after it was loaded as a dataset is. Where nothing was
    /// mapped, there is none.
    ///
    /// Besides the report, the ids of the records that cannot stand beside the others, each
    /// with the reason: a scenario whose example is not among them. The report does not count
    /// these as mapped.
    ///
    /// # Errors
    /// Those of writing; [`ImportError::Invalid`] where what was taken does not load.
    pub fn finish(mut self) -> Result<(ImportReport, Vec<(String, String)>), ImportError> {
        let mut refused = Vec::new();
        let unwritten = |path: &Path, source| ImportError::Write {
            path: path.to_owned(),
            source,
        };
        let mut report = self
            .importing
            .finish()
            .map_err(|source| unwritten(&self.output, source))?;
        let alone = self.importing.output.stream_position();
        let alone = alone.map_err(|source| unwritten(&self.output, source))?;
        while report.mapped > 0 {
            let written = self.write_waiting(alone);
            written.map_err(|source| unwritten(&self.output, source))?;
            let Err(errors) = self.load()? else { break };
            let before = self.waiting.len();
            for error in &errors.errors {
                let record = error.record.as_deref();
                let waiting = self.waiting.iter();
                let mut waiting = waiting.enumerate();
                if let Some((at, _)) = waiting.find(|(_, it)| Some(&*it.id) == record) {
                    let id = self.waiting.remove(at).id;
                    refused.push((id, error.problem.to_string()));
                    report.mapped -= 1;
                }
            }
            if self.waiting.len() == before {
                return Err(ImportError::Invalid(errors));
            }
        }
        if report.mapped > 0 {
            fs::rename(&self.unfinished, &self.output)
                .map_err(|source| unwritten(&self.output, source))?;
        }
        Ok((report, refused))
    }

    /// Writes what waits behind the examples, which end at `alone`.
    fn write_waiting(&mut self, alone: u64) -> io::Result<()> {
        let importing = &mut self.importing;
        importing.output.seek(SeekFrom::Start(alone))?;
        importing.output.get_ref().set_len(alone)?;
        for waiting in &self.waiting {
            importing.put(&waiting.record);
        }
        match importing.failed.take() {
            Some(error) => Err(error),
            None => importing.output.flush(),
        }
    }

    fn load(&self) -> Result<Result<(), LoadErrors>, ImportError> {
        let file = File::open(&self.unfinished).map_err(|source| ImportError::Read {
            path: self.output.clone(),
            source,
        })?;
        let mut loading = Loading::new(self.importing.limits);
        loading.read(&self.output, self.importing.format, file);
        Ok(loading.finish(String::new()).map(drop))
    }
}

impl Drop for Assembly<'_> {
    fn drop(&mut self) {
        // It is gone where the file is in its place; else half of it is none.
        let _ = fs::remove_file(&self.unfinished);
    }
}
