//! The runs that this process drives, and those that it is just taking up: never one twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::id::RunId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::handle::Report;
use crate::run::Mail;

/// The ways to a run's task.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) mail: mpsc::Sender<Box<Mail>>,
    pub(crate) reports: watch::Receiver<Report>,
}

/// A run that this process drives.
struct Driven {
    line: Line,
    task: JoinHandle<()>,
}

/// The runs of one process.
#[derive(Clone, Default)]
pub(crate) struct DrivenRuns {
    /// None stands for a run that is just being taken up.
    runs: Arc<Mutex<BTreeMap<RunId, Option<Driven>>>>,
    changed: Arc<watch::Sender<()>>,
    /// Whether the engine stops: no task is entered any more.
    closed: Arc<AtomicBool>,
}

/// How the task of a run was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drove {
    /// The run ended, or the engine stops.
    ToItsEnd,
    /// The run can't be driven any more.
    UntilItBroke,
}

/// What a caller that wants to drive a run is told.
pub(crate) enum Place {
    /// It is driven already.
    Driven(Line),
    /// The caller is to take it up.
    Free(Reservation),
}

/// The right to take a run up; given back when it is dropped unused.
pub(crate) struct Reservation {
    run: RunId,
    runs: DrivenRuns,
}

impl DrivenRuns {
    /// The run's line, or the right to take it up; waits while somebody else takes it up.
    pub(crate) async fn place(&self, run: RunId) -> Place {
        let mut changed = self.changed.subscribe();
        loop {
            match self.lock().entry(run) {
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(None);
                    return Place::Free(Reservation { run, runs: self.clone() });
                }
                std::collections::btree_map::Entry::Occupied(mut taken) => match taken.get() {
                    Some(driven) if driven.task.is_finished() => {
                        taken.insert(None);
                        return Place::Free(Reservation { run, runs: self.clone() });
                    }
                    Some(driven) => return Place::Driven(driven.line.clone()),
                    None => {}
                },
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// The run's reports, where this process drives it, or has driven it until it broke.
    pub(crate) fn reports(&self, run: RunId) -> Option<watch::Receiver<Report>> {
        self.lock().get(&run)?.as_ref().map(|driven| driven.line.reports.clone())
    }

    /// The right to drive a run whose id nobody else knows yet.
    pub(crate) fn reserve_fresh(&self, run: RunId) -> Reservation {
        self.lock().insert(run, None);
        Reservation { run, runs: self.clone() }
    }

    /// Whether any run is driven.
    pub(crate) fn is_any(&self) -> bool {
        self.lock().values().flatten().any(|driven| !driven.task.is_finished())
    }

    /// All tasks; none is entered any more.
    pub(crate) fn close(&self) -> Vec<JoinHandle<()>> {
        self.closed.store(true, Ordering::SeqCst);
        let runs = std::mem::take(&mut *self.lock());
        runs.into_values().flatten().map(|driven| driven.task).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Option<Driven>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The run that may be taken up.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Spawns the run's task, unless the engine stops. It is forgotten once it is over, except one that broke: what
    /// its reports say stands nowhere else.
    pub(crate) fn drive(self, line: Line, work: impl Future<Output = Drove> + Send + 'static) {
        // Locked until the task is entered, so that it is not over before.
        let mut runs = self.runs.lock();
        if self.runs.closed.load(Ordering::SeqCst) {
            return;
        }
        let (run, all) = (self.run, self.runs.clone());
        let task = tokio::spawn(async move {
            if work.await == Drove::ToItsEnd {
                all.lock().remove(&run);
            }
        });
        runs.insert(run, Some(Driven { line, task }));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut runs = self.runs.lock();
        if let Some(None) = runs.get(&self.run) {
            runs.remove(&self.run);
        }
        drop(runs);
        self.runs.changed.send_replace(());
    }
}
