//! Threads in this process's memory: gone when it ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Checkpoint, CheckpointError, Checkpointer, Status, ThreadSummary};

#[derive(Debug, Default)]
pub struct MemoryCheckpointer {
    threads: Mutex<BTreeMap<String, Vec<Checkpoint>>>,
}

impl MemoryCheckpointer {
    pub fn new() -> Self {
        MemoryCheckpointer::default()
    }

    fn threads(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Checkpoint>>> {
        // A chain is changed by one push, so a panicked holder cannot have torn it.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpointer for MemoryCheckpointer {
    fn put(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        async move {
            let mut threads = self.threads();
            let length = threads.get(&checkpoint.thread).map_or(0, Vec::len);
            if checkpoint.sequence != length as u64 {
                return Err(CheckpointError::Conflict {
                    thread: checkpoint.thread,
                    sequence: checkpoint.sequence,
                });
            }
            threads
                .entry(checkpoint.thread.clone())
                .or_default()
                .push(checkpoint);
            Ok(())
        }
        .boxed()
    }

    fn latest<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, CheckpointError>> {
        async move {
            let threads = self.threads();
            Ok(threads.get(thread).and_then(|chain| chain.last().cloned()))
        }
        .boxed()
    }

    fn history<'a>(
        &'a self,
        thread: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Checkpoint>, CheckpointError>> {
        async move { Ok(self.threads().get(thread).cloned().unwrap_or_default()) }.boxed()
    }

    fn list(
        &self,
        status: Option<Status>,
    ) -> BoxFuture<'_, Result<Vec<ThreadSummary>, CheckpointError>> {
        async move {
            Ok(self
                .threads()
                .values()
                .filter_map(|chain| chain.last())
                .filter(|head| status.is_none_or(|status| head.status == status))
                .map(Checkpoint::summary)
                .collect())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::contract;
    use super::MemoryCheckpointer;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_keeps_the_contract() {
        contract::check(Arc::new(MemoryCheckpointer::new())).await;
    }
}
