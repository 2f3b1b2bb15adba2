//! What can go wrong around runs. What goes wrong inside one is a failure, and recorded.

use engine_core::id::{Digest, RunId};
use engine_core::state::FoldError;
use engine_store::StoreError;

use crate::set_aside::SetAside;

/// The runtime could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No HTTP client could be made.
    #[error("no HTTP client can be made: {0}")]
    Http(String),
}

/// A run could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The store has no such run.
    #[error("there is no run {0}")]
    Unknown(RunId),
    /// Its history can't be folded.
    #[error(transparent)]
    History(#[from] FoldError),
    /// Its definition is not in the store.
    #[error("the definition {0} is not in the store")]
    DefinitionMissing(Digest),
    /// Its definition can't be read by this version of the engine.
    #[error("the definition {digest} can't be read by this version of the engine: {why}")]
    DefinitionUnreadable {
        /// The definition.
        digest: Digest,
        /// Why.
        why: String,
    },
    /// A payload that its history names is not there.
    #[error("the payload of event {seq} of run {run} is missing")]
    PayloadMissing {
        /// The run.
        run: RunId,
        /// The event.
        seq: engine_core::id::Seq,
    },
    /// Reading it panicked.
    #[error("the engine panicked while it read run {run}: {why}")]
    Panicked {
        /// The run.
        run: RunId,
        /// With what.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run could not be taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// There is no such run, or the store failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It can't be carried out as it is: it is Stuck, and tried again when it is taken up the next time.
    #[error("the run is set aside: {0}")]
    SetAside(SetAside),
    /// Its first turn could not be taken.
    #[error("the run can't be taken up: {0}")]
    NotCommitted(String),
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
}

/// A request was not answered. Except where it is kept, it has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request can't be taken as it is.
    #[error("the request can't be taken: {0}")]
    Unusable(String),
    /// The run can't be read or taken up now: the request waits in its inbox, durable, and is answered when it can.
    #[error("{0}\nThe request is kept, and answered once the run can be read")]
    Kept(LoadError),
    /// Too many requests wait for the run's turn.
    #[error("run {0} is busy: try again in a second")]
    Busy(RunId),
    /// The run can't be taken up.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The run can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What the request makes could not be stored; nothing of it was.
    #[error("what was asked for could not be stored: {0}")]
    NotCommitted(String),
}

/// A run was not started. Nothing was stored, unless the store itself failed: then it is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The input does not meet the workflow's schema.
    #[error(transparent)]
    Input(#[from] engine_core::definition::InputError),
    /// The input is larger than a payload may be.
    #[error("the input has {len} bytes; {limit} are the most")]
    InputTooLarge {
        /// Its size.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The input is no JSON that the engine can work with.
    #[error("the input can't be used: {0}")]
    InputUnreadable(String),
    /// The id belongs to a run with other input.
    #[error("the id `{workflow_id}` belongs to run {run}, which was started with other input: use another id")]
    IdTaken {
        /// The id.
        workflow_id: String,
        /// The run that holds it.
        run: RunId,
    },
    /// The id belonged to a run that was deleted, and is still remembered.
    #[error("the id `{0}` belonged to a run that was deleted, and stays taken for a while: use another id")]
    IdRetired(String),
    /// The id is too long or empty.
    #[error("the id `{0}` can't be used: 1 to 256 bytes, no control characters")]
    IdInvalid(String),
    /// Several open runs have this workflow and input and were started without an id.
    #[error("{} open runs of this workflow have this input: name one, or start another", runs.len())]
    Ambiguous {
        /// The runs.
        runs: Vec<RunId>,
    },
    /// The disk is nearly full.
    #[error("only {free} bytes of disk are free: no new run is started below {reserve}; running runs go on")]
    NoSpace {
        /// What is free.
        free: u64,
        /// What is needed.
        reserve: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store refused the run's first turn.
    #[error("the run could not be stored: {0}")]
    NotCommitted(String),
    /// The run that holds the id can't be read.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
}
