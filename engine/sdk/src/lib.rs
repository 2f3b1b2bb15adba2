//! Durable workflows and sagas inside your own program.

mod builder;
mod context;
mod error;
mod service;
mod registry;
mod seal;
mod task;
mod workflow;

pub use builder::*;
pub use context::StepContext;
pub use error::TaskError;
pub use service::{Service, ServiceCall};
pub use registry::{RegisterError, Registry};
pub use task::{
    ArgTypes, Named, NoCapture, Outcome, OutcomeOf, TaskArg, TaskExt, TaskFn, TaskFuture, TaskOutput, TaskResult,
    Undoes,
};
pub use workflow::Workflow;
