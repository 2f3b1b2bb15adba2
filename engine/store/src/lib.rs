//! What a store of histories must do. A store is dumb and exact: it never decides.
//!
//! Invariants that every store keeps, shown by the conformance suite:
//!
//! - A [`Unit`] is all or nothing, whatever crashes; units of one batch fail alone.
//! - Once `commit` answers `Ok`, the unit survives a process kill and a power cut.
//! - No read shows what is not yet synced.
//! - A run's events have consecutive positions; a unit that expects another last position is a `Conflict`.
//! - A commit with an old fence is `Fenced`.

mod error;
mod row;
mod unit;

use std::sync::Arc;

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;

pub use error::{CommitError, StoreError};
pub use row::{Class, Filter, InboxRow, IndexRow, Status, Timer, TimerClock, TimerRow};
pub use unit::{Claim, ClaimChange, ClaimState, Fence, Mark, RunWrite, Unit};

/// Where a list goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(pub Vec<u8>);

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; none where this is the last.
    pub next: Option<Cursor>,
}

/// A store of histories. Shared behind an `Arc`; every method may be called from many tasks at once.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes these units with one sync and answers for each with the position of its run's last event (zero for
    /// a unit without a run). Units are applied in order; a later unit of the batch sees the earlier ones.
    async fn commit(&self, units: Vec<Unit>) -> Vec<Result<Seq, CommitError>>;

    /// Keeps a definition, durable before this returns, and makes it the current one of its workflow.
    /// Putting the same bytes again costs nothing.
    async fn put_definition(&self, workflow: &str, digest: Digest, bytes: &[u8]) -> Result<(), StoreError>;

    /// The definition with this digest.
    async fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// The digest of the workflow's current definition.
    async fn current_definition(&self, workflow: &str) -> Result<Option<Digest>, StoreError>;

    /// Deletes definitions that no run names and that are current for no workflow; gives how many.
    async fn sweep_definitions(&self) -> Result<u64, StoreError>;

    /// Events of a run from position `from` on, whole records, until at least `limit` events are there or the
    /// history ends. An unknown run gives none.
    async fn read(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError>;

    /// The index row of one run.
    async fn row(&self, run: RunId) -> Result<Option<IndexRow>, StoreError>;

    /// Index rows, newest run first.
    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Result<Page<IndexRow>, StoreError>;

    /// Runs of this class, oldest first. Costs by their number, not by that of all runs.
    async fn open_runs(&self, class: Class, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError>;

    /// Timers due up to `until`, in the order of their due times.
    async fn due_timers(&self, clock: TimerClock, until: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError>;

    /// The run's inbox, in the order of arrival.
    async fn inbox(&self, run: RunId) -> Result<Vec<InboxRow>, StoreError>;

    /// Runs that have inbox rows.
    async fn inbox_runs(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError>;

    /// What holds this unique key.
    async fn claim(&self, key: &str) -> Result<Option<Claim>, StoreError>;

    /// A run's mark.
    async fn mark(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps bytes that are too large for an event, durable before this returns.
    async fn put_blob(&self, run: RunId, digest: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError>;

    /// The bytes of a blob, checked against their digest.
    async fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError>;

    /// Deletes a run: its events, rows, marks, and then its blobs. Its claims become tombstones until `claims_until`.
    async fn delete(&self, run: RunId, claims_until: Timestamp) -> Result<(), StoreError>;

    /// Takes a shard for `worker`. Sled and memory, which have one owner, grant every shard at open, with a fence
    /// that each open raises durably.
    async fn acquire(&self, shard: u8, worker: &str, until: Timestamp) -> Result<Option<Fence>, StoreError>;

    /// Keeps a shard for longer; false where it was lost.
    async fn renew(&self, shard: u8, fence: Fence, until: Timestamp) -> Result<bool, StoreError>;

    /// Gives a shard back.
    async fn release(&self, shard: u8, fence: Fence) -> Result<(), StoreError>;

    /// The latest engine time that this store has seen, so that time never runs backwards across restarts.
    async fn watermark(&self) -> Result<Timestamp, StoreError>;

    /// How often the store has synced and how many units it has written since it was opened.
    fn counters(&self) -> Counters;
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Units committed.
    pub units: u64,
    /// Batches that were synced to durable storage for commits (not those for definitions and blobs).
    pub syncs: u64,
}
