//! Threads in a PostgreSQL server, shared by any number of processes and machines.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::super::database::postgres::Postgres;
use super::{Checkpoint, CheckpointError, Checkpointer, LAYOUT, OpenError, Status, ThreadSummary};

pub struct PostgresCheckpointer {
    postgres: Postgres,
}

impl PostgresCheckpointer {
    /// Connects to the server and makes the tables, unless they are there.
    ///
    /// # Errors
    /// [`OpenError`], within a few seconds.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let postgres = Postgres::open(url, &LAYOUT).await?;
        Ok(PostgresCheckpointer { postgres })
    }

    async fn checkpoints(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Checkpoint>, CheckpointError> {
        let rows = self.postgres.query(sql, parameters).await;
        let rows =
            rows.map_err(|source| CheckpointError::unavailable(self.postgres.place(), source))?;
        let json = rows.iter().map(|row| row.get::<_, &str>(0));
        json.map(Checkpoint::from_json).collect()
    }
}

impl Checkpointer for PostgresCheckpointer {
    fn put(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        async move {
            let conflict = || CheckpointError::Conflict {
                thread: checkpoint.thread.clone(),
                sequence: checkpoint.sequence,
            };
            let sequence = i64::try_from(checkpoint.sequence).map_err(|_| conflict())?;
            let sql = "INSERT INTO mailproof_checkpoints
                SELECT $1::text, $2::bigint, $3::text, $4::text, $5::text WHERE $2 = (
                    SELECT coalesce(max(sequence) + 1, 0)
                    FROM mailproof_checkpoints WHERE thread = $1
                )";
            let row: [&(dyn ToSql + Sync); 5] = [
                &checkpoint.thread,
                &sequence,
                &checkpoint.status.name(),
                &checkpoint.created_at.to_string(),
                &checkpoint.to_json(),
            ];
            match self.postgres.execute(sql, &row).await {
                Ok(1) => Ok(()),
                Ok(_) => Err(conflict()),
                Err(source) => match source.downcast_ref::<tokio_postgres::Error>() {
                    // Another writer was as fast.
                    Some(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                        Err(conflict())
                    }
                    _ => Err(CheckpointError::unavailable(self.postgres.place(), source)),
                },
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
                WHERE thread = $1 ORDER BY sequence DESC LIMIT 1";
            let found = self.checkpoints(sql, &[&thread]).await?;
            Ok(found.into_iter().next())
        }
        .boxed()
    }

    fn history<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Checkpoint>, CheckpointError>> {
        async move {
            let sql = "SELECT checkpoint FROM mailproof_checkpoints
                WHERE thread = $1 ORDER BY sequence";
            self.checkpoints(sql, &[&thread]).await
        }
        .boxed()
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
                ) heads ON thread = head AND sequence = last
                WHERE $1::text IS NULL OR status = $1
                ORDER BY thread";
            let found = self.checkpoints(sql, &[&status.map(Status::name)]).await?;
            Ok(found.iter().map(Checkpoint::summary).collect())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::super::super::database::postgres::tests::{connect, empty};
    use super::super::{CheckpointError, OpenError, contract, open};
    use super::PostgresCheckpointer;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres_keeps_the_contract() {
        let url = empty("contract").await;
        contract::check(Arc::new(PostgresCheckpointer::open(&url).await.unwrap())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_processes_on_one_thread_the_second_is_refused() {
        let url = empty("two").await;
        let opened = tokio::join!(open(&url), open(&url));
        let (one, other) = (opened.0.unwrap(), opened.1.unwrap());
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
        assert_eq!(one.history("t").await.unwrap().len(), 20);
    }

    #[tokio::test]
    async fn a_database_of_another_format_is_refused_by_naming_both() {
        let url = empty("format").await;
        drop(open(&url).await.unwrap());
        let sql = "UPDATE mailproof_formats SET format = 7";
        connect(&url).await.batch_execute(sql).await.unwrap();
        let error = open(&url).await.err().unwrap();
        assert!(
            matches!(error, OpenError::UnknownFormat { found: 7, .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_without_the_password() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let url = format!("postgres://me:secret@127.0.0.1:{port}/threads");
        let error = open(&url).await.err().unwrap();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains(&format!("`postgres://127.0.0.1:{port}/threads`")),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let error = open(&format!("postgres://me@127.0.0.1:{port}/threads")).await;
        let text = error.err().unwrap().to_string();
        let text = text.replace(&port.to_string(), "PORT");
        insta::assert_snapshot!(text, @"`postgres://127.0.0.1:PORT/threads` did not answer within 5 s; is it running?");
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_read_is_told_why() {
        let error = open("postgres://me:secret@host:port/threads").await;
        let text = error.err().unwrap().to_string();
        assert!(
            text.starts_with("the `postgres:` URL cannot be used"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
}
