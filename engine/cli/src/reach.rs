//! The data directory while a verb works with runs: this process has it, or the one that has it is asked. A verb says
//! what it wants and does not see which of the two it is, nor that it may change meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine::Program;
use engine_core::id::RunId;
use engine_core::request::{Answer, Request};
use engine_runtime::control::{
    self, AskError, Client, Look, LookStore, Looked, Looker as _, Presence, Refusal, RefusalKind,
};
use engine_runtime::{DriveError, LoadError, RunHandle, Start, Started};
use engine_store::{Store, StoreError};

use crate::app::Mocks;
use crate::arguments::Format;
use crate::directory::{DataDirectory, Entered, Purpose};
use crate::error::CliError;
use crate::followed::Driver;
use crate::interrupt::Interrupt;
use crate::print;
use crate::session::{Session, fresh_id};
use crate::verbs::Context;
use crate::ways::{Finder, ROUNDS, Ways};

/// A way to the data directory, for work with runs.
#[derive(Clone)]
pub(crate) struct Reach {
    ways: Ways<Driving>,
    interrupt: Interrupt,
    /// How long attempts in flight may take to end once the process was asked to stop.
    grace: Duration,
    /// What says to another process that a run which was handed to it is followed.
    presence: Arc<Mutex<Option<Presence>>>,
}

/// Who has the directory.
pub(crate) enum Way {
    /// This process.
    Owner(Session),
    /// Another one.
    Beside(Client),
}

impl Way {
    fn driver(&self) -> Driver {
        match self {
            Self::Owner(_) => Driver::This,
            Self::Beside(client) => Driver::Other(client.pid()),
        }
    }
}

/// How a way is found: as the owner, where nobody has the directory.
pub(crate) struct Driving {
    pub(crate) directory: DataDirectory,
    pub(crate) program: Program,
    pub(crate) mocks: Option<Arc<dyn Mocks>>,
    pub(crate) faults: Vec<String>,
    pub(crate) aim: Aim,
    format: Format,
}

/// What a verb wants of runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aim {
    /// To ask something and be gone: nothing is handed to such a process.
    Ask,
    /// To have them driven.
    Drive,
}

impl Driving {
    pub(crate) fn note(&self, text: &str) {
        print::beside(self.format, text);
    }
}

#[async_trait]
impl Finder for Driving {
    type Way = Way;

    async fn find(&self) -> Result<Way, CliError> {
        Ok(match self.directory.enter(Purpose::Work).await? {
            Entered::Beside(client) => Way::Beside(client),
            Entered::Own(store) => Way::Owner(Session::open(self, store).await?),
        })
    }

    async fn look(&self, way: &Way, look: Look) -> Result<Looked, StoreError> {
        match way {
            Way::Owner(session) => control::look(session.store(), look).await,
            Way::Beside(client) => client.look(look).await,
        }
    }
}

/// Asks whoever has the directory, and whoever has it next where that one is lost.
macro_rules! asked {
    ($reach:ident, $link:ident, $session:ident => $own:expr, $client:ident => $beside:expr) => {{
        let mut rounds = 0;
        loop {
            let $link = $reach.ways.current();
            let answered = match &$link.way {
                Way::Owner($session) => $own.await.map_err(AskError::from),
                Way::Beside($client) => $beside.await,
            };
            rounds += 1;
            match answered {
                Err(AskError::Lost(_)) if rounds < ROUNDS => {
                    if let Err(CliError { message, .. }) = $reach.ways.after(&$link).await {
                        break Err(AskError::Refused(Refusal { kind: RefusalKind::Unusable, message }));
                    }
                }
                answered => break answered,
            }
        }
    }};
}

impl Reach {
    /// Works with a data directory that is there, which is left cleanly in any case. Where this process has it and
    /// drives, and others have handed runs in, it stays until those rest.
    pub(crate) async fn with<T>(
        context: &Context,
        aim: Aim,
        work: impl AsyncFnOnce(&Self) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        context.directory.check_exists()?;
        Self::with_new(context, aim, Vec::new(), work).await
    }

    /// The same with a directory that is made where it is not there. Mock services of this process misbehave as
    /// `faults` say.
    pub(crate) async fn with_new<T>(
        context: &Context,
        aim: Aim,
        faults: Vec<String>,
        work: impl AsyncFnOnce(&Self) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let interrupt = Interrupt::listen(context.how_to_go_on())?;
        let (directory, mocks) = (context.directory.clone(), context.app.mocks.clone());
        let program = context.program.clone();
        let driving = Driving { directory, program, mocks, faults, aim, format: context.format };
        let ways = Ways::find(driving).await?;
        let reach = Self { ways, interrupt, grace: context.grace, presence: Arc::default() };
        let done = work(&reach).await;
        let left = reach.leave(done.is_ok() && aim == Aim::Drive).await;
        let done = done?;
        left?;
        Ok(done)
    }

    async fn leave(&self, stays: bool) -> Result<(), CliError> {
        let link = self.ways.current();
        let Way::Owner(session) = &link.way else { return Ok(()) };
        if stays {
            session.stay(self.interrupt()).await;
        }
        session.close(self.grace).await
    }

    /// What is stored, to be read.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match &self.ways.current().way {
            Way::Owner(session) => session.engine.store().clone(),
            Way::Beside(_) => Arc::new(LookStore(self.ways.clone())),
        }
    }

    /// Whether this process was asked to stop.
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// The process that has the directory, where it is another one.
    pub(crate) fn beside(&self) -> Option<u32> {
        match self.driver() {
            Driver::This => None,
            Driver::Other(pid) => Some(pid),
        }
    }

    /// Who drives runs now.
    pub(crate) fn driver(&self) -> Driver {
        self.ways.current().way.driver()
    }

    /// Who drove runs when this process came.
    pub(crate) fn first_driver(&self) -> Driver {
        self.ways.first().driver()
    }

    /// Starts a run and has it driven. `faults` are given where it uses mock services.
    pub(crate) async fn start(&self, start: Start, faults: Option<&[String]>) -> Result<Started, AskError> {
        // Only what another process may have answered unheard has to be known again.
        let named = Start { request_id: Some(fresh_id()), ..start.clone() };
        let (started, presence) = asked!(self, link,
            session => async {
                let start = if self.ways.is_first(&link) { start.clone() } else { named.clone() };
                session.engine.start(start).await.map(|started| (started, None))
            },
            client => async {
                client.start(&named, faults).await.map(|(started, presence)| (started, Some(presence)))
            }
        )?;
        self.keep(presence);
        Ok(started)
    }

    fn keep(&self, presence: Option<Presence>) {
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner) = presence;
    }

    /// The runs to be taken up after a restart.
    pub(crate) async fn recover(&self) -> Result<Vec<RunId>, CliError> {
        let recover = async |session: &Session| session.engine.recover().await.map_err(LoadError::Store);
        Ok(asked!(self, link, session => recover(session), client => client.recover())?)
    }

    /// Has a run driven, and follows it.
    pub(crate) async fn drive(&self, run: RunId) -> Result<RunHandle, AskError> {
        let handle = asked!(self, link, session => session.engine.drive(run), client => client.drive(run))?;
        // The handle has one of its own.
        self.keep(None);
        Ok(handle)
    }

    /// Has a run driven by another process, where one has the directory, without following it.
    pub(crate) async fn adopt(&self, run: RunId) -> Result<(), CliError> {
        let done = asked!(self, link, _session => async { Ok::<_, DriveError>(()) }, client => client.adopt(run));
        Ok(done?)
    }

    /// Whether another process drives a run.
    pub(crate) async fn drives(&self, run: RunId) -> Result<bool, CliError> {
        Ok(asked!(self, link, _session => async { Ok::<_, DriveError>(false) }, client => client.drives(run))?)
    }

    /// Asks something of a run. The same request id gets the same answer, whoever is asked.
    pub(crate) async fn request(&self, run: RunId, request: &Request) -> Result<Answer, AskError> {
        asked!(self, link,
            session => session.engine.request(run, request.clone()),
            client => client.request(run, request.clone())
        )
    }

    /// Stops driving, where this process does: attempts in flight may end within the grace.
    pub(crate) async fn stop(&self) {
        let link = self.ways.current();
        if let Way::Owner(session) = &link.way {
            session.engine.shutdown(self.grace).await;
        }
    }
}
