//! A worker: takes jobs, one a line, and starts a run for each under the job's id. Give it some:
//!
//! ```sh
//! printf 'job-1 README.md\njob-2 LICENSE\njob-1 README.md\njob-3 nowhere\n' | cargo run -p engine --example worker
//! ```
//!
//! The third line is a repeat: it gives the run that is there. Pipe the same lines in again, and nothing is counted
//! twice, not even by another process. Stop it by Ctrl-C or kill it: jobs that were taken go on with its next start.

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::fs;
use std::io::{ErrorKind, stdin};
use std::sync::Arc;

use engine::{DefinitionError, Engine, Retry, StepContext, TaskError, Workflow};
use tokio::sync::{Semaphore, mpsc};

/// Jobs that are taken and not yet through, at most.
const OPEN_JOBS: u32 = 8;

async fn load(cx: StepContext, path: String) -> Result<String, TaskError> {
    // Reading blocks its thread, so it gets one where it holds up nobody.
    match cx.blocking(move || fs::read_to_string(path)).await? {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(TaskError::refused("NO_FILE").message(error)),
        text => Ok(text?),
    }
}

async fn count(_: StepContext, text: String) -> Result<usize, TaskError> {
    Ok(text.split_whitespace().count())
}

fn word_count() -> Result<Workflow<String, usize>, DefinitionError> {
    let wf = Workflow::builder("word_count");
    let path = wf.input::<String>();
    let text = wf.step("load", load, path).retry(Retry::exponential(5, "1s")).timeout("30s");
    let words = wf.step("count", count, text);
    wf.finish(words)
}

/// Stands in for a queue: lines of a terminal or a pipe, each an id and a path.
fn jobs() -> mpsc::Receiver<(String, String)> {
    let (give, take) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = stdin().lines().map_while(Result::ok);
        for line in lines {
            let Some((id, path)) = line.split_once(' ') else { continue };
            if give.blocking_send((id.to_owned(), path.to_owned())).is_err() {
                return;
            }
        }
    });
    take
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let workflow = word_count()?;
    let engine = Engine::open(std::env::temp_dir().join("engine-example-worker")).register(&workflow).start().await?;
    let (room, mut jobs) = (Arc::new(Semaphore::new(OPEN_JOBS as usize)), jobs());
    let work = async {
        loop {
            // Room first, then a job: what can't be begun stays in the queue, for another worker.
            let place = room.clone().acquire_owned().await?;
            let Some((id, path)) = jobs.recv().await else { break };
            match engine.start(&workflow, path).id(&id).await {
                // From here on the run is durable: a job of a real queue is acknowledged now, and no earlier.
                Ok(run) => tokio::spawn(async move {
                    let is_new = run.is_new();
                    match run.result().await {
                        Ok(words) => println!("{id}: {words} words{}", if is_new { "" } else { ", as said before" }),
                        Err(error) => println!("{id}: {error}"),
                    }
                    drop(place);
                }),
                // Not started: a job of a real queue is given back.
                Err(error) => tokio::spawn(async move { println!("{id}: {error}") }),
            };
        }
        // The queue is empty: wait until every job is through.
        drop(room.acquire_many(OPEN_JOBS).await?);
        Ok::<(), Box<dyn Error>>(())
    };
    tokio::select! {
        biased;
        stopped = tokio::signal::ctrl_c() => stopped?,
        done = work => done?,
    }
    engine.shutdown().await?;
    Ok(())
}
