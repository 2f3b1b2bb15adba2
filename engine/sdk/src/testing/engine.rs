//! The engine of a test.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_runtime::Clock as _;
use engine_testkit::FaultStore;
use serde::Serialize;
use tokio::sync::OnceCell;

use super::crash::{Crashes, sweep};
use super::doubles::{Fail, Fault, TestTasks};
use super::service::{TestCall, TestService};
use super::world::{World, locked};
use crate::client::{NewRun, StartError};
use crate::embedded::Embedded;
use crate::run::{RunHandle, StartRun};
use crate::task::{ArgTypes, TaskEntry, TaskFn, TaskFuture, TaskResult};
use crate::{TaskError, Workflow};

/// An engine for one test: in memory, on simulated time, with no services but those that the test speaks of. Cheap to
/// clone; all clones are one engine.
#[derive(Clone)]
pub struct TestEngine {
    inner: Arc<Inner>,
}

struct Inner {
    world: Arc<World>,
    store: Arc<FaultStore>,
    embedded: OnceCell<Arc<Embedded>>,
    /// How many runs were started without an id.
    starts: Mutex<u32>,
}

impl fmt::Debug for TestEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEngine").field("attempts", &self.attempts()).finish_non_exhaustive()
    }
}

impl TestEngine {
    pub(super) fn new(world: Arc<World>, store: Arc<FaultStore>) -> Self {
        let (embedded, starts) = (OnceCell::new(), Mutex::default());
        Self { inner: Arc::new(Inner { world, store, embedded, starts }) }
    }

    /// Starts a run, as [`Engine::start`](crate::Engine::start) does. The workflow is registered with it.
    ///
    /// # Panics
    /// Where the workflow can't be registered.
    pub fn start<I: Serialize, O: 'static>(&self, workflow: &Workflow<I, O>, input: I) -> StartRun<O> {
        self.register(workflow);
        let start = serde_json::to_vec(&input)
            .map(|input| NewRun::new(workflow.definition().clone(), input))
            .map_err(|error| StartError::Input(format!("it can't be written as JSON: {error}")));
        StartRun::new(Arc::new(self.clone()), start)
    }

    /// Registers a workflow that the test does not start itself.
    ///
    /// # Panics
    /// Where it can't be registered.
    pub fn register<I, O>(&self, workflow: &Workflow<I, O>) {
        if let Err(error) = self.inner.world.program.registry().register(workflow) {
            panic!("{error}");
        }
    }

    /// A run of this workflow by its id, or by the id that it was given at its start.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn find<I, O>(&self, workflow: &Workflow<I, O>, id: &str) -> RunHandle<O> {
        let found = match self.embedded().await {
            Ok(embedded) => embedded.find(workflow.name(), id).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(run) => RunHandle::found(Arc::new(self.clone()), run),
            Err(error) => panic!("{error}"),
        }
    }

    /// A thing of the process that tasks use: see [`StepContext::state`](crate::StepContext::state).
    pub fn state<T: Send + Sync + 'static>(&self, state: T) {
        self.inner.world.program.registry().state(state);
    }

    /// A service, to be told what it answers. Calls of which the test says nothing fail and say so.
    pub fn service(&self, name: &str) -> TestService<'_> {
        TestService { world: &self.inner.world, name: name.to_owned() }
    }

    /// Puts another function in a task's place: `charge`, `charge@2`, `charge.undo`. It may capture what it likes.
    ///
    /// # Panics
    /// Where that is no name of a task.
    pub fn mock<F, Sig>(&self, task: &str, double: F)
    where
        F: TaskFn<Sig> + Send + Sync + 'static,
        F::Ret: TaskFuture + Send + 'static,
        <F::Ret as TaskFuture>::Gives: TaskResult<Ok: Serialize>,
        Sig: ArgTypes + 'static,
    {
        let name = if task.contains('@') { task.to_owned() } else { format!("{task}@1") };
        match name.parse() {
            Ok(name) => self.inner.world.doubles.mock(name, TaskEntry::new(double)),
            Err(error) => panic!("{error}"),
        }
    }

    /// Has the task of this step go wrong: it did nothing, and another attempt may succeed, unless said otherwise.
    /// `undo charge` is the compensation of `charge`. A step that calls a service itself goes wrong by what the service
    /// answers.
    pub fn fail(&self, step: &str) -> Fail<'_> {
        let fault = Fault::Instead(TaskError::retry("the test says that it failed").effect_none());
        Fail { doubles: &self.inner.world.doubles, step: step.to_owned(), fault }
    }

    /// Lets this much simulated time go by. Whatever is due meanwhile happens in its order.
    pub async fn skip(&self, span: Duration) {
        let clock = &self.inner.world.clock;
        clock.sleep_until(clock.now().after(span)).await;
    }

    /// How much simulated time has gone by since the test began.
    pub fn elapsed(&self) -> Duration {
        self.inner.world.elapsed()
    }

    /// All calls of services so far, in order.
    pub fn calls(&self) -> Vec<TestCall> {
        self.inner.world.services.calls()
    }

    /// The attempts of tasks so far, in order: `charge`, and of its compensation `undo charge`. Those before a crash
    /// count too.
    pub fn attempts(&self) -> Vec<String> {
        self.inner.world.doubles.begun()
    }

    /// The steps whose compensations were carried out by tasks, in order.
    pub fn undone(&self) -> Vec<String> {
        self.inner.world.doubles.undone()
    }

    /// What was done and not undone, sorted: what services carried out, once per key, as `bank POST /charge`.
    pub fn effects_left(&self) -> Vec<String> {
        self.inner.world.services.left()
    }

    /// Carries out this test undisturbed in a world of its own, and then again and again with the process killed before
    /// and after every write: each time the next process carries the test out from its beginning, and its starts find
    /// the runs that are there already. What services and tasks have done stays done.
    ///
    /// ```
    /// # use engine::{StepContext, TaskError, Workflow};
    /// # async fn double(_: StepContext, number: u32) -> Result<u32, TaskError> {
    /// #     Ok(2 * number)
    /// # }
    /// # let wf = Workflow::builder("doubling");
    /// # let step = wf.step("double", double, wf.input::<u32>());
    /// # let doubling = wf.finish(step).unwrap();
    /// # engine::testing::run(async |t| {
    /// let crashes = t.crash_after_every_commit(async |t| {
    ///     let run = t.start(&doubling, 21).await.unwrap();
    ///     assert_eq!(run.result().await.unwrap(), 42);
    /// });
    /// crashes.assert_same_outcome();
    /// # });
    /// ```
    ///
    /// # Panics
    /// Where the test does, in whichever life.
    pub fn crash_after_every_commit<R>(&self, test: impl AsyncFn(Self) -> R + Sync) -> Crashes {
        sweep(test)
    }

    pub(super) async fn embedded(&self) -> Result<&Arc<Embedded>, StartError> {
        let inner = &self.inner;
        let open = async {
            let mut options = inner.world.options();
            options.tasks = Arc::new(TestTasks { world: inner.world.clone() });
            options.overrides.push(("*.url".to_owned(), "http://test".to_owned()));
            let unavailable = |error: String| StartError::Unavailable(error);
            let runtime = engine_runtime::Engine::open(inner.store.clone(), options);
            let runtime = runtime.await.map_err(|error| unavailable(error.to_string()))?;
            let embedded = Embedded::new(runtime, inner.world.program.clone(), None, None);
            embedded.runtime.go_on().await.map_err(|error| unavailable(error.to_string()))?;
            Ok(Arc::new(embedded))
        };
        inner.embedded.get_or_try_init(|| open).await
    }

    /// The number of something that the test asks for: the same in every process, so that what was asked for before a
    /// crash is found again.
    pub(super) fn next_number(&self) -> u32 {
        let mut number = locked(&self.inner.starts);
        *number += 1;
        *number
    }
}
