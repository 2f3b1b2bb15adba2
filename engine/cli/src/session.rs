//! The engine on a data directory, from the first look at it to its clean end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine::Equipped;
use engine_core::id::RunId;
use engine_runtime::control::{Control, Place};
use engine_runtime::read::{self, FindError};
use engine_runtime::{Clock as _, Engine, Options, Random as _, SystemClock, SystemRandom};
use engine_store::Store;
use engine_store_sled::SledStore;
use tokio::sync::OnceCell;

use crate::app::Mocks;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::print;
use crate::reach::{Aim, Driving};
use crate::render::{count, time};

/// Engine time this far ahead of the wall clock is worth a word.
const AHEAD: Duration = Duration::from_mins(1);

/// An engine that this process drives runs with, and that others may ask meanwhile.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    /// None where no socket could be made.
    control: Option<Control>,
    _equipped: Equipped,
}

impl Session {
    /// Opens an engine on an open store, where that can't be done the store is closed.
    pub(crate) async fn open(driving: &Driving, store: Arc<SledStore>) -> Result<Self, CliError> {
        let opened = async {
            let mut options = Options::system()?;
            options.mocks = driving.mocks.clone().map(|mocks| {
                let (state, faults) = (driving.directory.mock_services(), driving.faults.clone());
                Arc::new(LazyMocks { mocks, state, faults, urls: OnceCell::new() }) as Arc<dyn engine_runtime::Mocks>
            });
            let equipped =
                driving.program.equip(&mut options, None).map_err(|error| CliError::directory(error.to_string()))?;
            Ok::<_, CliError>((Engine::open(store.clone(), options).await?, equipped))
        };
        let (engine, equipped) = match opened.await {
            Ok(opened) => opened,
            Err(error) => {
                store.close().await?;
                return Err(error);
            }
        };
        let ahead = engine.now().since(SystemClock::new().now());
        if ahead >= AHEAD {
            let ahead = time::span(ahead);
            driving.note(&format!(
                "note: this machine's clock was set back; what is recorded here goes on from the latest time that it \
                 showed, {ahead} ahead"
            ));
        }
        let control = serve(driving, &engine, store);
        Ok(Self { engine, control, _equipped: equipped })
    }

    /// The store that the engine works on.
    pub(crate) fn store(&self) -> &dyn Store {
        &**self.engine.store()
    }

    /// Stays until runs that others have handed in rest, and what else they asked for is done, or the process is asked
    /// to stop: then they go on by themselves.
    pub(crate) async fn stay(&self, mut interrupt: Interrupt) {
        let Some(control) = &self.control else { return };
        if !interrupt.was_asked() {
            if control.handed_in() > 0 {
                let runs = count(control.handed_in(), "run");
                print::note(&format!(
                    "staying for {runs} that other commands have handed in; after Ctrl-C they go on without this process"
                ));
            }
            if control.is_keeping() {
                print::note(
                    "staying until what other commands want of the data directory is done; after Ctrl-C they see to it \
                     without this process",
                );
            }
        }
        tokio::select! {
            biased;
            () = interrupt.asked() => {}
            () = control.settled() => {}
        }
    }

    /// Ends cleanly; what is open stays open.
    pub(crate) async fn close(&self, grace: Duration) -> Result<(), CliError> {
        self.engine.shutdown(grace).await;
        if let Some(control) = &self.control {
            control.close();
        }
        Ok(self.engine.store().close().await?)
    }
}

/// Lets other processes ask this one. A directory in which no socket can be made can be used all the same.
fn serve(driving: &Driving, engine: &Engine, keeper: Arc<SledStore>) -> Option<Control> {
    let place = Place::of(driving.directory.path());
    match place.and_then(|place| Control::serve(engine.clone(), keeper, place, driving.aim == Aim::Drive)) {
        Ok(control) => Some(control),
        Err(error) => {
            print::note(&format!("note: other commands can't reach this process while it runs: {error}"));
            None
        }
    }
}

/// An id for something new that is asked for.
pub(crate) fn fresh_id() -> String {
    RunId::new(SystemClock::new().now(), SystemRandom.bytes()).to_string()
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

    fn faults(&self) -> &[String] {
        &self.faults
    }
}
