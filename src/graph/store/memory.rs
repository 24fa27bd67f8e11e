//! A store in this process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use serde_json::Value;

use super::{Item, Store, StoreError};

/// Keeps values until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    items: Mutex<BTreeMap<(String, String), Item>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        MemoryStore::default()
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<(String, String), Item>> {
        // Every change is one insertion or removal, so a panicked holder left it whole.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn put<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let now = Timestamp::now();
        let mut items = self.items();
        let item = items
            .entry((namespace.to_owned(), key.to_owned()))
            .or_insert_with(|| Item {
                namespace: namespace.to_owned(),
                key: key.to_owned(),
                value: Value::Null,
                created_at: now,
                updated_at: now,
            });
        item.value = value;
        item.updated_at = now;
        Box::pin(ready(Ok(())))
    }

    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>> {
        let place = (namespace.to_owned(), key.to_owned());
        let item = self.items().get(&place).cloned();
        Box::pin(ready(Ok(item)))
    }

    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let place = (namespace.to_owned(), key.to_owned());
        let there = self.items().remove(&place).is_some();
        Box::pin(ready(Ok(there)))
    }

    fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Item>, StoreError>> {
        let items = self.items();
        let wanted = items
            .values()
            .filter(|item| namespace.is_none_or(|namespace| item.namespace == namespace));
        let list = wanted.cloned().collect();
        Box::pin(ready(Ok(list)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::contract;
    use super::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_keeps_the_contract() {
        contract::check(Arc::new(MemoryStore::new())).await;
    }
}
