//! What is known of one step: the state machines of its two sides.
//!
//! | forward | by | to |
//! |---|---|---|
//! | Pending | `StepScheduled` | `InFlight` |
//! | Pending | `StepCompleted` (a value), `StepSkipped`, `StepFailed` (nothing was sent) | Done, Skipped, Failed |
//! | Pending | `StepCarried` (a rerun) | Done, without an effect of its own |
//! | `InFlight` | `AttemptFailed` | `BackingOff` |
//! | `InFlight` | `StepCompleted`, `StepFailed`, `StepStuck` | Done, Failed, Stuck |
//! | `InFlight` | `RecoveryNoted` | `InFlight` (the next attempt) |
//! | `InFlight` | `RunStuck` that parks it | Parked |
//! | any | whatever begins an attempt while the run is paused or set aside | Parked instead of `InFlight` |
//! | Parked | `RunUnstuck`, the end of a pause | `InFlight` |
//! | `BackingOff` | `AttemptStarted` | `InFlight` |
//! | `BackingOff`, Parked | `StepFailed` (the run stopped) | Failed |
//! | Stuck | `AttemptStarted`, `StepScheduled`, `StepCompleted`, `StepSkipped`, `StepFailed` | as above |
//!
//! | undo | by | to |
//! |---|---|---|
//! | `NotBegun` | `CompensationStarted` | `InFlight` |
//! | `NotBegun` | `CompensationFailed` (could not be rendered) | Stuck |
//! | `InFlight` | `CompensationAttemptFailed` | `BackingOff` |
//! | `InFlight` | `CompensationCompleted`, `CompensationFailed` | Undone, Stuck |
//! | `BackingOff` | `AttemptStarted` | `InFlight` |
//! | Stuck | `AttemptStarted`, `CompensationStarted`, `CompensationCompleted`, `CompensationSkipped` | `InFlight`, `InFlight`, Undone, Skipped |

use crate::event::SkipReason;
use crate::failure::{Effect, Failure};
use crate::id::Side;
use crate::payload::Held;
use crate::state::tries::{Activity, Tries};
use crate::time::Timestamp;

/// What is known of a step.
#[derive(Clone, PartialEq, Debug)]
pub struct StepState {
    /// How far it is.
    pub forward: Forward,
    /// Its attempts.
    pub tries: Tries,
    /// What it may have done.
    pub effect: Effect,
    /// The latest failure.
    pub failure: Option<Failure>,
    /// Its output; of a failed step, the answer's body where it could be read.
    pub output: Option<Held>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far its compensation is.
    pub undo: Undo,
}

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forward {
    /// Nothing happened yet.
    Pending,
    /// An attempt is in flight.
    InFlight,
    /// It waits for its next attempt.
    BackingOff {
        /// When that is due.
        due: Timestamp,
    },
    /// Its attempt is not sent yet: the run as a whole is stuck or paused.
    Parked,
    /// It waits for an operator.
    Stuck,
    /// It was carried out.
    Done,
    /// It is not carried out.
    Skipped(SkipReason),
    /// It failed for good.
    Failed {
        /// Whether the run fails with it.
        fatal: bool,
    },
}

/// How far the compensation of a step is.
#[derive(Clone, PartialEq, Debug)]
pub struct Undo {
    /// How far it is.
    pub status: UndoStatus,
    /// Its attempts.
    pub tries: Tries,
    /// What its attempts may have done, until one succeeds.
    pub effect: Effect,
    /// The latest failure.
    pub failure: Option<Failure>,
}

/// How far a compensation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UndoStatus {
    /// It was not begun.
    NotBegun,
    /// An attempt is in flight.
    InFlight,
    /// It waits for its next attempt.
    BackingOff {
        /// When that is due.
        due: Timestamp,
    },
    /// Its attempt is not sent yet: the run as a whole is stuck or paused.
    Parked,
    /// It waits for an operator.
    Stuck,
    /// The step was undone.
    Undone,
    /// An operator gave it up.
    Skipped,
}

impl StepState {
    pub(super) const UNTOUCHED: Self = Self {
        forward: Forward::Pending,
        tries: Tries::NONE,
        effect: Effect::None,
        failure: None,
        output: None,
        ended_at: None,
        undo: Undo { status: UndoStatus::NotBegun, tries: Tries::NONE, effect: Effect::None, failure: None },
    };

    /// The attempts of one side.
    pub fn tries(&self, side: Side) -> &Tries {
        match side {
            Side::Forward => &self.tries,
            Side::Compensation => &self.undo.tries,
        }
    }

    /// What one side is doing.
    pub fn activity(&self, side: Side) -> Activity {
        match side {
            Side::Forward => self.forward.activity(),
            Side::Compensation => self.undo.status.activity(),
        }
    }

    /// Whether it may have done something that nobody undid.
    pub fn has_lasting_effect(&self) -> bool {
        match self.effect {
            Effect::None => false,
            Effect::Unknown | Effect::Done => self.undo.status != UndoStatus::Undone,
        }
    }
}

impl Forward {
    /// Whether the step is over: done, skipped or failed.
    pub fn is_ended(self) -> bool {
        match self {
            Self::Pending | Self::InFlight | Self::BackingOff { .. } | Self::Parked | Self::Stuck => false,
            Self::Done | Self::Skipped(_) | Self::Failed { .. } => true,
        }
    }

    fn activity(self) -> Activity {
        match self {
            Self::Pending | Self::Done | Self::Skipped(_) | Self::Failed { .. } => Activity::Idle,
            Self::InFlight => Activity::InFlight,
            Self::BackingOff { due } => Activity::BackingOff { due },
            Self::Parked => Activity::Parked,
            Self::Stuck => Activity::Stuck,
        }
    }
}

impl UndoStatus {
    /// Whether the compensation is over: undone or given up.
    pub fn is_ended(self) -> bool {
        match self {
            Self::NotBegun | Self::InFlight | Self::BackingOff { .. } | Self::Parked | Self::Stuck => false,
            Self::Undone | Self::Skipped => true,
        }
    }

    fn activity(self) -> Activity {
        match self {
            Self::NotBegun | Self::Undone | Self::Skipped => Activity::Idle,
            Self::InFlight => Activity::InFlight,
            Self::BackingOff { due } => Activity::BackingOff { due },
            Self::Parked => Activity::Parked,
            Self::Stuck => Activity::Stuck,
        }
    }
}
