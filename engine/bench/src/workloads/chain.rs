//! Tasks that do nothing: one after the other, or side by side.

use engine::{StepContext, TaskError, Workflow};

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::workloads::crowd::crowd;
use crate::workloads::opened::{Opened, failed};
use crate::workloads::store;

async fn nothing(_: StepContext, number: u64) -> Result<u64, TaskError> {
    Ok(number)
}

/// So many tasks in sequence.
pub(crate) fn chain(steps: usize) -> Result<Workflow<u64, u64>, BenchError> {
    let builder = Workflow::builder("chain");
    let mut last = builder.step("step_1", nothing, builder.input::<u64>());
    for step in 2..=steps {
        last = builder.step(&format!("step_{step}"), nothing, last);
    }
    builder.finish(last).map_err(failed)
}

/// So many tasks side by side, and one after them all.
fn side_by_side(width: usize) -> Result<Workflow<u64, u64>, BenchError> {
    let builder = Workflow::builder("fan");
    let number = builder.input::<u64>();
    let mut join = builder.step("join", nothing, number);
    for step in 1..=width {
        join = join.after(builder.step(&format!("step_{step}"), nothing, number));
    }
    builder.finish(join).map_err(failed)
}

pub(crate) async fn measure(
    scratch: &Scratch,
    steps: usize,
    in_flight: usize,
    runs: u64,
) -> Result<Measurement, BenchError> {
    let floor = store::beside(scratch, in_flight).await?;
    let measured = of(scratch, chain(steps)?, steps as u64, in_flight, runs).await?;
    Ok(match in_flight {
        1 => measured.against_time("lone commit of the store", floor.p50_us),
        _ => measured.against_rate("commits of the store", floor.per_second),
    })
}

pub(crate) async fn fan(scratch: &Scratch, width: usize, runs: u64) -> Result<Measurement, BenchError> {
    let floor = store::beside(scratch, 1).await?;
    let measured = of(scratch, side_by_side(width)?, 1, 1, runs).await?;
    Ok(measured.against_time("lone commit of the store", floor.p50_us))
}

/// Runs of a workflow that have so many units each.
async fn of(
    scratch: &Scratch,
    workflow: Workflow<u64, u64>,
    units: u64,
    in_flight: usize,
    runs: u64,
) -> Result<Measurement, BenchError> {
    let opened = Opened::open(scratch, workflow).await?;
    let (engine, workflow) = (opened.engine.clone(), opened.workflow.clone());
    let carry_out = move |number| {
        let (engine, workflow) = (engine.clone(), workflow.clone());
        async move {
            let run = engine.start(&workflow, number).await.map_err(failed)?;
            run.result().await.map(|_| ()).map_err(failed)
        }
    };
    crowd(in_flight, (runs / 20).max(1), carry_out.clone()).await?;
    let meter = opened.meter();
    let latencies = crowd(in_flight, runs, carry_out).await?.shared_among(units)?;
    opened.close(meter, runs * units, &latencies).await
}
