//! A fixed rate for a time, ended runs deleted: what grows although it should not.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, disk_len, resident_mib};
use crate::workloads::chain::chain;
use crate::workloads::opened::{Opened, failed};

/// Parts of the time that are looked at apart.
const PARTS: u32 = 20;

/// Runs that may be open; who would begin one more waits, and the rate is not kept then.
const OPEN: usize = 4_096;

/// How often runs are begun: as many as are due by then.
const TICK: Duration = Duration::from_millis(5);

/// A figure of a part, with its name.
type Figure = (&'static str, fn(&Part) -> f64);

/// One part of the time.
struct Part {
    resident_mib: f64,
    disk_mib: f64,
    p99_us: f64,
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of runs"
)]
pub(crate) async fn measure(scratch: &Scratch, rate: f64, seconds: f64) -> Result<Measurement, BenchError> {
    let opened = Opened::open(scratch, chain(3)?).await?;
    let (mut all, mut part, mut parts) = (Latencies::new()?, Latencies::new()?, Vec::new());
    let (mut open, mut begun, mut ended) = (JoinSet::new(), 0_u64, 0_u64);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (meter, time) = (opened.meter(), Duration::from_secs_f64(seconds));
    while meter.elapsed() < time {
        ticks.tick().await;
        let due = (meter.elapsed().as_secs_f64() * rate) as u64;
        while begun < due && open.len() < OPEN {
            open.spawn(carry_out(opened.engine.clone(), opened.workflow.clone(), begun));
            begun += 1;
        }
        while let Some(done) = open.try_join_next() {
            part.note(done.map_err(failed)??);
            ended += 1;
        }
        if meter.elapsed() >= time.mul_f64((parts.len() + 1) as f64 / f64::from(PARTS)) {
            all.add(&part);
            let measured = std::mem::replace(&mut part, Latencies::new()?);
            parts.push(seen(opened.path(), &measured));
        }
    }
    while let Some(done) = open.join_next().await {
        all.note(done.map_err(failed)??);
        ended += 1;
    }
    let measured = opened.close(meter, ended, &all).await?;
    Ok(said(measured.with("wanted a second", rate), &parts))
}

/// One run, from its start until it is deleted; says how long it took to its end.
async fn carry_out(
    engine: engine::Engine,
    workflow: engine::Workflow<u64, u64>,
    number: u64,
) -> Result<Duration, BenchError> {
    let began = Instant::now();
    let run = engine.start(&workflow, number).await.map_err(failed)?;
    run.result().await.map_err(failed)?;
    let took = began.elapsed();
    run.delete().await.map_err(failed)?;
    Ok(took)
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn seen(directory: &Path, latencies: &Latencies) -> Part {
    Part {
        resident_mib: resident_mib().unwrap_or_default(),
        disk_mib: disk_len(directory) as f64 / f64::from(1 << 20),
        p99_us: latencies.said().map_or(0.0, |latency| latency.p99),
    }
}

/// The second quarter of the time and the last one: between those nothing should have grown.
fn said(measured: Measurement, parts: &[Part]) -> Measurement {
    let quarter = parts.len() / 4;
    let early = parts.get(quarter..quarter * 2).unwrap_or_default();
    let late = parts.get(quarter * 3..).unwrap_or_default();
    let figures: [Figure; 3] = [
        ("MiB of memory", |part| part.resident_mib),
        ("MiB of disk", |part| part.disk_mib),
        ("p99, us", |part| part.p99_us),
    ];
    figures.into_iter().fold(measured, |measured, (name, figure)| {
        let greatest = |parts: &[Part]| parts.iter().map(figure).fold(0.0, f64::max);
        measured.with(&format!("{name}, early"), greatest(early)).with(&format!("{name}, late"), greatest(late))
    })
}
