//! The engine: what a process holds to start and drive runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::machine::Machine;
use engine_core::state::State;
use engine_core::time::Timestamp;
use engine_store::{Class, Fence, Store, StoreError};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::alone::Alone;
use crate::bounds;
use crate::caught::caught;
use crate::committer::Committer;
use crate::crashes::{self, Crashes};
use crate::definitions::Definitions;
use crate::driven::{DrivenRuns, Line, Place, Reservation};
use crate::error::{DriveError, EngineError, LoadError};
use crate::handle::RunHandle;
use crate::http::Binder;
use crate::memory::PayloadMemory;
use crate::options::Options;
use crate::read;
use crate::report::{Followed, Report, Reports};
use crate::run::{Besides, Identity, Mailbox, RunTask, Sender, Setup};
use crate::set_aside;
use crate::tasks::{Late, World};

/// Drives runs whose histories stand in one store. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    options: Options,
    committer: Committer,
    fence: Fence,
    slots: Arc<Semaphore>,
    memory: PayloadMemory,
    stopping: watch::Sender<bool>,
    driven: DrivenRuns,
    alone: Alone,
    late: Late,
    /// Runs that the process may have died of.
    suspects: Mutex<BTreeMap<RunId, Crashes>>,
    definitions: Definitions,
}

/// A run that was read to be driven or visited.
pub(crate) enum TakenUp {
    /// It is open: this is its task, not yet spawned.
    Open { task: Box<RunTask>, line: Line, besides: Besides },
    /// It has ended.
    Ended(Box<State>),
}

const WORKER: &str = "engine";

impl Engine {
    /// Opens an engine on a store. Drives nothing yet; how the process before ended is noted.
    pub async fn open(store: Arc<dyn Store>, options: Options) -> Result<Self, EngineError> {
        options.clock.raise_to(store.watermark().await?);
        let fence = store.acquire(0, WORKER, Timestamp::from_millis(u64::MAX)).await?.ok_or(StoreError::Closed)?;
        let suspects = crashes::weigh(&*store, fence, options.clock.now()).await?;
        let stopping = watch::Sender::new(false);
        Ok(Self {
            inner: Arc::new(Inner {
                committer: Committer::new(store.clone(), stopping.clone()),
                store,
                memory: PayloadMemory::new(options.payload_memory),
                options,
                fence,
                slots: Arc::new(Semaphore::new(bounds::ATTEMPTS_IN_FLIGHT)),
                stopping,
                driven: DrivenRuns::default(),
                alone: Alone::default(),
                late: Late::default(),
                suspects: Mutex::new(suspects),
                definitions: Definitions::default(),
            }),
        })
    }

    /// The store that it works on.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Engine time.
    pub fn now(&self) -> Timestamp {
        self.inner.options.clock.now()
    }

    /// Takes a run up and goes on with it, from wherever its history left it. A run that is driven already, or has
    /// ended, is no error.
    ///
    /// Attempts that were in flight when its last process ended are noted, and made again with the same key.
    pub async fn drive(&self, run: RunId) -> Result<RunHandle, DriveError> {
        Ok(RunHandle::new(run, self.store().clone(), self.follow(run).await?))
    }

    /// Drives a run, for who wants to know only how far it is.
    pub(crate) async fn follow(&self, run: RunId) -> Result<Followed, DriveError> {
        match self.inner.driven.place(run).await {
            Place::Driven { followed, .. } => Ok(followed),
            Place::Dormant(reservation) | Place::Free(reservation) => self.take_up(reservation).await,
        }
    }

    /// A run as its history left it, with what waits in its inbox, ready to take its first turn in this process.
    pub(crate) async fn load(&self, run: RunId) -> Result<TakenUp, DriveError> {
        let panicked = |why| Err(LoadError::Panicked { run, why }.into());
        caught(self.read_to_drive(run)).await.unwrap_or_else(panicked)
    }

    async fn read_to_drive(&self, run: RunId) -> Result<TakenUp, DriveError> {
        if *self.inner.stopping.borrow() {
            return Err(DriveError::ShuttingDown);
        }
        let store = &**self.store();
        let state = read::state(store, run).await?;
        let row = store.row(run).await.map_err(LoadError::Store)?.ok_or(LoadError::Unknown(run))?;
        if state.end.is_some() {
            return Ok(TakenUp::Ended(Box::new(state)));
        }
        let definition = self.definition(state.definition).await?;
        let durable = state.last;
        let machine = Machine::resume(definition, state);
        let (mut task, line) = self.task(run, machine, row.input, durable).ok_or(DriveError::ShuttingDown)?;
        let mut besides = task.wake().await?;
        if row.class == Class::Stuck && set_aside::reason(store, run).await.map_err(LoadError::Store)?.is_some() {
            besides.marks.push(set_aside::cleared(run));
        }
        Ok(TakenUp::Open { task: Box::new(task), line, besides })
    }

    pub(crate) async fn rest_of(&self, run: RunId) -> Result<Report, DriveError> {
        let row = self.store().row(run).await.map_err(LoadError::Store)?.ok_or(LoadError::Unknown(run))?;
        Ok(Report::at(row.last, row.status))
    }

    /// Stops: nothing new begins, attempts in flight may end within `grace`, and what is open stays open. Nothing is
    /// lost, whatever the grace.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.stopping.send_replace(true);
        let tasks = self.inner.driven.close();
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in tasks {
                // A task that panicked has ended too.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    /// A task for a run, not yet spawned. None once the engine stops.
    pub(crate) fn task(&self, run: RunId, machine: Machine, input: Digest, durable: Seq) -> Option<(RunTask, Line)> {
        let stopping = self.inner.stopping.subscribe();
        if *stopping.borrow() {
            return None;
        }
        let options = &self.inner.options;
        let state = machine.state();
        let binder = Binder {
            run,
            definition: machine.definition().clone(),
            run_overrides: state.overrides.as_slice().into(),
            overrides: options.overrides.as_slice().into(),
            secrets: options.secrets.clone(),
            mocks: options.mocks.clone(),
        };
        let (notes, coming) = mpsc::channel(bounds::NOTES);
        let world = World {
            run,
            workflow: state.workflow.clone(),
            workflow_id: state.workflow_id.clone(),
            clock: options.clock.clone(),
            binder,
            transport: options.transport.clone(),
            memory: self.inner.memory.clone(),
            notes,
            threads: options.task_threads.clone(),
            late: self.inner.late.clone(),
        };
        let (turns, turned) = watch::channel(state.stop.is_some());
        let sender = Sender {
            world,
            store: self.store().clone(),
            tasks: options.tasks.clone(),
            slots: self.inner.slots.clone(),
            stopping: stopping.clone(),
            turned,
        };
        let status = state.status();
        let reports = Reports::new(Report::at(durable, status));
        let (mail, mailbox) = Mailbox::new();
        let line = Line { mail, reports: reports.clone() };
        let setup = Setup {
            clock: options.clock.clone(),
            committer: self.inner.committer.clone(),
            sender,
            identity: Identity { fence: self.inner.fence, input },
            reports,
            observer: options.observer.clone(),
            turns,
            noted: coming,
            stopping,
        };
        Some((RunTask::new(setup, machine, mailbox, durable), line))
    }

    /// How many runs are in memory now: of all that are open, those that do something, or that somebody follows.
    pub fn runs_in_memory(&self) -> usize {
        self.inner.driven.tasks()
    }

    /// How many tasks came back when nobody waited for them any more; what they gave was dropped.
    pub fn late_results(&self) -> u64 {
        self.inner.late.count()
    }

    /// Returns once the engine stops.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.inner.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// The fence that it commits with.
    pub(crate) fn fence(&self) -> Fence {
        self.inner.fence
    }

    /// The runs that are carried out alone.
    pub(crate) fn alone(&self) -> &Alone {
        &self.inner.alone
    }

    /// Runs that the process may have died of: those that it died of least often first.
    pub(crate) fn suspects(&self) -> Vec<(RunId, Crashes)> {
        let suspects = self.suspected().clone();
        let mut suspects: Vec<_> = suspects.into_iter().collect();
        suspects.sort_by_key(|(_, crashes)| crashes.alone());
        suspects
    }

    /// What is held against a run.
    pub(crate) fn suspicion(&self, run: RunId) -> Option<Crashes> {
        self.suspected().get(&run).copied()
    }

    pub(crate) fn no_longer_suspect(&self, run: RunId) {
        self.suspected().remove(&run);
    }

    fn suspected(&self) -> MutexGuard<'_, BTreeMap<RunId, Crashes>> {
        self.inner.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world that it works in.
    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Whether it begins nothing new any more.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.inner.stopping.borrow()
    }

    /// The committer, for what is not a run's turn.
    pub(crate) fn committer(&self) -> &Committer {
        &self.inner.committer
    }

    /// The runs that this process drives.
    pub(crate) fn driven(&self) -> &DrivenRuns {
        &self.inner.driven
    }

    /// The payloads that may be in memory.
    pub(crate) fn memory(&self) -> &PayloadMemory {
        &self.inner.memory
    }

    /// A fresh run id, with the right to drive the run.
    pub(crate) fn fresh_run(&self) -> Reservation {
        self.inner.driven.reserve_fresh(RunId::new(self.now(), self.inner.options.random.bytes()))
    }

    /// A definition, from memory or from the store.
    pub(crate) async fn definition(&self, digest: Digest) -> Result<Arc<Definition>, read::LoadError> {
        if let Some(definition) = self.inner.definitions.get(digest) {
            return Ok(definition);
        }
        let definition = read::definition(&**self.store(), digest).await?;
        self.inner.definitions.keep(definition.clone());
        Ok(definition)
    }

    /// Has the store keep a definition, and make it the current one of its workflow.
    pub(crate) async fn put_definition(&self, definition: Arc<Definition>) -> Result<(), StoreError> {
        let definitions = &self.inner.definitions;
        if !definitions.is_current(&definition) {
            let (name, digest) = (definition.name().as_str(), definition.digest());
            self.store().put_definition(name, digest, definition.source()).await?;
            definitions.was_put(definition);
        }
        Ok(())
    }
}
