//! Choosing where threads live, by URL.

use std::error::Error;
use std::sync::Arc;

use super::{Checkpointer, FORMAT, MemoryCheckpointer, SqliteCheckpointer};

/// How long a server has to answer before a checkpointer counts as unreachable.
#[cfg(any(feature = "postgres", feature = "mongodb"))]
pub(super) const OPEN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Why a checkpointer could not be opened. None of these show a URL's credentials.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{found}; known: `memory:`, `sqlite:PATH`, `postgres://…` (feature `postgres`), `mongodb://…` (feature `mongodb`)"
    )]
    UnknownScheme { found: String },
    #[error("`{scheme}:` is not in this build; build with `--features {feature}`")]
    NotBuilt {
        scheme: String,
        feature: &'static str,
    },
    #[error("the `{scheme}:` URL of the checkpointer {reason}")]
    BadUrl { scheme: String, reason: String },
    #[error("the checkpointer {checkpointer} cannot be opened; is it there, and may it be used?")]
    Unreachable {
        /// Where threads are kept, without credentials.
        checkpointer: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("the checkpointer {checkpointer} did not answer within {seconds} s; is it running?")]
    TimedOut { checkpointer: String, seconds: u64 },
    #[error(
        "the checkpointer {checkpointer} has format {found}, and this version knows format {FORMAT}; use the version that wrote it, or another place"
    )]
    UnknownFormat { checkpointer: String, found: i64 },
}

/// Opens the checkpointer that `url` names, and makes sure that it answers:
///
/// | URL | where threads live |
/// | --- | --- |
/// | `memory:` | in this process, and end with it |
/// | `sqlite:threads.db`, `sqlite:/var/threads.db` | in a file, made when it is missing |
/// | `postgres://user:password@host:5432/database` | in a PostgreSQL server, without TLS |
/// | `mongodb://host:27017/database`, `mongodb+srv://…` | in a MongoDB server; database `mailproof` unless named |
///
/// # Errors
/// [`OpenError`]; for a server that does not answer, within a few seconds.
pub async fn open(url: &str) -> Result<Arc<dyn Checkpointer>, OpenError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        let found = "a checkpointer is named by a URL".to_owned();
        return Err(OpenError::UnknownScheme { found });
    };
    match (scheme, rest) {
        ("memory", "") => Ok(Arc::new(MemoryCheckpointer::new())),
        ("memory", _) => Err(bad_url(scheme, "takes nothing after the colon")),
        ("sqlite", path) => {
            // `sqlite:///path`: a URL without a host.
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path == ":memory:" {
                return Err(bad_url(
                    scheme,
                    "names no file; to keep nothing, use `memory:`",
                ));
            }
            Ok(Arc::new(SqliteCheckpointer::open(path).await?))
        }
        #[cfg(feature = "postgres")]
        ("postgres" | "postgresql", _) => {
            Ok(Arc::new(super::PostgresCheckpointer::open(url).await?))
        }
        #[cfg(not(feature = "postgres"))]
        ("postgres" | "postgresql", _) => Err(OpenError::NotBuilt {
            scheme: scheme.to_owned(),
            feature: "postgres",
        }),
        #[cfg(feature = "mongodb")]
        ("mongodb" | "mongodb+srv", _) => Ok(Arc::new(super::MongoCheckpointer::open(url).await?)),
        #[cfg(not(feature = "mongodb"))]
        ("mongodb" | "mongodb+srv", _) => Err(OpenError::NotBuilt {
            scheme: scheme.to_owned(),
            feature: "mongodb",
        }),
        _ => Err(OpenError::UnknownScheme {
            found: format!("`{scheme}:` is no kind of checkpointer"),
        }),
    }
}

pub(super) fn bad_url(scheme: &str, reason: impl Into<String>) -> OpenError {
    OpenError::BadUrl {
        scheme: scheme.to_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::open;

    async fn refusal(url: &str) -> String {
        match open(url).await {
            Ok(_) => panic!("`{url}` was opened"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_url_that_names_no_checkpointer_is_told_the_known_ones() {
        insta::assert_snapshot!(refusal("redis://:secret@host").await, @"`redis:` is no kind of checkpointer; known: `memory:`, `sqlite:PATH`, `postgres://…` (feature `postgres`), `mongodb://…` (feature `mongodb`)");
        insta::assert_snapshot!(refusal("threads.db").await, @"a checkpointer is named by a URL; known: `memory:`, `sqlite:PATH`, `postgres://…` (feature `postgres`), `mongodb://…` (feature `mongodb`)");
        insta::assert_snapshot!(refusal("memory:5").await, @"the `memory:` URL of the checkpointer takes nothing after the colon");
        for url in ["sqlite:", "sqlite://", "sqlite::memory:"] {
            let refusal = refusal(url).await;
            insta::allow_duplicates!(
                insta::assert_snapshot!(refusal, @"the `sqlite:` URL of the checkpointer names no file; to keep nothing, use `memory:`")
            );
        }
    }

    #[cfg(not(feature = "postgres"))]
    #[tokio::test]
    async fn a_checkpointer_of_another_build_names_the_feature() {
        insta::assert_snapshot!(refusal("postgresql://me:secret@host/db").await, @"`postgresql:` is not in this build; build with `--features postgres`");
    }

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
    }
}
