//! Threads in an SQLite file: the default for what must outlive the process.
//!
//! One connection on a thread of its own does everything. What is to be written while it
//! waits for the disk goes into its next transaction, so many runs share one wait. A
//! checkpoint is on the disk when `put` returns, through power cuts too (WAL with
//! `synchronous=FULL`): it may hold a person's answer or the result of a payment. Any
//! number of processes may use one file on a local disk; not on a network share, where
//! SQLite cannot lock.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::{Checkpoint, CheckpointError, Checkpointer, FORMAT, OpenError, Status, ThreadSummary};

/// How long another process may keep the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most pieces of work in one transaction.
const BATCH: usize = 256;

pub struct SqliteCheckpointer {
    place: Arc<str>,
    /// `None` once it is being dropped.
    work: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl SqliteCheckpointer {
    /// Opens the file at `path`, or makes it, and the tables in it. The file may hold other
    /// things too.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`], [`OpenError::UnknownFormat`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let place: Arc<str> = format!("`sqlite:{}`", path.display()).into();
        let (work, todo) = mpsc::channel::<Box<dyn Work>>();
        let (opened, outcome) = oneshot::channel();
        let thread = {
            let place = place.clone();
            let run = move || match connect(&path, &place) {
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
            checkpointer: place.to_string(),
            source: source.into(),
        })?;
        outcome.await.expect("the thread tells how opening went")?;
        Ok(SqliteCheckpointer {
            place,
            work: Some(work),
            thread: Some(thread),
        })
    }

    /// Has `job` done on the connection's thread: inside a transaction that was committed
    /// when this returns, if it `writes`.
    async fn run<T: Send + 'static>(
        &self,
        writes: bool,
        job: impl FnOnce(&Connection) -> Result<T, CheckpointError> + Send + 'static,
    ) -> Result<T, CheckpointError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job {
            place: self.place.clone(),
            writes,
            todo: Some(job),
            result: None,
            reply,
        };
        let work = self.work.as_ref().expect("it is not being dropped");
        let gone = || unavailable(&self.place, "its thread has panicked");
        work.send(Box::new(job)).map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for SqliteCheckpointer {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            // It ends as soon as the work it holds is done. A panic of its own was told to
            // those who waited for an answer.
            let _ = thread.join();
        }
    }
}

fn unavailable(place: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> CheckpointError {
    CheckpointError::Unavailable {
        checkpointer: place.to_owned(),
        source: source.into(),
    }
}

fn connect(path: &Path, place: &str) -> Result<Connection, OpenError> {
    let unreachable = |source: rusqlite::Error| OpenError::Unreachable {
        checkpointer: place.to_owned(),
        source: source.into(),
    };
    // Without URIs, so that every path means the file of that name.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unreachable)?;
    let found = prepare(&mut connection).map_err(unreachable)?;
    if found != i64::from(FORMAT) {
        return Err(OpenError::UnknownFormat {
            checkpointer: place.to_owned(),
            found,
        });
    }
    Ok(connection)
}

/// Sets the connection up and makes the tables, unless they are there; returns their format.
fn prepare(connection: &mut Connection) -> Result<i64, rusqlite::Error> {
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
            "SELECT format FROM mailproof_formats WHERE name = 'checkpoints'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    transaction.execute_batch(
        "CREATE TABLE mailproof_checkpoints (
            thread TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            status TEXT NOT NULL,
            created_at TEXT NOT NULL,
            checkpoint TEXT NOT NULL,
            PRIMARY KEY (thread, sequence)
        ) STRICT",
    )?;
    transaction.execute(
        "INSERT INTO mailproof_formats (name, format) VALUES ('checkpoints', ?1)",
        [FORMAT],
    )?;
    transaction.commit()?;
    Ok(i64::from(FORMAT))
}

/// Something to do on the connection's thread, and somebody who waits for it.
trait Work: Send {
    fn writes(&self) -> bool;
    fn run(&mut self, connection: &Connection);
    /// Tells the outcome, which is `stored` if that is an error.
    fn reply(self: Box<Self>, stored: Result<(), Arc<rusqlite::Error>>);
}

struct Job<T, F> {
    place: Arc<str>,
    writes: bool,
    todo: Option<F>,
    result: Option<Result<T, CheckpointError>>,
    reply: oneshot::Sender<Result<T, CheckpointError>>,
}

impl<T, F> Work for Job<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, CheckpointError> + Send,
{
    fn writes(&self) -> bool {
        self.writes
    }

    fn run(&mut self, connection: &Connection) {
        self.result = self.todo.take().map(|job| job(connection));
    }

    fn reply(self: Box<Self>, stored: Result<(), Arc<rusqlite::Error>>) {
        let result = match stored {
            Ok(()) => self.result.expect("work is run before it is stored"),
            Err(error) => Err(unavailable(&self.place, error)),
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

impl Checkpointer for SqliteCheckpointer {
    fn put(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        let place = self.place.clone();
        self.run(true, move |connection| {
            let conflict = || CheckpointError::Conflict {
                thread: checkpoint.thread.clone(),
                sequence: checkpoint.sequence,
            };
            let sequence = i64::try_from(checkpoint.sequence).map_err(|_| conflict())?;
            let insert = || {
                let sql = "INSERT INTO mailproof_checkpoints
                    SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?2 = (
                        SELECT coalesce(max(sequence) + 1, 0)
                        FROM mailproof_checkpoints WHERE thread = ?1
                    )";
                let row = params![
                    checkpoint.thread,
                    sequence,
                    checkpoint.status.name(),
                    checkpoint.created_at.to_string(),
                    checkpoint.to_json(),
                ];
                connection.prepare_cached(sql)?.execute(row)
            };
            match insert().map_err(|error| unavailable(&place, error))? {
                0 => Err(conflict()),
                _ => Ok(()),
            }
        })
        .boxed()
    }

    fn latest<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, CheckpointError>> {
        let (place, thread) = (self.place.clone(), thread.to_owned());
        self.run(false, move |connection| {
            let sql = "SELECT checkpoint FROM mailproof_checkpoints
                WHERE thread = ?1 ORDER BY sequence DESC LIMIT 1";
            let found = checkpoints(connection, sql, [thread], &place)?;
            Ok(found.into_iter().next())
        })
        .boxed()
    }

    fn history<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Checkpoint>, CheckpointError>> {
        let (place, thread) = (self.place.clone(), thread.to_owned());
        self.run(false, move |connection| {
            let sql = "SELECT checkpoint FROM mailproof_checkpoints
                WHERE thread = ?1 ORDER BY sequence";
            checkpoints(connection, sql, [thread], &place)
        })
        .boxed()
    }

    fn list(
        &self,
        status: Option<Status>,
    ) -> BoxFuture<'_, Result<Vec<ThreadSummary>, CheckpointError>> {
        let place = self.place.clone();
        self.run(false, move |connection| {
            let sql = "SELECT checkpoint FROM mailproof_checkpoints
                JOIN (
                    SELECT thread AS head, max(sequence) AS last
                    FROM mailproof_checkpoints GROUP BY thread
                ) ON thread = head AND sequence = last
                WHERE ?1 IS NULL OR status = ?1
                ORDER BY thread";
            let found = checkpoints(connection, sql, [status.map(Status::name)], &place)?;
            Ok(found.iter().map(Checkpoint::summary).collect())
        })
        .boxed()
    }
}

fn checkpoints(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    place: &str,
) -> Result<Vec<Checkpoint>, CheckpointError> {
    let rows = || {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
        rows.collect::<Result<Vec<_>, _>>()
    };
    let rows = rows().map_err(|error| unavailable(place, error))?;
    rows.iter()
        .map(|json| Checkpoint::from_json(json))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::super::{CheckpointError, Checkpointer, OpenError, contract};
    use super::SqliteCheckpointer;

    async fn open(folder: &TempDir) -> Result<SqliteCheckpointer, OpenError> {
        SqliteCheckpointer::open(folder.path().join("threads.db")).await
    }

    fn by_hand(folder: &TempDir, sql: &str) {
        let connection = Connection::open(folder.path().join("threads.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        contract::check(Arc::new(open(&folder).await.unwrap())).await;
    }

    #[tokio::test]
    async fn threads_outlive_the_checkpointer() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(&folder).await.unwrap();
        first.put(contract::checkpoint("t", 0)).await.unwrap();
        drop(first);
        let second = open(&folder).await.unwrap();
        assert!(second.latest("t").await.unwrap().is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_processes_on_one_thread_the_second_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(&folder).await.unwrap(), open(&folder).await.unwrap());
        for sequence in 0..20 {
            let put = || contract::checkpoint("t", sequence);
            let (one, other) = tokio::join!(one.put(put()), other.put(put()));
            let refused = match (one, other) {
                (Ok(()), Err(error)) | (Err(error), Ok(())) => error,
                both => panic!("{both:?}"),
            };
            assert!(
                matches!(refused, CheckpointError::Conflict { .. }),
                "{refused:?}"
            );
        }
        let history = one.history("t").await.unwrap();
        let sequences: Vec<_> = history.iter().map(|kept| kept.sequence).collect();
        assert!(sequences.into_iter().eq(0..20));
    }

    #[tokio::test]
    async fn a_file_of_another_format_is_refused_by_naming_both() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(&folder).await.unwrap());
        by_hand(&folder, "UPDATE mailproof_formats SET format = 7");
        let error = open(&folder).await.err().unwrap().to_string();
        let error = error.replace(&folder.path().display().to_string(), "FOLDER");
        insta::assert_snapshot!(error, @"the checkpointer `sqlite:FOLDER/threads.db` has format 7, and this version knows format 1; use the version that wrote it, or another place");
    }

    #[tokio::test]
    async fn a_checkpoint_of_another_format_is_refused_by_naming_both() {
        let folder = tempfile::tempdir().unwrap();
        let checkpointer = open(&folder).await.unwrap();
        checkpointer
            .put(contract::checkpoint("t", 0))
            .await
            .unwrap();
        by_hand(
            &folder,
            r#"UPDATE mailproof_checkpoints SET checkpoint = '{ "format": 2 }'"#,
        );
        let error = checkpointer.latest("t").await.unwrap_err();
        assert!(matches!(error, CheckpointError::UnknownFormat { found: 2 }));
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("threads.db"), "no database ".repeat(100)).unwrap();
        for path in ["threads.db", "missing/threads.db", "."] {
            let opened = SqliteCheckpointer::open(folder.path().join(path)).await;
            let error = opened.err().expect(path);
            assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
            assert!(error.to_string().contains(path), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_may_hold_other_things_too() {
        let folder = tempfile::tempdir().unwrap();
        by_hand(
            &folder,
            "CREATE TABLE checkpoints (x); INSERT INTO checkpoints VALUES (1)",
        );
        let checkpointer = open(&folder).await.unwrap();
        assert_eq!(checkpointer.list(None).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_failing_disk_is_an_error_and_stores_nothing_of_what_it_took_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let checkpointer = open(&folder).await.unwrap();
        checkpointer
            .put(contract::checkpoint("t", 0))
            .await
            .unwrap();
        // As a full disk does, a failing trigger can roll the whole transaction back.
        by_hand(
            &folder,
            "CREATE TRIGGER full BEFORE INSERT ON mailproof_checkpoints WHEN NEW.thread = 'full'
                BEGIN SELECT raise(ROLLBACK, 'disk full'); END",
        );
        let put = |thread, sequence| checkpointer.put(contract::checkpoint(thread, sequence));
        let puts = [
            put("before", 0),
            put("full", 0),
            put("after", 0),
            put("t", 1),
        ];
        let results = futures_util::future::join_all(puts).await;
        let latest = |thread| checkpointer.latest(thread);
        for (thread, result) in ["before", "full", "after"].into_iter().zip(&results) {
            let stored = latest(thread).await.unwrap().is_some();
            assert_eq!(result.is_ok(), stored, "{thread}: {result:?}");
        }
        assert!(matches!(
            results[1],
            Err(CheckpointError::Unavailable { .. })
        ));
        assert_eq!(
            latest("t").await.unwrap().unwrap().sequence,
            u64::from(results[3].is_ok())
        );
        let again = put("again", 0).await;
        again.unwrap();
    }
}
