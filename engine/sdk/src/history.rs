//! The history of a run, as programs read it.

use std::fmt;
use std::time::{Duration, SystemTime};

use engine_core::event::{Event, Recorded};
use engine_core::failure::Failure;

/// One event of a run's history. It is durable before anybody is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// Its position, from 1.
    pub seq: u64,
    /// When it was recorded, by engine time, in milliseconds.
    pub at: SystemTime,
    /// What happened.
    pub kind: EventKind,
    /// The step that it is about.
    pub step: Option<String>,
    /// The attempt that it is about, from 1.
    pub attempt: Option<u32>,
    /// The code of the failure that it records.
    pub code: Option<String>,
    /// The message of the failure that it records.
    pub message: Option<String>,
}

impl fmt::Display for HistoryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.kind)?;
        if let Some(step) = &self.step {
            write!(f, " {step}")?;
        }
        match &self.code {
            Some(code) => write!(f, " {code}"),
            None => Ok(()),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident),* $(,)?) => {
        /// What happened to a run.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[$doc])* $kind),* }

        impl EventKind {
            fn of(event: &Event) -> Self {
                match event { $(Event::$kind { .. } => Self::$kind),* }
            }
        }
    };
}

kinds! {
    /// The run exists.
    RunStarted,
    /// It goes forward no more; what may have happened is undone next.
    StopBegan,
    /// It can't go on as a whole until an operator has seen to it.
    RunStuck,
    /// That was seen to.
    RunUnstuck,
    /// A process took it up and found attempts cut off.
    RecoveryNoted,
    /// Every step ended well.
    RunCompleted,
    /// A step failed, and all was undone.
    RunCompensated,
    /// A step failed; nothing had to be undone, or not all could be.
    RunFailed,
    /// It was ended from outside.
    RunCancelled,
    /// A step became ready, and its first attempt begins.
    StepScheduled,
    /// A further attempt begins.
    AttemptStarted,
    /// An attempt failed and is made again.
    AttemptFailed,
    /// An attempt noted how far it is.
    StepCheckpointed,
    /// A step was carried out.
    StepCompleted,
    /// A step failed for good.
    StepFailed,
    /// A step is not carried out.
    StepSkipped,
    /// A step waits for an operator.
    StepStuck,
    /// Something was asked from outside, and answered.
    RequestAnswered,
    /// A request that was held is decided.
    RequestSettled,
    /// A rerun took a step's output over.
    StepCarried,
    /// The undoing of a step begins.
    CompensationStarted,
    /// An attempt to undo a step failed and is made again.
    CompensationAttemptFailed,
    /// A step was undone.
    CompensationCompleted,
    /// A step could not be undone: it waits for an operator.
    CompensationFailed,
    /// An operator gave up undoing a step.
    CompensationSkipped,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl HistoryEvent {
    pub(crate) fn of(recorded: &Recorded) -> Self {
        let event = &recorded.event;
        let failure = failure(event);
        let step = match event.steps().as_slice() {
            [step] => Some(step.to_string()),
            _ => None,
        };
        Self {
            seq: recorded.seq.0,
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(recorded.at.millis()),
            kind: EventKind::of(event),
            step,
            attempt: attempt(event),
            code: failure.map(|failure| failure.code.clone()),
            message: failure.map(|failure| failure.message.clone()),
        }
    }
}

fn failure(event: &Event) -> Option<&Failure> {
    match event {
        Event::AttemptFailed(failed) | Event::CompensationAttemptFailed(failed) => Some(&failed.failure),
        Event::StepFailed { failure, .. }
        | Event::StepStuck { failure, .. }
        | Event::CompensationFailed { failure, .. } => Some(failure),
        _ => None,
    }
}

/// The number of the attempt; none where no attempt was made.
fn attempt(event: &Event) -> Option<u32> {
    let attempt = match event {
        Event::StepScheduled { .. } => 1,
        Event::AttemptFailed(failed) | Event::CompensationAttemptFailed(failed) => failed.attempt,
        Event::AttemptStarted { attempt, .. }
        | Event::StepCheckpointed { attempt, .. }
        | Event::StepCompleted { attempt, .. }
        | Event::StepFailed { attempt, .. }
        | Event::StepStuck { attempt, .. }
        | Event::CompensationCompleted { attempt, .. }
        | Event::CompensationFailed { attempt, .. } => *attempt,
        _ => 0,
    };
    (attempt > 0).then_some(attempt)
}
