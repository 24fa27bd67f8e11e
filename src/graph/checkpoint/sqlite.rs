//! Threads in an SQLite file: the default for what must outlive the process.

use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::{Params, params};

use super::super::database::sqlite::Sqlite;
use super::{Checkpoint, CheckpointError, Checkpointer, LAYOUT, OpenError, Status, ThreadSummary};

pub struct SqliteCheckpointer {
    sqlite: Sqlite,
}

impl SqliteCheckpointer {
    /// Opens the file at `path`, or makes it, and the tables in it. The file may hold other
    /// things too.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`], [`OpenError::UnknownFormat`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let sqlite = Sqlite::open(path.as_ref(), &LAYOUT).await?;
        Ok(SqliteCheckpointer { sqlite })
    }

    async fn checkpoints(
        &self,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
    ) -> Result<Vec<Checkpoint>, CheckpointError> {
        let rows = self.sqlite.run(false, move |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        let rows = rows
            .await
            .map_err(|source| CheckpointError::unavailable(self.sqlite.place(), source))?;
        rows.iter()
            .map(|json| Checkpoint::from_json(json))
            .collect()
    }
}

impl Checkpointer for SqliteCheckpointer {
    fn put(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        async move {
            let conflict = CheckpointError::Conflict {
                thread: checkpoint.thread.clone(),
                sequence: checkpoint.sequence,
            };
            let Ok(sequence) = i64::try_from(checkpoint.sequence) else {
                return Err(conflict);
            };
            let stored = self.sqlite.run(true, move |connection| {
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
            });
            match stored.await {
                Ok(0) => Err(conflict),
                Ok(_) => Ok(()),
                Err(source) => Err(CheckpointError::unavailable(self.sqlite.place(), source)),
            }
        }
        .boxed()
    }

    fn latest<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, CheckpointError>> {
        async move {
            let sql = "SELECT checkpoint FROM mailproof_checkpoints
                WHERE thread = ?1 ORDER BY sequence DESC LIMIT 1";
            let found = self.checkpoints(sql, [thread.to_owned()]).await?;
            Ok(found.into_iter().next())
        }
        .boxed()
    }

    fn history<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Checkpoint>, CheckpointError>> {
        let sql = "SELECT checkpoint FROM mailproof_checkpoints
            WHERE thread = ?1 ORDER BY sequence";
        self.checkpoints(sql, [thread.to_owned()]).boxed()
    }

    fn list(
        &self,
        status: Option<Status>,
    ) -> BoxFuture<'_, Result<Vec<ThreadSummary>, CheckpointError>> {
        async move {
            let sql = "SELECT checkpoint FROM mailproof_checkpoints
                JOIN (
                    SELECT thread AS head, max(sequence) AS last
                    FROM mailproof_checkpoints GROUP BY thread
                ) ON thread = head AND sequence = last
                WHERE ?1 IS NULL OR status = ?1
                ORDER BY thread";
            let found = self.checkpoints(sql, [status.map(Status::name)]).await?;
            Ok(found.iter().map(Checkpoint::summary).collect())
        }
        .boxed()
    }
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
        insta::assert_snapshot!(error, @"`sqlite:FOLDER/threads.db` keeps checkpoints in format 7, and this version knows format 1; use the version that wrote them, or another place");
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
