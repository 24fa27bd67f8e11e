//! Threads in a MongoDB server.
//!
//! A checkpoint is stored when most of the servers that hold it have it in their journals.

use std::time::Duration;

use ::mongodb::bson::{Document, doc};
use ::mongodb::error::{ErrorKind, WriteFailure};
use ::mongodb::options::{ClientOptions, IndexOptions, WriteConcern};
use ::mongodb::{Client, Collection, Database, IndexModel};
use futures_util::FutureExt;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::super::database::{Fault, OPEN_TIMEOUT, bad_url};
use super::{
    Checkpoint, CheckpointError, Checkpointer, FORMAT, LAYOUT, OpenError, Status, ThreadSummary,
};

/// How long the server has to answer once it is open.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For a URL that names none.
const DATABASE: &str = "mailproof";

pub struct MongoCheckpointer {
    checkpoints: Collection<Document>,
    place: String,
}

impl MongoCheckpointer {
    /// Connects to the server and makes the index, unless it is there.
    ///
    /// # Errors
    /// [`OpenError`], within a few seconds.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let scheme = url.split(':').next().unwrap_or_default();
        // `mongodb+srv` asks the name server where the database is.
        let options = timeout(OPEN_TIMEOUT, ClientOptions::parse(url)).await;
        let options = options.map_err(|_| OpenError::TimedOut {
            place: format!("`{scheme}:`"),
            seconds: OPEN_TIMEOUT.as_secs(),
        })?;
        let mut options = options.map_err(|error| match *error.kind {
            ErrorKind::InvalidArgument { message, .. } => {
                bad_url(scheme, format!("cannot be used: {message}"))
            }
            _ => OpenError::Unreachable {
                place: format!("`{scheme}:`"),
                source: error.into(),
            },
        })?;
        options.server_selection_timeout = Some(OPEN_TIMEOUT);
        options.connect_timeout = Some(OPEN_TIMEOUT);
        let durable = WriteConcern::builder()
            .w(::mongodb::options::Acknowledgment::Majority)
            .journal(true)
            .build();
        options.write_concern = Some(durable);
        let host = options.hosts.first().map(ToString::to_string);
        let host = host.unwrap_or_default();
        let database = options.default_database.clone();
        let database = database.unwrap_or_else(|| DATABASE.to_owned());
        let place = format!("`mongodb://{host}/{database}`");

        let client = Client::with_options(options);
        let client = client.map_err(|error| bad_url(scheme, format!("cannot be used: {error}")))?;
        let database = client.database(&database);
        // Choosing a server may take the whole time by itself.
        let found = timeout(OPEN_TIMEOUT * 2, prepare(&database)).await;
        let found = found.map_err(|_| OpenError::TimedOut {
            place: place.clone(),
            seconds: OPEN_TIMEOUT.as_secs() * 2,
        })?;
        let found = found.map_err(|source| OpenError::Unreachable {
            place: place.clone(),
            source,
        })?;
        if found != i64::from(FORMAT) {
            return Err(OpenError::UnknownFormat {
                place,
                kept: LAYOUT.name,
                found,
                known: FORMAT,
            });
        }
        Ok(MongoCheckpointer {
            checkpoints: database.collection("mailproof_checkpoints"),
            place,
        })
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

    fn parse(&self, document: &Document) -> Result<Checkpoint, CheckpointError> {
        let json = document.get_str("checkpoint");
        let json = json.map_err(|source| CheckpointError::Unavailable {
            checkpointer: self.place.clone(),
            source: source.into(),
        })?;
        Checkpoint::from_json(json)
    }
}

/// Makes the index, unless it is there; returns the format of what is stored.
async fn prepare(database: &Database) -> Result<i64, Fault> {
    let formats = database.collection::<Document>("mailproof_formats");
    let format = doc! { "$setOnInsert": { "format": i64::from(FORMAT) } };
    let known = || doc! { "_id": "checkpoints" };
    formats.update_one(known(), format).upsert(true).await?;
    let found = formats.find_one(known()).await?;
    let found = found.ok_or("the format that was just stored is not there")?;
    let found = found.get_i64("format")?;
    let unique = IndexOptions::builder().unique(true).build();
    let index = IndexModel::builder()
        .keys(doc! { "thread": 1, "sequence": 1 })
        .options(unique)
        .build();
    let checkpoints = database.collection::<Document>("mailproof_checkpoints");
    checkpoints.create_index(index).await?;
    Ok(found)
}

/// The code of a write that a unique index refused.
const DUPLICATE_KEY: i32 = 11000;

impl Checkpointer for MongoCheckpointer {
    fn put(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        async move {
            let conflict = || CheckpointError::Conflict {
                thread: checkpoint.thread.clone(),
                sequence: checkpoint.sequence,
            };
            let sequence = i64::try_from(checkpoint.sequence).map_err(|_| conflict())?;
            let stored = self.in_time(async {
                // A chain only grows, so what is found here is there when it is followed.
                if sequence > 0 {
                    let before = doc! { "thread": &checkpoint.thread, "sequence": sequence - 1 };
                    if self.checkpoints.find_one(before).await?.is_none() {
                        return Ok(false);
                    }
                }
                let document = doc! {
                    "thread": &checkpoint.thread,
                    "sequence": sequence,
                    "status": checkpoint.status.name(),
                    "created_at": checkpoint.created_at.to_string(),
                    "checkpoint": checkpoint.to_json(),
                };
                match self.checkpoints.insert_one(document).await {
                    Ok(_) => Ok(true),
                    Err(error) => match &*error.kind {
                        ErrorKind::Write(WriteFailure::WriteError(write))
                            if write.code == DUPLICATE_KEY =>
                        {
                            Ok(false)
                        }
                        _ => Err(error.into()),
                    },
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
            let found = self.in_time(async {
                let found = self.checkpoints.find_one(doc! { "thread": thread });
                Ok(found.sort(doc! { "sequence": -1 }).await?)
            });
            let found = found.await?;
            found.map(|found| self.parse(&found)).transpose()
        }
        .boxed()
    }

    fn history<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Checkpoint>, CheckpointError>> {
        async move {
            let found = self.in_time(async {
                let found = self.checkpoints.find(doc! { "thread": thread });
                let found = found.sort(doc! { "sequence": 1 }).await?;
                Ok(found.try_collect::<Vec<_>>().await?)
            });
            let found = found.await?;
            found.iter().map(|found| self.parse(found)).collect()
        }
        .boxed()
    }

    fn list(
        &self,
        status: Option<Status>,
    ) -> BoxFuture<'_, Result<Vec<ThreadSummary>, CheckpointError>> {
        async move {
            let heads = self.in_time(async {
                let stages = [
                    doc! { "$sort": { "thread": 1, "sequence": -1 } },
                    doc! { "$group": {
                        "_id": "$thread",
                        "checkpoint": { "$first": "$checkpoint" },
                    } },
                    doc! { "$sort": { "_id": 1 } },
                ];
                let heads = self.checkpoints.aggregate(stages).await?;
                Ok(heads.try_collect::<Vec<_>>().await?)
            });
            let heads = heads.await?;
            let heads = heads.iter().map(|head| self.parse(head));
            let heads = heads.collect::<Result<Vec<_>, _>>()?.into_iter();
            Ok(heads
                .filter(|head| status.is_none_or(|status| head.status == status))
                .map(|head| head.summary())
                .collect())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::mongodb::Client;
    use tokio::net::TcpListener;

    use super::super::{OpenError, contract, open};
    use super::{Document, MongoCheckpointer, doc};

    /// An empty database on the server, by the name of the test.
    async fn empty(test: &str) -> String {
        let server = std::env::var("MONGODB_URI").expect("MONGODB_URI names a server");
        let name = format!("mailproof_test_{test}");
        let client = Client::with_uri_str(&server).await.unwrap();
        client.database(&name).drop().await.unwrap();
        let (base, options) = server.split_once('?').unwrap_or((&server, ""));
        let (scheme, host) = base.split_once("://").expect("a URL");
        let host = host.split('/').next().expect("`split` has a first part");
        format!("{scheme}://{host}/{name}?{options}")
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a server, named by MONGODB_URI"]
    async fn mongodb_keeps_the_contract() {
        let url = empty("contract").await;
        contract::check(Arc::new(MongoCheckpointer::open(&url).await.unwrap())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a server, named by MONGODB_URI"]
    async fn a_database_of_another_format_is_refused_by_naming_both() {
        let url = empty("format").await;
        drop(open(&url).await.unwrap());
        let client = Client::with_uri_str(&url).await.unwrap();
        let database = client.default_database().unwrap();
        let formats = database.collection::<Document>("mailproof_formats");
        let newer = doc! { "$set": { "format": 7_i64 } };
        formats.update_one(doc! {}, newer).await.unwrap();
        let error = open(&url).await.err().unwrap();
        assert!(
            matches!(error, OpenError::UnknownFormat { found: 7, .. }),
            "{error:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_not_there_is_named_without_the_password() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let url = format!("mongodb://me:secret@127.0.0.1:{port}/threads?authSource=admin");
        let error = open(&url).await.err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(
            text.contains(&format!("`mongodb://127.0.0.1:{port}/threads`")),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_read_is_told_why() {
        let error = open("mongodb://me:secret@/?w=x").await.err().unwrap();
        assert!(matches!(error, OpenError::BadUrl { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
