//! What stands in for tasks in a test, and what goes wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use engine_core::id::Side;
use engine_core::task::TaskName;
use engine_runtime::Task;
use engine_runtime::tasks::{TaskContext, TaskEnd, TaskFuture, Tasks, Undecodable};

use super::world::{World, locked};
use crate::context::States;
use crate::task::TaskEntry;
use crate::{StepContext, TaskError};

/// What goes wrong with the task of a step, to be said.
#[must_use = "say how often: `.times(…)`"]
pub struct Fail<'t> {
    pub(super) doubles: &'t Doubles,
    pub(super) step: String,
    pub(super) fault: Fault,
}

impl fmt::Debug for Fail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fail").field("step", &self.step).finish_non_exhaustive()
    }
}

/// What goes wrong with an attempt.
#[derive(Clone)]
pub(super) enum Fault {
    /// The task is not begun, and this is what it says.
    Instead(TaskError),
    /// It is carried out, and then this is what it says.
    Though(TaskError),
}

/// What a test knows and says of tasks. It outlives its simulated processes.
#[derive(Default)]
pub(super) struct Doubles(Mutex<State>);

#[derive(Default)]
struct State {
    mocks: BTreeMap<TaskName, TaskEntry>,
    faults: BTreeMap<String, Vec<Fault>>,
    /// How many attempts of each step had their fault.
    had: BTreeMap<String, usize>,
    begun: Vec<String>,
    done: Vec<Done>,
}

/// A task that was carried out.
#[derive(Clone, PartialEq, Eq)]
struct Done {
    run: String,
    step: String,
    is_undo: bool,
}

impl Fail<'_> {
    /// With this error, in place of one that says that the attempt did nothing and may be made again.
    pub fn with(self, error: TaskError) -> Self {
        Self { fault: Fault::Instead(error), ..self }
    }

    /// The attempt does nothing, but nobody knows: what it did counts as unknown.
    pub fn unknown(self) -> Self {
        Self { fault: Fault::Instead(TaskError::retry("the test says that it failed")), ..self }
    }

    /// The task is carried out, and what it gave is lost.
    pub fn though_done(self) -> Self {
        Self { fault: Fault::Though(TaskError::retry("the test loses what it gave")), ..self }
    }

    /// The first so many attempts of the step fail.
    pub fn times(self, times: usize) {
        locked(&self.doubles.0).faults.insert(self.step, vec![self.fault; times]);
    }

    /// All attempts of the step fail.
    pub fn always(self) {
        self.times(1_000_000);
    }
}

impl Doubles {
    pub(super) fn mock(&self, name: TaskName, entry: TaskEntry) {
        locked(&self.0).mocks.insert(name, entry);
    }

    /// The attempts so far, in order: steps, and compensations as `undo STEP`.
    pub(super) fn begun(&self) -> Vec<String> {
        locked(&self.0).begun.clone()
    }

    /// The steps that were undone, in order.
    pub(super) fn undone(&self) -> Vec<String> {
        locked(&self.0).done.iter().filter(|done| done.is_undo).map(|done| done.step.clone()).collect()
    }

    /// The steps that were carried out and not undone.
    pub(super) fn left(&self) -> Vec<String> {
        let state = locked(&self.0);
        let undone = |done: &Done| state.done.contains(&Done { is_undo: true, ..done.clone() });
        let mut left: Vec<String> =
            state.done.iter().filter(|done| !done.is_undo && !undone(done)).map(|done| done.step.clone()).collect();
        left.sort();
        left
    }

    fn fault(&self, step: &str, side: Side) -> Option<Fault> {
        let mut state = locked(&self.0);
        let name = named(step, side);
        let had = state.had.get(&name).copied().unwrap_or_default();
        let fault = state.faults.get(&name)?.get(had)?.clone();
        state.had.insert(name, had + 1);
        Some(fault)
    }

    fn begins(&self, step: &str, side: Side) {
        locked(&self.0).begun.push(named(step, side));
    }

    fn ends(&self, context: &TaskContext) {
        let done = Done {
            run: context.run().to_string(),
            step: context.step().to_string(),
            is_undo: context.side() == Side::Compensation,
        };
        let mut state = locked(&self.0);
        // An attempt that was cut off is made again: it is the same thing, done once.
        if !state.done.contains(&done) {
            state.done.push(done);
        }
    }
}

fn named(step: &str, side: Side) -> String {
    match side {
        Side::Forward => step.to_owned(),
        Side::Compensation => format!("undo {step}"),
    }
}

/// The tasks of a test: those that were registered, and what stands in for them.
pub(super) struct TestTasks {
    pub(super) world: Arc<World>,
}

impl Tasks for TestTasks {
    fn find(&self, name: &TaskName) -> Option<Arc<dyn Task>> {
        let mock = locked(&self.world.doubles.0).mocks.get(name).cloned();
        let registry = self.world.program.registry();
        let entry = mock.or_else(|| registry.find(name).cloned())?;
        Some(Arc::new(TestTask { entry, doubles: self.world.doubles.clone(), states: registry.states() }))
    }

    fn versions(&self, name: &str) -> Vec<TaskName> {
        self.world.program.registry().versions(name)
    }
}

struct TestTask {
    entry: TaskEntry,
    doubles: Arc<Doubles>,
    states: States,
}

impl Task for TestTask {
    fn begin(&self, context: TaskContext, args: &[u8]) -> Result<TaskFuture, Undecodable> {
        let (step, side, doubles) = (context.step().to_string(), context.side(), self.doubles.clone());
        doubles.begins(&step, side);
        let after = match doubles.fault(&step, side) {
            Some(Fault::Instead(error)) => return Ok(Box::pin(std::future::ready(error.into_end()))),
            Some(Fault::Though(error)) => Some(error),
            None => None,
        };
        let work = self.entry.begin(StepContext::in_test(context.clone(), self.states.clone()), args)?;
        Ok(Box::pin(async move {
            let end = work.await.map_or_else(TaskError::into_end, TaskEnd::Gave);
            if matches!(end, TaskEnd::Gave(_)) {
                doubles.ends(&context);
            }
            after.map_or(end, TaskError::into_end)
        }))
    }
}
