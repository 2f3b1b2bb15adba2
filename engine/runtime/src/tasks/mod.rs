//! Tasks: functions of this process that steps call.
//!
//! What a task does is none of the engine's business, and may go wrong in every way: it may panic, block its thread,
//! ignore that nobody waits for it any more, and come back late. So it runs on threads of its own where the process
//! gives it some, and all that reaches its run is one [`TaskEnd`], in time.

mod attempt;
mod context;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine_core::event::StuckReason;
use engine_core::machine::TaskFailure;
use engine_core::task::TaskName;

pub(crate) use attempt::{Outcome, TaskAttempt, World};
pub use context::{Called, NotKept, TaskContext};
pub(crate) use context::{Note, Stopped};

/// The tasks of a process, by name and version.
pub trait Tasks: Send + Sync + 'static {
    /// The task, where this process has it.
    fn find(&self, name: &TaskName) -> Option<Arc<dyn Task>>;

    /// The versions that this process has of a task.
    fn versions(&self, name: &str) -> Vec<TaskName>;
}

/// A function that steps call.
pub trait Task: Send + Sync + 'static {
    /// Begins one attempt with these arguments, a JSON array.
    ///
    /// # Errors
    /// Where the task can't read the arguments. It has done nothing then.
    fn begin(&self, context: TaskContext, args: &[u8]) -> Result<TaskFuture, Undecodable>;
}

/// An attempt of a task on its way. Dropping it abandons the attempt.
pub type TaskFuture = Pin<Box<dyn Future<Output = TaskEnd> + Send>>;

/// How an attempt of a task ended.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum TaskEnd {
    /// It gave this: JSON.
    Gave(Vec<u8>),
    /// It failed.
    Failed(TaskFailure),
    /// It did nothing, because something is missing that an operator has to see to: the run is stuck until then.
    Unbound {
        /// What, for programs.
        reason: StuckReason,
        /// What is missing, and what to do.
        message: String,
    },
}

/// Arguments that a task can't read: the text says which and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(pub String);

/// No tasks at all.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoTasks;

impl Tasks for NoTasks {
    fn find(&self, _: &TaskName) -> Option<Arc<dyn Task>> {
        None
    }

    fn versions(&self, _: &str) -> Vec<TaskName> {
        Vec::new()
    }
}

/// What became of tasks that nobody waited for any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late(Arc<AtomicU64>);

impl Late {
    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// That a task can't read what was recorded for it, and what to do.
pub(crate) fn undecodable(name: &TaskName, why: &str) -> String {
    format!(
        "the task `{name}` of this program can't read the arguments that were recorded for it: {why}. Deploy a program \
         whose `{name}` takes them, and give what has changed another version; then have the run tried again"
    )
}

/// That a task is not here, and what to do.
pub(crate) fn missing(tasks: &dyn Tasks, name: &TaskName) -> String {
    let versions: Vec<String> = tasks.versions(name.name()).iter().map(|version| format!("`{version}`")).collect();
    let has = match versions.as_slice() {
        [] => format!("no version of `{}`", name.name()),
        versions => format!("only {}", versions.join(", ")),
    };
    format!(
        "the run needs the task `{name}`, and this program has {has}: deploy one that registers `{name}` as well, \
         then have the run tried again"
    )
}
