//! Builds workflows from typed functions.
//!
//! A step takes ports: values that the workflow will have. They are handles, cheap to copy, and become expressions of
//! the workflow file, as `${ .steps.charge.id }`. What the types can't check, [`Builder::finish`] checks; that what is
//! built is a sound workflow is checked as of any file, by [`engine_core::definition::Definition`].

mod after;
mod argument;
mod fields;
mod finish;
mod http;
mod json;
mod output;
mod policy;
mod port;
mod problem;
mod reference;
mod scope;
mod service;
mod slot;
mod state;
mod step;
mod text;
mod undo;
mod workflow;

pub use engine_core::call::Method;

pub use after::AfterSteps;
pub use argument::{Arg, Args};
pub use http::{Classify, Expect, Http};
#[doc(hidden)]
pub use json::{__assemble, __object};
pub use json::{Assembled, Constant, Fields, Template, ToJson, template, value};
pub use output::Output;
pub use policy::{Defaults, Retry};
pub use port::{Maybe, Port, Presence, Step, Sure};
pub use problem::{DefinitionError, Problem};
pub use scope::{Failure, Scope};
pub use service::HttpService;
#[doc(hidden)]
pub use text::__text;
pub use text::Text;
pub use workflow::{Builder, Same};
