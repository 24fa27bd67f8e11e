//! One SQLite file.
//!
//! One connection on a thread of its own does everything. What is to be written while it
//! waits for the disk goes into its next transaction, so many runs share one wait. What is
//! written is on the disk when [`Sqlite::run`] returns, through power cuts too (WAL with
//! `synchronous=FULL`): it may be a person's answer or the result of a payment. Any number
//! of processes may use one file on a local disk; not on a network share, where SQLite
//! cannot lock.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Fault, Layout, OpenError};

/// How long another process may keep the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most pieces of work in one transaction.
const BATCH: usize = 256;

pub struct Sqlite {
    place: String,
    /// `None` once it is being dropped.
    work: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens the file at `path`, or makes it, and the tables in it. The file may hold other
    /// things too.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`], [`OpenError::UnknownFormat`].
    pub async fn open(path: &Path, layout: &'static Layout) -> Result<Self, OpenError> {
        let place = format!("`sqlite:{}`", path.display());
        let (work, todo) = mpsc::channel::<Box<dyn Work>>();
        let (opened, outcome) = oneshot::channel();
        let thread = {
            let (path, place) = (path.to_owned(), place.clone());
            let run = move || match connect(&path, place, layout) {
                Ok(connection) => {
                    // Whoever opened it may have given up; then no work ever comes.
                    let _ = opened.send(Ok(()));
                    serve(connection, &todo);
                }
                Err(error) => drop(opened.send(Err(error))),
            };
            std::thread::Builder::new()
                .name("sqlite".to_owned())
                .spawn(run)
        };
        let thread = thread.map_err(|source| OpenError::Unreachable {
            place: place.clone(),
            source: source.into(),
        })?;
        outcome.await.expect("the thread tells how opening went")?;
        Ok(Sqlite {
            place,
            work: Some(work),
            thread: Some(thread),
        })
    }

    /// The file's name, as messages show it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Has `job` done on the connection's thread: inside a transaction that was committed
    /// when this returns, if it `writes`.
    pub async fn run<T: Send + 'static>(
        &self,
        writes: bool,
        job: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, outcome) = oneshot::channel();
        let job = Job {
            writes,
            todo: Some(job),
            result: None,
            reply,
        };
        let work = self.work.as_ref().expect("it is not being dropped");
        let gone = || Fault::from("its thread has panicked");
        work.send(Box::new(job)).map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            // It ends as soon as the work it holds is done. A panic of its own was told to
            // those who waited for an answer.
            let _ = thread.join();
        }
    }
}

fn connect(path: &Path, place: String, layout: &Layout) -> Result<Connection, OpenError> {
    let unreachable = |source: rusqlite::Error| OpenError::Unreachable {
        place: place.clone(),
        source: source.into(),
    };
    // Without URIs, so that every path means the file of that name.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unreachable)?;
    let found = prepare(&mut connection, layout).map_err(unreachable)?;
    if found != i64::from(layout.format) {
        return Err(OpenError::UnknownFormat {
            place,
            kept: layout.name,
            found,
            known: layout.format,
        });
    }
    Ok(connection)
}

/// Sets the connection up and makes the tables, unless they are there; returns their format.
fn prepare(connection: &mut Connection, layout: &Layout) -> Result<i64, rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Some file systems refuse; then SQLite's slower journal is as safe.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS mailproof_formats (
            name TEXT NOT NULL PRIMARY KEY,
            format INTEGER NOT NULL
        ) STRICT",
    )?;
    let found = transaction
        .query_row(
            "SELECT format FROM mailproof_formats WHERE name = ?1",
            [layout.name],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    transaction.execute_batch(layout.sqlite)?;
    transaction.execute(
        "INSERT INTO mailproof_formats (name, format) VALUES (?1, ?2)",
        (layout.name, layout.format),
    )?;
    transaction.commit()?;
    Ok(i64::from(layout.format))
}

/// Something to do on the connection's thread, and somebody who waits for it.
trait Work: Send {
    fn writes(&self) -> bool;
    fn run(&mut self, connection: &Connection);
    /// Tells the outcome, which is `stored` if that is an error.
    fn reply(self: Box<Self>, stored: Result<(), Arc<rusqlite::Error>>);
}

struct Job<T, F> {
    writes: bool,
    todo: Option<F>,
    result: Option<Result<T, rusqlite::Error>>,
    reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Work for Job<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send,
{
    fn writes(&self) -> bool {
        self.writes
    }

    fn run(&mut self, connection: &Connection) {
        self.result = self.todo.take().map(|job| job(connection));
    }

    fn reply(self: Box<Self>, stored: Result<(), Arc<rusqlite::Error>>) {
        let result = match stored {
            Ok(()) => {
                let result = self.result.expect("work is run before it is stored");
                result.map_err(Fault::from)
            }
            Err(error) => Err(error.into()),
        };
        // Nobody waits for a run that was dropped.
        let _ = self.reply.send(result);
    }
}

fn serve(connection: Connection, todo: &mpsc::Receiver<Box<dyn Work>>) {
    while let Ok(first) = todo.recv() {
        let mut batch = vec![first];
        batch.extend(todo.try_iter().take(BATCH - 1));
        let stored = run_batch(&connection, &mut batch).map_err(Arc::new);
        for work in batch {
            work.reply(stored.clone());
        }
    }
}

/// Does all of the work, or none of it.
fn run_batch(connection: &Connection, batch: &mut [Box<dyn Work>]) -> Result<(), rusqlite::Error> {
    if !batch.iter().any(|work| work.writes()) {
        for work in batch {
            work.run(connection);
        }
        return Ok(());
    }
    // Rolled back when it is dropped; and by SQLite itself after some errors, such as a
    // full disk. What would run after that would be stored by itself.
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for work in batch {
        work.run(connection);
        if connection.is_autocommit() {
            break;
        }
    }
    transaction.commit()
}
