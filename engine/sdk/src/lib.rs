//! Durable workflows and sagas inside your own program.

mod context;
mod error;

pub use context::StepContext;
pub use error::TaskError;
