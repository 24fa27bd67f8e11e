//! Choosing where values live, by URL.

use std::sync::Arc;

use super::super::database::Place;
use super::{MemoryStore, OpenError, SqliteStore, Store};

/// Opens the store at the [`Place`] that `url` names, and makes sure that it answers. The
/// file or database may be the one where threads live.
///
/// # Errors
/// [`OpenError`]; for a server that does not answer, within a few seconds.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match Place::parse(url)? {
        Place::Memory => Arc::new(MemoryStore::new()),
        Place::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => Arc::new(super::PostgresStore::open(&url).await?),
        #[cfg(feature = "mongodb")]
        Place::Mongodb(_) => {
            return Err(OpenError::CannotKeep {
                place: "MongoDB",
                kept: "memories",
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::checkpoint;
    use super::open;

    #[tokio::test]
    async fn a_file_holds_values_beside_threads() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("threads.db").display());
        let (checkpointer, store) = (checkpoint::open(&url).await, open(&url).await);
        let (checkpointer, store) = (checkpointer.unwrap(), store.unwrap());
        let first = checkpoint::contract::checkpoint("t", 0);
        checkpointer.put(first).await.unwrap();
        store.put("n", "k", json!("v")).await.unwrap();
        assert_eq!(checkpointer.list(None).await.unwrap().len(), 1);
        assert_eq!(store.list(None).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_url_opens_what_it_names() {
        let store = open("memory:").await.unwrap();
        assert_eq!(store.list(None).await.unwrap(), []);
        assert!(open("redis:").await.is_err());
    }

    #[cfg(feature = "mongodb")]
    #[tokio::test]
    async fn mongodb_keeps_no_values_and_says_where_they_live() {
        let error = open("mongodb://localhost").await.err().unwrap();
        insta::assert_snapshot!(error, @"MongoDB cannot keep memories: they live in memory, SQLite, or PostgreSQL; name one of those");
    }
}
