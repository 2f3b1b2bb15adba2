//! Writing anew what follows from the histories.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::codec::{self, InboxId, Present, Row, TimerOf};
use engine_store::keys::{self, Space};
use engine_store::{Claim, ClaimState, Diagnosis, Finding, InboxRow, IndexRow, StoreError, TimerClock, TimerRow};

use super::history::Told;
use super::runs::Runs;
use super::{RESTORE, history};
use crate::blobs::Files;
use crate::compact;
use crate::database::{self, Database, Writes};
use crate::directory::Directory;
use crate::panics;
use crate::removal::{self, CLASSES};

/// Changes of stray rows to make together.
const CHUNK: usize = 256;

/// What follows from a run's history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rebuilt {
    /// Its index row.
    pub row: IndexRow,
    /// All of its timers.
    pub timers: Vec<TimerRow>,
    /// The unique keys that it should hold. They are put back where they are missing; keys beyond these stay as they
    /// are.
    pub claims: Vec<(String, Claim)>,
}

/// What a repair did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Repaired {
    /// Runs that were looked at.
    pub runs: u64,
    /// Runs of which rows were written.
    pub changed: u64,
    /// Rows that were written or removed.
    pub rows: u64,
    /// What could not be mended, and was left as it is.
    pub left: Vec<Finding>,
    /// How much more was left.
    pub more: u64,
}

/// The stored definitions, by digest.
pub type Definitions<'a> = dyn Fn(Digest) -> Result<Option<Arc<[u8]>>, StoreError> + 'a;

/// Gives what follows from a run's history, or why nothing does.
pub type Rebuild<'a> = dyn Fn(&Definitions<'_>, RunId, Vec<Recorded>) -> Result<Rebuilt, String> + Sync + 'a;

/// Writes the rows anew that follow from histories, in a data directory that no process uses: index, class and timer
/// rows, unique keys that are missing, and the ids of requests that wait in inboxes. What is right already is not
/// touched, and nothing is made up: a run whose history can't be read stays as it is, and is named.
///
/// `rebuild` is given every run with its history. Each run's rows change together, so that a repair may be killed at
/// any moment and made again. Have a look with [`doctor`](super::doctor) afterwards.
///
/// Fails as [`StoreError::InUse`] where a process uses the directory, and as [`StoreError::Unusable`] where its
/// database can't be opened. A database that lacks something at its end is repaired as far as it goes, and refused
/// afterwards as before.
pub fn doctor_repair(path: &Path, rebuild: &Rebuild<'_>) -> Result<Repaired, StoreError> {
    panics::aside("repair", || {
        let directory = Directory::existing(path)?;
        compact::settle(&directory)?;
        let (database, _) = Database::open(&directory)?;
        let files = Files::new(&directory);
        let rebuild = |run, events| rebuild(&|digest| files.definition(digest), run, events);
        let mut work =
            Work { database, left: Diagnosis::default(), left_runs: BTreeSet::new(), done: Repaired::default() };
        let mut runs = Runs::new();
        while let Some(run) = runs.next(&work.database, &mut work.left)? {
            work.done.runs += 1;
            work.run(run, &rebuild)?;
        }
        work.stray_timers()?;
        work.unknown_claims()?;
        let Work { database, left, done, .. } = work;
        database.sync()?;
        database.release(&directory.database());
        Ok(Repaired { left: left.findings, more: left.more, ..done })
    })
}

/// What follows from a run's history.
type Follows<'a> = dyn Fn(RunId, Vec<Recorded>) -> Result<Rebuilt, String> + 'a;

/// A repair under way.
struct Work {
    database: Database,
    left: Diagnosis,
    /// Runs that stay as they are.
    left_runs: BTreeSet<RunId>,
    done: Repaired,
}

impl Work {
    fn leave(&mut self, run: RunId, what: String, why: String, remedy: &str) {
        self.left_runs.insert(run);
        self.left.find(Finding { what, why, run: Some(run), remedy: remedy.to_owned() });
    }

    /// Mends the rows of one run.
    fn run(&mut self, run: RunId, rebuild: &Follows<'_>) -> Result<(), StoreError> {
        let mut mending = Mending { database: &self.database, run, writes: Writes::new(), problems: Vec::new() };
        let mended = mending.all(rebuild);
        let Mending { writes, problems, .. } = mending;
        let whole = match mended {
            Ok(()) => Ok(()),
            Err(Left::Error(error)) if error.is_fatal() => return Err(error),
            Err(Left::Error(StoreError::Damaged { what, why }) | Left::Why(what, why)) => Err((what, why)),
            Err(Left::Error(error)) => Err((format!("run {run}"), error.to_string())),
        };
        for (what, why) in problems {
            self.leave(run, what, why, RESTORE);
        }
        match whole {
            Ok(()) => self.write(writes),
            Err((what, why)) => {
                self.leave(run, what, why, RESTORE);
                Ok(())
            }
        }
    }

    /// Makes one change, durable, after looking whether all of its pages can be read: half a change must not be.
    fn write(&mut self, writes: Writes) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        for key in writes.keys() {
            let touched = self.database.get_bytes(key);
            if self.left.read(None, touched, RESTORE)?.is_none() {
                return Ok(());
            }
        }
        self.done.changed += 1;
        self.done.rows += writes.len() as u64;
        self.database.apply(writes)?;
        self.database.sync()
    }

    /// Removes timers by due time that their runs do not know.
    fn stray_timers(&mut self) -> Result<(), StoreError> {
        self.each(Space::Timer, |database, key, _| {
            let skip = keys::timers_from(TimerClock::Engine, Timestamp::default()).len();
            let Some(run) = keys::run_at(key, skip) else { return Ok(None) };
            let mut of = keys::of_run(Space::TimerOf, run);
            of.extend_from_slice(key.get(skip + 16..).unwrap_or_default());
            let known = database.get::<TimerOf>(&of)?;
            let known = known.is_some_and(|TimerOf { clock, due }| removal::timer_by_due(&of, run, clock, due) == key);
            Ok(if known { None } else { Some((run, (key.to_vec(), None))) })
        })
    }

    /// Lets runs know of the unique keys that they hold.
    fn unknown_claims(&mut self) -> Result<(), StoreError> {
        self.each(Space::Claim, |database, key, bytes| {
            let claim: Claim = database::open(key, bytes)?;
            let mut of = keys::of_run(Space::ClaimOf, claim.run);
            of.extend_from_slice(key.get(1..).unwrap_or_default());
            if claim.state != ClaimState::Live || database.get::<Present>(&of)?.is_some() {
                return Ok(None);
            }
            let present = codec::seal(&of, &Present).map_err(|error| error.reading("a unique key"))?;
            Ok(Some((claim.run, (of, Some(present)))))
        })
    }

    /// Goes through a space and makes the changes that `change` gives for its rows.
    fn each(
        &mut self,
        space: Space,
        change: impl Fn(&Database, &[u8], &[u8]) -> Result<Option<(RunId, Change)>, StoreError>,
    ) -> Result<(), StoreError> {
        let (mut from, mut stray) = (keys::space(space), Writes::new());
        let end = keys::after(&from);
        loop {
            let next = self.database.range(from, end.clone()).next();
            let Some(Some((key, bytes))) = next.map(|next| self.left.read(None, next, RESTORE)).transpose()? else {
                return self.write(stray);
            };
            let changed = change(&self.database, &key, &bytes);
            if let Some((run, (key, value))) = self.left.read(None, changed, RESTORE)?.flatten()
                && !self.left_runs.contains(&run)
            {
                stray.insert(key, value);
            }
            if stray.len() >= CHUNK {
                self.write(std::mem::take(&mut stray))?;
            }
            from = key.to_vec();
            from.push(0);
        }
    }
}

/// A key and what it is to lead to.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// Why a run is left as it is.
enum Left {
    Error(StoreError),
    /// What, and why.
    Why(String, String),
}

impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        Self::Error(error)
    }
}

/// One run whose rows are compared with what follows from its history.
struct Mending<'a> {
    database: &'a Database,
    run: RunId,
    writes: Writes,
    /// What stays wrong.
    problems: Vec<(String, String)>,
}

impl Mending<'_> {
    fn all(&mut self, rebuild: &Follows<'_>) -> Result<(), Left> {
        if removal::is_gone(self.database, self.run)? {
            return Ok(());
        }
        let mut told = Told::new(self.run);
        let events = told.rest(self.database, self.run)?;
        if let Some(error) = told.broken {
            return Err(error.into());
        }
        self.inbox()?;
        if told.last == Seq(0) {
            return self.without_history();
        }
        let index: Option<IndexRow> = self.readable(&keys::index(self.run))?;
        if let Some(row) = index
            && row.last > told.last
        {
            let why = format!("it ends at event {}, and its index row says event {}", told.last, row.last);
            return Err(Left::Why(history::what(self.run), why));
        }
        let follows = rebuild(self.run, events).map_err(|why| Left::Why(history::what(self.run), why))?;
        if follows.row.run != self.run || follows.row.last != told.last {
            let why = "the index row made from it is not one of this history".to_owned();
            return Err(Left::Why(history::what(self.run), why));
        }
        self.put(keys::index(self.run), &follows.row)?;
        for class in CLASSES {
            let key = keys::class_run(class, self.run);
            if class == follows.row.class { self.put(key, &Present)? } else { self.remove(key)? }
        }
        self.timers(&follows.timers)?;
        for (name, claim) in &follows.claims {
            self.claim(name, claim)?;
        }
        self.claims_of()
    }

    /// A run without a history is left alone; where something says that there was one, that is said.
    fn without_history(&self) -> Result<(), Left> {
        let spaces = [Space::Index, Space::TimerOf, Space::ClaimOf].map(|space| keys::of_run(space, self.run));
        for prefix in spaces.into_iter().chain(CLASSES.map(|class| keys::class_run(class, self.run))) {
            if self.database.has(&prefix)? {
                return Err(Left::Why(history::what(self.run), "it is missing as a whole".to_owned()));
            }
        }
        Ok(())
    }

    /// A row; none where it is damaged, too.
    fn readable<R: Row>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        Ok(self.database.get_bytes(key)?.and_then(|bytes| database::open(key, &bytes).ok()))
    }

    /// Has a row be as it should be.
    fn put<R: Row>(&mut self, key: Vec<u8>, row: &R) -> Result<(), StoreError> {
        let bytes = codec::seal(&key, row).map_err(|error| error.reading(format!("a row of run {}", self.run)))?;
        if self.database.get_bytes(&key)?.is_none_or(|found| found != bytes) {
            self.writes.insert(key, Some(bytes));
        }
        Ok(())
    }

    fn remove(&mut self, key: Vec<u8>) -> Result<(), StoreError> {
        if self.database.get_bytes(&key)?.is_some() {
            self.writes.insert(key, None);
        }
        Ok(())
    }

    fn timers(&mut self, timers: &[TimerRow]) -> Result<(), StoreError> {
        for found in self.database.scan(&keys::of_run(Space::TimerOf, self.run)) {
            let (key, bytes) = found?;
            if let Ok(TimerOf { clock, due }) = database::open(&key, &bytes) {
                self.remove(removal::timer_by_due(&key, self.run, clock, due))?;
            }
            self.remove(key.to_vec())?;
        }
        // What was right all the time is taken out of the removals again.
        for TimerRow { run, timer, due, clock } in timers {
            let (of, by_due) = (keys::timer_of(*run, timer), keys::timer(*clock, *due, *run, timer));
            let row = TimerRow { run: *run, timer: timer.clone(), due: *due, clock: *clock };
            self.writes.remove(&of);
            self.writes.remove(&by_due);
            self.put(of, &TimerOf { clock: *clock, due: *due })?;
            self.put(by_due, &row)?;
        }
        Ok(())
    }

    fn claim(&mut self, name: &str, claim: &Claim) -> Result<(), StoreError> {
        let key = keys::claim(name);
        let free = match self.readable::<Claim>(&key)? {
            None => true,
            Some(found) if found.run == self.run => found.state != ClaimState::Live,
            Some(found) => {
                let why = format!("run {} should hold it, and run {} does", self.run, found.run);
                self.problems.push((format!("the unique key `{name}`"), why));
                return Ok(());
            }
        };
        if free {
            self.put(key, claim)?;
        }
        self.put(keys::claim_of(self.run, name), &Present)
    }

    /// Has the run forget unique keys that others hold or nobody, and know those well that it holds.
    fn claims_of(&mut self) -> Result<(), Left> {
        let of_run = keys::of_run(Space::ClaimOf, self.run);
        for found in self.database.scan(&of_run) {
            let key = found?.0;
            let name = key.get(of_run.len()..).unwrap_or_default();
            let mut by_name = keys::space(Space::Claim);
            by_name.extend_from_slice(name);
            if self.writes.contains_key(&by_name) {
                continue;
            }
            match self.database.get::<Claim>(&by_name) {
                Ok(Some(claim)) if claim.run == self.run && claim.state == ClaimState::Live => {
                    self.put(key.to_vec(), &Present)?;
                }
                Ok(_) => self.remove(key.to_vec())?,
                Err(error) if error.is_fatal() => return Err(error.into()),
                Err(error) => {
                    let name = String::from_utf8_lossy(name);
                    self.problems.push((format!("the unique key `{name}`"), error.to_string()));
                }
            }
        }
        Ok(())
    }

    fn inbox(&mut self) -> Result<(), StoreError> {
        for found in self.database.scan(&keys::of_run(Space::Inbox, self.run)) {
            let (key, bytes) = found?;
            match database::open::<InboxRow>(&key, &bytes) {
                Ok(row) => {
                    let id = keys::inbox_id(self.run, &row.request_id);
                    self.put(id, &InboxId { arrival: row.arrival })?;
                }
                Err(error) => self.problems.push((format!("the inbox of run {}", self.run), error.to_string())),
            }
        }
        Ok(())
    }
}
