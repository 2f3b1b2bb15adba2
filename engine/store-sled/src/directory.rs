//! The data directory: whose it is, and that only one process uses it.
//!
//! ```text
//! format        names the program and the layout of the directory; `backup.unfinished` until a backup is whole
//! lock          locked by the process that uses it, which writes its id into it
//! db/           sled's files
//! db.new        while sled's files are made for the first time
//! db.compact/   sled's files while they are compacted; db.old/, those before, until they are removed
//! watermark     what was acknowledged last
//! clean         there after a clean stop: the number of the last batch
//! definitions/  one file for each definition, by digest
//! blobs/        one directory for each run, one file for each blob, by digest
//! tmp/          files not yet complete
//! control/      where the process that uses the directory listens: no affair of the store
//! ```

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use engine_store::StoreError;

use crate::files;

/// What `format` begins with.
const PROGRAM: &str = "engine data directory, layout ";

/// The layout that this version reads and writes.
const LAYOUT: u32 = 1;

/// The file `format` of this version.
const FORMAT: &str = "engine data directory, layout 1\n";

/// What a crash may leave of a directory that was being made: `lock` comes first and `format` last.
const BEGUN: [&str; 5] = ["lock", "tmp", "definitions", "blobs", "format.new"];

/// What a backup that was cut off may have in it, beside the file that says so.
const LEFT: [&str; 7] = ["lock", "tmp", "definitions", "blobs", "db", "watermark", "clean"];

/// Where the process that uses the directory listens. It is no affair of the store.
const CONTROL: &str = "control";

/// What `format` is called until a backup is complete.
pub(crate) const UNFINISHED: &str = "backup.unfinished";

/// A directory that belongs to this process until this is dropped.
pub(crate) struct Directory {
    path: PathBuf,
    _lock: Lock,
}

/// The lock of the operating system, which ends with the process however that ends.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    /// A process that is just being spawned has the file open too: closing it here would not be enough.
    fn drop(&mut self) {
        // Where it fails, closing it will do.
        let _ = self.0.unlock();
    }
}

impl Directory {
    /// Takes a directory, which is made where it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        make(path)?;
        check_format(path)?;
        let directory = Self { path: path.to_owned(), _lock: lock(path)? };
        // Whoever had it until now may have made it.
        let is_new = !check_format(path)?;
        directory.make_folders(is_new)?;
        if is_new {
            files::write_durably(&directory.format(), &path.join("format.new"), FORMAT.as_bytes())?;
        } else {
            files::empty_directory(&directory.temporary())?;
        }
        Ok(directory)
    }

    /// Takes a directory that is there, and makes nothing in it.
    pub(crate) fn existing(path: &Path) -> Result<Self, StoreError> {
        if !path.is_dir() {
            return Err(unusable(path, "is not there. Name one that is"));
        }
        if !check_format(path)? {
            return Err(unusable(path, "holds no data. Name one that does"));
        }
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
    }

    /// Makes a directory for a backup: one that no open takes for a whole one before [`Self::finish`]. What is left
    /// there of a backup that was cut off is removed.
    pub(crate) fn unfinished(path: &Path) -> Result<Self, StoreError> {
        make(path)?;
        check_free(path)?;
        let directory = Self { path: path.to_owned(), _lock: lock(path)? };
        // Whoever had it until now may have completed it.
        check_free(path)?;
        // It becomes `format` at the end. Until then it says, from before anything else is there, that this is no whole
        // directory; what is written in it does not matter.
        let marker = path.join(UNFINISHED);
        files::touch_durably(&marker)?;
        for folder in [directory.database(), directory.definitions(), directory.blobs(), directory.temporary()] {
            files::remove_directory(&folder)?;
        }
        for file in [directory.watermark(), directory.clean()] {
            files::remove_durably(&file)?;
        }
        directory.make_folders(true)?;
        files::write_durably(&marker, &directory.temporary().join("format"), FORMAT.as_bytes())?;
        Ok(directory)
    }

    /// Says that a backup is whole.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        let (unfinished, format) = (self.path.join(UNFINISHED), self.format());
        let renamed = fs::rename(unfinished, &format).and_then(|()| files::sync_directory(&self.path));
        renamed.map_err(|error| files::failed("writing", &format, &error))
    }

    fn make_folders(&self, is_new: bool) -> Result<(), StoreError> {
        for folder in [self.temporary(), self.definitions(), self.blobs()] {
            if is_new || !folder.is_dir() {
                files::make_directory(&folder)?;
            }
        }
        Ok(())
    }

    fn format(&self) -> PathBuf {
        self.path.join("format")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    /// Whether the database is there, made to its end.
    pub(crate) fn has_database(&self) -> bool {
        self.database().exists() && !self.new_database().exists()
    }

    pub(crate) fn new_database(&self) -> PathBuf {
        self.path.join("db.new")
    }

    pub(crate) fn compacted_database(&self) -> PathBuf {
        self.path.join("db.compact")
    }

    pub(crate) fn old_database(&self) -> PathBuf {
        self.path.join("db.old")
    }

    pub(crate) fn watermark(&self) -> PathBuf {
        self.path.join("watermark")
    }

    pub(crate) fn clean(&self) -> PathBuf {
        self.path.join("clean")
    }

    pub(crate) fn definitions(&self) -> PathBuf {
        self.path.join("definitions")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    pub(crate) fn temporary(&self) -> PathBuf {
        self.path.join("tmp")
    }
}

/// Makes a directory and those above it that are not there, each durable before the next.
fn make_durable(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_durable(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => files::sync_parent(path),
    }
}

fn make(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(unusable(path, "is a file. Name a directory, which is made if it is not there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_durable(path)
            .map_err(|error| unusable(path, &format!("can't be made ({error}). Name a directory that can"))),
        Err(error) => Err(unusable(path, &format!("can't be looked at ({error})"))),
    }
}

/// Refuses a directory that is another program's, before anything is written into it. Gives whether it is one of ours
/// already.
///
/// Another process may be making the directory meanwhile. `lock` comes first in that and `format` before the data, so
/// both are looked for after the names were listed: what was listed has then what must come before it.
fn check_format(path: &Path) -> Result<bool, StoreError> {
    let unreadable = |error: io::Error| unusable(path, &format!("can't be read ({error})"));
    let names = names(path).map_err(unreadable)?;
    let begun = path.join("lock").exists();
    let Some(format) = files::read_if_there(&path.join("format")).map_err(unreadable)? else {
        check_begun(path, &names, begun)?;
        return Ok(false);
    };
    let format = String::from_utf8_lossy(&format);
    match format.trim_end().strip_prefix(PROGRAM).and_then(|layout| layout.parse::<u32>().ok()) {
        Some(LAYOUT) => Ok(true),
        Some(layout) => Err(unusable(
            path,
            &format!("has layout {layout}, and this version reads layout {LAYOUT}. Use the version that wrote it"),
        )),
        None if has_data(&names) => Err(unusable(
            path,
            &format!(
                "has a damaged file `format`. Write the line `{PROGRAM}{LAYOUT}` into it, or put a backup of the whole \
                 directory in its place"
            ),
        )),
        None => Err(unusable(path, "belongs to another program: its file `format` says so. Name another directory")),
    }
}

/// Refuses a directory without `format`, unless there is nothing in it that a crash could not have left while it was
/// being made.
fn check_begun(path: &Path, names: &[OsString], begun: bool) -> Result<(), StoreError> {
    if names.iter().any(|name| name == UNFINISHED) {
        return Err(unusable(
            path,
            "is a backup that was not finished: something is missing in it. Make it anew, by `backup` to the same place",
        ));
    }
    if has_data(names) {
        return Err(unusable(
            path,
            &format!(
                "has lost its file `format`, perhaps other files with it. Put a backup of the whole directory in its \
                 place; or, if nothing else is missing, write the line `{PROGRAM}{LAYOUT}` into `format`"
            ),
        ));
    }
    let ours = |name: &OsString| name == CONTROL || begun && BEGUN.iter().any(|ours| name == ours);
    match names.iter().find(|name| !ours(name)) {
        None => Ok(()),
        Some(name) => {
            let name = name.to_string_lossy();
            Err(unusable(path, &format!("holds something else (`{name}`). Name an empty directory")))
        }
    }
}

/// Refuses a directory for a backup where anything is that a backup which was cut off has not left there.
fn check_free(path: &Path) -> Result<(), StoreError> {
    let listed = names(path).map_err(|error| unusable(path, &format!("can't be read ({error})")))?;
    let is_left = |name: &OsString| name == UNFINISHED || LEFT.iter().any(|left| name == left);
    let is_unfinished = listed.iter().any(|name| name == UNFINISHED) && listed.iter().all(is_left);
    if is_unfinished || listed.iter().all(|name| name == "lock") {
        return Ok(());
    }
    Err(unusable(path, "is not empty. Name an empty directory for the backup, or one that is not there"))
}

fn names(path: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Whether these are names of a directory that was in use.
fn has_data(names: &[OsString]) -> bool {
    ["db", "watermark"].iter().all(|data| names.iter().any(|name| name == data))
}

fn lock(path: &Path) -> Result<Lock, StoreError> {
    let file = path.join("lock");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file);
    let mut lock = opened.map_err(|error| {
        unusable(path, &format!("can't be written ({error}). Give this user the right to, or name another directory"))
    })?;
    match lock.try_lock() {
        Ok(()) => {
            let noted =
                lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
            if let Err(error) = noted {
                // It only tells others who has it. A full disk must not keep anybody from looking.
                tracing::warn!(%error, "the file `lock` could not be written");
            }
            Ok(Lock(lock))
        }
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // A process that has only just taken it may not have written its id yet.
            let pid = lock.read_to_string(&mut owner).ok().and_then(|_| owner.trim().parse().ok());
            Err(StoreError::InUse { path: path.display().to_string(), pid })
        }
        Err(TryLockError::Error(error)) => {
            Err(unusable(path, &format!("can't be locked ({error}). Name a directory on a file system that has locks")))
        }
    }
}

/// Says of a directory what is wrong with it.
pub(crate) fn unusable(path: &Path, what: &str) -> StoreError {
    StoreError::Unusable(format!("the data directory `{}` {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backup that was cut off is no directory at any moment, and the next one takes its place.
    #[test]
    fn a_process_that_is_just_being_spawned_keeps_no_directory() {
        let folder = tempfile::tempdir().unwrap();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    std::process::Command::new("true").status().unwrap();
                }
            });
            let taken: Vec<_> = (0..300).map(|_| Directory::open(folder.path()).map(drop)).collect();
            is_over.store(true, std::sync::atomic::Ordering::SeqCst);
            assert!(taken.iter().all(Result::is_ok), "{:?}", taken.iter().find(|taken| taken.is_err()));
        });
    }

    #[test]
    fn a_backup_that_has_hardly_begun_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lock"), "").unwrap();
        check_free(folder.path()).unwrap();
        fs::write(folder.path().join(UNFINISHED), "").unwrap();
        for made in ["tmp", "definitions", "blobs"] {
            assert!(check_format(folder.path()).unwrap_err().to_string().contains("not finished"), "{made}");
            check_free(folder.path()).unwrap();
            fs::create_dir(folder.path().join(made)).unwrap();
        }
        drop(Directory::unfinished(folder.path()).unwrap());
        assert!(check_format(folder.path()).unwrap_err().to_string().contains("not finished"));
    }

    /// A look at a directory that another process is making finds nothing wrong with it at any moment.
    #[test]
    fn a_directory_that_is_being_made_is_no_other_programs() {
        for _ in 0..100 {
            let folder = tempfile::tempdir().unwrap();
            std::thread::scope(|scope| {
                let making = scope.spawn(|| Directory::open(folder.path()));
                while !making.is_finished() {
                    check_format(folder.path()).unwrap();
                }
                making.join().unwrap().unwrap();
            });
        }
    }
}
