//! Large payloads: what goes in, and comes out of each step.

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use engine::{StepContext, TaskError, Workflow};

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::workloads::crowd::crowd;
use crate::workloads::opened::{Opened, failed};

/// Runs that are in flight.
const IN_FLIGHT: usize = 8;

/// Steps that hand the payload on; with the input it is kept once more.
const STEPS: u64 = 3;

async fn pass_on(_: StepContext, text: String) -> Result<String, TaskError> {
    Ok(text)
}

fn passing_on() -> Result<Workflow<String, u64>, BenchError> {
    let builder = Workflow::builder("big");
    let first = builder.step("first", pass_on, builder.input::<String>());
    let second = builder.step("second", pass_on, first);
    let third = builder.step("third", pass_on, second);
    builder.finish(builder.step("length", length, third)).map_err(failed)
}

async fn length(_: StepContext, text: String) -> Result<u64, TaskError> {
    Ok(text.len() as u64)
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) async fn measure(scratch: &Scratch, bytes: u64, runs: u64) -> Result<Measurement, BenchError> {
    // As JSON a text has two bytes more.
    let len = usize::try_from(bytes).map_err(failed)?.saturating_sub(2);
    let kept = (STEPS + 1) * bytes;
    let floor = written_a_second(scratch, usize::try_from(kept).map_err(failed)?).await?;
    let opened = Opened::open(scratch, passing_on()?).await?;
    let (engine, workflow) = (opened.engine.clone(), opened.workflow.clone());
    let carry_out = move |number: u64| {
        let (engine, workflow) = (engine.clone(), workflow.clone());
        async move {
            // Each its own, so that none finds the blob of another.
            let text = format!("{number:08}{}", "x".repeat(len.saturating_sub(8)));
            let run = engine.start(&workflow, text).await.map_err(failed)?;
            let found = run.result().await.map_err(failed)?;
            if found == len as u64 { Ok(()) } else { Err(failed("a payload came out shorter than it went in")) }
        }
    };
    let meter = opened.meter();
    let latencies = crowd(IN_FLIGHT, runs, carry_out).await?;
    let measured = opened.close(meter, runs, &latencies).await?;
    let mib = measured.per_second * kept as f64 / f64::from(1 << 20);
    Ok(measured.against_rate("files of the same length written and synced", floor).with("MiB a second", mib))
}

/// How many files of this length can be written and synced in a second.
async fn written_a_second(scratch: &Scratch, bytes: usize) -> Result<f64, BenchError> {
    let (path, time) = (scratch.directory.join("floor"), scratch.beside);
    let written = tokio::task::spawn_blocking(move || {
        let (began, content, mut files) = (Instant::now(), vec![7; bytes], 0.0);
        while began.elapsed() < time {
            let mut file = File::create(&path)?;
            file.write_all(&content)?;
            file.sync_data()?;
            files += 1.0;
        }
        std::fs::remove_file(&path)?;
        Ok::<_, std::io::Error>(files / began.elapsed().as_secs_f64())
    });
    written.await.map_err(failed)?.map_err(failed)
}
