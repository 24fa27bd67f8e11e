//! What outlives threads: values by namespace and key.
//!
//! A thread's state ends with the thread; what an agent learns about a person must be found
//! by the next one. A store is told nothing of what it keeps; what every one must do is
//! written down as tests in `contract.rs`.

#[cfg(test)]
pub(crate) mod contract;
mod memory;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod search;
mod sqlite;

pub use memory::MemoryStore;
pub use open::open;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use search::{Hit, search};
pub use sqlite::SqliteStore;

use std::error::Error;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::database::OpenError;

use super::database::{Fault, Layout};

/// Where databases keep items. Values are JSON as text, not a database's own kind of JSON:
/// those reorder keys, round numbers, or refuse `\u0000`.
static LAYOUT: Layout = Layout {
    name: "memories",
    format: 1,
    sqlite: "CREATE TABLE mailproof_memories (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT",
    #[cfg(feature = "postgres")]
    postgres: r#"CREATE TABLE IF NOT EXISTS mailproof_memories (
        namespace text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        value text NOT NULL,
        created_at text NOT NULL,
        updated_at text NOT NULL,
        PRIMARY KEY (namespace, key)
    )"#,
};

/// One value of a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub namespace: String,
    pub key: String,
    pub value: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the store {store} failed")]
pub struct StoreError {
    /// Where values are kept, without credentials.
    pub store: String,
    pub source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    fn new(place: &str, source: impl Into<Fault>) -> Self {
        StoreError {
            store: place.to_owned(),
            source: source.into(),
        }
    }
}

/// A row of a database.
struct Row {
    namespace: String,
    key: String,
    value: String,
    created_at: String,
    updated_at: String,
}

impl Row {
    fn item(self) -> Result<Item, Fault> {
        Ok(Item {
            value: serde_json::from_str(&self.value)?,
            created_at: self.created_at.parse()?,
            updated_at: self.updated_at.parse()?,
            namespace: self.namespace,
            key: self.key,
        })
    }
}

/// Keeps values. Shared by every run that uses it.
pub trait Store: Send + Sync {
    /// Sets the value of a key, for good when this returns. An item keeps its creation time.
    fn put<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>>;

    /// Removes a key; false where there was none.
    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// The items of a namespace, or of all of them, in the order of namespace and key by
    /// code points.
    fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Item>, StoreError>>;
}
