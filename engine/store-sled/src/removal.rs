//! What removes rows: the end of a run, and definitions that nobody needs.

use std::collections::BTreeSet;

use engine_core::event::{Event, Recorded};
use engine_core::id::{Digest, RunId};
use engine_core::time::Timestamp;
use engine_store::codec;
use engine_store::keys::{self, Space};
use engine_store::{Claim, ClaimState, Class, IndexRow, StoreError, TimerClock};

use crate::database::{self, Database, Writes};

/// The classes that a run may have.
pub(crate) const CLASSES: [Class; 5] = [Class::InFlight, Class::Dormant, Class::Paused, Class::Stuck, Class::Ended];

/// Records of events that are removed in one batch: others wait for it.
const CHUNK: usize = 512;

/// The writes that delete a run, and whether there are more to come: of a long history the first ones leave events
/// behind, which count as deleted from then on. None where nothing of it is there.
///
/// A damaged row is no reason to keep a run, so rows are found by their keys alone where that is possible.
pub(crate) fn of_run(database: &Database, run: RunId, claims_until: Timestamp) -> Result<(Writes, bool), StoreError> {
    let mut writes = Writes::new();
    let mut events = database.scan(&keys::of_run(Space::Events, run));
    for found in events.by_ref().take(CHUNK) {
        writes.insert(found?.0.to_vec(), None);
    }
    let more = events.next().is_some();
    let gone = keys::gone(run);
    if more {
        let present = codec::seal(&gone, &codec::Present).map_err(|error| error.reading("a deleted run"))?;
        writes.insert(gone, Some(present));
    } else if is_gone(database, run)? {
        writes.insert(gone, None);
    }
    for space in [Space::Index, Space::Inbox, Space::InboxId, Space::Mark] {
        for found in database.scan(&keys::of_run(space, run)) {
            writes.insert(found?.0.to_vec(), None);
        }
    }
    for key in CLASSES.map(|class| keys::class_run(class, run)) {
        if database.get_bytes(&key)?.is_some() {
            writes.insert(key, None);
        }
    }
    remove_timers(database, run, &mut writes)?;
    bury_claims(database, run, claims_until, &mut writes)?;
    Ok((writes, more))
}

/// Whether a run is deleted, although some of its events are still there.
pub(crate) fn is_gone(database: &Database, run: RunId) -> Result<bool, StoreError> {
    Ok(database.get_bytes(&keys::gone(run))?.is_some())
}

/// Ends deletions that a crash cut off.
pub(crate) fn finish(database: &Database) -> Result<(), StoreError> {
    let prefix = keys::space(Space::Gone);
    while let Some((key, _)) = database.scan(&prefix).next().transpose()? {
        let Some(run) = keys::run_at(&key, prefix.len()) else { return Ok(()) };
        let mut more = true;
        while more {
            let writes;
            (writes, more) = of_run(database, run, Timestamp::default())?;
            database.apply(writes)?;
        }
    }
    Ok(())
}

fn remove_timers(database: &Database, run: RunId, writes: &mut Writes) -> Result<(), StoreError> {
    let of_run = keys::of_run(Space::TimerOf, run);
    for found in database.scan(&of_run) {
        let (key, bytes) = found?;
        let codec::TimerOf { clock, due } = database::open(&key, &bytes)?;
        writes.insert(timer_by_due(&key, run, clock, due), None);
        writes.insert(key.to_vec(), None);
    }
    Ok(())
}

/// The key by due time of a timer that its run knows under `key`.
pub(crate) fn timer_by_due(key: &[u8], run: RunId, clock: TimerClock, due: Timestamp) -> Vec<u8> {
    let timer = key.get(keys::of_run(Space::TimerOf, run).len()..).unwrap_or_default();
    let mut by_due = keys::timers_from(clock, due);
    by_due.extend_from_slice(run.as_bytes());
    by_due.extend_from_slice(timer);
    by_due
}

fn bury_claims(database: &Database, run: RunId, until: Timestamp, writes: &mut Writes) -> Result<(), StoreError> {
    let of_run = keys::of_run(Space::ClaimOf, run);
    for found in database.scan(&of_run) {
        let key = found?.0;
        let mut name = keys::space(Space::Claim);
        name.extend_from_slice(key.get(of_run.len()..).unwrap_or_default());
        if let Some(claim) = database.get::<Claim>(&name)? {
            let buried = Claim { state: ClaimState::Tombstone { expires: until }, ..claim };
            let bytes = codec::seal(&name, &buried).map_err(|error| error.reading("a unique key"))?;
            writes.insert(name, Some(bytes));
        }
        writes.insert(key.to_vec(), None);
    }
    Ok(())
}

/// The definitions that runs are bound to, themselves or for their children.
///
/// Where one run can't be read nothing is known of what it needs, so then nothing may be swept.
pub(crate) fn definitions_in_use(database: &Database) -> Result<BTreeSet<Digest>, StoreError> {
    let mut used = BTreeSet::new();
    for found in database.scan(&keys::space(Space::Index)) {
        let (key, bytes) = found?;
        let row: IndexRow = database::open(&key, &bytes)?;
        used.insert(row.definition);
        let first = database.scan(&keys::of_run(Space::Events, row.run)).next().transpose()?;
        let Some((key, bytes)) = first else { continue };
        let events: Vec<Recorded> = database::open(&key, &bytes)?;
        if let Some(Recorded { event: Event::RunStarted(started), .. }) = events.first() {
            used.extend(started.children.iter().map(|(_, child)| *child));
        }
    }
    Ok(used)
}

/// The definitions that are current for a workflow.
pub(crate) fn current_definitions(database: &Database) -> Result<BTreeSet<Digest>, StoreError> {
    let rows = database.scan(&keys::space(Space::Current));
    rows.map(|found| {
        let (key, bytes) = found?;
        let current: codec::Current = database::open(&key, &bytes)?;
        Ok(current.definition)
    })
    .collect()
}

/// Whether anything in the database needs the blobs of this run. What waits in an inbox may name some as well.
pub(crate) fn needs_blobs(database: &Database, run: RunId) -> Result<bool, StoreError> {
    Ok(database.get_bytes(&keys::index(run))?.is_some() || database.has(&keys::of_run(Space::Inbox, run))?)
}
