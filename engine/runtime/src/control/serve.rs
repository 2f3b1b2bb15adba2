//! What each question is answered.

use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::Event;
use engine_core::id::{RunId, Seq};
use engine_core::request::Request;
use engine_store::{Keeper, StoreError};
use tokio::time::timeout;

use crate::control::handed::{HandedIn, Stay};
use crate::control::keep::{Keep, keep};
use crate::control::lacks::lacks;
use crate::control::look::look;
use crate::control::refusal::{Refusal, RefusalKind};
use crate::control::wire::{Brief, HandIn, Reply};
use crate::engine::Engine;
use crate::error::{DriveError, LoadError, RequestError, StartError};
use crate::read;
use crate::report::Followed;
use crate::start::{Start, Started};

/// The engine that answers, and what was handed to it.
pub(crate) struct Serving {
    pub(crate) engine: Engine,
    pub(crate) keeper: Arc<dyn Keeper>,
    pub(crate) handed: HandedIn,
}

/// A run that was handed in: the process stays for it.
pub(crate) struct Staying {
    followed: Followed,
    stay: Stay,
}

impl Staying {
    /// Waits until the run rests, or is not driven any more.
    pub(crate) async fn rested(&mut self) {
        let _ = self.followed.rested().await;
    }

    /// The same, unless somebody else stays for the run too.
    pub(crate) fn unless_others_stay(self) -> Option<Self> {
        let Self { followed, stay } = self;
        stay.unless_others_stay().map(|stay| Self { followed, stay })
    }
}

pub(crate) type Answered = (Reply, Option<Staying>);

impl Serving {
    /// What a process that leaves refuses is asked of the next one: it may be refused only because the store is closed
    /// already.
    pub(crate) fn unless_leaving(&self, answered: Answered) -> Answered {
        match answered {
            (Reply::Refused(_), _) if self.is_leaving() => (Reply::Leaving, None),
            answered => answered,
        }
    }

    /// Answers a question. Where that hands a run in, gives what the process stays for as long as it is kept.
    pub(crate) async fn answer(&self, brief: Brief) -> Answered {
        let reply = match brief {
            Brief::Start(start) => return self.hand_in(*start).await.unwrap_or_else(|reply| (reply, None)),
            Brief::Adopt(run) => return self.adopt(run).await.unwrap_or_else(|reply| (reply, None)),
            Brief::Drives(run) => Reply::Drives(self.drives(run)),
            Brief::Look(question) => match look(&**self.engine.store(), question).await {
                Err(StoreError::Closed) => Reply::Leaving,
                looked => Reply::Looked(looked),
            },
            Brief::Recover => match self.engine.recover().await {
                Ok(runs) => Reply::Runs(runs),
                Err(error) => Reply::Refused(LoadError::Store(error).into()),
            },
            Brief::Request { run, request } => self.request(run, request).await,
        };
        (reply, None)
    }

    /// Does something with the directory as a whole.
    pub(crate) async fn keep(&self, asked: Keep) -> Reply {
        match keep(&*self.keeper, asked).await {
            Err(StoreError::Closed) => Reply::Leaving,
            kept => Reply::Kept(kept),
        }
    }

    /// Whether the directory is about to be given up.
    pub(crate) fn is_leaving(&self) -> bool {
        self.handed.is_leaving() || self.engine.is_stopping()
    }

    fn drives(&self, run: RunId) -> bool {
        let has_task = || self.engine.driven().follow(run).is_some_and(|followed| followed.is_told());
        self.engine.driven().is_dormant(run) || has_task()
    }

    async fn request(&self, run: RunId, request: Request) -> Reply {
        match self.engine.request(run, request).await {
            Ok(answer) => Reply::Answered(answer),
            Err(error) => request_refused(error),
        }
    }

    async fn hand_in(&self, start: HandIn) -> Result<Answered, Reply> {
        let stay = self.handed.enter().ok_or(Reply::Leaving)?;
        let refused = |kind, message: String| Reply::Refused(Refusal::new(kind, message));
        let definition = Definition::from_source(&start.source.0).map_err(|error| {
            refused(
                RefusalKind::Bad,
                format!("the definition can't be read by process {}: {error}", std::process::id()),
            )
        })?;
        self.check_lacks(&definition, &start.overrides, start.faults.as_deref()).map_err(Reply::Refused)?;
        let start = Start {
            definition: definition.into(),
            workflow_id: start.workflow_id,
            request_id: start.request_id,
            actor: start.actor,
            input: start.input.0.into(),
            labels: start.labels,
            overrides: start.overrides,
            reuse: start.reuse,
        };
        let Started { run, fresh } = self.engine.start(start).await.map_err(|error| match error {
            StartError::ShuttingDown | StartError::Drive(DriveError::ShuttingDown) => Reply::Leaving,
            error => Reply::Refused(error.into()),
        })?;
        // A run that was known is not driven by that, nor stayed for: it may be paused. Its follower asks for it.
        let followed = if fresh { self.engine.follow(run).await.ok() } else { None };
        let staying = followed.map(|followed| Staying { followed, stay: stay.for_run(run) });
        Ok((Reply::Started { run, fresh }, staying))
    }

    async fn adopt(&self, run: RunId) -> Result<Answered, Reply> {
        let stay = self.handed.enter().ok_or(Reply::Leaving)?;
        if !self.drives(run) {
            self.check_adoptable(run).await?;
        }
        let followed = self.engine.follow(run).await.map_err(drive_refused)?;
        let report = followed.report();
        Ok((Reply::Report(Some(report)), Some(Staying { followed, stay: stay.for_run(run) })))
    }

    /// Refuses a run that would only get stuck here.
    async fn check_adoptable(&self, run: RunId) -> Result<(), Reply> {
        let unreadable = |error: LoadError| Reply::Refused(error.into());
        let store = &**self.engine.store();
        let row = store.row(run).await.map_err(|error| unreadable(error.into()))?;
        let row = row.ok_or_else(|| unreadable(LoadError::Unknown(run)))?;
        if row.status.is_terminal() {
            return Ok(());
        }
        let first = read::event(store, run, Seq(1)).await.map_err(unreadable)?;
        if let Event::RunStarted(started) = first.event {
            let definition = self.engine.definition(started.definition).await.map_err(unreadable)?;
            self.check_lacks(&definition, &started.overrides, None).map_err(Reply::Refused)?;
        }
        Ok(())
    }

    fn check_lacks(
        &self,
        definition: &Definition,
        overrides: &[(String, String)],
        faults: Option<&[String]>,
    ) -> Result<(), Refusal> {
        let lacking = lacks(self.engine.options(), definition, overrides, faults);
        if lacking.is_empty() {
            return Ok(());
        }
        let (pid, what) = (std::process::id(), lacking.join(", "));
        let message = format!(
            "process {pid} has the data directory, and lacks what the run needs: {what}. Wait until it ends, stop it, \
             or name another directory"
        );
        Err(Refusal::new(RefusalKind::Lacking, message))
    }

    /// How far a run is, once it is further, or rests, or some time has passed.
    pub(crate) async fn wait(&self, run: RunId, after: Seq, patience: Duration) -> Reply {
        let followed = if self.engine.driven().is_dormant(run) {
            self.engine.follow(run).await.ok()
        } else {
            self.engine.driven().follow(run)
        };
        let Some(mut followed) = followed else {
            return match self.engine.rest_of(run).await {
                Ok(report) if report.rests() => Reply::Report(Some(report)),
                Ok(_) => self.not_driven(),
                Err(error) => drive_refused(error),
            };
        };
        if let Ok(false) = timeout(patience, followed.further(after)).await {
            return self.not_driven();
        }
        Reply::Report(Some(followed.report()))
    }

    fn not_driven(&self) -> Reply {
        if self.is_leaving() { Reply::Leaving } else { Reply::Report(None) }
    }
}

fn drive_refused(error: DriveError) -> Reply {
    match error {
        DriveError::ShuttingDown => Reply::Leaving,
        error => Reply::Refused(error.into()),
    }
}

fn request_refused(error: RequestError) -> Reply {
    match error {
        RequestError::Drive(error) => drive_refused(error),
        error => Reply::Refused(error.into()),
    }
}
