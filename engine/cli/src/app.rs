//! The program that the verbs belong to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use engine::{Program, Registry};

/// A program with the engine's verbs.
pub struct App {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) mocks: Option<Arc<dyn Mocks>>,
    /// Its workflows and tasks, or why they don't fit together.
    pub(crate) registered: Result<Program, String>,
}

impl App {
    /// A program with this name, as it is typed, and this version.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, mocks: None, registered: Ok(Program::default()) }
    }

    /// The same with workflows, tasks, and the things that those use: every verb knows them then, and `run` takes the
    /// name of a workflow in place of a file. What does not fit together is said by [`main`](crate::main), before
    /// anything is done.
    ///
    /// ```no_run
    /// # use engine::{DefinitionError, Workflow};
    /// # fn order_saga() -> Result<Workflow<u32, u32>, DefinitionError> { todo!() }
    /// use engine_cli::App;
    ///
    /// fn main() -> std::process::ExitCode {
    ///     engine_cli::main(App::new("shop", "1.0.0").register(|program| {
    ///         program.register(&order_saga()?)?;
    ///         Ok(())
    ///     }))
    /// }
    /// ```
    pub fn register(
        self,
        register: impl FnOnce(&mut Registry) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let mut registry = Registry::new();
        let registered = register(&mut registry).map_err(|error| error.to_string());
        let program = registered.and_then(|()| Program::new(registry).map_err(|error| error.to_string()));
        Self { registered: program, ..self }
    }

    /// The same with mock services: `run --mock-services` and the verb `mock-services`.
    pub fn mocks(self, mocks: impl Mocks) -> Self {
        Self { mocks: Some(Arc::new(mocks)), ..self }
    }
}

/// Mock services that a program brings along, so that its workflows can be tried with nothing else running.
#[async_trait]
pub trait Mocks: Send + Sync + 'static {
    /// The verb `mock-services` as the command line shows it, which runs the services by themselves.
    fn command(&self) -> clap::Command;

    /// Runs the services by themselves until Ctrl-C, as the verb's arguments say.
    async fn serve(&self, arguments: &clap::ArgMatches) -> Result<(), String>;

    /// The names of the services.
    fn services(&self) -> Vec<String>;

    /// Whether this is a fault rule; else what is wrong with it.
    fn check_fault(&self, rule: &str) -> Result<(), String>;

    /// Starts the services in this process, on free ports, and gives their base URLs by name. They remember their
    /// state in the directory, but misbehave by these rules only. Called once at most.
    async fn start(&self, state: PathBuf, faults: Vec<String>) -> Result<BTreeMap<String, String>, String>;
}
