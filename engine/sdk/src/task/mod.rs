//! Tasks: what may be one, and how a typed function becomes something that takes and gives JSON.
//!
//! A function is taken apart by inference first ([`TaskFn`]), and each demand on its parts is a bound of its own:
//! so each mistake gets a message of its own.

mod entry;
mod function;
mod named;
mod outcome;
mod stored;

pub(crate) use entry::TaskEntry;
pub use function::{NoCapture, TaskFn, TaskFuture, TaskOutput, TaskResult};
pub(crate) use named::{Given, task_name};
pub use named::{Named, TaskExt};
pub use outcome::{Outcome, OutcomeOf, Undoes};
pub use stored::{ArgTypes, TaskArg};
