//! Syncs that a test lets through one by one.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::error::StoreError;

/// Where the commits of a store wait until the test lets them through.
#[derive(Clone, Debug)]
pub struct Gate {
    passes: Arc<Semaphore>,
    waiting: Arc<watch::Sender<u64>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A gate that lets nothing through yet.
    pub fn new() -> Self {
        Self { passes: Arc::new(Semaphore::new(0)), waiting: Arc::new(watch::Sender::new(0)) }
    }

    /// Lets that many syncs through: those that wait, and then those that come.
    pub fn release(&self, syncs: usize) {
        self.passes.add_permits(syncs);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.passes.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Lets the sync that waits, and all that come, fail, as those of a broken disk.
    pub fn fail(&self) {
        self.passes.close();
    }

    /// Waits until this many syncs have come to the gate since it was made, let through or not.
    pub async fn reached(&self, syncs: u64) {
        let mut waiting = self.waiting.subscribe();
        // The sender lives as long as `self`, so this can't fail.
        let _ = waiting.wait_for(|count| *count >= syncs).await;
    }

    /// Stands at the gate until it is let through, or fails.
    pub async fn pass(&self) -> Result<(), StoreError> {
        self.waiting.send_modify(|count| *count += 1);
        match self.passes.acquire().await {
            Ok(pass) => {
                pass.forget();
                Ok(())
            }
            Err(_) => Err(StoreError::Io { what: "syncing".to_owned(), why: "the gate was told to fail".to_owned() }),
        }
    }
}
