//! Why something was not done, as it is told to another process: what kind of reason, and the text for people.

use engine_core::id::RunId;
use engine_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::error::{DriveError, LoadError, RequestError, StartError};
use crate::set_aside::SetAside;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// What happened, and what to do.
    pub message: String,
}

/// What kind of reason a refusal has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RefusalKind {
    /// What was asked for can't be, whoever is asked.
    Bad,
    /// It may be any of these runs.
    Ambiguous(Vec<RunId>),
    /// There is no such run.
    Unknown,
    /// The run can't be carried out as it is.
    SetAside(SetAside),
    /// What the store holds can't be used.
    Unusable,
    /// The store has failed.
    Failed(StoreError),
    /// The disk is nearly full.
    NoSpace {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        reserve: u64,
    },
    /// The process that has the directory lacks something that the run needs.
    Lacking,
    /// Not now: the run is busy, or the engine stops.
    NotNow,
    /// A request is kept until its run can be read.
    Kept,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        let kind = match SetAside::unreadable(&error) {
            Some(why) => RefusalKind::SetAside(why),
            None if matches!(error, LoadError::Unknown(_)) => RefusalKind::Unknown,
            None => RefusalKind::Unusable,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DriveError> for Refusal {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Load(error) => error.into(),
            DriveError::SetAside(ref why) => Self::new(RefusalKind::SetAside(why.clone()), error.to_string()),
            DriveError::NotCommitted(_) => Self::new(RefusalKind::Unusable, error.to_string()),
            DriveError::ShuttingDown => Self::new(RefusalKind::NotNow, error.to_string()),
        }
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        let message = error.to_string();
        let kind = match error {
            RequestError::Drive(error) => return error.into(),
            RequestError::Load(error) => return error.into(),
            RequestError::Unusable(_) => RefusalKind::Bad,
            RequestError::Kept(_) => RefusalKind::Kept,
            RequestError::Busy(_) => RefusalKind::NotNow,
            RequestError::NotCommitted(_) => RefusalKind::Unusable,
        };
        Self::new(kind, message)
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        let kind = match error {
            StartError::Drive(error) => return error.into(),
            StartError::Ambiguous { runs } => RefusalKind::Ambiguous(runs),
            StartError::NoSpace { free, reserve } => RefusalKind::NoSpace { free, reserve },
            StartError::Store(error) => RefusalKind::Failed(error),
            StartError::NotCommitted(_) => RefusalKind::Unusable,
            StartError::ShuttingDown => RefusalKind::NotNow,
            StartError::Input(_)
            | StartError::InputTooLarge { .. }
            | StartError::InputUnreadable(_)
            | StartError::IdTaken { .. }
            | StartError::IdRetired(_)
            | StartError::IdInvalid(_) => RefusalKind::Bad,
        };
        Self::new(kind, message)
    }
}
