//! The file that labels go to: appended to, one line a label, each on the disk before the
//! next is asked for.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::dataset::Example;
use crate::judge::Verdict;
use crate::judge::calibration::items::{Item, Reading};
use crate::redact::Redactor;

/// The file, under a lock as long as somebody labels: two people go one after the other, or
/// into two files.
pub struct Sheet {
    path: PathBuf,
    file: File,
    who: String,
    /// All labels, of everybody, in file order.
    items: Vec<Item>,
    /// This person's, by id.
    mine: HashMap<String, Verdict>,
    /// Where the lines of this sitting begin, which can be taken back.
    starts: Vec<u64>,
    note: Option<String>,
    redactor: Redactor,
}

impl Sheet {
    /// Opens the file at `path`, which is made where there is none, for `who` to label.
    pub fn open(
        path: &Path,
        who: &str,
        examples: &[Example],
        redactor: Redactor,
    ) -> Result<Sheet, Failure> {
        let fails = |action: &str, error: io::Error| {
            Failure::usage(format!("cannot {action} `{}`: {error}", path.display()))
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).map_err(|error| fails("make the folder of", error))?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| fails("open", error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Failure::usage(format!(
                "somebody labels into `{}` right now: wait for them, or name another file \
                 with `-o`",
                path.display()
            )),
            TryLockError::Error(error) => fails("lock", error),
        })?;
        let note = mend(&mut file).map_err(|error| fails("mend", error))?;
        file.seek(SeekFrom::Start(0))
            .map_err(|error| fails("read", error))?;
        let mut reading = Reading::new(examples);
        reading.text(&path.display().to_string(), &file);
        let items = reading.finish().map_err(Failure::usage)?;
        let mine = items.iter().filter(|item| item.labelled_by == who);
        let mine = mine.map(|item| (item.id.clone(), item.label)).collect();
        Ok(Sheet {
            path: path.to_owned(),
            file,
            who: who.to_owned(),
            items,
            mine,
            starts: Vec::new(),
            note: note.map(|what| format!("{}: {what}", path.display())),
            redactor,
        })
    }

    /// What was odd about the file.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// All labels, of everybody.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How this person labelled an item.
    pub fn label(&self, id: &str) -> Option<Verdict> {
        self.mine.get(id).copied()
    }

    /// How many this person labelled.
    pub fn mine(&self) -> usize {
        self.mine.len()
    }

    /// Keeps this person's label of `item`. It is on the disk when this returns.
    pub fn add(&mut self, item: Item, label: Verdict, reason: String) -> Result<(), Failure> {
        // Items of one id look alike to people, and may still be of different work: a file holds
        // one of them, whoever labels it.
        let known = self.items.iter().find(|known| known.id == item.id);
        let item = Item {
            label,
            reason,
            labelled_by: self.who.clone(),
            ..known.cloned().unwrap_or(item)
        };
        let json = serde_json::to_string(&item).map_err(Failure::internal)?;
        let mut line = self.redactor.json(&json).into_owned();
        line.push('\n');
        let written = self.append(&line).map_err(|error| self.fails(error))?;
        self.starts.push(written);
        self.mine.insert(item.id.clone(), label);
        self.items.push(item);
        Ok(())
    }

    /// Takes back the last label of this sitting.
    pub fn take_back(&mut self) -> Result<(), Failure> {
        let start = self.starts.pop().expect("there is a label of this sitting");
        let cut = self.file.set_len(start).and_then(|()| self.file.sync_all());
        cut.map_err(|error| self.fails(error))?;
        let item = self.items.pop().expect("each start is an item's");
        self.mine.remove(&item.id);
        Ok(())
    }

    /// Where the line begins. Of a line that could not be written whole, nothing stays.
    fn append(&mut self, line: &str) -> io::Result<u64> {
        let start = self.file.seek(SeekFrom::End(0))?;
        let written = self.file.write_all(line.as_bytes());
        if let Err(error) = written.and_then(|()| self.file.sync_all()) {
            // The first error says what went wrong; the next sitting mends what is left.
            let _ = self.file.set_len(start);
            return Err(error);
        }
        Ok(start)
    }

    fn fails(&self, error: io::Error) -> Failure {
        Failure::usage(format!(
            "cannot write `{}`: {error}; what was labelled before is kept",
            self.path.display()
        ))
    }
}

/// More than a line has.
const TAIL: u64 = 2 << 20;

/// Gives the last line its end where it is whole, and cuts it off where a crash tore it. A
/// file of anything else stays as it is, and is refused when it is read.
fn mend(file: &mut File) -> io::Result<Option<&'static str>> {
    let from = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text)?;
    let start = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let last = &text[start..];
    if last.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(last) {
        Ok(_) => {
            file.write_all(b"\n")?;
            Ok(None)
        }
        Err(error) if error.is_eof() && last.starts_with(b"{\"id\":") => {
            file.set_len(from + start as u64)?;
            Ok(Some("its last line was torn, and is cut off"))
        }
        Err(_) => Ok(None),
    }
}
