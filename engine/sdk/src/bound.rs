//! Registered tasks, bound to the things of this process.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::definition::Definition;
use engine_core::task::TaskName;
use engine_runtime::tasks::{TaskContext, TaskEnd, TaskFuture, Tasks, Undecodable};
use engine_runtime::{Options, Task};
use serde_json::Value;

use crate::registry::{RegisterError, Registry};
use crate::task::TaskEntry;
use crate::threads::TaskThreads;
use crate::{StepContext, TaskError};

/// What a program has, for whoever drives its runs by another way than [`Engine`](crate::Engine): the verbs of
/// `engine-cli`.
#[doc(hidden)]
#[derive(Clone, Default, Debug)]
pub struct Program(Arc<Mutex<Registry>>);

/// Keeps the threads that tasks are carried out on.
#[doc(hidden)]
#[must_use = "tasks have threads only while this lives"]
#[derive(Debug)]
pub struct Equipped {
    _threads: Option<TaskThreads>,
}

impl Program {
    /// A program that has this.
    ///
    /// # Errors
    /// Where tasks need a state that is not there.
    pub fn new(registry: Registry) -> Result<Self, RegisterError> {
        registry.check_needs()?;
        Ok(Self::unchecked(registry))
    }

    pub(crate) fn unchecked(registry: Registry) -> Self {
        Self(Arc::new(Mutex::new(registry)))
    }

    /// The workflow of this name.
    pub fn workflow(&self, name: &str) -> Option<Arc<Definition>> {
        self.registry().workflow(name).cloned()
    }

    /// All workflows, by name.
    pub fn workflows(&self) -> Vec<Arc<Definition>> {
        self.registry().workflows().cloned().collect()
    }

    /// Refuses an input that the tasks of this very definition could not read.
    ///
    /// # Errors
    /// Why they could not.
    pub fn check_input(&self, definition: &Definition, input: &Value) -> serde_json::Result<()> {
        self.registry().check_input(definition, input)
    }

    /// Gives an engine its tasks, and threads for them: so many, 0 for those of the engine itself.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn equip(&self, options: &mut Options, threads: Option<usize>) -> io::Result<Equipped> {
        let has_tasks = self.registry().has_tasks();
        let threads = if threads == Some(0) || !has_tasks { None } else { Some(TaskThreads::new(threads)?) };
        options.task_threads = threads.as_ref().map(TaskThreads::handle);
        options.tasks = Arc::new(self.clone());
        Ok(Equipped { _threads: threads })
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks for Program {
    fn find(&self, name: &TaskName) -> Option<Arc<dyn Task>> {
        let registry = self.registry();
        let entry = registry.find(name)?.clone();
        Some(Arc::new(BoundTask { entry, states: registry.states() }))
    }

    fn versions(&self, name: &str) -> Vec<TaskName> {
        self.registry().versions(name)
    }
}

struct BoundTask {
    entry: TaskEntry,
    states: crate::context::States,
}

impl Task for BoundTask {
    fn begin(&self, context: TaskContext, args: &[u8]) -> Result<TaskFuture, Undecodable> {
        let work = self.entry.begin(StepContext::new(context, self.states.clone()), args)?;
        Ok(Box::pin(async move { work.await.map_or_else(TaskError::into_end, TaskEnd::Gave) }))
    }
}
