//! What a runtime is given: the world, as arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::RunId;

use crate::bounds;
use crate::clock::{Clock, SystemClock};
use crate::error::EngineError;
use crate::http::{HttpClient, Transport};
use crate::random::{Random, SystemRandom};
use crate::tasks::{NoTasks, Tasks};

/// The world that a runtime works in.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its random bits.
    pub random: Arc<dyn Random>,
    /// Its way to services.
    pub transport: Arc<dyn Transport>,
    /// Its secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Mock services, for runs that were started with them.
    pub mocks: Option<Arc<dyn Mocks>>,
    /// Policy that goes before that of files and behind that of runs, as `payment.url` → `http://…`.
    pub overrides: Vec<(String, String)>,
    /// The functions that steps may call.
    pub tasks: Arc<dyn Tasks>,
    /// The threads that those are carried out on; the engine's own where there are none, and then a function that
    /// blocks its thread holds up the engine.
    pub task_threads: Option<tokio::runtime::Handle>,
    /// Who is told what becomes durable.
    pub observer: Option<Arc<dyn Observer>>,
    /// Bytes of payloads in memory, about: what exceeds it waits. A payload that is larger goes alone.
    pub payload_memory: usize,
}

impl Options {
    /// A world of these parts; no mock services, no policy of its own, no tasks.
    pub fn new(
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        transport: Arc<dyn Transport>,
        secrets: Arc<dyn Secrets>,
    ) -> Self {
        Self {
            clock,
            random,
            transport,
            secrets,
            mocks: None,
            overrides: Vec::new(),
            tasks: Arc::new(NoTasks),
            task_threads: None,
            observer: None,
            payload_memory: bounds::PAYLOAD_MEMORY,
        }
    }

    /// The machine's own clock, random source and network; secrets from the environment.
    pub fn system() -> Result<Self, EngineError> {
        let transport = Arc::new(HttpClient::new()?);
        Ok(Self::new(Arc::new(SystemClock::new()), Arc::new(SystemRandom), transport, Arc::new(Environment)))
    }
}

/// Mock services that can be started when a run needs them.
#[async_trait]
pub trait Mocks: Send + Sync + 'static {
    /// The base URL of each service, by name; starts them if they do not run yet.
    async fn urls(&self) -> Result<BTreeMap<String, String>, String>;

    /// The rules by which they misbehave.
    fn faults(&self) -> &[String] {
        &[]
    }
}

/// Is told what happens to the runs that a process drives. What became durable just before the process died it is not
/// told.
pub trait Observer: Send + Sync + 'static {
    /// These events of a run have become durable. Called by the run's own task, so it has to be quick and may not block.
    fn recorded(&self, run: RunId, events: &[Recorded]);
}

/// Where `${secret:NAME}` and `${env:NAME}` are looked up, at each send.
pub trait Secrets: Send + Sync + 'static {
    /// A secret.
    fn secret(&self, name: &str) -> Option<String>;

    /// A value of the environment.
    fn environment(&self, name: &str) -> Option<String>;
}

/// Secrets from the process's environment: `${secret:API_KEY}` is `ENGINE_SECRET_API_KEY`.
#[derive(Debug, Default)]
pub struct Environment;

impl Secrets for Environment {
    fn secret(&self, name: &str) -> Option<String> {
        std::env::var(format!("ENGINE_SECRET_{name}")).ok()
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
