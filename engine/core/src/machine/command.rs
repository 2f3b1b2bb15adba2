//! What goes into a machine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::definition::Compensate;
use crate::event::{Recorded, StuckReason};
use crate::failure::{Effect, Failure};
use crate::id::{IdempotencyKey, Name, Seq, Side};
use crate::machine::Machine;
use crate::machine::retry::Again;
use crate::payload::Payload;
use crate::request::Request;
use crate::state::{Activity, Forward};
use crate::time::Timestamp;

/// What a run is told.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// An attempt ended.
    AttemptEnded {
        /// The step.
        step: Name,
        /// Which side of it.
        side: Side,
        /// The attempt's number.
        attempt: u32,
        /// How it ended.
        outcome: AttemptOutcome,
    },
    /// An attempt notes how far it is.
    Checkpoint {
        /// The step.
        step: Name,
        /// Which side of it.
        side: Side,
        /// The attempt's number.
        attempt: u32,
        /// What it notes.
        checkpoint: Payload,
    },
    /// An attempt could not be sent for a reason that an operator has to see to. It did nothing.
    AttemptNotSent {
        /// The step.
        step: Name,
        /// Which side of it.
        side: Side,
        /// The attempt's number.
        attempt: u32,
        /// Why, for programs.
        reason: StuckReason,
        /// Why, and what to do.
        message: String,
    },
    /// A timer is due.
    TimerFired(TimerKey),
    /// The process that drove the run before is gone, and its attempts with it.
    Recovered,
    /// The process that takes the run up has the tasks that its parked steps call.
    Equipped,
    /// Something is asked from outside. What comes with it stands in the request itself, not in a blob.
    Request(Request),
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Debug)]
pub enum AttemptOutcome {
    /// The callee answered.
    Answered(Answered),
    /// Nothing was sent: no connection could be made.
    NotSent {
        /// Why.
        message: String,
    },
    /// Nothing was sent: what was rendered is no valid request, and never will be.
    Unsendable {
        /// Why.
        message: String,
    },
    /// A task gave this: JSON.
    Gave(Arc<[u8]>),
    /// A task failed.
    Failed(TaskFailure),
    /// Something was sent or begun and no whole answer came.
    Lost {
        /// Whether time ran out (else the connection broke).
        timed_out: bool,
        /// What happened.
        message: String,
    },
}

/// What a task says of its failure.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskFailure {
    /// Why.
    pub failure: Failure,
    /// What it says about another attempt.
    pub again: Again,
    /// Whether the attempt certainly did nothing.
    pub did_nothing: bool,
    /// Whether whoever carries out the step's key refused it for good, so that no attempt before did anything either.
    pub settles: bool,
}

/// An HTTP answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its `Retry-After`, as a span from now.
    pub retry_after: Option<Duration>,
    /// Its headers, names in lower case; those whose values are no text are left out.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// All of it.
    Whole(Arc<[u8]>),
    /// It was larger than this and was not read to its end.
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

/// What is to be done once a turn's events are durable.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Send an attempt.
    Send(Send),
    /// Wake the run at this time; replaces a timer with the same key.
    SetTimer {
        /// What the timer is for.
        key: TimerKey,
        /// When it is due.
        due: Timestamp,
    },
    /// Forget a timer.
    ClearTimer {
        /// What it was for.
        key: TimerKey,
    },
}

/// An attempt to be sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Send {
    /// The step.
    pub step: Name,
    /// Which side of it.
    pub side: Side,
    /// The attempt's number.
    pub attempt: u32,
    /// The event that holds the rendered call.
    pub call: Seq,
    /// Goes into `Idempotency-Key`.
    pub key: IdempotencyKey,
    /// Goes into `Idempotency-Key-Of`: of a compensation, the key of what it undoes.
    pub key_of: Option<IdempotencyKey>,
    /// How long the attempt may take.
    pub timeout: Duration,
}

/// What a timer is for; unique within its run. Stored, so variants may only be appended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TimerKey {
    /// The next attempt of one side of a step.
    Retry(Name, Side),
    /// The run's timeout.
    RunTimeout,
}

/// A place where at most one command is outstanding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Slot {
    /// One side of a step.
    Step(Name, Side),
    /// The run's timeout.
    RunTimeout,
}

/// What a machine decided.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Turn {
    /// To be committed together, before anything else happens.
    pub events: Vec<Recorded>,
    /// To be carried out once the events are durable.
    pub commands: Vec<Command>,
}

impl Slot {
    /// The key of the timer that may be set in this slot.
    pub(super) fn timer(&self) -> TimerKey {
        match self {
            Self::Step(step, side) => TimerKey::Retry(step.clone(), *side),
            Self::RunTimeout => TimerKey::RunTimeout,
        }
    }
}

impl Machine {
    /// The command that should be outstanding in this slot.
    pub(super) fn wanted(&self, slot: &Slot) -> Option<Command> {
        if self.state.is_set_aside() { None } else { self.wanted_if_driven(slot) }
    }

    /// The same, were the run not set aside: a timer's row may still stand in the store.
    pub(super) fn wanted_if_driven(&self, slot: &Slot) -> Option<Command> {
        if self.state.end.is_some() {
            return None;
        }
        match slot {
            Slot::Step(step, side) => match self.state.activity(step, *side) {
                Activity::Idle | Activity::Parked | Activity::Stuck => None,
                Activity::InFlight => self.send(step, *side).map(Command::Send),
                Activity::BackingOff { .. } if self.state.paused => None,
                Activity::BackingOff { due } => {
                    Some(Command::SetTimer { key: TimerKey::Retry(step.clone(), *side), due })
                }
            },
            Slot::RunTimeout => self.timeout_due().map(|due| Command::SetTimer { key: TimerKey::RunTimeout, due }),
        }
    }

    fn send(&self, step: &Name, side: Side) -> Option<Send> {
        let state = self.state.step(step);
        let rule = self.definition.step(self.definition.find(step.as_str())?);
        let forward_key = IdempotencyKey::derive(self.state.run, step, Side::Forward, state.tries.epoch);
        let (key, key_of, timeout) = match side {
            Side::Forward => (forward_key, None, rule.call()?.timeout),
            Side::Compensation => {
                let key = IdempotencyKey::derive(self.state.run, step, side, state.undo.tries.epoch);
                (key, Some(forward_key), rule.compensate.as_ref()?.call_for(state.effect).timeout)
            }
        };
        let tries = state.tries(side);
        Some(Send { step: step.clone(), side, attempt: tries.attempt, call: tries.call?, key, key_of, timeout })
    }

    /// When the run's timeout is due, where it counts: not while the pivot is open, nor while the run is paused.
    pub(super) fn timeout_due(&self) -> Option<Timestamp> {
        let timeout = self.definition.timeout()?;
        if self.state.timeout_answered || self.state.stop.is_some() || self.state.paused || self.is_pivot_open() {
            return None;
        }
        Some(self.state.started_at.after(timeout))
    }

    /// Whether the pivot is in flight, or what it did is unknown: until it settles the run can't turn back.
    pub(super) fn is_pivot_open(&self) -> bool {
        self.definition.pivot().is_some_and(|pivot| {
            let state = self.state.step(&self.definition.step(pivot).name);
            match state.forward {
                Forward::InFlight => true,
                Forward::BackingOff { .. } | Forward::Parked | Forward::Stuck => state.effect != Effect::None,
                Forward::Pending | Forward::Done | Forward::Skipped(_) | Forward::Failed { .. } => false,
            }
        })
    }
}

impl Compensate {
    /// The request for what is known of the step.
    pub fn call_for(&self, effect: Effect) -> &crate::definition::CallRule {
        match effect {
            Effect::Unknown => self.unknown.as_ref().unwrap_or(&self.call),
            Effect::None | Effect::Done => &self.call,
        }
    }
}
