//! Looking at everything that a store holds, and mending what follows from the histories.
//!
//! | module | what it does |
//! |---|---|
//! | `runs` | goes from run to run, whatever rows they have |
//! | `history` | one run's events, and the blobs that they name |
//! | `rows` | one run's other rows against its history |
//! | `beside` | rows of no run, files, the watermark |
//! | `repair` | writes rows anew that follow from histories |

mod beside;
mod history;
mod repair;
mod rows;
mod runs;

use std::path::Path;

use engine_store::{Diagnosis, StoreError};

use crate::blobs::Files;
use crate::compact;
use crate::database::Database;
use crate::directory::Directory;
use crate::panics;
use crate::shared::Look;

pub use repair::{Definitions, Rebuild, Rebuilt, Repaired, doctor_repair};

/// What to do about something that can't be made up from what is left.
const RESTORE: &str = "put a backup of the whole data directory in its place";

/// What to do about rows that follow from a history.
const REPAIR: &str = "stop the process that uses the data directory and have the doctor repair it";

/// Looks at everything in a data directory that no process uses: every row and its checksum, histories for gaps, the
/// rows that follow from them, definitions, blobs, and whether everything acknowledged is there. It takes its time.
///
/// Nothing of ours is written, and the directory counts as cleanly stopped afterwards where it did before; only a
/// compaction that was cut off is brought to its end, and sled brings its own files into order, as at every open.
///
/// What is wrong is in the [`Diagnosis`]. Fails as [`StoreError::InUse`] where a process uses the directory (ask that
/// one, by [`Keeper::diagnose`](engine_store::Keeper::diagnose)), and as [`StoreError::Unusable`] where it is not a
/// data directory at all.
pub fn doctor(path: &Path) -> Result<Diagnosis, StoreError> {
    panics::aside("doctor", || {
        let directory = Directory::existing(path)?;
        compact::settle(&directory)?;
        let mut diagnosis = Diagnosis::default();
        let database = match Database::open(&directory) {
            Ok((database, state)) => {
                beside::watermark(&directory, state, &mut diagnosis);
                database
            }
            Err(error) => {
                diagnosis.find_error(None, "the database", &error, RESTORE);
                return Ok(diagnosis);
            }
        };
        examine(&database, &Files::new(&directory), &mut diagnosis)?;
        database.release(&directory.database());
        Ok(diagnosis)
    })
}

/// What can't be looked at while a store is in use. Whoever opened it had that looked at.
const ONLY_WHEN_STOPPED: [&str; 2] =
    ["the log of the database", "the watermark (whether everything acknowledged is there)"];

/// Looks at everything in an open store, while it is read and written, a little slower.
pub(crate) fn of_open_store(look: &impl Look, files: &Files) -> Result<Diagnosis, StoreError> {
    let _held = files.hold();
    let left_out = ONLY_WHEN_STOPPED.map(str::to_owned).into();
    let mut diagnosis = Diagnosis { left_out, ..Diagnosis::default() };
    examine(look, files, &mut diagnosis)?;
    Ok(diagnosis)
}

/// Looks at everything behind this database.
pub(crate) fn examine(look: &impl Look, files: &Files, diagnosis: &mut Diagnosis) -> Result<(), StoreError> {
    let mut bound = std::collections::BTreeSet::new();
    let mut runs = runs::Runs::new();
    while let Some(run) = runs.next(look, diagnosis)? {
        rows::examine(look, files, run, &mut bound, diagnosis)?;
    }
    beside::timers(look, diagnosis)?;
    beside::claims(look, diagnosis)?;
    beside::current(look, &mut bound, diagnosis)?;
    beside::definitions(files, &bound, diagnosis);
    beside::blobs(look, files, diagnosis)
}
