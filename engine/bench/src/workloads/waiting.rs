//! Many runs that wait for their next attempt: what they cost in memory, and how soon a restarted process is ready.

use std::time::{Duration, Instant};

use engine::RunStatus;

use crate::BenchError;
use crate::child;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, resident_mib};
use crate::workloads::Spec;
use crate::workloads::crowd::crowd;
use crate::workloads::opened::{Opened, failed};
use crate::workloads::start::patient;

/// Callers that start runs.
const CALLERS: usize = 256;

/// How long runs may take until they wait.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn measure(scratch: &Scratch, runs: u64) -> Result<Measurement, BenchError> {
    let opened = Opened::open(scratch, patient()?).await?;
    let (engine, workflow) = (opened.engine.clone(), opened.workflow.clone());
    let start = move |number: u64| {
        let (engine, workflow) = (engine.clone(), workflow.clone());
        async move { engine.start(&workflow, number).id(number.to_string()).await.map(|_| ()).map_err(failed) }
    };
    let meter = opened.meter();
    let latencies = crowd(CALLERS, runs, start).await?;
    let started = Instant::now();
    // A commit for each start, and one for each first attempt that failed.
    while opened.counters().units < 2 * runs {
        if started.elapsed() > PATIENCE {
            return Err(failed("runs that failed once do not wait"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let resident = resident_mib();
    let measured = opened.close(meter, runs, &latencies).await?;
    let next = child::measure(&Spec::WaitingOn { runs }, scratch).await?;
    let mut measured = measured.with("restart, s", next.seconds);
    for (name, figure) in [("MiB waiting", resident), ("MiB after the restart", next.peak_mib)] {
        measured = figure.into_iter().fold(measured, |measured, figure| measured.with(name, figure));
    }
    Ok(measured)
}

/// Takes the runs up: ready is who has opened the directory, and knows of the run that was started last.
pub(crate) async fn go_on(scratch: &Scratch, runs: u64) -> Result<Measurement, BenchError> {
    let began = Instant::now();
    let opened = Opened::open(scratch, patient()?).await?;
    let meter = opened.meter();
    let last = runs.saturating_sub(1).to_string();
    let run = opened.engine.find(&opened.workflow, &last).await.map_err(failed)?;
    if run.status().await.map_err(failed)? != RunStatus::Waiting {
        return Err(failed("a run that waited before the restart does not wait after it"));
    }
    let seconds = began.elapsed().as_secs_f64();
    let latencies = Latencies::new()?;
    Ok(Measurement { seconds, ..opened.close(meter, runs, &latencies).await? })
}
