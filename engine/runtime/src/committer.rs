//! Group commit: what queued while the last sync ran is written atomically and synced once.

use std::sync::Arc;

use engine_core::id::Seq;
use engine_store::{CommitError, Store, StoreError, Unit};
use tokio::sync::{mpsc, oneshot, watch};

use crate::bounds;

/// The way into the store for every unit.
#[derive(Clone, Debug)]
pub(crate) struct Committer {
    queue: mpsc::Sender<Pending>,
}

#[derive(Debug)]
struct Pending {
    unit: Unit,
    answer: oneshot::Sender<Result<Seq, CommitError>>,
}

impl Committer {
    /// Starts the task that commits. It ends when the last handle is dropped.
    ///
    /// A store that fails stops the whole engine: what was not acknowledged is unknowable, so nothing new may begin.
    pub(crate) fn spawn(store: Arc<dyn Store>, stopping: watch::Sender<bool>) -> Self {
        let (queue, pending) = mpsc::channel(bounds::COMMIT_QUEUE);
        tokio::spawn(commit_batches(store, pending, stopping));
        Self { queue }
    }

    /// Returns once the unit is durable, or is certain not to be written, or the store has failed.
    pub(crate) async fn commit(&self, unit: Unit) -> Result<Seq, CommitError> {
        let (answer, answered) = oneshot::channel();
        let closed = || CommitError::Store(StoreError::Closed);
        self.queue.send(Pending { unit, answer }).await.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}

async fn commit_batches(store: Arc<dyn Store>, mut pending: mpsc::Receiver<Pending>, stopping: watch::Sender<bool>) {
    let mut batch = Vec::new();
    while pending.recv_many(&mut batch, bounds::BATCH_UNITS).await > 0 {
        let (units, answers): (Vec<_>, Vec<_>) = batch.drain(..).map(|each| (each.unit, each.answer)).unzip();
        let results = store.commit(units).await;
        if results.iter().any(|result| matches!(result, Err(CommitError::Store(_)))) {
            stopping.send_replace(true);
        }
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever asked may be gone; the unit is durable all the same.
            let _ = answer.send(result);
        }
    }
}
