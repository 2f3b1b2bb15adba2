//! The workflow file, `engine/1`: its keys as serde types, and where in the text each thing stands.
//!
//! [`Workflow`] is the file as it is written: nothing is filled in, nothing is compiled, names and durations are
//! still text. Its compact JSON is the canonical form that a definition's digest is taken of. What the file means is
//! checked by [`crate::definition::Definition::from_json`].
//!
//! Every object of the file may hold a `$comment`; it is read over and is no part of the digest. Only in JSON that is
//! data of the workflow (bodies, values, outputs, the schema and example of the input) it is data too. `null` is never
//! the same as a key that is left out: where a value is optional, `null` is refused. Numbers keep their text, but for
//! exponents: `1e9` becomes `1e+9`.

mod document;
mod parts;
mod problem;
mod read;
mod schema;
mod step;
mod suggest;
mod workflow;

pub(crate) use document::{Document, join as pointer_to};
pub use parts::{Comment, Entries, WordOr};
pub(crate) use problem::{At, Findings, quoted};
pub use problem::{DefinitionErrors, Problem};
pub(crate) use read::read;
pub use schema::schema;
pub use step::{
    Compensate, Condition, Effect, Expect, ExpectEffect, Fail, Http, IfSkipped, Join, OnUnknown, Outcome, Skip, Step,
    Success, Task, Unknown,
};
pub(crate) use suggest::did_you_mean;
pub use workflow::{Auth, Basic, Defaults, Format, Idempotency, Input, Jitter, Retry, RunFile, Service, Workflow};

/// What a file can be.
#[derive(Clone, PartialEq, Debug)]
pub enum File {
    /// A workflow.
    Workflow(Box<Workflow>),
    /// The order to run a workflow that the program knows by name.
    Run(RunFile),
}

/// Reads a file: its syntax and its keys, not yet what they mean.
pub fn parse(text: &str) -> Result<File, DefinitionErrors> {
    read(text).map(|(file, _)| file)
}
