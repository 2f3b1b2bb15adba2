//! The store that forgets: for `--ephemeral`, and the reference that other stores are compared with.

mod gate;
mod model;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use tokio::sync::{oneshot, watch};

use crate::error::{CommitError, StoreError};
use crate::row::{Class, Filter, InboxRow, IndexRow, TimerClock, TimerRow};
use crate::unit::{Claim, Fence, Unit};
use crate::{Counters, Cursor, Page, Store};

pub use gate::Gate;
use model::Model;

/// A store in memory. It loses everything with the process, and keeps every other promise of [`Store`].
///
/// Its data outlives one "process": [`MemoryStore::reopen`] gives what a restart would find.
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    /// Commits that wait for a sync, in their order.
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held by whoever syncs, for all that waited when it began.
    syncing: tokio::sync::Mutex<()>,
    gate: Option<Gate>,
    fence: Fence,
    stopped_cleanly: bool,
    /// Whether a shard was taken: then this process has seen to how the one before stopped.
    acquired: AtomicBool,
    life: Mutex<Life>,
    failed: watch::Sender<Option<StoreError>>,
}

/// A commit that is not yet durable.
struct Waiting {
    units: Vec<Unit>,
    answer: oneshot::Sender<Vec<Result<Seq, CommitError>>>,
}

/// What a store does from when it is opened to when it ends.
#[derive(Default)]
struct Life {
    counters: Counters,
    /// Why it no longer answers.
    ended: Option<StoreError>,
}

/// What is on the imaginary disk, and whose it is.
#[derive(Default)]
struct Data {
    fence: Fence,
    /// Whether nobody uses it and nobody died using it.
    clean: bool,
    model: Model,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::open(Arc::default(), None)
    }

    /// An empty store whose commits wait for the test: each stands at the gate, invisible and unacknowledged, until
    /// the test lets it through, as if it waited for its sync. Definitions, blobs and deletes don't wait.
    pub fn with_gate() -> (Self, Gate) {
        let gate = Gate::new();
        (Self::behind(gate.clone()), gate)
    }

    /// The same with a gate that is there already.
    pub fn behind(gate: Gate) -> Self {
        Self::open(Arc::default(), Some(gate))
    }

    /// The same data as the next process would find it after this one was killed: without the commits that still
    /// wait at the gate, and with a higher fence. This store answers `Closed` from now on.
    pub fn reopen(&self) -> Self {
        self.life().ended = Some(StoreError::Closed);
        Self::open(Arc::clone(&self.data), self.gate.clone())
    }

    fn open(data: Arc<Mutex<Data>>, gate: Option<Gate>) -> Self {
        let (fence, stopped_cleanly) = {
            let mut data = lock(&data);
            data.fence.0 += 1;
            data.model.restart();
            let clean = std::mem::take(&mut data.clean) || data.fence == Fence(1);
            (data.fence, clean)
        };
        Self {
            data,
            waiting: Mutex::default(),
            syncing: tokio::sync::Mutex::default(),
            gate,
            fence,
            stopped_cleanly,
            acquired: AtomicBool::new(false),
            life: Mutex::default(),
            failed: watch::Sender::default(),
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }

    /// The data, unless the store has ended.
    fn data(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        match &self.life().ended {
            Some(error) => Err(error.clone()),
            None => Ok(lock(&self.data)),
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Model) -> T) -> Result<T, StoreError> {
        Ok(look(&self.data()?.model))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Model) -> T) -> Result<T, StoreError> {
        Ok(change(&mut self.data()?.model))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        let Some(gate) = &self.gate else { return Ok(()) };
        let passed = gate.pass().await;
        if let Err(error) = &passed {
            self.life().ended = Some(error.clone());
            self.failed.send_replace(Some(error.clone()));
        }
        passed
    }

    /// Makes what waits now durable, by one sync. What is dropped at the gate goes on waiting.
    async fn commit_waiting(&self) {
        let count = lock(&self.waiting).len();
        let synced = self.sync().await;
        let batch: Vec<_> = lock(&self.waiting).drain(..count).collect();
        let good: u64 = batch.into_iter().map(|commit| self.apply(commit, synced.as_ref().err())).sum();
        if good > 0 {
            let counters = &mut self.life().counters;
            counters.units += good;
            counters.syncs += 1;
        }
    }

    /// Puts one commit in and answers it, unless the sync failed; gives how many units were good.
    fn apply(&self, Waiting { units, answer }: Waiting, failed: Option<&StoreError>) -> u64 {
        let count = units.len();
        let apply = |mut data: MutexGuard<'_, Data>| {
            let fence = data.fence;
            units.into_iter().map(|unit| data.model.commit(unit, fence)).collect()
        };
        let data = failed.map_or_else(|| self.data(), |error| Err(error.clone()));
        let answers: Vec<_> = data.map_or_else(|error| vec![Err(error.into()); count], apply);
        let good = answers.iter().filter(|answer| answer.is_ok()).count();
        // Whoever asked may be gone.
        let _ = answer.send(answers);
        good as u64
    }
}

/// The data behind a lock. A panic elsewhere doesn't matter: changes are checked before any is made.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, units: Vec<Unit>) -> Vec<Result<Seq, CommitError>> {
        let count = units.len();
        let (answer, mut answered) = oneshot::channel();
        lock(&self.waiting).push_back(Waiting { units, answer });
        let _turn = self.syncing.lock().await;
        // Whoever synced before may have taken this along.
        if let Ok(answers) = answered.try_recv() {
            return answers;
        }
        self.commit_waiting().await;
        answered.try_recv().unwrap_or_else(|_| vec![Err(StoreError::Closed.into()); count])
    }

    async fn put_definition(&self, workflow: &str, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|model| model.put_definition(workflow, digest, bytes))
    }

    async fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.read(|model| model.definition(digest))
    }

    async fn current_definition(&self, workflow: &str) -> Result<Option<Digest>, StoreError> {
        self.read(|model| model.current_definition(workflow))
    }

    async fn current_definitions(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        self.read(Model::current_definitions)
    }

    async fn sweep_definitions(&self) -> Result<u64, StoreError> {
        self.write(Model::sweep_definitions)
    }

    async fn read(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.read(|model| model.events(run, from, limit))
    }

    async fn row(&self, run: RunId) -> Result<Option<IndexRow>, StoreError> {
        self.read(|model| model.row(run))
    }

    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Result<Page<IndexRow>, StoreError> {
        self.read(|model| model.list(filter, cursor.as_ref(), limit))?
    }

    async fn open_runs(&self, class: Class, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        self.read(|model| model.runs_of(class, cursor.as_ref(), limit))?
    }

    async fn due_timers(
        &self,
        clock: TimerClock,
        until: Timestamp,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<TimerRow>, StoreError> {
        self.read(|model| model.due_timers(clock, until, cursor.as_ref(), limit))
    }

    async fn inbox(&self, run: RunId) -> Result<Vec<InboxRow>, StoreError> {
        self.read(|model| model.inbox(run))
    }

    async fn inbox_runs(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        self.read(|model| model.inbox_runs(cursor.as_ref(), limit))?
    }

    async fn claim(&self, key: &str) -> Result<Option<Claim>, StoreError> {
        self.read(|model| model.claim(key))
    }

    async fn mark(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|model| model.mark(run, name))
    }

    async fn put_blob(&self, run: RunId, digest: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.write(|model| model.put_blob(run, digest, bytes))
    }

    async fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError> {
        self.read(|model| model.blob(run, digest))?
    }

    async fn delete(&self, run: RunId, claims_until: Timestamp) -> Result<(), StoreError> {
        self.write(|model| model.delete(run, claims_until))
    }

    async fn acquire(&self, _shard: u8, _worker: &str, _until: Timestamp) -> Result<Option<Fence>, StoreError> {
        let data = self.data()?;
        self.acquired.store(true, Ordering::Release);
        Ok((data.fence == self.fence).then_some(self.fence))
    }

    async fn renew(&self, _shard: u8, fence: Fence, _until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.data()?.fence == fence)
    }

    async fn release(&self, _shard: u8, _fence: Fence) -> Result<(), StoreError> {
        self.data().map(drop)
    }

    async fn watermark(&self) -> Result<Timestamp, StoreError> {
        self.read(Model::time)
    }

    fn stopped_cleanly(&self) -> bool {
        self.stopped_cleanly
    }

    fn counters(&self) -> Counters {
        self.life().counters
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    async fn broken(&self) -> StoreError {
        let mut failed = self.failed.subscribe();
        // The sender lives as long as `self`, so there is a reason once this comes back.
        let failed = failed.wait_for(Option::is_some).await;
        failed.ok().and_then(|error| error.clone()).unwrap_or(StoreError::Closed)
    }

    async fn close(&self) -> Result<(), StoreError> {
        let _turn = self.syncing.lock().await;
        let mut life = self.life();
        if life.ended.is_none() {
            life.ended = Some(StoreError::Closed);
            drop(life);
            lock(&self.data).clean = self.stopped_cleanly || self.acquired.load(Ordering::Acquire);
        }
        Ok(())
    }
}
