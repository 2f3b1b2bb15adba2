//! The engine in this process: opened on a data directory, and from then on driving its runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_core::id::RunId;
use engine_runtime::control::{Control, Place};
use engine_runtime::{Clock, Options, Random as _, SystemClock, SystemRandom};
use engine_store::{MemoryStore, Store, StoreError};
use engine_store_sled::SledStore;
use serde::Serialize;

use crate::bound::Program;
use crate::client::{Client, ClientError, NewRun, StartError};
use crate::embedded::Embedded;
use crate::history::HistoryEvent;
use crate::observe::Hook;
use crate::registry::{RegisterError, Registry};
use crate::run::{RunHandle, StartRun};
use crate::workflow::Workflow;

/// How long attempts in flight may take to end when the last engine of a process is shut down, unless said.
const GRACE: Duration = Duration::from_secs(10);

/// An engine in this process. Cheap to clone; all clones are one engine.
///
/// It owns its data directory: what has happened to every run stands there, and survives a kill of the process and a
/// power cut. A process that is killed needs no clean-up: the next one goes on with every run where its history left
/// it. Attempts that were in flight then are made again with the same idempotency keys.
///
/// It lives on the tokio runtime that it was started on. Call [`Engine::shutdown`] before that ends: without it nothing is
/// lost either, but attempts are cut off as by a kill.
#[derive(Clone)]
pub struct Engine {
    embedded: Arc<Embedded>,
}

/// An engine about to be opened: register workflows and give it state, then [`start`](EngineBuilder::start) it.
#[must_use = "no engine runs until `.start().await`"]
pub struct EngineBuilder {
    place: Stored,
    registry: Registry,
    problem: Option<RegisterError>,
    clock: Option<Arc<dyn Clock>>,
    overrides: Vec<(String, String)>,
    payload_memory: Option<usize>,
    threads: Option<usize>,
    hook: Option<Hook>,
}

/// Where histories are kept.
enum Stored {
    Directory(PathBuf),
    Given(Arc<dyn Store>),
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("program", self.embedded.program()).finish_non_exhaustive()
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine on this data directory, which is made where it is not there. One process has a directory at a time;
    /// meanwhile the verbs of the `engine` binary ask it. Nothing is opened before [`EngineBuilder::start`].
    pub fn open(directory: impl AsRef<Path>) -> EngineBuilder {
        EngineBuilder::new(Stored::Directory(directory.as_ref().to_owned()))
    }

    /// An engine that keeps nothing: for experiments, and for runs that need not outlive the process.
    pub fn in_memory() -> EngineBuilder {
        EngineBuilder::new(Stored::Given(Arc::new(MemoryStore::new())))
    }

    /// Starts a run of a registered workflow. Once the returned future is ready, the run is durable: it comes to its
    /// end, whatever happens to this process. Where the process dies before that, nobody knows whether the run is there:
    /// make the start again with the same [`StartRun::id`].
    ///
    /// The future fails with a [`StartError`]; an input is 64 MiB of JSON at most.
    ///
    /// ```no_run
    /// # use engine::{Engine, Workflow};
    /// # async fn f(engine: Engine, saga: Workflow<u32, u32>) -> Result<(), Box<dyn std::error::Error>> {
    /// let run = engine.start(&saga, 42).id("order-1001").await?;
    /// let receipt = run.result().await?;
    /// # Ok(()) }
    /// ```
    pub fn start<I: Serialize, O: 'static>(&self, workflow: &Workflow<I, O>, input: I) -> StartRun<O> {
        let start = serde_json::to_vec(&input)
            .map(|input| NewRun::new(workflow.definition().clone(), input))
            .map_err(|error| StartError::Input(format!("it can't be written as JSON: {error}")));
        StartRun::new(self.client(), start)
    }

    /// A run of this workflow by its id, or by the id that it was given at its start; open or ended, also one that an
    /// earlier process has started. What it gives is read as an `O`, whichever version of the workflow it has.
    ///
    /// # Errors
    /// [`ClientError::Unknown`] where there is no such run.
    pub async fn find<I, O>(&self, workflow: &Workflow<I, O>, id: &str) -> Result<RunHandle<O>, ClientError> {
        let run = self.embedded.find(workflow.name(), id).await?;
        Ok(RunHandle::found(self.client(), run))
    }

    /// This engine as what can be asked of any.
    pub fn client(&self) -> Arc<dyn Client> {
        self.embedded.clone()
    }

    /// How many tasks of this process came back when nobody waited for them any more, because their time was over or
    /// their run had ended; what they gave was dropped.
    pub fn late_results(&self) -> u64 {
        self.embedded.runtime.late_results()
    }

    /// Stops: nothing new begins, attempts in flight may end within ten seconds, and what is open stays open and goes
    /// on with the next engine on this directory. Who waits for a run is told [`ClientError::ShuttingDown`].
    ///
    /// # Errors
    /// Where the store can't be closed. What was acknowledged is durable all the same.
    pub async fn shutdown(&self) -> Result<(), OpenError> {
        self.shutdown_within(GRACE).await
    }

    /// Stops, and gives attempts in flight this long to end. Nothing is lost, whatever the grace: an attempt that is cut
    /// off is made again, with the same idempotency key.
    ///
    /// # Errors
    /// As of [`Engine::shutdown`].
    pub async fn shutdown_within(&self, grace: Duration) -> Result<(), OpenError> {
        self.embedded.shutdown(grace).await.map_err(OpenError::of_the_store)
    }
}

impl EngineBuilder {
    fn new(place: Stored) -> Self {
        Self {
            place,
            registry: Registry::default(),
            problem: None,
            clock: None,
            overrides: Vec::new(),
            payload_memory: None,
            threads: None,
            hook: None,
        }
    }

    /// A workflow that runs may be started of, and the tasks that it calls. What clashes is said by
    /// [`EngineBuilder::start`].
    pub fn register<I, O>(mut self, workflow: &Workflow<I, O>) -> Self {
        if let Err(problem) = self.registry.register(workflow) {
            self.problem.get_or_insert(problem);
        }
        self
    }

    /// Everything that was registered there, in place of what was registered here so far, state included.
    pub fn registry(self, registry: Registry) -> Self {
        Self { registry, ..self }
    }

    /// A thing of the process that tasks use, as a pool or a client: tasks find it by its type, see
    /// [`StepContext::state`](crate::StepContext::state). The same type again replaces it.
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.registry.state(state);
        self
    }

    /// The base URL of a service, in place of what workflows say; `*` stands for all services.
    pub fn service(mut self, name: &str, url: impl Into<String>) -> Self {
        self.overrides.push((format!("{name}.url"), url.into()));
        self
    }

    /// A store other than the data directory. Nobody beside this process can ask about its runs then.
    pub fn store(self, store: Arc<dyn Store>) -> Self {
        Self { place: Stored::Given(store), ..self }
    }

    /// A clock other than the machine's. Tests have one already: see [`testing`](crate::testing).
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Bytes of payloads in memory, about: what exceeds them waits. 32 MiB unless said.
    pub fn payload_memory(self, bytes: usize) -> Self {
        Self { payload_memory: Some(bytes), ..self }
    }

    /// How many threads tasks are carried out on: as many as the machine has, two at least, unless said. They are
    /// threads of their own, so that a task which blocks one holds up other tasks at most, and never the engine. 0: on
    /// the runtime that the engine is started on.
    pub fn task_threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Called with the id of a run and each event of it, once that is durable: in order, on the engine's threads, so it
    /// should be quick. It is told nothing twice, and not what became durable just before the process died; a panic in
    /// it is dropped. For what must not be missed use a step, or [`RunHandle::events`].
    pub fn observe(mut self, hook: impl Fn(&str, &HistoryEvent) + Send + Sync + 'static) -> Self {
        self.hook = Some(Hook::new(hook));
        self
    }

    /// Opens the engine, on the tokio runtime that this is awaited on, and goes on with every open run. Runs that waited
    /// for a task which their last program lacked go on too, where this one has it.
    ///
    /// # Errors
    /// See [`OpenError`]; no run was changed.
    pub async fn start(self) -> Result<Engine, OpenError> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        let mut options = Options::system().map_err(|error| OpenError::Engine(error.to_string()))?;
        let program = Program::new(self.registry)?;
        let equipped =
            program.equip(&mut options, self.threads).map_err(|error| OpenError::Engine(error.to_string()))?;
        options.overrides.extend(self.overrides);
        options.payload_memory = self.payload_memory.unwrap_or(options.payload_memory);
        options.clock = self.clock.unwrap_or(options.clock);
        options.observer = self.hook.map(Hook::observer);
        let (store, serving) = open_store(self.place).await?;
        let opened = engine_runtime::Engine::open(store.clone(), options).await;
        let runtime = match opened {
            Ok(runtime) => runtime,
            Err(error) => {
                store.close().await.map_err(OpenError::of_the_store)?;
                return Err(OpenError::Engine(error.to_string()));
            }
        };
        let control = serving.and_then(|(sled, place)| {
            Control::serve(runtime.clone(), sled, place, true)
                .inspect_err(|error| tracing::warn!(%error, "other processes can't ask this engine"))
                .ok()
        });
        let embedded = Arc::new(Embedded::new(runtime, program, control, Some(equipped)));
        embedded.runtime.go_on().await.map_err(OpenError::of_the_store)?;
        Ok(Engine { embedded })
    }
}

type Serving = Option<(Arc<SledStore>, Place)>;

async fn open_store(place: Stored) -> Result<(Arc<dyn Store>, Serving), OpenError> {
    let directory = match place {
        Stored::Given(store) => return Ok((store, None)),
        Stored::Directory(directory) => directory,
    };
    let path = directory.clone();
    let opened = tokio::task::spawn_blocking(move || SledStore::open(&path)).await;
    let store =
        Arc::new(opened.map_err(|error| OpenError::Engine(error.to_string()))?.map_err(OpenError::of_the_store)?);
    // A directory in which no socket can be made can be used all the same.
    let place = Place::of(&directory).inspect_err(|error| tracing::warn!(%error, "no control socket")).ok();
    Ok((store.clone(), place.map(|place| (store, place))))
}

/// An engine was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// What was registered does not fit together.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The data directory can't be used: the text says why, and what to do.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The engine could not begin.
    #[error("the engine can't begin: {0}")]
    Engine(String),
}

/// A data directory can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DirectoryError(String);

impl OpenError {
    #[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
    fn of_the_store(error: StoreError) -> Self {
        Self::Directory(DirectoryError(error.to_string()))
    }
}

/// An id for something new that is asked for.
pub(crate) fn fresh_id() -> String {
    RunId::new(SystemClock::new().now(), SystemRandom.bytes()).to_string()
}
