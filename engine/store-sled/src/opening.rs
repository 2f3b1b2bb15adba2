//! Opening a data directory: the checks that stand between a crash and a silent loss.

use std::path::Path;
use std::sync::Arc;

use engine_store::StoreError;
use engine_store::codec::{self, State};
use engine_store::keys;

use crate::blobs::Files;
use crate::compact;
use crate::database::{Database, Writes};
use crate::directory::{Directory, unusable};
use crate::files;
use crate::removal;
use crate::shared::{Progress, Shared};
use crate::watermark::{self, Mark, Watermark};
use crate::writer::{BeforeSync, Writer};

/// What an open store is made of.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) files: Files,
    pub(crate) writer: Writer,
    pub(crate) fence: u64,
    /// Whether the process before closed the store, or there was none.
    pub(crate) stopped_cleanly: bool,
}

/// Opens a directory. Sled is touched here already: call it on a thread that may panic.
pub(crate) fn open(path: &Path, before_sync: Option<BeforeSync>) -> Result<Opened, StoreError> {
    let directory = Directory::open(path)?;
    compact::settle(&directory)?;
    let clean = watermark::clean(&directory)?;
    let acknowledged = Watermark::read(&directory)?;
    let is_new = !directory.has_database();
    let (database, state) = if is_new { begin(&directory, acknowledged, clean)? } else { open_database(&directory)? };
    if acknowledged.is_none() && !is_new {
        tracing::warn!(
            commit = state.commit,
            "the data directory had no watermark: whether the database is complete is unknown"
        );
        Watermark::create(&directory, Mark { commit: state.commit, time: state.time })?;
    }
    let stopped_cleanly = clean.is_some() || state.fence == 0;
    if !stopped_cleanly {
        tracing::info!(commit = state.commit, "the store was not closed cleanly; nothing acknowledged is missing");
    }
    files::remove_durably(&directory.clean())?;

    removal::finish(&database)?;
    let state = raise_fence(&database, state)?;
    let files = Files::new(&directory);
    let swept = files.sweep_blobs(|run| removal::needs_blobs(&database, run))?;
    if swept > 0 {
        tracing::info!(runs = swept, "removed blobs that a crash had left behind");
    }
    let recent = removal::current_definitions(&database)?;
    let mut watermark = Watermark::open(&directory.watermark())?;
    watermark.note(Mark { commit: state.commit, time: state.time })?;
    let progress = Progress { synced: state.commit, time: state.time };
    let shared = Arc::new(Shared::new(database.clone(), directory, progress));
    let writer =
        Writer { shared: Arc::clone(&shared), database, files: files.clone(), watermark, state, recent, before_sync };
    Ok(Opened { shared, files, writer, fence: state.fence, stopped_cleanly })
}

/// Opens the database of a directory and checks that nothing acknowledged is missing at its end.
pub(crate) fn open_database(directory: &Directory) -> Result<(Database, State), StoreError> {
    let expected = expected(Watermark::read(directory)?, watermark::clean(directory)?);
    if expected > 0 && !directory.has_database() {
        return Err(lost(directory, "has no database any more", expected));
    }
    let (database, state) = Database::open(directory)?;
    if state.commit < expected {
        return Err(lost(directory, &format!("holds a database that ends at batch {}", state.commit), expected));
    }
    Ok((database, state))
}

/// The number of the last batch that is known to have been acknowledged.
pub(crate) fn expected(acknowledged: Option<Mark>, clean: Option<u64>) -> u64 {
    acknowledged.map(|mark| mark.commit).max(clean).unwrap_or_default()
}

/// Makes the database of a directory that has none, unless there was one.
fn begin(
    directory: &Directory,
    acknowledged: Option<Mark>,
    clean: Option<u64>,
) -> Result<(Database, State), StoreError> {
    let commit = expected(acknowledged, clean);
    if commit > 0 {
        return Err(lost(directory, "has no database any more", commit));
    }
    Watermark::create(directory, Mark::default())?;
    Database::create(directory)
}

fn lost(directory: &Directory, what: &str, expected: u64) -> StoreError {
    unusable(
        directory.path(),
        &format!(
            "{what}, but batch {expected} was acknowledged: something is missing. Either the disk lost what it had \
             reported as written, or files were replaced or removed. Put a backup of the whole directory in its place. \
             To go on without what is missing, delete `watermark` and `clean` in it and start again; steps of the \
             runs concerned may then be carried out a second time"
        ),
    )
}

/// Makes what an earlier owner may still try to commit void, durably.
fn raise_fence(database: &Database, state: State) -> Result<State, StoreError> {
    let state = State { commit: state.commit + 1, fence: state.fence + 1, ..state };
    let key = keys::state();
    let bytes = codec::seal(&key, &state).map_err(|error| error.reading("the state of the store"))?;
    database.apply(Writes::from([(key, Some(bytes))]))?;
    database.sync()?;
    Ok(state)
}
