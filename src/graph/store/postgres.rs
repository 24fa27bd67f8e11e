//! Values in a PostgreSQL server, shared by any number of processes and machines.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::ToSql;

use super::super::database::postgres::Postgres;
use super::{Item, LAYOUT, OpenError, Row, Store, StoreError};

pub struct PostgresStore {
    postgres: Postgres,
}

impl PostgresStore {
    /// Connects to the server and makes the table, unless it is there.
    ///
    /// # Errors
    /// [`OpenError`], within a few seconds.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let postgres = Postgres::open(url, &LAYOUT).await?;
        Ok(PostgresStore { postgres })
    }

    async fn items(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Item>, StoreError> {
        let rows = self.postgres.query(sql, parameters).await;
        let rows = rows.map_err(|source| self.error(source))?;
        let items = rows.iter().map(|row| {
            let row = Row {
                namespace: row.get(0),
                key: row.get(1),
                value: row.get(2),
                created_at: row.get(3),
                updated_at: row.get(4),
            };
            row.item().map_err(|source| self.error(source))
        });
        items.collect()
    }

    /// Returns how many rows changed.
    async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let changed = self.postgres.execute(sql, parameters).await;
        changed.map_err(|source| self.error(source))
    }

    fn error(&self, source: super::Fault) -> StoreError {
        StoreError::new(self.postgres.place(), source)
    }
}

impl Store for PostgresStore {
    fn put<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let sql = "INSERT INTO mailproof_memories VALUES ($1, $2, $3, $4, $4)
                ON CONFLICT (namespace, key) DO UPDATE
                SET value = excluded.value, updated_at = excluded.updated_at";
            let (value, now) = (value.to_string(), Timestamp::now().to_string());
            self.execute(sql, &[&namespace, &key, &value, &now]).await?;
            Ok(())
        }
        .boxed()
    }

    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>> {
        async move {
            let sql = "SELECT namespace, key, value, created_at, updated_at
                FROM mailproof_memories WHERE namespace = $1 AND key = $2";
            let found = self.items(sql, &[&namespace, &key]).await?;
            Ok(found.into_iter().next())
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        async move {
            let sql = "DELETE FROM mailproof_memories WHERE namespace = $1 AND key = $2";
            Ok(self.execute(sql, &[&namespace, &key]).await? == 1)
        }
        .boxed()
    }

    fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Item>, StoreError>> {
        async move {
            let sql = "SELECT namespace, key, value, created_at, updated_at
                FROM mailproof_memories WHERE $1::text IS NULL OR namespace = $1
                ORDER BY namespace, key";
            self.items(sql, &[&namespace]).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::super::checkpoint;
    use super::super::super::database::postgres::tests::{connect, empty};
    use super::super::{OpenError, contract, open};
    use super::PostgresStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres_keeps_the_contract() {
        let url = empty("store_contract").await;
        contract::check(Arc::new(PostgresStore::open(&url).await.unwrap())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_processes_that_write_lose_nothing() {
        let url = empty("store_two").await;
        let opened = tokio::join!(open(&url), open(&url));
        let (one, other) = (opened.0.unwrap(), opened.1.unwrap());
        contract::writers_that_race_lose_nothing(&one, &other).await;
    }

    #[tokio::test]
    async fn a_database_holds_values_beside_threads() {
        let url = empty("store_beside").await;
        let opened = tokio::join!(checkpoint::open(&url), open(&url));
        let (checkpointer, store) = (opened.0.unwrap(), opened.1.unwrap());
        let first = checkpoint::contract::checkpoint("t", 0);
        checkpointer.put(first).await.unwrap();
        store.put("n", "k", json!("v")).await.unwrap();
        assert_eq!(checkpointer.list(None).await.unwrap().len(), 1);
        assert_eq!(store.list(None).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_database_of_another_format_is_refused_by_naming_both() {
        let url = empty("store_format").await;
        drop(open(&url).await.unwrap());
        let sql = "UPDATE mailproof_formats SET format = 7";
        connect(&url).await.batch_execute(sql).await.unwrap();
        let error = open(&url).await.err().unwrap();
        assert!(
            matches!(
                error,
                OpenError::UnknownFormat {
                    found: 7,
                    known: 1,
                    kept: "memories",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
