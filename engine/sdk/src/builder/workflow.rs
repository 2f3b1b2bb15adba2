//! The builder of a workflow, and what can be said of the workflow as a whole.

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;

use engine_core::format::{self, Input};
use engine_core::task::TaskName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::output::Output;
use super::policy::Defaults;
use super::port::Port;
use super::problem::DefinitionError;
use super::scope::{Failure, Scope};
use super::service::HttpService;
use super::state::{Place, Reader, State, pointer_key};
use crate::Workflow;
use crate::registry::Need;
use crate::seal::Seal;
use crate::task::{ArgTypes, NoCapture, TaskEntry, TaskFn, TaskFuture, TaskResult};
use crate::workflow::InputType;

/// Builds a workflow that takes `I`, which is found from [`Builder::input`]. Steps are declared by the methods of
/// [`Scope`], which it derefs to.
pub struct Builder<I> {
    scope: Scope,
    input: PhantomData<fn(I)>,
}

/// The same type.
#[diagnostic::on_unimplemented(
    message = "the workflow's input is `{T}`, not `{Self}`",
    label = "another type before",
    note = "a workflow has one input; take several values in a struct or a tuple"
)]
pub trait Same<T> {}

impl<T> Same<T> for T {}

impl Workflow<(), ()> {
    /// Begins a workflow of this name. Names of workflows and steps are lower-case letters, digits and `_`, 64 at most.
    #[track_caller]
    pub fn builder<I>(name: &str) -> Builder<I> {
        Builder { scope: Scope::new(State::new(name, Location::caller())), input: PhantomData }
    }
}

impl<I> Builder<I> {
    /// The input of a run. Its type is the workflow's. What is given on a command line is tried on it before a run is
    /// stored.
    pub fn input<T>(&self) -> Port<'_, T>
    where
        T: Same<I> + DeserializeOwned,
    {
        let mut state = self.scope.lock();
        state.input = Some(InputType::of::<T>());
        let reference = state.refer(".input".to_owned(), None);
        drop(state);
        Port::new(&self.scope, reference)
    }

    /// A JSON Schema (2020-12) that the input must follow: it is checked before a run is stored.
    #[track_caller]
    pub fn schema(&self, schema: impl Into<Value>) -> &Self {
        let schema = schema.into();
        self.say("/input/schema", |file| input(file).schema = Some(schema))
    }

    /// An input for trying the workflow out.
    #[track_caller]
    pub fn example<T>(&self, example: &T) -> &Self
    where
        T: Same<I> + Serialize,
    {
        match serde_json::to_value(example) {
            Ok(example) => self.say("/input/example", |file| input(file).example = Some(example)),
            Err(error) => {
                let message = format!("the example can't be written as JSON: {error}");
                self.scope.lock().problem(Location::caller(), message);
                self
            }
        }
    }

    /// What the workflow is for.
    #[track_caller]
    pub fn description(&self, text: &str) -> &Self {
        self.say("/description", |file| file.description = Some(text.to_owned()))
    }

    /// A label of its version for people; else `1.0.0`. What tells versions apart is the digest.
    #[track_caller]
    pub fn version(&self, version: &str) -> &Self {
        self.say("/version", |file| version.clone_into(&mut file.version))
    }

    /// A label that every run gets.
    #[track_caller]
    pub fn label(&self, key: &str, value: &str) -> &Self {
        self.say(&format!("/labels/{}", pointer_key(key)), |file| {
            file.labels.get_or_insert_default().0.insert(key.to_owned(), value.to_owned());
        })
    }

    /// How long a run may take, as `"7d"`, before it is cancelled; else for ever.
    #[track_caller]
    pub fn timeout(&self, span: &str) -> &Self {
        self.say("/timeout", |file| file.timeout = Some(span.to_owned()))
    }

    /// What holds for steps that do not say otherwise.
    #[track_caller]
    pub fn defaults(&self, defaults: Defaults) -> &Self {
        self.say("/defaults", |file| file.defaults = Some(defaults.0))
    }

    /// A service that steps call by this name.
    #[track_caller]
    pub fn service(&self, name: &str, service: HttpService) -> &Self {
        let is_new = self.scope.lock().file.services.get_or_insert_default().0.get(name).is_none();
        if !is_new {
            self.scope.lock().problem(Location::caller(), format!("the service `{name}` is said twice"));
            return self;
        }
        self.say(&format!("/services/{}", pointer_key(name)), |file| {
            file.services.get_or_insert_default().0.insert(name.to_owned(), service.0);
        })
    }

    /// Tasks of the workflow use `cx.state::<T>()`: an engine that was given no `T` does not start.
    pub fn needs<T: Send + Sync + 'static>(&self) -> &Self {
        let need = Need { id: TypeId::of::<T>(), type_name: type_name::<T>() };
        let mut state = self.scope.lock();
        if !state.needs.contains(&need) {
            state.needs.push(need);
        }
        self
    }

    /// Keeps a task that no step calls any more, as `charge@1`: for runs that an earlier program has started.
    #[track_caller]
    pub fn keep<F, Sig>(&self, name: &str, task: F) -> &Self
    where
        F: TaskFn<Sig> + NoCapture + Send + Sync,
        F::Ret: TaskFuture + Send + 'static,
        <F::Ret as TaskFuture>::Gives: TaskResult<Ok: Serialize>,
        Sig: ArgTypes + 'static,
    {
        const { assert!(F::CAPTURED == 0, "a task may not capture variables, nor be a pointer: name a function") }
        self.scope.lock().task(name.parse::<TaskName>(), TaskEntry::new(task), Location::caller());
        self
    }

    /// Steps for a run that has failed or was cancelled, after what it did was undone. They take what went wrong; of
    /// what the workflow's own steps give they take `Option`s, as any of them need not have been carried out. Their
    /// own failures change nothing.
    pub fn on_failure(&self, declare: impl for<'f> FnOnce(&'f Scope, Port<'f, Failure>)) -> &Self {
        let scope = self.scope.on_failure();
        let reference = scope.lock().refer(".error".to_owned(), None);
        declare(&scope, Port::new(&scope, reference));
        self
    }

    /// Checks the whole and gives the workflow, whose runs give `output`.
    ///
    /// # Errors
    /// Where something is wrong: all of it is listed, with file and line.
    #[track_caller]
    pub fn finish<O: Output>(&self, output: O) -> Result<Workflow<I, O::Out>, DefinitionError> {
        let at: Place = Location::caller();
        let output = output.slot(Seal);
        let mut state = self.scope.lock();
        let output = state.resolve(output, Reader { node: None, undoes: false, at });
        state.finish(output, at).map(Workflow::new)
    }

    /// Says something of the file, and notes where that was.
    #[track_caller]
    fn say(&self, pointer: &str, say: impl FnOnce(&mut format::Workflow)) -> &Self {
        let mut state = self.scope.lock();
        state.place(pointer, Location::caller());
        say(&mut state.file);
        self
    }
}

fn input(file: &mut format::Workflow) -> &mut Input {
    file.input.get_or_insert_default()
}

impl<I> Deref for Builder<I> {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        &self.scope
    }
}

impl<I> fmt::Debug for Builder<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({})", self.scope.lock().file.name)
    }
}
