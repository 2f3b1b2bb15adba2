//! What is read, by threads of its own. Every function here may show what is not yet synced; who calls it waits.

use std::ops::ControlFlow;

use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::codec::{self, Row};
use engine_store::keys::{self, Space};
use engine_store::{Class, Cursor, Filter, InboxRow, IndexRow, Page, StoreError, TimerClock, TimerRow};

use crate::database::{self, Database};
use crate::removal;
use crate::shared::Shared;

/// Rows to read before a batch that waits gets its turn.
const CHUNK: usize = 256;

/// Records of events to read before a batch that waits gets its turn.
const CHUNK_RECORDS: usize = 64;

/// One row.
pub(crate) fn row<R: Row>(shared: &Shared, key: &[u8]) -> Result<Option<R>, StoreError> {
    shared.look(|database| database.get(key))
}

/// A run's index row. One that is missing while other rows of the run are there is damage.
pub(crate) fn index(shared: &Shared, run: RunId) -> Result<Option<IndexRow>, StoreError> {
    shared.look(|database| {
        let row: Option<IndexRow> = database.get(&keys::index(run))?;
        if row.is_none() && has_rows(database, run)? {
            let what = format!("the index row of run {run}");
            return Err(StoreError::Damaged { what, why: "it is missing".to_owned() });
        }
        Ok(row)
    })
}

/// Whether there is anything of a run that was begun, beside its index row.
pub(crate) fn has_rows(database: &Database, run: RunId) -> Result<bool, StoreError> {
    if removal::is_gone(database, run)? {
        return Ok(false);
    }
    if database.has(&keys::of_run(Space::Events, run))? {
        return Ok(true);
    }
    for class in removal::CLASSES {
        if database.get_bytes(&keys::class_run(class, run))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Events of a run. In chunks: a history only grows, so what was read before stays true, and the last chunk is read
/// between two batches.
pub(crate) fn events(shared: &Shared, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
    let mut events: Vec<Recorded> = Vec::new();
    let mut from = from.max(Seq(1));
    while events.len() < limit {
        let chunk = shared.look(|database| records(database, run, from))?;
        let Some(last) = chunk.last() else { break };
        from = last.seq.next();
        events.extend(chunk);
    }
    events.truncate(limit);
    Ok(events)
}

/// Events from `from` on, of some records; none where the history ends.
fn records(database: &Database, run: RunId, from: Seq) -> Result<Vec<Recorded>, StoreError> {
    if removal::is_gone(database, run)? {
        return Ok(Vec::new());
    }
    let all = keys::of_run(Space::Events, run);
    let at = keys::events(run, from);
    // The record that `from` stands in may begin before it.
    let start = match database.range(all.clone(), keys::after(&at)).next_back() {
        Some(found) => found?.0.to_vec(),
        None => at,
    };
    let mut events = Vec::new();
    let mut expected = from;
    for found in database.range(start, keys::after(&all)).take(CHUNK_RECORDS) {
        let (key, bytes) = found?;
        let record: Vec<Recorded> = codec::open(&key, &bytes).map_err(|error| error.reading(history(run)))?;
        for event in record.into_iter().filter(|event| event.seq >= from) {
            if event.seq != expected {
                return Err(missing(run, expected));
            }
            expected = expected.next();
            events.push(event);
        }
    }
    if events.is_empty() {
        let row: Option<IndexRow> = database.get(&keys::index(run))?;
        let expected = match row {
            Some(row) => row.last >= from,
            None => has_rows(database, run)? && !database.has(&all)?,
        };
        if expected {
            return Err(missing(run, from));
        }
    }
    Ok(events)
}

fn history(run: RunId) -> String {
    format!("the history of run {run}")
}

fn missing(run: RunId, seq: Seq) -> StoreError {
    StoreError::Damaged { what: history(run), why: format!("event {seq} is missing") }
}

/// The current definitions, by the names of their workflows.
pub(crate) fn current_definitions(shared: &Shared) -> Result<Vec<(String, Digest)>, StoreError> {
    let all = keys::space(Space::Current);
    let mut found = Vec::new();
    walk(shared, Walk { from: all.clone(), end: keys::after(&all), backwards: false }, |key, bytes| {
        let workflow = key.get(all.len()..).map(|name| String::from_utf8_lossy(name).into_owned());
        found.extend(workflow.zip(sound::<codec::Current>(key, bytes).map(|current| current.definition)));
        until(false)
    })?;
    Ok(found)
}

/// Index rows, newest first.
pub(crate) fn list(
    shared: &Shared,
    filter: &Filter,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page<IndexRow>, StoreError> {
    let all = keys::space(Space::Index);
    let end = match cursor {
        Some(cursor) => Some(keys::index(cursor.run()?)),
        None => keys::after(&all),
    };
    let mut rows = Vec::new();
    walk(shared, Walk { from: all, end, backwards: true }, |key, bytes| {
        rows.extend(sound::<IndexRow>(key, bytes).filter(|row| filter.admits(row)));
        until(rows.len() > limit)
    })?;
    Ok(Page::of(rows, limit, |row| row.run))
}

/// Runs of a class, oldest first.
pub(crate) fn runs_of(
    shared: &Shared,
    class: Class,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page<RunId>, StoreError> {
    let all = keys::class(class);
    let end = keys::after(&all);
    let from = match cursor {
        Some(cursor) => just_after(&keys::class_run(class, cursor.run()?)),
        None => all.clone(),
    };
    let mut runs = Vec::new();
    walk(shared, Walk { from, end, backwards: false }, |key, bytes| {
        let run = sound::<codec::Present>(key, bytes).and_then(|_| keys::run_at(key, all.len()));
        runs.extend(run);
        until(runs.len() > limit)
    })?;
    Ok(Page::of(runs, limit, |run| *run))
}

/// Timers due up to `latest`.
pub(crate) fn due_timers(
    shared: &Shared,
    clock: TimerClock,
    latest: Timestamp,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page<TimerRow>, StoreError> {
    // A cursor comes from outside: none leads out of these timers.
    let from = cursor.map_or_else(Vec::new, |cursor| just_after(&cursor.0)).max(keys::timers(clock));
    let end = keys::after(&keys::timers_from(clock, latest));
    let mut timers = Vec::new();
    walk(shared, Walk { from, end, backwards: false }, |key, bytes| {
        timers.extend(sound::<TimerRow>(key, bytes));
        until(timers.len() > limit)
    })?;
    Ok(Page::cut(timers, limit, Cursor::after_timer))
}

/// A run's inbox.
pub(crate) fn inbox(shared: &Shared, run: RunId) -> Result<Vec<InboxRow>, StoreError> {
    shared.look(|database| {
        let rows = database.scan(&keys::of_run(Space::Inbox, run));
        rows.map(|found| {
            let (key, bytes) = found?;
            codec::open(&key, &bytes).map_err(|error| error.reading(format!("the inbox of run {run}")))
        })
        .collect()
    })
}

/// Runs that have inbox rows. Jumps from run to run.
pub(crate) fn inbox_runs(shared: &Shared, cursor: Option<&Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
    let all = keys::space(Space::Inbox);
    let end = keys::after(&all);
    let beyond = |run| keys::after(&keys::of_run(Space::Inbox, run)).unwrap_or_default();
    let mut from = match cursor {
        Some(cursor) => beyond(cursor.run()?),
        None => all.clone(),
    };
    let mut runs = Vec::new();
    while runs.len() <= limit {
        let first = shared.look(|database| database.range(from.clone(), end.clone()).next().transpose())?;
        let Some(run) = first.and_then(|(key, _)| keys::run_at(&key, all.len())) else { break };
        runs.push(run);
        from = beyond(run);
    }
    Ok(Page::of(runs, limit, |run| *run))
}

/// A row of a list of many runs' rows. One that is damaged must not hide the others, so it is left out, and said.
fn sound<R: Row>(key: &[u8], bytes: &[u8]) -> Option<R> {
    match database::open(key, bytes) {
        Ok(row) => Some(row),
        Err(error) => {
            tracing::error!(%error, "left out of a list");
            None
        }
    }
}

/// Which keys to go through.
struct Walk {
    from: Vec<u8>,
    /// The first key that is not meant.
    end: Option<Vec<u8>>,
    backwards: bool,
}

/// Goes through keys until there are no more, or `each` has had enough; lets batches in between.
fn walk(
    shared: &Shared,
    mut walk: Walk,
    mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    loop {
        let chunk = shared.look(|database| {
            let range = database.range(walk.from.clone(), walk.end.clone());
            let rows: Result<Vec<_>, _> =
                if walk.backwards { range.rev().take(CHUNK).collect() } else { range.take(CHUNK).collect() };
            rows
        })?;
        for (key, bytes) in &chunk {
            if each(key, bytes).is_break() {
                return Ok(());
            }
        }
        match chunk.last() {
            Some((last, _)) if chunk.len() == CHUNK && walk.backwards => walk.end = Some(last.to_vec()),
            Some((last, _)) if chunk.len() == CHUNK => walk.from = just_after(last),
            _ => return Ok(()),
        }
    }
}

fn until(done: bool) -> ControlFlow<()> {
    if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The first key after this one.
fn just_after(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    key.push(0);
    key
}
