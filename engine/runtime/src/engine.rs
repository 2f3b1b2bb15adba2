//! The engine: what a process holds to start and drive runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::machine::{Input, Machine};
use engine_core::state::State;
use engine_core::time::Timestamp;
use engine_store::{Class, Fence, Store, StoreError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::bounds;
use crate::committer::Committer;
use crate::driven::{DrivenRuns, Line, Place, Reservation};
use crate::error::{DriveError, EngineError, LoadError};
use crate::handle::{Report, RunHandle};
use crate::http::Binder;
use crate::inbox;
use crate::memory::PayloadMemory;
use crate::options::Options;
use crate::read;
use crate::run::{Besides, Identity, Mailbox, RunTask, Sender, Setup};

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
    definitions: Mutex<BTreeMap<Digest, Arc<Definition>>>,
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
    /// Opens an engine on a store. Drives nothing yet.
    pub async fn open(store: Arc<dyn Store>, options: Options) -> Result<Self, EngineError> {
        options.clock.raise_to(store.watermark().await?);
        let fence = store.acquire(0, WORKER, Timestamp::from_millis(u64::MAX)).await?.ok_or(StoreError::Closed)?;
        let stopping = watch::Sender::new(false);
        Ok(Self {
            inner: Arc::new(Inner {
                committer: Committer::spawn(store.clone(), stopping.clone()),
                store,
                memory: PayloadMemory::new(options.payload_memory),
                options,
                fence,
                slots: Arc::new(Semaphore::new(bounds::ATTEMPTS_IN_FLIGHT)),
                stopping,
                driven: DrivenRuns::default(),
                definitions: Mutex::new(BTreeMap::new()),
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

    /// All runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<RunId>, StoreError> {
        let mut runs = Vec::new();
        for class in [Class::InFlight, Class::Dormant, Class::Paused, Class::Stuck] {
            let mut cursor = None;
            loop {
                let page = self.store().open_runs(class, cursor, bounds::LISTED_RUNS).await?;
                runs.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// Takes a run up and goes on with it, from wherever its history left it. A run that is driven already, or has
    /// ended, is no error.
    ///
    /// Attempts that were in flight when its last process ended are noted, and made again with the same key.
    pub async fn drive(&self, run: RunId) -> Result<RunHandle, DriveError> {
        let reports = match self.inner.driven.place(run).await {
            Place::Driven(line) => line.reports,
            Place::Free(reservation) => self.take_up(run, reservation).await?,
        };
        Ok(RunHandle::new(run, self.store().clone(), reports))
    }

    async fn take_up(&self, run: RunId, reservation: Reservation) -> Result<watch::Receiver<Report>, DriveError> {
        let TakenUp::Open { mut task, line, besides } = self.load(run).await? else {
            return Ok(watch::Sender::new(self.rest_of(run).await?).subscribe());
        };
        if let Err(broken) = task.first_turn(besides).await {
            return Err(DriveError::NotCommitted(broken.to_string()));
        }
        let reports = line.reports.clone();
        reservation.drive(line, tokio::spawn(task.drive()));
        Ok(reports)
    }

    /// A run as its history left it, with what waits in its inbox, ready to take its first turn in this process.
    pub(crate) async fn load(&self, run: RunId) -> Result<TakenUp, DriveError> {
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
        let mut machine = Machine::resume(definition, state);
        machine.push(Input::Recovered);
        let mut inbox = Vec::new();
        for (arrival, request) in inbox::waiting(store, run).await? {
            inbox.push(arrival);
            machine.push(Input::Request(request));
        }
        let (task, line) = self.task(run, machine, row.input, durable).ok_or(DriveError::ShuttingDown)?;
        Ok(TakenUp::Open { task: Box::new(task), line, besides: Besides { inbox, ..Besides::default() } })
    }

    async fn rest_of(&self, run: RunId) -> Result<Report, DriveError> {
        let row = self.store().row(run).await.map_err(LoadError::Store)?.ok_or(LoadError::Unknown(run))?;
        Ok(Report { last: row.last, status: row.status, broken: None })
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
        let binder = Binder {
            definition: machine.definition().clone(),
            run_overrides: machine.state().overrides.as_slice().into(),
            overrides: options.overrides.as_slice().into(),
            secrets: options.secrets.clone(),
            mocks: options.mocks.clone(),
        };
        let sender = Sender {
            run,
            store: self.store().clone(),
            transport: options.transport.clone(),
            binder,
            slots: self.inner.slots.clone(),
            memory: self.inner.memory.clone(),
            stopping: stopping.clone(),
        };
        let status = machine.state().status();
        let (reports, reported) = watch::channel(Report { last: durable, status, broken: None });
        let (mail, mailbox) = Mailbox::new();
        let setup = Setup {
            clock: options.clock.clone(),
            committer: self.inner.committer.clone(),
            sender,
            identity: Identity { fence: self.inner.fence, input },
            reports,
            stopping,
        };
        Some((RunTask::new(setup, machine, mailbox, durable), Line { mail, reports: reported }))
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
        let known = self.definitions().get(&digest).cloned();
        if let Some(definition) = known {
            return Ok(definition);
        }
        let definition = read::definition(&**self.store(), digest).await?;
        self.keep_definition(definition.clone());
        Ok(definition)
    }

    pub(crate) fn keep_definition(&self, definition: Arc<Definition>) {
        self.definitions().insert(definition.digest(), definition);
    }

    fn definitions(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Arc<Definition>>> {
        self.inner.definitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
