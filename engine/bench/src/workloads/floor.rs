//! The floor: a preallocated file, a small write and a sync for whoever waits for one, as a journal would do.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use engine_store::Counters;

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, Meter};

/// What is written for each, about as much as a step of a chain.
const RECORD: usize = 200;

/// The file, so that no sync has to change its length.
const FILE: usize = 64 << 20;

/// What something gives by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside {
    pub(crate) p50_us: f64,
    pub(crate) per_second: f64,
}

impl Beside {
    pub(crate) fn of(measured: &Measurement) -> Self {
        let p50_us = measured.latency.map_or(f64::INFINITY, |latency| latency.p50);
        Self { p50_us, per_second: measured.per_second }
    }
}

pub(crate) async fn measure(scratch: &Scratch, writers: usize) -> Result<Measurement, BenchError> {
    of(scratch, writers, scratch.beside * 2).await
}

/// What this disk gives so many writers.
pub(crate) async fn beside(scratch: &Scratch, writers: usize) -> Result<Beside, BenchError> {
    Ok(Beside::of(&of(scratch, writers, scratch.beside).await?))
}

async fn of(scratch: &Scratch, writers: usize, time: Duration) -> Result<Measurement, BenchError> {
    let path = scratch.directory.join("floor");
    let failed = |error| BenchError::new("the floor can't be measured", error);
    let measured = tokio::task::spawn_blocking(move || {
        let file = preallocated(&path)?;
        let measured = if writers == 1 { alone(&file, time) } else { together(&file, writers, time) };
        std::fs::remove_file(&path)?;
        measured
    });
    measured.await.map_err(|error| BenchError::new("the floor can't be measured", error))?.map_err(failed)
}

fn preallocated(path: &Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    for place in (0..FILE).step_by(zeros.len()) {
        file.write_all_at(&zeros, place as u64)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// One writer that syncs each of its writes.
fn alone(file: &File, time: Duration) -> std::io::Result<Measurement> {
    let mut latencies = Latencies::new().map_err(std::io::Error::other)?;
    let (meter, record, mut writes) = (Meter::start(Counters::default()), [7; RECORD], 0);
    while meter.elapsed() < time {
        let began = Instant::now();
        file.write_all_at(&record, place(writes))?;
        file.sync_data()?;
        latencies.note(began.elapsed());
        writes += 1;
    }
    Ok(meter.stop(Counters::default(), writes, &latencies))
}

fn place(write: u64) -> u64 {
    (write * RECORD as u64) % (FILE - RECORD) as u64
}

/// Who waits for a sync.
type Waiting = SyncSender<()>;

/// Many writers, and one thread that writes and syncs what has come meanwhile.
fn together(file: &File, writers: usize, time: Duration) -> std::io::Result<Measurement> {
    let (queue, coming) = sync_channel::<Waiting>(writers);
    let meter = Meter::start(Counters::default());
    let (latencies, synced) = thread::scope(|scope| {
        let syncing = scope.spawn(move || sync(file, &coming));
        let member = |queue: SyncSender<Waiting>| scope.spawn(move || write(&queue, time));
        let members: Vec<_> = (0..writers).map(|_| member(queue.clone())).collect();
        // The last sender: the thread that syncs ends with the members.
        drop(queue);
        let mut all = Latencies::new().map_err(std::io::Error::other)?;
        for latencies in members.into_iter().filter_map(|member| member.join().ok()) {
            all.add(&latencies.map_err(std::io::Error::other)?);
        }
        let synced = syncing.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread that syncs broke")));
        Ok::<_, std::io::Error>((all, synced?))
    })?;
    Ok(meter.stop(Counters::default(), synced, &latencies))
}

fn write(queue: &SyncSender<Waiting>, time: Duration) -> Result<Latencies, BenchError> {
    let (mut latencies, began) = (Latencies::new()?, Instant::now());
    let (done, is_done) = sync_channel(1);
    while began.elapsed() < time {
        let began = Instant::now();
        if queue.send(done.clone()).is_err() || is_done.recv().is_err() {
            break;
        }
        latencies.note(began.elapsed());
    }
    Ok(latencies)
}

/// Syncs until nobody writes any more; gives how many writes there were.
fn sync(file: &File, coming: &Receiver<Waiting>) -> std::io::Result<u64> {
    let (mut writes, mut batch) = (0, Vec::new());
    while let Ok(first) = coming.recv() {
        batch.push(first);
        batch.extend(coming.try_iter());
        let bytes = vec![7; RECORD * batch.len()];
        file.write_all_at(&bytes, place(writes).min((FILE - bytes.len()) as u64))?;
        file.sync_data()?;
        writes += batch.len() as u64;
        for waiting in batch.drain(..) {
            // Its time may be over.
            let _ = waiting.send(());
        }
    }
    Ok(writes)
}
