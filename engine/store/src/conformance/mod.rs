//! What every store must do, as tests. A store's own tests give a [`Subject`] and call
//! [`conformance_tests!`](crate::conformance_tests).

// This is test code that other crates' tests call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::missing_panics_doc)]

pub mod durability;
pub mod histories;
pub mod lists;
pub mod random;
pub mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use engine_core::event::{Event, Recorded, RunStarted};
use engine_core::id::{Digest, Name, RunId, Seq};
use engine_core::payload::Payload;
use engine_core::time::Timestamp;

use crate::memory::{Gate, MemoryStore};
use crate::row::{Class, IndexRow, Status};
use crate::unit::{Fence, RunWrite, Unit};
use crate::{CommitError, Store};

/// A store under test. It keeps the data while the store itself comes and goes.
#[async_trait]
pub trait Subject: Send {
    /// Opens the store: the first time an empty one, then the same data again. The store given before has been
    /// closed or dropped, or both.
    async fn open(&mut self) -> Arc<dyn Store>;

    /// An empty store whose syncs wait for this gate.
    async fn gated(&mut self, gate: Gate) -> Arc<dyn Store>;
}

/// Makes one test of each thing that a store must do, and one more with restarts in between. `$make` gives a
/// [`Subject`] without data.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests!(@ $make;
            histories: grows, conflicts, fails_alone, is_all_or_nothing, refuses_what_is_malformed, bounds_records,
                pages, deletes;
            rows: index_rows_follow, timers_come_when_due, inbox_keeps_order, inbox_is_unique, claims_exclude,
                claims_move, claims_outlive, marks_are_kept;
            lists: newest_first, filters, classes, inbox_runs, refuses_strange_cursors;
            durability: fences, definitions_are_kept, definitions_are_swept, blobs_are_checked, knows_the_time,
                counts, shows_only_what_is_synced, stops_after_a_failed_sync, closes,
                knows_how_it_stopped, a_look_hides_no_crash
        );
    };
    (@ $make:expr; $($module:ident: $($check:ident),+);+) => {
        $($(
            #[tokio::test]
            async fn $check() {
                use $crate::conformance::{World, $module};
                $module::$check(&mut World::new($make, false).await).await;
            }
        )+)+

        mod restarting {
            use super::*;
            $($(
                #[tokio::test]
                async fn $check() {
                    use $crate::conformance::{World, $module};
                    $module::$check(&mut World::new($make, true).await).await;
                }
            )+)+
        }
    };
}

/// A store under test, and a way to restart it.
pub struct World {
    subject: Box<dyn Subject>,
    restless: bool,
    restarts: u64,
    /// The store.
    pub store: Arc<dyn Store>,
    /// What it is to be written with.
    pub fence: Fence,
}

impl World {
    /// A world with an empty store; a restless one restarts at every step.
    pub async fn new(subject: impl Subject + 'static, restless: bool) -> Self {
        let mut subject = Box::new(subject);
        let store = subject.open().await;
        let fence = store.acquire(0, "test", at(0)).await.unwrap().unwrap();
        Self { subject, restless, restarts: 0, store, fence }
    }

    /// Where nothing may change if the process is replaced.
    pub async fn step(&mut self) {
        if self.restless {
            self.restart().await;
        }
    }

    /// Replaces the process: in turns after a clean close and after none.
    pub async fn restart(&mut self) {
        self.restarts += 1;
        if self.restarts.is_multiple_of(2) {
            self.store.close().await.unwrap();
        }
        self.store = Arc::new(MemoryStore::new());
        self.store = self.subject.open().await;
        let fence = self.store.acquire(0, "test", at(0)).await.unwrap().unwrap();
        assert!(fence > self.fence, "each open raises the fence");
        self.fence = fence;
    }

    /// Opens the store again as somebody does who only looks.
    pub async fn look(&mut self) {
        self.store = Arc::new(MemoryStore::new());
        self.store = self.subject.open().await;
    }

    /// A second, empty store with a gate, and the fence of it.
    pub async fn gated(&mut self) -> (Arc<dyn Store>, Fence, Gate) {
        let gate = Gate::new();
        let store = self.subject.gated(gate.clone()).await;
        let fence = store.acquire(0, "test", at(0)).await.unwrap().unwrap();
        (store, fence, gate)
    }

    /// Commits one unit.
    pub async fn commit(&self, unit: Unit) -> Result<Seq, CommitError> {
        let mut answers = self.store.commit(vec![unit]).await;
        assert_eq!(answers.len(), 1);
        answers.pop().unwrap()
    }

    /// Starts a run with a history of that many events.
    pub async fn start(&self, run: RunId, events: u64) {
        assert_eq!(self.commit(unit(self.fence, run, 0, events)).await, Ok(Seq(events)));
    }

    /// The last position of a run, by its history and by its index row, which must agree.
    pub async fn last(&self, run: RunId) -> u64 {
        let events = self.store.read(run, Seq(1), usize::MAX).await.unwrap();
        let row = self.store.row(run).await.unwrap();
        assert_eq!(events.len() as u64, row.map_or(0, |row| row.last.0));
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == Seq(seq)));
        events.len() as u64
    }
}

/// A time.
pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A run that was started at this time.
pub fn run(millis: u64) -> RunId {
    RunId::new(at(millis), [7; 10])
}

/// How a run begins.
pub fn started(children: Vec<(Name, Digest)>, input: Payload) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        workflow: Name::new("orders"),
        version: "1".to_owned(),
        definition: Digest::of(b"definition"),
        children,
        workflow_id: Some("order-1".to_owned()),
        request_id: "request-1".to_owned(),
        actor: "tester".to_owned(),
        input,
        labels: vec![("tier".to_owned(), "gold".to_owned())],
        priority: 0,
        start_at: None,
        expires_at: None,
        overrides: Vec::new(),
        parent: None,
        origin: None,
        traceparent: None,
        baggage: None,
        sampled: false,
    }))
}

/// A plain event.
pub fn event(seq: u64) -> Recorded {
    Recorded { seq: Seq(seq), at: at(1_000 + seq), event: Event::RunUnstuck }
}

/// A big event: with a payload of that many bytes.
pub fn big(seq: u64, len: usize) -> Recorded {
    let event = started(Vec::new(), Payload::json(vec![b'x'; len]));
    Recorded { seq: Seq(seq), at: at(1_000 + seq), event }
}

/// A run's index row.
pub fn row(run: RunId, last: u64) -> IndexRow {
    IndexRow {
        run,
        workflow: Name::new("orders"),
        definition: Digest::of(b"definition"),
        workflow_id: None,
        input: Digest::of(b"input"),
        status: Status::Running,
        class: Class::InFlight,
        labels: Vec::new(),
        priority: 0,
        started_at: at(1_000),
        ended_at: None,
        last: Seq(last),
        results: 0,
    }
}

/// A unit with that many further events of a run.
pub fn unit(fence: Fence, run: RunId, expected: u64, events: u64) -> Unit {
    let events: Vec<_> = (expected + 1..=expected + events).map(event).collect();
    unit_of(fence, run, expected, events)
}

/// A unit with these further events of a run.
pub fn unit_of(fence: Fence, run: RunId, expected: u64, events: Vec<Recorded>) -> Unit {
    let row = row(run, expected + events.len() as u64);
    Unit { run: Some(RunWrite { run, expected: Seq(expected), fence, events, row }), ..Unit::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory(Option<Arc<MemoryStore>>);

    #[async_trait]
    impl Subject for Memory {
        async fn open(&mut self) -> Arc<dyn Store> {
            let store = Arc::new(self.0.as_ref().map_or_else(MemoryStore::new, |store| store.reopen()));
            self.0 = Some(Arc::clone(&store));
            store
        }

        async fn gated(&mut self, gate: Gate) -> Arc<dyn Store> {
            Arc::new(MemoryStore::behind(gate))
        }
    }

    crate::conformance_tests!(Memory(None));
}
