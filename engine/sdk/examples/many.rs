//! Many runs in one process, with a shutdown in the middle: shows that nothing is lost and that memory stays flat.
//!
//! ```sh
//! cargo run --release -p engine --example many            # 10,000 runs of three steps, 256 at a time
//! cargo run --release -p engine --example many -- 50000
//! ```

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::collections::BTreeSet;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use engine::{DefinitionError, Engine, Outcome, RunHandle, StepContext, TaskError, Workflow};
use tokio::task::JoinSet;

/// Runs that are open at a time.
const OPEN_RUNS: usize = 256;

type Failure = Box<dyn Error + Send + Sync>;

/// How often each step of each run was carried out, three in a row.
type Ledger = Arc<[AtomicU32]>;

fn note(cx: &StepContext, number: u64, step: usize) -> Result<(), TaskError> {
    let ledger = cx.state::<Ledger>()?;
    let place = usize::try_from(number)? * 3 + step;
    ledger.get(place).ok_or("there is no such run")?.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn reserve(cx: StepContext, number: u64) -> Result<u64, TaskError> {
    note(&cx, number, 0)?;
    tokio::task::yield_now().await;
    Ok(number)
}

async fn release(_: StepContext, _: Outcome<u64>) -> Result<(), TaskError> {
    Ok(())
}

async fn charge(cx: StepContext, number: u64) -> Result<u64, TaskError> {
    note(&cx, number, 1)?;
    tokio::task::yield_now().await;
    Ok(2 * number)
}

async fn record(cx: StepContext, number: u64, charged: u64) -> Result<u64, TaskError> {
    note(&cx, number, 2)?;
    Ok(number + charged)
}

fn tripled() -> Result<Workflow<u64, u64>, DefinitionError> {
    let wf = Workflow::builder("tripled");
    wf.needs::<Ledger>();
    let number = wf.input::<u64>();
    let reserved = wf.step("reserve", reserve, number).compensate(release, ());
    let charged = wf.step("charge", charge, reserved);
    let recorded = wf.step("record", record, (reserved, charged)).pivot();
    wf.finish(recorded)
}

async fn open(directory: &Path, workflow: &Workflow<u64, u64>, ledger: &Ledger) -> Result<Engine, Failure> {
    Ok(Engine::open(directory).register(workflow).state(ledger.clone()).start().await?)
}

/// Starts these runs, `OPEN_RUNS` at a time, and forgets each that has come to its end. Gives those that are left: their
/// ends nobody has seen.
async fn carry_out(engine: &Engine, workflow: &Workflow<u64, u64>, numbers: Range<u64>) -> Result<Vec<u64>, Failure> {
    let (mut ends, mut left) = (JoinSet::new(), BTreeSet::new());
    let began = Instant::now();
    for number in numbers.clone() {
        if left.len() == OPEN_RUNS {
            let (number, run): (u64, RunHandle<u64>) = ends.join_next().await.ok_or("no run is open")??;
            assert_eq!(run.result().await?, 3 * number);
            run.delete().await?;
            left.remove(&number);
        }
        let run = engine.start(workflow, number).id(format!("run-{number}")).await?;
        left.insert(number);
        ends.spawn(async move {
            // Only its end is waited for here.
            drop(run.result().await);
            (number, run)
        });
        let started = number + 1 - numbers.start;
        if started.is_multiple_of(1_000) {
            let rate = Duration::from_secs(started).as_secs_f64() / began.elapsed().as_secs_f64();
            println!("{:>6} runs: {rate:>5.0}/s, {:>4} MiB of memory", number + 1, memory() >> 20);
        }
    }
    Ok(left.into_iter().collect())
}

/// Bytes that this process has in memory; 0 where the system does not say so as Linux does.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() << 10
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let runs: u64 = std::env::args().nth(1).map_or(Ok(10_000), |runs| runs.parse())?;
    let directory = std::env::temp_dir().join(format!("engine-example-many-{}", std::process::id()));
    let workflow = tripled()?;
    let ledger: Ledger = (0..3 * runs).map(|_| AtomicU32::new(0)).collect();

    // Halfway the engine is shut down, with runs open: the next one goes on with them.
    let engine = open(&directory, &workflow, &ledger).await?;
    let mut left = carry_out(&engine, &workflow, 0..runs / 2).await?;
    engine.shutdown().await?;
    println!("shut down with {} runs whose end nobody had seen, and opened again", left.len());
    let engine = open(&directory, &workflow, &ledger).await?;
    left.extend(carry_out(&engine, &workflow, runs / 2..runs).await?);

    // Each of them is found by its id, and comes to its end.
    for number in left {
        let run = engine.find(&workflow, &format!("run-{number}")).await?;
        assert_eq!(run.result().await?, 3 * number);
    }
    engine.shutdown().await?;
    let times = |is: fn(u32) -> bool| ledger.iter().filter(|each| is(each.load(Ordering::Relaxed))).count();
    assert_eq!(times(|times| times == 0), 0, "every step was carried out");
    println!(
        "{runs} of {runs} runs completed; {} of {} steps were carried out twice",
        times(|times| times > 1),
        3 * runs
    );
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
