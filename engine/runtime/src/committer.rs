//! The way into the store for every unit.

use std::sync::Arc;

use engine_core::id::Seq;
use engine_store::{CommitError, Store, StoreError, Unit};
use tokio::sync::watch;

/// Commits units, and stops the engine where the store fails: what was not acknowledged is unknowable then, so nothing
/// new may begin.
#[derive(Clone)]
pub(crate) struct Committer {
    store: Arc<dyn Store>,
    stopping: watch::Sender<bool>,
}

impl Committer {
    pub(crate) fn new(store: Arc<dyn Store>, stopping: watch::Sender<bool>) -> Self {
        Self { store, stopping }
    }

    /// Returns once the unit is durable, or is certain not to be written, or the store has failed. Units of many runs
    /// share a sync: the store sees to that.
    pub(crate) async fn commit(&self, unit: Unit) -> Result<Seq, CommitError> {
        let committed = self.store.commit(vec![unit]).await.pop().unwrap_or(Err(StoreError::Closed.into()));
        if let Err(CommitError::Store(_)) = committed {
            self.stopping.send_replace(true);
        }
        committed
    }
}
