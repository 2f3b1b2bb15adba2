//! Why things happened to a run, for programs.

use serde::{Deserialize, Serialize};

use crate::id::Name;

/// Why a run stopped going forward.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StopCause {
    /// A step failed.
    StepFailed(Name),
    /// The run's own timeout.
    Timeout,
    /// Somebody cancelled the run.
    Cancelled,
}

/// Why a run was ended from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CancelCause {
    /// The run's own timeout.
    Timeout,
    /// Somebody cancelled it: what may have happened was undone.
    Cancelled,
    /// Somebody terminated it: nothing was undone.
    Terminated,
}

/// Why a step was not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SkipReason {
    /// Its condition was false.
    Condition,
    /// All steps that it comes after were skipped.
    Dependencies,
    /// An operator said so.
    Operator,
}

/// Why a run as a whole is stuck.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StuckReason {
    /// A secret or environment value that a service needs is not set.
    SecretMissing,
    /// This process does not know where a service is: mock services that it does not have.
    AddressMissing,
    /// Whenever the run was driven, and it alone, the process died.
    Poison,
    /// This process does not have the task that a step calls.
    TaskMissing,
    /// The task that a step calls can't read the arguments that were recorded for it.
    InputUndecodable,
}

impl StuckReason {
    /// Whether it lies in the program that drives the run, so that another one may do better.
    pub fn lies_in_tasks(self) -> bool {
        match self {
            Self::TaskMissing | Self::InputUndecodable => true,
            Self::SecretMissing | Self::AddressMissing | Self::Poison => false,
        }
    }
}
