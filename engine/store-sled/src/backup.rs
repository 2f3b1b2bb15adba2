//! Backups of a store that is being written.
//!
//! The rows are copied in the order of their keys, while the writer notes which of those already copied it writes
//! again. Those are copied once more, in rounds that grow smaller, and the last few between two batches: so the copy is
//! the store as it was at that moment. Then come the files that the rows name; meanwhile none of them is removed.

use std::path::Path;

use engine_store::codec::State;
use engine_store::{StoreError, keys};

use crate::blobs::{Files, Held};
use crate::copying;
use crate::database::{Database, Writes};
use crate::directory::{Directory, unusable};
use crate::doctor::{self, Diagnosis};
use crate::shared::Shared;
use crate::watermark::{self, Mark, Watermark};

/// Rows that may be copied again while batches wait.
const LAST_ROUND: usize = 512;

/// Rounds after which the last one comes, however many rows there are.
const ROUNDS: usize = 10;

/// Rows to copy again in one go.
const CHUNK: usize = 256;

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackedUp {
    /// The number of the last batch in it.
    pub commit: u64,
    /// Rows of the database.
    pub rows: u64,
    /// What the doctor said of the backup. Where something is wrong, it is in the original too.
    pub diagnosis: Diagnosis,
}

/// The rows of a backup, to be completed.
pub(crate) struct Rows {
    directory: Directory,
    database: Database,
    state: State,
    count: u64,
    /// Until this batch is durable the rows may not count.
    pub(crate) applied: u64,
    /// Keeps files from being removed.
    held: Held,
}

/// Notes what is written, until it is dropped.
struct Noting<'a>(&'a Shared);

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.0.end_noting();
    }
}

/// Copies the rows, all as they were at one moment.
pub(crate) fn rows(shared: &Shared, files: &Files, own: &Path, to: &Path) -> Result<Rows, StoreError> {
    let busy = || unusable(own, "is being backed up already. Wait for that backup to end");
    let held = files.hold().ok_or_else(busy)?;
    if !shared.begin_noting() {
        return Err(busy());
    }
    let noting = Noting(shared);
    let within = |to: &Path| to.canonicalize().is_ok_and(|to| own.canonicalize().is_ok_and(|own| to.starts_with(own)));
    if to.ancestors().any(within) {
        return Err(unusable(
            own,
            &format!("would hold its own backup: `{}` lies in the data directory", to.display()),
        ));
    }
    let directory = Directory::unfinished(to)?;
    let database = Database::make(&directory.database())?;
    let mut rows = copying::copy_rows(shared, &database, |copied| shared.note_from(copied))?;
    for _ in 0..ROUNDS {
        if shared.count_noted() <= LAST_ROUND {
            break;
        }
        let keys: Vec<_> = shared.take_noted().into_iter().collect();
        for keys in keys.chunks(CHUNK) {
            let again = shared.look(|from| copying::copy_again(from, keys.iter().cloned()))?;
            put(&database, again, &mut rows)?;
        }
    }
    let (last, applied) = shared.look(|from| {
        let last = copying::copy_again(from, shared.take_noted())?;
        Ok((last, shared.applied()))
    })?;
    drop(noting);
    put(&database, last, &mut rows)?;
    let state: Option<State> = database.get(&keys::state())?;
    let state = state.ok_or(StoreError::Closed)?;
    Ok(Rows { directory, database, state, count: rows, applied, held })
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
    pub(crate) fn complete(self, files: &Files) -> Result<BackedUp, StoreError> {
        let Self { directory, database, state, count, held, .. } = self;
        let copies = Files::new(&directory);
        files.copy_to(&copies, |run| crate::removal::needs_blobs(&database, run))?;
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
        doctor::examine(&database, &copies, &mut diagnosis)?;
        database.release(&directory.database());
        directory.finish()?;
        Ok(BackedUp { commit: state.commit, rows, diagnosis })
    }
}
