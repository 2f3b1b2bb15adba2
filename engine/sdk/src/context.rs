//! What a task knows of the attempt that it makes.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_runtime::tasks::TaskContext;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::TaskError;
use crate::service::{Calls, Service};

/// Things of the process that tasks use, as pools and clients, by their types.
pub(crate) type States = Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>;

/// What a task knows of the attempt that it makes, and what it may ask of the engine. Cheap to clone.
///
/// It comes first and by value in every task: `async fn charge(cx: StepContext, order: Order) -> Result<…>`.
#[derive(Clone)]
pub struct StepContext {
    pub(crate) task: TaskContext,
    states: States,
    pub(crate) calls: Arc<Mutex<Calls>>,
    /// Whether other threads would be none that the test's time knows of.
    is_in_test: bool,
}

impl StepContext {
    pub(crate) fn new(task: TaskContext, states: States) -> Self {
        Self { task, states, calls: Arc::default(), is_in_test: false }
    }

    pub(crate) fn in_test(task: TaskContext, states: States) -> Self {
        Self { is_in_test: true, ..Self::new(task, states) }
    }

    /// The id of the run.
    pub fn run_id(&self) -> String {
        self.task.run().to_string()
    }

    /// The id that the run was given at its start; else that of the run.
    pub fn workflow_id(&self) -> String {
        self.task.workflow_id().map_or_else(|| self.run_id(), str::to_owned)
    }

    /// The workflow's name.
    pub fn workflow(&self) -> &str {
        self.task.workflow().as_str()
    }

    /// The step's name; of a compensation, that of the step which it undoes.
    pub fn step(&self) -> &str {
        self.task.step().as_str()
    }

    /// The number of this attempt, from 1. It counts every attempt, also those cut off by a crash.
    pub fn attempt(&self) -> u32 {
        self.task.attempt()
    }

    /// The idempotency key: the same for all attempts of this step, across retries, crashes and restarts, and another
    /// one for its compensation. Give it to whatever you call that takes one: 32 hexadecimal digits.
    pub fn key(&self) -> &str {
        self.task.key().as_str()
    }

    /// How much of the attempt's time is left, by engine time. What the attempt gives after that is dropped, and what
    /// it did counts as unknown.
    pub fn time_left(&self) -> Duration {
        self.task.deadline().since(self.task.now())
    }

    /// When the attempt's time is over, by engine time: that is the wall clock's time,
    /// except where that has jumped since the engine started.
    pub fn deadline(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(self.task.deadline().millis())
    }

    /// Whether the attempt should come to an end: see [`StepContext::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.task.is_cancelled()
    }

    /// Returns once the attempt should come to an end: its time is over, its run was ended or turns back, or the
    /// engine stops. Nothing forces it yet: a result still counts, except where the attempt's time is over or the
    /// run has ended; there the task has five seconds to tidy up before it is dropped where it next awaits something.
    pub async fn cancelled(&self) {
        self.task.cancelled().await;
    }

    /// Returns after this long by engine time, which a test can advance. The attempt's timeout runs meanwhile, and after
    /// a crash the next attempt sleeps from the beginning: it is no timer of the workflow.
    pub async fn sleep(&self, span: Duration) {
        self.task.sleep(span).await;
    }

    /// Calls a service of the workflow, by its name. The base URL, credentials, the idempotency key and what is left
    /// of the attempt's time come along; see [`ServiceCall`](crate::ServiceCall) for what its answers mean. A service
    /// that the workflow does not have is found out when the call is sent.
    pub fn service(&self, name: &str) -> Service {
        Service::new(self.clone(), name)
    }

    /// A thing of the process, given to the engine by `state(..)`. Declare it with `needs::<T>()` when the workflow is
    /// built: then an engine that lacks it does not start.
    ///
    /// # Errors
    /// Where the engine was given no `T`: the attempt did nothing, and is made again.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, TaskError> {
        let state = self.states.get(&TypeId::of::<T>()).cloned().and_then(|state| state.downcast::<T>().ok());
        state.ok_or_else(|| {
            let name = type_name::<T>();
            TaskError::retry(format!("the engine was given no `{name}`: give it one by `.state(..)` before it starts"))
                .code("STATE_MISSING")
                .effect_none()
        })
    }

    /// Notes how far the attempt is: the next attempt of this step finds it by [`StepContext::last_checkpoint`].
    /// Returns once it is durable. Each one is an event of the run's history, so one every few seconds is right, and
    /// one per row is not.
    ///
    /// # Errors
    /// Where nobody waits for this attempt any more, or the run's history is full.
    pub async fn checkpoint<T: Serialize + ?Sized>(&self, checkpoint: &T) -> Result<(), TaskError> {
        let json = serde_json::to_vec(checkpoint)?;
        self.task.checkpoint(json).await.map_err(|error| TaskError::fatal(error).code("CHECKPOINT_REFUSED"))
    }

    /// What an earlier attempt of this step noted last, if any did: across retries, crashes and restarts. What was done
    /// after it and before the crash is not in it, so that part is done again.
    ///
    /// # Errors
    /// Where it is no `T`.
    pub fn last_checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, TaskError> {
        Ok(self.task.last_checkpoint().map(|json| serde_json::from_slice(json)).transpose()?)
    }

    /// Carries out work that takes long without awaiting anything, on a thread where it holds up nobody.
    ///
    /// It can't be stopped: where the attempt ends before it, what it gives is dropped.
    ///
    /// # Errors
    /// Where the work panics (`PANICKED`): what it did is unknown.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, TaskError> {
        if self.is_in_test {
            return Ok(work());
        }
        let span = tracing::Span::current();
        let work = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
        work.map_err(|error| TaskError::retry(error).code("PANICKED"))
    }
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("run", &self.run_id())
            .field("step", &self.step())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
