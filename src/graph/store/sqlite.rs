//! Values in an SQLite file.

use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::Params;
use serde_json::Value;

use super::super::database::sqlite::Sqlite;
use super::{Item, LAYOUT, OpenError, Row, Store, StoreError};

pub struct SqliteStore {
    sqlite: Sqlite,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it, and the table in it. The file may hold other
    /// things too.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`], [`OpenError::UnknownFormat`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let sqlite = Sqlite::open(path.as_ref(), &LAYOUT).await?;
        Ok(SqliteStore { sqlite })
    }

    async fn items(
        &self,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
    ) -> Result<Vec<Item>, StoreError> {
        let rows = self.sqlite.run(false, move |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(parameters, |row| {
                Ok(Row {
                    namespace: row.get(0)?,
                    key: row.get(1)?,
                    value: row.get(2)?,
                    created_at: row.get(3)?,
                    updated_at: row.get(4)?,
                })
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        let items = rows
            .await
            .and_then(|rows| rows.into_iter().map(Row::item).collect());
        items.map_err(|source| StoreError::new(self.sqlite.place(), source))
    }

    /// Returns how many rows changed.
    async fn execute(
        &self,
        sql: &'static str,
        parameters: impl Params + Send + 'static,
    ) -> Result<usize, StoreError> {
        let changed = self.sqlite.run(true, move |connection| {
            connection.prepare_cached(sql)?.execute(parameters)
        });
        let changed = changed.await;
        changed.map_err(|source| StoreError::new(self.sqlite.place(), source))
    }
}

impl Store for SqliteStore {
    fn put<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let sql = "INSERT INTO mailproof_memories VALUES (?1, ?2, ?3, ?4, ?4)
                ON CONFLICT (namespace, key) DO UPDATE
                SET value = excluded.value, updated_at = excluded.updated_at";
            let row = (
                namespace.to_owned(),
                key.to_owned(),
                value.to_string(),
                Timestamp::now().to_string(),
            );
            self.execute(sql, row).await?;
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
                FROM mailproof_memories WHERE namespace = ?1 AND key = ?2";
            let found = self.items(sql, [namespace.to_owned(), key.to_owned()]);
            Ok(found.await?.into_iter().next())
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        async move {
            let sql = "DELETE FROM mailproof_memories WHERE namespace = ?1 AND key = ?2";
            let deleted = self.execute(sql, [namespace.to_owned(), key.to_owned()]);
            Ok(deleted.await? == 1)
        }
        .boxed()
    }

    fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Item>, StoreError>> {
        let sql = "SELECT namespace, key, value, created_at, updated_at
            FROM mailproof_memories WHERE ?1 IS NULL OR namespace = ?1
            ORDER BY namespace, key";
        self.items(sql, [namespace.map(str::to_owned)]).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::Connection;
    use serde_json::json;
    use tempfile::TempDir;

    use super::super::{OpenError, Store, contract};
    use super::SqliteStore;

    async fn open(folder: &TempDir) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(folder.path().join("memories.db")).await
    }

    fn by_hand(folder: &TempDir, sql: &str) {
        let connection = Connection::open(folder.path().join("memories.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        contract::check(Arc::new(open(&folder).await.unwrap())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_processes_that_write_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(&folder).await.unwrap(), open(&folder).await.unwrap());
        let (one, other): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(one), Arc::new(other));
        contract::writers_that_race_lose_nothing(&one, &other).await;
    }

    #[tokio::test]
    async fn values_outlive_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(&folder).await.unwrap();
        first.put("n", "k", json!("v")).await.unwrap();
        drop(first);
        let second = open(&folder).await.unwrap();
        assert_eq!(second.get("n", "k").await.unwrap().unwrap().value, "v");
    }

    #[tokio::test]
    async fn a_file_of_another_format_is_refused_by_naming_both() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(&folder).await.unwrap());
        by_hand(&folder, "UPDATE mailproof_formats SET format = 7");
        let error = open(&folder).await.err().unwrap().to_string();
        let error = error.replace(&folder.path().display().to_string(), "FOLDER");
        insta::assert_snapshot!(error, @"`sqlite:FOLDER/memories.db` keeps memories in format 7, and this version knows format 1; use the version that wrote them, or another place");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await.unwrap();
        store.put("n", "k", json!("v")).await.unwrap();
        for damage in ["value = '{'", "created_at = 'today'", "updated_at = ''"] {
            by_hand(&folder, &format!("UPDATE mailproof_memories SET {damage}"));
            let error = store.list(None).await.unwrap_err();
            assert!(error.to_string().contains("memories.db"), "{error}");
            by_hand(
                &folder,
                "UPDATE mailproof_memories SET value = '1',
                    created_at = '2026-03-02T10:20:30Z', updated_at = created_at",
            );
        }
        assert_eq!(store.list(None).await.unwrap().len(), 1);
    }
}
