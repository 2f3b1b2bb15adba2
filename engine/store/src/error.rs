//! What can go wrong in a store.

use engine_core::id::{Digest, RunId, Seq};

/// Why a unit was not committed. Nothing of it was written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The run's history has moved on: reload the run.
    #[error("the history of run {run} ends at {found}, not at {expected}")]
    Conflict {
        /// The run.
        run: RunId,
        /// Where the unit expected the history to end.
        expected: Seq,
        /// Where it ends.
        found: Seq,
    },
    /// Another process has taken the shard over: drop the run.
    #[error("run {run} is owned by another process now")]
    Fenced {
        /// The run.
        run: RunId,
    },
    /// The unique key is held by another run.
    #[error("`{key}` is taken by run {holder}")]
    Claimed {
        /// The key.
        key: String,
        /// The run that holds it.
        holder: RunId,
    },
    /// An inbox row that the unit consumes is not there.
    #[error("inbox row {arrival} of run {run} is gone")]
    InboxGone {
        /// The run.
        run: RunId,
        /// The row's arrival number.
        arrival: u64,
    },
    /// The turn's events do not fit the bounds of records.
    #[error("an event of run {run} is larger than a record may be: {len} bytes")]
    TooLarge {
        /// The run.
        run: RunId,
        /// Its encoded size.
        len: usize,
    },
    /// The store itself failed: whether the unit is there is unknown. The process must stop.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store could not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory can't be used; the text says why and what to do.
    #[error("{0}")]
    Unusable(String),
    /// Stored bytes are not what was written.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// What was read.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A blob is missing.
    #[error("blob {digest} of run {run} is missing")]
    BlobMissing {
        /// The run.
        run: RunId,
        /// The blob.
        digest: Digest,
    },
    /// Reading, writing or syncing failed. After a failed sync nothing that was not acknowledged may be relied on.
    #[error("{what}: {why}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        why: String,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}
