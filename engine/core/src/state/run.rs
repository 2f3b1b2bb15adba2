//! What is known of the run as a whole.

use crate::event::{CancelCause, StuckReason};
use crate::id::Name;
use crate::payload::Held;
use crate::state::Status;
use crate::time::Timestamp;

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub struct End {
    /// Completed, Compensated, Failed or Cancelled.
    pub status: Status,
    /// When.
    pub at: Timestamp,
    /// By what it was ended from outside.
    pub cancelled: Option<CancelCause>,
    /// What the workflow gave.
    pub output: Option<Held>,
    /// Steps whose effect remains although it should have been undone.
    pub residue: Vec<Name>,
}

/// A signal that is kept until a step waits for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Its name.
    pub name: Name,
    /// What came with it.
    pub payload: Held,
}

/// Something that the run as a whole is stuck on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stuck {
    /// Why, for programs.
    pub reason: StuckReason,
    /// Why, and what to do.
    pub message: String,
}
