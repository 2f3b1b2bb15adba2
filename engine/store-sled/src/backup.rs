//! Backups of a store that is being written.
//!
//! The rows are copied in the order of their keys, while the writer notes which of those already copied it writes
//! again. Those are copied once more, in rounds that grow smaller, and the last few between two batches: so the copy is
//! the store as it was at that moment. Then come the files that the rows name; meanwhile none of them is removed.

use std::path::Path;
use std::sync::{Arc, Weak};

use engine_store::codec::State;
use engine_store::{BackedUp, Diagnosis, StoreError, keys};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::blobs::{Files, Held};
use crate::copying;
use crate::database::{Database, Writes};
use crate::directory::{Directory, unusable};
use crate::doctor;
use crate::removal;
use crate::shared::{Look, Shared, Wanted};
use crate::watermark::{self, Mark, Watermark};

/// Rows that may be copied again while batches wait.
const LAST_ROUND: usize = 512;

/// Rounds after which the last one comes, however many rows there are.
const ROUNDS: usize = 10;

/// Rows to copy again in one go.
const CHUNK: usize = 256;

/// The rows of a backup, to be completed. Whoever drops them half done gives up the database before the lock of its
/// directory, and that before the turn.
pub(crate) struct Rows {
    database: Database,
    directory: Directory,
    state: State,
    count: u64,
    /// Until this batch is durable the rows may not count.
    pub(crate) applied: u64,
    /// Keeps files from being removed.
    held: Held,
    turn: OwnedSemaphorePermit,
}

/// Notes what is written, until it is dropped.
struct Noting<'a>(&'a Shared);

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.0.end_noting();
    }
}

/// Takes the turn for the one backup that may be made at a time. It is given back when the work on that ends, however.
pub(crate) fn turn(backups: &Arc<Semaphore>, own: &Path) -> Result<OwnedSemaphorePermit, StoreError> {
    let busy = |_| unusable(own, "is being backed up already. Wait for that backup to end");
    backups.clone().try_acquire_owned().map_err(busy)
}

/// What failed, with the backup that it was done for.
pub(crate) fn named(to: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Io { what, why } => StoreError::Io { what: format!("backup in `{}`: {what}", to.display()), why },
        other => other,
    }
}

/// Refuses to put a backup into the directory that it is made of.
fn check_place(own: &Path, to: &Path) -> Result<(), StoreError> {
    let within = |to: &Path| to.canonicalize().is_ok_and(|to| own.canonicalize().is_ok_and(|own| to.starts_with(own)));
    if !to.ancestors().any(within) {
        return Ok(());
    }
    Err(unusable(own, &format!("would hold its own backup: `{}` lies in the data directory", to.display())))
}

/// Copies the rows, all as they were at one moment.
pub(crate) fn rows(
    wanted: &Wanted<'_, Shared>,
    files: &Files,
    own: &Path,
    to: &Path,
    turn: OwnedSemaphorePermit,
) -> Result<Rows, StoreError> {
    check_place(own, to)?;
    let shared = wanted.looked;
    let held = files.hold();
    shared.begin_noting();
    let noting = Noting(shared);
    let directory = Directory::unfinished(to)?;
    let database = Database::make(&directory.database())?;
    let mut rows = copying::copy_rows(wanted, &database, |copied| shared.note_from(copied))?;
    for _ in 0..ROUNDS {
        if shared.count_noted() <= LAST_ROUND {
            break;
        }
        let keys: Vec<_> = shared.take_noted().into_iter().collect();
        for keys in keys.chunks(CHUNK) {
            let again = wanted.look(|from| copying::copy_again(from, keys.iter().cloned()))?;
            put(&database, again, &mut rows)?;
        }
    }
    let (last, applied) = wanted.look(|from| {
        let last = copying::copy_again(from, shared.take_noted())?;
        Ok((last, shared.applied()))
    })?;
    drop(noting);
    put(&database, last, &mut rows)?;
    let state: Option<State> = database.get(&keys::state())?;
    let state = state.ok_or_else(|| unusable(to, "lost what was copied into it. Make another backup"))?;
    Ok(Rows { directory, database, state, count: rows, applied, held, turn })
}

/// Puts rows into the copy, and keeps count of them.
fn put(database: &Database, writes: Writes, rows: &mut u64) -> Result<(), StoreError> {
    for (key, value) in &writes {
        match (database.get_bytes(key)?.is_some(), value.is_some()) {
            (true, false) => *rows -= 1,
            (false, true) => *rows += 1,
            (true, true) | (false, false) => {}
        }
    }
    database.apply(writes)
}

impl Rows {
    /// Copies the files, looks whether all can be read back, and says that the backup is whole.
    pub(crate) fn complete(self, files: &Files, waits: &Weak<()>) -> Result<BackedUp, StoreError> {
        // What comes first here goes last.
        let Self { turn: _turn, directory, database, state, count, held, applied: _ } = self;
        let copies = Files::new(&directory);
        let rows = Wanted { looked: &database, waits: waits.clone() };
        files.copy_to(&copies, |run| rows.look(|rows| removal::needs_blobs(rows, run)))?;
        drop(held);
        database.finish(&directory.database())?;
        Watermark::create(&directory, Mark { commit: state.commit, time: state.time })?;
        watermark::put_clean(&directory, state.commit)?;

        let (database, found) = Database::open(&directory)?;
        let rows = database.count()?;
        if found != state || rows != count {
            let why = format!(
                "does not hold what was written into it: {rows} of {count} rows, batch {} of {}. Have the disk checked \
                 and make another backup",
                found.commit, state.commit
            );
            return Err(unusable(directory.path(), &why));
        }
        let mut diagnosis = Diagnosis::default();
        doctor::examine(&Wanted { looked: &database, waits: waits.clone() }, &copies, &mut diagnosis)?;
        database.release(&directory.database());
        directory.finish()?;
        Ok(BackedUp { commit: state.commit, rows, diagnosis })
    }
}
