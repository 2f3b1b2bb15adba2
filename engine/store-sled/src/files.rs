//! Files and directories that survive a power cut.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use engine_core::payload;
use engine_store::StoreError;

/// Writes a whole file: under a temporary name, synced, renamed, its directory synced. After a crash the file is
/// there as a whole, as it was before, or not at all.
pub(crate) fn write_durably(path: &Path, temporary: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = || -> io::Result<()> {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        sync_parent(path)
    };
    written().map_err(|error| failed("writing", path, &error))
}

/// Makes a file durable that may exist already, as one that says something by being there.
pub(crate) fn touch_durably(path: &Path) -> Result<(), StoreError> {
    let touched = || -> io::Result<()> {
        File::options().create(true).append(true).open(path)?;
        sync_parent(path)
    };
    touched().map_err(|error| failed("writing", path, &error))
}

/// Makes a directory durable that may exist already.
pub(crate) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let made = || -> io::Result<()> {
        match fs::create_dir(path) {
            Ok(()) => sync_parent(path),
            // It is not known whether the one who made it came as far as to sync it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => sync_parent(path),
            Err(error) => Err(error),
        }
    };
    made().map_err(|error| failed("making", path, &error))
}

/// Makes the removal of a file durable; one that is not there is no error.
pub(crate) fn remove_durably(path: &Path) -> Result<(), StoreError> {
    let removed = || -> io::Result<()> {
        match fs::remove_file(path) {
            Ok(()) => sync_parent(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    };
    removed().map_err(|error| failed("removing", path, &error))
}

/// Reads a whole file to be shared: what grows during the read is cut off, what shrinks is an error.
pub(crate) fn read_shared(path: &Path) -> io::Result<Arc<[u8]>> {
    let mut file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = payload::zeros(len);
    if let Some(bytes) = Arc::get_mut(&mut bytes) {
        file.read_exact(bytes)?;
    }
    Ok(bytes)
}

/// Removes a directory with all that is in it; one that is not there is no error.
pub(crate) fn remove_directory(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removing", path, &error)),
        _ => Ok(()),
    }
}

/// Removes the files in a directory.
pub(crate) fn empty_directory(path: &Path) -> Result<(), StoreError> {
    let emptied = || -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    };
    emptied().map_err(|error| failed("emptying", path, &error))
}

/// The bytes of a file; none where there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes that the files in a directory take on the disk.
pub(crate) fn size(path: &Path) -> Result<u64, StoreError> {
    use std::os::unix::fs::MetadataExt;
    let added = || -> io::Result<u64> {
        let mut size = 0;
        for entry in fs::read_dir(path)? {
            size += entry?.metadata()?.blocks() * 512;
        }
        Ok(size)
    };
    added().map_err(|error| failed("reading", path, &error))
}

/// Makes what was created, renamed or removed in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The same for the directory that holds `path`.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// What the system said, and what to do about it where that is plain.
pub(crate) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => NO_SPACE.to_owned(),
        _ => readable(&error.to_string()),
    }
}

/// What is said of a full disk, or a spent quota.
pub(crate) const NO_SPACE: &str = "no space is left on this disk: free some";

/// Sled passes errors of the system on as `Os { code: 5, kind: …, message: "…" }`, alone or in the text of a panic.
pub(crate) fn readable(text: &str) -> String {
    let parts = text.split_once("Os { code: ").and_then(|(_, rest)| {
        let (code, rest) = rest.split_once(',')?;
        let (_, rest) = rest.split_once("message: \"")?;
        Some((code, rest.split_once('"')?.0))
    });
    match parts {
        Some(("28" | "122", _)) => NO_SPACE.to_owned(),
        Some((code, message)) => format!("{message} (os error {code})"),
        None => text.to_owned(),
    }
}

/// What a failed operation on a path means to the caller.
pub(crate) fn failed(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Io { what: format!("{doing} `{}`", path.display()), why: why(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_readable() {
        let broken = io::Error::from_raw_os_error(5);
        assert_eq!(why(&broken), "Input/output error (os error 5)");
        assert_eq!(readable(&format!("{broken:?}")), why(&broken));
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(why(&full), NO_SPACE);
        assert_eq!(readable(&format!("unwrapped Err: Io({full:?})")), NO_SPACE);
        assert_eq!(readable("out of luck"), "out of luck");
    }
}
