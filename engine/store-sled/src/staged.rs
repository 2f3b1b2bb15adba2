//! Units put together into one batch. Each sees the ones before it, and leaves no trace where it fails.

use engine_core::id::{RunId, Seq};
use engine_store::codec::{self, InboxId, MarkValue, Present, Row, State, TimerOf};
use engine_store::{
    Claim, ClaimChange, ClaimState, CommitError, Fence, InboxRow, IndexRow, RunWrite, StoreError, TimerKey, TimerRow,
    keys,
};

use crate::database::{self, Database, Writes};
use crate::encoded::Encoded;
use crate::reader;
use crate::removal;

/// What will be written with the next batch.
#[derive(Default)]
pub(crate) struct Staged {
    writes: Writes,
    state: State,
}

impl Staged {
    /// Nothing yet, on top of this state.
    pub(crate) fn new(state: State) -> Self {
        Self { writes: Writes::new(), state }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Adds a unit, or nothing of it.
    pub(crate) fn add(&mut self, database: &Database, unit: Encoded) -> Result<Seq, CommitError> {
        let mut view = View { database, staged: &self.writes, own: Writes::new(), state: self.state };
        let index = unit.unit.run.as_ref().map(|write| keys::index(write.run));
        let last = view.unit(unit)?;
        let View { own, state, .. } = view;
        // A page that can't be read must fail this unit, not the batch half put in. The index row was read just now.
        for key in own.keys().filter(|key| Some(*key) != index.as_ref()) {
            database.get_bytes(key)?;
        }
        self.writes.extend(own);
        self.state = state;
        Ok(last)
    }

    /// Adds single writes.
    pub(crate) fn add_writes(&mut self, writes: Writes) {
        self.writes.extend(writes);
    }

    /// A row as the batch so far leaves it.
    pub(crate) fn get<R: Row>(&self, database: &Database, key: &[u8]) -> Result<Option<R>, StoreError> {
        read(&[&self.writes], database, key)
    }

    /// Gives the batch away, with the row that says how far it goes, and is empty again.
    pub(crate) fn take(&mut self) -> Result<(State, Writes), StoreError> {
        self.state.commit += 1;
        let mut writes = std::mem::take(&mut self.writes);
        let key = keys::state();
        let state = codec::seal(&key, &self.state).map_err(|error| error.reading("the state of the store"))?;
        writes.insert(key, Some(state));
        Ok((self.state, writes))
    }
}

fn read<R: Row>(layers: &[&Writes], database: &Database, key: &[u8]) -> Result<Option<R>, StoreError> {
    for layer in layers {
        if let Some(write) = layer.get(key) {
            return write.as_ref().map(|bytes| database::open(key, bytes)).transpose();
        }
    }
    database.get(key)
}

/// The database as one unit sees it: what it has written itself, then the units before it, then what is there.
struct View<'a> {
    database: &'a Database,
    staged: &'a Writes,
    own: Writes,
    state: State,
}

impl View<'_> {
    fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, CommitError> {
        Ok(read(&[&self.own, self.staged], self.database, key)?)
    }

    fn put<R: Row>(&mut self, run: RunId, key: Vec<u8>, row: &R) -> Result<(), CommitError> {
        let bytes = codec::seal(&key, row).map_err(|error| error.committing(run, format!("{:?} row", R::FRAME)))?;
        self.own.insert(key, Some(bytes));
        Ok(())
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.own.insert(key, None);
    }

    fn unit(&mut self, encoded: Encoded) -> Result<Seq, CommitError> {
        let Encoded { unit, records, index, time } = encoded;
        let about = unit.about();
        let mut last = Seq(0);
        if let Some(write) = &unit.run {
            self.run(write, index)?;
            last = write.row.last;
        }
        self.own.extend(records.into_iter().map(|record| (record.key, Some(record.bytes))));
        for (run, arrival) in unit.inbox_consumed {
            self.consume(run, arrival)?;
        }
        for row in unit.inbox_put {
            self.put_inbox(row)?;
        }
        for (run, timer) in &unit.timers_removed {
            self.remove_timer(*run, timer)?;
        }
        for row in &unit.timers_set {
            self.set_timer(row)?;
        }
        for mark in unit.marks {
            self.put(mark.run, keys::mark(mark.run, &mark.name), &MarkValue { value: mark.value })?;
        }
        for change in &unit.claims {
            self.change_claim(about, change)?;
        }
        self.state.time = self.state.time.max(time);
        Ok(last)
    }

    fn run(&mut self, write: &RunWrite, index: Vec<u8>) -> Result<(), CommitError> {
        let RunWrite { run, expected, fence, row, .. } = write;
        let (run, expected) = (*run, *expected);
        if *fence != Fence(self.state.fence) {
            return Err(CommitError::Fenced { run });
        }
        let key = keys::index(run);
        let before: Option<IndexRow> = self.get(&key)?;
        let found = before.as_ref().map_or(Seq(0), |before| before.last);
        if before.is_none() && removal::is_gone(self.database, run)? {
            return Err(CommitError::Malformed { run, why: "it is being deleted".to_owned() });
        }
        if before.is_none() && expected > Seq(0) && reader::has_rows(self.database, run)? {
            let what = format!("the index row of run {run}");
            return Err(CommitError::Damaged { what, why: "it is missing".to_owned() });
        }
        if found != expected {
            return Err(CommitError::Conflict { run, expected, found });
        }
        let class = before.map(|before| before.class);
        if class != Some(row.class) {
            if let Some(class) = class {
                self.remove(keys::class_run(class, run));
            }
            self.put(run, keys::class_run(row.class, run), &Present)?;
        }
        self.own.insert(key, Some(index));
        Ok(())
    }

    fn consume(&mut self, run: RunId, arrival: u64) -> Result<(), CommitError> {
        let key = keys::inbox(run, arrival);
        let row: InboxRow = self.get(&key)?.ok_or(CommitError::InboxGone { run, arrival })?;
        self.remove(keys::inbox_id(run, &row.request_id));
        self.remove(key);
        Ok(())
    }

    fn put_inbox(&mut self, row: InboxRow) -> Result<(), CommitError> {
        let id = keys::inbox_id(row.run, &row.request_id);
        if self.get::<InboxId>(&id)?.is_some() {
            return Ok(());
        }
        self.state.arrivals += 1;
        let arrival = self.state.arrivals;
        self.put(row.run, id, &InboxId { arrival })?;
        self.put(row.run, keys::inbox(row.run, arrival), &InboxRow { arrival, ..row })
    }

    fn remove_timer(&mut self, run: RunId, timer: &TimerKey) -> Result<(), CommitError> {
        let key = keys::timer_of(run, timer);
        if let Some(TimerOf { clock, due }) = self.get(&key)? {
            self.remove(keys::timer(clock, due, run, timer));
            self.remove(key);
        }
        Ok(())
    }

    fn set_timer(&mut self, row: &TimerRow) -> Result<(), CommitError> {
        let TimerRow { run, timer, due, clock } = row;
        self.remove_timer(*run, timer)?;
        self.put(*run, keys::timer_of(*run, timer), &TimerOf { clock: *clock, due: *due })?;
        self.put(*run, keys::timer(*clock, *due, *run, timer), row)
    }

    fn change_claim(&mut self, about: RunId, change: &ClaimChange) -> Result<(), CommitError> {
        let name = change.key();
        let key = keys::claim(name);
        let before: Option<Claim> = self.get(&key)?;
        let after = change.apply(before.as_ref())?;
        if let Some(before) = before {
            self.remove(keys::claim_of(before.run, name));
        }
        let Some(claim) = after else {
            self.remove(key);
            return Ok(());
        };
        if claim.state == ClaimState::Live {
            self.put(about, keys::claim_of(claim.run, name), &Present)?;
        }
        self.put(about, key, &claim)
    }
}
