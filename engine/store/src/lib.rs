//! What a store of histories must do. A store is dumb and exact: it never decides.
//!
//! Invariants that every store keeps, shown by the conformance suite:
//!
//! - A [`Unit`] is all or nothing, whatever crashes; units of one batch fail alone.
//! - Once `commit` answers `Ok`, the unit survives a process kill and a power cut.
//! - No read shows what is not yet synced.
//! - A run's events have consecutive positions; a unit that expects another last position is a `Conflict`.
//! - A commit with an old fence is `Fenced`.

pub mod codec;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod keeping;
pub mod keys;
mod memory;
mod page;
mod row;
mod unit;

use std::sync::Arc;

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;

pub use error::{CommitError, StoreError};
pub use keeping::{BackedUp, Counts, Diagnosis, Finding, Keeper};
pub use memory::{Gate, MemoryStore};
pub use page::{Cursor, Page};
pub use row::{Class, Filter, InboxRow, IndexRow, Status, TimerClock, TimerKey, TimerRow};
pub use unit::{Claim, ClaimChange, ClaimState, Fence, Mark, RunWrite, Unit};

/// A store of histories. Shared behind an `Arc`; every method may be called from many tasks at once.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes these units with one sync and answers for each with the position of its run's last event (zero for
    /// a unit without a run). Units are applied in order; a later unit of the batch sees the earlier ones.
    ///
    /// Group commit: what is handed in by many while a sync is under way shares the next one.
    ///
    /// A crash before the answer leaves either all of these units that are good or none. A caller that drops the
    /// future does not know which.
    async fn commit(&self, units: Vec<Unit>) -> Vec<Result<Seq, CommitError>>;

    /// Keeps a definition, durable before this returns, and makes it the current one of its workflow.
    /// Putting the same bytes again costs nothing. What the digest is taken of is the caller's affair.
    async fn put_definition(&self, workflow: &str, digest: Digest, bytes: &[u8]) -> Result<(), StoreError>;

    /// The definition with this digest.
    async fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// The digest of the workflow's current definition.
    async fn current_definition(&self, workflow: &str) -> Result<Option<Digest>, StoreError>;

    /// All workflows that have a current definition, by name, each with the digest of that.
    async fn current_definitions(&self) -> Result<Vec<(String, Digest)>, StoreError>;

    /// Deletes definitions that no run is bound to, itself or for its children, and that have been current for no
    /// workflow since the store was opened (a start may be under way with one of those); gives how many.
    /// Reads the first event of every run: for rare use.
    async fn sweep_definitions(&self) -> Result<u64, StoreError>;

    /// Events of a run from position `from` on, `limit` at most, fewer only where the history ends. Never a part of
    /// a turn where it ends the history. An unknown run gives none.
    async fn read(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError>;

    /// The index row of one run.
    async fn row(&self, run: RunId) -> Result<Option<IndexRow>, StoreError>;

    /// Index rows, newest run first.
    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Result<Page<IndexRow>, StoreError>;

    /// Runs of this class, oldest first. Costs by their number, not by that of all runs.
    async fn open_runs(&self, class: Class, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError>;

    /// Timers due up to `until`, in the order of their due times.
    async fn due_timers(
        &self,
        clock: TimerClock,
        until: Timestamp,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<TimerRow>, StoreError>;

    /// The run's inbox, in the order of arrival. The run need not exist.
    async fn inbox(&self, run: RunId) -> Result<Vec<InboxRow>, StoreError>;

    /// Runs that have inbox rows.
    async fn inbox_runs(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError>;

    /// What holds this unique key.
    async fn claim(&self, key: &str) -> Result<Option<Claim>, StoreError>;

    /// A run's mark.
    async fn mark(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps bytes that are too large for an event, durable before this returns. Blobs of a run that neither exists
    /// nor has inbox rows when the store is opened are swept.
    async fn put_blob(&self, run: RunId, digest: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError>;

    /// The bytes of a blob, checked against their digest.
    async fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError>;

    /// Deletes a run: its events, rows, timers, inbox and marks at once, and then its blobs. Its claims become
    /// tombstones until `claims_until`. Deleting a run that does not exist does nothing.
    async fn delete(&self, run: RunId, claims_until: Timestamp) -> Result<(), StoreError>;

    /// Takes a shard for `worker`. Sled and memory, which have one owner, grant every shard at open, with a fence
    /// that each open raises durably.
    async fn acquire(&self, shard: u8, worker: &str, until: Timestamp) -> Result<Option<Fence>, StoreError>;

    /// Keeps a shard for longer; false where it was lost.
    async fn renew(&self, shard: u8, fence: Fence, until: Timestamp) -> Result<bool, StoreError>;

    /// Gives a shard back.
    async fn release(&self, shard: u8, fence: Fence) -> Result<(), StoreError>;

    /// The latest engine time that this store has seen, so that time never runs backwards across restarts: the
    /// latest `at` of an event or `now` of a claim that was ever committed.
    async fn watermark(&self) -> Result<Timestamp, StoreError>;

    /// Whether the process that had the store before closed it, or there was none.
    fn stopped_cleanly(&self) -> bool;

    /// How often the store has synced and how many units it has written since it was opened.
    fn counters(&self) -> Counters;

    /// Free bytes where the store keeps its data; none where that has no bound of its own.
    fn free_bytes(&self) -> Option<u64>;

    /// Comes back once the store has failed, as by a full or broken disk, and says why: nothing is acknowledged or
    /// shown any more, and the process must stop. Never for one that was closed.
    async fn broken(&self) -> StoreError;

    /// Lets what was handed in become durable, marks the data as cleanly closed and gives it free for another
    /// process. Where the process before died and this one took no shard, only looked, the next one is told the same
    /// as this one: that a process died.
    ///
    /// Everything after it answers `Closed`; closing again does nothing. A store that is dropped without
    /// this has lost nothing, but counts as stopped uncleanly.
    async fn close(&self) -> Result<(), StoreError>;
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Units committed.
    pub units: u64,
    /// Batches that were synced to durable storage for commits (not those for definitions and blobs).
    pub syncs: u64,
    /// Bytes of rows written, keys included, as they were handed to the database; none in memory.
    pub bytes: u64,
}
