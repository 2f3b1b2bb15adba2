//! What belongs to no run alone: timers by due time, unique keys, definitions, files, the watermark.

use std::collections::BTreeSet;

use engine_core::id::{Digest, RunId};
use engine_store::codec::{Current, Present, State, TimerOf};
use engine_store::keys::{self, Space};
use engine_store::{Claim, ClaimState, Diagnosis, Finding, StoreError, TimerRow};

use super::{REPAIR, RESTORE};
use crate::blobs::Files;
use crate::database::{self, Database};
use crate::directory::Directory;
use crate::opening;
use crate::shared::Look;
use crate::watermark::{self, Watermark};

/// Rows to look at before a batch that waits gets its turn.
const CHUNK: usize = 256;

/// Whether everything acknowledged is there.
pub(super) fn watermark(directory: &Directory, state: State, diagnosis: &mut Diagnosis) {
    let mut find = |why: String, remedy: &str| {
        let what = "the watermark".to_owned();
        diagnosis.find(Finding { what, why, run: None, remedy: remedy.to_owned() });
    };
    let clean = watermark::clean(directory).ok().flatten();
    let acknowledged = match Watermark::read(directory) {
        Ok(Some(mark)) => Some(mark),
        Ok(None) => {
            let why = "it is missing, so it is unknown whether the database is complete";
            find(why.to_owned(), "nothing: the next open makes a new one");
            None
        }
        Err(error) => return find(error.to_string(), RESTORE),
    };
    let expected = opening::expected(acknowledged, clean);
    if expected > state.commit {
        let why = format!("batch {expected} was acknowledged, and the database ends at batch {}", state.commit);
        find(why, RESTORE);
    }
}

/// Goes through a space; what can't be read is noted.
fn each(
    look: &impl Look,
    space: Space,
    diagnosis: &mut Diagnosis,
    mut each: impl FnMut(&Database, &[u8], &[u8], &mut Diagnosis) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = keys::space(space);
    let end = keys::after(&from);
    loop {
        let last = look.look(|database| {
            let mut last = None;
            for found in database.range(from.clone(), end.clone()).take(CHUNK) {
                let Some((key, bytes)) = diagnosis.read(None, found, RESTORE)? else { return Ok(None) };
                each(database, &key, &bytes, diagnosis)?;
                last = Some(key);
            }
            Ok(last)
        })?;
        let Some(last) = last else { return Ok(()) };
        from = last.to_vec();
        from.push(0);
    }
}

/// Timers by due time: whether their runs know of them.
pub(super) fn timers(look: &impl Look, diagnosis: &mut Diagnosis) -> Result<(), StoreError> {
    each(look, Space::Timer, diagnosis, |database, key, bytes, diagnosis| {
        let read = database::open::<TimerRow>(key, bytes);
        let Some(row) = diagnosis.read(None, read, REPAIR)? else { return Ok(()) };
        let of: Option<Result<TimerOf, _>> = database.get(&keys::timer_of(row.run, &row.timer)).transpose();
        let known = match of {
            Some(Ok(of)) => keys::timer(of.clock, of.due, row.run, &row.timer) == key,
            // It is noted with its run.
            Some(Err(_)) => true,
            None => false,
        };
        if !known {
            diagnosis.find(Finding {
                what: format!("a timer of run {}", row.run),
                why: format!("it is due at {:?}, and the run does not know it: it would go off for nothing", row.due),
                run: Some(row.run),
                remedy: REPAIR.to_owned(),
            });
        }
        Ok(())
    })
}

/// Unique keys: whether the runs that hold them are there and know of them.
pub(super) fn claims(look: &impl Look, diagnosis: &mut Diagnosis) -> Result<(), StoreError> {
    each(look, Space::Claim, diagnosis, |database, key, bytes, diagnosis| {
        let read = database::open::<Claim>(key, bytes);
        let Some(claim) = diagnosis.read(None, read, REPAIR)? else { return Ok(()) };
        let ClaimState::Live = claim.state else { return Ok(()) };
        diagnosis.counts.claims += 1;
        let name = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
        let known = database.get::<Present>(&keys::claim_of(claim.run, &name));
        let mut find = |why: String, remedy: &str| {
            let what = format!("the unique key `{name}`");
            diagnosis.find(Finding { what, why, run: Some(claim.run), remedy: remedy.to_owned() });
        };
        if matches!(known, Ok(None)) {
            find(format!("run {} holds it and does not know it", claim.run), REPAIR);
        }
        if !exists(database, claim.run)? {
            find(format!("run {}, which holds it, is missing as a whole", claim.run), RESTORE);
        }
        Ok(())
    })
}

/// Whether anything of a run is there; what can't be read is.
fn exists(database: &Database, run: RunId) -> Result<bool, StoreError> {
    for prefix in [keys::index(run), keys::of_run(Space::Events, run)] {
        match database.has(&prefix) {
            Err(error) if error.is_fatal() => return Err(error),
            Ok(false) => {}
            Ok(true) | Err(_) => return Ok(true),
        }
    }
    Ok(false)
}

/// Workflows' current definitions, which are added to `bound`.
pub(super) fn current(
    look: &impl Look,
    bound: &mut BTreeSet<Digest>,
    diagnosis: &mut Diagnosis,
) -> Result<(), StoreError> {
    each(look, Space::Current, diagnosis, |_, key, bytes, diagnosis| {
        let read = database::open::<Current>(key, bytes);
        let remedy = "start a run of that workflow from its file once more: that makes its definition the current one";
        bound.extend(diagnosis.read(None, read, remedy)?.map(|current| current.definition));
        Ok(())
    })
}

/// Definitions that are needed: whether they are there as they were written. What their digests mean only those know
/// who put them.
pub(super) fn definitions(files: &Files, bound: &BTreeSet<Digest>, diagnosis: &mut Diagnosis) {
    for digest in bound {
        let (what, remedy) = (
            format!("definition {digest}"),
            format!("start a run from the same workflow file once more; or {RESTORE}"),
        );
        match files.definition(*digest) {
            Ok(Some(_)) => diagnosis.counts.definitions += 1,
            Ok(None) => {
                let why = "it is missing: runs that are bound to it can't go on".to_owned();
                diagnosis.find(Finding { what, why, run: None, remedy });
            }
            Err(error) => diagnosis.find_error(None, &what, &error, &remedy),
        }
    }
}

/// Counts the blobs of runs of which nothing else is there. The next open removes them.
pub(super) fn blobs(look: &impl Look, files: &Files, diagnosis: &mut Diagnosis) -> Result<(), StoreError> {
    for run in files.runs_with_blobs()? {
        let needed = look.look(|database| {
            let waiting = database.has(&keys::of_run(Space::Inbox, run));
            Ok(!matches!(waiting, Ok(false)) || exists(database, run)?)
        })?;
        if !needed {
            diagnosis.counts.orphan_blobs += files.blobs_of(run)?.len() as u64;
        }
    }
    Ok(())
}
