//! What outlives threads: values by namespace and key.
//!
//! A thread's state ends with the thread; what an agent learns about a person must be found
//! by the next one. A store is told nothing of what it keeps.

mod memory;
mod search;

pub use memory::MemoryStore;
pub use search::{Hit, search};

use std::error::Error;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
