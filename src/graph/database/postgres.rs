//! One PostgreSQL server.
//!
//! What is written is as durable as the server's own commits (`synchronous_commit`).
//! Connections are made without TLS; a URL that requires it is refused.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use super::{Fault, Layout, OPEN_TIMEOUT, OpenError, bad_url};

/// How long the server has to answer once it is open.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Well below the 100 that a server allows all of its clients unless told otherwise.
const CONNECTIONS: usize = 8;
/// Only one process at a time makes tables: `CREATE … IF NOT EXISTS` alone may collide.
const TABLES_LOCK: i64 = 0x6d61_696c_7072_6f6f;

pub struct Postgres {
    pool: Pool,
    place: String,
}

impl Postgres {
    /// Connects to the server and makes the tables, unless they are there.
    ///
    /// # Errors
    /// [`OpenError`], within a few seconds.
    pub async fn open(url: &str, layout: &Layout) -> Result<Self, OpenError> {
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
        let postgres = Postgres { pool, place };
        let found = timeout(OPEN_TIMEOUT, postgres.prepare(layout)).await;
        let place = || postgres.place.clone();
        let found = found.map_err(|_| OpenError::TimedOut {
            place: place(),
            seconds: OPEN_TIMEOUT.as_secs(),
        })?;
        let found = found.map_err(|source| OpenError::Unreachable {
            place: place(),
            source,
        })?;
        if found != i64::from(layout.format) {
            return Err(OpenError::UnknownFormat {
                place: place(),
                kept: layout.name,
                found,
                known: layout.format,
            });
        }
        Ok(postgres)
    }

    /// The server and database, as messages show them.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Makes the tables, unless they are there; returns their format.
    async fn prepare(&self, layout: &Layout) -> Result<i64, Fault> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let lock = "SELECT pg_advisory_xact_lock($1)";
        transaction.execute(lock, &[&TABLES_LOCK]).await?;
        transaction
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS mailproof_formats (
                    name text NOT NULL PRIMARY KEY,
                    format bigint NOT NULL
                )",
            )
            .await?;
        transaction.batch_execute(layout.postgres).await?;
        let sql = "INSERT INTO mailproof_formats (name, format) VALUES ($1, $2)
            ON CONFLICT DO NOTHING";
        let format = i64::from(layout.format);
        transaction.execute(sql, &[&layout.name, &format]).await?;
        let sql = "SELECT format FROM mailproof_formats WHERE name = $1";
        let found = transaction.query_one(sql, &[&layout.name]).await?.get(0);
        transaction.commit().await?;
        Ok(found)
    }

    /// The rows that a query finds.
    pub async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        in_time(async {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, parameters).await?)
        })
        .await
    }

    /// How many rows a statement changed: committed when this returns.
    pub async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        in_time(async {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(sql).await?;
            Ok(client.execute(&statement, parameters).await?)
        })
        .await
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = || format!("it did not answer within {} s", TIMEOUT.as_secs()).into();
    timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(late()))
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

/// The server that tests are given, and places of their own on it.
#[cfg(test)]
pub mod tests {
    use tokio_postgres::{Client, NoTls};

    const URL: &str = "MAILPROOF_TEST_POSTGRES_URL";

    fn server() -> String {
        std::env::var(URL).unwrap_or_else(|_| {
            panic!("{URL} is not set: `scripts/postgres COMMAND…` runs a command with a server")
        })
    }

    pub async fn connect(url: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// An empty schema on the server, by the name of the test.
    pub async fn empty(schema: &str) -> String {
        let server = server();
        let client = connect(&server).await;
        let schema = format!("mailproof_test_{schema}");
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        client.batch_execute(&sql).await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        format!("{server}{separator}options=-csearch_path%3D{schema}")
    }
}
