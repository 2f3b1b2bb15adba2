//! Workflows that were built.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use engine_core::definition::Definition;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::registry::{Need, TaskMap};

/// A workflow that takes `I` and gives `O`: its definition, checked, and the tasks that it calls. Made by
/// [`Workflow::builder`]. Cheap to clone.
pub struct Workflow<I, O> {
    built: Arc<Built>,
    types: PhantomData<fn(I) -> O>,
}

/// What was built, whatever its types.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) definition: Arc<Definition>,
    pub(crate) digest: String,
    pub(crate) tasks: TaskMap,
    pub(crate) needs: Vec<Need>,
    /// None where nothing reads the input.
    pub(crate) input: Option<InputType>,
}

/// What inputs are read as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputType {
    read: fn(&Value) -> serde_json::Result<()>,
}

impl InputType {
    pub(crate) fn of<T: DeserializeOwned>() -> Self {
        Self { read: |input| T::deserialize(input).map(drop) }
    }

    /// Refuses what no task could read.
    pub(crate) fn check(self, input: &Value) -> serde_json::Result<()> {
        (self.read)(input)
    }
}

impl<I, O> Workflow<I, O> {
    pub(crate) fn new(built: Built) -> Self {
        Self { built: Arc::new(built), types: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.built.definition.name().as_str()
    }

    /// The digest of its definition, in hexadecimal: what is not the same workflow has another. Runs are bound to it.
    pub fn digest(&self) -> &str {
        &self.built.digest
    }

    /// The workflow as a file: JSON over several lines. Read as a file, it is the same definition.
    pub fn to_json(&self) -> String {
        let source = self.built.definition.source();
        let pretty = serde_json::from_slice::<Value>(source).and_then(|file| serde_json::to_string_pretty(&file));
        pretty.unwrap_or_else(|_| String::from_utf8_lossy(source).into_owned())
    }

    /// The workflow as a drawing, in Mermaid.
    pub fn graph(&self) -> String {
        self.built.definition.to_mermaid(None)
    }

    /// What the engine carries out.
    #[doc(hidden)]
    pub fn definition(&self) -> &Arc<Definition> {
        &self.built.definition
    }

    /// The tasks that it calls, and those that it keeps.
    pub(crate) fn tasks(&self) -> &TaskMap {
        &self.built.tasks
    }

    /// What its inputs are read as.
    pub(crate) fn input(&self) -> Option<InputType> {
        self.built.input
    }

    /// The states that its tasks use.
    pub(crate) fn needs(&self) -> &[Need] {
        &self.built.needs
    }
}

impl<I, O> Clone for Workflow<I, O> {
    fn clone(&self) -> Self {
        Self { built: Arc::clone(&self.built), types: PhantomData }
    }
}

impl<I, O> fmt::Debug for Workflow<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workflow({} {})", self.name(), self.digest())
    }
}
