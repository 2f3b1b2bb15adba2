//! An order: reserved, charged, recorded. What its tasks do is noted, and the charge waits until it may go on.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::{DefinitionError, Engine, Outcome, StepContext, TaskError, Workflow};
use tokio::sync::watch;

/// Refused before anything is done.
pub(crate) const NOTHING: u32 = 0;
/// Refused by the charge, so that the reservation is undone.
pub(crate) const TOO_MUCH: u32 = 1_000_000;
/// Charged, and then nobody knows whether it was recorded.
pub(crate) const CURSED: u32 = 666;

/// What happens around the tasks.
pub(crate) struct World {
    notes: Mutex<Vec<String>>,
    file: Option<Mutex<File>>,
    may_charge: watch::Sender<bool>,
    /// How many attempts have come to the charge.
    charging: watch::Sender<usize>,
}

impl World {
    /// The charge goes on at once.
    pub(crate) fn open() -> Arc<Self> {
        Self::new(true, None)
    }

    /// The charge waits.
    pub(crate) fn closed() -> Arc<Self> {
        Self::new(false, None)
    }

    /// Notes are kept in this file too, for whoever comes after this process.
    pub(crate) fn noted_in(file: &Path, may_charge: bool) -> Arc<Self> {
        Self::new(may_charge, Some(OpenOptions::new().create(true).append(true).open(file).unwrap()))
    }

    fn new(may_charge: bool, file: Option<File>) -> Arc<Self> {
        Arc::new(Self {
            notes: Mutex::default(),
            file: file.map(Mutex::new),
            may_charge: watch::Sender::new(may_charge),
            charging: watch::Sender::new(0),
        })
    }

    fn note(&self, what: &str, cx: &StepContext) {
        let note = format!("{what} {}", cx.key());
        if let Some(file) = &self.file {
            writeln!(file.lock().unwrap(), "{note}").unwrap();
        }
        self.notes.lock().unwrap().push(note);
    }

    /// What was done, each with its key.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    /// What was done.
    pub(crate) fn done(&self) -> Vec<String> {
        self.notes().iter().map(|note| note.split(' ').next().unwrap().to_owned()).collect()
    }

    pub(crate) fn let_charge(&self) {
        self.may_charge.send_replace(true);
    }

    /// Waits until so many attempts have come to the charge.
    pub(crate) async fn until_charging(&self, attempts: usize) {
        self.charging.subscribe().wait_for(|charging| *charging >= attempts).await.unwrap();
    }
}

fn world(cx: &StepContext) -> Result<Arc<World>, TaskError> {
    Ok(Arc::clone(&*cx.state::<Arc<World>>()?))
}

async fn reserve(cx: StepContext, cents: u32) -> Result<u32, TaskError> {
    if cents == NOTHING {
        return Err(TaskError::refused("NOTHING_ORDERED").message("it is worth nothing"));
    }
    world(&cx)?.note("reserve", &cx);
    Ok(cents)
}

async fn release(cx: StepContext, _: Outcome<u32>) -> Result<(), TaskError> {
    world(&cx)?.note("release", &cx);
    Ok(())
}

async fn charge(cx: StepContext, cents: u32) -> Result<String, TaskError> {
    let world = world(&cx)?;
    world.charging.send_modify(|charging| *charging += 1);
    let mut may_charge = world.may_charge.subscribe();
    tokio::select! {
        biased;
        () = cx.cancelled() => return Err(TaskError::retry("nobody waits any more").effect_none()),
        open = may_charge.wait_for(|open| *open) => drop(open?),
    }
    if cents == TOO_MUCH {
        return Err(TaskError::refused("TOO_MUCH").message("nobody has that much"));
    }
    world.note("charge", &cx);
    Ok(format!("receipt over {cents}"))
}

async fn record(cx: StepContext, cents: u32, receipt: String) -> Result<String, TaskError> {
    if cents == CURSED {
        return Err(TaskError::fatal("the pen broke").code("PEN_BROKE"));
    }
    world(&cx)?.note("record", &cx);
    Ok(receipt)
}

/// The workflow.
pub(crate) fn workflow() -> Result<Workflow<u32, String>, DefinitionError> {
    let wf = Workflow::builder("order");
    wf.needs::<Arc<World>>();
    let cents = wf.input::<u32>();
    let reserved = wf.step("reserve", reserve, cents).compensate(release, ());
    let receipt = wf.step("charge", charge, cents).after(reserved);
    let recorded = wf.step("record", record, (cents, receipt)).pivot();
    wf.finish(recorded)
}

/// An engine on this directory.
pub(crate) async fn engine(directory: &Path, world: &Arc<World>) -> Engine {
    let order = workflow().unwrap();
    Engine::open(directory).register(&order).state(world.clone()).start().await.unwrap()
}

/// An engine that keeps nothing.
pub(crate) async fn brief_engine(world: &Arc<World>) -> Engine {
    Engine::in_memory().register(&workflow().unwrap()).state(world.clone()).start().await.unwrap()
}
