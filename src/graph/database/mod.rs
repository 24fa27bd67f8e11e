//! Places where things outlive the process: SQLite files, and servers.
//!
//! What is kept there (checkpoints, memories) has tables of its own, and a row in
//! `mailproof_formats` that says in what form; one file or database holds them all.

#[cfg(feature = "postgres")]
pub(super) mod postgres;
pub(super) mod sqlite;

use std::error::Error;
use std::path::PathBuf;

/// How long a server has to answer before it counts as unreachable.
#[cfg(any(feature = "postgres", feature = "mongodb"))]
pub(super) const OPEN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// What a database's own error is, whatever the database.
pub(super) type Fault = Box<dyn Error + Send + Sync>;

/// Tables that belong together and are read in one form.
pub(super) struct Layout {
    /// Names them among the formats.
    pub name: &'static str,
    /// The version of their form.
    pub format: u32,
    /// Makes them in SQLite, where they are missing.
    pub sqlite: &'static str,
    /// Makes them in PostgreSQL, where they are missing.
    #[cfg(feature = "postgres")]
    pub postgres: &'static str,
}

/// A place, as a URL names it:
///
/// | URL | place |
/// | --- | --- |
/// | `memory:` | this process, and gone with it |
/// | `sqlite:threads.db`, `sqlite:/var/threads.db` | a file, made when it is missing |
/// | `postgres://user:password@host:5432/database` | a PostgreSQL server, without TLS |
/// | `mongodb://host:27017/database`, `mongodb+srv://…` | a MongoDB server; database `mailproof` unless named |
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    Memory,
    Sqlite(PathBuf),
    /// The whole URL, credentials included.
    #[cfg(feature = "postgres")]
    Postgres(String),
    /// The whole URL, credentials included.
    #[cfg(feature = "mongodb")]
    Mongodb(String),
}

/// Why a place could not be opened. None of these show a URL's credentials.
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
    #[error("the `{scheme}:` URL {reason}")]
    BadUrl { scheme: String, reason: String },
    #[error("{place} cannot be opened; is it there, and may it be used?")]
    Unreachable {
        /// Without credentials.
        place: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{place} did not answer within {seconds} s; is it running?")]
    TimedOut { place: String, seconds: u64 },
    #[error(
        "{place} keeps {kept} in format {found}, and this version knows format {known}; use the version that wrote them, or another place"
    )]
    UnknownFormat {
        place: String,
        kept: &'static str,
        found: i64,
        known: u32,
    },
    #[error(
        "{place} cannot keep {kept}: they live in memory, SQLite, or PostgreSQL; name one of those"
    )]
    CannotKeep {
        place: &'static str,
        kept: &'static str,
    },
}

impl Place {
    /// # Errors
    /// [`OpenError::UnknownScheme`], [`OpenError::NotBuilt`], [`OpenError::BadUrl`].
    pub fn parse(url: &str) -> Result<Place, OpenError> {
        let Some((scheme, rest)) = url.split_once(':') else {
            let found = "a place is named by a URL".to_owned();
            return Err(OpenError::UnknownScheme { found });
        };
        match (scheme, rest) {
            ("memory", "") => Ok(Place::Memory),
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
                Ok(Place::Sqlite(path.into()))
            }
            #[cfg(feature = "postgres")]
            ("postgres" | "postgresql", _) => Ok(Place::Postgres(url.to_owned())),
            #[cfg(not(feature = "postgres"))]
            ("postgres" | "postgresql", _) => Err(not_built(scheme, "postgres")),
            #[cfg(feature = "mongodb")]
            ("mongodb" | "mongodb+srv", _) => Ok(Place::Mongodb(url.to_owned())),
            #[cfg(not(feature = "mongodb"))]
            ("mongodb" | "mongodb+srv", _) => Err(not_built(scheme, "mongodb")),
            _ => Err(OpenError::UnknownScheme {
                found: format!("`{scheme}:` names no place"),
            }),
        }
    }
}

#[cfg(not(all(feature = "postgres", feature = "mongodb")))]
fn not_built(scheme: &str, feature: &'static str) -> OpenError {
    OpenError::NotBuilt {
        scheme: scheme.to_owned(),
        feature,
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
    use super::Place;

    fn refusal(url: &str) -> String {
        match Place::parse(url) {
            Ok(_) => panic!("`{url}` was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_that_names_no_place_is_told_the_known_ones() {
        insta::assert_snapshot!(refusal("redis://:secret@host"), @"`redis:` names no place; known: `memory:`, `sqlite:PATH`, `postgres://…` (feature `postgres`), `mongodb://…` (feature `mongodb`)");
        insta::assert_snapshot!(refusal("threads.db"), @"a place is named by a URL; known: `memory:`, `sqlite:PATH`, `postgres://…` (feature `postgres`), `mongodb://…` (feature `mongodb`)");
        insta::assert_snapshot!(refusal("memory:5"), @"the `memory:` URL takes nothing after the colon");
        for url in ["sqlite:", "sqlite://", "sqlite::memory:"] {
            let refusal = refusal(url);
            insta::allow_duplicates!(
                insta::assert_snapshot!(refusal, @"the `sqlite:` URL names no file; to keep nothing, use `memory:`")
            );
        }
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_place_of_another_build_names_the_feature() {
        insta::assert_snapshot!(refusal("postgresql://me:secret@host/db"), @"`postgresql:` is not in this build; build with `--features postgres`");
    }

    #[test]
    fn a_file_is_named_with_or_without_slashes() {
        for (url, path) in [
            ("sqlite:threads.db", "threads.db"),
            ("sqlite:/var/threads.db", "/var/threads.db"),
            ("sqlite:///var/threads.db", "/var/threads.db"),
        ] {
            assert!(
                Place::parse(url).unwrap() == Place::Sqlite(path.into()),
                "{url}"
            );
        }
    }
}
