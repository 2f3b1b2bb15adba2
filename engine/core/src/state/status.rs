//! The one word that a run is shown with.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The shown status of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Status {
    /// It has not begun.
    Pending,
    /// Something is in flight.
    Running,
    /// It waits for a timer, a signal or a retry.
    Waiting,
    /// An operator paused it.
    Paused,
    /// It undoes what it did.
    Compensating,
    /// It can't go on without an operator.
    Stuck,
    /// It ended well.
    Completed,
    /// It failed, and all was undone.
    Compensated,
    /// It failed.
    Failed,
    /// It was ended from outside.
    Cancelled,
}

impl Status {
    /// Whether the run has ended.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Compensated | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Running | Self::Waiting | Self::Paused | Self::Compensating | Self::Stuck => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Paused => "Paused",
            Self::Compensating => "Compensating",
            Self::Stuck => "Stuck",
            Self::Completed => "Completed",
            Self::Compensated => "Compensated",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        })
    }
}
