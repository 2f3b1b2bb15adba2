//! Runs that can't be carried out as they are: each is set aside with the reason, and all others go on.
//!
//! Nothing can be appended to a history that can't be read. So the reason stands in a mark, and the index row says
//! Stuck. Both are derived: the run is tried again whenever it is taken up, and they go once it can be driven.

use std::fmt;

use engine_core::id::RunId;
use engine_core::state::Status;
use engine_store::{Class, CommitError, IndexRow, Mark, RunWrite, Store, StoreError, Unit};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::{DriveError, LoadError};
use crate::run::Broken;

/// Why a run is set aside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetAside {
    /// Why, for programs.
    pub code: String,
    /// Why, for the person who must act.
    pub message: String,
}

const MARK: &str = "set-aside";

impl SetAside {
    /// What the process died of, whenever it carried out this run and no other.
    pub const POISON: &str = "POISON";

    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// Why a run that could not be read is set aside. None where it is not about the run: there is none, or the store
    /// as a whole has failed.
    pub fn unreadable(error: &LoadError) -> Option<Self> {
        let code = match error {
            LoadError::Unknown(_) => return None,
            LoadError::Store(error) if error.is_fatal() => return None,
            LoadError::History(_) => "HISTORY_UNREADABLE",
            LoadError::DefinitionMissing(_) => "DEFINITION_MISSING",
            LoadError::DefinitionUnreadable { .. } => "DEFINITION_UNREADABLE",
            LoadError::PayloadMissing { .. } | LoadError::Store(StoreError::BlobMissing { .. }) => "PAYLOAD_MISSING",
            LoadError::Store(_) => "RECORD_DAMAGED",
            LoadError::Panicked { .. } => "PANICKED",
        };
        Some(Self::new(code, error.to_string()))
    }

    /// Why a run that broke while it was driven is set aside. None where it is not the run's affair: another process
    /// owns it, or the store has failed.
    pub(crate) fn broken(broken: &Broken) -> Option<Self> {
        match broken {
            Broken::Load(error) => Self::unreadable(error),
            Broken::Commit(CommitError::Fenced { .. } | CommitError::Store(_)) => None,
            Broken::Commit(CommitError::Conflict { .. }) => Some(Self::new("HISTORY_MOVED", broken.to_string())),
            Broken::Commit(CommitError::Damaged { .. }) => Some(Self::new("RECORD_DAMAGED", broken.to_string())),
            Broken::Commit(_) | Broken::Unanswered => Some(Self::new("NOT_COMMITTED", broken.to_string())),
            Broken::Attempt(_) | Broken::Panicked(_) => Some(Self::new("PANICKED", broken.to_string())),
        }
    }
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why a run is set aside, as it was found when it was last taken up.
pub async fn reason(store: &dyn Store, run: RunId) -> Result<Option<SetAside>, StoreError> {
    let Some(value) = store.mark(run, MARK).await?.filter(|value| !value.is_empty()) else { return Ok(None) };
    let unknown = |_| SetAside::new("UNKNOWN", "it was set aside by another version of the engine");
    Ok(Some(serde_json::from_slice(&value).unwrap_or_else(unknown)))
}

/// The mark of a run that is no longer set aside.
pub(crate) fn cleared(run: RunId) -> Mark {
    Mark::cleared(run, MARK)
}

impl Engine {
    /// Sets a run aside where the error is about it, and says so to whoever wanted it driven.
    pub(crate) async fn not_loaded(&self, run: RunId, error: LoadError) -> DriveError {
        match SetAside::unreadable(&error) {
            Some(why) => {
                self.set_aside(run, &why).await;
                DriveError::SetAside(why)
            }
            None => DriveError::Load(error),
        }
    }

    /// Sets a run aside. Its history stays as it is; a run whose index row is damaged is not touched at all.
    pub(crate) async fn set_aside(&self, run: RunId, why: &SetAside) {
        tracing::error!(%run, code = why.code, message = why.message, "the run is set aside, the others go on");
        if let Err(error) = self.note_set_aside(run, why).await {
            tracing::error!(%run, %error, "that the run is set aside could not be noted");
        }
    }

    async fn note_set_aside(&self, run: RunId, why: &SetAside) -> Result<(), CommitError> {
        let store = &**self.store();
        let Some(row) = store.row(run).await?.filter(|row| row.class != Class::Ended) else { return Ok(()) };
        if row.class == Class::Stuck && reason(store, run).await?.as_ref() == Some(why) {
            return Ok(());
        }
        // Two texts are always JSON.
        let value = serde_json::to_vec(why).unwrap_or_default();
        let mark = Mark { run, name: MARK.to_owned(), value };
        let write = RunWrite {
            run,
            expected: row.last,
            fence: self.fence(),
            events: Vec::new(),
            row: IndexRow { status: Status::Stuck, class: Class::Stuck, ..row },
        };
        self.committer().commit(Unit { run: Some(write), marks: vec![mark], ..Unit::default() }).await.map(|_| ())
    }
}
