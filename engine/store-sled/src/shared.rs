//! What the writer and the readers of a store have in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, Weak};

use engine_core::time::Timestamp;
use engine_store::{Counters, StoreError};
use tokio::sync::watch;

use crate::database::{Database, Writes};
use crate::directory::Directory;
use crate::panics;

/// The open database, and how far it is.
pub(crate) struct Shared {
    /// Readers share the lock, a batch excludes them while it is put in, so that none sees half of it. None once the
    /// store has ended. It is dropped before the directory's lock.
    database: RwLock<Option<Database>>,
    directory: Mutex<Option<Directory>>,
    /// The number of the last batch that a reader may have seen something of.
    applied: AtomicU64,
    progress: watch::Sender<Progress>,
    /// Why the store no longer answers. Apart from the progress, for who waits for this is not to be woken by each sync.
    ended: watch::Sender<Option<StoreError>>,
    units: AtomicU64,
    syncs: AtomicU64,
    bytes: AtomicU64,
    /// What a backup that is under way has to copy again.
    noted: Mutex<Option<Noted>>,
}

/// Keys that were written since they were copied.
#[derive(Default)]
struct Noted {
    /// Keys up to here have been copied once.
    copied: Vec<u8>,
    keys: BTreeSet<Vec<u8>>,
}

/// Something that holds a database to be looked at.
pub(crate) trait Look {
    /// Looks at the database as it is between two batches. Not long: batches wait meanwhile.
    fn look<T>(&self, look: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError>;
}

impl Look for Shared {
    fn look<T>(&self, look: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        Self::look(self, look)
    }
}

/// A database that nobody writes.
impl Look for Database {
    fn look<T>(&self, look: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        panics::guard("reading the database", || look(self))
    }
}

/// What is looked at for as long as somebody waits for what comes of it.
pub(crate) struct Wanted<'a, L> {
    pub(crate) looked: &'a L,
    /// Held by whoever waits.
    pub(crate) waits: Weak<()>,
}

impl<L: Look> Look for Wanted<'_, L> {
    fn look<T>(&self, look: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.waits.strong_count() == 0 {
            return Err(StoreError::Closed);
        }
        self.looked.look(look)
    }
}

/// How far the store is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// The number of the last durable batch.
    pub(crate) synced: u64,
    /// The latest engine time in it and those before.
    pub(crate) time: Timestamp,
}

impl Shared {
    pub(crate) fn new(database: Database, directory: Directory, progress: Progress) -> Self {
        Self {
            database: RwLock::new(Some(database)),
            directory: Mutex::new(Some(directory)),
            applied: AtomicU64::new(progress.synced),
            progress: watch::Sender::new(progress),
            ended: watch::Sender::new(None),
            units: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            noted: Mutex::new(None),
        }
    }

    /// Looks at the database as it is between two batches. Not long: batches wait meanwhile.
    ///
    /// What is seen may not be shown before [`Self::synced`] has passed [`Self::applied`].
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(StoreError::Closed)?;
        let seen = panics::guard("reading the database", || look(database));
        if let Err(error) = &seen
            && error.is_fatal()
        {
            self.fail(error.clone());
        }
        seen
    }

    /// Puts a batch in: visible to readers, not yet durable.
    pub(crate) fn apply(&self, number: u64, writes: Writes) -> Result<(), StoreError> {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(StoreError::Closed)?;
        self.applied.store(number, Ordering::SeqCst);
        let bytes = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| key.len() + value.as_ref().map_or(0, Vec::len);
        self.bytes.fetch_add(writes.iter().map(bytes).sum::<usize>() as u64, Ordering::Relaxed);
        if let Some(noted) = &mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner) {
            noted.keys.extend(writes.keys().filter(|key| **key <= noted.copied).cloned());
        }
        panics::guard("writing the database", || database.apply(writes))
    }

    /// Begins to note what is written, for the one backup that is being made.
    pub(crate) fn begin_noting(&self) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Noted::default());
    }

    /// Says, during a look, that keys up to this one are copied now.
    pub(crate) fn note_from(&self, copied: &[u8]) {
        if let Some(noted) = &mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner) {
            copied.clone_into(&mut noted.copied);
        }
    }

    /// The keys noted since this was asked last.
    pub(crate) fn take_noted(&self) -> BTreeSet<Vec<u8>> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.as_mut().map(|noted| std::mem::take(&mut noted.keys)).unwrap_or_default()
    }

    /// How many that would be now.
    pub(crate) fn count_noted(&self) -> usize {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.as_ref().map_or(0, |noted| noted.keys.len())
    }

    /// Notes no more.
    pub(crate) fn end_noting(&self) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The number of the last batch that a look so far may have seen.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    /// Says that all batches up to this one are durable.
    pub(crate) fn synced(&self, number: u64, time: Timestamp) {
        self.progress.send_modify(|progress| {
            progress.synced = number;
            progress.time = time;
        });
    }

    /// Counts a batch of that many units.
    pub(crate) fn count(&self, units: u64) {
        self.units.fetch_add(units, Ordering::Relaxed);
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters { units: read(&self.units), syncs: read(&self.syncs), bytes: read(&self.bytes) }
    }

    /// Ends the store: nothing is acknowledged or shown any more. Only the first reason counts.
    pub(crate) fn fail(&self, error: StoreError) {
        let first = self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(error);
            first
        });
        if first {
            // Whoever waits for a sync has to be told as well.
            self.progress.send_modify(|_| ());
        }
    }

    /// Fails where the store has ended.
    pub(crate) fn alive(&self) -> Result<(), StoreError> {
        self.ended.borrow().clone().map_or(Ok(()), Err)
    }

    /// Waits until this batch is durable.
    pub(crate) async fn until_synced(&self, number: u64) -> Result<(), StoreError> {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| self.ended.borrow().is_some() || progress.synced >= number).await;
        drop(reached.map_err(|_| StoreError::Closed)?);
        self.alive()
    }

    /// Waits until the store breaks, and says why. A store that is closed is not broken.
    pub(crate) async fn broken(&self) -> StoreError {
        let mut ended = self.ended.subscribe();
        let broken = |ended: &Option<StoreError>| ended.as_ref().is_some_and(|error| *error != StoreError::Closed);
        let ended = ended.wait_for(broken).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(StoreError::Closed)
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.progress.borrow().time
    }

    /// Takes the database away from readers, and the directory.
    pub(crate) fn take(&self) -> (Option<Database>, Option<Directory>) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner).take();
        (database, directory)
    }
}

impl Drop for Shared {
    /// After a failure sled must not write anything more, as it does when it is dropped: what is on the disk is what
    /// counts, and what sled has in memory may not fit it any more.
    fn drop(&mut self) {
        if !matches!(*self.ended.borrow(), None | Some(StoreError::Closed)) {
            std::mem::forget(self.database.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
