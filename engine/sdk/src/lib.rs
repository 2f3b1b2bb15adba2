//! Durable workflows and sagas inside your own program.

mod context;
mod error;
mod service;

pub use context::StepContext;
pub use error::TaskError;
pub use service::{Service, ServiceCall};
