//! Appends to a journal: many cases hand in lines, one thread writes them.
//!
//! Cases serialise on their own threads; the writer takes whatever has queued up and hands
//! it to the system in one write, then tells each case that its attempt may be counted. A
//! second thread syncs, so that no attempt waits for a disk.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;

use super::read::Reader;
use super::{FILE, JournalError, Line, StoredPrompt};
use crate::experiment::name::{ExperimentName, NameError};
use crate::experiment::record::{Attempt, Ended, Header, Session};
use crate::message::{Prompt, PromptContent};
use crate::redact::Redactor;
use crate::run::Run;

/// What is written at a moment is on the disk 100 ms later; half of that is for the disk.
const SYNC_AFTER: Duration = Duration::from_millis(50);

/// How much is gathered for one write, in bytes.
const BATCH: usize = 1024 * 1024;

/// An open journal. Dropping it writes out what was handed in and gives up the lock.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    redactor: Arc<Redactor>,
    /// `None` while it is being dropped.
    queue: Option<Sender<Item>>,
    writer: Option<JoinHandle<()>>,
}

/// A line for the writer, and whom to tell once it is written.
struct Item {
    /// Written before the line, unless they have been already.
    prompts: Vec<Arc<Prompt>>,
    line: String,
    /// Told only once the line is on the disk.
    sync: bool,
    written: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

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
            file.write_all(json_line(&line, &redactor).as_bytes())?;
            file.sync_all()?;
            sync_folder(&folder)?;
            sync_folder(reports)
        };
        start().map_err(JournalError::io("write", &path))?;
        Journal::start(file, path, HashSet::new(), redactor)
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
        let journal = Journal::start(file, path.to_owned(), prompts, redactor)?;
        Ok((journal, value))
    }

    /// A journal without header that goes to a file as it is.
    #[cfg(test)]
    pub(in crate::experiment) fn writing_to(path: &Path) -> Journal {
        let file = File::options().write(true).open(path).unwrap();
        let redactor = Arc::new(Redactor::new([]));
        Journal::start(file, path.to_owned(), HashSet::new(), redactor).unwrap()
    }

    fn start(
        file: File,
        path: PathBuf,
        prompts: HashSet<String>,
        redactor: Arc<Redactor>,
    ) -> Result<Journal, JournalError> {
        let (queue, items) = mpsc::channel();
        let io = |action| JournalError::io(action, &path);
        let syncer = Syncer::start(file.try_clone().map_err(io("open"))?).map_err(io("sync"))?;
        let mut writer = Writer {
            file,
            syncer,
            prompts,
            redactor: Arc::clone(&redactor),
            failed: None,
        };
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&items))
            .map_err(io("write"))?;
        Ok(Journal {
            path,
            redactor,
            queue: Some(queue),
            writer: Some(thread),
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
        let queue = self.queue.as_ref().expect("open until it is dropped");
        // The writer stops when the queue does, or by a panic.
        let stopped = || Arc::new(io::Error::other("the journal's writer has stopped"));
        let result = match queue.send(item) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(stopped())),
            Err(_) => Err(stopped()),
        };
        result.map_err(|source| JournalError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the writer was told to those who waited for it.
            let _ = writer.join();
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

fn json_line<P: Serialize, A: Serialize>(line: &Line<P, A>, redactor: &Redactor) -> String {
    let json = serde_json::to_string(line).expect("records have string keys only");
    let mut json = match redactor.json(&json) {
        std::borrow::Cow::Borrowed(_) => json,
        std::borrow::Cow::Owned(redacted) => redacted,
    };
    json.push('\n');
    json
}

/// What is written at once.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    sync: bool,
    waiting: Vec<oneshot::Sender<Result<(), Arc<io::Error>>>>,
}

/// The thread that writes.
struct Writer {
    file: File,
    syncer: Syncer,
    /// Hashes of the prompts in the file.
    prompts: HashSet<String>,
    redactor: Arc<Redactor>,
    /// After a failed write the end of the file is unknown, so nothing more is written.
    failed: Option<Arc<io::Error>>,
}

impl Writer {
    fn run(&mut self, items: &Receiver<Item>) {
        let mut batch = Batch::default();
        while let Ok(first) = items.recv() {
            self.gather(first, &mut batch);
            while batch.bytes.len() < BATCH
                && let Ok(item) = items.try_recv()
            {
                self.gather(item, &mut batch);
            }
            let result = self.write(&batch);
            for written in batch.waiting.drain(..) {
                // Whoever does not wait any more has been cancelled; the line stays.
                let _ = written.send(result.clone());
            }
            batch.bytes.clear();
            batch.bytes.shrink_to(4 * BATCH);
            batch.sync = false;
        }
        self.syncer.stop();
    }

    fn gather(&mut self, item: Item, batch: &mut Batch) {
        for prompt in item.prompts {
            if !self.prompts.contains(prompt.hash()) {
                self.prompts.insert(prompt.hash().to_owned());
                let line: Line<&PromptContent, ()> = Line::Prompt(StoredPrompt {
                    hash: prompt.hash().to_owned(),
                    content: prompt.content(),
                });
                batch
                    .bytes
                    .extend_from_slice(json_line(&line, &self.redactor).as_bytes());
            }
        }
        batch.bytes.extend_from_slice(item.line.as_bytes());
        batch.sync |= item.sync;
        batch.waiting.push(item.written);
    }

    fn write(&mut self, batch: &Batch) -> Result<(), Arc<io::Error>> {
        if let Some(error) = self.failed.as_ref().or(self.syncer.failed.get()) {
            return Err(Arc::clone(error));
        }
        let written = self.file.write_all(&batch.bytes);
        let synced = written.and_then(|()| match batch.sync {
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

/// The thread that syncs, a fixed time after the first write since the last sync.
struct Syncer {
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<OnceLock<Arc<io::Error>>>,
}

impl Syncer {
    fn start(file: File) -> io::Result<Syncer> {
        let (wake, woken) = mpsc::channel();
        let failed = Arc::new(OnceLock::new());
        let failure = Arc::clone(&failed);
        let thread = thread::Builder::new()
            .name("journal sync".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    gather_wakes(&woken);
                    if let Err(error) = file.sync_data() {
                        // The first failure is the one to tell.
                        let _ = failure.set(Arc::new(error));
                    }
                }
            })?;
        Ok(Syncer {
            wake: Some(wake),
            thread: Some(thread),
            failed,
        })
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            // The thread lives as long as the sender.
            let _ = wake.send(());
        }
    }

    /// Syncs what was written since the last time, and ends the thread.
    fn stop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes in what is written until it is time to sync, or until there will be no more.
fn gather_wakes(woken: &Receiver<()>) {
    let deadline = Instant::now() + SYNC_AFTER;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match woken.recv_timeout(left) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}
