//! What is too large for the database: blobs and definitions, each a file named by its digest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine_core::id::{Digest, RunId};
use engine_store::StoreError;
use engine_store::codec::{self, Frame};

use crate::directory::Directory;
use crate::files;

/// The files beside the database.
#[derive(Clone)]
pub(crate) struct Files {
    blobs: PathBuf,
    definitions: PathBuf,
    temporary: PathBuf,
    /// Names temporary files, so that two writers never share one.
    names: Arc<AtomicU64>,
}

impl Files {
    pub(crate) fn new(directory: &Directory) -> Self {
        Self {
            blobs: directory.blobs(),
            definitions: directory.definitions(),
            temporary: directory.temporary(),
            names: Arc::default(),
        }
    }

    /// Writes a blob, durable when this returns.
    pub(crate) fn put_blob(&self, run: RunId, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.of_run(run);
        files::make_directory(&folder)?;
        files::write_durably(&folder.join(digest.to_string()), &self.temporary_name(), bytes)
    }

    /// Reads a blob and checks it.
    pub(crate) fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError> {
        let damaged = |why: String| StoreError::Damaged { what: format!("blob {digest} of run {run}"), why };
        let bytes = fs::read(self.of_run(run).join(digest.to_string())).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::BlobMissing { run, digest },
            _ => damaged(error.to_string()),
        })?;
        if Digest::of(&bytes) == digest {
            Ok(bytes.into())
        } else {
            Err(damaged("its bytes have another digest".into()))
        }
    }

    /// Removes the blobs of a run.
    pub(crate) fn remove_blobs(&self, run: RunId) -> Result<(), StoreError> {
        files::remove_directory(&self.of_run(run))
    }

    /// Removes the blobs of runs that nobody needs: those of runs whose start or whose deletion a crash cut off.
    pub(crate) fn sweep_blobs(&self, needed: impl Fn(RunId) -> Result<bool, StoreError>) -> Result<u64, StoreError> {
        let mut swept = 0;
        for entry in list(&self.blobs)? {
            // What is not named as a run is not ours to remove.
            let Some(run) = entry.file_name().to_str().and_then(|name| name.parse::<RunId>().ok()) else { continue };
            if !needed(run)? {
                self.remove_blobs(run)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Writes a definition, durable when this returns. One that is there and sound is left alone.
    pub(crate) fn put_definition(&self, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        if self.definition(digest).is_ok_and(|found| found.is_some()) {
            return Ok(());
        }
        let sealed = codec::seal_bytes(Frame::Definition, digest.as_bytes(), bytes);
        files::write_durably(&self.definitions.join(digest.to_string()), &self.temporary_name(), &sealed)
    }

    /// Reads a definition.
    pub(crate) fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        let what = || format!("definition {digest}");
        let read = files::read_if_there(&self.definitions.join(digest.to_string()));
        let Some(sealed) = read.map_err(|error| StoreError::Damaged { what: what(), why: error.to_string() })? else {
            return Ok(None);
        };
        let opened = codec::open_bytes(Frame::Definition, digest.as_bytes(), &sealed);
        opened.map(|(_, bytes)| Some(bytes.into())).map_err(|error| error.reading(what()))
    }

    /// Removes definitions for which `kept` is false, and gives how many.
    pub(crate) fn sweep_definitions(&self, kept: impl Fn(&str) -> bool) -> Result<u64, StoreError> {
        let mut swept = 0;
        for entry in list(&self.definitions)? {
            if entry.file_name().to_str().is_some_and(|name| !kept(name)) {
                files::remove_durably(&entry.path())?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn of_run(&self, run: RunId) -> PathBuf {
        self.blobs.join(run.to_string())
    }

    fn temporary_name(&self) -> PathBuf {
        self.temporary.join(self.names.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    entries.map_err(|error| files::failed("reading", folder, &error))
}
