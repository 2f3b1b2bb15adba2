//! What can be asked of an engine, wherever it is.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use engine_core::definition::Definition;

use crate::history::HistoryEvent;

/// What can be asked of an engine: by the one in this process ([`Engine`](crate::Engine)), and by whatever else carries
/// it to one. Everything goes by ids and JSON here; the typed way is [`RunHandle`](crate::RunHandle).
///
/// It will grow: do not implement it outside of this crate's family.
#[async_trait]
pub trait Client: Send + Sync + 'static {
    /// Starts a run, or finds the one that such a start has started before.
    ///
    /// # Errors
    /// See [`StartError`]; nothing was stored then, except where the store itself failed.
    async fn start_run(&self, start: NewRun) -> Result<StartedRun, StartError>;

    /// Asks something of a run. Once this returns, the answer is durable; the same request id gets the same answer for
    /// ever. So what was not answered, as the process died, can be asked again under its id.
    ///
    /// # Errors
    /// [`ClientError::Refused`] is an answer too, and durable; the others mean that there is none.
    async fn ask(&self, run: &str, request_id: &str, ask: Ask) -> Result<Answer, ClientError>;

    /// How a run is.
    ///
    /// # Errors
    /// See [`ClientError`].
    async fn look(&self, run: &str) -> Result<RunView, ClientError>;

    /// Waits until a run rests: it has ended, or waits for an operator.
    ///
    /// # Errors
    /// See [`ClientError`].
    async fn rest(&self, run: &str) -> Result<RunView, ClientError>;

    /// The events of a run after the one at this position (0: all), a page of them; none where there are no more yet.
    ///
    /// # Errors
    /// See [`ClientError`].
    async fn events(&self, run: &str, after: u64) -> Result<Vec<HistoryEvent>, ClientError>;

    /// Waits until a run has events after this position, or rests. False where it rests without.
    ///
    /// # Errors
    /// See [`ClientError`].
    async fn has_events(&self, run: &str, after: u64) -> Result<bool, ClientError>;
}

/// A run to be started, as a [`Client`] takes it. The typed way is [`Engine::start`](crate::Engine::start).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewRun {
    pub(crate) definition: Arc<Definition>,
    /// What it works on, JSON.
    pub input: Vec<u8>,
    /// The id that users find it by: 1 to 256 bytes, no control characters.
    pub workflow_id: Option<String>,
    /// Labels: each a name and a value, 256 bytes at most.
    pub labels: Vec<(String, String)>,
    /// The id of this very start, where it may have to be repeated without a workflow id: a repeat gives the same run.
    pub request_id: Option<String>,
}

impl NewRun {
    pub(crate) fn new(definition: Arc<Definition>, input: Vec<u8>) -> Self {
        Self { definition, input, workflow_id: None, labels: Vec::new(), request_id: None }
    }

    /// The workflow's name.
    pub fn workflow(&self) -> &str {
        self.definition.name().as_str()
    }
}

/// A run that was started, now or before.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StartedRun {
    /// The run's id.
    pub run: String,
    /// Whether it was started just now.
    pub is_new: bool,
}

/// What may be asked of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ask {
    /// Takes this in; JSON.
    Signal {
        /// The signal's name.
        name: String,
        /// What comes with it.
        payload: Vec<u8>,
    },
    /// Stop, and undo what may have happened. Refused once the pivot is done.
    Cancel {
        /// Why, for whoever reads the history.
        reason: Option<String>,
    },
    /// End at once, and undo nothing: what remains is listed as residue.
    Terminate {
        /// Why, for whoever reads the history.
        reason: Option<String>,
    },
    /// Begin nothing new until it is resumed, no retry and no compensation either. Attempts in flight end.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Try again what the run, or this step of it, is stuck on.
    Retry {
        /// The step; none for the run as a whole.
        step: Option<String>,
    },
    /// Forget the run, with its history and all that it gave. Refused while it is open. Its id stays taken for thirty days.
    Delete,
}

/// The answer to what was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// It is carried out.
    Accepted,
    /// There was nothing to do.
    NoOp,
    /// It is decided once the pivot has settled: a cancel, while the pivot is in flight or unknown.
    Held,
}

/// The status of a run, as it is recorded: a crash does not change it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RunStatus {
    /// It is to begin.
    Pending,
    /// Something of it is in flight.
    Running,
    /// It waits for a retry or a timer.
    Waiting,
    /// Nothing new begins until it is resumed.
    Paused,
    /// It undoes what may have happened.
    Compensating,
    /// It waits for an operator.
    Stuck,
    /// Every step ended well.
    Completed,
    /// A step failed, and all that may have happened was undone.
    Compensated,
    /// A step failed; nothing had to be undone, or not all could be.
    Failed,
    /// It was ended from outside, or by its timeout.
    Cancelled,
}

impl RunStatus {
    /// Whether the run has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How a run is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RunView {
    /// Its id.
    pub run: String,
    /// Its status.
    pub status: RunStatus,
    /// What it gave, JSON, where it is completed.
    pub output: Option<Vec<u8>>,
    /// Why it failed: the first failure.
    pub failure: Option<StepFailure>,
    /// Why it was cancelled.
    pub cancelled: Option<CancelReason>,
    /// What it waits for an operator for. The verb `engine show` names what to do.
    pub stuck: Vec<String>,
    /// Steps whose effect remains although it should have been undone.
    pub residue: Vec<String>,
}

/// Why a step failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StepFailure {
    /// The step.
    pub step: String,
    /// A word for programs, as `HTTP_422`, `TIMEOUT`, `PANICKED`, or what the task said.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}`: {}: {}", self.step, self.code, self.message)
    }
}

/// Why a run was ended from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody cancelled it.
    Cancelled,
    /// It took longer than its timeout.
    Timeout,
    /// Somebody terminated it.
    Terminated,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::Timeout => "its timeout",
            Self::Terminated => "terminated",
        })
    }
}

/// A run was not started. Nothing was stored, except where the store itself failed: then it is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The workflow was not registered with this engine.
    #[error("the workflow `{0}` is not registered with this engine: `.register(&…)` it before the engine starts")]
    NotRegistered(String),
    /// The input can't be written as JSON, is too large, or does not meet the workflow's schema.
    #[error("the input can't be used: {0}")]
    Input(String),
    /// The id can't be used: it belongs to a run with other input, to one that was deleted within the last 30 days, or is
    /// none.
    #[error("{0}")]
    Id(String),
    /// The engine is shutting down.
    #[error("the engine is shutting down: the run was not started")]
    ShuttingDown,
    /// The engine takes no new run now: its disk is full, or its store has failed.
    #[error("{0}")]
    Unavailable(String),
}

/// Something was not answered, or was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no such run.
    #[error("there is no run {0}")]
    Unknown(String),
    /// It can't be carried out; the run is as it was.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        code: String,
        /// Why, and what would work.
        message: String,
    },
    /// The engine is shutting down; the run is open and goes on when an engine has it again.
    #[error("the engine is shutting down: run {0} is open and goes on with the next engine that has its data")]
    ShuttingDown(String),
    /// The engine could not do it.
    #[error("{0}")]
    Unavailable(String),
}
