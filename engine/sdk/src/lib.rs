//! Durable workflows and sagas inside your own program.

mod bound;
mod builder;
mod client;
mod context;
mod embedded;
mod engine;
mod error;
mod history;
mod observe;
mod registry;
mod run;
mod seal;
mod service;
mod task;
pub mod testing;
mod threads;
mod workflow;

#[doc(hidden)]
pub use bound::{Equipped, Program};
pub use builder::*;
pub use client::{
    Answer, Ask, CancelReason, Client, ClientError, NewRun, RunStatus, RunView, StartError, StartedRun, StepFailure,
};
pub use context::StepContext;
pub use engine::{DirectoryError, Engine, EngineBuilder, OpenError};
pub use engine_macros::test;
pub use error::TaskError;
pub use history::{EventKind, HistoryEvent};
pub use registry::{RegisterError, Registry};
pub use run::{Events, RunError, RunHandle, StartRun};
pub use service::{Service, ServiceCall};
pub use task::{
    ArgTypes, Named, NoCapture, Outcome, OutcomeOf, TaskArg, TaskExt, TaskFn, TaskFuture, TaskOutput, TaskResult,
    Undoes,
};
pub use workflow::Workflow;
