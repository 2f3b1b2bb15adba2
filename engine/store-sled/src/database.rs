//! The only place that calls sled.
//!
//! One tree with one key space: a batch of one tree is all or nothing, and many trees cost memory.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use engine_store::StoreError;
use engine_store::codec::{self, Row, State};
use engine_store::keys;

use crate::directory::{Directory, unusable};
use crate::files;
use crate::log;
use crate::panics;

/// A page above a quarter of a segment goes to a file that sled never syncs. With this, the largest there is, a page
/// of 16 of the largest records stays below it. Fixed when a database is made.
pub(crate) const SEGMENT_LEN: usize = 16 << 20;

/// What sled may keep of pages in memory. It takes two or three times as much.
const CACHE_LEN: u64 = 32 << 20;

/// How often, 10 ms apart, to try again while the last user of the files in this process still lets go of them.
const LOCK_TRIES: usize = 500;

/// An open database.
#[derive(Clone)]
pub(crate) struct Database {
    tree: sled::Db,
    /// Sled's log, opened once more, because only we sync it.
    log: Arc<File>,
}

/// What a batch writes (or removes, where none), in any order.
pub(crate) type Writes = std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Database {
    /// Opens the database of a directory, which is made where there is none, and says how far it goes.
    pub(crate) fn open(directory: &Directory) -> Result<(Self, State), StoreError> {
        let path = directory.database();
        let damaged = |why: String| {
            unusable(
                directory.path(),
                &format!(
                    "holds a damaged database (`{}`: {why}). Put a backup of the whole directory in its place",
                    path.display()
                ),
            )
        };
        match log::hole(&path) {
            Ok(None) => {}
            Ok(Some(why)) => return Err(damaged(format!("its log has a hole: {why}"))),
            Err(error) => return Err(files::failed("reading", &path, &error)),
        }
        let opened = panics::guard("opening the database", || {
            let database = Self::open_files(&path)?;
            let state = database.get::<State>(&keys::state())?;
            Ok((database, state))
        });
        match opened {
            Ok((database, Some(state))) => Ok((database, state)),
            Ok((_, None)) => Err(damaged("it is empty".to_owned())),
            Err(StoreError::Io { why, .. }) if is_of_the_system(&why) => Err(unusable(
                directory.path(),
                &format!(
                    "can't be used: opening its database (`{}`): {why}. What was acknowledged is safe",
                    path.display()
                ),
            )),
            Err(StoreError::Io { why, .. } | StoreError::Damaged { why, .. }) => Err(damaged(why)),
            Err(error) => Err(error),
        }
    }

    /// Makes the database of a directory: sled creates its files without syncing them, so a mark says that it is being
    /// made until all of it is durable. It is made in its place: opened anew, sled would first write a whole segment.
    pub(crate) fn create(directory: &Directory) -> Result<(Self, State), StoreError> {
        let (path, mark) = (directory.database(), directory.new_database());
        files::touch_durably(&mark)?;
        let made = panics::guard("making the database", || {
            let (database, state) = (Self::make(&path)?, State::default());
            let key = keys::state();
            let bytes = codec::seal(&key, &state).map_err(|error| error.reading("the new database"))?;
            database.apply(Writes::from([(key, Some(bytes))]))?;
            database.sync()?;
            sync_files(&path)?;
            Ok((database, state))
        })?;
        files::remove_durably(&mark)?;
        Ok(made)
    }

    /// Makes an empty database to be filled and then [finished](Self::finish). Whatever is there is removed.
    pub(crate) fn make(path: &Path) -> Result<Self, StoreError> {
        files::remove_directory(path)?;
        Self::open_files(path)
    }

    /// Makes a new database durable, its files included, and lets go of it.
    pub(crate) fn finish(self, path: &Path) -> Result<(), StoreError> {
        self.sync()?;
        self.release(path);
        sync_files(path)
    }

    /// Closes the database, and waits until sled's threads have let go of its files.
    pub(crate) fn release(self, path: &Path) {
        drop(self);
        let Ok(file) = File::open(path.join("db")) else { return };
        for _ in 0..LOCK_TRIES {
            if file.try_lock().is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Opens the database in a directory of sled's files.
    pub(crate) fn open_at(path: &Path) -> Result<Self, StoreError> {
        panics::guard("opening the database", || Self::open_files(path))
    }

    fn open_files(path: &Path) -> Result<Self, StoreError> {
        remove_unfinished_snapshots(path).map_err(|error| files::failed("tidying", path, &error))?;
        let config = || {
            sled::Config::new()
                .path(path)
                .segment_size(SEGMENT_LEN)
                .cache_capacity(CACHE_LEN)
                .mode(sled::Mode::LowSpace)
        };
        let mut tree = config().open();
        for _ in 0..LOCK_TRIES {
            match &tree {
                // The directory's lock is ours, so this is an earlier store of this process.
                Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                    thread::sleep(Duration::from_millis(10));
                    tree = config().open();
                }
                _ => break,
            }
        }
        let tree = tree.map_err(|error| broken("opening the database", &error))?;
        let log = path.join("db");
        let file = File::options().write(true).open(&log).map_err(|error| files::failed("opening", &log, &error))?;
        Ok(Self { tree, log: Arc::new(file) })
    }

    /// A row.
    pub(crate) fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        self.get_bytes(key)?.map(|bytes| open(key, &bytes)).transpose()
    }

    /// A row as it stands.
    pub(crate) fn get_bytes(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.tree.get(key).map_err(|error| broken("reading the database", &error))
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> Result<u64, StoreError> {
        panics::guard("reading the database", || {
            self.range(Vec::new(), None).try_fold(0, |count, row| row.map(|_| count + 1))
        })
    }

    /// Whether any key begins with this.
    pub(crate) fn has(&self, prefix: &[u8]) -> Result<bool, StoreError> {
        self.scan(prefix).next().transpose().map(|row| row.is_some())
    }

    /// Keys that begin with this, with their rows, in order.
    pub(crate) fn scan(&self, prefix: &[u8]) -> impl DoubleEndedIterator<Item = Found> + use<> {
        self.tree.scan_prefix(prefix).map(found)
    }

    /// Keys from `from` on, before `end`.
    pub(crate) fn range(&self, from: Vec<u8>, end: Option<Vec<u8>>) -> impl DoubleEndedIterator<Item = Found> + use<> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        self.tree.range::<Vec<u8>, _>((Included(from), end.map_or(Unbounded, Excluded))).map(found)
    }

    /// Writes all of it or nothing. Durable only after [`Self::sync`].
    pub(crate) fn apply(&self, writes: Writes) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        // Whatever it is that fails here, half of the batch may have been put in.
        self.tree
            .apply_batch(batch)
            .map_err(|error| StoreError::Io { what: "writing the database".to_owned(), why: said(&error) })
    }

    /// Makes durable what was written. Sled's own flush hands it to the disk, but does not have the disk's cache
    /// written down, nor the file's length: after a power cut it was mostly gone.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.tree.flush().map_err(|error| broken("flushing the database", &error))?;
        self.log
            .sync_data()
            .map_err(|error| StoreError::Io { what: "syncing the database".to_owned(), why: files::why(&error) })
    }
}

/// A key and its row as it stands.
pub(crate) type Found = Result<(sled::IVec, sled::IVec), StoreError>;

fn found(found: Result<(sled::IVec, sled::IVec), sled::Error>) -> Found {
    found.map_err(|error| broken("reading the database", &error))
}

/// What an error of sled means. Where it could not read a page, only the rows on that page are concerned.
fn broken(what: &str, error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } => StoreError::Damaged {
            what: "a page of the database".to_owned(),
            why: "its checksum is wrong, so no row on it can be read (rows on other pages can)".to_owned(),
        },
        error => StoreError::Io { what: what.to_owned(), why: said(error) },
    }
}

/// What sled says of an error.
fn said(error: &sled::Error) -> String {
    match error {
        sled::Error::Io(error) => files::why(error),
        other => other.to_string(),
    }
}

/// Whether this is what the system said about a file, and not what sled found in it: a full or broken disk is no
/// damaged database. By its text, for sled panics with it too.
fn is_of_the_system(why: &str) -> bool {
    why.contains("(os error ") || why.contains(files::NO_SPACE)
}

/// Makes all files of a database durable.
fn sync_files(path: &Path) -> Result<(), StoreError> {
    let synced = || {
        for entry in fs::read_dir(path)? {
            File::open(entry?.path())?.sync_all()?;
        }
        files::sync_directory(path)
    };
    synced().map_err(|error| files::failed("syncing", path, &error))
}

/// The row that was kept under a key.
pub(crate) fn open<R: Row>(key: &[u8], bytes: &[u8]) -> Result<R, StoreError> {
    codec::open(key, bytes).map_err(|error| error.reading(format!("row {} of the database", hex(key))))
}

/// A process that is killed while sled writes a snapshot leaves `snap.….generating`, which sled 0.34 then takes for a
/// finished one and calls damaged. Snapshots only make opening quicker; an unfinished one is worth nothing.
fn remove_unfinished_snapshots(path: &Path) -> std::io::Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
