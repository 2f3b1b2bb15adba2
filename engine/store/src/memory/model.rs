//! What a store holds and how a unit changes it, as plainly as it can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine_core::event::{Event, Recorded};
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;

use crate::codec;
use crate::error::{CommitError, StoreError};
use crate::keys;
use crate::row::{Class, Filter, InboxRow, IndexRow, TimerClock, TimerKey, TimerRow};
use crate::unit::{Claim, ClaimState, Fence, RunWrite, Unit};
use crate::{Cursor, Page};

/// All that is durable.
#[derive(Default)]
pub(super) struct Model {
    runs: BTreeMap<RunId, Run>,
    classes: BTreeSet<(Class, RunId)>,
    timers: BTreeMap<(RunId, TimerKey), TimerRow>,
    due: BTreeSet<(TimerClock, Timestamp, RunId, TimerKey)>,
    inbox: BTreeMap<(RunId, u64), InboxRow>,
    arrivals: u64,
    marks: BTreeMap<(RunId, String), Vec<u8>>,
    claims: BTreeMap<String, Claim>,
    definitions: BTreeMap<Digest, Arc<[u8]>>,
    current: BTreeMap<String, Digest>,
    /// Definitions that were current since the store was opened.
    recent: BTreeSet<Digest>,
    blobs: BTreeMap<(RunId, Digest), Arc<[u8]>>,
    time: Timestamp,
}

struct Run {
    events: Vec<Recorded>,
    row: IndexRow,
}

impl Model {
    /// Applies a unit, or leaves everything as it was.
    pub(super) fn commit(&mut self, unit: Unit, fence: Fence) -> Result<Seq, CommitError> {
        check_sizes(&unit)?;
        if let Some(write) = &unit.run {
            self.check_run(write, fence)?;
        }
        self.check_inbox(&unit)?;
        let claims = self.changed_claims(&unit)?;

        self.time = self.time.max(unit.time());
        let last = unit.run.map_or(Seq(0), |write| self.write_run(write));
        for consumed in unit.inbox_consumed {
            self.inbox.remove(&consumed);
        }
        for row in unit.inbox_put {
            self.put_inbox(row);
        }
        for (run, timer) in unit.timers_removed {
            self.remove_timer(run, timer);
        }
        for row in unit.timers_set {
            self.remove_timer(row.run, row.timer.clone());
            self.due.insert((row.clock, row.due, row.run, row.timer.clone()));
            self.timers.insert((row.run, row.timer.clone()), row);
        }
        for mark in unit.marks {
            self.marks.insert((mark.run, mark.name), mark.value);
        }
        for (key, claim) in claims {
            match claim {
                Some(claim) => self.claims.insert(key, claim),
                None => self.claims.remove(&key),
            };
        }
        Ok(last)
    }

    fn check_run(&self, write: &RunWrite, fence: Fence) -> Result<(), CommitError> {
        let RunWrite { run, expected, .. } = *write;
        if write.fence != fence {
            return Err(CommitError::Fenced { run });
        }
        let found = self.runs.get(&run).map_or(Seq(0), |run| run.row.last);
        if found == expected { Ok(()) } else { Err(CommitError::Conflict { run, expected, found }) }
    }

    fn check_inbox(&self, unit: &Unit) -> Result<(), CommitError> {
        let mut seen = BTreeSet::new();
        for &(run, arrival) in &unit.inbox_consumed {
            if !self.inbox.contains_key(&(run, arrival)) || !seen.insert((run, arrival)) {
                return Err(CommitError::InboxGone { run, arrival });
            }
        }
        Ok(())
    }

    /// The keys that the unit changes, with what holds each afterwards.
    fn changed_claims(&self, unit: &Unit) -> Result<BTreeMap<String, Option<Claim>>, CommitError> {
        let mut changed: BTreeMap<String, Option<Claim>> = BTreeMap::new();
        for change in &unit.claims {
            let before = match changed.get(change.key()) {
                Some(claim) => claim.as_ref(),
                None => self.claims.get(change.key()),
            };
            let after = change.apply(before)?;
            changed.insert(change.key().to_owned(), after);
        }
        Ok(changed)
    }

    fn write_run(&mut self, write: RunWrite) -> Seq {
        let RunWrite { run, events, row, .. } = write;
        let last = row.last;
        self.classes.insert((row.class, run));
        match self.runs.get_mut(&run) {
            Some(known) => {
                if known.row.class != row.class {
                    self.classes.remove(&(known.row.class, run));
                }
                known.events.extend(events);
                known.row = row;
            }
            None => drop(self.runs.insert(run, Run { events, row })),
        }
        last
    }

    fn put_inbox(&mut self, row: InboxRow) {
        if of_run(&self.inbox, row.run).any(|waiting| waiting.request_id == row.request_id) {
            return;
        }
        self.arrivals += 1;
        let row = InboxRow { arrival: self.arrivals, ..row };
        self.inbox.insert((row.run, row.arrival), row);
    }

    fn remove_timer(&mut self, run: RunId, timer: TimerKey) {
        if let Some(row) = self.timers.remove(&(run, timer)) {
            self.due.remove(&(row.clock, row.due, row.run, row.timer));
        }
    }

    pub(super) fn delete(&mut self, run: RunId, claims_until: Timestamp) {
        if let Some(known) = self.runs.remove(&run) {
            self.classes.remove(&(known.row.class, run));
        }
        self.inbox.retain(|(owner, _), _| *owner != run);
        self.timers.retain(|(owner, _), _| *owner != run);
        self.due.retain(|(_, _, owner, _)| *owner != run);
        self.marks.retain(|(owner, _), _| *owner != run);
        self.blobs.retain(|(owner, _), _| *owner != run);
        for claim in self.claims.values_mut().filter(|claim| claim.run == run && claim.state == ClaimState::Live) {
            claim.state = ClaimState::Tombstone { expires: claims_until };
        }
    }

    pub(super) fn put_definition(&mut self, workflow: &str, digest: Digest, bytes: &[u8]) {
        self.definitions.entry(digest).or_insert_with(|| bytes.into());
        self.current.insert(workflow.to_owned(), digest);
        self.recent.insert(digest);
    }

    pub(super) fn definition(&self, digest: Digest) -> Option<Arc<[u8]>> {
        self.definitions.get(&digest).cloned()
    }

    pub(super) fn current_definition(&self, workflow: &str) -> Option<Digest> {
        self.current.get(workflow).copied()
    }

    pub(super) fn current_definitions(&self) -> Vec<(String, Digest)> {
        self.current.iter().map(|(workflow, digest)| (workflow.clone(), *digest)).collect()
    }

    pub(super) fn sweep_definitions(&mut self) -> u64 {
        let mut kept: BTreeSet<Digest> = self.recent.clone();
        for run in self.runs.values() {
            kept.insert(run.row.definition);
            if let Some(Recorded { event: Event::RunStarted(started), .. }) = run.events.first() {
                kept.extend(started.children.iter().map(|(_, child)| *child));
            }
        }
        let before = self.definitions.len();
        self.definitions.retain(|digest, _| kept.contains(digest));
        (before - self.definitions.len()) as u64
    }

    /// What a restart does: only current definitions count as recent, and blobs of runs that nobody knows go.
    pub(super) fn restart(&mut self) {
        self.recent = self.current.values().copied().collect();
        let Self { runs, inbox, blobs, .. } = self;
        blobs.retain(|(run, _), _| runs.contains_key(run) || of_run(inbox, *run).next().is_some());
    }

    pub(super) fn events(&self, run: RunId, from: Seq, limit: usize) -> Vec<Recorded> {
        let events = self.runs.get(&run).map(|run| run.events.as_slice()).unwrap_or_default();
        events.iter().filter(|event| event.seq >= from).take(limit).cloned().collect()
    }

    pub(super) fn row(&self, run: RunId) -> Option<IndexRow> {
        self.runs.get(&run).map(|run| run.row.clone())
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<IndexRow>, StoreError> {
        let before = cursor.map(Cursor::run).transpose()?;
        let rows = self.runs.values().rev().map(|run| &run.row);
        let rows = rows.filter(|row| before.is_none_or(|before| row.run < before) && filter.admits(row));
        Ok(Page::of(rows.take(limit.saturating_add(1)).cloned().collect(), limit, |row| row.run))
    }

    pub(super) fn runs_of(
        &self,
        class: Class,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<RunId>, StoreError> {
        let after = cursor.map(Cursor::run).transpose()?;
        let first = RunId::from_bytes([0; 16]);
        let runs = self.classes.range((class, first)..).take_while(|(found, _)| *found == class).map(|(_, run)| *run);
        let runs = runs.filter(|run| after.is_none_or(|after| *run > after));
        Ok(Page::of(runs.take(limit.saturating_add(1)).collect(), limit, |run| *run))
    }

    pub(super) fn due_timers(
        &self,
        clock: TimerClock,
        until: Timestamp,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Page<TimerRow> {
        let due = self.due.iter().filter(|(found, due, ..)| *found == clock && *due <= until);
        let rows =
            due.map(|(clock, due, run, timer)| TimerRow { run: *run, timer: timer.clone(), due: *due, clock: *clock });
        let rows = rows.filter(|row| cursor.is_none_or(|cursor| Cursor::after_timer(row).0 > cursor.0));
        Page::cut(rows.take(limit.saturating_add(1)).collect(), limit, Cursor::after_timer)
    }

    pub(super) fn inbox(&self, run: RunId) -> Vec<InboxRow> {
        of_run(&self.inbox, run).cloned().collect()
    }

    pub(super) fn inbox_runs(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        let after = cursor.map(Cursor::run).transpose()?;
        let runs: BTreeSet<RunId> = self.inbox.keys().map(|(run, _)| *run).collect();
        let runs = runs.into_iter().filter(|run| after.is_none_or(|after| *run > after));
        Ok(Page::of(runs.take(limit.saturating_add(1)).collect(), limit, |run| *run))
    }

    pub(super) fn claim(&self, key: &str) -> Option<Claim> {
        self.claims.get(key).cloned()
    }

    pub(super) fn mark(&self, run: RunId, name: &str) -> Option<Vec<u8>> {
        self.marks.get(&(run, name.to_owned())).cloned()
    }

    pub(super) fn put_blob(&mut self, run: RunId, digest: Digest, bytes: Arc<[u8]>) {
        self.blobs.insert((run, digest), bytes);
    }

    pub(super) fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError> {
        let bytes = self.blobs.get(&(run, digest)).ok_or(StoreError::BlobMissing { run, digest })?;
        if Digest::of(bytes) != digest {
            return Err(StoreError::Damaged {
                what: format!("blob {digest} of run {run}"),
                why: "its bytes have another digest".to_owned(),
            });
        }
        Ok(Arc::clone(bytes))
    }

    pub(super) fn time(&self) -> Timestamp {
        self.time
    }
}

/// Encodes what other stores would, to hold the same bounds.
fn check_sizes(unit: &Unit) -> Result<(), CommitError> {
    unit.check()?;
    let Some(RunWrite { run, events, row, .. }) = &unit.run else { return Ok(()) };
    codec::records(*run, events)?;
    codec::seal(&keys::index(*run), row).map_err(|error| error.committing(*run, "index row"))?;
    Ok(())
}

fn of_run(inbox: &BTreeMap<(RunId, u64), InboxRow>, run: RunId) -> impl Iterator<Item = &InboxRow> {
    inbox.range((run, 0)..=(run, u64::MAX)).map(|(_, row)| row)
}
