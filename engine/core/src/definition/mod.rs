//! One immutable version of a workflow: checked, compiled, identified by its digest.
//!
//! A definition is made from a workflow file (see [`crate::format`]) and kept as that file's canonical text, so a
//! stored definition can be read by every later version of the engine. Everything else here is rebuilt from it.

mod calls;
mod check;
mod headers;
mod input;
mod order;
mod policies;
mod policy;
pub mod reference;
mod schema_bounds;
mod services;
mod step;
mod steps;
mod texts;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::expression::Template;
use crate::format::{self, File};
use crate::id::{Digest, Name};
use crate::task::TaskName;

use input::InputSchema;
use order::Ancestors;

pub use crate::format::{DefinitionErrors, Problem};
pub use input::{InputError, InputProblem};
pub use policy::{Jitter, RetryPolicy};
pub use step::{
    CallRule, CallTemplate, Classified, Compensate, Expect, HttpTarget, HttpTemplate, Kind, OnUnknown, Otherwise,
    OutputRule, Step, StepIndex, TaskTemplate,
};

/// A checked workflow.
#[derive(Debug)]
pub struct Definition {
    pub(crate) name: Name,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) digest: Digest,
    pub(crate) source: Arc<[u8]>,
    schema: Option<InputSchema>,
    pub(crate) example: Option<serde_json::Value>,
    pub(crate) services: IndexMap<Name, Service>,
    /// The steps in the order of the file; from `main` on those of `on_failure`.
    pub(crate) steps: Vec<Step>,
    pub(crate) main: usize,
    pub(crate) by_name: IndexMap<Name, StepIndex>,
    order: Vec<StepIndex>,
    ancestors: Ancestors,
    pub(crate) pivot: Option<StepIndex>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) output: Option<Template>,
    notes: Vec<Problem>,
}

/// A service that steps call.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// Its base URL; may hold `${secret:…}` and `${env:…}`.
    pub url: String,
    /// Headers sent with every call; values may hold `${secret:…}` and `${env:…}`.
    pub headers: Vec<(String, String)>,
    /// How it is authenticated to.
    pub auth: Option<Auth>,
    /// Whether it honours `Idempotency-Key`.
    pub idempotent: bool,
}

/// How a service is authenticated to. Values may hold `${secret:…}` and `${env:…}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Auth {
    /// `Authorization: Bearer …`
    Bearer(String),
    /// HTTP basic authentication (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl Definition {
    /// Reads a workflow file, checks it and compiles it. All that is wrong is reported at once.
    pub fn from_json(text: &str) -> Result<Self, DefinitionErrors> {
        match format::read(text)? {
            (File::Workflow(file), document) => check::check(&file, &document),
            (File::Run(file), document) => Err(document.not_a_workflow(&file.run)),
        }
    }

    /// Reads what [`Definition::source`] gave, perhaps long ago.
    pub fn from_source(source: &[u8]) -> Result<Self, DefinitionErrors> {
        let text = std::str::from_utf8(source).map_err(|_| DefinitionErrors::not_text())?;
        Self::from_json(text)
    }

    /// Whether a run may be started with this input. Lists each place that breaks the workflow's schema.
    pub fn check_input(&self, input: &serde_json::Value) -> Result<(), InputError> {
        self.schema.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }

    /// All steps, each after those it comes after; among the free ones in the order of the file.
    pub fn topological(&self) -> &[StepIndex] {
        &self.order
    }

    /// Whether `ancestor` must have ended before `step` starts.
    pub fn is_ancestor(&self, ancestor: StepIndex, step: StepIndex) -> bool {
        self.ancestors.has(step, ancestor)
    }

    /// The workflow's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its version label. The identity is the digest.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is for, as its author says.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Labels that every run gets.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// The digest of [`Definition::source`].
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The canonical text of the workflow file, from which this definition can be made again.
    pub fn source(&self) -> &Arc<[u8]> {
        &self.source
    }

    /// The input that demonstrations use.
    pub fn example(&self) -> Option<&serde_json::Value> {
        self.example.as_ref()
    }

    /// The services by name.
    pub fn services(&self) -> &IndexMap<Name, Service> {
        &self.services
    }

    /// The tasks that its steps and their compensations call.
    pub fn tasks(&self) -> BTreeSet<&TaskName> {
        let undone = self.steps.iter().filter_map(|step| step.compensate.as_ref());
        let undone = undone.flat_map(|undo| std::iter::once(&undo.call).chain(&undo.unknown));
        let calls = self.steps.iter().filter_map(Step::call).chain(undone);
        calls.filter_map(|call| call.template.task()).map(|task| &task.name).collect()
    }

    /// The workflow's own steps, in the order of the file.
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..self.main).unwrap_or_default()
    }

    /// The `on_failure` steps, in the order of the file.
    pub fn on_failure(&self) -> &[Step] {
        self.steps.get(self.main..).unwrap_or_default()
    }

    /// All steps: the workflow's own, then those of `on_failure`.
    pub fn all_steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether this step belongs to `on_failure`.
    pub fn is_on_failure(&self, index: StepIndex) -> bool {
        index.get() >= self.main
    }

    /// The step at this index.
    ///
    /// # Panics
    /// If the index comes from another definition.
    #[expect(clippy::indexing_slicing, reason = "an index is only ever made from this definition's own steps")]
    pub fn step(&self, index: StepIndex) -> &Step {
        &self.steps[index.get()]
    }

    /// The index of the step with this name.
    pub fn find(&self, name: &str) -> Option<StepIndex> {
        self.by_name.get(name).copied()
    }

    /// The point of no return.
    pub fn pivot(&self) -> Option<StepIndex> {
        self.pivot
    }

    /// How long a run may take before it is cancelled.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// What is no problem in the file, and still rather a slip.
    pub fn notes(&self) -> &[Problem] {
        &self.notes
    }

    /// What the workflow gives; without it, the outputs of its last steps by name.
    pub fn output(&self) -> Option<&Template> {
        self.output.as_ref()
    }
}
