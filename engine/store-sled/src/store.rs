//! The store as its users see it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::codec::{Current, MarkValue};
use engine_store::{
    BackedUp, Claim, Class, CommitError, Counters, Cursor, Diagnosis, Fence, Filter, InboxRow, IndexRow, Keeper, Page,
    Store, StoreError, TimerClock, TimerRow, Unit, keys,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::backup;
use crate::blobs::Files;
use crate::doctor;
use crate::encoded::Encoded;
use crate::opening;
use crate::panics::{self, THREADS};
use crate::pool::Pool;
use crate::reader;
use crate::shared::{Shared, Wanted};
use crate::writer::{Answer, BeforeSync, QUEUE_LEN, Request};

/// Threads that read the database.
const READERS: usize = 2;

/// Threads that read and write blobs: they wait for the disk, and must not keep reads waiting.
const BLOB_THREADS: usize = 2;

/// The store in a directory, on sled.
///
/// What is acknowledged survives a kill and a power cut. After a failed write or sync, or a panic of sled, every
/// method answers with that error, whether the last units are there is unknown, and the process must stop; a restart
/// goes on from what is durable.
pub struct SledStore {
    path: PathBuf,
    fence: Fence,
    stopped_cleanly: bool,
    /// Whether a shard was taken: then this process has seen to how the one before stopped.
    acquired: AtomicBool,
    shared: Arc<Shared>,
    files: Files,
    readers: Pool,
    blob_threads: Pool,
    /// Held by the one backup that is being made.
    backups: Arc<Semaphore>,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl SledStore {
    /// Opens the data directory `path`, which is made where it is not there. It blocks: for a large database that
    /// was not closed cleanly some seconds.
    ///
    /// Fails as [`StoreError::InUse`] where another process uses the directory, and as [`StoreError::Unusable`], with
    /// what to do, where it belongs to something else, can't be written, is damaged, or lacks something that was
    /// acknowledged.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, None)
    }

    /// The same with something that is called before every sync, on the thread that syncs: tests hold a sync up with
    /// it, or let it fail.
    #[doc(hidden)]
    pub fn open_with_sync(
        path: &Path,
        before_sync: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> Result<Self, StoreError> {
        Self::open_with(path, Some(Box::new(before_sync)))
    }

    fn open_with(path: &Path, before_sync: Option<BeforeSync>) -> Result<Self, StoreError> {
        panics::silence();
        let path = path.to_owned();
        let no_thread =
            |error: io::Error| StoreError::Io { what: "starting a thread".to_owned(), why: error.to_string() };
        let (requests, queue) = mpsc::channel(QUEUE_LEN);
        let (opened, is_open) = std::sync::mpsc::channel();
        let work = {
            let path = path.clone();
            move || {
                let store = panics::guard("opening the data directory", || opening::open(&path, before_sync));
                let (answer, writer) = match store {
                    Ok(store) => {
                        (Ok((store.shared, store.files, store.fence, store.stopped_cleanly)), Some(store.writer))
                    }
                    Err(error) => (Err(error), None),
                };
                // Nobody hears it only where the opening thread is gone, and then the queue is closed as well.
                let _ = opened.send(answer);
                if let Some(writer) = writer {
                    writer.run(queue);
                }
            }
        };
        let writer = thread::Builder::new().name(format!("{THREADS}-writer")).spawn(work).map_err(no_thread)?;
        let (shared, files, fence, stopped_cleanly) = is_open.recv().unwrap_or(Err(StoreError::Closed))?;
        panics::watch(Arc::downgrade(&shared));
        Ok(Self {
            path,
            fence: Fence(fence),
            stopped_cleanly,
            acquired: AtomicBool::new(false),
            shared,
            files,
            readers: Pool::new("reader", READERS).map_err(no_thread)?,
            blob_threads: Pool::new("blobs", BLOB_THREADS).map_err(no_thread)?,
            backups: Arc::new(Semaphore::new(1)),
            requests: Some(requests),
            writer: Some(writer),
        })
    }

    /// Reads, and gives what was read once it is durable.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        let job = move || {
            let seen = read(&shared);
            Ok((seen, shared.applied()))
        };
        let (seen, applied) = self.readers.run("reading the database", job).await?;
        self.shared.until_synced(applied).await?;
        seen
    }

    /// Has the writer do something.
    async fn write<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        self.shared.alive()?;
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or(StoreError::Closed)?;
        if requests.send(request(answer)).await.is_err() {
            return Err(self.why_ended());
        }
        // A writer that waits for a thread of sled that has panicked never answers.
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or_else(|_| Err(self.why_ended())),
            error = self.shared.broken() => Err(error),
        }
    }

    fn why_ended(&self) -> StoreError {
        self.shared.alive().err().unwrap_or(StoreError::Closed)
    }

    /// Reads or writes files. One that fails to be written ends the store, as a database that fails to be.
    async fn on_files<T: Send + 'static>(
        &self,
        job: impl FnOnce(Files) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.alive()?;
        let files = self.files.clone();
        let done = self.blob_threads.run("using a blob", move || job(files)).await;
        if let Err(error) = &done
            && error.is_fatal()
        {
            self.shared.fail(error.clone());
        }
        done
    }
}

impl Drop for SledStore {
    /// Waits for what was handed in. Not where the store has failed: its writer may wait for something that never
    /// comes.
    fn drop(&mut self) {
        self.requests = None;
        let failed = self.shared.alive().is_err_and(|error| error != StoreError::Closed);
        if let Some(writer) = self.writer.take()
            && !failed
        {
            // The writer guards what it does, so it does not panic.
            let _ = writer.join();
        }
    }
}

/// Blobs of runs that are deleted meanwhile are removed afterwards.
#[async_trait]
impl Keeper for SledStore {
    async fn diagnose(&self) -> Result<Diagnosis, StoreError> {
        self.shared.alive()?;
        let (shared, files) = (Arc::clone(&self.shared), self.files.clone());
        let waiting = Arc::new(());
        let waits = Arc::downgrade(&waiting);
        let job = move || {
            let diagnosis = doctor::of_open_store(&Wanted { looked: &*shared, waits }, &files)?;
            Ok((diagnosis, shared.applied()))
        };
        let (diagnosis, applied) = panics::apart("doctor", job).await?;
        self.shared.until_synced(applied).await?;
        Ok(diagnosis)
    }

    /// One that is cut off, by a crash or an error, leaves a directory that every open refuses as unfinished.
    ///
    /// Fails as [`StoreError::Unusable`] where `to` can't be used, and where what was written can't be read back.
    async fn backup(&self, to: &Path) -> Result<BackedUp, StoreError> {
        self.shared.alive()?;
        let turn = backup::turn(&self.backups, &self.path)?;
        let waiting = Arc::new(());
        let (shared, files, own) = (Arc::clone(&self.shared), self.files.clone(), self.path.clone());
        let (target, waits) = (to.to_owned(), Arc::downgrade(&waiting));
        let job = move || backup::rows(&Wanted { looked: &*shared, waits }, &files, &own, &target, turn);
        let rows = panics::apart("backup", job).await.map_err(|error| backup::named(to, error))?;
        self.shared.until_synced(rows.applied).await?;
        let (files, waits) = (self.files.clone(), Arc::downgrade(&waiting));
        let made = panics::apart("backup", move || rows.complete(&files, &waits)).await;
        made.map_err(|error| backup::named(to, error))
    }
}

#[async_trait]
impl Store for SledStore {
    async fn commit(&self, units: Vec<Unit>) -> Vec<Result<Seq, CommitError>> {
        let (mut answers, mut encoded) = (Vec::with_capacity(units.len()), Vec::with_capacity(units.len()));
        for unit in units {
            match Encoded::new(unit) {
                Ok(unit) => {
                    encoded.push(unit);
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        if encoded.is_empty() {
            return match self.shared.alive() {
                Ok(()) => answers.into_iter().flatten().collect(),
                Err(error) => answers.into_iter().map(|_| Err(error.clone().into())).collect(),
            };
        }
        match self.write(|answer| Request::Commit(encoded, answer)).await {
            Ok(written) => {
                let mut written = written.into_iter();
                let answers = answers.into_iter().map(|answer| answer.or_else(|| written.next()));
                answers.map(|answer| answer.unwrap_or(Err(StoreError::Closed.into()))).collect()
            }
            Err(error) => answers.into_iter().map(|_| Err(error.clone().into())).collect(),
        }
    }

    async fn put_definition(&self, workflow: &str, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let (workflow, bytes) = (workflow.to_owned(), bytes.to_owned());
        self.write(|answer| Request::PutDefinition { workflow, digest, bytes, answer }).await
    }

    async fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.on_files(move |files| files.definition(digest)).await
    }

    async fn current_definition(&self, workflow: &str) -> Result<Option<Digest>, StoreError> {
        let key = keys::current(workflow);
        let current: Option<Current> = self.read(move |shared| reader::row(shared, &key)).await?;
        Ok(current.map(|current| current.definition))
    }

    async fn current_definitions(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        self.read(reader::current_definitions).await
    }

    async fn sweep_definitions(&self) -> Result<u64, StoreError> {
        self.write(Request::SweepDefinitions).await
    }

    async fn read(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.read(move |shared| reader::events(shared, run, from, limit)).await
    }

    async fn row(&self, run: RunId) -> Result<Option<IndexRow>, StoreError> {
        self.read(move |shared| reader::index(shared, run)).await
    }

    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Result<Page<IndexRow>, StoreError> {
        let filter = filter.clone();
        self.read(move |shared| reader::list(shared, &filter, cursor.as_ref(), limit)).await
    }

    async fn open_runs(&self, class: Class, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        self.read(move |shared| reader::runs_of(shared, class, cursor.as_ref(), limit)).await
    }

    async fn due_timers(
        &self,
        clock: TimerClock,
        until: Timestamp,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<TimerRow>, StoreError> {
        self.read(move |shared| reader::due_timers(shared, clock, until, cursor.as_ref(), limit)).await
    }

    async fn inbox(&self, run: RunId) -> Result<Vec<InboxRow>, StoreError> {
        self.read(move |shared| reader::inbox(shared, run)).await
    }

    async fn inbox_runs(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        self.read(move |shared| reader::inbox_runs(shared, cursor.as_ref(), limit)).await
    }

    async fn claim(&self, key: &str) -> Result<Option<Claim>, StoreError> {
        let key = keys::claim(key);
        self.read(move |shared| reader::row(shared, &key)).await
    }

    async fn mark(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = keys::mark(run, name);
        let mark: Option<MarkValue> = self.read(move |shared| reader::row(shared, &key)).await?;
        Ok(mark.map(|mark| mark.value))
    }

    async fn put_blob(&self, run: RunId, digest: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.on_files(move |files| files.put_blob(run, digest, &bytes)).await
    }

    async fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError> {
        self.on_files(move |files| files.blob(run, digest)).await
    }

    async fn delete(&self, run: RunId, claims_until: Timestamp) -> Result<(), StoreError> {
        // In pieces, so that commits need not wait for the end of a long history.
        while self.write(|answer| Request::Delete { run, claims_until, answer }).await? {}
        self.on_files(move |files| files.remove_blobs(run)).await
    }

    async fn acquire(&self, _shard: u8, _worker: &str, _until: Timestamp) -> Result<Option<Fence>, StoreError> {
        self.shared.alive()?;
        self.acquired.store(true, Ordering::Release);
        Ok(Some(self.fence))
    }

    async fn renew(&self, _shard: u8, fence: Fence, _until: Timestamp) -> Result<bool, StoreError> {
        self.shared.alive().map(|()| fence == self.fence)
    }

    async fn release(&self, _shard: u8, _fence: Fence) -> Result<(), StoreError> {
        self.shared.alive()
    }

    async fn watermark(&self) -> Result<Timestamp, StoreError> {
        self.shared.alive().map(|()| self.shared.time())
    }

    fn stopped_cleanly(&self) -> bool {
        self.stopped_cleanly
    }

    fn counters(&self) -> Counters {
        self.shared.counters()
    }

    fn free_bytes(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.path).ok()?;
        found.f_bavail.checked_mul(found.f_frsize)
    }

    async fn broken(&self) -> StoreError {
        self.shared.broken().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let clean = self.stopped_cleanly || self.acquired.load(Ordering::Acquire);
        match self.write(|answer| Request::Close { clean, answer }).await {
            Err(StoreError::Closed) => Ok(()),
            done => done,
        }
    }
}
