//! The runs that this process drives: each by a task, or dormant, or just being taken up, and never one twice.
//!
//! A run that only waits is dormant: it has no task, and is nowhere but in the store, until its time comes or somebody
//! asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::id::RunId;
use engine_core::time::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::report::{Followed, Reports};
use crate::run::Mail;

/// The ways to a run's task.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) mail: mpsc::Sender<Box<Mail>>,
    pub(crate) reports: Reports,
}

/// A run of this process.
enum Driven {
    /// It is just being taken up.
    TakingUp,
    /// It has a task.
    ByTask(Box<ByTask>),
    /// It only waits, until then, or for a request.
    Dormant(Option<Timestamp>),
    /// Its task broke; what it said last stands nowhere else.
    Broken(Followed),
}

struct ByTask {
    line: Line,
    task: JoinHandle<()>,
}

/// The runs of one process.
#[derive(Clone, Default)]
pub(crate) struct DrivenRuns {
    runs: Arc<Mutex<Runs>>,
    /// Whoever waits for somebody else to take a run up looks again.
    changed: Arc<watch::Sender<()>>,
    /// Some run is due earlier than was known.
    earlier: Arc<Notify>,
}

#[derive(Default)]
struct Runs {
    all: BTreeMap<RunId, Driven>,
    /// The dormant ones that wait for a time.
    by_due: BTreeSet<(Timestamp, RunId)>,
    /// Whether somebody takes dormant runs up when they are due.
    is_woken: bool,
    /// Whether the engine stops: no task is entered any more.
    is_closed: bool,
}

/// Up to when a run was driven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drove {
    /// It ended, or the engine stops.
    ToItsEnd,
    /// It only waits, until then, or for a request.
    UntilDormant(Option<Timestamp>),
    /// It can't be driven any more.
    UntilItBroke,
}

/// What a caller that wants to do something with a run is told.
pub(crate) enum Place {
    /// It has a task, and is not laid down as long as it is followed.
    Driven { mail: mpsc::Sender<Box<Mail>>, followed: Followed },
    /// It is driven, and has no task now: the caller is to take it up.
    Dormant(Reservation),
    /// It is not driven: the caller may take it up.
    Free(Reservation),
}

/// The right to take a run up; given back when it is dropped unused.
pub(crate) struct Reservation {
    run: RunId,
    runs: DrivenRuns,
}

impl DrivenRuns {
    /// The run's task, or the right to take it up; waits while somebody else takes it up.
    pub(crate) async fn place(&self, run: RunId) -> Place {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(place) = self.place_now(run) {
                return place;
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    fn place_now(&self, run: RunId) -> Option<Place> {
        let mut runs = self.lock();
        let place = match runs.all.get(&run) {
            Some(Driven::TakingUp) => return None,
            Some(Driven::ByTask(driven)) if !driven.task.is_finished() => {
                let Line { mail, reports } = &driven.line;
                return Some(Place::Driven { mail: mail.clone(), followed: reports.follow() });
            }
            Some(Driven::Dormant(_)) => Place::Dormant(self.reserve(run)),
            Some(Driven::ByTask(_) | Driven::Broken(_)) | None => Place::Free(self.reserve(run)),
        };
        runs.put(run, Driven::TakingUp);
        Some(place)
    }

    fn reserve(&self, run: RunId) -> Reservation {
        Reservation { run, runs: self.clone() }
    }

    /// Follows a run, where it has a task, or had one until it broke.
    pub(crate) fn follow(&self, run: RunId) -> Option<Followed> {
        match self.lock().all.get(&run)? {
            Driven::ByTask(driven) => Some(driven.line.reports.follow()),
            Driven::Broken(followed) => Some(followed.clone()),
            Driven::TakingUp | Driven::Dormant(_) => None,
        }
    }

    /// Whether the run is dormant.
    pub(crate) fn is_dormant(&self, run: RunId) -> bool {
        matches!(self.lock().all.get(&run), Some(Driven::Dormant(_)))
    }

    /// The right to drive a run whose id nobody else knows yet.
    pub(crate) fn reserve_fresh(&self, run: RunId) -> Reservation {
        self.lock().put(run, Driven::TakingUp);
        self.reserve(run)
    }

    /// How many runs have a task.
    pub(crate) fn tasks(&self) -> usize {
        let has_task = |driven: &&Driven| matches!(driven, Driven::ByTask(driven) if !driven.task.is_finished());
        self.lock().all.values().filter(has_task).count()
    }

    /// Enters runs that are in the store only. Those that are known are left as they are.
    pub(crate) fn enter_dormant(&self, dormant: impl IntoIterator<Item = (RunId, Option<Timestamp>)>) {
        let mut runs = self.lock();
        for (run, due) in dormant {
            if !runs.is_closed && !runs.all.contains_key(&run) {
                runs.put(run, Driven::Dormant(due));
            }
        }
        drop(runs);
        self.earlier.notify_one();
    }

    /// Enters that dormant runs wait for no longer than this. Others are left as they are.
    pub(crate) fn bring_forward(&self, timers: impl IntoIterator<Item = (RunId, Timestamp)>) {
        let mut runs = self.lock();
        for (run, due) in timers {
            if let Some(Driven::Dormant(known)) = runs.all.get(&run)
                && known.is_none_or(|known| due < known)
            {
                runs.put(run, Driven::Dormant(Some(due)));
            }
        }
        drop(runs);
        self.earlier.notify_one();
    }

    /// Lays a run down whose task is about to be over, unless somebody follows it.
    pub(crate) fn lay_down(&self, run: RunId, due: Option<Timestamp>) -> bool {
        let mut runs = self.lock();
        match runs.all.get(&run) {
            Some(Driven::ByTask(driven)) if !driven.line.reports.is_followed() => {
                runs.put(run, Driven::Dormant(due));
            }
            Some(_) => return false,
            // The engine stops.
            None => return true,
        }
        let is_next = runs.by_due.first().is_some_and(|(_, next)| *next == run);
        drop(runs);
        if is_next {
            self.earlier.notify_one();
        }
        true
    }

    /// The right to take up the dormant run that is due next, where one is due.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<Reservation> {
        let mut runs = self.lock();
        let (_, run) = runs.by_due.first().copied().filter(|(due, _)| *due <= now)?;
        runs.put(run, Driven::TakingUp);
        Some(self.reserve(run))
    }

    /// When the next dormant run is due.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        self.lock().by_due.first().map(|(due, _)| *due)
    }

    /// Whether nobody takes dormant runs up so far: from now on the caller does.
    pub(crate) fn is_first_to_wake(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_woken, true)
    }

    /// Returns when some dormant run may be due earlier than it was known before. For one who waits.
    pub(crate) async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// All tasks; none is entered any more.
    pub(crate) fn close(&self) -> Vec<JoinHandle<()>> {
        let mut runs = self.lock();
        let all = std::mem::replace(&mut *runs, Runs { is_closed: true, ..Runs::default() }).all;
        drop(runs);
        let task = |driven| match driven {
            Driven::ByTask(driven) => Some(driven.task),
            Driven::TakingUp | Driven::Dormant(_) | Driven::Broken(_) => None,
        };
        all.into_values().filter_map(task).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn put(&mut self, run: RunId, driven: Driven) {
        if let Driven::Dormant(Some(due)) = &driven {
            self.by_due.insert((*due, run));
        }
        if let Some(Driven::Dormant(Some(before))) = self.all.insert(run, driven)
            && !matches!(self.all.get(&run), Some(Driven::Dormant(Some(due))) if *due == before)
        {
            self.by_due.remove(&(before, run));
        }
    }
}

impl Reservation {
    /// The run that may be taken up.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Spawns the run's task, unless the engine stops. It is forgotten once it is over, except one that broke or is
    /// dormant.
    pub(crate) fn drive(self, line: Line, work: impl Future<Output = Drove> + Send + 'static) {
        // Locked until the task is entered, so that it is not over before.
        let mut runs = self.runs.lock();
        if runs.is_closed {
            return;
        }
        let (run, all, reports) = (self.run, self.runs.clone(), line.reports.clone());
        let task = tokio::spawn(async move {
            match work.await {
                Drove::ToItsEnd => {
                    all.lock().all.remove(&run);
                }
                Drove::UntilItBroke => all.lock().put(run, Driven::Broken(reports.follow())),
                // It was laid down already, and may have been taken up since.
                Drove::UntilDormant(_) => {}
            }
        });
        runs.put(run, Driven::ByTask(Box::new(ByTask { line, task })));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut runs = self.runs.lock();
        if let Some(Driven::TakingUp) = runs.all.get(&self.run) {
            runs.all.remove(&self.run);
        }
        drop(runs);
        self.runs.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use engine_core::id::Seq;
    use engine_core::state::Status;

    use super::*;
    use crate::report::Report;

    fn run(number: u8) -> RunId {
        RunId::from_bytes([number; 16])
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn line() -> Line {
        Line { mail: mpsc::channel(1).0, reports: Reports::new(Report::at(Seq(1), Status::Waiting)) }
    }

    #[tokio::test]
    async fn a_run_is_laid_down_once_nobody_follows_it() {
        let runs = DrivenRuns::default();
        runs.reserve_fresh(run(1)).drive(line(), std::future::pending());
        let Place::Driven { followed, .. } = runs.place(run(1)).await else { panic!("it has a task") };
        assert!(!runs.lay_down(run(1), Some(at(5))) && runs.tasks() == 1, "somebody follows it");
        drop(followed);
        assert!(runs.lay_down(run(1), Some(at(5))) && runs.tasks() == 0 && runs.is_dormant(run(1)));
        runs.earlier().await;
        assert_eq!(runs.next_time(), Some(at(5)));
        assert!(matches!(runs.place(run(1)).await, Place::Dormant(_)));
        assert_eq!(runs.next_time(), None, "whoever takes it up sees to its timers");
    }

    #[tokio::test]
    async fn dormant_runs_come_in_the_order_of_their_times() {
        let runs = DrivenRuns::default();
        runs.enter_dormant([(run(3), None), (run(2), None), (run(1), Some(at(7)))]);
        runs.enter_dormant([(run(1), Some(at(1)))]);
        runs.bring_forward([(run(2), at(9)), (run(2), at(4)), (run(2), at(6)), (run(9), at(1))]);
        let due = |now| runs.next_due(at(now)).map(|reservation| reservation.run());
        assert_eq!([due(3), due(4), due(6), due(7), due(99)], [None, Some(run(2)), None, Some(run(1)), None]);
        assert!(runs.is_dormant(run(3)), "it waits for a request");
        assert!(!runs.is_dormant(run(9)), "a timer of a run that is not open wakes nothing");
        assert!(runs.close().is_empty() && !runs.is_dormant(run(3)));
    }
}
