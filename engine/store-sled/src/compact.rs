//! Compaction: sled's files only grow, so the live rows are copied into new ones, which take the place of the old.

use std::fs;
use std::path::Path;

use engine_store::StoreError;

use crate::copying;
use crate::database::Database;
use crate::directory::{Directory, unusable};
use crate::files;
use crate::opening;
use crate::panics;

/// What compacting did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compacted {
    /// Bytes that the database took on the disk.
    pub before: u64,
    /// Bytes that it takes now.
    pub after: u64,
}

/// Shrinks the database of a data directory that no process uses. It needs free space for the live rows.
///
/// The rows are copied into a new database beside the old one, counted, synced, and then the two change places. What
/// the directory holds is the same before, after, and after a crash at any moment in between: the next open, by
/// whatever verb, drops what is not needed of the two. Whether the last stop was a clean one stays known too.
///
/// Fails as [`StoreError::InUse`] where a process uses the directory, and as [`StoreError::Unusable`] where an open
/// would fail so. Where a page or the disk fails on the way, the old database stays as it is.
pub fn compact(path: &Path) -> Result<Compacted, StoreError> {
    compact_with(path, |_| Ok(()))
}

/// The same, with something that is told each step before it is made: tests stop there as a crash does.
#[doc(hidden)]
pub fn compact_with(
    path: &Path,
    step: impl FnMut(&str) -> Result<(), StoreError> + Send,
) -> Result<Compacted, StoreError> {
    panics::aside("compact", || {
        let directory = Directory::existing(path)?;
        settle(&directory)?;
        let mut step = step;
        let (old, new) = (directory.database(), directory.compacted_database());
        let before = files::size(&old)?;
        step("make")?;
        if let Err(error) = fill(&directory, &new) {
            // The disk may be full: leave no more on it than there was.
            let _ = files::remove_directory(&new);
            return Err(error);
        }
        step("put the old one aside")?;
        rename(&old, &directory.old_database())?;
        step("put the new one in its place")?;
        rename(&new, &old)?;
        step("remove the old one")?;
        files::remove_directory(&directory.old_database())?;
        Ok(Compacted { before, after: files::size(&old)? })
    })
}

/// Writes the new database.
fn fill(directory: &Directory, new: &Path) -> Result<(), StoreError> {
    let (from, _) = opening::open_database(directory)?;
    let to = Database::make(new)?;
    let copied = copying::copy_rows(&from, &to, |_| ())?;
    to.finish(new)?;
    from.release(&directory.database());
    // What counts is what can be read back.
    let written = Database::open_at(new)?;
    let found = written.count()?;
    written.release(new);
    if found == copied {
        return Ok(());
    }
    Err(unusable(
        directory.path(),
        &format!(
            "could not be compacted: of {copied} rows copied {found} can be read back. Nothing was changed. Have the disk checked"
        ),
    ))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    let renamed = fs::rename(from, to).and_then(|()| files::sync_parent(to));
    renamed.map_err(|error| files::failed("renaming", from, &error))
}

/// Ends a compaction that a crash cut off. The old database is whole until the new one has taken its place.
pub(crate) fn settle(directory: &Directory) -> Result<(), StoreError> {
    let (database, old) = (directory.database(), directory.old_database());
    if !database.exists() && old.exists() {
        rename(&old, &database)?;
    }
    files::remove_directory(&old)?;
    files::remove_directory(&directory.compacted_database())
}
