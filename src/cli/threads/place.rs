//! Where threads live, and what is remembered beside them.

use std::path::Path;
use std::sync::Arc;

use super::super::config::Config;
use super::super::environment::Environment;
use super::super::exit::Failure;
use super::shell;
use crate::graph::checkpoint::{self, OpenError, Place};
use crate::graph::{Checkpointer, Store, store};
use crate::redact::Redactor;

/// Where nobody says otherwise: what waits for a person must outlive the process.
pub const DEFAULT: &str = "sqlite:mailproof-threads.db";

const VARIABLE: &str = "MAILPROOF_CHECKPOINTER";

/// A choice of place, not opened yet.
pub struct Chosen {
    url: String,
    place: Place,
    by: By,
    redactor: Arc<Redactor>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// The flag, or its variable.
    Flag,
    Configuration,
    /// `MONGODB_URI`.
    Mongodb,
    Nobody,
}

/// An open place.
pub struct Lasting {
    pub checkpointer: Arc<dyn Checkpointer>,
    pub store: Arc<dyn Store>,
    /// What a command must say to come here: ` --checkpointer URL`, or nothing.
    pub flag: String,
    /// What is written and shown of it passes it.
    pub redactor: Arc<Redactor>,
}

impl Chosen {
    /// What the flag or its variable asks for, else the configuration, else `MONGODB_URI`,
    /// else [`DEFAULT`].
    pub fn new(
        asked: Option<&str>,
        config: &Config,
        environment: &Environment,
    ) -> Result<Chosen, Failure> {
        let mongodb = environment.get("MONGODB_URI");
        let mongodb = mongodb.filter(|url| !url.is_empty());
        let chosen = Chosen::among(asked, config.checkpointer.as_deref(), mongodb.as_deref())?;
        Ok(Chosen {
            redactor: Arc::new(environment.redactor()),
            ..chosen
        })
    }

    fn among(
        asked: Option<&str>,
        configured: Option<&str>,
        mongodb: Option<&str>,
    ) -> Result<Chosen, Failure> {
        let (url, by) = match (asked, configured, mongodb) {
            (Some(url), _, _) => (url, By::Flag),
            (None, Some(url), _) => (url, By::Configuration),
            (None, None, Some(url)) => (url, By::Mongodb),
            (None, None, None) => (DEFAULT, By::Nobody),
        };
        let place = match Place::parse(url) {
            Ok(Place::Memory) => Err(Failure::usage(
                "threads in `memory:` end with this process: name a place that outlives it, such as `sqlite:threads.db`",
            )),
            Ok(place) => Ok(place),
            Err(error) => Err(match by {
                By::Flag => Failure::from_error(error),
                By::Configuration => of("the configuration's `checkpointer`", error),
                By::Mongodb => of("`MONGODB_URI` (`--checkpointer` wins over it)", error),
                By::Nobody => Failure::internal(error),
            }),
        }?;
        Ok(Chosen {
            url: url.to_owned(),
            place,
            by,
            redactor: Arc::new(Redactor::new([])),
        })
    }

    /// Whether anybody said where.
    pub fn is_said(&self) -> bool {
        self.by != By::Nobody
    }

    /// The file that threads are in, where they are in one.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(path) => Some(path),
            _ => None,
        }
    }

    /// Opens what there is, and makes nothing.
    ///
    /// # Errors
    /// Beside those of [`Chosen::open`]: a file is not there.
    pub async fn open_existing(&self) -> Result<Lasting, Failure> {
        if let Place::Sqlite(path) = &self.place
            && !path.exists()
        {
            return Err(Failure::usage(format!(
                "no threads in `{}`: there is no such file; `mailproof run --email FILE -a AGENT --thread NAME` makes it, and `--checkpointer` names another place",
                path.display()
            )));
        }
        self.open().await
    }

    /// Opens the place, and makes it where it is missing.
    pub async fn open(&self) -> Result<Lasting, Failure> {
        let checkpointer = checkpoint::open(&self.url).await;
        let checkpointer = checkpointer.map_err(Failure::from_error)?;
        let store = match &self.place {
            #[cfg(feature = "mongodb")]
            Place::Mongodb(_) => store::open(DEFAULT).await,
            _ => store::open(&self.url).await,
        };
        Ok(Lasting {
            checkpointer,
            store: store.map_err(Failure::from_error)?,
            flag: self.flag(std::env::var(VARIABLE).ok().as_deref()),
            redactor: Arc::clone(&self.redactor),
        })
    }

    /// `variable` is what the environment says already.
    fn flag(&self, variable: Option<&str>) -> String {
        match &self.place {
            _ if self.by != By::Flag || variable == Some(&*self.url) => String::new(),
            Place::Sqlite(_) => format!(" --checkpointer {}", shell::word(&self.url)),
            // The rest of the URL of a server may hold a password.
            _ => {
                let scheme = self.url.split(':').next().unwrap_or_default();
                format!(" --checkpointer {scheme}://…")
            }
        }
    }
}

fn of(origin: &str, error: OpenError) -> Failure {
    Failure::usage(format!("{origin}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::Chosen;

    #[test]
    fn the_flag_wins_over_the_configuration_and_that_over_the_environment() {
        for (asked, configured, mongodb, chosen) in [
            (
                Some("sqlite:a"),
                Some("sqlite:b"),
                Some("mongodb://c"),
                "sqlite:a",
            ),
            (None, Some("sqlite:b"), Some("mongodb://c"), "sqlite:b"),
            (None, None, None, "sqlite:mailproof-threads.db"),
        ] {
            let place = Chosen::among(asked, configured, mongodb).unwrap();
            assert_eq!(place.url, chosen);
        }
        let mongodb = Chosen::among(None, None, Some("mongodb://c"));
        #[cfg(feature = "mongodb")]
        assert_eq!(mongodb.unwrap().url, "mongodb://c");
        #[cfg(not(feature = "mongodb"))]
        insta::assert_snapshot!(mongodb.err().unwrap(), @"`MONGODB_URI` (`--checkpointer` wins over it): `mongodb:` is not in this build; build with `--features mongodb`");
    }

    #[test]
    fn a_place_that_outlives_nothing_is_refused() {
        let refused = Chosen::among(Some("memory:"), None, None).err().unwrap();
        insta::assert_snapshot!(refused, @"threads in `memory:` end with this process: name a place that outlives it, such as `sqlite:threads.db`");
        let refused = Chosen::among(None, Some("threads.db"), None).err().unwrap();
        insta::assert_snapshot!(refused, @"the configuration's `checkpointer`: a place is named by a URL; known: `memory:`, `sqlite:PATH`, `postgres://…` (feature `postgres`), `mongodb://…` (feature `mongodb`)");
    }

    #[test]
    fn commands_name_the_place_only_where_they_must() {
        let flag = |asked, configured, variable| {
            let chosen = Chosen::among(asked, configured, None).unwrap();
            chosen.flag(variable)
        };
        assert_eq!(
            flag(Some("sqlite:t.db"), None, None),
            " --checkpointer sqlite:t.db"
        );
        assert_eq!(
            flag(Some("sqlite:my t.db"), None, None),
            " --checkpointer 'sqlite:my t.db'"
        );
        assert_eq!(flag(Some("sqlite:t.db"), None, Some("sqlite:t.db")), "");
        assert_eq!(flag(None, Some("sqlite:t.db"), None), "");
        assert_eq!(flag(None, None, None), "");
        #[cfg(feature = "postgres")]
        assert_eq!(
            flag(Some("postgres://me:secret@host/db"), None, None),
            " --checkpointer postgres://…"
        );
    }
}
