//! The store without an engine: units with exactly the records of a step of a chain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Engine;
use engine::inner::{MemoryStore, SledStore, Store};
use engine_core::event::{Event, Recorded};
use engine_core::id::{RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::{Class, Fence, IndexRow, RunWrite, Status, Unit};
use tokio::task::JoinSet;

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, Meter, disk_len};
use crate::workloads::chain::chain;
use crate::workloads::floor::{self, Beside};
use crate::workloads::opened::failed;

/// Commits to a run before the next one begins, as in a chain of ten.
const COMMITS: u64 = 11;

pub(crate) async fn measure(scratch: &Scratch, committers: usize) -> Result<Measurement, BenchError> {
    let floor = floor::beside(scratch, committers).await?;
    let measured = of(scratch, committers, scratch.beside * 4).await?;
    Ok(match committers {
        1 => measured.against_time("lone write and sync", floor.p50_us),
        _ => measured.against_rate("writes in groups", floor.per_second),
    })
}

/// What the store gives so many committers.
pub(crate) async fn beside(scratch: &Scratch, committers: usize) -> Result<Beside, BenchError> {
    Ok(Beside::of(&of(scratch, committers, scratch.beside).await?))
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
async fn of(scratch: &Scratch, committers: usize, time: Duration) -> Result<Measurement, BenchError> {
    let path = scratch.directory.join("store");
    let turns = Arc::new(Turns::of_a_chain(scratch).await?);
    let store = Arc::new(SledStore::open(&path).map_err(failed)?);
    let fence = store.acquire(0, "bench", Timestamp::from_millis(u64::MAX)).await.map_err(failed)?;
    let fence = fence.ok_or_else(|| failed("the store gives no fence"))?;
    let meter = Meter::start(store.counters());
    let mut members = JoinSet::new();
    for member in 0..committers {
        members.spawn(commit(store.clone(), turns.clone(), fence, member as u64, time));
    }
    let mut latencies = Latencies::new()?;
    while let Some(member) = members.join_next().await {
        latencies.add(&member.map_err(failed)??);
    }
    let counters = store.counters();
    let measured = meter.stop(counters, counters.units, &latencies);
    store.close().await.map_err(failed)?;
    drop(store);
    let disk = disk_len(&path) as f64 / counters.units as f64;
    std::fs::remove_dir_all(&path).map_err(failed)?;
    Ok(Measurement { disk: Some(disk), ..measured })
}

/// One committer: run after run, each with a start and then steps.
async fn commit(
    store: Arc<SledStore>,
    turns: Arc<Turns>,
    fence: Fence,
    member: u64,
    time: Duration,
) -> Result<Latencies, BenchError> {
    let (mut latencies, began) = (Latencies::new()?, Instant::now());
    let mut numbers = 0_u64..;
    while let Some(number) = numbers.next().filter(|_| began.elapsed() < time) {
        let run = RunId::new(turns.at, bits(member, number));
        let mut last = Seq(0);
        for commit in 0..COMMITS {
            let unit = turns.unit(run, fence, last, if commit == 0 { &turns.start } else { &turns.step });
            let began = Instant::now();
            let committed = store.commit(vec![unit]).await.pop();
            last = committed.ok_or_else(|| failed("the store gives no answer"))?.map_err(failed)?;
            latencies.note(began.elapsed());
        }
    }
    Ok(latencies)
}

/// Random enough for the end of a run's id.
fn bits(member: u64, number: u64) -> [u8; 10] {
    let mixed = (member << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bits = [0; 10];
    bits.iter_mut().zip(mixed.to_be_bytes()).for_each(|(bit, byte)| *bit = byte);
    bits
}

/// What the turns of a chain write.
struct Turns {
    start: Vec<Event>,
    step: Vec<Event>,
    row: IndexRow,
    at: Timestamp,
}

impl Turns {
    /// As an engine really recorded them.
    async fn of_a_chain(scratch: &Scratch) -> Result<Self, BenchError> {
        let (store, workflow) = (Arc::new(MemoryStore::new()), chain(10)?);
        let engine =
            Engine::open(&scratch.directory).store(store.clone()).register(&workflow).start().await.map_err(failed)?;
        let run = engine.start(&workflow, 1).await.map_err(failed)?;
        run.result().await.map_err(failed)?;
        let id: RunId = run.id().parse().map_err(failed)?;
        let history = store.read(id, Seq(1), 1_000).await.map_err(failed)?;
        let row = store.row(id).await.map_err(failed)?.ok_or_else(|| failed("the chain has no index row"))?;
        engine.shutdown().await.map_err(failed)?;
        let at = row.started_at;
        let (mut turns, mut events) = (Vec::new(), Vec::new());
        for Recorded { event, .. } in history {
            // Each turn of a chain but the first begins with what the step before gave.
            if matches!(event, Event::StepCompleted { .. }) {
                turns.push(std::mem::take(&mut events));
            }
            events.push(event);
        }
        let mut turns = turns.into_iter();
        let none = || failed("the chain has no turns");
        let (start, step) = (turns.next().ok_or_else(none)?, turns.next().ok_or_else(none)?);
        Ok(Self {
            start,
            step,
            row: IndexRow { status: Status::Running, class: Class::InFlight, ended_at: None, ..row },
            at,
        })
    }

    fn unit(&self, run: RunId, fence: Fence, expected: Seq, events: &[Event]) -> Unit {
        let mut last = expected;
        let recorded = events.iter().map(|event| {
            last = last.next();
            Recorded { seq: last, at: self.at, event: event.clone() }
        });
        let events: Vec<_> = recorded.collect();
        let row = IndexRow { run, last, ..self.row.clone() };
        Unit { run: Some(RunWrite { run, expected, fence, events, row }), ..Unit::default() }
    }
}
