//! Where steps are declared: in a workflow, or for its failure.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::format;
use serde::{Deserialize, Serialize};

use super::argument::{Arg, Args};
use super::http::Http;
use super::port::Step;
use super::slot::{BuilderId, Slot};
use super::state::{Place, Reader, State};
use crate::seal::Seal;
use crate::task::{ArgTypes, Given, NoCapture, TaskEntry, TaskFn, TaskFuture, TaskOutput, TaskResult, task_name};

/// Where steps are declared: a workflow ([`Builder`](super::Builder) is one), or what follows its failure.
pub struct Scope {
    state: Arc<Mutex<State>>,
    id: BuilderId,
    on_failure: bool,
}

/// Why a run failed or was cancelled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// A word for programs, as `CARD_DECLINED`; `CANCELLED` and `RUN_TIMEOUT` where no step failed.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The step that failed.
    pub step: Option<String>,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The failures of all steps.
    #[serde(default)]
    pub all: Vec<Failure>,
}

impl Scope {
    /// A step that calls a task, with these arguments in the order of its parameters. The task is named as the step
    /// is, in its first version, unless [`task!`](crate::task!) or [`version`](crate::TaskExt::version) says otherwise.
    #[track_caller]
    pub fn step<F, Sig, A>(&self, name: &str, task: F, args: A) -> Step<'_, TaskOutput<F, Sig>>
    where
        F: TaskFn<Sig> + NoCapture + Send + Sync,
        F::Ret: TaskFuture + Send + 'static,
        <F::Ret as TaskFuture>::Gives: TaskResult<Ok: Serialize>,
        Sig: ArgTypes + 'static,
        A: Args<Sig>,
    {
        const { assert!(F::CAPTURED == 0, "a task may not capture variables, nor be a pointer: name a function") }
        let (given, args) = (task.given(Seal), args.slots(Seal));
        Step::new(self, self.task_step(name, given, TaskEntry::new(task), args, Location::caller()))
    }

    /// A step that sends a request. What it gives has the type that you say: `wf.http::<Charge>("charge", …)`; where
    /// that is wrong, the run is stuck at the task that can't read it.
    #[track_caller]
    pub fn http<T>(&self, name: &str, http: Http) -> Step<'_, T> {
        Step::new(self, self.http_step(name, http, Location::caller()))
    }

    /// A step that calls nobody and gives a value. Its type is named: `wf.value::<u32>("count", …)`.
    #[track_caller]
    pub fn value<T>(&self, name: &str, value: impl Arg<T>) -> Step<'_, T> {
        Step::new(self, self.value_step(name, value.slot(Seal), Location::caller()))
    }

    fn task_step(&self, name: &str, given: Given, task: TaskEntry, args: Vec<Slot>, at: Place) -> (usize, usize) {
        self.declare(name, at, |state, reader, step| {
            let name = state.task(task_name(given, name), task, at);
            let args = Some(state.resolve_all(args, reader)).filter(|args| !args.is_empty());
            step.task = Some(format::Task { name, args, ..format::Task::default() });
        })
    }

    fn http_step(&self, name: &str, http: Http, at: Place) -> (usize, usize) {
        self.declare(name, at, |state, reader, step| {
            let (http, output) = state.http(http, reader);
            (step.http, step.output) = (Some(http), output);
        })
    }

    fn value_step(&self, name: &str, value: Slot, at: Place) -> (usize, usize) {
        self.declare(name, at, |state, reader, step| step.value = Some(state.resolve(value, reader)))
    }

    fn declare(
        &self,
        name: &str,
        at: Place,
        say: impl FnOnce(&mut State, Reader, &mut format::Step),
    ) -> (usize, usize) {
        let mut state = self.lock();
        let (node, reference) = state.declare(name, self.on_failure, at);
        let mut step = format::Step::default();
        say(&mut state, Reader { node: Some(node), undoes: false, at }, &mut step);
        if let Some(node) = state.node(node) {
            node.step = step;
        }
        (node, reference)
    }

    pub(super) fn new(state: State) -> Self {
        Self { id: state.id, state: Arc::new(Mutex::new(state)), on_failure: false }
    }

    /// Where the steps that follow a failure are declared.
    pub(super) fn on_failure(&self) -> Self {
        Self { id: self.id, state: Arc::clone(&self.state), on_failure: true }
    }

    pub(super) fn id(&self) -> BuilderId {
        self.id
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.lock().file.name)
    }
}
