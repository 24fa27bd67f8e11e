//! Choosing where threads live, by URL.

use std::sync::Arc;

use super::super::database::Place;
use super::{Checkpointer, MemoryCheckpointer, OpenError, SqliteCheckpointer};

/// Opens the checkpointer at the [`Place`] that `url` names, and makes sure that it answers.
///
/// # Errors
/// [`OpenError`]; for a server that does not answer, within a few seconds.
pub async fn open(url: &str) -> Result<Arc<dyn Checkpointer>, OpenError> {
    Ok(match Place::parse(url)? {
        Place::Memory => Arc::new(MemoryCheckpointer::new()),
        Place::Sqlite(path) => Arc::new(SqliteCheckpointer::open(path).await?),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => Arc::new(super::PostgresCheckpointer::open(&url).await?),
        #[cfg(feature = "mongodb")]
        Place::Mongodb(url) => Arc::new(super::MongoCheckpointer::open(&url).await?),
    })
}

#[cfg(test)]
mod tests {
    use super::open;

    #[tokio::test]
    async fn a_url_opens_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("threads.db");
        for url in [
            "memory:".to_owned(),
            format!("sqlite:{}", path.display()),
            format!("sqlite://{}", path.display()),
        ] {
            let checkpointer = open(&url).await.unwrap();
            assert_eq!(checkpointer.list(None).await.unwrap(), [], "{url}");
        }
        assert!(path.exists());
        assert!(open("redis:").await.is_err());
    }
}
