//! Starts: each is acknowledged once its run would survive a power cut.

use engine::{Retry, StepContext, TaskError, Workflow};

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::workloads::crowd::crowd;
use crate::workloads::opened::{Opened, failed};
use crate::workloads::store;

/// Holds its run where the start left it.
async fn hold(cx: StepContext, _: u64) -> Result<u64, TaskError> {
    cx.cancelled().await;
    Err(TaskError::retry("the measurement is over"))
}

/// A run of which nothing becomes durable but its start.
fn held() -> Result<Workflow<u64, u64>, BenchError> {
    let builder = Workflow::builder("held");
    let waits = builder.step("hold", hold, builder.input::<u64>()).timeout("24h");
    builder.finish(waits).map_err(failed)
}

async fn not_yet(_: StepContext, _: u64) -> Result<u64, TaskError> {
    Err(TaskError::retry("not yet"))
}

/// A run that fails once and then waits for longer than anything here takes.
pub(crate) fn patient() -> Result<Workflow<u64, u64>, BenchError> {
    let builder = Workflow::builder("patient");
    let retry = Retry::attempts(1_000).initial("24h").max_interval("48h").max_elapsed("400d");
    let waits = builder.step("wait", not_yet, builder.input::<u64>()).retry(retry);
    builder.finish(waits).map_err(failed)
}

pub(crate) async fn measure(scratch: &Scratch, callers: usize, starts: u64) -> Result<Measurement, BenchError> {
    let floor = store::beside(scratch, callers).await?;
    let opened = Opened::open(scratch, held()?).await?;
    let (engine, workflow) = (opened.engine.clone(), opened.workflow.clone());
    let start = move |number| {
        let (engine, workflow) = (engine.clone(), workflow.clone());
        async move { engine.start(&workflow, number).await.map(|_| ()).map_err(failed) }
    };
    crowd(callers, (starts / 20).max(1), start.clone()).await?;
    let meter = opened.meter();
    let latencies = crowd(callers, starts, start).await?;
    let measured = opened.close(meter, starts, &latencies).await?;
    Ok(match callers {
        1 => measured.against_time("lone commit of the store", floor.p50_us),
        _ => measured.against_rate("commits of the store", floor.per_second),
    })
}
