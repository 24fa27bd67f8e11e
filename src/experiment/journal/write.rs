//! Appends to a journal: many cases hand in lines, one at a time writes them.
//!
//! Cases serialise on their own threads. Whoever finds nobody writing takes what has queued
//! up, its own line and those of others, hands it to the system in one write, and tells each
//! case that its attempt may be counted: a case alone waits for no other thread, and many at
//! once share their writes. A thread syncs, so that no attempt waits for a disk.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError as Busy};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;

use super::read::Reader;
use super::{FILE, JournalError, Line, StoredPrompt};
use crate::experiment::name::{ExperimentName, NameError};
use crate::experiment::record::{Attempt, Ended, Grown, Header, Session};
use crate::judge::canary::Canaries;
use crate::message::{Prompt, PromptContent};
use crate::redact::Redactor;
use crate::run::Run;

/// What is written at a moment is on the disk 100 ms later; half of that is for the disk.
const SYNC_AFTER: Duration = Duration::from_millis(50);

/// How much memory is kept for the next write, in bytes.
const BATCH: usize = 4 << 20;

/// An open journal. Dropping it syncs what was written and gives up the lock.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    redactor: Arc<Redactor>,
    /// Lines that wait for whoever writes.
    queue: Mutex<Vec<Item>>,
    writer: Mutex<Writer>,
}

/// A line to be written, and whom to tell once it is.
#[derive(Debug)]
struct Item {
    /// Written before the line, unless they have been already.
    prompts: Vec<Arc<Prompt>>,
    line: String,
    /// Told only once the line is on the disk.
    sync: bool,
    written: oneshot::Sender<Written>,
}

/// The error is shared by all whose lines went with it.
type Written = Result<(), Arc<io::Error>>;

impl Journal {
    /// Starts the journal of a new experiment in `reports`, under a lock.
    ///
    /// # Errors
    /// [`NameError`] where the header's name is no name, or a reserved one,
    /// [`JournalError::Exists`] where the folder holds anything but
    /// a journal that did not get as far as its header, [`JournalError::Locked`], and those
    /// of writing.
    pub fn create(
        reports: &Path,
        header: &Header,
        redactor: Arc<Redactor>,
    ) -> Result<Journal, JournalError> {
        let name: ExperimentName = header.experiment.parse()?;
        if name.is_reserved() {
            return Err(NameError::Reserved(name.to_string()).into());
        }
        let folder = name.folder(reports);
        let exists = || JournalError::Exists {
            name: name.to_string(),
            folder: folder.clone(),
        };
        fs::create_dir_all(&folder).map_err(JournalError::io("create", &folder))?;
        for entry in fs::read_dir(&folder).map_err(JournalError::io("read", &folder))? {
            let entry = entry.map_err(JournalError::io("read", &folder))?;
            if entry.file_name() != FILE {
                return Err(exists());
            }
        }
        let path = folder.join(FILE);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(JournalError::io("create", &path))?;
        lock(&file, &path)?;
        if has_line(&mut file).map_err(JournalError::io("read", &path))? {
            return Err(exists());
        }
        let line: Line<(), ()> = Line::Header(Box::new(header.clone()));
        let mut start = || -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(json_line(&line, &redactor).as_bytes())
        };
        start().map_err(JournalError::io("write", &path))?;
        // With the first lines: until an attempt was counted there is nothing to lose.
        let folders = vec![folder, reports.to_owned()];
        Journal::start(file, folders, path, HashSet::new(), redactor)
    }

    /// Opens a journal to go on with, under a lock; a torn last line is cut off.
    ///
    /// `read` is given the journal from its header on; what it returns is handed on.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Locked`], those of reading, and those of
    /// `read`; the file is then as it was.
    pub(in crate::experiment) fn reopen<T, E: From<JournalError>>(
        path: &Path,
        redactor: Arc<Redactor>,
        read: impl FnOnce(&mut Reader) -> Result<T, E>,
    ) -> Result<(Journal, T), E> {
        let file =
            File::options()
                .read(true)
                .write(true)
                .open(path)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => JournalError::Missing {
                        path: path.to_owned(),
                    },
                    _ => JournalError::io("open", path)(error),
                })?;
        lock(&file, path)?;
        let again = file.try_clone().map_err(JournalError::io("open", path))?;
        let mut reader = Reader::of(again, path)?;
        let value = read(&mut reader)?;
        // What `read` left: the file is cut off where reading ended.
        while reader.next_attempt::<IgnoredAny>()?.is_some() {}
        let mut file = file;
        file.set_len(reader.end())
            .and_then(|()| file.seek(SeekFrom::Start(reader.end())))
            .map_err(JournalError::io("write", path))?;
        let prompts = reader.prompts().cloned().collect();
        let journal = Journal::start(file, Vec::new(), path.to_owned(), prompts, redactor)?;
        Ok((journal, value))
    }

    /// A journal without header that goes to a file as it is.
    #[cfg(test)]
    pub(in crate::experiment) fn writing_to(path: &Path) -> Journal {
        let file = File::options().write(true).open(path).unwrap();
        let redactor = Arc::new(Redactor::new([]));
        Journal::start(file, Vec::new(), path.to_owned(), HashSet::new(), redactor).unwrap()
    }

    fn start(
        file: File,
        folders: Vec<PathBuf>,
        path: PathBuf,
        prompts: HashSet<String>,
        redactor: Arc<Redactor>,
    ) -> Result<Journal, JournalError> {
        let io = |action| JournalError::io(action, &path);
        let synced = file.try_clone().map_err(io("open"))?;
        let syncer = Syncer::start(synced, folders).map_err(io("sync"))?;
        let writer = Writer {
            file,
            syncer,
            prompts,
            redactor: Arc::clone(&redactor),
            failed: None,
            bytes: Vec::new(),
        };
        Ok(Journal {
            path,
            redactor,
            queue: Mutex::default(),
            writer: Mutex::new(writer),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records a finished attempt, after the prompts it names. Once this returns, the
    /// attempt survives the death of this process, and may be counted.
    ///
    /// # Errors
    /// [`JournalError::Io`]; every later call then fails too.
    pub async fn append(&self, attempt: &Attempt<Run>) -> Result<(), JournalError> {
        let line: Line<(), &Attempt<Run>> = Line::Attempt(attempt);
        let runs = attempt.runs.iter().chain(&attempt.ablation);
        let prompts = runs.flat_map(|run| run.prompts.iter().cloned()).collect();
        self.write(prompts, &line, false).await
    }

    /// Records the start of a sitting.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub async fn begin(&self, session: Session) -> Result<(), JournalError> {
        let line: Line<(), ()> = Line::Session(session);
        self.write(Vec::new(), &line, false).await
    }

    /// Records what became of the canaries of a judge.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub async fn canaries(&self, canaries: Canaries) -> Result<(), JournalError> {
        let line: Line<(), ()> = Line::Canaries(canaries);
        self.write(Vec::new(), &line, false).await
    }

    /// Records that the plan has grown.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub async fn grow(&self, grown: Grown) -> Result<(), JournalError> {
        let line: Line<(), ()> = Line::Grown(grown);
        self.write(Vec::new(), &line, false).await
    }

    /// Records the end of a sitting, and waits until everything is on the disk.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub async fn end(&self, ended: Ended) -> Result<(), JournalError> {
        let line: Line<(), ()> = Line::Ended(ended);
        self.write(Vec::new(), &line, true).await
    }

    async fn write<P: Serialize, A: Serialize>(
        &self,
        prompts: Vec<Arc<Prompt>>,
        line: &Line<P, A>,
        sync: bool,
    ) -> Result<(), JournalError> {
        let (written, answer) = oneshot::channel();
        let item = Item {
            prompts,
            line: json_line(line, &self.redactor),
            sync,
            written,
        };
        self.queue().push(item);
        self.write_out();
        // Whoever took the line tells; a panic of theirs takes the sender with it.
        let stopped = || Arc::new(io::Error::other("the journal's writer has stopped"));
        let result = answer.await.unwrap_or_else(|_| Err(stopped()));
        result.map_err(|source| JournalError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Item>> {
        // A list is changed by one push or take, so a panicked holder cannot have torn it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits, unless somebody else is writing: they look again when they are
    /// done, so that no line is left.
    fn write_out(&self) {
        while !self.queue().is_empty() {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(Busy::WouldBlock) => return,
                Err(Busy::Poisoned(_)) => {
                    // Nobody knows how far it came. Dropping the items tells those who wait.
                    self.queue().clear();
                    return;
                }
            };
            let items = std::mem::take(&mut *self.queue());
            writer.run(items);
        }
    }
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => JournalError::Locked {
            path: path.to_owned(),
        },
        TryLockError::Error(error) => JournalError::io("lock", path)(error),
    })
}

/// Whether a file has one whole line at least.
fn has_line(file: &mut File) -> io::Result<bool> {
    let mut buffer = [0; 8192];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(false),
            read if buffer[..read].contains(&b'\n') => return Ok(true),
            _ => {}
        }
    }
}

/// Makes the names in a folder as durable as the files.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file, and names need no sync.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// One line of JSON without secrets.
pub(in crate::experiment) fn json_line(line: &impl Serialize, redactor: &Redactor) -> String {
    let json = serde_json::to_string(line).expect("records have string keys only");
    let mut json = match redactor.json(&json) {
        std::borrow::Cow::Borrowed(_) => json,
        std::borrow::Cow::Owned(redacted) => redacted,
    };
    json.push('\n');
    json
}

/// Whoever has it writes.
#[derive(Debug)]
struct Writer {
    file: File,
    syncer: Syncer,
    /// Hashes of the prompts in the file.
    prompts: HashSet<String>,
    redactor: Arc<Redactor>,
    /// After a failed write the end of the file is unknown, so nothing more is written.
    failed: Option<Arc<io::Error>>,
    /// What is written at once; empty between two writes.
    bytes: Vec<u8>,
}

impl Writer {
    fn run(&mut self, items: Vec<Item>) {
        let mut sync = false;
        let mut waiting = Vec::with_capacity(items.len());
        for item in items {
            sync |= item.sync;
            waiting.push(self.gather(item));
        }
        let result = self.write(sync);
        self.bytes.clear();
        self.bytes.shrink_to(BATCH);
        for written in waiting {
            // Whoever does not wait any more has been cancelled; the line stays.
            let _ = written.send(result.clone());
        }
    }

    /// Puts an item's lines to those to be written.
    fn gather(&mut self, item: Item) -> oneshot::Sender<Written> {
        for prompt in item.prompts {
            if !self.prompts.contains(prompt.hash()) {
                self.prompts.insert(prompt.hash().to_owned());
                let line: Line<&PromptContent, ()> = Line::Prompt(StoredPrompt {
                    hash: prompt.hash().to_owned(),
                    content: prompt.content(),
                });
                let line = json_line(&line, &self.redactor);
                self.bytes.extend_from_slice(line.as_bytes());
            }
        }
        self.bytes.extend_from_slice(item.line.as_bytes());
        item.written
    }

    fn write(&mut self, sync: bool) -> Written {
        if let Some(error) = self.failed.as_ref().or(self.syncer.failed.get()) {
            return Err(Arc::clone(error));
        }
        let written = self.file.write_all(&self.bytes);
        let synced = written.and_then(|()| match sync {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        if let Err(error) = synced {
            return Err(Arc::clone(self.failed.insert(Arc::new(error))));
        }
        self.syncer.wake();
        Ok(())
    }
}

/// The thread that syncs, a fixed time after the first write since the last sync. Dropping it
/// syncs what was written since.
#[derive(Debug)]
struct Syncer {
    wake: Option<Sender<()>>,
    /// Whether it was woken since it last began to sync: once is enough.
    due: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<OnceLock<Arc<io::Error>>>,
}

impl Syncer {
    /// Syncs `file`, and once the names in `folders`.
    fn start(file: File, mut folders: Vec<PathBuf>) -> io::Result<Syncer> {
        let (wake, woken) = mpsc::channel();
        let failed = Arc::new(OnceLock::new());
        let failure = Arc::clone(&failed);
        let due = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&due);
        let thread = thread::Builder::new()
            .name("journal sync".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    wait(&woken);
                    // Before the sync: what is written from here on wants another.
                    begun.store(false, Ordering::SeqCst);
                    let named = folders.drain(..).try_for_each(|it| sync_folder(&it));
                    if let Err(error) = file.sync_data().and(named) {
                        // The first failure is the one to tell.
                        let _ = failure.set(Arc::new(error));
                    }
                }
            })?;
        Ok(Syncer {
            wake: Some(wake),
            due,
            thread: Some(thread),
            failed,
        })
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake
            && !self.due.swap(true, Ordering::SeqCst)
        {
            // The thread lives as long as the sender.
            let _ = wake.send(());
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until it is time to sync, or until nothing more is written.
fn wait(woken: &Receiver<()>) {
    // Nobody wakes who was not asleep, so only the end comes early.
    let _ = woken.recv_timeout(SYNC_AFTER);
}
