//! The engine on a data directory, from the first look at it to its clean end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine_core::id::RunId;
use engine_runtime::read::{self, FindError, LoadError};
use engine_runtime::{Clock, DriveError, Engine, EngineError, Options, RequestError, SetAside, SystemClock};
use engine_store::Store;
use tokio::sync::OnceCell;

use crate::app::Mocks;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::interrupt::Interrupt;
use crate::render::time;
use crate::verbs::Context;

/// Engine time this far ahead of the wall clock is worth a word.
const AHEAD: Duration = Duration::from_mins(1);

/// An engine that this process drives runs with.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) interrupt: Interrupt,
}

impl Session {
    /// Opens an engine on an open store; mock services misbehave as `faults` say, and no other.
    async fn open(context: &Context, store: Arc<dyn Store>, faults: Vec<String>) -> Result<Self, CliError> {
        let interrupt = Interrupt::listen(context.how_to_go_on())?;
        let mut options = Options::system()?;
        options.mocks = context.app.mocks.clone().map(|mocks| {
            let state = context.directory.mock_services();
            Arc::new(LazyMocks { mocks, state, faults, urls: OnceCell::new() }) as Arc<dyn engine_runtime::Mocks>
        });
        let engine = Engine::open(store, options).await?;
        let ahead = engine.now().since(SystemClock::new().now());
        if ahead >= AHEAD {
            context.note(&format!(
                "note: this machine's clock was set back; what is recorded here goes on from the latest time that it \
                 showed, {} ahead",
                time::span(ahead)
            ));
        }
        Ok(Self { engine, interrupt })
    }

    /// Works with an engine on an open store, which is closed cleanly in any case.
    pub(crate) async fn with<T>(
        context: &Context,
        store: Arc<dyn Store>,
        faults: Vec<String>,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let done = match Self::open(context, store.clone(), faults).await {
            Ok(mut session) => {
                let done = work(&mut session).await;
                session.engine.shutdown(context.grace).await;
                done
            }
            Err(error) => Err(error),
        };
        let closed = store.close().await;
        let done = done?;
        closed?;
        Ok(done)
    }

    /// The store that the engine works on.
    pub(crate) fn store(&self) -> &dyn Store {
        &**self.engine.store()
    }
}

/// The run that a person means.
pub(crate) async fn find(store: &dyn Store, text: &str) -> Result<RunId, CliError> {
    read::find(store, text).await.map_err(|error| {
        let message = error.to_string();
        match error {
            FindError::Unknown { .. } => CliError::nothing(message),
            FindError::Ambiguous { .. } => CliError::bad_input(message),
            _ => CliError::directory(message),
        }
    })
}

/// Who asks, for the history.
pub(crate) fn actor() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|key| std::env::var(key).ok().filter(|name| !name.is_empty()));
    name.map_or_else(|| "the command line".to_owned(), |name| name.chars().take(64).collect())
}

/// Mock services that start when the first run asks for them.
struct LazyMocks {
    mocks: Arc<dyn Mocks>,
    state: PathBuf,
    faults: Vec<String>,
    urls: OnceCell<BTreeMap<String, String>>,
}

#[async_trait]
impl engine_runtime::Mocks for LazyMocks {
    async fn urls(&self) -> Result<BTreeMap<String, String>, String> {
        let start = || self.mocks.start(self.state.clone(), self.faults.clone());
        self.urls.get_or_try_init(start).await.cloned()
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unknown(_) => Self::nothing(error.to_string()),
            _ if SetAside::unreadable(&error).is_some() => Self { outcome: Outcome::Stuck, message: error.to_string() },
            _ => Self::directory(error.to_string()),
        }
    }
}

impl From<DriveError> for CliError {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Load(error) => error.into(),
            DriveError::SetAside(_) => Self { outcome: Outcome::Stuck, message: error.to_string() },
            DriveError::ShuttingDown => Self { outcome: Outcome::Interrupted, message: error.to_string() },
            _ => Self::directory(error.to_string()),
        }
    }
}

impl From<RequestError> for CliError {
    fn from(error: RequestError) -> Self {
        let message = error.to_string();
        match error {
            RequestError::Unusable(_) => Self::bad_input(message),
            RequestError::Busy(_) => Self { outcome: Outcome::Interrupted, message },
            RequestError::Kept(_) => Self { outcome: Outcome::Stuck, message },
            RequestError::Drive(error) => error.into(),
            RequestError::Load(error) => error.into(),
            _ => Self::directory(message),
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            _ => Self::directory(error.to_string()),
        }
    }
}
