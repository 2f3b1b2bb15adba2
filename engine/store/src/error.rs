//! What can go wrong in a store.

use engine_core::id::{Digest, RunId, Seq};
use serde::{Deserialize, Serialize};

/// Why a unit was not committed. Nothing of it was written, except perhaps with [`CommitError::Store`].
///
/// Where several hold, the first in this order is given: `Malformed`, `TooLarge`, `Fenced`, `Conflict`, `InboxGone`,
/// `Claimed` or `NotHeld`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The unit contradicts itself: a mistake of the caller.
    #[error("what was to be written for run {run} contradicts itself: {why}")]
    Malformed {
        /// The run.
        run: RunId,
        /// How.
        why: String,
    },
    /// One thing in the unit does not fit the bounds of records.
    #[error("{what} of run {run} is larger than a record may be: {len} bytes")]
    TooLarge {
        /// The run.
        run: RunId,
        /// What is too large, as "event 7".
        what: String,
        /// Its size.
        len: usize,
    },
    /// Another process has taken the shard over: drop the run.
    #[error("run {run} is owned by another process now")]
    Fenced {
        /// The run.
        run: RunId,
    },
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
    /// An inbox row that the unit consumes is not there.
    #[error("inbox row {arrival} of run {run} is gone")]
    InboxGone {
        /// The run.
        run: RunId,
        /// The row's arrival number.
        arrival: u64,
    },
    /// The unique key to be taken is held, or still remembered as held.
    #[error("`{key}` is taken by run {holder}")]
    Claimed {
        /// The key.
        key: String,
        /// The run that holds it.
        holder: RunId,
    },
    /// The unique key to be moved or released is not held by that run.
    #[error("`{key}` is not held by run {run}")]
    NotHeld {
        /// The key.
        key: String,
        /// The run that should hold it.
        run: RunId,
    },
    /// A stored row that the unit depends on can't be read: set the run aside, the others go on.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// What was read.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store itself failed: whether the unit is there is unknown. The process must stop.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { what, why } => Self::Damaged { what, why },
            other => Self::Store(other),
        }
    }
}

/// Why a store could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory can't be used; the text says why and what to do.
    #[error("{0}")]
    Unusable(String),
    /// Another process uses the directory; it may be asked instead.
    #[error(
        "the data directory `{path}` is in use by another process{}. Stop that process, or name another directory",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The directory.
        path: String,
        /// The process, where it has said which it is.
        pid: Option<u32>,
    },
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

impl StoreError {
    /// Whether the whole store is affected, so that the process must stop. Otherwise only what was asked for is
    /// damaged or missing: its run is set aside and the others go on.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::BlobMissing { .. } => false,
            Self::Unusable(_) | Self::InUse { .. } | Self::Io { .. } | Self::Closed => true,
        }
    }
}
