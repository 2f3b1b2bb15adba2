//! Poison: a run that takes the process down whenever it is carried out.
//!
//! Only unclean stops count, and only for runs that had attempts in flight and no result of their own since. After
//! [`bounds::CRASHES_TOGETHER`] of them a run is a suspect: it is carried out alone, and named durably before its
//! history is read. So the next process knows whom it died of. One that the process died of, alone,
//! [`bounds::CRASHES_ALONE`] times is stuck as poison, without its history being read.
//!
//! The count stands in a mark, and is looked at when the engine is opened. After a clean stop nothing is written.

use std::collections::BTreeMap;

use engine_core::event::{Event, Recorded, StuckReason};
use engine_core::id::RunId;
use engine_core::state::Status;
use engine_core::time::Timestamp;
use engine_store::{Class, CommitError, Fence, IndexRow, Mark, RunWrite, Store, StoreError, Unit};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::read;
use crate::set_aside::SetAside;

/// What is known of the crashes that a run had a part in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Crashes {
    /// The results that it had then: once it has more, nothing of this holds any longer.
    pub(crate) results: u64,
    /// Unclean stops in a row while it was in flight with others.
    stops: u32,
    /// Unclean stops while it was carried out alone.
    alone: u32,
    /// Whether it is being carried out alone now.
    named: bool,
}

const MARK: &str = "crashes";

impl Crashes {
    fn is_suspect(self) -> bool {
        self.stops >= bounds::CRASHES_TOGETHER
    }

    fn is_poison(self) -> bool {
        self.alone >= bounds::CRASHES_ALONE
    }

    /// What is known after one more unclean stop. `blamed`: some run was carried out alone, so it was that one's.
    fn after_crash(self, results: u64, blamed: bool) -> Self {
        let fresh = Self { results, stops: 1, alone: 0, named: false };
        match (self.results == results, self.named) {
            (true, true) => Self { alone: self.alone + 1, named: false, ..self },
            (true | false, false) if blamed => self,
            (true, false) => Self { stops: self.stops + 1, ..self },
            // It got on before the process died, of it or of another one.
            (false, true | false) => fresh,
        }
    }

    /// How often the process died while it carried out this run alone.
    pub(crate) fn alone(self) -> u32 {
        self.alone
    }

    fn mark(self, run: RunId) -> Mark {
        // Numbers are always JSON.
        Mark { run, name: MARK.to_owned(), value: serde_json::to_vec(&self).unwrap_or_default() }
    }

    /// The mark of a suspect that is about to be carried out alone.
    pub(crate) fn named(self, run: RunId) -> Mark {
        Self { named: true, ..self }.mark(run)
    }

    /// The mark of a suspect whose attempts have ended, with so many results.
    pub(crate) fn survived(self, run: RunId, results: u64) -> Mark {
        if results == self.results { Self { named: false, ..self }.mark(run) } else { cleared(run) }
    }
}

/// The mark of a run that nothing is held against.
pub(crate) fn cleared(run: RunId) -> Mark {
    Mark::cleared(run, MARK)
}

async fn noted(store: &dyn Store, run: RunId) -> Result<Crashes, StoreError> {
    let found = match store.mark(run, MARK).await {
        Err(error) if !error.is_fatal() => None,
        found => found?,
    };
    Ok(found.and_then(|value| serde_json::from_slice(&value).ok()).unwrap_or_default())
}

/// Why a run is not even read any more: it is poison, and nobody has asked anything of it since.
pub(crate) async fn condemned(store: &dyn Store, run: RunId) -> Result<Option<SetAside>, StoreError> {
    let is_stuck = match store.row(run).await {
        Err(error) if !error.is_fatal() => false,
        row => row?.is_some_and(|row| row.class == Class::Stuck),
    };
    if !is_stuck || !noted(store, run).await?.is_poison() || !store.inbox(run).await?.is_empty() {
        return Ok(None);
    }
    Ok(Some(SetAside::new(SetAside::POISON, message())))
}

fn message() -> String {
    format!(
        "the process died {} times in a row while it carried out this run and no other: nothing of it is sent until \
         an operator has seen to it. Find out what its step does to the process",
        bounds::CRASHES_ALONE
    )
}

/// A run in flight, as the last process left it.
struct Left {
    run: RunId,
    results: u64,
    noted: Crashes,
}

/// Notes how the last process ended, and gives the suspects. Runs that are poison are stuck from now on.
pub(crate) async fn weigh(
    store: &dyn Store,
    fence: Fence,
    now: Timestamp,
) -> Result<BTreeMap<RunId, Crashes>, StoreError> {
    let (crashed, left) = (!store.stopped_cleanly(), in_flight(store).await?);
    let blamed = left.iter().any(|run| run.noted.named);
    let (mut suspects, mut marks, mut poison) = (BTreeMap::new(), Vec::new(), Vec::new());
    for Left { run, results, noted } in left {
        let known = if crashed { noted.after_crash(results, blamed) } else { Crashes { named: false, ..noted } };
        if known != noted {
            marks.push(known.mark(run));
        }
        if known.results != results {
            continue;
        }
        if known.is_poison() {
            poison.extend(stuck(store, fence, now, run).await?);
        } else if known.is_suspect() {
            suspects.insert(run, known);
        }
    }
    if !marks.is_empty() || !poison.is_empty() {
        let counted = Unit { marks, ..Unit::default() };
        for committed in store.commit(std::iter::once(counted).chain(poison).collect()).await {
            match committed {
                Err(CommitError::Store(error)) => return Err(error),
                Err(error) => tracing::error!(%error, "a run that is poison could not be set aside"),
                Ok(_) => {}
            }
        }
    }
    if !suspects.is_empty() {
        tracing::warn!(runs = suspects.len(), "the process died again and again: runs in flight are taken up alone");
    }
    Ok(suspects)
}

async fn in_flight(store: &dyn Store) -> Result<Vec<Left>, StoreError> {
    let mut left = Vec::new();
    for run in read::runs_of(store, Class::InFlight).await? {
        match store.row(run).await {
            Ok(Some(row)) => left.push(Left { run, results: row.results, noted: noted(store, run).await? }),
            Err(error) if error.is_fatal() => return Err(error),
            // One that can't be read is named when it is taken up.
            Ok(None) | Err(_) => {}
        }
    }
    Ok(left)
}

/// What makes a run stuck as poison.
async fn stuck(store: &dyn Store, fence: Fence, now: Timestamp, run: RunId) -> Result<Option<Unit>, StoreError> {
    let Some(row) = store.row(run).await? else { return Ok(None) };
    tracing::error!(%run, "the run is stuck: the process died whenever it carried it out");
    let event = Event::RunStuck { reason: StuckReason::Poison, message: message(), parked: None };
    let last = row.last.next();
    let write = RunWrite {
        run,
        expected: row.last,
        fence,
        events: vec![Recorded { seq: last, at: now, event }],
        row: IndexRow { status: Status::Stuck, class: Class::Stuck, last, ..row },
    };
    Ok(Some(Unit { run: Some(write), ..Unit::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_of_its_own_begins_the_count_anew() {
        let mut known = Crashes::default();
        for stops in 1..=3 {
            known = known.after_crash(0, false);
            assert_eq!((known.stops, known.is_suspect()), (stops, stops == 3));
        }
        let later = known.after_crash(1, false);
        assert_eq!(later, Crashes { results: 1, stops: 1, alone: 0, named: false });
    }

    #[test]
    fn a_crash_alone_is_nobody_elses() {
        let suspect = Crashes { results: 4, stops: 3, alone: 4, named: false };
        let named = Crashes { named: true, ..suspect };
        assert!(named.after_crash(4, true).is_poison());
        assert_eq!(suspect.after_crash(4, true), suspect);
        assert_eq!(named.after_crash(5, true).alone, 0, "it got on");
    }
}
