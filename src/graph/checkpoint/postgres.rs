//! Threads in a PostgreSQL server, shared by any number of processes and machines.
//!
//! A checkpoint is as durable as the server's own commits (`synchronous_commit`).
//! Connections are made without TLS; a URL that requires it is refused.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls};

use super::open::{OPEN_TIMEOUT, bad_url};
use super::{Checkpoint, CheckpointError, Checkpointer, FORMAT, OpenError, Status, ThreadSummary};

/// How long the server has to answer once it is open.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Well below the 100 that a server allows all of its clients unless told otherwise.
const CONNECTIONS: usize = 8;
/// Only one process at a time makes tables: `CREATE … IF NOT EXISTS` alone may collide.
const TABLES_LOCK: i64 = 0x6d61_696c_7072_6f6f;

pub struct PostgresCheckpointer {
    pool: Pool,
    place: String,
}

type Fault = Box<dyn Error + Send + Sync>;

impl PostgresCheckpointer {
    /// Connects to the server and makes the tables, unless they are there.
    ///
    /// # Errors
    /// [`OpenError`], within a few seconds.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        // The reason may quote the URL's parts, but never its password.
        let config = Config::from_str(url);
        let mut config = config.map_err(|error| bad_url("postgres", with_source(&error)))?;
        config.connect_timeout(OPEN_TIMEOUT);
        let place = place(&config);
        let manager = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool without timeouts needs no runtime");
        let checkpointer = PostgresCheckpointer { pool, place };
        let found = timeout(OPEN_TIMEOUT, checkpointer.prepare()).await;
        let checkpointer_name = || checkpointer.place.clone();
        let found = found.map_err(|_| OpenError::TimedOut {
            checkpointer: checkpointer_name(),
            seconds: OPEN_TIMEOUT.as_secs(),
        })?;
        let found = found.map_err(|source| OpenError::Unreachable {
            checkpointer: checkpointer_name(),
            source,
        })?;
        if found != i64::from(FORMAT) {
            return Err(OpenError::UnknownFormat {
                checkpointer: checkpointer.place,
                found,
            });
        }
        Ok(checkpointer)
    }

    /// Makes the tables, unless they are there; returns their format.
    async fn prepare(&self) -> Result<i64, Fault> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let lock = "SELECT pg_advisory_xact_lock($1)";
        transaction.execute(lock, &[&TABLES_LOCK]).await?;
        transaction
            .batch_execute(
                r#"CREATE TABLE IF NOT EXISTS mailproof_formats (
                    name text NOT NULL PRIMARY KEY,
                    format bigint NOT NULL
                );
                CREATE TABLE IF NOT EXISTS mailproof_checkpoints (
                    thread text COLLATE "C" NOT NULL,
                    sequence bigint NOT NULL,
                    status text NOT NULL,
                    created_at text NOT NULL,
                    checkpoint text NOT NULL,
                    PRIMARY KEY (thread, sequence)
                );"#,
            )
            .await?;
        let sql = "INSERT INTO mailproof_formats (name, format) VALUES ('checkpoints', $1)
            ON CONFLICT DO NOTHING";
        transaction.execute(sql, &[&i64::from(FORMAT)]).await?;
        let sql = "SELECT format FROM mailproof_formats WHERE name = 'checkpoints'";
        let found = transaction.query_one(sql, &[]).await?.get(0);
        transaction.commit().await?;
        Ok(found)
    }

    async fn checkpoints(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Checkpoint>, CheckpointError> {
        let rows = self.in_time(async {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, parameters).await?)
        });
        let rows = rows.await?;
        let json = rows.iter().map(|row| row.get::<_, &str>(0));
        json.map(Checkpoint::from_json).collect()
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, CheckpointError> {
        let late = || format!("it did not answer within {} s", TIMEOUT.as_secs()).into();
        let done = timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(late()));
        done.map_err(|source| CheckpointError::Unavailable {
            checkpointer: self.place.clone(),
            source,
        })
    }
}

/// Host, port, and database: what may be shown of a URL.
fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user());
    format!(
        "`postgres://{host}:{port}/{}`",
        database.unwrap_or_default()
    )
}

fn with_source(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("cannot be used: {error}: {source}"),
        None => format!("cannot be used: {error}"),
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
            let stored = self.in_time(async {
                let client = self.pool.get().await?;
                let sql = "INSERT INTO mailproof_checkpoints
                    SELECT $1::text, $2::bigint, $3::text, $4::text, $5::text WHERE $2 = (
                        SELECT coalesce(max(sequence) + 1, 0)
                        FROM mailproof_checkpoints WHERE thread = $1
                    )";
                let statement = client.prepare_cached(sql).await?;
                let row: [&(dyn ToSql + Sync); 5] = [
                    &checkpoint.thread,
                    &sequence,
                    &checkpoint.status.name(),
                    &checkpoint.created_at.to_string(),
                    &checkpoint.to_json(),
                ];
                match client.execute(&statement, &row).await {
                    Ok(rows) => Ok(rows == 1),
                    // Another writer was as fast.
                    Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            });
            match stored.await? {
                true => Ok(()),
                false => Err(conflict()),
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
    use tokio_postgres::NoTls;

    use super::super::{CheckpointError, OpenError, contract, open};
    use super::PostgresCheckpointer;

    const URL: &str = "MAILPROOF_TEST_POSTGRES_URL";

    fn server() -> String {
        std::env::var(URL).unwrap_or_else(|_| {
            panic!("{URL} is not set: `scripts/postgres COMMAND…` runs a command with a server")
        })
    }

    /// An empty schema on the server, by the name of the test.
    async fn empty(schema: &str) -> String {
        let server = server();
        let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = format!("mailproof_test_{schema}");
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        client.batch_execute(&sql).await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        format!("{server}{separator}options=-csearch_path%3D{schema}")
    }

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
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = "UPDATE mailproof_formats SET format = 7";
        client.batch_execute(sql).await.unwrap();
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
        insta::assert_snapshot!(text, @"the checkpointer `postgres://127.0.0.1:PORT/threads` did not answer within 5 s; is it running?");
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_read_is_told_why() {
        let error = open("postgres://me:secret@host:port/threads").await;
        let text = error.err().unwrap().to_string();
        assert!(
            text.starts_with("the `postgres:` URL of the checkpointer cannot be used"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
}
