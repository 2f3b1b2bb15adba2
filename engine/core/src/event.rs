//! The recorded facts. A run's history is the ordered list of them, and the only truth about it.
//!
//! The shapes are frozen from release 0.1.0 on: variants and structs are encoded by position, so a variant may only
//! be appended and a struct never changed (a new version is a new variant, read by an upcaster). An event holds one
//! payload at most, so a payload is found by the event's position.

mod causes;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::failure::{Effect, Failure, StepFailure};
use crate::id::{Digest, Name, RunId, Seq, Side};
use crate::payload::Payload;
use crate::request::{Answer, RequestKind};
use crate::time::Timestamp;

pub use causes::{CancelCause, SkipReason, StopCause, StuckReason};

/// An event with its place in the history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// Its position, from 1, without gaps.
    pub seq: Seq,
    /// When it was decided, in engine time.
    pub at: Timestamp,
    /// The fact.
    pub event: Event,
}

/// A fact about one run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The run exists, bound to its definition.
    RunStarted(Box<RunStarted>),
    /// The run stops going forward; what may have happened is undone next.
    StopBegan {
        /// Why.
        cause: StopCause,
    },
    /// The run as a whole can't go on until an operator has seen to it.
    RunStuck {
        /// Why, for programs.
        reason: StuckReason,
        /// Why, and what to do.
        message: String,
        /// The attempt that was not sent because of it; it is sent again after `RunUnstuck`.
        parked: Option<(Name, Side)>,
    },
    /// What the run was stuck on has been seen to: an operator said so, or the process that took the run up has the
    /// tasks that the one before lacked.
    RunUnstuck,
    /// A process took the run up and found attempts in flight: what they did is unknown. Each is made again as the
    /// next attempt, not counted, unless its step ends in the same turn.
    RecoveryNoted {
        /// The attempts that were cut off.
        cut_off: Vec<(Name, Side)>,
    },
    /// Every step ended well.
    RunCompleted {
        /// What the workflow gives.
        output: Payload,
        /// Failures that did not matter.
        warnings: Vec<StepFailure>,
        /// Optional steps that failed, and whose effect remains because an operator gave up undoing it.
        residue: Vec<Name>,
    },
    /// A step failed, and all that may have happened was undone.
    RunCompensated {
        /// Failures that did not matter.
        warnings: Vec<StepFailure>,
    },
    /// A step failed; nothing had to be undone, or not all could be.
    RunFailed {
        /// Failures that did not matter.
        warnings: Vec<StepFailure>,
        /// Steps whose effect remains although it should have been undone.
        residue: Vec<Name>,
    },
    /// The run was ended from outside.
    RunCancelled {
        /// By what.
        cause: CancelCause,
        /// Failures that did not matter.
        warnings: Vec<StepFailure>,
        /// Steps whose effect remains although it should have been undone.
        residue: Vec<Name>,
    },

    /// A step became ready, its call was rendered, and its first attempt begins.
    StepScheduled {
        /// The step.
        step: Name,
        /// What is sent.
        call: Call,
    },
    /// A further attempt begins: committed before it is sent.
    AttemptStarted {
        /// The step.
        step: Name,
        /// Which side of it.
        side: Side,
        /// Its number, from 1.
        attempt: u32,
    },
    /// An attempt of a step failed and will be made again.
    AttemptFailed(TriedAndFailed),
    /// An attempt noted how far it is: the next one of the same call goes on from there.
    StepCheckpointed {
        /// The step.
        step: Name,
        /// Which side of it.
        side: Side,
        /// The attempt's number.
        attempt: u32,
        /// What it noted.
        checkpoint: Payload,
    },
    /// A step was carried out, or an operator said so.
    StepCompleted {
        /// The step.
        step: Name,
        /// The attempt that did it; 0 for a value, or where an operator said so.
        attempt: u32,
        /// When that attempt began.
        started_at: Timestamp,
        /// Its HTTP status.
        status: Option<u16>,
        /// What it gives to later steps.
        output: Payload,
    },
    /// A step failed for good.
    StepFailed {
        /// The step.
        step: Name,
        /// The last attempt; 0 where none was made.
        attempt: u32,
        /// When that attempt began.
        started_at: Timestamp,
        /// Why.
        failure: Failure,
        /// What it may have done all the same.
        effect: Effect,
        /// Whether the run fails with it (else it is a warning).
        fatal: bool,
        /// The answer's body, where it could be read: compensations may use it.
        output: Option<Payload>,
    },
    /// A step is not carried out.
    StepSkipped {
        /// The step.
        step: Name,
        /// Why.
        reason: SkipReason,
    },
    /// A step can neither go on nor be given up without an operator.
    StepStuck {
        /// The step.
        step: Name,
        /// The last attempt.
        attempt: u32,
        /// When that attempt began.
        started_at: Timestamp,
        /// Why it is stuck.
        failure: Failure,
        /// What it may have done.
        effect: Effect,
    },

    /// A request from outside was answered; a repeat gets the same answer.
    RequestAnswered {
        /// The request's id.
        id: String,
        /// What was asked for.
        kind: RequestKind,
        /// Who asked.
        actor: String,
        /// What came with it.
        payload: Option<Payload>,
        /// The answer.
        answer: Answer,
    },

    /// A step is to be undone: its call was rendered and its first attempt begins.
    CompensationStarted {
        /// The step that is undone.
        step: Name,
        /// What is sent.
        call: Call,
    },
    /// An attempt to undo a step failed and will be made again.
    CompensationAttemptFailed(TriedAndFailed),
    /// A step was undone, or there was nothing to undo, or an operator undid it by hand.
    CompensationCompleted {
        /// The step.
        step: Name,
        /// The attempt that did it; 0 where an operator said so.
        attempt: u32,
        /// When that attempt began.
        started_at: Timestamp,
        /// Its HTTP status.
        status: Option<u16>,
    },
    /// A step could not be undone; it is stuck until an operator resolves it.
    CompensationFailed {
        /// The step.
        step: Name,
        /// The last attempt; 0 where none was made.
        attempt: u32,
        /// When that attempt began.
        started_at: Timestamp,
        /// Why.
        failure: Failure,
        /// What the attempts to undo it may have done all the same.
        effect: Effect,
    },
    /// An operator gave up undoing a step: its effect remains, as residue.
    CompensationSkipped {
        /// The step.
        step: Name,
    },

    /// A request that was held is decided: the pivot has settled.
    RequestSettled {
        /// The request's id.
        id: String,
        /// What became of it.
        answer: Answer,
    },
    /// A rerun takes over what the step gave in the run that it continues. It is never carried out here, nor undone.
    StepCarried {
        /// The step.
        step: Name,
        /// What it gives to later steps.
        output: Payload,
    },
}

/// How a run began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunStarted {
    /// The workflow's name.
    pub workflow: Name,
    /// Its version label.
    pub version: String,
    /// The definition that the run is bound to.
    pub definition: Digest,
    /// The definitions that its children will use.
    pub children: Vec<(Name, Digest)>,
    /// The id that the user gave it, unique per workflow.
    pub workflow_id: Option<String>,
    /// The request that started it.
    pub request_id: String,
    /// Who asked.
    pub actor: String,
    /// What it works on.
    pub input: Payload,
    /// Labels of the workflow and of the start.
    pub labels: Vec<(String, String)>,
    /// −100 to 100, 0 by default.
    pub priority: i8,
    /// Not before this time.
    pub start_at: Option<Timestamp>,
    /// Not at all if not begun by this time.
    pub expires_at: Option<Timestamp>,
    /// Policy changed for this run only, as `payment.url` → `http://…`; `*.url` → `mock:` stands for the mock
    /// services of whatever process drives the run. Outside the definition's digest.
    pub overrides: Vec<(String, String)>,
    /// The run that this is a child of.
    pub parent: Option<Parent>,
    /// The run that this one continues or was copied from.
    pub origin: Option<Origin>,
    /// W3C `traceparent` of the caller.
    pub traceparent: Option<String>,
    /// W3C `baggage` of the caller.
    pub baggage: Option<String>,
    /// Whether the run's trace is exported.
    pub sampled: bool,
}

/// The place of a child run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parent {
    /// The parent.
    pub run: RunId,
    /// The parent's step.
    pub step: Name,
}

/// Where a run came from, other than from a start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Origin {
    /// A rerun of another run, from this step on.
    Rerun {
        /// The source.
        run: RunId,
        /// The first step that is carried out anew.
        from: Name,
    },
    /// Imported from elsewhere.
    Import {
        /// The source.
        run: RunId,
        /// Where it was exported.
        from: String,
    },
}

/// An attempt that failed and will be made again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TriedAndFailed {
    /// The step.
    pub step: Name,
    /// The attempt's number.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Why it failed.
    pub failure: Failure,
    /// What it may have done.
    pub effect: Effect,
    /// How many failures this event stands for; 0 where it does not count against `max_attempts`.
    pub count: u32,
    /// How long until the next one.
    pub delay: Duration,
    /// When the next one is due.
    pub due: Timestamp,
}

impl Event {
    /// The steps that this event is about.
    pub fn steps(&self) -> Vec<&Name> {
        match self {
            Self::RunStuck { parked, .. } => parked.iter().map(|(step, _)| step).collect(),
            Self::RecoveryNoted { cut_off } => cut_off.iter().map(|(step, _)| step).collect(),
            Self::AttemptFailed(failed) | Self::CompensationAttemptFailed(failed) => vec![&failed.step],
            Self::StepScheduled { step, .. }
            | Self::AttemptStarted { step, .. }
            | Self::StepCheckpointed { step, .. }
            | Self::StepCompleted { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepStuck { step, .. }
            | Self::CompensationStarted { step, .. }
            | Self::CompensationCompleted { step, .. }
            | Self::CompensationFailed { step, .. }
            | Self::CompensationSkipped { step }
            | Self::StepCarried { step, .. } => vec![step],
            Self::RunStarted(_)
            | Self::StopBegan { .. }
            | Self::RunUnstuck
            | Self::RunCompleted { .. }
            | Self::RunCompensated { .. }
            | Self::RunFailed { .. }
            | Self::RunCancelled { .. }
            | Self::RequestAnswered { .. }
            | Self::RequestSettled { .. } => Vec::new(),
        }
    }

    /// Whether this is how an attempt ended: what a run gets on by.
    pub fn is_result(&self) -> bool {
        match self {
            Self::StepCompleted { attempt, .. }
            | Self::StepFailed { attempt, .. }
            | Self::CompensationCompleted { attempt, .. }
            | Self::CompensationFailed { attempt, .. } => *attempt > 0,
            Self::AttemptFailed(_) | Self::CompensationAttemptFailed(_) | Self::StepStuck { .. } => true,
            Self::RunStarted(_)
            | Self::StopBegan { .. }
            | Self::RunStuck { .. }
            | Self::RunUnstuck
            | Self::RecoveryNoted { .. }
            | Self::RunCompleted { .. }
            | Self::RunCompensated { .. }
            | Self::RunFailed { .. }
            | Self::RunCancelled { .. }
            | Self::StepScheduled { .. }
            | Self::AttemptStarted { .. }
            | Self::StepCheckpointed { .. }
            | Self::StepSkipped { .. }
            | Self::RequestAnswered { .. }
            | Self::CompensationStarted { .. }
            | Self::CompensationSkipped { .. }
            | Self::RequestSettled { .. }
            | Self::StepCarried { .. } => false,
        }
    }

    /// The payload of this event, if it holds one.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::RunStarted(started) => Some(&started.input),
            Self::StepScheduled { call, .. } | Self::CompensationStarted { call, .. } => call.payload(),
            Self::StepCompleted { output, .. }
            | Self::RunCompleted { output, .. }
            | Self::StepCarried { output, .. } => Some(output),
            Self::StepCheckpointed { checkpoint, .. } => Some(checkpoint),
            Self::StepFailed { output, .. } => output.as_ref(),
            Self::RequestAnswered { payload, .. } => payload.as_ref(),
            Self::StopBegan { .. }
            | Self::RunStuck { .. }
            | Self::RunUnstuck
            | Self::RecoveryNoted { .. }
            | Self::RunCompensated { .. }
            | Self::RunFailed { .. }
            | Self::RunCancelled { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptFailed(_)
            | Self::StepSkipped { .. }
            | Self::StepStuck { .. }
            | Self::CompensationAttemptFailed(_)
            | Self::CompensationCompleted { .. }
            | Self::CompensationFailed { .. }
            | Self::CompensationSkipped { .. }
            | Self::RequestSettled { .. } => None,
        }
    }

    /// The payload of this event, to put a reference to a blob in its place.
    pub fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Self::RunStarted(started) => Some(&mut started.input),
            Self::StepScheduled { call, .. } | Self::CompensationStarted { call, .. } => call.payload_mut(),
            Self::StepCompleted { output, .. }
            | Self::RunCompleted { output, .. }
            | Self::StepCarried { output, .. } => Some(output),
            Self::StepCheckpointed { checkpoint, .. } => Some(checkpoint),
            Self::StepFailed { output, .. } => output.as_mut(),
            Self::RequestAnswered { payload, .. } => payload.as_mut(),
            Self::StopBegan { .. }
            | Self::RunStuck { .. }
            | Self::RunUnstuck
            | Self::RecoveryNoted { .. }
            | Self::RunCompensated { .. }
            | Self::RunFailed { .. }
            | Self::RunCancelled { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptFailed(_)
            | Self::StepSkipped { .. }
            | Self::StepStuck { .. }
            | Self::CompensationAttemptFailed(_)
            | Self::CompensationCompleted { .. }
            | Self::CompensationFailed { .. }
            | Self::CompensationSkipped { .. }
            | Self::RequestSettled { .. } => None,
        }
    }
}
