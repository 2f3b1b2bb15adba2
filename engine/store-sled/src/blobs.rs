//! What is too large for the database: blobs and definitions, each a file named by its digest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    holding: Arc<Mutex<Holding>>,
}

/// Who keeps files from being removed.
#[derive(Default)]
struct Holding {
    holders: usize,
    /// Runs whose blobs are to be removed once nobody does.
    waiting: Vec<RunId>,
}

/// Keeps files from being removed until it is dropped.
pub(crate) struct Held(Files);

impl Drop for Held {
    fn drop(&mut self) {
        let waiting = {
            let mut holding = self.0.holding();
            holding.holders -= 1;
            if holding.holders > 0 { Vec::new() } else { std::mem::take(&mut holding.waiting) }
        };
        for run in waiting {
            // What can't be removed now is swept by the next open.
            if let Err(error) = files::remove_directory(&self.0.of_run(run)) {
                tracing::warn!(%error, "left blobs of a deleted run behind");
            }
        }
    }
}

impl Files {
    pub(crate) fn new(directory: &Directory) -> Self {
        Self {
            blobs: directory.blobs(),
            definitions: directory.definitions(),
            temporary: directory.temporary(),
            names: Arc::default(),
            holding: Arc::default(),
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
        let bytes =
            files::read_shared(&self.of_run(run).join(digest.to_string())).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => StoreError::BlobMissing { run, digest },
                _ => damaged(error.to_string()),
            })?;
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(damaged("its bytes have another digest".into())) }
    }

    /// Has blobs and definitions stay where they are, for a backup or the doctor: what rows named a moment ago is there.
    pub(crate) fn hold(&self) -> Held {
        self.holding().holders += 1;
        Held(self.clone())
    }

    fn holding(&self) -> MutexGuard<'_, Holding> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the blobs of a run; while files are held, afterwards.
    pub(crate) fn remove_blobs(&self, run: RunId) -> Result<(), StoreError> {
        let mut holding = self.holding();
        if holding.holders > 0 {
            holding.waiting.push(run);
            return Ok(());
        }
        drop(holding);
        files::remove_directory(&self.of_run(run))
    }

    /// Removes the blobs of runs that nobody needs: those of runs whose start or whose deletion a crash cut off.
    pub(crate) fn sweep_blobs(&self, needed: impl Fn(RunId) -> Result<bool, StoreError>) -> Result<u64, StoreError> {
        let mut swept = 0;
        for run in self.runs_with_blobs()? {
            if !needed(run)? {
                self.remove_blobs(run)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Runs that have a directory for blobs.
    pub(crate) fn runs_with_blobs(&self) -> Result<Vec<RunId>, StoreError> {
        // What is not named as a run is not ours.
        Ok(list(&self.blobs)?.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    /// The blobs of a run.
    pub(crate) fn blobs_of(&self, run: RunId) -> Result<Vec<Digest>, StoreError> {
        let folder = self.of_run(run);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        Ok(list(&folder)?.iter().filter_map(|entry| digest(entry.file_name().to_str()?)).collect())
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

    /// Copies all definitions, and the blobs of the runs that `needed` names, to a new directory, as they are: what is
    /// damaged stays so.
    pub(crate) fn copy_to(
        &self,
        to: &Self,
        needed: impl Fn(RunId) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        for entry in list(&self.definitions)? {
            to.copy_file(&entry.path(), &to.definitions.join(entry.file_name()))?;
        }
        for run in self.runs_with_blobs()? {
            if needed(run)? {
                files::make_directory(&to.of_run(run))?;
                for entry in list(&self.of_run(run))? {
                    to.copy_file(&entry.path(), &to.of_run(run).join(entry.file_name()))?;
                }
            }
        }
        Ok(())
    }

    fn copy_file(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let bytes = fs::read(from).map_err(|error| files::failed("reading", from, &error))?;
        files::write_durably(to, &self.temporary_name(), &bytes)
    }

    /// Removes definitions for which `kept` is false, and gives how many. While files are held none is removed.
    pub(crate) fn sweep_definitions(&self, kept: impl Fn(&str) -> bool) -> Result<u64, StoreError> {
        if self.holding().holders > 0 {
            return Ok(0);
        }
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

/// The digest that a file is named by.
fn digest(name: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if name.len() != 64 || !name.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(name.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Digest::from_bytes(bytes))
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    entries.map_err(|error| files::failed("reading", folder, &error))
}
