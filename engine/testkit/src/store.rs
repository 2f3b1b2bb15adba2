//! A store that fails on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::{
    Claim, Class, CommitError, Counters, Cursor, Fence, Filter, InboxRow, IndexRow, MemoryStore, Page, Store,
    StoreError, TimerClock, TimerRow, Unit,
};
use tokio::sync::watch;

use crate::life::Life;

/// What goes wrong at one write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process ends just before it: nothing of it is durable.
    CrashBefore,
    /// The process ends just after it: it is durable, and nobody was told.
    CrashAfter,
    /// It fails, and nothing of it is durable.
    FailBefore,
    /// It fails, and yet it is durable.
    FailAfter,
}

/// A fault, and the write at which it strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    /// Which write of the process, from 1.
    pub write: u64,
    /// What goes wrong.
    pub fault: Fault,
}

/// A store in memory, as one process has it open. It counts writes (whatever becomes durable at once: a batch of
/// units, a definition, a blob, a deletion), and fails as planned.
///
/// When the process's life is over, nothing is answered any more. A store that failed answers its error to everything.
pub struct FaultStore {
    memory: MemoryStore,
    life: Life,
    plan: Option<Planned>,
    writes: AtomicU64,
    struck: AtomicBool,
    failed: watch::Sender<bool>,
}

impl FaultStore {
    /// This store, as a process of this life has it open.
    pub fn new(memory: MemoryStore, life: Life, plan: Option<Planned>) -> Self {
        Self {
            memory,
            life,
            plan,
            writes: AtomicU64::new(0),
            struck: AtomicBool::new(false),
            failed: watch::Sender::new(false),
        }
    }

    /// The store as the next process finds it. This one answers nothing any more.
    pub fn reopen(&self, life: Life, plan: Option<Planned>) -> Self {
        self.life.end();
        Self::new(self.memory.reopen(), life, plan)
    }

    /// The life of the process that has the store open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// How many writes there were since it was opened, those that failed included.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Whether what was planned has happened.
    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }

    async fn write<T>(&self, write: impl Future<Output = T>, refuse: impl FnOnce(StoreError) -> T) -> T {
        if let Err(error) = self.open().await {
            return refuse(error);
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(Planned { fault, .. }) = self.plan.filter(|plan| plan.write == number) else { return write.await };
        self.struck.store(true, Ordering::SeqCst);
        if matches!(fault, Fault::CrashAfter | Fault::FailAfter) {
            drop(write.await);
        }
        if matches!(fault, Fault::CrashBefore | Fault::CrashAfter) {
            self.life.end();
            return std::future::pending().await;
        }
        self.failed.send_replace(true);
        refuse(broken())
    }

    async fn open(&self) -> Result<(), StoreError> {
        self.life.go_on().await;
        if *self.failed.borrow() { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> StoreError {
    StoreError::Io { what: "writing".to_owned(), why: "the disk was told to fail".to_owned() }
}

#[async_trait]
impl Store for FaultStore {
    async fn commit(&self, units: Vec<Unit>) -> Vec<Result<Seq, CommitError>> {
        let count = units.len();
        self.write(self.memory.commit(units), |error| vec![Err(error.into()); count]).await
    }

    async fn put_definition(&self, workflow: &str, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(self.memory.put_definition(workflow, digest, bytes), Err).await
    }

    async fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.open().await?;
        self.memory.definition(digest).await
    }

    async fn current_definition(&self, workflow: &str) -> Result<Option<Digest>, StoreError> {
        self.open().await?;
        self.memory.current_definition(workflow).await
    }

    async fn current_definitions(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        self.open().await?;
        self.memory.current_definitions().await
    }

    async fn sweep_definitions(&self) -> Result<u64, StoreError> {
        self.write(self.memory.sweep_definitions(), Err).await
    }

    async fn read(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.open().await?;
        self.memory.read(run, from, limit).await
    }

    async fn row(&self, run: RunId) -> Result<Option<IndexRow>, StoreError> {
        self.open().await?;
        self.memory.row(run).await
    }

    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Result<Page<IndexRow>, StoreError> {
        self.open().await?;
        self.memory.list(filter, cursor, limit).await
    }

    async fn open_runs(&self, class: Class, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        self.open().await?;
        self.memory.open_runs(class, cursor, limit).await
    }

    async fn due_timers(
        &self,
        clock: TimerClock,
        until: Timestamp,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<TimerRow>, StoreError> {
        self.open().await?;
        self.memory.due_timers(clock, until, cursor, limit).await
    }

    async fn inbox(&self, run: RunId) -> Result<Vec<InboxRow>, StoreError> {
        self.open().await?;
        self.memory.inbox(run).await
    }

    async fn inbox_runs(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        self.open().await?;
        self.memory.inbox_runs(cursor, limit).await
    }

    async fn claim(&self, key: &str) -> Result<Option<Claim>, StoreError> {
        self.open().await?;
        self.memory.claim(key).await
    }

    async fn mark(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.open().await?;
        self.memory.mark(run, name).await
    }

    async fn put_blob(&self, run: RunId, digest: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.write(self.memory.put_blob(run, digest, bytes), Err).await
    }

    async fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError> {
        self.open().await?;
        self.memory.blob(run, digest).await
    }

    async fn delete(&self, run: RunId, claims_until: Timestamp) -> Result<(), StoreError> {
        self.write(self.memory.delete(run, claims_until), Err).await
    }

    async fn acquire(&self, shard: u8, worker: &str, until: Timestamp) -> Result<Option<Fence>, StoreError> {
        self.open().await?;
        self.memory.acquire(shard, worker, until).await
    }

    async fn renew(&self, shard: u8, fence: Fence, until: Timestamp) -> Result<bool, StoreError> {
        self.open().await?;
        self.memory.renew(shard, fence, until).await
    }

    async fn release(&self, shard: u8, fence: Fence) -> Result<(), StoreError> {
        self.open().await?;
        self.memory.release(shard, fence).await
    }

    async fn watermark(&self) -> Result<Timestamp, StoreError> {
        self.open().await?;
        self.memory.watermark().await
    }

    fn stopped_cleanly(&self) -> bool {
        self.memory.stopped_cleanly()
    }

    fn counters(&self) -> Counters {
        self.memory.counters()
    }

    fn free_bytes(&self) -> Option<u64> {
        self.memory.free_bytes()
    }

    async fn broken(&self) -> StoreError {
        // The sender lives as long as `self`.
        let _ = self.failed.subscribe().wait_for(|failed| *failed).await;
        broken()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.open().await?;
        self.memory.close().await
    }
}
