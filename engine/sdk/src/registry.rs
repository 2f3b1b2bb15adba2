//! What a program has: its workflows, and the tasks that their runs call.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::id::Name;
use engine_core::task::{InvalidTaskName, TaskName};
use serde::Serialize;
use serde_json::Value;

use crate::Workflow;
use crate::context::States;
use crate::task::{ArgTypes, NoCapture, TaskEntry, TaskFn, TaskFuture, TaskResult};
use crate::workflow::InputType;

/// A state that the tasks of a workflow use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Need {
    pub(crate) id: TypeId,
    pub(crate) type_name: &'static str,
}

/// Tasks by name and version.
pub(crate) type TaskMap = BTreeMap<TaskName, TaskEntry>;

/// The workflows and tasks of a program, and what its tasks use: for [`EngineBuilder::registry`], and for a program
/// that has the verbs of the `engine` binary.
///
/// [`EngineBuilder::registry`]: crate::EngineBuilder::registry
#[derive(Clone, Default)]
pub struct Registry {
    tasks: TaskMap,
    workflows: BTreeMap<Name, Registered>,
    /// What is needed, and by which workflow.
    needs: Vec<(Need, Name)>,
    /// Things of the process that tasks use.
    states: States,
}

/// A workflow that a program has.
#[derive(Clone)]
struct Registered {
    definition: Arc<Definition>,
    input: Option<InputType>,
}

/// Why something can't be registered beside what is there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Two functions want the same name and version.
    #[error(
        "two functions under the task name `{name}`: `{first}` and `{second}`; give one of them a name or a version of \
         its own, as `task!(name@2)`"
    )]
    TaskTwice {
        /// The name and version.
        name: String,
        /// The path of the function that has it.
        first: &'static str,
        /// The path of the other one.
        second: &'static str,
    },
    /// Two workflows want the same name.
    #[error(
        "two workflows under the name `{name}`, with the digests {first} and {second}: give one of them another name"
    )]
    WorkflowTwice {
        /// The name.
        name: String,
        /// The digest of the one that has it.
        first: String,
        /// The digest of the other one.
        second: String,
    },
    /// A workflow needs a state that is not there.
    #[error("workflow `{workflow}` needs a `{state}`, and none was given: `.state(…)` it beside the workflow")]
    StateMissing {
        /// The type of the state.
        state: &'static str,
        /// The workflow.
        workflow: String,
    },
    /// What was given as a task's name and version is none.
    #[error("{0}")]
    TaskName(String),
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow with its tasks. To add the same one again changes nothing.
    ///
    /// # Errors
    /// Where its name belongs to another workflow, or that of a task to another function. Nothing is added then.
    pub fn register<I, O>(&mut self, workflow: &Workflow<I, O>) -> Result<&mut Self, RegisterError> {
        let definition = workflow.definition();
        let name = definition.name();
        if let Some(other) = self.workflows.get(name)
            && other.definition.digest() != definition.digest()
        {
            let (first, second) = (other.definition.digest().to_string(), workflow.digest().to_owned());
            return Err(RegisterError::WorkflowTwice { name: name.to_string(), first, second });
        }
        for (task, entry) in workflow.tasks() {
            clash(&self.tasks, task, entry)?;
        }
        let tasks = workflow.tasks().iter().map(|(task, entry)| (task.clone(), entry.clone()));
        self.tasks.extend(tasks);
        for need in workflow.needs() {
            if !self.needs.iter().any(|(other, _)| other == need) {
                self.needs.push((*need, name.clone()));
            }
        }
        let registered = Registered { definition: Arc::clone(definition), input: workflow.input() };
        self.workflows.insert(name.clone(), registered);
        Ok(self)
    }

    /// Adds a thing of the process that tasks use, as a pool or a client: they find it by its type, see
    /// [`StepContext::state`](crate::StepContext::state). The same type again replaces it.
    pub fn state<T: Send + Sync + 'static>(&mut self, state: T) -> &mut Self {
        Arc::make_mut(&mut self.states).insert(TypeId::of::<T>(), Arc::new(state));
        self
    }

    /// Adds a function as the task `name`, as `charge@1`: for workflow files that call it, and for runs that an
    /// earlier program has started.
    ///
    /// # Errors
    /// Where this is no name and version of a task, or that of another function.
    pub fn task<F, Sig>(&mut self, name: &str, function: F) -> Result<&mut Self, RegisterError>
    where
        F: TaskFn<Sig> + NoCapture + Send + Sync,
        F::Ret: TaskFuture + Send + 'static,
        <F::Ret as TaskFuture>::Gives: TaskResult<Ok: Serialize>,
        Sig: ArgTypes + 'static,
    {
        const { assert!(F::CAPTURED == 0, "a task may not capture variables: name a function") }
        add_task(&mut self.tasks, well_named(name.parse())?, TaskEntry::new(function))?;
        Ok(self)
    }
}

impl Registry {
    /// The task of this name and version.
    pub(crate) fn find(&self, name: &TaskName) -> Option<&TaskEntry> {
        self.tasks.get(name)
    }

    /// Whether there are tasks at all.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// The versions of a task that are here, in their order.
    pub(crate) fn versions(&self, name: &str) -> Vec<TaskName> {
        self.tasks.keys().filter(|task| task.name() == name).cloned().collect()
    }

    /// The workflow of this name.
    pub(crate) fn workflow(&self, name: &str) -> Option<&Arc<Definition>> {
        self.workflows.get(name).map(|registered| &registered.definition)
    }

    /// Refuses an input that the tasks of this very definition could not read.
    pub(crate) fn check_input(&self, definition: &Definition, input: &Value) -> serde_json::Result<()> {
        match self.workflows.get(definition.name()) {
            Some(Registered { definition: own, input: Some(known) }) if own.digest() == definition.digest() => {
                known.check(input)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// All workflows, by name.
    pub(crate) fn workflows(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.workflows.values().map(|registered| &registered.definition)
    }

    /// The things of the process that tasks use.
    pub(crate) fn states(&self) -> States {
        self.states.clone()
    }

    /// Refuses a workflow whose tasks need a state that is not there.
    pub(crate) fn check_needs(&self) -> Result<(), RegisterError> {
        match self.needs.iter().find(|(need, _)| !self.states.contains_key(&need.id)) {
            None => Ok(()),
            Some((need, workflow)) => {
                Err(RegisterError::StateMissing { state: need.type_name, workflow: workflow.to_string() })
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("tasks", &self.tasks)
            .field("workflows", &self.workflows.keys())
            .finish_non_exhaustive()
    }
}

/// Adds a task.
///
/// # Errors
/// Where another function has its name.
pub(crate) fn add_task(tasks: &mut TaskMap, name: TaskName, entry: TaskEntry) -> Result<(), RegisterError> {
    clash(tasks, &name, &entry)?;
    tasks.entry(name).or_insert(entry);
    Ok(())
}

/// Refuses what is no name of a task.
pub(crate) fn well_named(name: Result<TaskName, InvalidTaskName>) -> Result<TaskName, RegisterError> {
    name.map_err(|error| RegisterError::TaskName(error.to_string()))
}

fn clash(tasks: &TaskMap, name: &TaskName, entry: &TaskEntry) -> Result<(), RegisterError> {
    match tasks.get(name) {
        Some(other) if !other.is(entry) => {
            Err(RegisterError::TaskTwice { name: name.to_string(), first: other.path(), second: entry.path() })
        }
        _ => Ok(()),
    }
}
