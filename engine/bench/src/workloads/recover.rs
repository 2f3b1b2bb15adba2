//! Chains in flight when the process is killed: what the kill costs, and whether anything is lost or done twice.
//!
//! A victim is killed when half of all steps are done, and an heir goes on. What it needs is held against the second half
//! of an undisturbed twin of the victim. Tasks leave a line in a file before they return: that is their effect.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::{Engine, StepContext, TaskError, Workflow};
use tokio::process::Child;
use tokio::sync::{Mutex, watch};

use crate::BenchError;
use crate::child;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, Meter};
use crate::workloads::Spec;
use crate::workloads::crowd::crowd;
use crate::workloads::opened::failed;

const STEPS: u64 = 10;

/// Callers that start chains.
const CALLERS: usize = 256;

/// What a task leaves: the chain's number, the step, and a line end.
const LINE: u64 = 12;

/// How long any part may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often to look how far another process is.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) async fn measure(scratch: &Scratch, runs: u64) -> Result<Measurement, BenchError> {
    let twin = Place::new(scratch, "twin")?;
    let mut process = begin(&Spec::Victim { runs }, &twin)?;
    let half = twin.until(&mut process, |place| place.effects() >= runs * STEPS / 2).await?;
    let end = twin.until(&mut process, Place::is_done).await?;
    let undisturbed = end - half;
    process.wait().await.map_err(failed)?;

    let place = Place::new(scratch, "killed")?;
    let mut victim = begin(&Spec::Victim { runs }, &place)?;
    place.until(&mut victim, |place| place.effects() >= runs * STEPS / 2).await?;
    victim.kill().await.map_err(failed)?;
    let (effects, acknowledged) = (place.effects(), place.acknowledged()?);
    let began = Instant::now();
    let heir = child::measure(&Spec::Heir { runs }, &place.0).await?;
    let took = heir.extra.get("ready").copied().unwrap_or_default().max(0.0);
    let total = began.elapsed();
    let lost = heir.extra.get("lost").copied().unwrap_or(f64::INFINITY);
    #[allow(clippy::cast_precision_loss, reason = "counts of runs")]
    let (repeated, left, acknowledged) =
        (place.repeated()? as f64, (runs * STEPS).saturating_sub(effects) as f64, acknowledged.len() as f64);
    let measured = heir
        .with("undisturbed rest, s", undisturbed.as_secs_f64())
        .with("over it, s", took - undisturbed.as_secs_f64())
        .with("with its process's end, s", total.as_secs_f64())
        .with("steps left at the kill", left)
        .with("acknowledged", acknowledged)
        .with("repeated", repeated);
    Ok(Measurement { seconds: took, ..measured }.with("lost", lost))
}

/// Starts the chains, lets them all go on at once, and stays until they have ended, or it is killed.
pub(crate) async fn victim(scratch: &Scratch, runs: u64) -> Result<Measurement, BenchError> {
    let place = Place(scratch.clone());
    let (engine, workflow, go) = place.open(false).await?;
    let acknowledged = Arc::new(Mutex::new(place.append("acknowledged")?));
    let start = {
        let (engine, workflow) = (engine.clone(), workflow.clone());
        move |number: u64| {
            let (engine, workflow, acknowledged) = (engine.clone(), workflow.clone(), acknowledged.clone());
            async move {
                engine.start(&workflow, number).id(number.to_string()).await.map_err(failed)?;
                writeln!(acknowledged.lock().await, "{number}").map_err(failed)
            }
        }
    };
    crowd(CALLERS, runs, start).await?;
    go.send_replace(true);
    let lost = place.lost(&engine, &workflow).await?;
    place.done()?;
    engine.shutdown().await.map_err(failed)?;
    if lost > 0 { Err(failed("a chain did not end as it should")) } else { Ok(Measurement::default()) }
}

/// Goes on with what the victim left, and looks after every chain that was acknowledged.
pub(crate) async fn heir(scratch: &Scratch, runs: u64) -> Result<Measurement, BenchError> {
    let (place, began) = (Place(scratch.clone()), Instant::now());
    let meter = Meter::start(engine_store::Counters::default());
    let (engine, workflow, _go) = place.open(true).await?;
    let lost = place.lost(&engine, &workflow).await?;
    let ready = began.elapsed().as_secs_f64();
    let measured = meter.stop(engine_store::Counters::default(), runs, &Latencies::new()?);
    engine.shutdown().await.map_err(failed)?;
    #[allow(clippy::cast_precision_loss, reason = "a count of runs")]
    Ok(measured.with("ready", ready).with("lost", lost as f64))
}

fn begin(spec: &Spec, place: &Place) -> Result<Child, BenchError> {
    let mut command = child::of_this_program(spec, &place.0)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(failed)
}

/// What is kept beside each step: where effects go, and whether chains may go on.
struct Shared {
    effects: File,
    go: watch::Receiver<bool>,
}

async fn step(cx: StepContext, chain: u64) -> Result<u64, TaskError> {
    let shared = cx.state::<Arc<Shared>>()?;
    shared.go.clone().wait_for(|go| *go).await?;
    let step = cx.step().trim_start_matches("step_");
    // One write of one line, at the end of the file: lines of many tasks don't mix.
    (&shared.effects).write_all(format!("{chain:08} {step:0>2}\n").as_bytes())?;
    Ok(chain)
}

fn chain() -> Result<Workflow<u64, u64>, BenchError> {
    let builder = Workflow::builder("chain");
    builder.needs::<Arc<Shared>>();
    let mut last = builder.step("step_1", step, builder.input::<u64>());
    for number in 2..=STEPS {
        last = builder.step(&format!("step_{number}"), step, last);
    }
    builder.finish(last).map_err(failed)
}

/// The files of one victim and its heir.
struct Place(Scratch);

impl Place {
    fn new(scratch: &Scratch, name: &str) -> Result<Self, BenchError> {
        scratch.below(name).map(Self)
    }

    async fn open(&self, go: bool) -> Result<(Engine, Workflow<u64, u64>, watch::Sender<bool>), BenchError> {
        let (sender, go) = watch::channel(go);
        let shared = Arc::new(Shared { effects: self.append("effects")?, go });
        let workflow = chain()?;
        let engine = Engine::open(self.0.directory.join("engine"))
            .register(&workflow)
            .state(shared)
            .start()
            .await
            .map_err(failed)?;
        Ok((engine, workflow, sender))
    }

    fn append(&self, name: &str) -> Result<File, BenchError> {
        OpenOptions::new().create(true).append(true).open(self.0.directory.join(name)).map_err(failed)
    }

    fn effects(&self) -> u64 {
        fs::metadata(self.0.directory.join("effects")).map_or(0, |metadata| metadata.len() / LINE)
    }

    /// Effects that are there more than once.
    fn repeated(&self) -> Result<usize, BenchError> {
        let text = fs::read_to_string(self.0.directory.join("effects")).map_err(failed)?;
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for line in text.lines() {
            *times.entry(line).or_default() += 1;
        }
        Ok(times.into_values().filter(|times| *times > 1).count())
    }

    /// The chains whose start was answered.
    fn acknowledged(&self) -> Result<Vec<String>, BenchError> {
        let text = fs::read_to_string(self.0.directory.join("acknowledged")).map_err(failed)?;
        // A kill may have cut the last line off.
        Ok(text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect())
    }

    /// Waits for the end of every chain that was acknowledged; gives how many did not end as they should.
    async fn lost(&self, engine: &Engine, workflow: &Workflow<u64, u64>) -> Result<u64, BenchError> {
        let (ids, lost) = (Arc::new(self.acknowledged()?), Arc::new(AtomicU64::new(0)));
        let total = ids.len() as u64;
        let look = {
            let (engine, workflow, lost) = (engine.clone(), workflow.clone(), lost.clone());
            move |number: u64| {
                let (engine, workflow, lost) = (engine.clone(), workflow.clone(), lost.clone());
                let id = usize::try_from(number).ok().and_then(|index| ids.get(index)).cloned().unwrap_or_default();
                async move {
                    let ended = match engine.find(&workflow, &id).await {
                        Ok(run) => tokio::time::timeout(PATIENCE, run.result()).await.is_ok_and(|ended| ended.is_ok()),
                        Err(_) => false,
                    };
                    lost.fetch_add(u64::from(!ended), Ordering::Relaxed);
                    Ok(())
                }
            }
        };
        // Many at a time: one after the other they would take longer than the chains.
        crowd(CALLERS, total, look).await?;
        Ok(lost.load(Ordering::Relaxed))
    }

    fn done(&self) -> Result<(), BenchError> {
        File::create(self.0.directory.join("done")).map(drop).map_err(failed)
    }

    fn is_done(&self) -> bool {
        self.0.directory.join("done").exists()
    }

    /// When this was so, while a process works on it.
    async fn until(&self, process: &mut Child, is_so: impl Fn(&Self) -> bool) -> Result<Instant, BenchError> {
        let began = Instant::now();
        while !is_so(self) {
            if let Ok(Some(status)) = process.try_wait()
                && !is_so(self)
            {
                return Err(failed(format!("the process that is measured ended too early ({status})")));
            }
            if began.elapsed() > PATIENCE {
                return Err(failed("the process that is measured takes too long"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Instant::now())
    }
}
