//! The engine of this process, as a client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine_core::event::CancelCause;
use engine_core::id::{Name, RunId, Seq};
use engine_core::payload::Payload;
use engine_core::request::{self, Demand, Request, Resolution};
use engine_core::state::{Activity, State, Status};
use engine_runtime::control::Control;
use engine_runtime::read;
use engine_runtime::{DriveError, Finished, LoadError, RequestError, Reuse, Start};
use engine_store::StoreError;

use crate::bound::{Equipped, Program};
use crate::client::{
    Answer, Ask, CancelReason, Client, ClientError, NewRun, RunStatus, RunView, StartError, StartedRun, StepFailure,
};
use crate::history::HistoryEvent;

/// Events that are read at a time.
const PAGE: usize = 256;

/// Who asks, for the history.
const ACTOR: &str = "the program";

/// The engine of this process.
pub(crate) struct Embedded {
    pub(crate) runtime: engine_runtime::Engine,
    program: Program,
    /// None once it is closed, or where no socket could be made.
    control: Mutex<Option<Control>>,
    _equipped: Option<Equipped>,
}

impl Embedded {
    pub(crate) fn new(
        runtime: engine_runtime::Engine,
        program: Program,
        control: Option<Control>,
        equipped: Option<Equipped>,
    ) -> Self {
        Self { runtime, program, control: Mutex::new(control), _equipped: equipped }
    }

    pub(crate) async fn shutdown(&self, grace: Duration) -> Result<(), StoreError> {
        self.runtime.shutdown(grace).await;
        if let Some(control) = self.control.lock().unwrap_or_else(PoisonError::into_inner).take() {
            control.close();
        }
        self.runtime.store().close().await
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// The run of this workflow that was given this id at its start, or has it by itself.
    pub(crate) async fn find(&self, workflow: &str, id: &str) -> Result<String, ClientError> {
        let store = &**self.runtime.store();
        let unread = |error| unread(id, &error);
        if let Some(run) = read::claimed(store, &Name::new(workflow), id).await.map_err(unread)? {
            return Ok(run.to_string());
        }
        let run = parse(id)?;
        match store.row(run).await.map_err(unread)? {
            Some(row) if row.workflow.as_str() == workflow => Ok(run.to_string()),
            Some(_) | None => Err(ClientError::Unknown(id.to_owned())),
        }
    }

    /// Whether this very version of the workflow is registered.
    fn has(&self, start: &NewRun) -> bool {
        self.program.workflow(start.workflow()).is_some_and(|known| known.digest() == start.definition.digest())
    }

    async fn view(&self, state: State) -> Result<RunView, ClientError> {
        let end = state.end.as_ref();
        let output = match end.and_then(|end| end.output.as_ref()) {
            Some(held) => {
                let read = read::held(&**self.runtime.store(), state.run, held).await;
                Some(read.map_err(|error| loaded(state.run, &error))?.to_vec())
            }
            None => None,
        };
        let cancelled = end.and_then(|end| end.cancelled).map(|cause| match cause {
            CancelCause::Cancelled => CancelReason::Cancelled,
            CancelCause::Timeout => CancelReason::Timeout,
            CancelCause::Terminated => CancelReason::Terminated,
        });
        Ok(RunView {
            run: state.run.to_string(),
            status: status(state.status()),
            output,
            failure: state.failures.first().map(|failed| StepFailure {
                step: failed.step.to_string(),
                code: failed.failure.code.clone(),
                message: failed.failure.message.clone(),
            }),
            cancelled,
            stuck: stuck(&state),
            residue: end.map_or_else(Vec::new, |end| end.residue.iter().map(Name::to_string).collect()),
        })
    }

    async fn driven(&self, run: RunId) -> Result<engine_runtime::RunHandle, Rests> {
        self.runtime.drive(run).await.map_err(|error| match error {
            DriveError::Load(error) => Rests::Not(loaded(run, &error)),
            DriveError::SetAside(why) => Rests::SetAside(why.to_string()),
            DriveError::ShuttingDown => Rests::Not(ClientError::ShuttingDown(run.to_string())),
            other => Rests::Not(ClientError::Unavailable(other.to_string())),
        })
    }

    /// What is known of a run that can't be carried out as it is.
    fn set_aside(run: RunId, why: String) -> RunView {
        RunView {
            run: run.to_string(),
            status: RunStatus::Stuck,
            output: None,
            failure: None,
            cancelled: None,
            stuck: vec![why],
            residue: Vec::new(),
        }
    }
}

/// Why a run is not driven.
enum Rests {
    SetAside(String),
    Not(ClientError),
}

#[async_trait]
impl Client for Embedded {
    async fn start_run(&self, start: NewRun) -> Result<StartedRun, StartError> {
        if !self.has(&start) {
            return Err(StartError::NotRegistered(start.workflow().to_owned()));
        }
        let start = Start {
            definition: start.definition,
            workflow_id: start.workflow_id,
            request_id: start.request_id,
            actor: ACTOR.to_owned(),
            input: start.input.into(),
            labels: start.labels,
            overrides: Vec::new(),
            reuse: Reuse::Never,
        };
        let started = self.runtime.start(start).await.map_err(not_started)?;
        Ok(StartedRun { run: started.run.to_string(), is_new: started.fresh })
    }

    async fn ask(&self, run: &str, request_id: &str, ask: Ask) -> Result<Answer, ClientError> {
        let id = parse(run)?;
        let request = Request { id: request_id.to_owned(), actor: ACTOR.to_owned(), demand: demand(ask) };
        let answer = self.runtime.request(id, request).await.map_err(|error| match error {
            RequestError::Load(error) | RequestError::Drive(DriveError::Load(error)) => loaded(id, &error),
            RequestError::Drive(DriveError::ShuttingDown) => ClientError::ShuttingDown(run.to_owned()),
            RequestError::Unusable(message) => ClientError::Refused { code: "UNUSABLE".to_owned(), message },
            other => ClientError::Unavailable(other.to_string()),
        })?;
        match answer {
            request::Answer::Accepted => Ok(Answer::Accepted),
            request::Answer::NoOp => Ok(Answer::NoOp),
            request::Answer::Held => Ok(Answer::Held),
            request::Answer::Refused { code, message } => Err(ClientError::Refused { code, message }),
        }
    }

    async fn look(&self, run: &str) -> Result<RunView, ClientError> {
        let run = parse(run)?;
        let state = read::state(&**self.runtime.store(), run).await.map_err(|error| loaded(run, &error))?;
        self.view(state).await
    }

    async fn rest(&self, run: &str) -> Result<RunView, ClientError> {
        let run = parse(run)?;
        let handle = match self.driven(run).await {
            Ok(handle) => handle,
            Err(Rests::SetAside(why)) => return Ok(Self::set_aside(run, why)),
            Err(Rests::Not(error)) => return Err(error),
        };
        // What happened before is nothing to wait for.
        match handle.after(Seq(u64::MAX)).finish().await {
            Finished::Ended(state) | Finished::Stuck(state) => self.view(*state).await,
            Finished::SetAside(why) => Ok(Self::set_aside(run, why.to_string())),
            Finished::Interrupted | Finished::Lost => Err(ClientError::ShuttingDown(run.to_string())),
            Finished::Broken(why) => Err(ClientError::Unavailable(why)),
            other => Err(ClientError::Unavailable(format!("{other:?}"))),
        }
    }

    async fn events(&self, run: &str, after: u64) -> Result<Vec<HistoryEvent>, ClientError> {
        let run = parse(run)?;
        let page = self.runtime.store().read(run, Seq(after).next(), PAGE).await;
        Ok(page.map_err(|error| unread(&run.to_string(), &error))?.iter().map(HistoryEvent::of).collect())
    }

    async fn has_events(&self, run: &str, after: u64) -> Result<bool, ClientError> {
        match self.driven(parse(run)?).await {
            Ok(handle) => Ok(handle.after(Seq(after)).next().await.is_some()),
            Err(Rests::SetAside(_)) => Ok(false),
            Err(Rests::Not(error)) => Err(error),
        }
    }
}

fn parse(run: &str) -> Result<RunId, ClientError> {
    run.parse().map_err(|_| ClientError::Unknown(run.to_owned()))
}

fn loaded(run: RunId, error: &LoadError) -> ClientError {
    match error {
        LoadError::Unknown(_) => ClientError::Unknown(run.to_string()),
        LoadError::Store(error) => unread(&run.to_string(), error),
        other => ClientError::Unavailable(other.to_string()),
    }
}

/// A run, by whatever id it is meant, could not be read.
fn unread(run: &str, error: &StoreError) -> ClientError {
    match error {
        StoreError::Closed => ClientError::ShuttingDown(run.to_owned()),
        other => ClientError::Unavailable(other.to_string()),
    }
}

fn not_started(error: engine_runtime::StartError) -> StartError {
    use engine_runtime::StartError as Error;
    match error {
        Error::Input(_) | Error::InputTooLarge { .. } | Error::InputUnreadable(_) => {
            StartError::Input(error.to_string())
        }
        Error::IdTaken { .. } | Error::IdRetired(_) | Error::IdInvalid(_) => StartError::Id(error.to_string()),
        Error::ShuttingDown | Error::Store(StoreError::Closed) => StartError::ShuttingDown,
        other => StartError::Unavailable(other.to_string()),
    }
}

fn demand(ask: Ask) -> Demand {
    match ask {
        Ask::Signal { name, payload } => Demand::Signal { name: Name::new(name), payload: Payload::json(payload) },
        Ask::Cancel { reason } => Demand::Cancel { reason },
        Ask::Terminate { reason } => Demand::Terminate { reason },
        Ask::Pause => Demand::Pause,
        Ask::Delete => Demand::Delete,
        Ask::Resume => Demand::Resume,
        Ask::Retry { step } => Demand::Resolve { step: step.map(Name::new), action: Resolution::Retry, output: None },
    }
}

fn status(status: Status) -> RunStatus {
    match status {
        Status::Pending => RunStatus::Pending,
        Status::Running => RunStatus::Running,
        Status::Waiting => RunStatus::Waiting,
        Status::Paused => RunStatus::Paused,
        Status::Compensating => RunStatus::Compensating,
        Status::Stuck => RunStatus::Stuck,
        Status::Completed => RunStatus::Completed,
        Status::Compensated => RunStatus::Compensated,
        Status::Failed => RunStatus::Failed,
        Status::Cancelled => RunStatus::Cancelled,
    }
}

/// What the run waits for an operator for: as a whole, and its steps.
fn stuck(state: &State) -> Vec<String> {
    let whole = state.stuck.iter().map(|stuck| stuck.message.clone());
    let steps = state.steps().filter_map(|(name, step)| {
        use engine_core::id::Side;
        let (side, failure) = if step.activity(Side::Forward) == Activity::Stuck {
            ("step", step.failure.as_ref())
        } else if step.activity(Side::Compensation) == Activity::Stuck {
            ("the compensation of step", step.undo.failure.as_ref())
        } else {
            return None;
        };
        Some(format!("{side} `{name}` is stuck{}", failure.map_or_else(String::new, |why| format!(": {why}"))))
    });
    whole.chain(steps).collect()
}
