//! Memories that are wrong.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::agent::memory::Namespace;
use crate::email::Email;
use crate::graph::Store;
use crate::graph::store::{Item, StoreError};
use crate::target::{Progress, Start, Target};

/// Runs a target on a memory with a fault.
pub struct OnStore {
    pub target: Arc<dyn Target>,
    pub fault: Fault,
}

impl Target for OnStore {
    fn start<'a>(&'a self, mut start: Start, email: &'a Email) -> BoxFuture<'a, Progress> {
        let fault = self.fault;
        let faulty = |store| Arc::new(Faulty { store, fault }) as Arc<dyn Store>;
        start.store = start.store.map(faulty);
        self.target.start(start, email)
    }
}

/// What is wrong with a memory. What it begins with is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What changes is not kept.
    Unwritten,
    /// What changes is kept in another namespace.
    Misfiled,
    /// What changes is kept, and what it was at first is given out.
    Unread,
}

struct Faulty {
    store: Arc<dyn Store>,
    fault: Fault,
}

/// Where the first values are: not among what is remembered.
fn first(namespace: &str) -> String {
    format!("first/{namespace}")
}

/// The namespace beside this one.
fn beside(namespace: &str) -> &str {
    let mut paths = Namespace::ALL.map(Namespace::path);
    paths.reverse();
    let place = paths.iter().position(|path| *path == namespace);
    place.map_or(namespace, |place| paths[(place + 1) % paths.len()])
}

impl Store for Faulty {
    fn put<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.store.get(namespace, key).await?.is_none() {
                let first = first(namespace);
                self.store.put(&first, key, value.clone()).await?;
                return self.store.put(namespace, key, value).await;
            }
            match self.fault {
                Fault::Unwritten => Ok(()),
                Fault::Misfiled => self.store.put(beside(namespace), key, value).await,
                Fault::Unread => self.store.put(namespace, key, value).await,
            }
        })
    }

    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            match self.fault {
                Fault::Unwritten | Fault::Misfiled => self.store.get(namespace, key).await,
                Fault::Unread => self.store.get(&first(namespace), key).await,
            }
        })
    }

    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.store.delete(namespace, key)
    }

    fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Item>, StoreError>> {
        self.store.list(namespace)
    }
}
