//! One run's rows against its history and each other.

use std::collections::BTreeSet;

use engine_core::id::{Digest, RunId, Seq};
use engine_store::codec::{InboxId, MarkValue, Present, Row, TimerOf};
use engine_store::keys::{self, Space};
use engine_store::{Claim, ClaimState, Diagnosis, Finding, InboxRow, IndexRow, StoreError, TimerRow};

use super::history::{self, Told};
use super::{REPAIR, RESTORE};
use crate::blobs::Files;
use crate::database::{self, Database};
use crate::removal::{self, CLASSES};
use crate::shared::Look;

/// Looks at all that there is of a run, and adds the definitions that it needs to `bound`.
pub(super) fn examine(
    look: &impl Look,
    files: &Files,
    run: RunId,
    bound: &mut BTreeSet<Digest>,
    diagnosis: &mut Diagnosis,
) -> Result<(), StoreError> {
    let mut found = Diagnosis::default();
    let mut told = Told::new(run);
    told.examine(look, files, run, &mut found)?;
    let seen = look.look(|database| {
        if removal::is_gone(database, run)? {
            return Ok(None);
        }
        let rest = told.rest(database, run)?;
        let is_there = database.has(&keys::of_run(Space::Events, run));
        let index = Checked::of(database, run, &mut found).index()?;
        // While a long history was removed in pieces, its end alone may have been there.
        let was_there = told.last > Seq(0) || told.broken.is_some();
        if matches!(is_there, Ok(false)) && index == Index::Absent && was_there {
            return Ok(None);
        }
        let mut checked = Checked::of(database, run, &mut found);
        checked.history(&told, &index);
        checked.classes(&told, &index)?;
        checked.timers(&told, &index)?;
        checked.inbox()?;
        checked.marks()?;
        checked.claims(&told, &index)?;
        Ok(Some((rest, index, checked.found.counts.inbox > 0)))
    })?;
    // What is found of a run that is deleted, perhaps meanwhile, does not count.
    let Some((rest, index, waiting)) = seen else { return Ok(()) };
    told.take(files, run, &rest, &mut found);
    // What waits in an inbox may name blobs too, in the words of whoever put it there.
    if told.broken.is_none() && told.last > Seq(0) && !waiting {
        let names = files.blobs_of(run)?;
        found.counts.orphan_blobs += names.iter().filter(|name| !told.blobs.contains(*name)).count() as u64;
    }
    found.counts.runs += u64::from(told.last > Seq(0) || index != Index::Absent);
    if let Index::Row(row) = index {
        bound.insert(row.definition);
    }
    bound.extend(&told.definitions);
    diagnosis.add(found);
    Ok(())
}

/// What is known of a run's index row.
#[derive(PartialEq)]
enum Index {
    Row(Box<IndexRow>),
    Damaged,
    Absent,
}

/// Keys with their rows, none where a row is damaged.
type Keyed<R> = Vec<(Vec<u8>, Option<R>)>;

/// A run's rows as they are between two batches.
struct Checked<'a> {
    database: &'a Database,
    run: RunId,
    found: &'a mut Diagnosis,
}

impl<'a> Checked<'a> {
    fn of(database: &'a Database, run: RunId, found: &'a mut Diagnosis) -> Self {
        Self { database, run, found }
    }

    fn find(&mut self, what: &str, why: impl Into<String>, remedy: &str) {
        let what = format!("{what} of run {}", self.run);
        self.found.find(Finding { what, why: why.into(), run: Some(self.run), remedy: remedy.to_owned() });
    }

    /// A row. None where it is not there, and where it is damaged, which is noted.
    fn get<R: Row>(&mut self, key: &[u8]) -> Result<Option<R>, StoreError> {
        let read = self.database.get(key);
        Ok(self.found.read(Some(self.run), read, REPAIR)?.flatten())
    }

    /// The rows of the run in a space; those that are damaged are noted.
    fn rows<R: Row>(&mut self, space: Space) -> Result<Keyed<R>, StoreError> {
        let mut rows = Vec::new();
        for found in self.database.scan(&keys::of_run(space, self.run)) {
            // What can't be read past ends the list.
            let Some((key, bytes)) = self.found.read(Some(self.run), found, RESTORE)? else { break };
            let row = self.found.read(Some(self.run), database::open(&key, &bytes), REPAIR)?;
            rows.push((key.to_vec(), row));
        }
        Ok(rows)
    }

    fn index(&mut self) -> Result<Index, StoreError> {
        let key = keys::index(self.run);
        match self.database.get::<IndexRow>(&key) {
            Ok(Some(row)) => Ok(Index::Row(Box::new(row))),
            Ok(None) => Ok(Index::Absent),
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                self.found.find_error(Some(self.run), "", &error, REPAIR);
                Ok(Index::Damaged)
            }
        }
    }

    /// The index row against the history's end.
    fn history(&mut self, told: &Told, index: &Index) {
        if let Some(error) = &told.broken {
            self.found.find_error(Some(self.run), &history::what(self.run), error, RESTORE);
            return;
        }
        match index {
            Index::Row(row) if row.last > told.last => {
                let why = format!("it ends at event {}, and its index row says event {}", told.last, row.last);
                self.find("the history", why, RESTORE);
            }
            Index::Row(row) if row.last < told.last => {
                let why =
                    format!("it says that the history ends at event {}, and that ends at {}", row.last, told.last);
                self.find("the index row", why, REPAIR);
            }
            Index::Row(row) if row.run != self.run => {
                self.find("the index row", format!("it is that of run {}", row.run), REPAIR);
            }
            Index::Absent if told.last > Seq(0) => self.find("the index row", "it is missing", REPAIR),
            Index::Row(_) | Index::Damaged | Index::Absent => {}
        }
    }

    fn classes(&mut self, told: &Told, index: &Index) -> Result<(), StoreError> {
        for class in CLASSES {
            let there = self.get::<Present>(&keys::class_run(class, self.run))?.is_some();
            match index {
                Index::Row(row) if row.class == class && !there => {
                    self.find("the class row", format!("it is missing ({class:?})"), REPAIR);
                }
                Index::Row(row) if row.class != class && there => {
                    let why = format!("there is one of class {class:?}, and the run is {:?}", row.class);
                    self.find("the class row", why, REPAIR);
                }
                Index::Absent if there && told.last == Seq(0) => {
                    let why = "it is missing as a whole: only a class row is left of the run";
                    self.find("the history", why, RESTORE);
                }
                Index::Row(_) | Index::Damaged | Index::Absent => {}
            }
        }
        Ok(())
    }

    fn timers(&mut self, told: &Told, index: &Index) -> Result<(), StoreError> {
        let rows = self.rows::<TimerOf>(Space::TimerOf)?;
        if !rows.is_empty() && told.last == Seq(0) && *index == Index::Absent {
            self.find("the history", "it is missing as a whole: a timer of the run is left", RESTORE);
        }
        for (key, row) in rows {
            let Some(TimerOf { clock, due }) = row else { continue };
            self.found.counts.timers += 1;
            let by_due = removal::timer_by_due(&key, self.run, clock, due);
            let before = self.found.findings.len();
            let timer: Option<TimerRow> = self.get(&by_due)?;
            let agrees = timer.as_ref().is_some_and(|row| keys::timer_of(row.run, &row.timer) == key);
            if !agrees && self.found.findings.len() == before {
                self.find(
                    "a timer",
                    format!("its row by due time ({due:?}) is missing, so it would not go off"),
                    REPAIR,
                );
            }
        }
        Ok(())
    }

    fn inbox(&mut self) -> Result<(), StoreError> {
        let (mut ids, mut sound) = (BTreeSet::new(), true);
        for (key, row) in self.rows::<InboxRow>(Space::Inbox)? {
            let Some(row) = row else {
                sound = false;
                continue;
            };
            self.found.counts.inbox += 1;
            let id = keys::inbox_id(self.run, &row.request_id);
            if key != keys::inbox(self.run, row.arrival) {
                self.find("an inbox row", format!("it stands in the place of another ({})", row.arrival), RESTORE);
            }
            if self.get::<InboxId>(&id)?.is_none_or(|id| id.arrival != row.arrival) {
                let why = format!("request `{}` is not known by its id, so a repeat of it would count", row.request_id);
                self.find("an inbox row", why, REPAIR);
            }
            ids.insert(id);
        }
        for (key, _) in self.rows::<InboxId>(Space::InboxId)? {
            // The id of a row that can't be read is not known.
            if sound && !ids.contains(&key) {
                self.find("an inbox row", "its request id is known, and the row itself is missing", RESTORE);
            }
        }
        Ok(())
    }

    fn marks(&mut self) -> Result<(), StoreError> {
        self.rows::<MarkValue>(Space::Mark).map(drop)
    }

    fn claims(&mut self, told: &Told, index: &Index) -> Result<(), StoreError> {
        let of_run = keys::of_run(Space::ClaimOf, self.run);
        for (key, _) in self.rows::<Present>(Space::ClaimOf)? {
            let name = key.get(of_run.len()..).unwrap_or_default();
            let mut by_name = keys::space(Space::Claim);
            by_name.extend_from_slice(name);
            let before = self.found.findings.len();
            let claim: Option<Claim> = self.get(&by_name)?;
            let held = claim.is_some_and(|claim| claim.run == self.run && claim.state == ClaimState::Live);
            let name = String::from_utf8_lossy(name);
            if !held && self.found.findings.len() == before {
                let why = format!("the run holds `{name}` by its own rows, and by those of the key it does not");
                self.find("a unique key", why, REPAIR);
            }
            if told.last == Seq(0) && *index == Index::Absent {
                let why = format!("it is missing as a whole, and the run still holds the unique key `{name}`");
                self.find("the history", why, RESTORE);
            }
        }
        Ok(())
    }
}
