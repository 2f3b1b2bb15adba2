//! One run's history, and the blobs that it names.

use std::collections::BTreeSet;

use engine_core::event::{Event, Recorded};
use engine_core::id::{Digest, RunId, Seq};
use engine_core::payload::Payload;
use engine_store::codec;
use engine_store::keys::{self, Space};
use engine_store::{Diagnosis, Finding, StoreError};

use super::RESTORE;
use crate::blobs::Files;
use crate::database::Database;
use crate::shared::Look;

/// Records to read before a batch that waits gets its turn.
const CHUNK: usize = 64;

/// What a history says that other things must agree with.
pub(super) struct Told {
    /// The position of the last event that could be read, all before it being there.
    pub(super) last: Seq,
    /// Why the rest can't be read.
    pub(super) broken: Option<StoreError>,
    /// Blobs that events name.
    pub(super) blobs: BTreeSet<Digest>,
    /// Definitions that the run and its children need.
    pub(super) definitions: BTreeSet<Digest>,
    /// Where to read on.
    from: Vec<u8>,
}

impl Told {
    pub(super) fn new(run: RunId) -> Self {
        let from = keys::of_run(Space::Events, run);
        Self { last: Seq(0), broken: None, blobs: BTreeSet::new(), definitions: BTreeSet::new(), from }
    }

    /// Reads on until the end, and looks at the blobs. A history that is being written may be longer afterwards.
    pub(super) fn examine(
        &mut self,
        look: &impl Look,
        files: &Files,
        run: RunId,
        diagnosis: &mut Diagnosis,
    ) -> Result<(), StoreError> {
        while let Some(events) = look.look(|database| self.chunk(database, run))? {
            self.take(files, run, &events, diagnosis);
        }
        Ok(())
    }

    /// Reads what has been added since, between two batches.
    pub(super) fn rest(&mut self, database: &Database, run: RunId) -> Result<Vec<Recorded>, StoreError> {
        let mut rest = Vec::new();
        while let Some(events) = self.chunk(database, run)? {
            rest.extend(events);
        }
        Ok(rest)
    }

    /// Looks at what events name.
    pub(super) fn take(&mut self, files: &Files, run: RunId, events: &[Recorded], diagnosis: &mut Diagnosis) {
        diagnosis.counts.events += events.len() as u64;
        for Recorded { seq, event, .. } in events {
            if let Event::RunStarted(started) = event {
                self.definitions.insert(started.definition);
                self.definitions.extend(started.children.iter().map(|(_, child)| *child));
            }
            if let Some(Payload::Blob { digest, .. }) = event.payload()
                && self.blobs.insert(*digest)
            {
                diagnosis.counts.blobs += 1;
                blob(files, run, *seq, *digest, diagnosis);
            }
        }
    }

    /// The next events. None at the end, and where one can't be read, which is kept.
    fn chunk(&mut self, database: &Database, run: RunId) -> Result<Option<Vec<Recorded>>, StoreError> {
        if self.broken.is_some() {
            return Ok(None);
        }
        match self.read(database, run) {
            Ok(events) => Ok(if events.is_empty() { None } else { Some(events) }),
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                self.broken = Some(error);
                Ok(None)
            }
        }
    }

    fn read(&mut self, database: &Database, run: RunId) -> Result<Vec<Recorded>, StoreError> {
        let end = keys::after(&keys::of_run(Space::Events, run));
        let mut events = Vec::new();
        for found in database.range(self.from.clone(), end).take(CHUNK) {
            let (key, bytes) = found?;
            let record: Vec<Recorded> = codec::open(&key, &bytes).map_err(|error| error.reading(what(run)))?;
            for event in record {
                let next = self.last.next();
                if event.seq != next {
                    let why = format!("event {next} is missing: event {} comes after event {}", event.seq, self.last);
                    return Err(StoreError::Damaged { what: what(run), why });
                }
                self.last = next;
                events.push(event);
            }
            self.from = key.to_vec();
            self.from.push(0);
        }
        Ok(events)
    }
}

fn blob(files: &Files, run: RunId, seq: Seq, digest: Digest, diagnosis: &mut Diagnosis) {
    if let Err(error) = files.blob(run, digest) {
        let why = format!("{error}; event {seq} names it");
        let what = format!("blob {digest} of run {run}");
        diagnosis.find(Finding { what, why, run: Some(run), remedy: RESTORE.to_owned() });
    }
}

pub(super) fn what(run: RunId) -> String {
    format!("the history of run {run}")
}
